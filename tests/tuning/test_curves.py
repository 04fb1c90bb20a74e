"""The closed forms: against the study's reference table, independent laws, the real sampler, and the golden file."""

from __future__ import annotations

import json
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pets.dp.distributed import PolyaShares, concentrated_shares
from pets.errors import InvalidArgument
from pets.guarantee import ZeroConcentratedDP
from pets.noise import DiscreteGaussianLaw, DiscreteLaplaceLaw, NoiseLaw, half_width
from pets.tuning import curves
from pets.tuning.curves import Noise
from pets.tuning.rule import NO_NOISE, Rule
from tests.tuning import make_golden

# epsilon: 95 % noise, SD, P(seen as 0 | 1, 3, 5) in %, P(phantom) in %, 25 % rule, widening at 5, odds, belief of 1 %
REFERENCE = {
    0.1: (30, 14.1, (48, 39, 32), 48, 66, 6.4, 1.1, 1.1),
    0.25: (12, 5.6, (44, 27, 16), 44, 32, 2.7, 1.3, 1.3),
    0.5: (6, 2.8, (38, 14, 5), 38, 22, 1.6, 1.6, 1.6),
    1: (3, 1.36, (27, 3.6, 0.5), 27, 18, 1.17, 2.7, 2.7),
    2: (1, 0.60, (12, 0.2, 0), 12, 17, 1.04, 7.4, 6.9),
    5: (0, 0.12, (0.7, 0, 0), 0.7, 17, 1.00, 148, 60),
}


@pytest.mark.parametrize("epsilon", REFERENCE)
def test_reference_table(epsilon: float) -> None:
    noise = curves.laplace(epsilon, 1)
    width, deviation, zeros, phantom, rule, widening, odds, belief = REFERENCE[epsilon]
    assert noise.half_width() == width
    assert math.sqrt(noise.variance) == pytest.approx(deviation, abs=0.05 if epsilon < 1 else 0.005)
    for count, percent in zip((1, 3, 5), zeros, strict=True):
        assert 100 * curves.seen_as_zero(noise, count) == pytest.approx(percent, abs=0.5 if percent >= 5 else 0.05)
    assert 100 * curves.phantom(noise) == pytest.approx(phantom, abs=0.5 if phantom > 1 else 0.05)
    assert curves.threshold(noise, 0.25) == rule
    assert curves.widening(noise, 5) == pytest.approx(widening, abs=0.05 if epsilon < 1 else 0.005)
    assert math.exp(epsilon) == pytest.approx(odds, rel=0.04)
    assert 100 * curves.belief_after(0.01, epsilon) == pytest.approx(belief, abs=0.05 if epsilon < 5 else 0.5)


def test_the_25_percent_rule_is_16_cases_without_noise() -> None:
    assert curves.threshold(NO_NOISE, 0.25) == 16
    assert Rule(max_false_zero=1).smallest_usable(NO_NOISE) == 16


@pytest.mark.parametrize("epsilon", [0.05, 0.3, 1.0, 4.0, 10.0])
@pytest.mark.parametrize("sensitivity", [1, 4])
def test_laplace_is_the_law_of_the_library(epsilon: float, sensitivity: int) -> None:
    ours, law = curves.laplace(epsilon, sensitivity), DiscreteLaplaceLaw(sensitivity / Fraction(str(epsilon)))
    assert ours.variance == pytest.approx(law.variance, rel=1e-12)
    for level in (0.5, 0.8, 0.95, 0.99, 0.9999):
        assert ours.half_width(level) == half_width(law, level)
    for k in (-7, -1, 0, 1, 2, 9):
        assert ours.at_least(k) == pytest.approx(1 - law.cdf(k - 1), rel=1e-9)


@pytest.mark.parametrize("sigma2", [Fraction(1, 4), Fraction(2), Fraction(41), Fraction(5000)])
def test_gaussian_is_the_law_of_the_library(sigma2: Fraction) -> None:
    ours, law = Noise("discrete_gaussian", float(sigma2)), DiscreteGaussianLaw(sigma2)
    assert ours.variance == pytest.approx(law.variance, rel=1e-9)
    for level in (0.5, 0.95, 0.999):
        assert ours.half_width(level) == half_width(law, level)
    for k in (-3, 0, 1, 4):
        assert ours.at_least(k) == pytest.approx(1 - law.cdf(k - 1), rel=1e-9)


@given(st.floats(0.05, 10), st.sampled_from([1e-3, 1e-5, 1e-6, 1e-9]))
def test_rho_is_the_inverse_of_the_library_s_conversion(epsilon: float, delta: float) -> None:
    rho = curves.rho_for(epsilon, delta)
    back = ZeroConcentratedDP(Fraction(rho)).to_approx(Fraction(str(delta))).epsilon
    assert float(back) == pytest.approx(epsilon, rel=1e-8)


@pytest.mark.parametrize(("sites", "honest"), [(3, 2), (5, 3), (21, 8), (4, 4)])
@pytest.mark.parametrize("scale", [Fraction(1, 3), Fraction(2), Fraction(40)])
def test_noise_in_shares_is_the_law_of_the_library(scale: Fraction, sites: int, honest: int) -> None:
    ours = curves.laplace(float(1 / scale), 1).in_shares(sites, honest)
    assert agrees(ours, PolyaShares(scale, honest).total(sites))


@pytest.mark.parametrize(("sites", "honest"), [(1, 1), (5, 3), (21, 8)])
@pytest.mark.parametrize("sigma2", [Fraction(1, 4), Fraction(3), Fraction(23), Fraction(5000)])
def test_gaussian_noise_in_shares_is_the_law_of_the_library(sigma2: Fraction, sites: int, honest: int) -> None:
    ours = Noise("discrete_gaussian", float(sigma2)).in_shares(sites, honest)
    assert agrees(ours, concentrated_shares(sigma2, honest).total(sites))


def agrees(ours: Noise, law: NoiseLaw) -> bool:
    assert ours.variance == pytest.approx(law.variance, rel=1e-9)
    for level in (0.5, 0.95, 0.999):
        assert ours.half_width(level) == half_width(law, level)
    for k in (-3, 0, 1, 4, 19):
        assert ours.at_least(k) == pytest.approx(1 - law.cdf(k - 1), rel=1e-7, abs=1e-12)
    return True


def test_shares_have_the_characteristic_function_of_a_sum() -> None:
    """Without the library's own recursion: a power of that of the discrete Laplace law."""
    noise = curves.laplace(0.7, 1).in_shares(5, 3)
    weights = np.array(noise.weights)
    for frequency in (0.1, 0.8, 2.0, 3.0):
        found = 2 * (weights[1:] * np.cos(frequency * np.arange(1, len(weights)))).sum() + 1
        found /= 2 * weights[1:].sum() + 1
        decay = math.exp(-0.7)
        one = (1 - decay) ** 2 / (1 - 2 * decay * math.cos(frequency) + decay**2)
        assert found == pytest.approx(one ** (5 / 3), rel=1e-10)


@pytest.mark.parametrize(
    "noise",
    [
        curves.laplace(0.5, 1), curves.laplace(2, 1), curves.gaussian(0.1, 1), curves.laplace(0.5, 1).in_shares(5, 3),
        curves.gaussian(0.1, 1).in_shares(21, 8), curves.gaussian(0.01, 1).in_shares(3, 2),
    ],
)  # fmt: skip
def test_closed_forms_agree_with_the_real_sampler(noise: Noise) -> None:
    from pets.tuning.outputs import draw_noise

    draws = 100_000
    drawn = draw_noise(noise, draws, 8)
    for count in (1, 3, 5):
        close(np.mean(count + drawn <= 0), curves.seen_as_zero(noise, count), draws)
    close(np.mean(drawn >= 1), curves.phantom(noise), draws)
    low, high = curves.interval(noise, 40)
    inside = np.mean((40 + drawn >= low) & (40 + drawn <= high))
    assert inside >= 0.95 - 5 * math.sqrt(0.05 * 0.95 / draws)
    narrower = np.mean(np.abs(drawn) <= noise.half_width() - 1)
    assert narrower < 0.95 + 5 * math.sqrt(0.05 * 0.95 / draws)
    fourth = np.mean(drawn.astype(float) ** 4)
    assert abs(np.var(drawn) - noise.variance) < 5 * math.sqrt(fourth / draws)


def close(seen: float, expected: float, draws: int) -> None:
    assert abs(seen - expected) < 5 * math.sqrt(max(expected * (1 - expected), 1 / draws) / draws)


@given(st.floats(0.05, 10), st.floats(0.05, 1))
def test_threshold_is_the_smallest_whole_count(epsilon: float, largest: float) -> None:
    noise = curves.laplace(epsilon, 1)
    found = curves.threshold(noise, largest)
    error = curves.relative_error(noise, found)
    assert error is not None
    assert error <= largest + 1e-9
    if found > 1:
        below = curves.relative_error(noise, found - 1)
        assert below is not None
        assert below > largest - 1e-9


@given(st.floats(0.05, 10), st.integers(0, 500))
def test_rate_interval_solves_the_score_equation(epsilon: float, count: int) -> None:
    noise = curves.laplace(epsilon, 1)
    value, low, high = curves.rate(noise, count, 2e6)
    assert value == pytest.approx(count / 2)
    for limit in (low, high):
        mean = 2 * limit
        if mean > 0:
            assert (count - mean) ** 2 == pytest.approx(curves.Z95**2 * (mean + noise.variance), rel=1e-6, abs=1e-6)


def test_a_rate_without_noise_has_the_poisson_score_interval() -> None:
    value, low, high = curves.rate(NO_NOISE, 25, 1e6)
    z = stats.norm.ppf(0.975)
    assert (low, value, high) == pytest.approx(
        (25 + z**2 / 2 - z * math.sqrt(25 + z**2 / 4), 25, 25 + z**2 / 2 + z * math.sqrt(25 + z**2 / 4))
    )


@given(st.floats(0.01, 10), st.floats(0.001, 0.999))
def test_belief_never_leaves_what_bayes_allows(epsilon: float, prior: float) -> None:
    low, high = curves.belief_before(prior, epsilon), curves.belief_after(prior, epsilon)
    odds = prior / (1 - prior)
    assert high / (1 - high) == pytest.approx(odds * math.exp(epsilon))
    assert low / (1 - low) == pytest.approx(odds * math.exp(-epsilon))


@pytest.mark.parametrize(("count", "whole"), [(0, 0), (0.49, 0), (0.5, 1), (2.5, 3), (2.4, 2), (7, 7)])
def test_planning_counts_are_rounded_for_what_is_said_of_integers(count: float, whole: int) -> None:
    assert curves.whole(count) == whole


def test_delta_out_of_range_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="delta"):
        curves.rho_for(1, 0)


def test_verdicts() -> None:
    rule, noise = Rule(), curves.laplace(0.5, 1)
    assert [rule.verdict(noise, n) for n in (0, 0.4, 3, 15, 16, 21, 22)] == [
        "empty", "empty", "few", "few", "noise", "noise", "usable",
    ]  # fmt: skip
    strict = Rule(max_relative_error=10, max_false_zero=0.05)
    assert strict.verdict(noise, 5) == "noise"  # 5.1 in 100 publications show none
    assert strict.verdict(noise, 6) == "usable"
    assert Rule(minimum_count=30).verdict(noise, 29) == "few"
    assert Rule(measure="noise").smallest_usable(noise) == 12  # 2.80 / 12 is below a quarter


@pytest.mark.parametrize(
    "wrong",
    [{"max_relative_error": 0}, {"max_false_zero": 2}, {"measure": "both"}, {"name": " "}, {"minimum_count": -1}],
)
def test_rules_out_of_range_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InvalidArgument):
        Rule(**wrong)  # type: ignore[arg-type]


def test_golden_file_is_what_python_says() -> None:
    stored = json.loads(make_golden.FILE.read_text(encoding="utf-8"))
    now = json.loads(make_golden.text())
    assert len(stored["cases"]) == 500
    for one, other in zip(stored["cases"], now["cases"], strict=True):
        for name, value in one["expect"].items():
            found = other["expect"][name]
            if isinstance(value, str | None):
                assert value == found
            else:
                assert np.asarray(value) == pytest.approx(np.asarray(found), rel=1e-9, abs=1e-15)
