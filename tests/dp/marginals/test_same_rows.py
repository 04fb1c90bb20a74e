"""Tables that count different rows are refused; where rows are left out of all of them alike, nothing is biased."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

import pets
from pets.dp.marginals import LaplacePlanner, ResidualPlanner, fit_nonnegative
from pets.dp.marginals import laplace as laplace_module
from pets.dp.marginals import residual as residual_module
from pets.dp.marginals.same_rows import counts_same_rows
from pets.errors import PairingRefused
from pets.query import BoundQuery
from tests.dp.marginals.support import Recorded

LABELS = {"a": ["a0", "a1"], "b": ["u", "v"], "c": ["c0", "c1"]}
ROWS = pd.DataFrame([("a0", "?", "c0")] * 1000 + [("a1", "u", "c1")] * 100, columns=["a", "b", "c"])
TRIANGLE = [["a", "b"], ["b", "c"], ["a", "c"]]
PLANNERS = [LaplacePlanner(1), ResidualPlanner("0.5")]


def domain(b: str = "drop", rest: str = "drop", **settings: Any) -> pets.Domain:
    policies = {"a": rest, "b": b, "c": rest}
    return pets.Domain(
        {name: pets.Categorical(known, invalid=policies[name]) for name, known in LABELS.items()},  # type: ignore[arg-type]
        **settings,
    )


def without_noise(planner: Any, query: BoundQuery) -> pets.Release:
    with pytest.MonkeyPatch.context() as patch:
        for module in (laplace_module, residual_module):
            patch.setattr(module, "engine", lambda name: Recorded(None))
        released: pets.Release = planner.release(query.tally(ROWS), query)
    return released


@pytest.mark.parametrize("planner", PLANNERS, ids=str)
@pytest.mark.parametrize("tables", [TRIANGLE, [["a", "b"], ["a"]], [["b"], []], [["a"], ["b"]]])
def test_tables_that_count_different_rows_are_refused(planner: Any, tables: Any) -> None:
    """1000 patients have no valid b: averaged with tables that leave them out, a x c would be far off."""
    query = pets.Marginals(tables).bind(domain(rest="error"))
    tally = query.tally(ROWS)
    for refused in (
        lambda: planner.guarantee(query), lambda: planner.error(query), lambda: planner.release(tally, query),
        lambda: pets.Pipeline(query.query, query.domain, mechanism=planner),
    ):  # fmt: skip
        with pytest.raises(PairingRefused, match="invalid='category' for 'b', or ask for one table"):
            refused()


@pytest.mark.parametrize("planner", PLANNERS, ids=str)
def test_the_remedies_of_the_message_give_the_truth(planner: Any) -> None:
    query = pets.Marginals(TRIANGLE).bind(domain("category", "error"))
    release = without_noise(planner, query)
    np.testing.assert_allclose(release.parts[2].values, [1000, 0, 0, 100], atol=1e-9)
    np.testing.assert_allclose(np.concatenate([p.values for p in release.parts]), query.tally(ROWS).values, atol=1e-9)


@pytest.mark.parametrize("kind", [LaplacePlanner, ResidualPlanner])
def test_one_table_and_its_margins_count_the_rows_of_the_table(kind: Any) -> None:
    query = pets.Count(["a", "b", "c"]).bind(domain())
    release = without_noise(kind(1, margins="all"), query)
    np.testing.assert_allclose(release.margin(["a", "c"])["value"], [0, 0, 0, 100], atol=1e-9)
    assert release.parts[0].values[-1] == 1000


@pytest.mark.parametrize("planner", PLANNERS, ids=str)
def test_rows_left_out_of_all_tables_alike_bias_none(planner: Any) -> None:
    """b leaves out rows of both tables, a of none: mean of 600 releases within 5 standard errors, cell by cell."""
    query = pets.Marginals([["a", "b"], ["b"]]).bind(domain("drop", "error"))
    tally, times = query.tally(ROWS), 600
    assert counts_same_rows(query) and sum(tally.values == 1000) == 2
    runs = [planner.release(tally, query) for _ in range(times)]
    for i, (part, truth) in enumerate(zip(runs[0].parts, np.split(tally.values, [5]), strict=True)):
        errors = np.array([run.parts[i].values for run in runs]).mean(axis=0) - truth
        variance = np.append(part.variance, part.dropped_law.variance)  # type: ignore[union-attr]
        assert (np.abs(errors) < 5 * (variance / times) ** 0.5).all()


@pytest.mark.parametrize("planner", PLANNERS, ids=str)
def test_structural_zeros_of_one_table_only_are_refused(planner: Any) -> None:
    """A row of an impossible cell is in a and in c, and not in a x c."""
    rule = [{"a": "a0", "c": "c0"}]
    with pytest.raises(PairingRefused, match="structural zeros"):
        planner.plan(pets.Marginals([["a", "c"], ["a"]]).bind(domain("error", "error", impossible=rule)))
    query = pets.Marginals([["a", "c"], ["c", "b", "a"]]).bind(domain("category", "error", impossible=rule))
    release = without_noise(planner, query)
    np.testing.assert_allclose(release.parts[0].values, query.tally(ROWS).values[:5], atol=1e-9)
    assert release.parts[0].values.tolist() == [0, 0, 0, 100, 1000]


def test_clamping_leaves_out_what_is_missing() -> None:
    ages = pets.Domain(age=pets.Integer(0, 9, invalid="clamp"), sex=pets.Categorical(["f", "m"], invalid="error"))
    assert not counts_same_rows(pets.Marginals([["age", "sex"], ["sex"]]).bind(ages))
    assert counts_same_rows(pets.Marginals([["age", "sex"], ["age"]]).bind(ages))


def test_no_joint_table_is_fitted_to_tables_of_different_rows() -> None:
    query = pets.Marginals(TRIANGLE).bind(domain())
    release = pets.dp.DiscreteLaplace(1).release(query.tally(ROWS), query)
    with pytest.raises(PairingRefused, match="different rows"):
        fit_nonnegative(release)
