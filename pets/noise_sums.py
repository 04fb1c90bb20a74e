"""Laws of a sum of noise shares from several sites, and how far such a sum may stray."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pets.errors import InvalidArgument
from pets.exact import as_text, positive
from pets.noise import DiscreteLaplaceLaw, NoiseLaw, WeightedSumLaw

_LONGEST_TABLE = 2**17
_TAIL = 45.0
"""Natural logarithm of the mass, negated, that a table leaves out."""

_LARGEST_SCALE, _LARGEST_SHAPE = 2**40, 2**32


@dataclass(frozen=True, slots=True)
class PolyaDifferenceLaw:
    """Law of the difference of two negative binomial variables: a generalised discrete Laplace law.

    With shape n/h it is the law of n noise shares of which h make a discrete Laplace law; shape 1 is that law.

    Parameters
    ----------
    scale
        Positive exact rational: the ratio of the two variables is exp(-1 / scale).
    shape
        Positive exact rational.

    References
    ----------
    Lekshmi and Sebastian, *A skewed generalized discrete Laplace distribution*, IJMSI 2014.
    """

    scale: Fraction
    shape: Fraction

    def __post_init__(self) -> None:
        object.__setattr__(self, "scale", _limited(self.scale, "scale", _LARGEST_SCALE))
        object.__setattr__(self, "shape", _limited(self.shape, "shape", _LARGEST_SHAPE))

    @property
    def variance(self) -> float:
        """2 shape q / (1 - q)^2 with q = exp(-1 / scale)."""
        x = float(1 / self.scale)
        return 0.0 if x > 700 else float(self.shape) * 0.5 / math.sinh(x / 2) ** 2

    def cdf(self, k: int) -> float:
        """Return P(Z <= k), from a table; for wide laws from the characteristic function."""
        return _cdf(self, k)

    def pmf(self, k: int) -> float:
        """Return P(Z = k)."""
        return _pmf(self, k)

    @property
    def error(self) -> float:
        """How far off :meth:`cdf` may be."""
        return _error(self)

    def characteristic(self, frequency: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return E[exp(i frequency Z)]: that of the discrete Laplace law to the power `shape`."""
        sinh2 = math.sinh(min(float(1 / self.scale), 700.0) / 2) ** 2
        return np.asarray((sinh2 / (sinh2 + np.sin(frequency / 2) ** 2)) ** float(self.shape))

    def reach(self, exponent: float) -> int:
        """Return B with P(abs(Z) > B) <= exp(-exponent), by Chernoff's bound."""
        s, r = float(self.scale), float(self.shape)
        x = np.geomspace(1e-6, 1, 2000, endpoint=False)  # of the tilt's limit 1 / scale
        parts = 2 * math.log(-math.expm1(-1 / s)) - np.log(-np.expm1((x - 1) / s)) - np.log(-np.expm1(-(x + 1) / s))
        return _chernoff(r * parts, x / s, exponent)

    def tail_ratios(self, end: int) -> NDArray[np.float64]:
        """Return P(k) / P(k-1) for k = 1..end, by the recursion of :mod:`pets.dp.samplers.shares`."""
        q, r = math.exp(-1 / float(self.scale)), float(self.shape)
        ratio, ratios = q, np.empty(end)
        for k in range(end, 0, -1):
            ratio = q * (k - 1 + r) / ((1 + q * q) * k - q * (k + 1 - r) * ratio)
            ratios[k - 1] = ratio
        return ratios

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {"type": "polya_difference", "scale": as_text(self.scale), "shape": as_text(self.shape)}


@dataclass(frozen=True, slots=True)
class SkellamLaw:
    """Law of the difference of two Poisson variables, each of mean ``sigma2 / 2``.

    Parameters
    ----------
    sigma2
        Positive exact rational: the variance.
    """

    sigma2: Fraction

    def __post_init__(self) -> None:
        object.__setattr__(self, "sigma2", _limited(self.sigma2, "sigma2", _LARGEST_SCALE**2))

    @property
    def variance(self) -> float:
        """The parameter."""
        return float(self.sigma2)

    def cdf(self, k: int) -> float:
        """Return P(Z <= k), from a table; for wide laws from the characteristic function."""
        return _cdf(self, k)

    def pmf(self, k: int) -> float:
        """Return P(Z = k)."""
        return _pmf(self, k)

    @property
    def error(self) -> float:
        """How far off :meth:`cdf` may be."""
        return _error(self)

    def characteristic(self, frequency: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return E[exp(i frequency Z)] = exp(-2 sigma2 sin(frequency / 2)^2)."""
        return np.asarray(np.exp(-2 * float(self.sigma2) * np.sin(frequency / 2) ** 2))

    def reach(self, exponent: float) -> int:
        """Return B with P(abs(Z) > B) <= exp(-exponent), by Chernoff's bound."""
        tilt = np.geomspace(1e-14, 600, 20_000)
        return _chernoff(2 * float(self.sigma2) * np.sinh(tilt / 2) ** 2, tilt, exponent)

    def tail_ratios(self, end: int) -> NDArray[np.float64]:
        """Return P(k) / P(k-1) for k = 1..end, by the recursion of the Bessel functions."""
        variance = float(self.sigma2)
        ratio, ratios = variance / (2 * end + 2), np.empty(end)
        for k in range(end, 0, -1):
            ratio = variance / (2 * k + variance * ratio)
            ratios[k - 1] = ratio
        return ratios

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {"type": "skellam", "sigma2": as_text(self.sigma2)}


def gaussian_sum_reach(sigma2: Fraction, copies: int, exponent: float) -> int:
    """Return B with P(abs(Z) > B) <= exp(-exponent) for a sum of discrete Gaussians, which is sub-Gaussian.

    Canonne, Kamath, Steinke 2020: E[exp(t Z)] <= exp(t^2 sigma2 / 2) for each.
    """
    return math.ceil(math.sqrt(2 * float(sigma2) * copies * (exponent + math.log(2))) * (1 + 1e-12))


def _chernoff(log_mgf: NDArray[np.float64], tilt: NDArray[np.float64], exponent: float) -> int:
    """Return B with 2 exp(log_mgf - tilt B) <= exp(-exponent) at the best tilt given; any is valid."""
    bound = float(((log_mgf * (1 + 1e-9) + exponent + math.log(2)) / tilt).min())
    return math.ceil(bound * (1 + 1e-9))


def _limited(value: object, argument: str, largest: int) -> Fraction:
    number = positive(value, argument)
    if not Fraction(1, 2**200) <= number <= largest:
        raise InvalidArgument(argument, f"must be between 2**-200 and {largest}")
    return number


_SumLaw = PolyaDifferenceLaw | SkellamLaw


def _cdf(law: _SumLaw, k: int) -> float:
    if k >= 0:
        return 1 - _cdf(law, -k - 1)
    if not _tabulated(law):
        return WeightedSumLaw(((law, 1, 1),)).cdf(k)
    sums = _table(law)[1]
    return float(sums[-k]) if -k < len(sums) else 0.0


def _pmf(law: _SumLaw, k: int) -> float:
    if not _tabulated(law):
        return WeightedSumLaw(((law, 1, 1),)).pmf(k)
    table = _table(law)[0]
    return float(table[abs(k)]) if abs(k) < len(table) else 0.0


def _error(law: _SumLaw) -> float:
    return 1e-13 if _tabulated(law) else 1e-8


@lru_cache(maxsize=256)
def _tabulated(law: _SumLaw) -> bool:
    """Return whether the law is narrow enough for a table."""
    return law.reach(_TAIL) <= _LONGEST_TABLE


@lru_cache(maxsize=64)
def _table(law: _SumLaw) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return P(Z = k) and P(Z >= k) for k = 0, 1, ...

    The ratios are computed downwards, where each step shrinks the error of the one before; the start is far enough out.
    """
    weights = np.cumprod(np.concatenate([[1.0], law.tail_ratios(law.reach(_TAIL) + 100)]))
    sums = np.cumsum(weights[::-1])[::-1]
    total = 2 * sums[0] - 1
    return weights / total, sums / total


def shares_law(law: _SumLaw) -> NoiseLaw:
    """Return the law in its simplest form: of shape 1, it is the discrete Laplace law."""
    if isinstance(law, PolyaDifferenceLaw) and law.shape == 1:
        return DiscreteLaplaceLaw(law.scale)
    return law
