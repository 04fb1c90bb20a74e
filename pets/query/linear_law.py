"""Law of a weighted sum of independent integer noises with fractional weights: the error of a reconstructed value."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pets.errors import InvalidArgument
from pets.noise import NoiseLaw, NoNoise, characteristic, half_width, sum_of

_LONGEST_LATTICE = 2**17
_FREQUENCIES = 2**11
_LUMPY, _MANY = 1e-10, 2**14
"""Where the last coefficients are still larger, the law has lumps (wide steps of a few large masses), and more of them
are taken."""

_DAMPED, _BEYOND = 6.5, 6.0
"""The law of a lumpy error is evaluated with so much normal noise added that the series ends at exp(-6.5^2 / 2); six of
its standard deviations are added to an interval, which the normal noise leaves with probability 2e-9."""

Term = tuple[NoiseLaw, Fraction, int]
"""A noise, its weight, and how many independent copies have it."""


@dataclass(frozen=True)
class LinearLaw:
    """Law of ``sum(weight * Z_i)`` over independent symmetric integer noises.

    The values lie on the lattice of the weights' greatest common divisor, `step`. Where it is coarse beside the
    standard deviation, the law is evaluated exactly on it (:class:`~pets.noise.WeightedSumLaw`). Where it is finer than
    2**-12 standard deviations, it is evaluated as continuous, by its Fourier series. Where that does not converge,
    because few values have most of the mass (a large epsilon), a little normal noise is added to the law first, and an
    interval is widened by six of its standard deviations, about 3 % of the error's: so it covers what it says.

    Parameters
    ----------
    terms
        Tuples of a law, a positive weight and a number of independent copies; see :func:`linear`.
    """

    terms: tuple[Term, ...]

    @cached_property
    def variance(self) -> float:
        """Sum of ``copies * weight^2 * variance``, exact for the discrete laws."""
        return math.fsum(copies * float(weight) ** 2 * law.variance for law, weight, copies in self.terms)

    @cached_property
    def step(self) -> Fraction:
        """Distance of neighbouring values."""
        bottom = math.lcm(*(weight.denominator for _, weight, _ in self.terms))
        return Fraction(math.gcd(*(int(weight * bottom) for _, weight, _ in self.terms)), bottom)

    @cached_property
    def fine(self) -> bool:
        """Whether the lattice is so fine that the law is evaluated as continuous."""
        return 24 * math.sqrt(self.variance) > float(self.step) * _LONGEST_LATTICE

    @cached_property
    def lattice_law(self) -> NoiseLaw:
        """The law in units of `step`."""
        return sum_of(*((law, int(weight / self.step), copies) for law, weight, copies in self.terms))

    @property
    def error(self) -> float:
        """How far off :meth:`cdf` may be: where the law is taken as continuous, the mass of one place.

        Beside a lump it may be off by that lump's mass, since its place is blurred.
        """
        return 0.5 * float(self.step) / math.sqrt(self.variance) if self.fine else 1e-8

    def cdf(self, k: int | float) -> float:
        """Return P(E <= k)."""
        if not self.fine:
            return self.lattice_law.cdf(math.floor(Fraction(k) / self.step))
        return 0.5 + math.copysign(self._within(abs(float(k))) / 2, k)

    def pmf(self, k: int) -> float:
        """Return P(E = k); 0 where the law is evaluated as continuous."""
        places = Fraction(k) / self.step
        return 0.0 if self.fine or places.denominator > 1 else self.lattice_law.pmf(int(places))

    def half_width(self, level: float) -> float:
        """Return a q with P(abs(E) <= q) >= level, the smallest up to one `step` and the blur of a lumpy law."""
        if not self.fine:
            return half_width(self.lattice_law, level) * float(self.step)
        if isinstance(level, bool) or not isinstance(level, int | float) or not 0 < level < 1:
            raise InvalidArgument("level", "must be strictly between 0 and 1", "For 95 % intervals give level=0.95.")
        return _fine_half_width(self, level)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        terms = [{"law": law.to_dict(), "weight": str(weight), "copies": copies} for law, weight, copies in self.terms]
        return {"type": "linear", "terms": terms}

    @cached_property
    def _series(self) -> tuple[float, NDArray[np.float64], float]:
        """Return the period and the coefficients of P(abs(E) <= t), and how much normal noise is in it."""
        reach = max(float(weight) * half_width(law, 1 - 1e-15) for law, weight, _ in self.terms)
        period = 2 * (12 * math.sqrt(self.variance) + reach)
        product, blur = self._spectrum(period, _FREQUENCIES), 0.0
        if float(np.abs(product[-_FREQUENCIES // 4 :]).max()) > _LUMPY:
            blur = _DAMPED * period / (2 * math.pi * _MANY)
            waves = 2 * np.pi / period * np.arange(1, _MANY + 1)
            product = self._spectrum(period, _MANY) * np.exp(-((waves * blur) ** 2) / 2)
        return period, 2 * product / (np.pi * np.arange(1, len(product) + 1)), blur

    def _spectrum(self, period: float, size: int) -> NDArray[np.float64]:
        index, product = np.arange(1, size + 1), np.ones(size)
        for law, weight, copies in self.terms:
            product *= (
                characteristic(law, np.asarray(2 * np.pi / period * float(weight) * index, dtype=np.float64)) ** copies
            )
        return product

    def _within(self, t: float) -> float:
        period, coefficients, _ = self._series
        if 2 * t >= period:
            return 1.0
        waves = np.sin(np.arange(1, len(coefficients) + 1) * (2 * np.pi * t / period))
        return min(1.0, max(0.0, 2 * t / period + float(coefficients @ waves)))


def linear(terms: Iterable[Term]) -> NoiseLaw:
    """Return the law of a weighted sum in its simplest form; weights that differ by sign only are joined."""
    copies: Counter[tuple[NoiseLaw, Fraction]] = Counter()
    for law, weight, count in terms:
        if weight and count and law.variance:
            copies[law, abs(weight)] += count
    kept = tuple((law, weight, count) for (law, weight), count in copies.items())
    if not kept:
        return NoNoise()
    if len(kept) == 1 and kept[0][1] == 1 and kept[0][2] == 1:
        return kept[0][0]
    return LinearLaw(kept)


def real_half_width(law: NoiseLaw, level: float) -> float:
    """Return a q with P(abs(E) <= q) >= level, which need not be whole."""
    return law.half_width(level) if isinstance(law, LinearLaw) else float(half_width(law, level))


@lru_cache(maxsize=4096)
def _fine_half_width(law: LinearLaw, level: float) -> float:
    blur = law._series[2]
    wanted = min(level + 3e-9, (1 + level) / 2) if blur else level
    low, high = 0.0, math.sqrt(law.variance)
    while law._within(high) < wanted:
        low, high = high, 2 * high
    for _ in range(45 if blur else 60):
        middle = (low + high) / 2
        low, high = (low, middle) if law._within(middle) >= wanted else (middle, high)
    return high * (1 + 1e-9) + float(law.step) + _BEYOND * blur
