"""Noise in shares: each site adds a part, so that nobody ever holds the exact total.

Every site draws for `honest` sites: the shares of any `honest` of them add up to noise that keeps the whole promise by
itself. What further sites add is independent of it, hence a post-processing that can only help, whether or not they
tell their shares to others. So ``guarantee(query)`` stays what it is, for everyone but a coalition that leaves fewer
than `honest` of the sites in the total both honest and silent.

Sites, drop-outs and colluders enter through ``honest = sites in the total at least - colluders``; each share has the
same law whoever drops out later.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pets.csprng import RandomSource, secure_random
from pets.dp.additive import AdditiveNoise
from pets.dp.samplers import Law, PolyaShare, SkellamShare, draw
from pets.dp.skellam import skellam_variance
from pets.error_model import ErrorModel
from pets.errors import InvalidArgument
from pets.noise import DiscreteGaussianLaw, NoiseLaw, NoNoise, sum_of
from pets.noise_sums import PolyaDifferenceLaw, SkellamLaw, gaussian_sum_reach, shares_law
from pets.query import Block, BoundQuery
from pets.tally import Tally

MOST_SITES = 2**16

_FAILURE_BITS = 64
SMOOTH = 8
"""Variance of a share from which discrete Gaussians add up to a discrete Gaussian but for less than 2**-60."""


class Shares(Protocol):
    """Noise of which each of several sites draws a part."""

    def draw(self, size: int, source: RandomSource) -> NDArray[np.int64]:
        """Return one site's share for `size` cells."""
        ...

    def total(self, sites: int) -> NoiseLaw:
        """Return the law of the sum of the shares of `sites` sites."""
        ...

    def reach(self, sites: int, exponent: float) -> int:
        """Return B with P(abs(sum of `sites` shares) > B) <= exp(-exponent)."""
        ...


@dataclass(frozen=True, slots=True)
class PolyaShares:
    """Shares of discrete Laplace noise: `honest` of them have exactly that law together.

    Each is the difference of two negative binomial variables of shape 1 / honest.

    References
    ----------
    Goryczka and Xiong, IEEE TDSC 2017. Bagdasaryan, Kairouz, Mellem, Gascón, Bonawitz, Estrin, Gruteser, *Towards
    sparse federated analytics: location heatmaps under distributed differential privacy*, PoPETs 2022 (Polya noise).
    """

    scale: Fraction
    honest: int

    def draw(self, size: int, source: RandomSource) -> NDArray[np.int64]:
        """Return one site's share."""
        if self.honest == 1:
            return draw(Law.laplace(self.scale), size, source, "epsilon")
        return draw(PolyaShare(self.scale, Fraction(1, self.honest)), size, source, "epsilon")

    def total(self, sites: int) -> NoiseLaw:
        """Return the generalised discrete Laplace law of shape sites / honest."""
        return shares_law(self._sum(sites))

    def reach(self, sites: int, exponent: float) -> int:
        """Return a bound by Chernoff's inequality."""
        return self._sum(sites).reach(exponent)

    def _sum(self, sites: int) -> PolyaDifferenceLaw:
        return PolyaDifferenceLaw(self.scale, Fraction(sites, self.honest))


@dataclass(frozen=True, slots=True)
class SkellamShares:
    """Shares of Skellam noise of the given total variance: any number of them is Skellam again."""

    variance: Fraction
    honest: int

    def draw(self, size: int, source: RandomSource) -> NDArray[np.int64]:
        """Return one site's share."""
        return draw(SkellamShare(self.variance / self.honest), size, source, "rho")

    def total(self, sites: int) -> NoiseLaw:
        """Return the Skellam law of variance ``variance sites / honest``."""
        return SkellamLaw(self.variance * sites / self.honest)

    def reach(self, sites: int, exponent: float) -> int:
        """Return a bound by Chernoff's inequality."""
        return SkellamLaw(self.variance * sites / self.honest).reach(exponent)


@dataclass(frozen=True, slots=True)
class GaussianShares:
    """Shares that are discrete Gaussians of the given variance each."""

    sigma2: Fraction

    def draw(self, size: int, source: RandomSource) -> NDArray[np.int64]:
        """Return one site's share."""
        return draw(Law.gaussian(self.sigma2), size, source, "rho")

    def total(self, sites: int) -> NoiseLaw:
        """Return the law of the sum, which is not quite a discrete Gaussian."""
        return sum_of((DiscreteGaussianLaw(self.sigma2), 1, sites))

    def reach(self, sites: int, exponent: float) -> int:
        """Return a bound from sub-Gaussian tails."""
        return gaussian_sum_reach(self.sigma2, sites, exponent)


def concentrated_shares(sigma2: Fraction, honest: int) -> Shares:
    """Return shares of which `honest` cost no more zCDP than discrete Gaussian noise of variance `sigma2`.

    * Share variance below 8: Skellam, closed under summation, its zCDP verified (:mod:`pets.dp.skellam`). Costs a
      thousandth and 1/16 more variance.
    * From 8 on: discrete Gaussians, whose sum is not one, but nearly. With n shares of variance s each, one unit in
      one cell costs at most ``(1 / sqrt(n s) + tau)**2 / 2`` of zCDP, tau = 10 sum over k < n of exp(-2 pi^2 s k /
      (k+1)) <= 10 n exp(-pi^2 s) (Kairouz, Liu, Steinke 2021, Proposition 14, in one dimension; n of at most 2**16).
      With n s = sigma2 (1 + 2**-60) this is at most 1 / (2 sigma2), as 3 tau sqrt(sigma2) < 2**-60 from s = 8 on. More
      units in a cell and more cells follow as in :mod:`pets.dp.skellam`.

    References
    ----------
    P. Kairouz, Z. Liu, T. Steinke, *The distributed discrete Gaussian mechanism for federated learning with secure
    aggregation*, ICML 2021.
    """
    if sigma2 < SMOOTH * honest:
        return SkellamShares(skellam_variance(sigma2), honest)
    return GaussianShares(sigma2 * (1 + Fraction(1, 2**60)) / honest)


class SharedNoise(AdditiveNoise):
    """An additive mechanism whose noise sites can draw in shares; see :class:`pets.roles.Distributable`."""

    @abstractmethod
    def shares(self, law: NoiseLaw, honest: int) -> Shares:
        """Return shares of which any `honest` keep the promise that `law` (one of :meth:`laws`) keeps."""

    def noise_share(self, query: BoundQuery, sites: int, honest: int, *, source: RandomSource | None = None) -> Tally:
        """Return one site's share of the noise, to be added to its tally before the secure sum.

        Parameters
        ----------
        query
            The question.
        sites
            Number of sites that take part, at most 65,536.
        honest
            How many sites' noise is in every total and known to nobody else: 1 to `sites`.
        source
            Where random bits come from: the process's secure generator when left out. A session that must draw the same
            share again after a crash gives the stream that it keeps sealed.

        Raises
        ------
        InvalidArgument
            `sites` or `honest` is out of range, or the mechanism's engine draws no shares.
        EntropyError
            The operating system gives no secure randomness.

        Notes
        -----
        A sum that wraps around in the ring of a secure sum is decoded as another number, of which the true noisy total
        decides alone: a post-processing, so the guarantee needs no delta for it. In wide laws (scale above 256) a jump
        of 2**62 or more, of probability below exp(-2**21) at the largest scale, comes out as a smaller one.
        """
        _check_sites(sites, honest)
        if self.engine != "pets":
            raise InvalidArgument("engine", "draws no noise in shares", "Use engine='pets'.")
        generator = secure_random() if source is None else source
        return Tally(np.concatenate(list(self._parts(query, honest, generator))), query.signature)

    def distributed_error(self, query: BoundQuery, sites: int, honest: int) -> ErrorModel:
        """Return the exact law of the error of each cell when `sites` sites have added shares drawn for `honest`."""
        _check_sites(sites, honest)
        return ErrorModel(query, tuple(NoNoise() if s is None else s.total(sites) for s in self._all(query, honest)))

    def noise_bound(self, query: BoundQuery, sites: int, honest: int) -> int:
        """Return B such that no cell of the sum of `sites` shares leaves +/- B, but for probability 2**-64 in all."""
        _check_sites(sites, honest)
        return self._reach(query, sites, honest, 1)

    def share_bound(self, query: BoundQuery, sites: int, honest: int) -> int:
        """Return B such that no cell of any of `sites` shares leaves +/- B, but for probability 2**-64 in all."""
        _check_sites(sites, honest)
        return self._reach(query, 1, honest, sites)

    def _all(self, query: BoundQuery, honest: int) -> tuple[Shares | None, ...]:
        return tuple(None if isinstance(law, NoNoise) else self.shares(law, honest) for law in self.laws(query))

    def _reach(self, query: BoundQuery, summed: int, honest: int, times: int) -> int:
        exponent = _FAILURE_BITS * math.log(2) + math.log(max(1, query.size * times)) + 1e-9
        return max((s.reach(summed, exponent) for s in self._all(query, honest) if s is not None), default=0)

    def _parts(self, query: BoundQuery, honest: int, source: RandomSource) -> Iterator[NDArray[np.int64]]:
        for block, shares in zip(query.blocks, self._all(query, honest), strict=True):
            yield _block_share(block, shares, source)


def _block_share(block: Block, shares: Shares | None, source: RandomSource) -> NDArray[np.int64]:
    if shares is None:
        return np.zeros(block.size, dtype=np.int64)
    if block.impossible is None:
        return shares.draw(block.size, source)
    noise = np.zeros(block.size, dtype=np.int64)
    noise[block.free()] = shares.draw(block.noised, source)
    return noise


def _check_sites(sites: object, honest: object) -> None:
    for name, number in (("sites", sites), ("honest", honest)):
        if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= MOST_SITES:
            raise InvalidArgument(name, f"must be a whole number from 1 to {MOST_SITES}")
    if honest > sites:  # type: ignore[operator]
        raise InvalidArgument("honest", "is more than there are sites")
