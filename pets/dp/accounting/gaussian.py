"""Gaussian losses alone: the exact profile in closed form.

Gaussian losses compose to one with mu² the sum of theirs (Dong, Roth and Su 2022, Corollary 3.3), and for that
delta(epsilon) = Phi(-a) - e^epsilon Phi(-b) with a = epsilon/mu - mu/2, b = a + mu (Balle and Wang, "Improving the
Gaussian Mechanism for Differential Privacy", ICML 2018, Theorem 8). As e^epsilon e^(-b²/2) = e^(-a²/2), scaled
complementary error functions give it without overflow or underflow of the parts:

    delta = e^(-a²/2) / 2 (erfcx(a / sqrt 2) - erfcx(b / sqrt 2)).

Rounding: a and b carry an absolute error of r = 8u (epsilon/mu + mu), erfcx a relative one of 16u and its derivative
is at most 2 in modulus for a >= 0, Phi's less than 1/2; e^(-a²/2) carries a relative error of abs(a) r + 2 u a².
Their sum is added.
"""

from __future__ import annotations

import math

from pets.dp.accounting.search import Bound, smallest_epsilon

_UNIT = 2.0**-53
_ROOT = math.sqrt(0.5)


def delta_bound(mu: float, epsilon: float) -> Bound:
    """Return an upper bound of delta at `epsilon`, above the exact value by rounding only."""
    from scipy.special import erfcx, ndtr

    a, b = epsilon / mu - mu / 2, epsilon / mu + mu / 2
    shift = 8 * _UNIT * (epsilon / mu + mu)
    low, density = float(erfcx(b * _ROOT)) / 2, math.exp(-a * a / 2)
    relative = abs(a) * shift + 2 * _UNIT * a * a
    if a >= 0:
        high = float(erfcx(a * _ROOT)) / 2
        delta = density * (high - low) * (1 + relative) + density * (16 * _UNIT * (high + low) + 4 * shift)
    else:
        slack = 16 * _UNIT * float(ndtr(-a)) + shift + density * (low * (relative + 16 * _UNIT) + 4 * shift)
        delta = float(ndtr(-a)) - density * low + slack
    return Bound(min(delta, 1.0), -density * low / delta if delta else -math.inf)


def epsilon_at(mu2: float, delta: float) -> float | None:
    """Return the smallest epsilon at `delta` for the total `mu2`, rounded up."""
    mu = math.sqrt(mu2) * (1 + 4 * _UNIT)
    start = mu * (mu / 2 + math.sqrt(-2 * math.log(delta)))  # delta <= Phi(-a) <= e^(-a²/2)
    return smallest_epsilon(lambda epsilon: delta_bound(mu, epsilon), start, delta)
