"""Means and medians are stated only where the number at risk stands out of the noise, and cover where they are."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

import pets
from pets.epi.survival import Duration, EventCounts, fit, kaplan_meier, median_survival, restricted_mean

BINS, WIDTH, SCALE, SHAPE = 12, 60, 420, 1.3
MEDIAN = SCALE * math.log(2) ** (1 / SHAPE)


def area(horizon: float) -> float:
    days = np.linspace(0, horizon, 20_001)
    return float(np.trapezoid(np.exp(-((days / SCALE) ** SHAPE)), days))


def cohort(rng: np.random.Generator, patients: int) -> EventCounts:
    death = SCALE * rng.exponential(size=patients) ** (1 / SHAPE)
    left = rng.uniform(200, 1300, patients)
    bin_ = np.minimum((np.minimum(death, left) / WIDTH).astype(int), BINS)
    table = np.bincount(bin_ * 2 + (death <= left), minlength=2 * BINS + 2).reshape(1, BINS + 1, 2).astype(float)
    return EventCounts(
        strata=((),), by=(), causes=("dead",), start=0.0, times=np.arange(1, BINS + 1) * float(WIDTH), step=0.0,
        lost=np.full(BINS, 0.5), events=table[:, :BINS, 1:], events_variance=np.zeros((1, BINS, 1)),
        censored=table[:, :BINS, 0], censored_variance=np.zeros((1, BINS)),
        beyond=table[:, BINS].sum(axis=1), beyond_variance=np.zeros(1),
    )  # fmt: skip


def outcomes(noisy: Any, patients: int, epsilon: float, repetitions: int, horizon: float = 360) -> dict[str, float]:
    """Return how often mean and median are stated, how often the truth is outside what is said, and when stated."""
    rng, truth = np.random.default_rng(11), area(horizon)
    mean, median = [], []
    for _ in range(repetitions):
        counts = noisy(cohort(rng, patients), epsilon, rng)
        for found, value, kept in (
            (restricted_mean(counts, int(horizon))[0], truth, mean),
            (median_survival(counts)[0], MEDIAN, median),
        ):
            kept.append((found.reliable, not found.low <= value <= found.high))
    both = {"mean": np.array(mean), "median": np.array(median)}
    stated = {f"{name} stated": float(pairs[:, 0].mean()) for name, pairs in both.items()}
    return stated | {f"{name} wrong": float(pairs[:, 1].mean()) for name, pairs in both.items()}


def test_thirty_patients_under_much_noise_have_no_interval(noisy: Any) -> None:
    """The noise in the number at risk is three times the number: what comes out would be an interval of noise."""
    found = outcomes(noisy, 30, 0.1, 300)
    assert found["mean stated"] <= 0.01 and found["median stated"] <= 0.01


@pytest.mark.parametrize(
    ("patients", "epsilon"), [(30, 0.1), (30, 0.5), (100, 0.1), (100, 0.5), (228, 1.0), (1000, 0.1)]
)
def test_few_releases_say_what_is_wrong(noisy: Any, patients: int, epsilon: float) -> None:
    found = outcomes(noisy, patients, epsilon, 200)
    assert found["mean wrong"] <= 0.11 and found["median wrong"] <= 0.11  # 5 % beside four standard errors


@pytest.mark.slow
@pytest.mark.parametrize("patients", [30, 100, 228, 1000])
@pytest.mark.parametrize("epsilon", [0.1, 0.25, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("horizon", [360, 720])
def test_few_releases_say_what_is_wrong_at_length(noisy: Any, patients: int, epsilon: float, horizon: float) -> None:
    found = outcomes(noisy, patients, epsilon, 1500, horizon)
    assert found["mean wrong"] <= 0.08 and found["median wrong"] <= 0.08
    if found["mean stated"] >= 0.99:
        assert found["mean wrong"] >= 0.02  # a width that covers nearly always would say less than is known


@pytest.mark.parametrize(("patients", "epsilon"), [(228, 1.0), (1000, 0.25)])
def test_enough_patients_have_an_interval(noisy: Any, patients: int, epsilon: float) -> None:
    found = outcomes(noisy, patients, epsilon, 60)
    assert found["mean stated"] == found["median stated"] == 1


def test_planted_no_verdict(monkeypatch: pytest.MonkeyPatch, noisy: Any) -> None:
    monkeypatch.setattr(fit, "SURE", -math.inf)
    assert outcomes(noisy, 30, 0.1, 60)["mean stated"] > 0.9


def test_what_is_said_where_nothing_is_known(noisy: Any) -> None:
    counts = noisy(cohort(np.random.default_rng(1), 30), 0.02, np.random.default_rng(2))
    (mean,), (median,) = restricted_mean(counts, 360), median_survival(counts)
    assert math.isnan(mean.value) and (mean.low, mean.high) == (0, 360)
    assert math.isnan(median.value) and (median.low, median.high) == (0, math.inf)
    for found in (mean, median):
        assert not found.reliable and found.known_to == 0
        assert str(found) == "not estimable (too few at risk for this noise after time 0)"


def test_a_median_beyond_what_is_known_has_a_lower_limit_only(noisy: Any) -> None:
    """600 alive at 300 days, then too few for the noise: the median is after 300, and more is not said."""
    counts = replace(
        cohort(np.random.default_rng(1), 0), events=np.array([[[10.0]] * 5 + [[1.0]] * 7]),
        events_variance=np.full((1, BINS, 1), 2.0), censored=np.array([[100.0] * 5 + [1.0] * 7]),
        censored_variance=np.full((1, BINS), 2.0), beyond_variance=np.full(1, 2.0),
    )  # fmt: skip
    (found,) = median_survival(counts)
    assert not found.reliable and (found.low, found.high) == (found.known_to, math.inf)
    assert found.known_to == 300
    assert restricted_mean(counts, 300)[0].reliable and not restricted_mean(counts, 301)[0].reliable


def test_exact_counts_are_always_known(ask: Any, exact: Any, lung: Any) -> None:
    counts = exact(ask(1080), lung)
    (mean,), (median,) = restricted_mean(counts, 1000), median_survival(counts)
    assert mean.reliable and median.reliable and isinstance(median, Duration)
    assert mean.known_to == median.known_to == 1080


def test_the_curve_says_that_numbers_at_risk_are_estimates(noisy: Any) -> None:
    counts = cohort(np.random.default_rng(1), 228)
    assert "<th style='text-align:left'>at risk</th>" in kaplan_meier(counts)._repr_html_()
    assert "at risk (estimated)" in kaplan_meier(noisy(counts, 1.0, np.random.default_rng(2)))._repr_html_()


def test_a_release_of_the_real_mechanism() -> None:
    domain = pets.Domain(time=pets.Integer(0, 1080), status=["censored", "dead"])
    question = pets.EventTable("time", "status", bins=range(0, 1081, 90)).bind(domain)
    tally = question.tally(pets.datasets.lung().head(30))
    stated = 0
    for _ in range(40):
        release = pets.dp.DiscreteLaplace(epsilon=0.1).release(tally, question)
        stated += restricted_mean(release, 360)[0].reliable + median_survival(release)[0].reliable
    assert stated <= 8  # one in a thousand each, and median and mean go together


def test_a_median_that_is_never_reached_lies_beyond_the_follow_up_and_no_further(ask: Any) -> None:
    """Nobody dies: all that is known is that the median comes after the last time, not that it is infinite."""
    question = ask(20)
    counts = EventCounts.exact(question, question.tally(pd.DataFrame({"time": [20] * 400, "status": "censored"})))
    (found,) = median_survival(counts)
    assert found.value == found.high == math.inf
    assert found.low == found.known_to == counts.times[-1]
    assert "CI inf to inf" not in str(found)
