"""Noise shares, statistically: the law of a share, the law of a sum of shares, and errors that must be seen.

The threshold is fixed beforehand: a test fails at p < 1e-6. References are scipy's, not ours: a share is a difference
of two of its negative binomials, a sum is the closed discrete Laplace or Skellam law.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

from pets.csprng import InsecureRandom, secure_random
from pets.domain import Domain
from pets.dp import DiscreteGaussian, DiscreteLaplace
from pets.dp.distributed import GaussianShares, PolyaShares, SkellamShares
from pets.dp.samplers import PolyaShare, SkellamShare, draw
from pets.dp.samplers.compound import _below
from pets.dp.samplers.precision import DEFAULT, Precision
from pets.query import Count
from pets.testing.mechanism import empirical_epsilon

THRESHOLD = 1e-6
QUICK, LONG = 400_000, 50_000_000
TINY_STEPS = Precision(cell_bits=4, word_bits=8, coin_bits=2, coin_word_bits=4, slack=0.1)
WIDE = replace(DEFAULT, table_scale=1)


def negative_binomial(shape: float, scale: float) -> np.ndarray:
    """Return the probabilities of 0, 1, ... by scipy."""
    return stats.nbinom.pmf(np.arange(int(50 * scale) + 60), shape, -np.expm1(-1 / scale))


def difference(p: np.ndarray) -> np.ndarray:
    """Return the probabilities of -n..n of the difference of two independent variables."""
    return np.convolve(p, p[::-1])


def polya(scale: float, shape: float) -> np.ndarray:
    return difference(negative_binomial(shape, scale))


def laplace(scale: float) -> np.ndarray:
    k = np.arange(-int(50 * scale) - 60, int(50 * scale) + 61)
    return np.tanh(0.5 / scale) * np.exp(-np.abs(k) / scale)


def skellam(variance: float) -> np.ndarray:
    reach = int(14 * variance**0.5 + 40)
    return stats.skellam.pmf(np.arange(-reach, reach + 1), variance / 2, variance / 2)


def p_value(draws: np.ndarray, pmf: np.ndarray) -> float:
    """Return the smaller p-value of a chi-square of all cells that expect 20, and of a variance test, doubled."""
    half = pmf.size // 2
    k = np.arange(-half, half + 1)
    counts = np.bincount(np.clip(draws + half, 0, pmf.size - 1), minlength=pmf.size).astype(float)
    expected = pmf * draws.size
    common = expected >= 20
    seen = np.append(counts[common], counts[~common].sum())
    wanted = np.append(expected[common], max(expected[~common].sum(), 1e-300))
    if wanted[-1] < 20:
        assert stats.poisson.sf(seen[-1] - 1, wanted[-1]) > THRESHOLD
        seen, wanted = seen[:-1], wanted[:-1]
    shape = stats.chi2.sf(((seen - wanted) ** 2 / wanted).sum(), max(seen.size - 1, 1))
    squares = k.astype(float) ** 2
    mean = (pmf * squares).sum()
    spread = ((pmf * squares**2).sum() - mean**2) ** 0.5
    z = ((draws.astype(float) ** 2).mean() - mean) / spread * draws.size**0.5
    return float(min(shape, 2 * stats.norm.sf(abs(z)), 1.0))


def summed(shares, sites: int, n: int, source=None) -> np.ndarray:
    generator = secure_random() if source is None else source
    return sum(shares.draw(n, generator) for _ in range(sites))


SETTINGS = [(scale, honest) for scale in (Fraction(1), Fraction(10)) for honest in (4, 10, 100)]


@pytest.mark.parametrize(("scale", "honest"), SETTINGS)
def test_a_share_is_a_difference_of_negative_binomials(scale, honest):
    draws = draw(PolyaShare(scale, Fraction(1, honest)), QUICK, secure_random())
    assert p_value(draws, polya(float(scale), 1 / honest)) > THRESHOLD


@pytest.mark.parametrize(("scale", "honest"), SETTINGS)
def test_honest_shares_add_up_to_the_discrete_laplace_law(scale, honest):
    draws = summed(PolyaShares(scale, honest), honest, QUICK // (4 if honest == 100 else 1))
    assert p_value(draws, laplace(float(scale))) > THRESHOLD


def test_shares_of_more_sites_add_up_to_the_wider_law():
    draws = summed(PolyaShares(Fraction(3), 4), 10, QUICK)
    assert p_value(draws, polya(3, 10 / 4)) > THRESHOLD


@pytest.mark.parametrize("honest", [2, 4, 10])
@pytest.mark.parametrize("scale", [Fraction(2), Fraction(7, 2), Fraction(20)], ids=str)
def test_the_wide_path_follows_the_law_where_every_integer_can_be_counted(scale, honest):
    """Jumps: the way wide laws are drawn, at scales where a chi-square sees each integer."""
    law = PolyaShare(scale, Fraction(1, honest))
    draws = draw(law, QUICK // 2, secure_random(), precision=WIDE)
    assert p_value(draws, polya(float(scale), 1 / honest)) > THRESHOLD


@pytest.mark.parametrize("scale", [1000, 2**20, 2**40])
def test_wide_shares_add_up_to_the_wide_laplace_law(scale):
    draws = summed(PolyaShares(Fraction(scale), 4), 4, 30_000)
    magnitudes = (np.abs(draws) + 0.5) / scale  # near exponential at these scales
    assert stats.kstest(magnitudes, "expon").pvalue > THRESHOLD
    assert abs((draws > 0).sum() - (draws < 0).sum()) < 5 * 30_000**0.5


@pytest.mark.parametrize(("variance", "honest"), [(Fraction(1), 4), (Fraction(7, 2), 10), (Fraction(30), 100)])
def test_skellam_shares_add_up_to_the_skellam_law(variance, honest):
    draws = summed(SkellamShares(variance, honest), honest + 2, QUICK // 4)
    assert p_value(draws, skellam(float(variance) * (honest + 2) / honest)) > THRESHOLD


def test_gaussian_shares_add_up_to_nearly_a_discrete_gaussian():
    draws = summed(GaussianShares(Fraction(9)), 5, QUICK)
    k = np.arange(-120, 121)
    weights = np.exp(-(k**2) / 90)
    assert p_value(draws, weights / weights.sum()) > THRESHOLD


# ------------------------------------------------------------------------------ the rare paths, made common


@pytest.mark.parametrize("law", [PolyaShare(Fraction(3), Fraction(1, 4)), SkellamShare(Fraction(5, 4))], ids=str)
def test_forced_refinement_follows_the_law(law):
    draws = draw(law, 30_000, InsecureRandom(insecure_seed=5), precision=TINY_STEPS)
    reference = polya(3, 0.25) if isinstance(law, PolyaShare) else skellam(1.25)
    assert p_value(draws, reference) > THRESHOLD


def test_the_wide_path_with_forced_refinement_follows_the_law():
    law = PolyaShare(Fraction(9, 2), Fraction(1, 4))
    steps = replace(TINY_STEPS, table_scale=1)
    draws = draw(law, 15_000, InsecureRandom(insecure_seed=6), precision=steps)
    assert p_value(draws, polya(4.5, 0.25)) > THRESHOLD


class Scripted:
    """A source that gives the bits it was told to."""

    def __init__(self, *numbers: int) -> None:
        self.numbers = list(numbers)

    def bits(self, count: int) -> int:
        number = self.numbers.pop(0)
        assert number < 1 << count
        return number


@pytest.mark.parametrize(("last", "expected"), [(0, True), (2**104 - 1, False)])
def test_a_coin_reveals_bits_until_it_is_decided(last, expected):
    """U agrees with 1/3 in its first 104 bits; the next 104 decide."""
    digits = 2**104 // 3
    source = Scripted(digits & (2**52 - 1), last)
    assert _below(digits >> 52, 1, 3, source) is expected
    assert not source.numbers


# ------------------------------------------------------------------------------ planted errors must be seen


def planted(kind: str, n: int) -> np.ndarray:
    """Return sums for 4 honest of 10 sites at scale 10 (rounded floats: 1), drawn wrongly."""
    source = secure_random()
    if kind == "scale off by two":
        return summed(PolyaShares(Fraction(5), 4), 4, n)
    if kind == "shape of all sites":
        return summed(PolyaShares(Fraction(10), 10), 4, n)
    if kind == "one-sided":
        return sum(np.abs(draw(PolyaShare(Fraction(10), Fraction(1, 4)), n, source)) for _ in range(4))
    if kind == "one per cent":
        return summed(PolyaShares(Fraction(101, 10), 4), 4, n)
    uniform = (source.words(8 * n).reshape(8, n) >> np.uint64(11)).astype(np.float64) * 2.0**-53
    gamma = stats.gamma(0.25).ppf(uniform)
    return np.rint(gamma[:4] - gamma[4:]).sum(axis=0).astype(np.int64)


@pytest.mark.parametrize(
    "kind", ["scale off by two", "shape of all sites", "one-sided", "one per cent", "rounded floats"]
)
def test_planted_errors_are_rejected(kind):
    n = {"rounded floats": 40_000, "one per cent": 4 * QUICK}.get(kind, QUICK)
    assert p_value(planted(kind, n), laplace(1 if kind == "rounded floats" else 10)) < THRESHOLD


# ------------------------------------------------------------------------------ through a mechanism


def wide_query(cells: int):
    return Count(by=["cell"]).bind(Domain(cell=[f"c{i}" for i in range(cells)]))


@pytest.mark.parametrize("mechanism", [DiscreteLaplace(1), DiscreteGaussian("0.5"), DiscreteGaussian("0.005")])
def test_empirical_epsilon_of_the_honest_shares_stays_below_the_claim(mechanism):
    query = wide_query(20_000)
    noise = [sum(mechanism.noise_share(query, 6, 4).values for _ in range(4)) for _ in range(8)]
    low, high = np.concatenate(noise[:4]), np.concatenate(noise[4:]) + 1
    delta = 0.0 if isinstance(mechanism, DiscreteLaplace) else 1e-2
    claim = float(mechanism.guarantee(query).to_approx(delta).epsilon) if delta else 1.0
    assert empirical_epsilon(low, high, delta) <= claim


def test_empirical_epsilon_sees_shares_drawn_for_too_many_sites():
    query = wide_query(40_000)
    noise = [sum(DiscreteLaplace(1).noise_share(query, 10, 10).values for _ in range(4)) for _ in range(2)]
    assert empirical_epsilon(noise[0], noise[1] + 1) > 1


@pytest.mark.slow
@pytest.mark.parametrize(("scale", "honest"), [(Fraction(1), 4), (Fraction(10), 10)])
def test_fifty_million_sums_follow_the_discrete_laplace_law(scale, honest):
    counts = None
    reference = laplace(float(scale))
    half = reference.size // 2
    for _ in range(LONG // 5_000_000):
        draws = summed(PolyaShares(scale, honest), honest, 5_000_000)
        part = np.bincount(np.clip(draws + half, 0, reference.size - 1), minlength=reference.size)
        counts = part if counts is None else counts + part
    expected = reference * LONG
    common = expected >= 50
    statistic = ((counts[common] - expected[common]) ** 2 / expected[common]).sum()
    assert stats.chi2.sf(statistic, common.sum() - 1) > THRESHOLD
