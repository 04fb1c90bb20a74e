"""Certified integer bounds of the exponential function and of the tails of a law.

Everything here is integer arithmetic with directed rounding: each lower bound is computed from lower bounds and
rounded down, each upper bound from upper bounds and rounded up. All quantities are non-negative and every step is
monotone in each operand, so a lower bound stays one by induction over the steps, and so does an upper bound. No
floating-point number and no error estimate is involved. How *tight* the bounds are matters only for speed: a loose
bound makes a sampler reveal more bits, never decide wrongly.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import accumulate

from pets.dp.samplers.law import Law, Weighted

_EXP_GUARD = 16  # extra bits of one exponential, beyond those that squaring costs
_GUARD = 64  # extra bits of the working precision; a table of 2**14 entries loses about 30 of them
_TAIL = 12  # a list ends at weights of 2**-12 units, so that what lies beyond it blurs no other boundary


def exp_bounds(x: Fraction, bits: int) -> tuple[int, int]:
    """Return integers with ``low <= 2**bits * exp(-x) <= high``, for x >= 0.

    ``high - low`` is at most 2; at x = 0 both are ``2**bits``.

    Proof. If x >= bits then 0 < exp(-x) < 2**-x <= 2**-bits. Otherwise take y = x / 2**halvings <= 1/2 and bound
    exp(y) by its Taylor sum, all of whose terms are positive. Cutting the sum off gives a lower bound. For the upper
    bound the sum stops when a term t is at most one unit; as y <= 1/2 the terms after it sum to at most
    t (1/2 + 1/4 + ...) <= 1 unit. Reciprocals and squarings keep the order.
    """
    if x == 0:
        return 1 << bits, 1 << bits
    if x >= bits:
        return 0, 1
    halvings = int(x).bit_length() + 5  # y < 2**-5: smaller y, fewer terms
    work = bits + halvings + _EXP_GUARD
    scaled = x.numerator << work
    unit = x.denominator << halvings
    low = _reciprocal_down(_taylor_up(_ceil_div(scaled, unit), work), work)
    high = _reciprocal_up(_taylor_down(scaled // unit, work), work)
    for _ in range(halvings):
        low, high = _product_down(low, low, work), _product_up(high, high, work)
    return low >> (work - bits), _ceil_shift(high, work - bits)


def tail_bounds(law: Law | Weighted, bits: int, *, zeros: int) -> tuple[list[int], list[int]]:
    """Return bounds of ``G(k) = P(X > k)``, in units of ``2**-bits``, in *ascending* order (largest k first).

    Parameters
    ----------
    law
        The law of X on the integers.
    bits
        Resolution. The list reaches to the k where a weight falls below ``2**-12`` units.
    zeros
        1: the plain law. 2: the law on {..., -1, -0, +0, 1, ...} in which minus zero is an outcome of its own with
        the weight of zero; half of it is where a coarse law is split by sign.

    Returns
    -------
    low, high
        ``low[i] <= 2**bits * G(n - i) <= high[i]`` for i = 0..n. Always ``low[0] == 0``.

    Notes
    -----
    A :class:`~pets.dp.samplers.law.Law` is summed up here; other laws bring their own weights.
    With w(j) = exp(-linear j - quadratic j**2) the tail sums S(k) = w(k+1) + w(k+2) + ... give
    ``G(k) = S(k) / (2 S(0) + zeros w(0))``. Weights follow from ``w(j+1) = w(j) r(j)`` and
    ``r(j+1) = r(j) exp(-2 quadratic)``; as the ratios never rise, what lies beyond the list sums to at most
    ``w(n+1) / (1 - r(n+1))``.
    """
    work = bits + _GUARD
    smallest = 1 << (_GUARD - _TAIL)
    lows, highs, beyond = _weights(law, work, smallest) if isinstance(law, Law) else law.weights(work, smallest)
    low_sums = list(accumulate(reversed(lows[1:]), initial=0))
    high_sums = list(accumulate(reversed(highs[1:]), initial=beyond))
    low_total = 2 * low_sums[-1] + (zeros << work)
    high_total = 2 * high_sums[-1] + (zeros << work)
    low = [(each << bits) // high_total for each in low_sums]
    high = [_ceil_div(each << bits, low_total) for each in high_sums]
    return low, high


def _weights(law: Law, work: int, smallest: int) -> tuple[list[int], list[int], int]:
    """Return bounds of w(0), w(1), ... down to `smallest` units of 2**-work, and a bound of the sum of the rest."""
    low = high = 1 << work
    low_ratio, high_ratio = exp_bounds(law.linear + law.quadratic, work)
    low_decay, high_decay = exp_bounds(2 * law.quadratic, work)
    lows, highs = [], []
    while high >= smallest:
        lows.append(low)
        highs.append(high)
        low, high = _product_down(low, low_ratio, work), _product_up(high, high_ratio, work)
        if law.quadratic:
            low_ratio = _product_down(low_ratio, low_decay, work)
            high_ratio = _product_up(high_ratio, high_decay, work)
    return lows, highs, _ceil_div(high << work, (1 << work) - high_ratio)


def _taylor_down(y: int, work: int) -> int:
    """Return a lower bound of 2**work * exp(y / 2**work)."""
    total = term = 1 << work
    order = 0
    while term:
        order += 1
        term = (term * y >> work) // order
        total += term
    return total


def _taylor_up(y: int, work: int) -> int:
    """Return an upper bound of 2**work * exp(y / 2**work), for y / 2**work <= 1/2."""
    total = term = 1 << work
    order = 0
    while term > 1:
        order += 1
        term = _ceil_div(_product_up(term, y, work), order)
        total += term
    return total + 1


def _reciprocal_down(value: int, work: int) -> int:
    return (1 << (2 * work)) // value


def _reciprocal_up(value: int, work: int) -> int:
    return _ceil_div(1 << (2 * work), value)


def _product_down(left: int, right: int, work: int) -> int:
    return left * right >> work


def _product_up(left: int, right: int, work: int) -> int:
    return _ceil_shift(left * right, work)


def _ceil_div(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)


def _ceil_shift(value: int, shift: int) -> int:
    return -(-value >> shift)
