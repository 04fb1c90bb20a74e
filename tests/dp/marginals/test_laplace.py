"""The planner for pure DP: equal to dense least squares, loss enumerated, intervals cover, its division is good."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pets
import pets.testing
from pets.dp.marginals import LaplacePlanner, total_of
from pets.dp.marginals import laplace as laplace_module
from pets.dp.marginals import laplace_plan as laplace_plan_module
from pets.dp.marginals.laplace import average
from pets.dp.marginals.measure import assemble
from pets.dp.marginals.shares import best_shares, objective
from pets.errors import ConfigError, InvalidArgument, PairingRefused
from pets.noise import DiscreteLaplaceLaw
from pets.query.designs import design_from_dict
from pets.query.least_squares import LeastSquaresDesign, subsets
from pets.release import Release
from tests.dp.marginals.support import Recorded, all_tables, domain_of, tally_of

LABELS = {"a": ["x", "y", "z"], "b": ["u", "v"], "c": [str(i) for i in range(20)]}
DOMAIN = pets.Domain({name: pets.Categorical(labels, invalid="error") for name, labels in LABELS.items()})
MANY = pets.Marginals([["a", "b", "c"], ["a", "b"], ["a", "c"], ["b", "c"], ["a"], ["b"], ["c"], []]).bind(DOMAIN)


def declared(sizes: Any, **settings: Any) -> pets.Domain:
    """Return a domain in which no row can be left out, so that all tables count the same rows."""
    return domain_of(sizes, "error", **settings)


def summing(design: LeastSquaresDesign, places: Any) -> Any:
    matrix = np.ones((1, 1))
    for i, size in enumerate(design.sizes):
        matrix = np.kron(matrix, np.eye(size) if i in places else np.ones((1, size)))
    return matrix


def dense(design: LeastSquaresDesign, noisy: Any) -> tuple[Any, Any]:
    """Return joint estimate and pseudo-inverse of the information, from the stacked measurements alone."""
    size = int(np.prod(design.sizes))
    information, right = np.zeros((size, size)), np.zeros(size)
    for table, scale in design.scales:
        matrix, variance = summing(design, table), DiscreteLaplaceLaw(scale).variance
        information += matrix.T @ matrix / variance
        right += matrix.T @ noisy[table].reshape(-1) / variance
    inverse = np.linalg.pinv(information, rcond=1e-11, hermitian=True)
    return inverse @ right, inverse


@st.composite
def designs(draw: st.DrawFn) -> LeastSquaresDesign:
    sizes = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)))
    tables = draw(st.lists(st.sampled_from(subsets(range(len(sizes)))), min_size=1, max_size=5, unique=True))
    scales = [draw(st.fractions(Fraction(1, 4), 40, max_denominator=50)) for _ in tables]
    names = tuple(f"a{i}" for i in range(len(sizes)))
    return LeastSquaresDesign(names, sizes, tuple(zip(tables, scales, strict=True)))


@settings(max_examples=60, deadline=None)
@given(designs(), st.integers(0, 2**20))
def test_equals_dense_least_squares(design: LeastSquaresDesign, seed: int) -> None:
    rng = np.random.default_rng(seed)
    noisy = {table: rng.integers(-50, 90, [design.sizes[i] for i in table]) for table, _ in design.scales}
    estimate, inverse = dense(design, noisy)
    residuals = average(design, noisy)
    for axes in design.precisions:
        if not all(inner in design.precisions for inner in subsets(axes)):
            continue
        names = [design.names[i] for i in axes]
        matrix = summing(design, axes)
        wanted = matrix @ estimate
        scale = max(1.0, np.abs(wanted).max())
        found = assemble(axes, residuals, design.trees).reshape(-1)
        np.testing.assert_allclose(found / scale, wanted / scale, atol=1e-9)
        variance = np.diag(matrix @ inverse @ matrix.T)
        np.testing.assert_allclose(design.table_variance(names).reshape(-1), variance, rtol=1e-9)
        (law,), index = design.laws(names)
        assert law.variance == pytest.approx(variance[0], rel=1e-7) and not index.any()


@settings(max_examples=60, deadline=None)
@given(designs(), st.integers(0, 2**20))
def test_weighted_sums_have_the_variance_of_dense_least_squares(design: LeastSquaresDesign, seed: int) -> None:
    rng = np.random.default_rng(seed)
    table = max((t for t, _ in design.scales), key=len)
    weights = {design.names[i]: rng.integers(0, 3, design.sizes[i]).astype(float) for i in table}
    row = np.ones((1, 1))
    for i, size in enumerate(design.sizes):
        row = np.kron(row, weights[design.names[i]][None] if i in table else np.ones((1, size)))
    _, inverse = dense(design, {t: np.zeros([design.sizes[i] for i in t]) for t, _ in design.scales})
    exact = float((row @ inverse @ row.T)[0, 0])
    assert design.variance(weights) == pytest.approx(exact, rel=1e-9, abs=1e-9)
    assert design.law_of(weights).variance == pytest.approx(exact, rel=1e-6, abs=1e-9)


def test_planted_equal_weights_are_not_least_squares(monkeypatch: pytest.MonkeyPatch) -> None:
    design = LeastSquaresDesign(("a0", "a1"), (2, 3), (((0, 1), Fraction(2)), ((0,), Fraction(5))))
    noisy = {(0, 1): np.arange(6).reshape(2, 3) ** 2, (0,): np.array([9, 30])}
    wanted = summing(design, (0,)) @ dense(design, noisy)[0]
    np.testing.assert_allclose(assemble((0,), average(design, noisy), design.trees), wanted, atol=1e-9)
    even = {axes: dict.fromkeys(tables, 1 / len(tables)) for axes, tables in design.precisions.items()}
    monkeypatch.setattr(LeastSquaresDesign, "shares", even)
    fresh = replace(design)
    assert np.abs(assemble((0,), average(fresh, noisy), design.trees) - wanted).max() > 0.1


# ------------------------------------------------------------------------------------------- the release


@st.composite
def questions(draw: st.DrawFn) -> tuple[pets.query.BoundQuery, tuple[int, ...]]:
    sizes = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)))
    domain = declared(sizes)
    tables = draw(st.lists(st.sampled_from(all_tables(domain.names, 3)), min_size=1, max_size=4, unique_by=tuple))
    return pets.Marginals(tables).bind(domain), sizes


@settings(max_examples=60, deadline=None)
@given(questions(), st.integers(0, 2**20))
def test_without_noise_every_table_is_exact(case: Any, seed: int) -> None:
    query, sizes = case
    names = query.query.needs()
    joint = np.random.default_rng(seed).poisson(5, [sizes[int(name[1:])] for name in names])
    tally = tally_of(query, joint, names, dropped=3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(laplace_module, "engine", lambda name: Recorded(None))
        release = LaplacePlanner(1).release(tally, query)
    exact = np.concatenate([part.values for part in release.parts])
    np.testing.assert_allclose(exact, tally.values, atol=1e-9)


def test_all_measured_tables_tell_what_they_share() -> None:
    same = LaplacePlanner(1).plan(pets.Marginals([["a0", "a1"], ["a1", "a2"]]).bind(declared((2, 3, 2))))
    assert set(same.precisions[1,]) >= {(0, 1), (1, 2)}


def test_structural_zeros_are_published_as_zero() -> None:
    domain = pets.Domain(sex=["f", "m"], site=["liver", "ovary"], impossible=[{"sex": "m", "site": "ovary"}])
    query = pets.Count(["sex", "site"]).bind(domain)
    release = LaplacePlanner(1, margins="all").release(
        pets.Tally(np.zeros(query.size, np.int64), query.signature), query
    )
    assert release.parts[0].values[3] == 0 and release.parts[0].variance[3] == 0  # type: ignore[attr-defined]
    assert release.dropped() is not None


def neighbours(query: pets.query.BoundQuery, sizes: Any) -> Any:
    """Yield the change of each block's cells, and of its cell of dropped rows, that one unit can make."""
    unit = query.domain.unit
    places = [*product(*(range(n) for n in sizes)), None]
    names = list(query.query.needs())

    def table(rows: Any) -> Any:
        joint = np.zeros(sizes, dtype=np.int64)
        for row in rows:
            if row is not None:
                joint[row] += 1
        return tally_of(query, joint, names, dropped=sum(row is None for row in rows)).values

    owned = [rows for n in range(unit.max_rows + 1) for rows in product(places, repeat=n)]
    if unit.neighbours == "add_remove":
        yield from (table(rows) for rows in owned)
    else:
        yield from (table(first) - table(second) for first in owned for second in owned)


@pytest.mark.parametrize("neighbours_", ["add_remove", "replace_one"])
@pytest.mark.parametrize(
    ("tables", "invalid"),
    [
        ([["a0", "a1"]], "drop"), ([["a0", "a1"], ["a0"]], ("drop", "error")), ([["a0", "a1"], ["a0"]], "error"),
        ([["a0", "a1"], ["a1"], []], "error"), ([["a0"], ["a1"]], "error"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("rows", [1, 2])
def test_the_loss_of_every_neighbour_is_within_epsilon(neighbours_: Any, tables: Any, invalid: Any, rows: int) -> None:
    """Exact: the loss is the sum over noisy integers of the size of the change over the scale of the noise."""
    unit = pets.PrivacyUnit(id="who", max_rows=rows, neighbours=neighbours_)
    query = pets.Marginals(tables).bind(domain_of((2, 2), invalid, unit=unit))
    epsilon = Fraction(7, 10)
    mechanism = LaplacePlanner(epsilon, margins="all")
    losses = [loss(mechanism, query, change) for change in neighbours(query, (2, 2))]
    assert max(losses) <= epsilon
    if neighbours_ == "add_remove":
        assert max(losses) >= epsilon * (1 - Fraction(1, 2**30))  # and nothing is given away


def loss(mechanism: LaplacePlanner, query: pets.query.BoundQuery, change: Any) -> Fraction:
    """Return the loss from what the mechanism itself adds noise to, found by running it without noise."""
    seen: list[tuple[Any, Fraction]] = []

    def record(exact: Any, scale: Fraction, source: Any) -> Any:
        seen.append((exact.copy(), scale))
        return exact

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(laplace_module, "_with_noise", record)
        patch.setattr(pets.query.BoundQuery, "check", lambda self, tally: np.asarray(change))
        mechanism.release(None, query)  # type: ignore[arg-type]
    return sum((Fraction(int(np.abs(exact).sum())) / scale for exact, scale in seen), Fraction(0))


def test_planted_budget_for_each_table_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    query = pets.Marginals([["a0"], ["a1"], []]).bind(declared((2, 2)))
    right = LaplacePlanner(1).plan(query)
    careless = LeastSquaresDesign(right.names, right.sizes, tuple((t, Fraction(1)) for t, _ in right.scales))
    assert len(careless.scales) > 1
    monkeypatch.setattr(laplace_module, "laplace_plan", lambda *_: careless)
    worst = max(loss(LaplacePlanner(1), query, change) for change in neighbours(query, (2, 2)))
    assert worst == len(careless.scales)


# ---------------------------------------------------------------------------------------- error and coverage


def test_intervals_cover_every_table() -> None:
    """Nominal 95 %, a thousand releases of the real mechanism: between 94.5 and 95.5 on average over all cells."""
    joint = np.arange(60).reshape(3, 2, 10)
    tables = [["a0", "a1", "a2"], ["a0", "a2"], ["a2"], ["a1"], []]
    query = pets.Marginals(tables).bind(declared((3, 2, 10)))
    truth = tally_of(query, joint, ["a0", "a1", "a2"])
    cells = np.concatenate([part.reshape(-1) for part in (
        joint, joint.sum(axis=1), joint.sum(axis=(0, 1)), joint.sum(axis=(0, 2)), joint.sum()
    )])  # fmt: skip
    mechanism, hits = LaplacePlanner("0.2"), []
    assert len(mechanism.plan(query).scales) > 1
    for _ in range(1000):
        columns = mechanism.release(truth, query).to_columns()
        hits.append((columns["ci_low"] <= cells) & (cells <= columns["ci_high"]))
    assert 0.945 <= np.mean(hits) <= 0.955


def test_sums_of_groups_cover_and_are_tighter_than_independent_cells() -> None:
    query = pets.Marginals([["a0", "a1"], ["a0"]]).bind(declared((4, 30)))
    joint = np.arange(120).reshape(4, 30)
    truth, mechanism, hits = tally_of(query, joint, ["a0", "a1"]), LaplacePlanner(1), []
    for _ in range(400):
        answer = total_of(mechanism.release(truth, query), {"a0": ["0.0", "0.3"]})
        hits.append(answer.ci_low <= joint[[0, 3]].sum() <= answer.ci_high)
    assert np.mean(hits) > 0.95 - 4 * (0.05 * 0.95 / 400) ** 0.5
    cell = mechanism.error(query).laws[0].variance
    assert answer.stderr < (60 * cell) ** 0.5 / 2


@pytest.mark.parametrize("tables", [[["a0", "a1"], ["a0"], ["a1"], []], [["a0"], ["a1"]], [["a0", "a1"]], [["a0"], []]])
@pytest.mark.parametrize("sizes", [(2, 3), (4, 20), (1, 5)])
def test_no_division_on_a_grid_is_much_better(tables: Any, sizes: Any) -> None:
    """All divisions of epsilon among tables and margins in steps of 5 %, each with its least squares."""
    query = pets.Marginals(tables).bind(declared(sizes))
    epsilon = Fraction(1, 10)
    mine = mean_variance(LaplacePlanner(epsilon).plan(query), tables)
    held = [{int(name[1:]) for name in by} for by in tables]
    candidates = [axes for axes in subsets((0, 1)) if any(set(axes) <= table for table in held)]
    best = np.inf
    for parts in product(range(21), repeat=len(candidates)):
        if sum(parts) == 20:
            scales = tuple((t, Fraction(20, n) / epsilon) for t, n in zip(candidates, parts, strict=True) if n)
            design = LeastSquaresDesign(("a0", "a1"), sizes, scales)
            if all(tuple(int(name[1:]) for name in by) in design.precisions for by in tables):
                best = min(best, mean_variance(design, tables))
    assert mine <= best * 1.001


def mean_variance(design: LeastSquaresDesign, tables: Any) -> float:
    return float(np.mean([design.variance(design._first_cell(by)) for by in tables]))


def test_descent_does_not_end_at_the_first_dip() -> None:
    """All 32 margins of five attributes: the table alone is a local optimum, 16 % above what is reached."""
    names = [f"a{i}" for i in range(5)]
    query = pets.Marginals(all_tables(names, 5)).bind(declared((3, 3, 3, 3, 3)))
    design = LaplacePlanner("0.1").plan(query)
    whole = LeastSquaresDesign(design.names, design.sizes, (((0, 1, 2, 3, 4), Fraction(10)),))
    tables = all_tables(names, 5)
    assert mean_variance(design, tables) < 0.87 * mean_variance(whole, tables)


def test_many_margins_are_planned_from_a_choice_of_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 512 margins no more than 256 may be measured; all are answered, better than from the table alone."""
    seen: list[Any] = []
    right = laplace_plan_module.best_shares
    monkeypatch.setattr(
        laplace_plan_module, "best_shares", lambda told, *rest: seen.append(told.shape) or right(told, *rest)
    )
    names = tuple(f"a{i}" for i in range(9))
    query = pets.Count(names).bind(declared([3] * 9))
    design = LaplacePlanner("0.1", margins="all").plan(query)
    assert seen == [(512, 256)]
    whole = LeastSquaresDesign(design.names, design.sizes, ((tuple(range(9)), Fraction(10)),))
    tables = [names[:size] for size in range(10)]
    assert mean_variance(design, tables) < mean_variance(whole, tables)
    apart = pets.Marginals([[name] for name in names]).bind(declared([3] * 9))
    assert len(LaplacePlanner(1, margins="all").plan(apart).precisions) == 10


def test_the_gradient_is_that_of_the_objective() -> None:
    rng = np.random.default_rng(1)
    told, worth, shares = rng.random((5, 4)), rng.random(5), rng.random(4)
    slope, step = objective(shares, told, worth)[1], 1e-6
    for i in range(4):
        more = objective(shares + step * np.eye(4)[i], told, worth)[0]
        less = objective(shares - step * np.eye(4)[i], told, worth)[0]
        assert slope[i] == pytest.approx((more - less) / (2 * step), rel=1e-5)
    starts = [np.ones(4), np.eye(4)[2] + 0.01]
    found = best_shares(told, worth, starts)
    assert found.sum() == pytest.approx(1) and (found >= 0).all()
    assert all(objective(found, told, worth)[0] <= objective(s / s.sum(), told, worth)[0] * (1 + 1e-9) for s in starts)


def test_many_tables_cost_far_less_than_noise_on_each() -> None:
    each = [law.variance for law in pets.dp.DiscreteLaplace(1).error(MANY).laws]
    together = [law.variance for law in LaplacePlanner(1).error(MANY).laws]
    assert all(t < e / 2 for t, e in zip(together, each, strict=True)) and np.mean(together) < np.mean(each) / 5


def test_one_table_is_the_laplace_mechanism() -> None:
    query = pets.Count(by=["a", "b"]).bind(DOMAIN)
    wide = pets.Count(by=["c"]).bind(pets.Domain(c=[str(i) for i in range(50_000)]))
    tally = pets.Tally(np.arange(wide.size) % 23, wide.signature)
    values = LaplacePlanner("0.5").release(tally, wide).parts[0].values
    assert (values == np.rint(values)).all()  # not 2.9999999999996: what is averaged with nothing stays whole
    assert LaplacePlanner(1).error(query).laws == pets.dp.DiscreteLaplace(1).error(query).laws


# ------------------------------------------------------------------------------------------------ settings


def test_releases_survive_their_document() -> None:
    tally = pets.Tally(np.full(MANY.size, 5), MANY.signature)
    release = LaplacePlanner("0.3", weights=range(1, 9)).release(tally, MANY)
    again = Release.from_json(release.to_json())
    assert again == release and again.guarantee == pets.PureDP("0.3", unit=DOMAIN.unit)
    np.testing.assert_array_equal(again.to_columns()["ci_low"], release.to_columns()["ci_low"])
    single = pets.Count(by=["a", "b"]).bind(DOMAIN)
    margin = LaplacePlanner(1, margins="all").release(pets.Tally(np.full(single.size, 5), single.signature), single)
    assert margin.margin(["b"])["value"].sum() == pytest.approx(margin.margin()["value"][0])


@pytest.mark.parametrize(
    "change",
    [
        {"laplace": []}, {"laplace": 3}, {"laplace": [[[0], "1"], [[0], "2"]]}, {"laplace": [[[1, 0], "1"]]},
        {"laplace": [[[7], "1"]]}, {"laplace": [[[0], "-1"]]}, {"laplace": [[[0]]]}, {"groups": 3},
        {"groups": [["a"]]}, {"axes": [{"name": "a", "parents": [[0, 0], [0, 0, 1]]}]},
    ],
)  # fmt: skip
def test_broken_documents_are_refused(change: Any) -> None:
    good = {"axes": [{"name": "a", "labels": 3}, {"name": "b", "labels": 2}], "laplace": [[[0], "1.5"], [[0, 1], "2"]]}
    assert design_from_dict(good).to_dict() == good
    with pytest.raises(ConfigError):
        design_from_dict(good | change)


@pytest.mark.parametrize(
    "bad", [{"epsilon": 0}, {"margins": "some"}, {"weights": [0]}, {"weights": 3}, {"engine": "x"}]
)
def test_bad_settings_are_refused(bad: Any) -> None:
    with pytest.raises(InvalidArgument):
        LaplacePlanner(**({"epsilon": 1} | bad))


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(PairingRefused):
        LaplacePlanner(1).plan(pets.Histogram("age").bind(pets.Domain(age=pets.Integer(0, 9))))
    with pytest.raises(InvalidArgument):
        LaplacePlanner(1, weights=[1, 2, 3]).plan(MANY)
    with pytest.raises(InvalidArgument):
        LaplacePlanner(1, margins=[["nothing"]]).plan(MANY)
    with pytest.raises(InvalidArgument):
        LaplacePlanner("1e-20").plan(MANY)


def test_settings_are_plain_data() -> None:
    full = LaplacePlanner("1/3", margins=[["a"]], weights=["1/2"])
    assert full.to_dict() == {
        "type": "laplace_planner", "epsilon": "1/3", "margins": [["a"]], "weights": ["0.5"],
    }  # fmt: skip
    assert LaplacePlanner(1).to_dict() == {"type": "laplace_planner", "epsilon": "1"}


def test_it_conforms_to_the_suite_that_any_mechanism_can_be_run_through() -> None:
    assert pets.testing.check_mechanism(LaplacePlanner("0.5")) == []
    assert pets.testing.check_mechanism(LaplacePlanner(1), MANY) == []
