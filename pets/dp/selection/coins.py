"""Exact random choices that selection needs: coins of bias exp(-rate gap) in bulk, and uniform indices.

A gap is a whole number: how far a candidate's score lies below the best. A coin is decided in double precision where
that is certain, and exactly otherwise, so that its bias is exp(-rate gap) and not a float near it.

*Error bound.* Write the gap in base 256; exp(-rate gap) is the product of one table entry per digit. An entry is a
double within 2**-52 of the truth (certified integer bounds of 64 bits, rounded once), all entries are at most 1, and
so the product of at most 8 of them in IEEE doubles is within 8 * 2**-52 + 7 * 2**-53 < 2**-48. A coin compares it with
52 random bits, exact in a double. With a slack of 2**-46 every clear decision is the one that infinitely many bits
would have given; the rest, about one coin in 2**45, goes to :func:`pets.dp.samplers.coin.toss_exactly`.

References
----------
C. Ilvento, *Implementing the exponential mechanism with base-2 differential privacy*, CCS 2020: how weights in floats
break the guarantee (rounding, underflow of the far candidates, inexact normalisation). There is no normalisation here.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from pets.csprng import RandomSource
from pets.dp.samplers.coin import toss_exactly
from pets.dp.samplers.enclosure import exp_bounds

LARGEST_GAP = 2**51
"""Scores are clamped to half of this in magnitude, where no count comes. Clamping cannot widen a difference."""

_BITS = 52
_SLACK = 2.0**-46
_BASE = 256
_WORK = 128
_NEGLIGIBLE = 64  # exp(-64) < 2**-92: far inside the slack


def toss(rate: Fraction, gaps: NDArray[np.int64], source: RandomSource) -> NDArray[np.bool_]:
    """Return for each gap whether its coin accepts, which it does with probability exactly ``exp(-rate gap)``.

    Parameters
    ----------
    rate
        Above 0.
    gaps
        Whole numbers from 0 to 2**51.
    source
        Where random bits come from.
    """
    u = source.words(gaps.size, np.uint64) >> np.uint64(64 - _BITS)
    cell = u * 2.0**-_BITS
    chance = acceptance(rate, gaps)
    accepted: NDArray[np.bool_] = cell + 2.0**-_BITS <= chance - _SLACK
    for i in np.flatnonzero(~accepted & (cell < chance + _SLACK)):
        accepted[i] = toss_exactly(rate * int(gaps[i]), int(u[i]), _BITS, source)
    return accepted


def acceptance(rate: Fraction, gaps: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return ``exp(-rate gap)`` with an absolute error below 2**-48, without a library exponential."""
    chance = np.ones(gaps.shape)
    rest, unit = gaps, rate
    while unit < _NEGLIGIBLE and rest.any():
        chance *= _powers(unit)[rest & (_BASE - 1)]
        rest, unit = rest >> 8, unit * _BASE
    chance[rest > 0] = 0.0
    return chance


@lru_cache(maxsize=1024)
def _powers(unit: Fraction) -> NDArray[np.float64]:
    """Return exp(-unit j) for j = 0..255, each within 2**-52."""
    low_step, high_step = exp_bounds(unit, _WORK)
    low = high = 1 << _WORK
    table = np.empty(_BASE)
    for j in range(_BASE):
        table[j] = (low + high) / 2 ** (_WORK + 1)  # integer division in Python rounds correctly
        low, high = low * low_step >> _WORK, -(-high * high_step >> _WORK)
    table.setflags(write=False)
    return table


def uniform(below: int, size: int, source: RandomSource) -> NDArray[np.int64]:
    """Return `size` independent integers, exactly uniform on ``0 .. below - 1``, for ``1 <= below <= 2**62``."""
    bits = (below - 1).bit_length()
    if bits == 0:
        return np.zeros(size, dtype=np.int64)
    found = np.empty(0, dtype=np.int64)
    while found.size < size:
        drawn = (source.words(2 * (size - found.size) + 8, np.uint64) >> np.uint64(64 - bits)).astype(np.int64)
        found = np.concatenate([found, drawn[drawn < below]])
    return found[:size]
