"""Laws of sums of noise shares against scipy and closed forms."""

from __future__ import annotations

import json
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from pets.errors import ConfigError, InvalidArgument
from pets.noise import DiscreteLaplaceLaw, WeightedSumLaw, half_width, law_from_dict, sum_of
from pets.noise_sums import PolyaDifferenceLaw, SkellamLaw, shares_law


def polya(scale: float, shape: float) -> np.ndarray:
    p = stats.nbinom.pmf(np.arange(int(60 * scale * max(1.0, shape)) + 80), shape, -np.expm1(-1 / scale))
    return np.convolve(p, p[::-1])


@pytest.mark.parametrize(("scale", "shape"), [(1, "1/4"), (10, "1/100"), (3, "7/3"), ("1/3", "5/2"), (20, 4)])
def test_polya_difference_is_a_difference_of_negative_binomials(scale, shape):
    law = PolyaDifferenceLaw(Fraction(scale), Fraction(shape))
    expected = polya(float(Fraction(scale)), float(Fraction(shape)))
    middle = expected.size // 2
    for k in (-7, -1, 0, 1, 2, 13):
        assert law.pmf(k) == pytest.approx(expected[middle + k], rel=1e-9)
        assert law.cdf(k) == pytest.approx(expected[: middle + k + 1].sum(), abs=1e-13)
    j = np.arange(expected.size) - middle
    assert law.variance == pytest.approx((expected * j**2).sum(), rel=1e-9)


def test_polya_difference_of_shape_one_is_the_discrete_laplace_law():
    law, closed = PolyaDifferenceLaw(Fraction(4), Fraction(1)), DiscreteLaplaceLaw(Fraction(4))
    assert shares_law(law) == closed
    assert [law.cdf(k) for k in range(-200, 200, 7)] == pytest.approx([closed.cdf(k) for k in range(-200, 200, 7)])
    assert law.cdf(-150) == pytest.approx(closed.cdf(-150), rel=1e-6)


@pytest.mark.parametrize("variance", ["1/50", 1, 7, 300, 10**5])
def test_skellam_is_scipys(variance):
    law = SkellamLaw(Fraction(variance))
    half = float(Fraction(variance)) / 2
    for k in (-30, -3, -1, 0, 1, 5, 40):
        assert law.pmf(k) == pytest.approx(stats.skellam.pmf(k, half, half), rel=1e-8, abs=1e-25)
        assert law.cdf(k) == pytest.approx(stats.skellam.cdf(k, half, half), abs=1e-8)


@pytest.mark.parametrize("law", [SkellamLaw(Fraction(10**11)), PolyaDifferenceLaw(Fraction(10**5), Fraction(12))])
def test_wide_laws_are_near_normal_at_their_quartiles(law):
    quartile = int(0.6745 * law.variance**0.5)
    near = 1e-4 if isinstance(law, SkellamLaw) else 0.02
    assert law.cdf(quartile) == pytest.approx(0.75, abs=near)
    assert half_width(law, 0.5) == pytest.approx(quartile, rel=10 * near)


def test_the_table_and_the_series_agree():
    for law in (SkellamLaw(Fraction(40)), PolyaDifferenceLaw(Fraction(12), Fraction(5, 2))):
        series = WeightedSumLaw(((law, 1, 1),))
        assert [series.cdf(k) for k in range(-60, 60, 3)] == pytest.approx(
            [law.cdf(k) for k in range(-60, 60, 3)], abs=1e-12
        )


def test_sums_of_sums_have_the_right_law():
    assert sum_of((SkellamLaw(Fraction(3)), 1, 4)).cdf(5) == pytest.approx(SkellamLaw(Fraction(12)).cdf(5), abs=1e-12)
    two = sum_of((PolyaDifferenceLaw(Fraction(3), Fraction(5, 4)), 1, 2))
    assert two.cdf(4) == pytest.approx(PolyaDifferenceLaw(Fraction(3), Fraction(5, 2)).cdf(4), abs=1e-12)


@settings(max_examples=25, deadline=None)
@given(
    scale=st.fractions(Fraction(1, 4), 40, max_denominator=20),
    shape=st.fractions(Fraction(1, 100), 10, max_denominator=100),
    exponent=st.floats(1, 30),
)
def test_chernoff_bounds_hold(scale, shape, exponent):
    for law in (PolyaDifferenceLaw(scale, shape), SkellamLaw(scale)):
        assert 2 * law.cdf(-law.reach(exponent) - 1) <= np.exp(-exponent) * (1 + 1e-9)


@pytest.mark.parametrize("law", [SkellamLaw(Fraction(10, 3)), PolyaDifferenceLaw(Fraction(7, 2), Fraction(10, 7))])
def test_laws_survive_json(law):
    assert law_from_dict(json.loads(json.dumps(law.to_dict()))) == law
    pooled = sum_of((law, 2, 3))
    assert law_from_dict(json.loads(json.dumps(pooled.to_dict()))) == pooled


@pytest.mark.parametrize("value", [0, -1, "x", None, float("nan"), Fraction(1, 2**300), 2**200])
def test_bad_parameters_are_refused(value):
    with pytest.raises(InvalidArgument):
        SkellamLaw(value)
    with pytest.raises(InvalidArgument):
        PolyaDifferenceLaw(value, Fraction(1))
    with pytest.raises(InvalidArgument):
        PolyaDifferenceLaw(Fraction(1), value)
    with pytest.raises(ConfigError):
        law_from_dict({"type": "skellam", "sigma2": value if not isinstance(value, Fraction) else str(value)})
