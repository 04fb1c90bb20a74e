"""Laws of integer noise: what is known of the error before it is drawn.

Everything a release says about its own accuracy (standard errors, intervals, the chance that a true case
is published as zero) is computed here from the exact law of the noise, never from a normal approximation.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any, Protocol, cast, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from pets.config import as_config_error
from pets.errors import ConfigError, InvalidArgument, did_you_mean
from pets.exact import as_text, exact, positive

_TAIL = 1e-18
"""Probability mass that a truncated table may leave out on each side."""

_FREQUENCIES = 2**16
"""Longest Fourier series of a sum; a longer one is cut, with an error below 1e-8."""

_SMALLEST, _LARGEST = Fraction(1, 2**1000), 2**62
"""Range of scales: below, the noise is zero in any float; above, it leaves 64 bits."""


@runtime_checkable
class NoiseLaw(Protocol):
    """Law of an integer-valued error that is symmetric about zero. Frozen, so that its tables can be kept."""

    def __hash__(self) -> int: ...

    @property
    def variance(self) -> float:
        """Variance in squared units of the tally."""
        ...

    def cdf(self, k: int) -> float:
        """Return P(Z <= k)."""
        ...

    def pmf(self, k: int) -> float:
        """Return P(Z = k)."""
        ...

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, see :func:`law_from_dict`."""
        ...


def half_width(law: NoiseLaw, level: float) -> int:
    """Return the smallest q with P(abs(Z) <= q) >= level.

    ``[value - q, value + q]`` then contains the true integer with at least that probability, whatever
    the truth is. What the law's evaluation may be wrong by is taken against us (1e-13, for sums of very wide
    noises 1e-8).

    Raises
    ------
    InvalidArgument
        `level` is not strictly between 0 and 1.
    """
    if isinstance(level, bool) or not isinstance(level, int | float) or not 0 < level < 1:
        raise InvalidArgument("level", "must be strictly between 0 and 1", "For 95 % intervals give level=0.95.")
    error = getattr(law, "error", 1e-13)
    target = min(1 - (1 - level) / 2 + error, 1 - 1e-16)
    return _search(law, target)


@lru_cache(maxsize=4096)
def _search(law: NoiseLaw, target: float) -> int:
    """Return the smallest k >= 0 with cdf(k) >= target, by doubling and bisection."""
    high = 1
    while law.cdf(high - 1) < target and high < 1 << 160:
        high *= 2
    low = -1
    high -= 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if law.cdf(middle) >= target else (middle, high)
    return high


def probability_not_positive(law: NoiseLaw, count: int) -> float:
    """Return P(count + Z <= 0): the chance that `count` true cases are published as none."""
    return law.cdf(-int(count))


@dataclass(frozen=True, slots=True)
class NoNoise:
    """The exact value."""

    @property
    def variance(self) -> float:
        """Zero."""
        return 0.0

    def cdf(self, k: int) -> float:
        """Return 1 from zero on."""
        return float(k >= 0)

    def pmf(self, k: int) -> float:
        """Return 1 at zero."""
        return float(k == 0)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {"type": "none"}


@dataclass(frozen=True, slots=True)
class DiscreteLaplaceLaw:
    """P(k) proportional to exp(-abs(k) / scale) on the integers.

    Parameters
    ----------
    scale
        Positive exact rational, in units of the tally.

    References
    ----------
    Ghosh, Roughgarden, Sundararajan, *Universally utility-maximizing privacy mechanisms*, SICOMP 2012.
    """

    scale: Fraction

    def __post_init__(self) -> None:
        object.__setattr__(self, "scale", _in_range(self.scale, "scale", 1))

    @property
    def variance(self) -> float:
        """2 a / (1 - a)^2 with a = exp(-1 / scale)."""
        x = float(1 / self.scale)
        # 2a/(1-a)^2 = 1/(2 sinh^2(x/2)), without cancellation for large scales.
        return 0.0 if x > 700 else 0.5 / math.sinh(x / 2) ** 2

    def cdf(self, k: int) -> float:
        """Return P(Z <= k) in closed form."""
        x = float(1 / self.scale)
        below = math.exp(-x * (abs(k) + (k >= 0))) / (1 + math.exp(-x))
        return 1 - below if k >= 0 else below

    def pmf(self, k: int) -> float:
        """Return P(Z = k) in closed form."""
        x = float(1 / self.scale)
        return math.tanh(x / 2) * math.exp(-x * abs(k))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {"type": "discrete_laplace", "scale": as_text(self.scale)}


@dataclass(frozen=True, slots=True)
class DiscreteGaussianLaw:
    """P(k) proportional to exp(-k^2 / (2 sigma2)) on the integers.

    Parameters
    ----------
    sigma2
        Positive exact rational: the square of sigma, in squared units of the tally. The variance of the
        law is slightly smaller.

    References
    ----------
    Canonne, Kamath, Steinke, *The discrete Gaussian for differential privacy*, NeurIPS 2020.
    """

    sigma2: Fraction

    def __post_init__(self) -> None:
        object.__setattr__(self, "sigma2", _in_range(self.sigma2, "sigma2", 2))

    @property
    def variance(self) -> float:
        """Variance of the discrete law, by summation (equal to sigma2 to machine precision from sigma = 3 on)."""
        if self.sigma2 > 64:
            return float(self.sigma2)
        table = _gaussian_table(self.sigma2)
        support = np.arange(len(table)) - len(table) // 2
        return float(np.sum(table * support.astype(np.float64) ** 2))

    def cdf(self, k: int) -> float:
        """Return P(Z <= k).

        By summation up to sigma = 1,000; beyond, by the midpoint rule with its first Euler-Maclaurin term. The
        next term is below 1e-15.
        """
        if k >= 0:
            return 1 - self.cdf(-k - 1)
        if self.sigma2 <= 10**6:
            return _at(_gaussian_cumulative(self.sigma2), k)
        z = (k + 0.5) / math.sqrt(float(self.sigma2))
        density = math.exp(-(z**2) / 2) / math.sqrt(2 * math.pi)
        return max(0.0, 0.5 * math.erfc(-z / math.sqrt(2)) + z * density / (24 * float(self.sigma2)))

    def pmf(self, k: int) -> float:
        """Return P(Z = k)."""
        if self.sigma2 > 10**6:
            return math.exp(-(k**2) / (2 * float(self.sigma2))) / math.sqrt(2 * math.pi * float(self.sigma2))
        return float(_at(_gaussian_table(self.sigma2), k))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {"type": "discrete_gaussian", "sigma2": as_text(self.sigma2)}


@dataclass(frozen=True, slots=True)
class WeightedSumLaw:
    """Law of ``sum(weight * Z_i)`` over independent copies: ``terms`` holds (law, weight, copies).

    Needed where a published number adds several noisy cells: margins, pooled registries, quantiles. Evaluated by
    the Fourier series of P(abs(Z) <= k), whose coefficients are products of the closed characteristic functions;
    its period leaves out less than 1e-15 of the mass.

    Parameters
    ----------
    terms
        Tuples of a law, a non-zero integer weight and a positive number of independent copies.
    """

    terms: tuple[tuple[NoiseLaw, int, int], ...]

    @property
    def variance(self) -> float:
        """Sum of ``copies * weight^2 * variance``."""
        return sum(copies * weight**2 * law.variance for law, weight, copies in self.terms)

    def cdf(self, k: int) -> float:
        """Return P(Z <= k)."""
        step = math.gcd(*(weight for _, weight, _ in self.terms))
        terms = tuple((law, weight // step, copies) for law, weight, copies in self.terms)
        tail = (1 - _within(terms, (k if k >= 0 else -k - 1) // step)) / 2
        return 1 - tail if k >= 0 else tail

    @property
    def error(self) -> float:
        """How far off :meth:`cdf` may be."""
        return 1e-8 if len(_series(self.terms)[1]) == _FREQUENCIES else 1e-13

    def pmf(self, k: int) -> float:
        """Return P(Z = k)."""
        return max(0.0, self.cdf(k) - self.cdf(k - 1))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        terms = [{"law": law.to_dict(), "weight": weight, "copies": copies} for law, weight, copies in self.terms]
        return {"type": "sum", "terms": terms}


def sum_of(*terms: tuple[NoiseLaw, int, int]) -> NoiseLaw:
    """Return the law of a weighted sum of independent noises, in its simplest form.

    Sums of sums are flattened and equal terms counted once, so that pooling many sites or adding many cells stays
    cheap: every law here is symmetric, so the sign of a weight does not matter.
    """
    for law, _, _ in terms:
        # Laws that are bounds for any true value, and no symmetric ones, know how to be summed.
        summed = getattr(law, "summed", None)
        if summed is not None:
            return cast("NoiseLaw", summed(terms))
    copies: Counter[tuple[NoiseLaw, int]] = Counter()
    for law, weight, count in terms:
        if weight == 0 or count <= 0 or law.variance == 0:
            continue
        for inner, inner_weight, inner_count in law.terms if isinstance(law, WeightedSumLaw) else ((law, 1, 1),):
            copies[inner, abs(weight * inner_weight)] += count * inner_count
    kept = tuple((law, weight, count) for (law, weight), count in copies.items())
    if not kept:
        return NoNoise()
    if len(kept) == 1 and kept[0][1:] == (1, 1):
        return kept[0][0]
    return WeightedSumLaw(kept)


_TYPES = [
    "none",
    "discrete_laplace",
    "discrete_gaussian",
    "polya_difference",
    "skellam",
    "rounding",
    "rounding_sum",
    "sum",
]


def law_from_dict(data: object) -> NoiseLaw:
    """Rebuild a law from :meth:`NoiseLaw.to_dict`.

    Raises
    ------
    ConfigError
        `data` is no such document.
    """
    if not isinstance(data, Mapping) or not isinstance(data.get("type"), str):
        raise ConfigError("noise", "must be a table with a 'type'")
    kind = data["type"]
    if kind == "none":
        return NoNoise()
    with as_config_error("noise"):
        if kind == "discrete_laplace":
            return DiscreteLaplaceLaw(exact(data.get("scale"), "scale"))
        if kind == "discrete_gaussian":
            return DiscreteGaussianLaw(exact(data.get("sigma2"), "sigma2"))
        if kind in ("rounding", "rounding_sum"):
            return _rounding_law(data)
        if kind in ("polya_difference", "skellam"):
            return _share_law(data)
    if kind == "sum" and isinstance(data.get("terms"), list):
        return sum_of(*(_term(term) for term in data["terms"]))
    raise ConfigError("noise.type", "is not a known law", did_you_mean(kind, _TYPES))


def _share_law(data: Mapping[str, Any]) -> NoiseLaw:
    from pets.noise_sums import PolyaDifferenceLaw, SkellamLaw

    if data["type"] == "skellam":
        return SkellamLaw(exact(data.get("sigma2"), "sigma2"))
    return PolyaDifferenceLaw(exact(data.get("scale"), "scale"), exact(data.get("shape"), "shape"))


def _rounding_law(data: Mapping[str, Any]) -> NoiseLaw:
    from pets.noise_rounding import RoundingLaw, RoundingSumLaw

    if data["type"] == "rounding_sum":
        return RoundingSumLaw(data.get("squares"), data.get("largest"))  # type: ignore[arg-type]
    return RoundingLaw(data.get("base"), data.get("largest"), data.get("unbiased"))  # type: ignore[arg-type]


def _term(data: object) -> tuple[NoiseLaw, int, int]:
    if not isinstance(data, Mapping):
        raise ConfigError("noise.terms", "must hold tables")
    weight, copies = data.get("weight"), data.get("copies")
    whole = all(isinstance(n, int) and not isinstance(n, bool) and abs(n) < 2**31 for n in (weight, copies))
    inner = data.get("law")
    if not whole or not isinstance(inner, Mapping) or inner.get("type") == "sum":
        raise ConfigError("noise.terms", "needs a simple law, a whole weight and a whole number of copies")
    return law_from_dict(inner), int(weight), int(copies)  # type: ignore[arg-type]


def _in_range(value: object, argument: str, power: int) -> Fraction:
    number = positive(value, argument)
    if not _SMALLEST <= number <= _LARGEST**power:
        raise InvalidArgument(argument, f"must be between 2**-1000 and 2**{62 * power}")
    return number


def _at(table: NDArray[np.float64], k: int) -> float:
    """Read a table centred on zero."""
    index = k + len(table) // 2
    return float(table[index]) if 0 <= index < len(table) else 0.0


@lru_cache(maxsize=64)
def _gaussian_table(sigma2: Fraction) -> NDArray[np.float64]:
    reach = math.ceil(math.sqrt(-2 * math.log(_TAIL) * float(sigma2))) + 2
    support = np.arange(-reach, reach + 1, dtype=np.float64)
    weights = np.exp(-(support**2) / (2 * float(sigma2)))
    return np.asarray(weights / weights.sum())


@lru_cache(maxsize=64)
def _gaussian_cumulative(sigma2: Fraction) -> NDArray[np.float64]:
    return np.cumsum(_gaussian_table(sigma2))


@lru_cache(maxsize=64)
def _series(terms: tuple[tuple[NoiseLaw, int, int], ...]) -> tuple[int, NDArray[np.float64]]:
    """Return period and coefficients of the Fourier series of P(abs(Z) <= k), which :func:`_within` sums up."""
    deviation = math.sqrt(sum(n * w**2 * law.variance for law, w, n in terms))
    longest = max(abs(w) * (_reach(law) + 1) for law, w, _ in terms)
    period = 2 * math.ceil(12 * deviation + longest) + 17
    angle = np.arange(1, min(period // 2, _FREQUENCIES) + 1, dtype=np.float64)
    angle *= np.pi / period
    product = np.ones(len(angle))
    for law, weight, copies in terms:
        product *= characteristic(law, 2.0 * weight * angle) ** copies
    coefficients = 2 * product / (period * np.sin(angle))
    left_out = np.cumsum(np.abs(coefficients[::-1]))[::-1]
    return period, coefficients[left_out > 1e-15]


def _reach(law: NoiseLaw) -> int:
    """Return a k beyond which the law has next to no mass."""
    bound = getattr(law, "reach", None)
    return half_width(law, 1 - 1e-15) if bound is None else int(bound(35.0))


def _within(terms: tuple[tuple[NoiseLaw, int, int], ...], k: int) -> float:
    """Return P(abs(Z) <= k): a sum over 2 k + 1 integers turns each frequency into a Dirichlet kernel."""
    period, coefficients = _series(terms)
    if 2 * k + 1 >= period:
        return 1.0
    share = (2 * k + 1) / period
    waves = np.sin(np.arange(1, len(coefficients) + 1) * (np.pi * share))
    return min(1.0, max(0.0, share + float(coefficients @ waves)))


def characteristic(law: NoiseLaw, frequency: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return E[exp(i frequency Z)], real because the laws here are symmetric."""
    closed = getattr(law, "characteristic", None)
    if closed is not None:
        return np.asarray(closed(frequency))
    if isinstance(law, DiscreteLaplaceLaw):
        # (1-a)^2 / (1 - 2 a cos t + a^2) with a = exp(-1/scale), without cancellation for large scales.
        sinh2 = math.sinh(min(float(1 / law.scale), 700.0) / 2) ** 2
        return np.asarray(sinh2 / (sinh2 + np.sin(frequency / 2) ** 2))
    if isinstance(law, DiscreteGaussianLaw) and law.sigma2 >= 1:
        # Poisson summation; from sigma = 1 on, images beyond the third weigh less than exp(-2 pi^2 9).
        wrapped = (frequency + np.pi) % (2 * np.pi) - np.pi
        images = np.exp(-float(law.sigma2) / 2 * (wrapped[:, None] - 2 * np.pi * np.arange(-3, 4)) ** 2)
        return np.asarray(images.sum(axis=1) / np.exp(-2 * float(law.sigma2) * (np.pi * np.arange(-3, 4)) ** 2).sum())
    reach = half_width(law, 1 - 1e-15) + 1
    support = np.arange(-reach, reach + 1)
    return np.asarray(np.cos(np.outer(frequency, support)) @ np.array([law.pmf(int(k)) for k in support]))
