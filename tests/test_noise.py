"""Laws of noise against SciPy, direct summation and brute-force convolution."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import dlaplace

from pets.errors import ConfigError, InvalidArgument, PetsError
from pets.noise import (
    DiscreteGaussianLaw,
    DiscreteLaplaceLaw,
    NoiseLaw,
    NoNoise,
    WeightedSumLaw,
    half_width,
    law_from_dict,
    probability_not_positive,
    sum_of,
)

SCALES = [Fraction(1, 10), Fraction(1, 2), Fraction(1), Fraction(10), Fraction(137, 3)]


@pytest.mark.parametrize("scale", SCALES)
def test_discrete_laplace_equals_scipy(scale):
    law, peer = DiscreteLaplaceLaw(scale), dlaplace(float(1 / scale))
    for k in range(-60, 61):
        assert law.cdf(k) == pytest.approx(peer.cdf(k), rel=1e-11, abs=1e-300)
        assert law.pmf(k) == pytest.approx(peer.pmf(k), rel=1e-11, abs=1e-300)
    assert law.variance == pytest.approx(peer.var(), rel=1e-11)


@pytest.mark.parametrize("sigma2", [Fraction(1, 20), Fraction(1), Fraction(50), Fraction(999)])
def test_discrete_gaussian_equals_direct_summation(sigma2):
    law, support = DiscreteGaussianLaw(sigma2), range(-400, 401)
    weights = [math.exp(-(k**2) / (2 * float(sigma2))) for k in support]
    total = math.fsum(weights)
    below = 0.0
    for k, weight in zip(support, weights, strict=True):
        below += weight / total
        assert law.pmf(k) == pytest.approx(weight / total, rel=1e-9, abs=1e-15)
        assert law.cdf(k) == pytest.approx(below, rel=1e-9, abs=1e-14)
    spread = math.fsum(k**2 * w for k, w in zip(support, weights, strict=True)) / total
    assert law.variance == pytest.approx(spread, rel=1e-9)


def test_wide_gaussians_join_the_normal_law_smoothly():
    near, far = DiscreteGaussianLaw(10**6), DiscreteGaussianLaw(10**6 + 1)
    for k in (-3000, -1000, 0, 500, 2500):
        assert near.cdf(k) == pytest.approx(far.cdf(k), abs=1e-6)


@pytest.mark.parametrize(("epsilon", "width"), [("0.1", 30), ("0.25", 12), ("0.5", 6), (1, 3), (2, 1), (5, 0)])
def test_published_95_percent_widths(epsilon, width):
    """The reference table of the tuner's study: +/-30, 12, 6, 3, 1 and 0 cases."""
    assert half_width(DiscreteLaplaceLaw(1 / Fraction(epsilon)), 0.95) == width


@pytest.mark.parametrize(("count", "chance"), [(1, 0.2689), (3, 0.0364), (5, 0.0049)])
def test_published_chances_of_a_false_zero(count, chance):
    assert probability_not_positive(DiscreteLaplaceLaw(1), count) == pytest.approx(chance, abs=6e-5)


LAWS = st.one_of(
    st.fractions(Fraction(1, 50), 60, max_denominator=50).map(DiscreteLaplaceLaw),
    st.fractions(Fraction(1, 50), 900, max_denominator=50).map(DiscreteGaussianLaw),
)


@given(law=LAWS, level=st.floats(0.01, 0.9999))
def test_half_width_is_the_smallest_that_covers(law, level):
    q = half_width(law, level)
    assert law.cdf(q) - law.cdf(-q - 1) >= level - 1e-9
    assert q == 0 or law.cdf(q - 1) - law.cdf(-q) < level + 1e-9


def convolve(terms: list[tuple[NoiseLaw, int, int]], reach: int) -> np.ndarray:
    total = np.zeros(2 * reach + 1)
    total[reach] = 1.0
    for law, weight, copies in terms:
        spread = np.zeros(2 * reach + 1)
        for k in range(-(reach // abs(weight)), reach // abs(weight) + 1):
            spread[reach + weight * k] += law.pmf(k)
        for _ in range(copies):
            total = np.convolve(total, spread)[reach : 3 * reach + 1]
    return total


@pytest.mark.parametrize(
    "terms",
    [
        [(DiscreteLaplaceLaw(1), 1, 6)],
        [(DiscreteLaplaceLaw(2), 3, 2), (DiscreteLaplaceLaw(2), -1, 4)],
        [(DiscreteGaussianLaw(4), 1, 3), (DiscreteLaplaceLaw(1), 2, 1)],
        [(DiscreteGaussianLaw(Fraction(1, 4)), 1, 5)],
    ],
)
def test_sums_equal_brute_force_convolution(terms):
    reach = 300
    expected = np.cumsum(convolve(terms, reach))
    law = sum_of(*terms)
    for k in range(-60, 61):
        assert law.cdf(k) == pytest.approx(expected[reach + k], abs=1e-12)
    assert law.variance == pytest.approx(sum(n * w**2 * inner.variance for inner, w, n in terms))


def test_sums_of_sums_are_flattened_so_that_many_sites_stay_cheap():
    one = DiscreteLaplaceLaw(100)
    pooled = sum_of(*((one, 1, 1) for _ in range(21)))
    assert pooled == WeightedSumLaw(((one, 1, 21),))
    assert sum_of((pooled, 1, 6)) == WeightedSumLaw(((one, 1, 126),))
    assert sum_of((pooled, -2, 1)) == WeightedSumLaw(((one, 2, 21),))
    assert sum_of((one, -1, 1)) == one
    assert sum_of((one, 0, 4), (NoNoise(), 1, 9)) == NoNoise()


@settings(max_examples=50)
@given(LAWS)
def test_round_trip(law):
    assert law_from_dict(law.to_dict()) == law
    doubled = sum_of((law, 2, 3))
    assert law_from_dict(doubled.to_dict()) == doubled


JSON = st.recursive(
    st.none()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["sum", "none", "discrete_laplace"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "scale", "sigma2", "terms", "law", "weight", "copies"]), inner, max_size=4
        )
    ),
    max_leaves=10,
)


@given(JSON)
def test_hostile_documents_raise_only_our_errors(data):
    try:
        law_from_dict(data)
    except PetsError:
        return


def test_bad_documents_are_named():
    with pytest.raises(ConfigError, match=r"noise\.type"):
        law_from_dict({"type": "laplace"})
    for level in (0, 1, 1.5, -0.1, float("nan"), "0.95", None, True):
        with pytest.raises(InvalidArgument):
            half_width(NoNoise(), level)
    for scale in (0, -1, "x", float("inf")):
        with pytest.raises(InvalidArgument):
            DiscreteLaplaceLaw(scale)
