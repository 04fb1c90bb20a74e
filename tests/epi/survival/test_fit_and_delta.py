"""The fitted table obeys what people obey; the stated variances are the true ones."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize

import pets
from pets.epi.survival import EventCounts, cumulative_incidence, kaplan_meier, log_rank, nelson_aalen, restricted_mean
from pets.epi.survival.fit import fit, same_total

cells = st.lists(st.integers(-40, 200), min_size=1, max_size=30)


@given(cells)
def test_fitted_counts_are_the_nearest_of_the_same_total(noisy: list[int]) -> None:
    values = np.array(noisy, dtype=float)
    fitted = same_total(values, np.ones(len(values)))
    total = max(values.sum(), 0.0)
    assert (fitted >= 0).all() and fitted.sum() == pytest.approx(total, abs=1e-8)
    if total > 0:  # conditions of Karush, Kuhn and Tucker: one common shift where positive, a smaller one elsewhere
        shift = (values - fitted)[fitted > 0]
        assert np.ptp(shift) < 1e-9 and (values[fitted == 0] <= shift.max() + 1e-9).all()


def test_fitted_counts_agree_with_a_general_optimiser() -> None:
    values = np.array([5.0, -3, 0, 12, -1, 2])
    found = optimize.minimize(
        lambda x: ((x - values) ** 2).sum(), np.full(6, 2.5), bounds=[(0, None)] * 6,
        constraints={"type": "eq", "fun": lambda x: x.sum() - values.sum()}, tol=1e-12,
    )  # fmt: skip
    assert same_total(values, np.ones(6)) == pytest.approx(found.x, abs=1e-5)


def test_clipping_at_zero_invents_patients_and_the_fit_does_not() -> None:
    rng, p = np.random.default_rng(1), 1 - np.exp(-1)
    noise = (rng.geometric(p, (4000, 40)) - rng.geometric(p, (4000, 40))).astype(float)
    noise[:, 0] += 100
    clipped = np.maximum(noise, 0).sum(axis=1).mean() - 100
    fitted = np.mean([same_total(row, np.ones(40)).sum() for row in noise]) - 100
    assert clipped == pytest.approx(39 * 0.425, rel=0.03)
    assert abs(fitted) < 0.6


@given(cells, cells)
def test_curves_are_monotone_and_within_bounds(first: list[int], second: list[int]) -> None:
    bins = min(len(first), len(second))
    curve = kaplan_meier(made(first[:bins], second[:bins])).curves[0]
    assert (np.diff(np.concatenate([[1.0], curve.value])) <= 1e-12).all() and (curve.value >= 0).all()
    assert (np.diff(curve.at_risk) <= 1e-9).all()
    assert ((curve.low >= 0) & (curve.low <= curve.value) & (curve.value <= curve.high) & (curve.high <= 1)).all()
    assert (curve.low <= curve.low_sampling + 1e-12).all() and (curve.high >= curve.high_sampling - 1e-12).all()


def made(events: Any, censored: Any, variance: float = 1.84, causes: int = 1) -> EventCounts:
    """Return one stratum with bins of 10 days."""
    bins = len(censored)
    counts = np.asarray(events, dtype=float).reshape(1, bins, causes)
    return EventCounts(
        strata=((),), by=(), causes=tuple(range(causes)), start=-1.0, times=np.arange(1, bins + 1) * 10.0 - 1, step=1.0,
        lost=np.full(bins, 0.45), events=counts, events_variance=np.full(counts.shape, variance),
        censored=np.asarray(censored, dtype=float)[None], censored_variance=np.full((1, bins), variance),
        beyond=np.array([30.0]), beyond_variance=np.array([2 * variance]),
    )  # fmt: skip


EVENTS = [[30, 10], [25, 12], [20, 8], [22, 9], [15, 5], [10, 6]]
CENSORED = [20, 22, 30, 25, 31, 28]


def outputs(counts: EventCounts) -> dict[str, Any]:
    """Return each estimate with its stated noise variance."""
    single = counts.single()
    survival, hazard = kaplan_meier(single).curves[0], nelson_aalen(single).curves[0]
    first = cumulative_incidence(counts).curves[0]
    mean = restricted_mean(single, 55)[0]
    return {
        "survival": (survival.value, survival.stderr_noise**2),
        "hazard": (hazard.value, hazard.stderr_noise**2),
        "incidence": (first.value, first.stderr_noise**2),
        "mean": (np.array([mean.value]), np.array([mean.stderr_noise**2])),
    }


def moved(counts: EventCounts, name: str, place: tuple[int, ...], step: float) -> EventCounts:
    values = getattr(counts, name).copy()
    values[place] += step
    # Exact counts: the fit then leaves them alone, and the difference is the derivative of the estimator.
    silent = {f"{part}_variance": np.zeros_like(getattr(counts, part)) for part in ("events", "censored", "beyond")}
    return replace(counts, **silent, **{name: values})


@pytest.mark.parametrize("estimate", ["survival", "hazard", "incidence", "mean"])
def test_noise_variance_is_the_sum_of_squared_derivatives(estimate: str) -> None:
    counts = made(EVENTS, CENSORED, causes=2)
    stated = outputs(counts)[estimate][1]
    total = np.zeros_like(stated)
    for name in ("events", "censored", "beyond"):
        for place in np.ndindex(getattr(counts, name).shape):
            up, down = (outputs(moved(counts, name, place, step))[estimate][0] for step in (1e-4, -1e-4))
            total += ((up - down) / 2e-4) ** 2 * getattr(counts, f"{name}_variance")[place]
    assert stated == pytest.approx(total, rel=1e-5)


def test_noise_variance_is_that_of_repeated_releases(noisy: Any) -> None:
    counts = made([[10 * a, 10 * b] for a, b in EVENTS], [10 * c for c in CENSORED], causes=2)
    rng, draws = np.random.default_rng(2), 400
    repeated = [outputs(noisy(counts, 1.0, rng)) for _ in range(draws)]
    for estimate, (truth, _) in outputs(counts).items():
        values = np.array([found[estimate][0] for found in repeated])
        stated = np.mean([found[estimate][1] for found in repeated], axis=0)
        assert values.var(axis=0) == pytest.approx(stated, rel=0.25), estimate
        assert values.mean(axis=0) == pytest.approx(truth, abs=4 * (stated.max() / draws) ** 0.5), estimate


def test_log_rank_variance_is_that_of_repeated_releases(noisy: Any) -> None:
    rng = np.random.default_rng(3)
    base = made([12, 10, 9, 7, 6, 5], [8, 9, 12, 10, 12, 11])
    doubled = {name: np.concatenate([getattr(base, name)] * 3) for name in VALUES}
    three = replace(base, strata=(("a",), ("b",), ("c",)), by=("g",), **doubled)
    found = [log_rank(noisy(three, 0.5, rng)) for _ in range(700)]
    # Identical strata have no sampling difference here: only the noise moves the statistic.
    share = float(np.mean([one.noise_share for one in found]))
    assert np.mean([one.statistic for one in found]) == pytest.approx(2 * share, rel=0.12)


VALUES = ("events", "events_variance", "censored", "censored_variance", "beyond", "beyond_variance")


def test_too_few_at_risk_are_marked_and_share_one_rate() -> None:
    counts = made([30, 20, 1, 0, 2, 1], [10, 8, 1, 0, 1, 0], variance=20.0)
    counts = replace(counts, beyond=np.array([0.0]))
    table = fit(counts, 0)
    assert table.reliable.tolist() == [True, True, False, False, False, False]
    assert np.ptp(table.hazards[2:]) < 1e-12 and table.hazards[2, 0] > 0


def test_nobody_at_all() -> None:
    curve = kaplan_meier(made([0, 0], [0, 0], variance=0.0)).curves[0]
    assert curve.value.tolist() == [1, 1] == curve.high.tolist()
    empty = made([-3, -2], [-1, 0])
    assert kaplan_meier(replace(empty, beyond=np.array([-4.0]))).curves[0].reliable.tolist() == [False, False]


def test_no_event_yet_still_has_a_limit() -> None:
    question = pets.EventTable("time", "status").bind(pets.Domain(time=pets.Integer(0, 3), status=["censored", "dead"]))
    frame = pd.DataFrame({"time": [1] * 5 + [3] * 15, "status": ["censored"] * 20})
    curve = kaplan_meier(EventCounts.exact(question, question.tally(frame))).curves[0]
    wilson = 20 / (20 + 1.959964**2)
    assert curve.low[0] == pytest.approx(wilson, rel=1e-6) and curve.high[0] == 1
    assert (
        kaplan_meier(EventCounts.exact(question, question.tally(frame)), interval="log-log").curves[0].low == 1
    ).all()
