"""Mechanisms side by side: each figure against an independent computation or draws of the real sampler."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

import pets
from pets.dp.distributed import PolyaShares
from pets.tuning import Axis, Privacy, Source, Table, TuningPlan, crossing, demo_plan
from pets.tuning.attacks import attacks_of
from pets.tuning.comparison import mechanisms_of, placements_of
from pets.tuning.outputs import Output, cell_key, noisy, rounding, synthetic
from pets.tuning.suppression import _one, suppressed

PLAN = demo_plan("2026-01-01")
CURATOR = replace(PLAN, noise_at="curator")
SHOWN = mechanisms_of(CURATOR)
ROWS = {row["kind"]: row for row in SHOWN["rows"]}
DRAWS = 20_000


def error(kind: str, epsilon: float) -> float:
    return next(float(point["error"]) for point in ROWS[kind]["error_by_epsilon"] if point["epsilon"] == epsilon)


OUTPUTS = {
    "laplace": noisy(CURATOR.noise(0)),
    "laplace in shares": noisy(PLAN.noise(0)),
    "gaussian in shares": noisy(replace(PLAN, privacy=Privacy(Fraction(3), "discrete_gaussian")).noise(0)),
    "rounding": rounding(),
    "cell key": cell_key(),
    "synthetic": synthetic(PLAN.noise(0)),
    "synthetic of one party": synthetic(CURATOR.noise(0)),
}


@pytest.mark.parametrize("name", OUTPUTS)
@pytest.mark.parametrize("count", [1, 2, 4, 7, 10, 120])
def test_errors_and_false_zeros_are_those_of_draws(name: str, count: int) -> None:
    output: Output = OUTPUTS[name]
    drawn = output.draw(count, DRAWS, 7).astype(float)
    squares = (drawn - count) ** 2
    spread = 5 * squares.std() / math.sqrt(DRAWS)
    assert abs(squares.mean() - output.mean_square(count)) <= spread + 1e-9
    chance = output.false_zero(count)
    assert abs(np.mean(drawn <= 0) - chance) <= 5 * math.sqrt(max(chance * (1 - chance), 1 / DRAWS) / DRAWS)


def test_the_rows_are_those_of_the_mechanisms_themselves() -> None:
    domain = pets.Domain(
        {a.name: pets.Categorical(list(a.labels), invalid="error") for t in PLAN.tables for a in t.axes},
        unit=PLAN.privacy.unit,
    )
    query = pets.Marginals([[a.name for a in t.axes] for t in PLAN.tables]).bind(domain)
    weights = [t.cells for t in PLAN.tables]
    rho = pets.guarantee.conversion.rho_for("1", "1e-6")
    for kind, mechanism in (
        ("discrete_laplace", pets.dp.DiscreteLaplace(1)),
        ("discrete_gaussian", pets.dp.DiscreteGaussian(rho)),
        ("residual_planner", pets.dp.ResidualPlanner(rho)),
    ):
        variances = [law.variance for law in mechanism.error(query).laws]
        assert error(kind, 1) == pytest.approx(math.sqrt(np.average(variances, weights=weights)), rel=1e-3), kind


def test_the_planner_never_does_worse_than_independent_gaussian_noise() -> None:
    assert error("residual_planner", 1) <= error("discrete_gaussian", 1)


@pytest.mark.parametrize(("delta", "cells"), [(1e-5, 9), (1e-6, 11)])
def test_gaussian_noise_pays_from_about_nine_cells_per_person(delta: float, cells: int) -> None:
    assert crossing(1, delta) == cells
    k = cells
    rho = float(pets.guarantee.conversion.rho_for("1", str(Fraction(delta).limit_denominator(10**7))))

    def laplace(n: int) -> float:
        return float(0.5 / math.sinh(1 / (2 * n)) ** 2)

    assert k / (2 * rho) < laplace(k)
    assert (k - 1) / (2 * rho) >= laplace(k - 1)


def test_the_crossing_on_the_page_is_that_of_its_curve() -> None:
    found = SHOWN["crossing"]["cells_per_person"]
    better = [point["cells"] for point in SHOWN["cells_per_person_curve"] if point["gaussian"] < point["laplace"]]
    assert better[0] == found == 11
    assert SHOWN["crossing"]["this_plan"] == 2


def test_suppression_is_that_of_the_disclosure_module() -> None:
    table = PLAN.tables[1]
    plan = replace(PLAN, tables=(replace(table, share=Fraction(1)),), totals=())
    found = suppressed(plan)
    counts = np.array(table.counts).reshape(table.shape)
    sheet = pets.disclosure.table_of_counts([(a.name, list(a.labels)) for a in table.axes], counts)
    pattern = pets.disclosure.suppress(sheet, method="fast").suppressed
    inner = np.pad(np.ones(table.shape, dtype=bool), [(1, 0), (1, 0)]).ravel()
    assert found.hidden == int((pattern & inner).sum())
    assert found.lost == float(sheet.values[pattern & inner].sum())
    assert found.recovered == 0
    small = (counts > 0) & (counts < 5)
    assert found.further == found.hidden - int(small.sum())


def test_subtraction_recovers_what_is_hidden_alone_and_not_with_further_cells() -> None:
    axes = (Axis("a", ("x", "y")), Axis("b", ("u", "v")))
    table = Table("t", axes, Fraction(1), (9, 2, 7, 8))
    found = suppressed(TuningPlan((table,), Source("published", "r", 4)))
    assert (found.small, found.recovered_open, found.recovered, found.hidden) == (1, 1, 0, 4)
    assert found.narrowest is not None
    assert found.narrowest[0] <= 2 <= found.narrowest[1]


def test_large_tables_say_that_they_were_not_searched() -> None:
    axes = (Axis("a", tuple(map(str, range(50)))), Axis("b", tuple(map(str, range(60)))))
    table = Table("t", axes, Fraction(1), tuple(9 - (i % 61 == 0) * (i % 9) for i in range(3000)))
    plan = TuningPlan((table,), Source("published", "r", 4))
    found = suppressed(plan)
    assert found.further is None
    assert found.recovered is None
    row = next(r for r in mechanisms_of(plan)["rows"] if r["kind"] == "suppression_alone")
    assert "not searched" in row["note"]
    (attack,) = [a for a in attacks_of(plan) if a["kind"] == "suppression"]
    assert attack["what"].startswith("small cells that follow line by line")
    assert attack["success"] == found.recovered_open / found.small == 1  # each lies alone in its line


def test_what_follows_line_by_line_is_what_an_audit_finds_at_least() -> None:
    axes = (Axis("a", tuple("xyz")), Axis("b", tuple("stuv")))
    for counts in ((9, 2, 7, 8) * 3, (9, 2, 7, 8, 2, 9, 9, 9, 9, 9, 1, 1), (2, 3, 9, 9, 2, 3, 9, 9, 9, 9, 9, 4)):
        table = Table("t", axes, Fraction(1), counts)
        exact = suppressed(TuningPlan((table,), Source("published", "r", 4)))
        lines = _one(table.shape, counts, False)
        assert lines.small == exact.small
        assert lines.recovered_open <= exact.recovered_open
        sheet = np.array(counts).reshape(3, 4)
        hidden = (sheet > 0) & (sheet < 5)
        alone = hidden & ((hidden.sum(axis=0) == 1) | (hidden.sum(axis=1, keepdims=True) == 1))
        assert lines.recovered_open >= alone.sum()


def test_fifteen_hundred_cells_of_a_flat_table_are_searched() -> None:
    axes = (Axis("a", tuple(map(str, range(50)))), Axis("b", tuple(map(str, range(30)))))
    table = Table("t", axes, Fraction(1), tuple(5 + i % 90 - (i % 97 == 0) * (1 + i % 90) for i in range(1500)))
    found = suppressed(TuningPlan((table,), Source("published", "r", 4)))
    assert found.further is not None
    assert found.further > 0
    assert found.recovered == 0
    assert found.recovered_open > 0


def test_tables_that_are_no_margins_of_one_have_no_planner_row() -> None:
    one = Table("one", (Axis("age", ("0-4", "5-9")),), Fraction(1, 2), (9, 8))
    two = Table("two", (Axis("age", ("0-9", "10-19")),), Fraction(1, 2), (17, 3))
    kinds = [row["kind"] for row in mechanisms_of(TuningPlan((one, two), Source("published", "r", 4)))["rows"]]
    assert "residual_planner" not in kinds
    assert "discrete_gaussian" in kinds


def test_the_place_of_the_noise() -> None:
    plan = replace(PLAN, sites=21)
    rows = {row["name"]: row for row in placements_of(plan)}
    assert rows["curator"]["variance_factor"] == 1
    assert rows["local"]["variance_factor"] == 21
    assert [name for name, row in rows.items() if row["this_plan"]] == ["distributed"]
    # A third may drop out, and of the other 14 a minority may tell what they added: 8 are enough.
    assert rows["distributed"]["honest"] == 8
    scale = Fraction(2)
    shares = PolyaShares(scale, 8).total(21).variance
    one = pets.noise.DiscreteLaplaceLaw(scale).variance
    assert rows["distributed"]["variance_factor"] == pytest.approx(shares / one)
    in_one_place = replace(plan, noise_at="curator")
    assert plan.noise(0).variance / in_one_place.noise(0).variance == pytest.approx(shares / one)
    assert [row["name"] for row in placements_of(in_one_place) if row["this_plan"]] == ["curator"]


@pytest.mark.parametrize("mechanism", ["discrete_laplace", "discrete_gaussian"])
@pytest.mark.parametrize("sites", [3, 5, 21])
def test_the_page_plans_with_the_noise_that_a_pipeline_would_publish(mechanism: str, sites: int) -> None:
    privacy = Privacy(Fraction(1), mechanism)  # type: ignore[arg-type]
    plan = replace(PLAN, sites=sites, privacy=privacy, tables=(replace(PLAN.tables[1], share=Fraction(1)),), totals=())
    rho = pets.guarantee.conversion.rho_for("1", "1e-6")
    noise = pets.dp.DiscreteLaplace(1) if mechanism == "discrete_laplace" else pets.dp.DiscreteGaussian(rho)
    pipeline = pets.Pipeline(
        pets.Count(by=["cell"]), pets.Domain(cell=["a", "b"]), pets.mpc.MaskedSum(), noise, noise_at="sites"
    )
    preview = pipeline.preview([f"site {i}" for i in range(sites)])
    law = preview.errors[0].laws[0]
    assert plan.noise(0).variance == pytest.approx(law.variance, rel=1e-4)
    assert plan.noise(0).half_width() == pets.noise.half_width(law, 0.95)


def test_one_cell_and_no_case() -> None:
    for counts in ((0,), (1,), (5,)):
        plan = TuningPlan((Table("t", (), Fraction(1), counts),), Source("published", "r", 1), privacy=Privacy())
        rows = mechanisms_of(plan)["rows"]
        assert all(math.isfinite(point["error"]) for row in rows for point in row["error_by_epsilon"])
