"""The law of the draws, statistically: shape (chi-square) and scale (a score test with one degree of freedom).

The threshold is fixed beforehand: a test fails at p < 1e-6. Draws come from the secure generator, so each run is a
new experiment; about 60 tests of three p-values each make a false alarm once in 5,000 runs.

A test that cannot fail proves nothing: the planted errors at the end must be rejected. The score test's statistic is
the maximum-likelihood one, so a relative error d of the scale shifts it by about d sqrt(n) (Laplace) or d sqrt(2 n)
(Gaussian) standard deviations: 14 for 1 % at 2e6 draws, 10 for 0.1 % at 1e8, against a threshold of 4.9.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

from pets.csprng import InsecureRandom, secure_random
from pets.dp.engines import OpenDPEngine
from pets.dp.samplers import Law, discrete_gaussian, discrete_gaussian_of_variance, discrete_laplace, draw
from pets.dp.samplers.precision import DEFAULT, Precision

THRESHOLD = 1e-6
QUICK, LONG = 2_000_000, 100_000_000
STEP = 10_000_000  # draws held in memory at a time

TINY_STEPS = Precision(cell_bits=4, word_bits=8, coin_bits=2, coin_word_bits=4, slack=0.1)
LAYERED_TINY_STEPS = replace(TINY_STEPS, table_scale=2, coarse_scale=2)


class LaplaceReference:
    """Closed forms of the discrete Laplace law."""

    def __init__(self, scale: Fraction | float) -> None:
        self.scale = float(scale)
        self.q = np.exp(-1 / self.scale)
        self.one_minus_q = -np.expm1(-1 / self.scale)

    def cdf(self, k: np.ndarray) -> np.ndarray:
        k = np.asarray(k, dtype=float)
        far = np.exp(-(np.abs(k + 0.5) + 0.5) / self.scale) / (1 + self.q)
        return np.where(k < 0, far, 1 - far)

    def score(self, draws: np.ndarray) -> np.ndarray:
        return np.abs(draws).astype(float)

    def score_moments(self) -> tuple[float, float]:
        mean = 2 * self.q / (self.one_minus_q * (1 + self.q))
        return mean, 2 * self.q / self.one_minus_q**2 - mean**2


class GaussianReference:
    """The discrete Gaussian law by direct summation; wide ones by the Euler-Maclaurin formula (error below 1e-8)."""

    def __init__(self, sigma: float) -> None:
        self.sigma = float(sigma)
        self.exact = self.sigma <= 3000
        if self.exact:
            self.k = np.arange(-int(12 * self.sigma) - 3, int(12 * self.sigma) + 4)
            weights = np.exp(-(self.k.astype(float) ** 2) / (2 * self.sigma**2))
            self.pmf = weights / weights.sum()

    def cdf(self, k: np.ndarray) -> np.ndarray:
        if not self.exact:
            return stats.norm.cdf((np.asarray(k, dtype=float) + 0.5) / self.sigma)
        cumulative = np.concatenate([[0.0], np.cumsum(self.pmf)])
        return cumulative[np.clip(np.asarray(k) - self.k[0] + 1, 0, self.k.size)]

    def score(self, draws: np.ndarray) -> np.ndarray:
        return draws.astype(float) ** 2

    def score_moments(self) -> tuple[float, float]:
        if not self.exact:
            return self.sigma**2, 2 * self.sigma**4
        squares = self.k.astype(float) ** 2
        mean = float((self.pmf * squares).sum())
        return mean, float((self.pmf * squares**2).sum()) - mean**2


def p_values(reference, sample, n: int) -> dict[str, float]:
    """Return the p-values of shape, scale and sign of n draws that `sample` makes."""
    # Bins of about 1/8 of the scale, 100 of them on each side, and two tails. Edges are the last integers of bins.
    spread = reference.scale if isinstance(reference, LaplaceReference) else reference.sigma
    width = max(1, int(spread / 8))
    edges = np.arange(-100, 101) * width - (width + 1) // 2
    counts = np.zeros(edges.size + 1)
    score, balance, nonzero = 0.0, 0, 0
    for start in range(0, n, STEP):
        draws = sample(min(STEP, n - start))
        which = np.clip((draws - edges[0] - 1) // width, -1, edges.size - 1) + 1
        counts += np.bincount(which, minlength=edges.size + 1)
        score += float(reference.score(draws).sum())
        balance += int((draws > 0).sum()) - int((draws < 0).sum())
        nonzero += int(np.count_nonzero(draws))
    expected = n * np.diff(np.concatenate([[0.0], reference.cdf(edges), [1.0]]))
    mean, variance = reference.score_moments()
    return {
        "shape": chi_square(counts, expected),
        "scale": two_sided((score - n * mean) / np.sqrt(n * variance)),
        "sign": two_sided(balance / np.sqrt(max(nonzero, 1))),
    }


def chi_square(counts: np.ndarray, expected: np.ndarray) -> float:
    """Return the p-value after pooling the bins that expect fewer than 20 draws."""
    rare = expected < 20
    if rare.any():
        counts = np.append(counts[~rare], counts[rare].sum())
        expected = np.append(expected[~rare], expected[rare].sum())
    if counts.size < 2 or expected[-1] < 20:  # too rare even when pooled: a handful of draws has Poisson tails
        assert rare.any()
        assert stats.poisson.sf(counts[-1] - 1, expected[-1]) > THRESHOLD
        counts, expected = counts[:-1], expected[:-1]
    statistic = ((counts - expected) ** 2 / expected).sum()
    return float(stats.chi2.sf(statistic, max(counts.size - 1, 1)))


def two_sided(z: float) -> float:
    return float(2 * stats.norm.sf(abs(z)))


def accept(reference, sample, n: int) -> None:
    found = p_values(reference, sample, n)
    assert all(p > THRESHOLD for p in found.values()), found


SCALES = [Fraction(1, 3), 1, Fraction(10, 3), 10, 0.1 + 9.9, 100, 256, 257, 1000, 12345.678, 2**20, 2**40]


@pytest.mark.parametrize("scale", SCALES, ids=str)
def test_discrete_laplace_follows_its_law(scale):
    accept(LaplaceReference(scale), lambda n: discrete_laplace(scale, n), QUICK)


@pytest.mark.parametrize("sigma", SCALES, ids=str)
def test_discrete_gaussian_follows_its_law(sigma):
    accept(GaussianReference(sigma), lambda n: discrete_gaussian(sigma, n), QUICK)


@pytest.mark.parametrize("variance", [Fraction(1, 2), 2, 50, Fraction(10**6, 7), 10**15], ids=str)
def test_discrete_gaussian_of_an_irrational_sigma_follows_its_law(variance):
    accept(GaussianReference(float(variance) ** 0.5), lambda n: discrete_gaussian_of_variance(variance, n), QUICK)


@pytest.mark.parametrize(
    "scale",
    [Fraction(1, 1000), Fraction(1, 10**6), 5e-324, Fraction(1, 10**400)],
    ids=["1e-3", "1e-6", "5e-324", "1e-400"],
)
@pytest.mark.parametrize("sampler", [discrete_laplace, discrete_gaussian, discrete_gaussian_of_variance])
def test_a_tiny_scale_gives_zeros(sampler, scale):
    """At scale 1/1000 a draw other than zero has probability 2 exp(-500) or less."""
    assert not sampler(scale, 100_000).any()


def test_a_small_scale_gives_rare_ones():
    """P(|k| = 1) is 2 exp(-10) and 2 exp(-12.5): a chi-square has nothing to count, a Poisson test has."""
    n = 20_000_000
    for sampler, scale, rate in ((discrete_laplace, 0.1, 10), (discrete_gaussian, 0.2, 12.5)):
        count = int(np.count_nonzero(sampler(scale, n)))
        expected = n * 2 * np.exp(-rate)
        assert stats.poisson.sf(count - 1, expected) > THRESHOLD
        assert stats.poisson.cdf(count, expected) > THRESHOLD


# ------------------------------------------------------------------------------ the rare paths, made common


@pytest.mark.parametrize("steps", [TINY_STEPS, replace(TINY_STEPS, cell_bits=2, word_bits=3)], ids=["4-8", "2-3"])
@pytest.mark.parametrize("scale", [Fraction(1, 3), 1, Fraction(10, 3), 12])
@pytest.mark.parametrize("kind", ["laplace", "gaussian"])
def test_forced_refinement_follows_the_law(kind, scale, steps):
    """Nearly every draw passes through all of the three steps, several times through the third."""
    law, reference = law_and_reference(kind, scale)
    source = InsecureRandom(insecure_seed=11)
    accept(reference, lambda n: draw(law, n, source, precision=steps), 40_000)


SPLIT_TOO_FAR = [("laplace", s, 4) for s in (Fraction(7, 2), 10, Fraction(100, 3))]
SPLIT_TOO_FAR += [("gaussian", s, 16) for s in (10, Fraction(100, 3), 100)]


@pytest.mark.parametrize(("kind", "scale", "coarse"), SPLIT_TOO_FAR)
def test_the_wide_path_follows_the_law_where_every_integer_can_be_counted(kind, scale, coarse):
    """Split far below its due scale: many rejections, and the polynomial step decides a good part of the coins."""
    law, reference = law_and_reference(kind, scale)
    steps = replace(DEFAULT, table_scale=2, coarse_scale=coarse)
    accept(reference, lambda n: draw(law, n, secure_random(), precision=steps), QUICK)


@pytest.mark.parametrize("scale", [Fraction(7, 2), 10])
@pytest.mark.parametrize("kind", ["laplace", "gaussian"])
def test_the_wide_path_with_forced_refinement_follows_the_law(kind, scale):
    law, reference = law_and_reference(kind, scale)
    source = InsecureRandom(insecure_seed=12)
    accept(reference, lambda n: draw(law, n, source, precision=LAYERED_TINY_STEPS), 40_000)


def law_and_reference(kind: str, scale) -> tuple[Law, object]:
    if kind == "laplace":
        return Law.laplace(Fraction(scale)), LaplaceReference(scale)
    return Law.gaussian(Fraction(scale) ** 2), GaussianReference(scale)


# ------------------------------------------------------------------------------ an independent implementation


@pytest.mark.parametrize("scale", [Fraction(1, 2), Fraction(10), Fraction(10**5)], ids=str)
@pytest.mark.parametrize("kind", ["laplace", "gaussian"])
def test_draws_agree_with_opendp(kind, scale):
    """Two-sample tests: the same law as the field's reference implementation gives (it takes the scale as a double)."""
    n = 20_000
    reference = OpenDPEngine()
    if kind == "laplace":
        theirs, ours = reference.discrete_laplace(scale, n), discrete_laplace(scale, n)
    else:
        theirs, ours = reference.discrete_gaussian(scale**2, n), discrete_gaussian(scale, n)
    edges = np.unique(np.quantile(theirs, np.linspace(0.02, 0.98, 40)).astype(np.int64))
    table = np.array([np.bincount(np.searchsorted(edges, x), minlength=edges.size + 1) for x in (theirs, ours)])
    assert stats.chi2_contingency(table[:, table.sum(axis=0) > 0]).pvalue > THRESHOLD
    assert stats.mannwhitneyu(np.abs(theirs), np.abs(ours)).pvalue > THRESHOLD


# ------------------------------------------------------------------------------ power: planted errors are seen


@pytest.mark.parametrize("error", [Fraction(101, 100), Fraction(99, 100)], ids=str)
@pytest.mark.parametrize("kind", ["laplace", "gaussian"])
@pytest.mark.parametrize("scale", [10, 1000, 2**39])
def test_one_percent_of_scale_is_seen_in_a_quick_test(kind, scale, error):
    law, _ = law_and_reference(kind, scale * error)
    _, reference = law_and_reference(kind, scale)
    assert p_values(reference, lambda n: draw(law, n, secure_random()), QUICK)["scale"] < THRESHOLD


@pytest.mark.parametrize(
    "spoil",
    [
        lambda x: np.where(x < 0, x, x + 1),  # off by one on one side
        lambda x: np.where((x == 0) & (np.arange(x.size) % 20 == 0), 1, x),  # 5 % of the zeros moved to one
        lambda x: np.where(np.abs(x) > 80, 0, x),  # a tail of probability 0.0003 cut off
        lambda x: np.where((x == 7) & (np.arange(x.size) % 20 == 0), -7, x),  # one value's sign
    ],
    ids=["off-by-one", "zeros", "tail", "sign"],
)
def test_planted_shape_errors_are_seen(spoil):
    found = p_values(LaplaceReference(10), lambda n: spoil(discrete_laplace(10, n)), QUICK)
    assert min(found["shape"], found["sign"]) < THRESHOLD


@pytest.mark.slow
@pytest.mark.parametrize("scale", [10, Fraction(10, 3), 1000, 2**40], ids=str)
@pytest.mark.parametrize("kind", ["laplace", "gaussian"])
def test_the_law_at_a_hundred_million_draws(kind, scale):
    law, reference = law_and_reference(kind, scale)
    accept(reference, lambda n: draw(law, n, secure_random()), LONG)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["laplace", "gaussian"])
@pytest.mark.parametrize("scale", [Fraction(10, 3), 10, 1000], ids=str)
@pytest.mark.parametrize("error", [Fraction(1001, 1000), Fraction(999, 1000)], ids=str)
def test_a_thousandth_of_scale_is_seen_at_a_hundred_million_draws(kind, scale, error):
    law, _ = law_and_reference(kind, scale * error)
    _, reference = law_and_reference(kind, scale)
    assert p_values(reference, lambda n: draw(law, n, secure_random()), LONG)["scale"] < THRESHOLD
