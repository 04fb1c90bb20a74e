"""Intervals of noisy counts: limits, exact inversion, coverage."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import optimize, stats

from pets.epi import age_standardised_rate, crude_rate

methods = st.sampled_from(["tiwari", "fay_feuer"])


def laplace_variance(epsilon: float) -> float:
    """Variance of the discrete Laplace law of scale 1/epsilon."""
    q = np.exp(-epsilon)
    return float(2 * q / (1 - q) ** 2)


def laplace_pmf(epsilon: float, k: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    q = np.exp(-epsilon)
    return (1 - q) / (1 + q) * q ** np.abs(k)


def laplace(rng: np.random.Generator, epsilon: float, size: tuple[int, ...]) -> npt.NDArray[np.int64]:
    p = 1 - np.exp(-epsilon)
    return rng.geometric(p, size) - rng.geometric(p, size)


def test_a_vanishing_noise_is_continuous() -> None:
    cases, years, weights = [10, 1, 0], [1446418, 1464587, 1373648], [12, 10, 9]
    exact, nearly = (age_standardised_rate(cases, years, weights, noise_variance=v) for v in (0, 1e-9))
    assert (nearly.low, nearly.high) == pytest.approx((exact.low, exact.high), rel=1e-8)


@given(methods, st.lists(st.floats(0, 1e10), min_size=3, max_size=3))
def test_large_counts_have_the_normal_interval(method: Any, noise: list[float]) -> None:
    cases, weights = np.array([3e8, 1e8, 2e8]), np.array([0.1, 0.7, 0.2])
    rate = age_standardised_rate(cases, np.ones(3), weights, method=method, noise_variance=noise, per=1)
    half = stats.norm.isf(0.025) * (weights**2 @ (cases + noise)) ** 0.5
    assert (rate.value - rate.low, rate.high - rate.value) == pytest.approx((half, half), rel=1e-3)


@pytest.mark.parametrize("cases", [[-10, 20], [25, -15], [5, 5]])
def test_noise_of_equal_strata_cancels_in_the_sum(cases: list[int]) -> None:
    """A stratum below zero must not widen the interval, as clipping it would."""
    split = crude_rate(cases, [1, 1], per=1, noise_variance=30)
    whole = crude_rate(10, 2, per=1, noise_variance=60)
    assert (split.value, split.low, split.high) == pytest.approx((whole.value, whole.low, whole.high), rel=1e-12)


@pytest.mark.parametrize("count", [0, -1, -30])
def test_a_count_of_zero_or_less_keeps_the_upper_limit_of_zero(count: int) -> None:
    rate = crude_rate(count, 1, per=1, noise_variance=50)
    assert rate.value == count
    assert rate.low == 0
    assert rate.high == crude_rate(0, 1, per=1, noise_variance=50).high > 1.96 * 50**0.5


@pytest.mark.parametrize("epsilon", [2.0, 1.0, 0.5])
@pytest.mark.parametrize("seen", [40, 100, 300])
def test_limits_agree_with_the_exact_inversion(epsilon: float, seen: int) -> None:
    """Solve P(X + N >= seen) = P(X + N <= seen) = 2.5 % for the law of a Poisson count plus 21 noises."""
    reach = np.arange(-400, 401)
    noise = np.array([1.0])
    for _ in range(21):
        noise = np.convolve(noise, laplace_pmf(epsilon, reach))
        middle = len(noise) // 2
        noise = noise[middle - 400 : middle + 401] if len(noise) > 801 else noise

    def at_most(k: int, mean: float) -> float:
        return float(noise @ stats.poisson.cdf(k - reach, mean))

    low = optimize.brentq(lambda mean: 1 - at_most(seen - 1, mean) - 0.025, 1e-9, 1000)
    high = optimize.brentq(lambda mean: at_most(seen, mean) - 0.025, 1e-9, 1000)
    rate = crude_rate(seen, 1, per=1, noise_variance=21 * laplace_variance(epsilon))
    assert rate.low == pytest.approx(low, abs=0.02 * (high - low))
    assert rate.high == pytest.approx(high, abs=0.02 * (high - low))


def exact_coverage(expected: float, epsilon: float, level: float = 0.95, *, told: bool = True) -> float:
    """Coverage of the crude rate of one Poisson count under one discrete Laplace noise, without sampling."""
    span = int(60 / epsilon)
    reach = np.arange(-span, span + 1)
    x = np.arange(0, int(expected + 12 * expected**0.5 + 30))
    law = np.convolve(laplace_pmf(epsilon, reach), stats.poisson.pmf(x, expected))
    covered = 0.0
    for seen, probability in zip(range(-span, len(law) - span), law, strict=True):
        if probability > 1e-9:
            variance = laplace_variance(epsilon) if told else 0
            rate = crude_rate(seen if told else max(seen, 0), 1, per=1, noise_variance=variance, level=level)
            covered += probability * (rate.low <= expected <= rate.high)
    return covered


@pytest.mark.parametrize("epsilon", [0.5, 1.0, 3.0])
@pytest.mark.parametrize("expected", [16.0, 33.3, 100.0])
def test_coverage_of_one_stratum(expected: float, epsilon: float) -> None:
    assert 0.945 <= exact_coverage(expected, epsilon) <= 0.985


def test_coverage_outside_the_promised_region() -> None:
    """One stratum under far too much noise: Laplace tails are heavier than the two moments tell."""
    assert exact_coverage(16.0, 0.1) >= 0.93
    assert exact_coverage(300.0, 0.05) == pytest.approx(0.945, abs=0.01)


def test_ignoring_the_noise_would_be_seen() -> None:
    assert exact_coverage(16.0, 0.5, told=False) < 0.91


SCENARIOS = {
    "six even cells, 16 each": ([16.0] * 6, [12, 10, 9, 12, 10, 9]),
    "six even cells, 16 in all": ([16 / 6] * 6, [12, 10, 9, 12, 10, 9]),
    "the shape of liver cancer, 16 in all": ([10, 2, 1, 2, 0.5, 0.5], [12, 10, 9, 12, 10, 9]),
    "Europe's liver cancers": ([118, 19, 13, 113, 18, 13], [12, 10, 9, 12, 10, 9]),
    "weights from 0.5 to 20": ([16.0] * 6, [1, 3, 5, 0.5, 8, 20]),
}


@pytest.mark.parametrize("method", ["tiwari", "fay_feuer"])
@pytest.mark.parametrize("epsilon", [0.5, 1.0])
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_coverage_of_standardised_rates(scenario: str, epsilon: float, method: Any) -> None:
    """At least 93 % at nominal 95 %; the point estimate stays unbiased."""
    expected, weights = np.array(SCENARIOS[scenario][0]), np.array(SCENARIOS[scenario][1], dtype=float)
    rng = np.random.default_rng(20260101)
    runs = 2000
    noisy = rng.poisson(expected, (runs, 6)) + laplace(rng, epsilon, (runs, 6))
    truth = float(weights / weights.sum() @ expected)
    hits, values = 0, []
    for cases in noisy:
        rate = age_standardised_rate(
            cases, np.ones(6), weights, method=method, noise_variance=laplace_variance(epsilon), per=1
        )
        hits += rate.low <= truth <= rate.high
        values.append(rate.value)
    assert hits / runs >= 0.93
    assert hits / runs <= 0.99
    assert np.mean(values) == pytest.approx(truth, abs=4 * np.std(values) / runs**0.5)
