"""Theorems that turn one currency of differential privacy into another, as arithmetic on exact numbers.

Every result is an upper bound of what the theorem gives (a lower bound where a budget is granted), so
that no chain of conversions can promise more than was proven.

References
----------
.. [BS16] M. Bun and T. Steinke, "Concentrated Differential Privacy: Simplifications, Extensions, and
   Lower Bounds", TCC 2016. Propositions 1.4, 1.9.
.. [KOV15] P. Kairouz, S. Oh and P. Viswanath, "The Composition Theorem for Differential Privacy", ICML 2015.
.. [M17] I. Mironov, "Rényi Differential Privacy", CSF 2017. Proposition 2, section VI.
.. [CKS20] C. Canonne, G. Kamath and T. Steinke, "The Discrete Gaussian for Differential Privacy",
   NeurIPS 2020. Section 2.3.
"""

from __future__ import annotations

from decimal import Decimal, localcontext
from fractions import Fraction
from functools import lru_cache

from pets.errors import InvalidArgument
from pets.exact import Number
from pets.guarantee import bounds
from pets.guarantee.bounds import log_down, log_up, parameter, round_down, round_up

_ROUNDS = 200
_TINY = Decimal("1e-50")
_CLOSE = Decimal("1e-25")


def failure_probability(value: object, argument: str = "delta") -> Fraction:
    """Return `value` as an exact delta with 0 <= delta < 1."""
    delta = parameter(value, argument)
    if delta >= 1:
        raise InvalidArgument(argument, "must be below 1", "A delta far below 1 / number of patients is usual.")
    return delta


def positive_delta(value: object) -> Fraction:
    """Return `value` as an exact delta with 0 < delta < 1."""
    delta = failure_probability(value)
    if delta == 0:
        raise InvalidArgument("delta", "must be above 0", "Name the failure probability that is accepted, e.g. 1e-6.")
    return delta


def renyi_order(value: object, argument: str = "order") -> Fraction:
    """Return `value` as an exact Rényi order above 1."""
    order = parameter(value, argument)
    if order <= 1:
        raise InvalidArgument(argument, "must be above 1", "Orders such as 2, 4, 8, ..., 256 are usual.")
    return order


def pure_to_renyi(epsilon: Fraction, order: Fraction) -> Fraction:
    """Return the largest Rényi divergence at `order` that any pure `epsilon`-DP mechanism can have.

    Randomised response attains it ([M17]_, section VI); it is the worst case because every pure epsilon-DP
    mechanism is a post-processing of randomised response ([KOV15]_). The bounds epsilon and order * epsilon²/2
    ([BS16]_, Proposition 1.4) take over where digits cancel.
    """
    flipped = log_up(1 + bounds.exp_up((1 - 2 * order) * epsilon)) - log_down(1 + bounds.exp_down(-epsilon))
    bound = min(epsilon + flipped / (order - 1), order * epsilon**2 / 2, epsilon)
    return round_up(max(bound, Fraction(0)))


def toll(order: Fraction, delta: Fraction) -> Fraction:
    """Return an upper bound of what a conversion at this order adds to the Rényi epsilon ([CKS20]_, section 2.3).

    An (order, r)-Rényi DP mechanism is (r + toll, delta)-DP. The toll may be negative.
    """
    return log_up((order - 1) / order) - log_down(order * delta) / (order - 1)


def zcdp_to_epsilon(rho: Fraction, delta: Fraction) -> Fraction:
    """Return the epsilon of a `rho`-zCDP mechanism at `delta` > 0, at the best real Rényi order ([CKS20]_)."""
    order = best_order(rho, delta)
    return round_up(max(order * rho + toll(order, delta), Fraction(0)))


def renyi_to_epsilon(curve: tuple[tuple[Fraction, Fraction], ...], delta: Fraction) -> Fraction:
    """Return the epsilon of a mechanism with this Rényi curve at `delta` > 0, at the best given order ([CKS20]_).

    Taking the best is sound: all points of the curve hold at once for the one fixed mechanism.
    """
    return round_up(max(min(epsilon + toll(order, delta) for order, epsilon in curve), Fraction(0)))


@lru_cache(maxsize=4096)
def best_order(rho: Fraction, delta: Fraction) -> Fraction:
    """Return the Rényi order at which order * rho + toll(order, delta) is smallest.

    Setting the derivative to 0 leaves, for x = order - 1, the equation rho x² + ln(1 + x) = ln(1/delta).
    Its left side is increasing and convex in ln x, so Newton's method from the right cannot fail. Any order
    gives a valid bound; a slightly wrong one costs only the square of the error.
    """
    with localcontext(bounds.WORK):
        r, d = (Decimal(number.numerator) / number.denominator for number in (rho, delta))
        target = -d.ln()
        x = 1 / d - 1
        if r:
            x = min(x, (target / r).sqrt())
        x = max(x, _TINY)
        for _ in range(_ROUNDS):
            curved = r * x * x
            step = (curved + (1 + x).ln() - target) / (2 * curved + x / (1 + x))
            x = max(x * (-step).exp(), _TINY)
            if abs(step) < _CLOSE:
                break
    return 1 + round_down(Fraction(x), 25)


@lru_cache(maxsize=1024)
def tariff(epsilon: Fraction, delta: Fraction) -> tuple[Fraction, Fraction]:
    """Return the (order, toll) at which zCDP charges are paid under an (epsilon, delta) limit, delta > 0.

    It is the order that admits the largest rho: among all valid tariffs order * rho + toll <= epsilon, the
    one touching the conversion curve at that rho. The curve is concave in rho, so stepping to where
    its tangent meets epsilon comes ever closer from below.
    """
    with localcontext(bounds.WORK):
        e, d = (Decimal(number.numerator) / number.denominator for number in (epsilon, delta))
        target = -d.ln()
        start = ((target + e).sqrt() - target.sqrt()) ** 2  # solves rho + 2 sqrt(rho ln 1/delta) = epsilon
    rho = round_down(Fraction(start), 25)
    for _ in range(_ROUNDS):
        order = best_order(rho, delta)
        better = round_down(max((epsilon - toll(order, delta)) / order, Fraction(0)), 25)
        if better <= rho * (1 + Fraction(1, 10**22)):
            break
        rho = better
    order = 1 + round_down(best_order(rho, delta) - 1, 15)
    return order, bounds.grid_up(toll(order, delta))


def rho_for(epsilon: Number, delta: Number) -> Fraction:
    """Return the largest rho (rounded down) whose zCDP guarantee implies (epsilon, delta)-DP.

    It is the inverse of ``ZeroConcentratedDP(rho).to_approx(delta)`` and what an ``ApproxDP(epsilon, delta)``
    limit admits when all charges are zCDP.

    Parameters
    ----------
    epsilon
        At least 0.
    delta
        0 <= delta < 1. No rho above 0 is enough for delta = 0.

    Raises
    ------
    InvalidArgument
        A parameter is no number or out of range.

    References
    ----------
    [CKS20]_, section 2.3.
    """
    limit, failure = parameter(epsilon, "epsilon"), failure_probability(delta)
    if failure == 0:
        return Fraction(0)
    order, fixed = tariff(limit, failure)
    return round_down(max((bounds.grid_down(limit) - fixed) / order, Fraction(0)))


def group_delta(epsilon: Fraction, delta: Fraction, size: int) -> Fraction | None:
    """Return the delta of an (epsilon, delta)-DP mechanism for groups, or None if it would reach 1.

    It is delta (1 + e^epsilon + ... + e^((size - 1) epsilon)), the hybrid argument over the members one by one.
    """
    if epsilon == 0:
        return size * delta if size * delta < 1 else None
    if (size - 1) * epsilon >= -log_down(delta):
        return None
    total = size * bounds.exp_up((size - 1) * epsilon)
    growth = bounds.exp_down(epsilon) - 1
    if growth > 0:
        total = min(total, (bounds.exp_up(size * epsilon) - 1) / growth)
    scaled = round_up(delta * total)
    return scaled if scaled < 1 else None
