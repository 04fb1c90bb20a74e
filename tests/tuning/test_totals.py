"""Totals, rates and survival: against simulation, `pets.epi`, and asking directly."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from pets.epi import SEGI_1960, age_standardised_rate
from pets.epi.survival import EventCounts, kaplan_meier
from pets.tuning import Axis, Life, Privacy, Source, Table, Total, TuningPlan, demo_plan
from pets.tuning.curves import Z95
from pets.tuning.demo import DIAGNOSES
from pets.tuning.outputs import draw_noise
from pets.tuning.totals import GRID, cells_of, default_totals, rate_weights, survival_curve, totals_of

PLAN = demo_plan("2026-01-01")
CURATOR = replace(PLAN, noise_at="curator")
SHOWN = {total["label"]: total for total in totals_of(PLAN)}


def at(label: str, epsilon: float) -> dict[str, object]:
    return next(point for point in SHOWN[label]["by_epsilon"] if point["epsilon"] == epsilon)


def test_a_sum_s_half_width_is_that_of_drawn_sums() -> None:
    noise = PLAN.noise(0, 1)
    draws = draw_noise(noise, 20_000 * 48, 1).reshape(20_000, 48).sum(axis=1)
    width = at("girls, all cancers", 1)["half_width"]
    assert isinstance(width, int)
    error = 5 * math.sqrt(0.05 * 0.95 / 20_000)
    assert np.mean(np.abs(draws) <= width) >= 0.95 - error
    assert np.mean(np.abs(draws) <= width - 3) < 0.95 + error


def test_k_cells_multiply_the_variance_and_a_direct_query_does_not() -> None:
    one, six = at("all cancers", 0.5), SHOWN["all cancers"]
    assert six["cells"] == 96
    assert one["direct_half_width"] == PLAN.noise(0, 0.5).half_width()
    sd = math.sqrt(96 * PLAN.noise(0, 0.5).variance)
    assert one["half_width"] == pytest.approx(Z95 * sd, rel=0.02)


def test_cells_of_a_total_are_those_named() -> None:
    table = PLAN.tables[0]
    liver = PLAN.totals[1]
    assert [table.labels[i] for i in cells_of(liver, table)] == [x for x in table.labels if x.startswith("Liver")]


@pytest.mark.parametrize("epsilon", [0.25, 1])
def test_a_standardised_rate_is_that_of_pets_epi(epsilon: float) -> None:
    total, table = PLAN.totals[4], PLAN.tables[0]
    cells = list(cells_of(total, table))
    counts = np.array([table.counts[i] for i in cells]).reshape(2, 3)
    years = np.array(table.person_years)[cells].reshape(2, 3)
    variance = CURATOR.noise(0, epsilon).variance
    found = age_standardised_rate(
        counts.sum(axis=0), years.sum(axis=0), SEGI_1960.weights(["0-4", "5-9", "10-14"]), noise_variance=2 * variance
    )
    assert SHOWN[total.label]["value"] == pytest.approx(found.value)
    # the delta method's interval and the gamma interval agree on the spread of 49 cases
    shown = next(other for other in totals_of(CURATOR) if other["label"] == total.label)
    width = next(point["half_width"] for point in shown["by_epsilon"] if point["epsilon"] == epsilon)
    assert width == pytest.approx((found.high - found.low) / 2, rel=0.06)


def test_people_at_risk_are_counted_once_for_several_diagnoses() -> None:
    axes = (Axis("diagnosis", ("a", "b")), Axis("age", ("0-4", "5-9")))
    table = Table("t", axes, Fraction(1), (4, 6, 1, 1), (1e6, 2e6, 1e6, 2e6))
    total = Total("rate", "rate", "t", age="age")
    weights = rate_weights(total, table, [0, 1, 2, 3])
    segi = np.asarray(SEGI_1960.weights(["0-4", "5-9"]), dtype=float)
    share = segi / segi.sum()
    assert weights == pytest.approx([share[0], share[1] / 2] * 2)


def test_a_ratio_is_observed_over_expected() -> None:
    shown, total = SHOWN["Iceland, observed over expected"], PLAN.totals[5]
    assert shown["value"] == pytest.approx(46 / total.expected)
    chance = at(total.label, 1)["chance_half_width"]
    assert chance == pytest.approx(Z95 * math.sqrt(46) / total.expected)


def event_counts(life: Life, variance: float) -> EventCounts:
    bins = len(life.times)
    return EventCounts(
        strata=((),), by=(), causes=("event",), start=0.0, times=np.array(life.times, dtype=float), step=0.0,
        lost=np.full(bins, 0.5), events=np.array(life.events, dtype=float).reshape(1, bins, 1),
        events_variance=np.full((1, bins, 1), variance), censored=np.array([life.censored], dtype=float),
        censored_variance=np.full((1, bins), variance), beyond=np.array([life.beyond], dtype=float),
        beyond_variance=np.array([variance]),
    )  # fmt: skip


@pytest.mark.parametrize("variance", [0.0, 1.84, 8.0])
def test_survival_has_the_value_and_errors_of_pets_epi(variance: float) -> None:
    life = PLAN.totals[6].life
    assert life is not None
    curve = kaplan_meier(event_counts(life, variance)).curves[0]
    value, chance, gradient = survival_curve(life)
    assert np.asarray(value) == pytest.approx(np.asarray(curve.value), rel=1e-9)
    ours = np.sqrt(chance + variance * gradient)
    theirs = np.sqrt(np.asarray(curve.stderr_sampling) ** 2 + np.asarray(curve.stderr_noise) ** 2)
    assert ours == pytest.approx(theirs, rel=0.02)


def test_survival_s_noise_is_that_of_simulated_tables() -> None:
    life = PLAN.totals[6].life
    assert life is not None
    noise = PLAN.noise(0, 2)
    size = 2 * len(life.times) + 1
    draws = draw_noise(noise, 4000 * size, 4).reshape(4000, size)
    base = np.array([*life.events, *life.censored, life.beyond])
    bins = len(life.times)
    tables = [Life(life.times, tuple(r[:bins]), tuple(r[bins:-1]), r[-1]) for r in np.maximum(base + draws, 0)]
    curves = [survival_curve(table)[0] for table in tables]
    _, _, gradient = survival_curve(life)
    seen = np.std(curves, axis=0)
    assert seen == pytest.approx(np.sqrt(noise.variance * gradient), rel=0.1)


def test_survival_s_gradient_is_the_numerical_one() -> None:
    times = (1.0, 2.0, 5.0)
    at = np.array([18, 7, 3, 6, 14, 48, 108], dtype=float)

    def curve(cells: np.ndarray) -> np.ndarray:
        life = Life(times, tuple(cells[:3]), tuple(cells[3:6]), float(cells[6]))
        return np.asarray(survival_curve(life)[0])

    steps = 1e-4 * np.eye(7)
    slopes = np.array([(curve(at + step) - curve(at - step)) / 2e-4 for step in steps])
    gradient = survival_curve(Life(times, tuple(at[:3]), tuple(at[3:6]), at[6]))[2]
    assert np.asarray(gradient) == pytest.approx((slopes**2).sum(axis=0), rel=1e-6)


def test_defaults_name_each_table_and_the_smallest_margin() -> None:
    axes = (Axis("a", ("x", "y")), Axis("b", ("u", "v")))
    plan = TuningPlan((Table("t", axes, Fraction(1), (5, 1, 0, 9)),), Source("published", "r", 4))
    assert [(t.label, dict(t.where)) for t in default_totals(plan)] == [
        ("t: all", {}), ("t: x", {"a": ["x"]}), ("t: u", {"b": ["u"]}),
    ]  # fmt: skip


@pytest.mark.parametrize("mechanism", ["discrete_laplace", "discrete_gaussian"])
def test_errors_fall_as_epsilon_grows(mechanism: str) -> None:
    plan = TuningPlan(
        PLAN.tables, PLAN.source, privacy=Privacy(Fraction(1), mechanism), totals=PLAN.totals  # type: ignore[arg-type]
    )  # fmt: skip
    for total in totals_of(plan):
        widths = [np.max(point["half_width"]) for point in total["by_epsilon"]]
        assert widths == sorted(widths, reverse=True)
        assert len(widths) == len(GRID)


def test_the_demo_is_the_published_table() -> None:
    assert PLAN.tables[0].name == DIAGNOSES
    assert sum(PLAN.tables[0].counts) == sum(PLAN.tables[1].counts) == 2929
