"""Closed forms of the tuner: what noise of a given budget does to a count, without a single draw.

The page computes the same functions in the browser; ``tests/tuning/data/golden_curves.json`` holds both to 1e-9.

Two laws, both on the integers:

* discrete Laplace with decay ``x = epsilon / sensitivity``: P(k) proportional to exp(-x abs(k));
* discrete Gaussian with ``sigma2 = l2_squared / (2 rho)``: P(k) proportional to exp(-k^2 / (2 sigma2)), where rho is
  the largest whose zero-concentrated guarantee implies (epsilon, delta)-DP.

Where each of n sites adds a share, and the shares of any h are to be enough, the published noise is wider by n / h in
variance: a difference of two negative binomial variables of shape n / h in place of the first law, a Skellam law or a
wider discrete Gaussian in place of the second, as :mod:`pets.dp.distributed` draws them.

A planning count may be an expected one and need not be whole. Spread (standard error, widening, rates) takes it as it
is; statements about a published integer (intervals, the chance to be seen as zero) take the nearest whole number.

References
----------
Ghosh, Roughgarden, Sundararajan, *Universally utility-maximizing privacy mechanisms*, SICOMP 2012. Canonne, Kamath,
Steinke, *The discrete Gaussian for differential privacy*, NeurIPS 2020, section 2.3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from itertools import accumulate
from typing import Literal

from pets.errors import InvalidArgument

Kind = Literal["discrete_laplace", "discrete_gaussian"]
"""Mechanisms that the slider knows."""

Law = Literal["discrete_laplace", "discrete_gaussian", "polya", "skellam"]
"""Laws of published noise: of one party's, or of the sum of shares."""

SMOOTH = 8
"""Variance of a Gaussian share from which the shares' sum is a discrete Gaussian (:mod:`pets.dp.distributed`)."""

Z95 = 1.959963984540054
"""The 97.5 % quantile of the normal law."""

LARGEST_COUNT = 10**7
"""Where the search for a threshold gives up: no rule of a registry asks for more cases."""

_SUMMED = 9.5
"""Standard deviations up to which Gaussian weights are summed; what lies beyond weighs less than 1e-18."""

_FAR = 45.0
"""The same for tails that fall like exp(-x k): how far x k goes."""


@dataclass(frozen=True, slots=True)
class Noise:
    """Law of the noise of one cell.

    Parameters
    ----------
    kind
        ``'discrete_laplace'`` or ``'discrete_gaussian'``; ``'polya'`` or ``'skellam'`` where sites add shares.
    parameter
        The decay x, sigma2, or the variance of a Skellam law; above 0.
    shape
        Of ``'polya'``: sites over those whose shares are enough, at least 1.
    """

    kind: Law
    parameter: float
    shape: Fraction = Fraction(1)

    @property
    def variance(self) -> float:
        """Variance in squared cases."""
        return _variance(self.kind, self.parameter, self.shape)

    def in_shares(self, sites: int, honest: int) -> Noise:
        """Return the noise that is published if each site adds a share, and any `honest` of them are to be enough."""
        wider = Fraction(sites, honest)
        if self.kind == "discrete_laplace":
            return self if wider == 1 else replace(self, kind="polya", shape=wider)
        if self.parameter < SMOOTH * honest:
            return Noise("skellam", (self.parameter * (1 + 2**-10) + 1 / 16) * float(wider))
        return Noise("discrete_gaussian", self.parameter * float(wider))

    def at_least(self, k: int) -> float:
        """Return P(Z >= k)."""
        if k <= 0:
            return 1 - self.at_least(1 - k)
        if self.kind == "discrete_laplace":
            return math.exp(-self.parameter * k) / (1 + math.exp(-self.parameter))
        if self.kind == "discrete_gaussian":
            weights = _gaussian_weights(self.parameter)
            return math.fsum(weights[k:]) / _total(weights)
        tails = _tails(self.kind, self.parameter, self.shape)
        return tails[k] if k < len(tails) else 0.0

    def half_width(self, level: float = 0.95) -> int:
        """Return the smallest q with P(abs(Z) <= q) >= `level`."""
        miss = 1 - level
        if self.kind == "discrete_laplace":
            reach = math.log(2 / ((1 + math.exp(-self.parameter)) * miss)) / self.parameter - 1
            return max(0, math.ceil(reach - 1e-9))
        weights = self.weights
        total, beyond, q = _total(weights), 0.0, len(weights)
        while q > 0 and 2 * (beyond + weights[q - 1]) <= miss * total:
            q -= 1
            beyond += weights[q]
        return max(0, q - 1)

    @property
    def weights(self) -> tuple[float, ...]:
        """P(k) / P(0) for k = 0, 1, ... as far as it matters."""
        if self.kind == "discrete_laplace":
            return tuple(math.exp(-self.parameter * k) for k in range(math.ceil(_FAR / self.parameter) + 2))
        if self.kind == "discrete_gaussian":
            return _gaussian_weights(self.parameter)
        return _share_weights(self.kind, self.parameter, self.shape)


def laplace(epsilon: float, sensitivity: float) -> Noise:
    """Return discrete Laplace noise of a budget and an L1 sensitivity, both above 0."""
    return Noise("discrete_laplace", epsilon / sensitivity)


def gaussian(rho: float, l2_squared: float) -> Noise:
    """Return discrete Gaussian noise of a zero-concentrated budget and a squared L2 sensitivity, both above 0."""
    return Noise("discrete_gaussian", l2_squared / (2 * rho))


@lru_cache(maxsize=4096)
def rho_for(epsilon: float, delta: float) -> float:
    """Return the largest rho whose zero-concentrated guarantee implies (epsilon, delta)-DP.

    At the best Rényi order 1 + x, ``rho x^2 + ln(1 + x) = ln(1/delta)``; that gives rho and epsilon as functions of x,
    and epsilon falls as x grows. So x is found by bisection of its logarithm.
    """
    if not (epsilon > 0 and 0 < delta < 1):
        raise InvalidArgument("delta", "must lie strictly between 0 and 1, and epsilon above 0")
    target = -math.log(delta)
    low, high = math.log(1e-12), math.log(math.expm1(target))
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if _epsilon_at(math.exp(middle), target) > epsilon else (low, middle)
    x = math.exp(high)
    return (target - math.log1p(x)) / (x * x)


def _epsilon_at(x: float, target: float) -> float:
    left = target - math.log1p(x)
    return (1 + x) * left / (x * x) + math.log(x / (1 + x)) + left / x


def whole(count: float) -> int:
    """Return the nearest whole number, halves upwards."""
    return math.floor(count + 0.5)


def interval(noise: Noise, count: float, level: float = 0.95) -> tuple[int, int]:
    """Return between which integers a published value lies with probability `level`; what is below 0 is shown as 0."""
    q, n = noise.half_width(level), whole(count)
    return max(0, n - q), n + q


def seen_as_zero(noise: Noise, count: float) -> float:
    """Return P(a count of `count` cases is published as none, or fewer)."""
    return 1.0 if whole(count) == 0 else noise.at_least(whole(count))


def phantom(noise: Noise) -> float:
    """Return P(an empty cell is published as one case or more)."""
    return noise.at_least(1)


def relative_noise(noise: Noise, count: float) -> float | None:
    """Return the noise's standard deviation as a share of the count; ``None`` for an empty cell."""
    return None if count <= 0 else math.sqrt(noise.variance) / count


def relative_error(noise: Noise, count: float) -> float | None:
    """Return the relative standard error of a Poisson count with noise; ``None`` for an empty cell."""
    return None if count <= 0 else math.sqrt(count + noise.variance) / count


def widening(noise: Noise, count: float) -> float | None:
    """Return by how much the 95 % interval is wider than with chance alone; ``None`` for an empty cell."""
    return None if count <= 0 else math.sqrt((count + noise.variance) / count)


def rate(noise: Noise, count: float, person_years: float) -> tuple[float, float, float]:
    """Return the rate per million person-years and its 95 % score interval, noise included.

    It solves ``(count - mean)^2 = z^2 (mean + variance)``; without noise that is the score interval of a Poisson mean.
    """
    middle = count + Z95**2 / 2
    half = Z95 * math.sqrt(count + noise.variance + Z95**2 / 4)
    per = 1e6 / person_years
    return count * per, max(0.0, middle - half) * per, (middle + half) * per


def threshold(noise: Noise, max_relative_error: float) -> int:
    """Return the smallest count whose relative standard error, noise included, is at most `max_relative_error`.

    Without noise the 25 % rule gives 16. Solves ``n + variance <= (max_relative_error n)^2`` over whole n.
    """
    square = max_relative_error**2
    found = math.ceil((1 + math.sqrt(1 + 4 * square * noise.variance)) / (2 * square) - 1e-9)
    return max(1, min(LARGEST_COUNT, found))


def odds_bound(epsilon: float) -> float:
    """Return how often, at most, the best guesser is right who errs equally often both ways."""
    return 1 / (1 + math.exp(-epsilon))


def belief_after(prior: float, epsilon: float) -> float:
    """Return the largest probability to which a belief can rise under epsilon-DP."""
    return prior / (prior + (1 - prior) * math.exp(-epsilon))


def belief_before(prior: float, epsilon: float) -> float:
    """Return the smallest probability to which a belief can fall under epsilon-DP."""
    return prior / (prior + (1 - prior) * math.exp(epsilon))


@lru_cache(maxsize=4096)
def _variance(kind: Law, parameter: float, shape: Fraction) -> float:
    if kind == "skellam":
        return parameter
    if kind != "discrete_gaussian":
        return float(shape) * 2 * math.exp(-parameter) / math.expm1(-parameter) ** 2
    weights = _gaussian_weights(parameter)
    return 2 * math.fsum(k * k * w for k, w in enumerate(weights)) / _total(weights)


@lru_cache(maxsize=64)
def _gaussian_weights(sigma2: float) -> tuple[float, ...]:
    """Return exp(-k^2 / (2 sigma2)) for k = 0, 1, ... as far as it matters."""
    reach = math.ceil(_SUMMED * math.sqrt(sigma2)) + 2
    return tuple(math.exp(-(k * k) / (2 * sigma2)) for k in range(reach))


@lru_cache(maxsize=256)
def _share_weights(kind: Law, parameter: float, shape: Fraction) -> tuple[float, ...]:
    """Return P(k) / P(0) of a sum of shares, from the ratios of neighbours.

    Ratios are computed downwards, where each step shrinks the error of the one before: for two negative binomial
    variables from the differential equation of their generating function, for Skellam from Bessel's recursion.
    """
    if kind == "skellam":
        end = math.ceil(_SUMMED * math.sqrt(parameter)) + 40
        ratio, ratios = parameter / (2 * end + 2), []
        for k in range(end, 0, -1):
            ratio = parameter / (2 * k + parameter * ratio)
            ratios.append(ratio)
    else:
        decay, r = math.exp(-parameter), float(shape)
        end = math.ceil((_FAR + 6 * r) / parameter) + 20
        ratio, ratios = decay, []
        for k in range(end, 0, -1):
            ratio = decay * (k - 1 + r) / ((1 + decay * decay) * k - decay * (k + 1 - r) * ratio)
            ratios.append(ratio)
    return tuple(accumulate(reversed(ratios), lambda weight, ratio: weight * ratio, initial=1.0))


@lru_cache(maxsize=256)
def _tails(kind: Law, parameter: float, shape: Fraction) -> tuple[float, ...]:
    """Return P(Z >= k) for k = 0, 1, ..., added up from the far end."""
    weights = _share_weights(kind, parameter, shape)
    total = _total(weights)
    return tuple(tail / total for tail in reversed(list(accumulate(reversed(weights)))))


def _total(weights: tuple[float, ...]) -> float:
    return 2 * math.fsum(weights[1:]) + weights[0]
