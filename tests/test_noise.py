"""Laws of noise against scipy, high-precision summation and brute-force convolution."""

from __future__ import annotations

import contextlib
import itertools
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pets import noise
from pets.errors import ConfigError, InvalidArgument
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

SCALES = [Fraction(1, 50), Fraction(1, 3), Fraction(1), Fraction(10), Fraction(1000, 7), Fraction(10**12)]
SIGMA2 = [
    Fraction(1, 100),
    Fraction(1, 4),
    Fraction(1),
    Fraction(10),
    Fraction(65),
    Fraction(10**6),
    Fraction(10**6 + 1),
]


def gaussian_cdf(sigma2: Fraction, k: int) -> float:
    """P(Z <= k) by exactly rounded summation."""
    reach = 40 + 12 * math.isqrt(int(sigma2))
    weight = [math.exp(-j * j / (2 * float(sigma2))) for j in range(reach)]
    tail = math.fsum(weight[abs(k) + (k >= 0) :]) / (2 * math.fsum(weight) - 1)
    return 1 - tail if k >= 0 else tail


class TestLaplace:
    @pytest.mark.parametrize("scale", SCALES)
    def test_against_scipy(self, scale: Fraction) -> None:
        law, peer = DiscreteLaplaceLaw(scale), stats.dlaplace(float(1 / scale))
        spread = max(1, int(scale))
        for k in (-40 * spread, -3 * spread, -spread, -1, 0, 1, 2 * spread, 40 * spread):
            assert law.cdf(k) == pytest.approx(peer.cdf(k), rel=1e-9, abs=1e-300)
            assert law.pmf(k) == pytest.approx(peer.pmf(k), rel=1e-9, abs=1e-300)
        if scale < 10**6:  # scipy's formula cancels beyond
            assert law.variance == pytest.approx(peer.var(), rel=1e-9)

    def test_variance_of_large_scales(self) -> None:
        assert DiscreteLaplaceLaw(Fraction(10**12)).variance == pytest.approx(2e24, rel=1e-12)
        assert DiscreteLaplaceLaw(Fraction(1, 10**4)).variance == 0.0


class TestGaussian:
    @pytest.mark.parametrize("sigma2", SIGMA2)
    def test_against_summation(self, sigma2: Fraction) -> None:
        law = DiscreteGaussianLaw(sigma2)
        spread = max(1, math.isqrt(int(sigma2)))
        for k in (-6 * spread, -2 * spread, -1, 0, 1, spread, 4 * spread):
            expected = gaussian_cdf(sigma2, k)
            assert law.cdf(k) == pytest.approx(expected, abs=2e-14)
            assert law.cdf(k) + law.cdf(-k - 1) == pytest.approx(1, abs=1e-15)
            step = expected - gaussian_cdf(sigma2, k - 1)
            assert law.pmf(k) == pytest.approx(step, rel=1e-6, abs=1e-15)

    def test_beyond_the_table_it_is_not_the_plain_normal_law(self) -> None:
        sigma2 = Fraction(10**6 + 1)
        naive = stats.norm.cdf((-1000 + 0.5) / math.sqrt(sigma2))
        assert abs(naive - gaussian_cdf(sigma2, -1000)) > 1e-9

    @pytest.mark.parametrize("sigma2", [Fraction(1, 10), Fraction(1, 2), Fraction(3), Fraction(64), Fraction(65)])
    def test_variance(self, sigma2: Fraction) -> None:
        j = np.arange(-400, 401)
        weights = np.exp(-(j**2) / (2 * float(sigma2)))
        assert DiscreteGaussianLaw(sigma2).variance == pytest.approx((weights * j**2).sum() / weights.sum(), rel=1e-12)


def convolution(terms: tuple[tuple[NoiseLaw, int, int], ...], reach: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The law of a weighted sum on -reach..reach, by convolving probabilities one copy after the other."""
    mass = np.zeros(2 * reach + 1)
    mass[reach] = 1.0
    for law, weight, copies in terms:
        one = np.zeros(2 * reach + 1)
        for k in range(-(reach // abs(weight)), reach // abs(weight) + 1):
            one[reach + weight * k] = law.pmf(k)
        for _ in range(copies):
            mass = np.convolve(mass, one)[reach : 3 * reach + 1]
    return mass


L1, L5, LTINY = DiscreteLaplaceLaw(Fraction(1)), DiscreteLaplaceLaw(Fraction(5)), DiscreteLaplaceLaw(Fraction(1, 9))
G3, GHALF = DiscreteGaussianLaw(Fraction(9)), DiscreteGaussianLaw(Fraction(1, 2))
SUMS: list[tuple[tuple[NoiseLaw, int, int], ...]] = [
    ((L1, 1, 2),),
    ((L5, 1, 7),),
    ((L1, 3, 1),),
    ((L1, 2, 2), (L1, -4, 1)),
    ((L1, 3, 2), (L5, 1, 3)),
    ((G3, 1, 4),),
    ((GHALF, 1, 3), (G3, 2, 1)),
    ((LTINY, 7, 2), (GHALF, 5, 1)),
    ((L5, 2, 1), (G3, 3, 2), (L1, 1, 1)),
]


class TestSums:
    @pytest.mark.parametrize("terms", SUMS, ids=range(len(SUMS)))
    def test_against_convolution(self, terms: tuple[tuple[NoiseLaw, int, int], ...]) -> None:
        law = WeightedSumLaw(terms)
        reach = 600
        mass = convolution(terms, reach)
        below = np.cumsum(mass)
        for k in (-80, -30, -11, -5, -3, -2, -1, 0, 1, 2, 4, 7, 12, 31, 80):
            assert law.cdf(k) == pytest.approx(below[reach + k], abs=3e-13)
            assert law.pmf(k) == pytest.approx(mass[reach + k], abs=3e-13)
        assert law.variance == pytest.approx(float(mass @ np.arange(-reach, reach + 1) ** 2), rel=1e-9)

    @pytest.mark.parametrize("terms", [SUMS[1], SUMS[4], SUMS[8]], ids=range(3))
    def test_a_cut_series_says_so(
        self, terms: tuple[tuple[NoiseLaw, int, int], ...], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert WeightedSumLaw(terms).error == 1e-13
        monkeypatch.setattr(noise, "_FREQUENCIES", 20)
        noise._series.cache_clear()
        try:
            assert WeightedSumLaw(terms).error == 1e-8
        finally:
            noise._series.cache_clear()

    @pytest.mark.parametrize("scale", [10**5, 10**9, 10**15])
    def test_two_wide_laplaces_are_not_normal(self, scale: int) -> None:
        # The difference of two Laplace variables has the tail exp(-x) (1 + x / 2) / 2 in units of the scale.
        law = WeightedSumLaw(((DiscreteLaplaceLaw(Fraction(scale)), 1, 2),))
        for x in (0.1, 1.0, 3.0, 8.0):
            tail = math.exp(-x) * (1 + x / 2) / 2
            assert law.cdf(-int(x * scale) - 1) == pytest.approx(tail, abs=3e-6 if scale == 10**5 else 1e-8)
        normal = stats.norm.ppf(0.975) * math.sqrt(law.variance)
        assert half_width(law, 0.95) > 1.04 * normal

    def test_a_wide_and_a_narrow_law(self) -> None:
        wide, narrow = DiscreteLaplaceLaw(Fraction(10**7)), DiscreteLaplaceLaw(Fraction(1))
        law = sum_of((wide, 1, 1), (narrow, 1, 1))
        for k in (-(10**8), -(10**7), -1, 0, 10**6, 10**8):
            assert law.cdf(k) == pytest.approx(wide.cdf(k), abs=2e-8)

    @pytest.mark.parametrize(("up", "down"), [(667, 333), (999, 1), (750, 250), (1, 999)])
    def test_quantile_weights(self, up: int, down: int) -> None:
        """Integer combinations such as quantiles need, against simulation with a fixed seed."""
        rng = np.random.default_rng(12)
        law = sum_of((DiscreteLaplaceLaw(Fraction(10)), up, 3), (DiscreteLaplaceLaw(Fraction(10)), down, 2))
        p = 1 - math.exp(-0.1)
        draws = rng.geometric(p, (5, 400_000)) - rng.geometric(p, (5, 400_000))
        total = up * draws[:3].sum(axis=0) + down * draws[3:].sum(axis=0)
        for level in (0.5, 0.95, 0.999):
            q = half_width(law, level)
            tolerance = 4 * math.sqrt(level * (1 - level) / 400_000)
            assert np.mean(np.abs(total) <= q) > level - tolerance
            assert np.mean(np.abs(total) < q) < level + tolerance

    def test_simplest_form(self) -> None:
        assert sum_of() == NoNoise()
        assert sum_of((L1, 0, 5), (L1, 3, 0), (NoNoise(), 2, 2)) == NoNoise()
        assert sum_of((L1, -1, 1)) == L1
        assert sum_of((L1, 1, 1), (L1, 1, 2)) == sum_of((L1, 1, 3))
        inner = sum_of((L1, 2, 3), (G3, 1, 1))
        assert sum_of((inner, 2, 2)) == sum_of((L1, 4, 6), (G3, 2, 2))
        assert sum_of((L1, 2, 2)) != sum_of((L1, 4, 1))

    def test_a_common_factor_is_a_lattice(self) -> None:
        law = sum_of((L5, 6, 2))
        assert law.pmf(3) == 0
        assert law.cdf(5) == law.cdf(0)
        assert law.pmf(6) == pytest.approx(sum_of((L5, 1, 2)).pmf(1), rel=1e-12)


LAWS: list[NoiseLaw] = [L1, L5, LTINY, G3, GHALF, DiscreteLaplaceLaw(Fraction(10**9)), sum_of((L5, 1, 4), (L1, 3, 1))]
LAWS += [DiscreteGaussianLaw(Fraction(10**9)), sum_of((DiscreteLaplaceLaw(Fraction(10**7)), 1, 3))]


class TestHalfWidth:
    @pytest.mark.parametrize("law", LAWS, ids=range(len(LAWS)))
    @pytest.mark.parametrize("level", [0.01, 0.5, 0.9, 0.95, 0.99, 1 - 1e-9])
    def test_is_the_smallest(self, law: NoiseLaw, level: float) -> None:
        def inside(q: int) -> float:
            return 1 - 2 * law.cdf(-q - 1)

        q = half_width(law, level)
        assert inside(q) >= level - 1e-12
        error = 2.1 * (law.error if isinstance(law, WeightedSumLaw) else 1e-13)
        assert q == 0 or inside(q - 1) < level + error

    @pytest.mark.parametrize(("epsilon", "width"), [("0.1", 30), ("0.25", 12), ("0.5", 6), (1, 3), (2, 1), (5, 0)])
    def test_published_95_percent_widths(self, epsilon: Any, width: int) -> None:
        """The reference table of the tuner's study: +/-30, 12, 6, 3, 1 and 0 cases."""
        assert half_width(DiscreteLaplaceLaw(1 / Fraction(epsilon)), 0.95) == width

    @given(scale=st.fractions(Fraction(1, 50), 900, max_denominator=50), level=st.floats(0.01, 0.9999))
    def test_of_any_scale(self, scale: Fraction, level: float) -> None:
        for law in (DiscreteLaplaceLaw(scale), DiscreteGaussianLaw(scale), sum_of((DiscreteLaplaceLaw(scale), 2, 3))):
            q = half_width(law, level)
            assert law.cdf(q) - law.cdf(-q - 1) >= level - 1e-12
            assert q == 0 or law.cdf(q - 1) - law.cdf(-q) < level + 1e-12

    def test_no_noise(self) -> None:
        assert half_width(NoNoise(), 0.95) == 0

    @pytest.mark.parametrize("level", [0, 1, -0.1, 1.5, math.nan, True, "0.95", None])
    def test_bad_level(self, level: Any) -> None:
        with pytest.raises(InvalidArgument, match="level"):
            half_width(L1, level)

    @pytest.mark.parametrize(("count", "chance"), [(1, 0.2689), (3, 0.0364), (5, 0.0049)])
    def test_published_chances_of_a_false_zero(self, count: int, chance: float) -> None:
        assert probability_not_positive(L1, count) == pytest.approx(chance, abs=6e-5)

    def test_false_zero(self) -> None:
        assert probability_not_positive(L1, 3) == pytest.approx(stats.dlaplace(1.0).cdf(-3))
        assert probability_not_positive(NoNoise(), 1) == 0
        assert probability_not_positive(NoNoise(), 0) == 1


class TestArguments:
    @pytest.mark.parametrize("kind", [DiscreteLaplaceLaw, DiscreteGaussianLaw])
    @pytest.mark.parametrize("value", [0, -1, "x", None, math.nan, math.inf, "1e400", Fraction(1, 2**1001), True])
    def test_refused(self, kind: Any, value: Any) -> None:
        with pytest.raises(InvalidArgument):
            kind(value)

    @pytest.mark.parametrize(
        "law", [DiscreteLaplaceLaw(Fraction(1, 2**1000)), DiscreteGaussianLaw(Fraction(1, 2**1000))]
    )
    def test_vanishing(self, law: NoiseLaw) -> None:
        assert (law.variance, law.cdf(-1), law.cdf(0), law.pmf(0), law.pmf(1)) == (0, 0, 1, 1, 0)
        assert half_width(law, 0.99) == 0

    @pytest.mark.parametrize("law", [DiscreteLaplaceLaw(Fraction(2**62)), DiscreteGaussianLaw(Fraction(2**124))])
    def test_enormous(self, law: NoiseLaw) -> None:
        assert law.cdf(0) == pytest.approx(0.5)
        assert 2**62 <= half_width(law, 0.95) <= 2**64
        assert half_width(sum_of((law, 1, 2)), 0.95) <= 2**65

    def test_numbers_of_all_kinds(self) -> None:
        assert DiscreteLaplaceLaw("0.1") == DiscreteLaplaceLaw(0.1) == DiscreteLaplaceLaw(Fraction(1, 10))  # type: ignore[arg-type]


def documents() -> st.SearchStrategy[Any]:
    scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5))
    keys = st.sampled_from(["type", "scale", "sigma2", "terms", "law", "weight", "copies"])
    return st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=4))


class TestFiles:
    @pytest.mark.parametrize("law", [NoNoise(), *LAWS], ids=range(len(LAWS) + 1))
    def test_round_trip(self, law: NoiseLaw) -> None:
        assert law_from_dict(law.to_dict()) == law

    @given(documents())
    def test_anything_else_is_a_config_error(self, data: Any) -> None:
        try:
            law = law_from_dict(data)
        except ConfigError:
            return
        assert isinstance(law, NoiseLaw)

    @given(
        kind=st.sampled_from(["none", "discrete_laplace", "discrete_gaussian", "sum", "SUM", ""]),
        number=st.sampled_from([1, "1/3", 0, -1, "1e999", "x", None, True, 0.5, [], 2**70]),
        weight=st.sampled_from([1, -3, 0, 2**31, 1.0, None, True]),
        copies=st.sampled_from([1, 3, 0, -1, "2", None]),
    )
    def test_near_misses(self, kind: str, number: Any, weight: Any, copies: Any) -> None:
        inner = {"type": "discrete_laplace", "scale": number}
        documents: list[dict[str, Any]] = [
            {"type": kind, "scale": number, "sigma2": number},
            {"type": kind, "terms": [{"law": inner, "weight": weight, "copies": copies}]},
        ]
        for document in documents:
            with contextlib.suppress(ConfigError):
                assert isinstance(law_from_dict(document), NoiseLaw)

    def test_the_key_is_named(self) -> None:
        with pytest.raises(ConfigError) as caught:
            law_from_dict({"type": "discrete_laplace", "scale": -1})
        assert caught.value.argument == "noise.scale"


def test_laws_are_hashable_and_distinct() -> None:
    for one, other in itertools.combinations(LAWS, 2):
        assert one != other
    assert len({*LAWS}) == len(LAWS)
