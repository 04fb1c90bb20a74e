"""What each way of publishing makes of a count: its error, the chance of a false zero, and draws from its real sampler.

All draws here are simulations on public planning counts, on a reproducible stream: a page must come out the same each
time it is built. No release ever uses it.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from pets.csprng import InsecureRandom, RandomSource
from pets.disclosure.cell_key import PTable, make_ptable
from pets.disclosure.rounding.single import round_randomly, uniform_below
from pets.dp.engines import InsecureEngine
from pets.dp.samplers import PolyaShare, SkellamShare, draw
from pets.exact import exact
from pets.tuning import curves
from pets.tuning.curves import Noise
from pets.tuning.totals import law_of

Integers = NDArray[np.int64]

BASE = 5
"""Base of the rounding that is compared, as in published tables of several statistical offices."""

VARIANCE, DEVIATION = 2, 5
"""Cell-key table that is compared: variance of the change, and its largest size."""


@dataclass(frozen=True)
class Output:
    """One way of publishing a count.

    Attributes
    ----------
    mean_square
        Mean squared error at a true count.
    false_zero
        P(published as none or fewer) at a true count of at least 1.
    draw
        ``draw(count, size, seed)``: published values of one cell.
    """

    mean_square: Callable[[int], float]
    false_zero: Callable[[int], float]
    draw: Callable[[int, int, int], Integers]


def noisy(noise: Noise) -> Output:
    """Return the publication of a count with additive noise."""

    def drawn(count: int, size: int, seed: int) -> Integers:
        return count + draw_noise(noise, size, seed)

    return Output(lambda _: noise.variance, lambda n: curves.seen_as_zero(noise, n), drawn)


def draw_noise(noise: Noise, size: int, seed: int) -> Integers:
    """Return draws of the library's own sampler on a reproducible stream."""
    if noise.kind in ("polya", "skellam"):
        return _draw_shares(noise, size, InsecureRandom(insecure_seed=seed))
    engine, law = InsecureEngine(seed), law_of(noise)
    if noise.kind == "discrete_laplace":
        return engine.discrete_laplace(law.scale, size)  # type: ignore[attr-defined]
    return engine.discrete_gaussian(law.sigma2, size)  # type: ignore[attr-defined]


def _draw_shares(noise: Noise, size: int, source: RandomSource) -> Integers:
    """Return sums of the shares that sites draw: of shape 1 together, as often as it goes, and of what is left."""
    parameter = exact(noise.parameter, "noise")
    if noise.kind == "skellam":
        return draw(SkellamShare(parameter), size, source, "rho")
    whole, rest = divmod(noise.shape, 1)
    shapes = [Fraction(1)] * whole + ([rest] if rest else [])
    parts = [draw(PolyaShare(1 / parameter, shape), size, source, "epsilon") for shape in shapes]
    return np.asarray(np.sum(parts, axis=0))


def rounding() -> Output:
    """Return unbiased random rounding."""

    def drawn(count: int, size: int, seed: int) -> Integers:
        return round_randomly(np.full(size, count, dtype=np.int64), BASE, insecure_seed=seed)

    return Output(lambda n: float((n % BASE) * (BASE - n % BASE)), lambda n: 1 - n / BASE if n < BASE else 0.0, drawn)


def cell_key() -> Output:
    """Return a cell-key table of maximum entropy."""
    table = ptable()

    def drawn(count: int, size: int, seed: int) -> Integers:
        keys = uniform_below(table.keys, (size,), InsecureRandom(insecure_seed=seed))
        return table.apply(np.full(size, count, dtype=np.int64), keys)

    def mean_square(count: int) -> float:
        return float(table.variance(min(count, table.largest)))  # larger counts share the last row

    return Output(mean_square, lambda n: float(table.law(n).get(-n, 0)), drawn)


@lru_cache(maxsize=1)
def ptable() -> PTable:
    """Return the cell-key table that is compared."""
    return make_ptable(VARIANCE, DEVIATION)


def synthetic(noise: Noise) -> Output:
    """Return artificial rows drawn from the noisy table: each cell's rows are Poisson with the noisy count as its mean.

    The best case of a synthesizer that knows this table. One that is fitted to fewer margins smooths rare cells too.
    """

    def drawn(count: int, size: int, seed: int) -> Integers:
        means = np.maximum(count + draw_noise(noise, size, 2 * seed), 0)
        return poisson(means, InsecureRandom(insecure_seed=2 * seed + 1))

    unclipped = noise.half_width(1 - 1e-12)

    def mean_square(count: int) -> float:
        if count > unclipped:
            return count + noise.variance
        weights, means = _clipped(noise, count)
        return float(weights @ (means + (means - count) ** 2))

    def false_zero(count: int) -> float:
        weights, means = _clipped(noise, count)
        return float(weights @ np.exp(-means))

    return Output(mean_square, false_zero, drawn)


def poisson(means: Integers, source: InsecureRandom) -> Integers:
    """Return a Poisson draw for each mean by inversion; for simulation only, since floats decide."""
    from scipy.special import gammaln

    uniform = (source.words(len(means)) >> np.uint64(11)).astype(np.float64) * 2.0**-53
    drawn = np.zeros(len(means), dtype=np.int64)
    for mean in np.unique(means[means > 0]).tolist():
        reach = 12 * math.isqrt(mean) + 40
        k = np.arange(max(0, mean - reach), mean + reach)
        weights = np.exp(k * math.log(mean) - mean - gammaln(k + 1))
        here = means == mean
        drawn[here] = k[0] + np.searchsorted(np.cumsum(weights), uniform[here], side="right")
    return drawn


@lru_cache(maxsize=4096)
def _clipped(noise: Noise, count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the law of max(0, count + noise): weights and values."""
    upper = np.array(noise.weights[: noise.half_width(1 - 1e-12) + 2])
    weights = np.concatenate([upper[:0:-1], upper])
    changes = np.arange(len(weights)) - (len(upper) - 1)
    return weights / math.fsum(weights), np.maximum(count + changes, 0).astype(np.float64)
