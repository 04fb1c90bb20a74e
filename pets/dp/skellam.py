"""How much Skellam noise gives rho-zero-concentrated DP: a certificate for the exact law, not an asymptotic bound.

Skellam noise is closed under summation, so what n honest sites add is known exactly. Its loss is that of Gaussian noise
of the same variance up to a per cent at variance 2 and a part in 500,000 at 200. Here the zCDP claim is *verified* for
the very variance that is used.

*One cell, one unit.* P is the Skellam law of variance v, P1 its shift by one, L(k) = ln P(k-1)/P(k), and
K(theta) = ln E[e^(theta L)] under P1, so that the Rényi divergence of order a = theta + 1 is K(theta) / theta. Shown
is, with rho1 = 1 / (2 sigma2), that ``K(theta) <= rho1 theta (theta + 1)`` for every real theta > 0:

* *Middle.* K is convex with K(0) = 0. Between grid points it lies below its chords, and each chord is compared with
  the parabola over its whole interval. K at a grid point is a sum over abs(k) <= R; what lies beyond is bounded below.
* *Far.* For k >= 1, L(k) <= asinh((k + 1/2) / v) (Amos 1974, equation 9, reciprocal); asinh lies below its tangent at
  sinh s there; L(k) <= 0 for k <= 0; and E[e^(tX)] = e^(v (cosh t - 1)). With a = v s cosh s that makes
  ``K <= ln 2 + max(0, a^2/(2v) - v H(s) + s/2)``, H(s) = s^2 cosh(s)^2 / 2 - s^2 cosh s + s sinh s - cosh s + 1. All
  Taylor coefficients of H are positive. So the claim holds wherever v H(s) >= s/2 + s cosh(s)/2 + ln 2 and
  a (a - 1) >= 2 v ln 2. Both sides rise with s: a ladder of points covers an interval, and for s >= 3 and v >= 1/16 it
  follows from H >= 0.38 s^2 cosh(s)^2.
* *The rest of a sum*: ``sum over k > R of P(k) e^(a L(k)) <= exp(a s + a/(2 v cosh s) - v (s sinh s - cosh s + 1))``,
  R = v sinh s, wherever a <= v s cosh s: the same tangent at R, and Chernoff's bound.

*Many cells, many units.* A shift by d units costs at most d^2 rho1 (group privacy of zCDP, Bun and Steinke 2016,
Proposition 1.9) and cells add up, so a tally of L2 sensitivity D costs at most D^2 rho1 = rho. More noise is a
post-processing, so a greater variance costs no more.

References
----------
N. Agarwal, P. Kairouz, Z. Liu, *The Skellam mechanism for differentially private federated learning*, NeurIPS 2021.
D. E. Amos, *Computation of modified Bessel functions and their ratios*, Mathematics of Computation 1974.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from pets.errors import InvalidArgument

LARGEST_SIGMA2 = 2**20
"""Wider noise is made of discrete Gaussian shares."""

_SLACK = 1e-6  # relative; rounding errors of a sum stay below 1e-7 up to the largest variance
_FIRST = 2.0**-14  # of the grid of theta; below, the chord from 0 exceeds K by this fraction at most
_STEP = 1.03  # a chord exceeds K by up to step^2/4, a part in 4,000
_RUNG = 1.02
_NEGLIGIBLE = -60.0


@lru_cache(maxsize=256)
def skellam_variance(sigma2: Fraction) -> Fraction:
    """Return a variance at which Skellam noise costs no more zCDP than Gaussian noise of variance `sigma2`.

    It is ``sigma2 (1 + 2**-10) + 1/16``, verified as described above.

    Parameters
    ----------
    sigma2
        Above 0, at most 2**20, in squared units of the tally.

    Raises
    ------
    InvalidArgument
        `sigma2` is out of range, or the proof does not go through.
    """
    if not 0 < sigma2 <= LARGEST_SIGMA2:
        raise InvalidArgument("sigma2", "must be above 0 and at most 2**20")
    variance = sigma2 * (1 + Fraction(1, 2**10)) + Fraction(1, 16)
    if not is_concentrated(float(variance), float(1 / (2 * sigma2)) if sigma2 > Fraction(1, 2**900) else 1e270):
        raise InvalidArgument(
            "sigma2", "gives Skellam noise whose guarantee cannot be verified", "Change rho a little."
        )
    return variance


def is_concentrated(variance: float, rho: float) -> bool:
    """Return whether it is proven that Skellam noise of `variance` at least 1/16 is `rho`-zCDP at sensitivity 1.

    False means that the proof did not go through, not that the claim is wrong.
    """
    if variance < 1 / 16 or 2 * rho * variance < 1:
        return False
    order = _far_order(variance)
    if order <= 1:
        return True
    weights, losses, rest = _law(variance, order)
    steps = max(1, math.ceil(math.log((order - 1) / _FIRST) / math.log(_STEP))) if order - 1 > _FIRST else 1
    theta, value = 0.0, 0.0
    for following in np.geomspace(min(_FIRST, order - 1), order - 1, steps + 1):
        further = _log_moment(float(following), weights, losses, rest) * (1 + _SLACK)
        if not _chord_below(theta, value, float(following), further, rho):
            return False
        theta, value = float(following), further
    return True


def _chord_below(a: float, at_a: float, b: float, at_b: float, rho: float) -> bool:
    """Return whether the chord from (a, at_a) to (b, at_b) lies below rho theta (theta + 1) on [a, b]."""
    if b <= a:
        return at_b <= rho * b * (b + 1)
    slope = (at_b - at_a) / (b - a)
    nearest = min(max((slope / rho - 1) / 2, a), b)
    return at_a + slope * (nearest - a) <= rho * nearest * (nearest + 1)


def _far_order(variance: float) -> float:
    """Return the order from which on the claim follows from the bound of the tails."""
    upper = 3.0
    while True:
        lower = upper / _RUNG
        order = variance * lower * math.cosh(lower)
        needed = upper / 2 + upper * math.cosh(upper) / 2 + math.log(2)
        proven = variance * _gain(lower) >= needed and order > 1 and order * (order - 1) >= 2 * variance * math.log(2)
        if not proven:
            return variance * upper * math.cosh(upper)
        upper = lower


def _gain(s: float) -> float:
    """Return a lower bound of H(s): its first two terms where digits cancel, else the closed form."""
    if s < 0.5:
        return s**4 / 8
    cosh = math.cosh(s)
    return (s * s * cosh * cosh / 2 - s * s * cosh + s * math.sinh(s) - cosh + 1) * (1 - 1e-12)


def _law(variance: float, order: float) -> tuple[NDArray[np.float64], NDArray[np.float64], float]:
    """Return ln P1(k) and L(k) for k = 1 - R, ..., R, and a bound of ln of what lies beyond, at the largest order."""
    s = 1e-3
    while True:
        s *= 1.1
        rest = order * s + order / (2 * variance * math.cosh(s))
        rest -= variance * (s * math.sinh(s) - math.cosh(s) + 1)
        if order <= variance * s * math.cosh(s) and rest < _NEGLIGIBLE and variance * math.sinh(s) >= 2:
            break
    reach = math.ceil(variance * math.sinh(s))
    ratio, ratios = 0.0, np.empty(reach)
    for k in range(reach + 200, 0, -1):  # the start, wrong by less than 1, is forgotten on the way
        ratio = variance / (2 * k + variance * ratio)
        if k <= reach:
            ratios[k - 1] = ratio
    losses = -np.log(ratios)
    log_p = np.concatenate([[0.0], -np.cumsum(losses)])
    log_p -= math.log(1 + 2 * float(np.exp(log_p[1:]).sum()))
    below = log_p[::-1]  # P(-R), ..., P(0)
    return np.concatenate([below[:-1], log_p[:-1]]), np.concatenate([-losses[::-1], losses]), rest


def _log_moment(theta: float, weights: NDArray[np.float64], losses: NDArray[np.float64], rest: float) -> float:
    if theta <= 1:
        excess = float(np.exp(weights) @ np.expm1(theta * losses))
        return math.log1p(excess + math.exp(rest))
    exponents = weights + theta * losses
    top = float(exponents.max())
    return top + math.log(float(np.exp(exponents - top).sum()) + math.exp(rest - top))
