"""Biased coins that are exact: accept with probability ``exp(-x)`` for a rational x >= 0.

A uniform U in [0, 1) is revealed bit by bit and compared with exp(-x). U is known to lie in the cell
``[u, u + 1) / 2**bits``, so ``(u + 1) / 2**bits <= lower bound of exp(-x)`` accepts for certain and
``u / 2**bits >= upper bound`` rejects for certain; anything else needs more bits or a tighter bound. Every answer is
the one that the infinitely long U would have given, so the coin has exactly the bias exp(-x).

Three steps, cheapest first, share that rule:

1. vectorised, ``exp(-x) >= 1 - x`` (it accepts about 99 in 100 coins of a layered draw);
2. vectorised, a Taylor polynomial in double precision with a certified error;
3. one by one, integer arithmetic with as many bits as it takes.

*Error bound of the floating-point steps.* Inputs: a float x' with ``|x' - x| <= 2**-50 max(x, 1)`` (the caller's
duty). Only +, -, * of IEEE 754 doubles are used, no library exponential, each with relative error at most e = 2**-53.

Step 1 computes ``s = fl(u' + x')`` with an exact ``u' = (u + 1) / 2**bits <= 1``. If ``s <= 1 - slack`` then x' <= 1,
so |s - (u' + x)| <= 2**-49, hence ``u' <= 1 - x - slack + 2**-49 < 1 - x <= exp(-x)``: to accept is right.

Step 2 applies for x' <= 1/2 only. The remainder of the Taylor polynomial of degree 13 is at most
(1/2)**14 / 14! < 2**-50. Horner's scheme errs by at most 26 e / (1 - 26 e) times the polynomial of absolute values,
which is below exp(1/2) < 2 (Higham 2002, section 5.1): below 2**-47. Rounding its coefficients adds less than 2 e, and
the error of x' 2**-50. Together below 2**-46; the rounding of ``power - slack`` adds 2**-53. So any slack above 2**-45
is sound.

References
----------
N. J. Higham, *Accuracy and Stability of Numerical Algorithms*, 2nd ed., 2002.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from math import factorial

import numpy as np
from numpy.typing import NDArray

from pets.csprng import RandomSource
from pets.dp.samplers.enclosure import exp_bounds
from pets.dp.samplers.precision import Precision

_LARGEST_FOR_TAYLOR = 0.5
_COEFFICIENTS = [(-1.0) ** n / factorial(n) for n in range(14)]


def toss(
    x: NDArray[np.float64],
    u: NDArray[np.uint64],
    exact: Callable[[int], Fraction],
    source: RandomSource,
    precision: Precision,
) -> NDArray[np.bool_]:
    """Return for each coin whether it accepts, which it does with probability exactly ``exp(-x)``.

    Parameters
    ----------
    x
        Floats within ``2**-50 max(x, 1)`` of the exact values.
    u
        The first ``precision.coin_bits`` random bits of each coin, of the same shape.
    exact
        Function from the index of a coin to its exact x.
    source
        Where further bits come from.
    precision
        Bits of each step, and the slack.
    """
    accepted: NDArray[np.bool_] = (u + np.uint64(1)) * 2.0**-precision.coin_bits + x <= 1.0 - precision.slack
    rest = np.flatnonzero(~accepted)
    if rest.size:
        accepted[rest] = _toss_by_polynomial(x[rest], u[rest], lambda i: exact(int(rest[i])), source, precision)
    return accepted


def _toss_by_polynomial(
    x: NDArray[np.float64],
    u: NDArray[np.uint64],
    exact: Callable[[int], Fraction],
    source: RandomSource,
    precision: Precision,
) -> NDArray[np.bool_]:
    known, bits = precision.coin_bits, precision.coin_word_bits
    fresh = source.words(x.size, np.uint64) >> np.uint64(64 - (bits - known))
    u = (u << np.uint64(bits - known)) | fresh
    power = _exp_minus(np.minimum(x, _LARGEST_FOR_TAYLOR))
    applies = x <= _LARGEST_FOR_TAYLOR
    # At most 52 bits, so that both ends of the cell are exact doubles.
    accepted = applies & ((u + np.uint64(1)) * 2.0**-bits <= power - precision.slack)
    rejected = applies & (u * 2.0**-bits >= power + precision.slack)
    for i in np.flatnonzero(~(accepted | rejected)):
        accepted[i] = toss_exactly(exact(int(i)), int(u[i]), bits, source)
    return accepted


def _exp_minus(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the Taylor polynomial of exp(-x) by Horner's scheme."""
    total = np.full_like(x, _COEFFICIENTS[-1])
    for coefficient in reversed(_COEFFICIENTS[:-1]):
        total = total * x + coefficient
    return total


def toss_exactly(x: Fraction, u: int, bits: int, source: RandomSource) -> bool:
    """Return whether U < exp(-x), where u holds the first `bits` bits of U; reveals more bits as needed."""
    while True:
        low, high = exp_bounds(x, bits)
        if u < low:
            return True
        if u >= high:
            return False
        u = u << bits | source.bits(bits)
        bits *= 2
