"""The exponential mechanism over candidates of unequal public measure, in a time that no score can stretch.

Proposing candidates in proportion to their measure and accepting by ``exp(-rate gap)`` is exact too, but if the best
one is a narrow bin beside a wide one of the worst score, it proposes the wide one for as long as the ratio of their
widths: until tomorrow, and how long it takes tells who is best.

Here a candidate is proposed in proportion to ``measure * 2**-level`` with a whole number ``level`` such that

    2**-(level + 1) < exp(-rate gap) <= 2**-level        (up to 2**-40 in the exponent; levels end at LAST),

and accepted with the chance ``2**level exp(-rate gap)``, which is above one half. So two proposals are enough on
average, whatever the scores and widths are; what depends on the scores is a geometric number with a success chance
between 1/2 and 1. Candidates beyond the last level weigh less than 2**(62 - LAST) of the best one together.

*Exactness.* The weights of proposals are integers, ``measure << (LAST - level)``. The coin compares a uniform U with
``exp(-rate gap)``, given that the first `level` bits of U are 0, which is the same as accepting by the chance above;
further bits are drawn as needed (:func:`pets.dp.samplers.coin.toss_exactly`). Levels are found in double precision;
one that is too small would only cost time, and one that is too large is excluded: the product errs by less than
LAST * 2**-50 < 2**-41, and 2**-40 is subtracted.
"""

from __future__ import annotations

from bisect import bisect_right
from fractions import Fraction
from itertools import accumulate
from math import ceil, log

import numpy as np
from numpy.typing import NDArray

from pets.csprng import RandomSource
from pets.dp.samplers.coin import toss_exactly

LAST = 255
"""Last level."""

_MARGIN = 2.0**-40
_BITS = 64


def levels(rate: Fraction, gaps: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return for each gap its level: at most ``rate gap / ln 2``, and at most LAST."""
    enough = min(ceil(Fraction(LAST + 1) / rate), 2**52)  # ln 2 is below 1: such gaps are on the last level
    steps = np.minimum(gaps, enough).astype(np.float64) * (float(min(rate, Fraction(2**60))) / log(2)) - _MARGIN
    return np.asarray(np.clip(np.floor(steps), 0, LAST), dtype=np.int64)


def weigh_measured(rate: Fraction, gaps: NDArray[np.int64], measure: NDArray[np.int64], source: RandomSource) -> int:
    """Return i with probability exactly proportional to ``measure[i] exp(-rate gaps[i])``.

    Parameters
    ----------
    rate
        Above 0.
    gaps
        Whole numbers from 0 to 2**51, at least one of them 0.
    measure
        Positive whole numbers, with a sum of at most 2**62.
    source
        Where random bits come from.
    """
    level = levels(rate, gaps)
    order = np.argsort(level, kind="stable")
    upto = np.cumsum(measure[order])
    occupied, members = np.unique(level, return_counts=True)
    ends = [0, *upto[np.cumsum(members) - 1].tolist()]  # measure of all candidates up to each occupied level
    shifts = [LAST - int(at) for at in occupied]
    sizes = [(high - low) << shift for shift, low, high in zip(shifts, ends[:-1], ends[1:], strict=True)]
    bounds = list(accumulate(sizes))
    while True:
        drawn = _below(bounds[-1], source)
        place = bisect_right(bounds, drawn)
        inside = (drawn - (bounds[place] - sizes[place])) >> shifts[place]
        found = int(order[np.searchsorted(upto, ends[place] + inside, side="right")])
        if accepts(rate * int(gaps[found]), LAST - shifts[place], source):
            return found


def accepts(x: Fraction, level: int, source: RandomSource) -> bool:
    """Return true with probability exactly ``2**level exp(-x)``, which is at most 1."""
    return toss_exactly(x, source.bits(_BITS), level + _BITS, source)


def _below(limit: int, source: RandomSource) -> int:
    """Return an integer that is uniform on ``0 .. limit - 1``."""
    bits = (limit - 1).bit_length()
    while (drawn := source.bits(bits)) >= limit:
        pass
    return drawn
