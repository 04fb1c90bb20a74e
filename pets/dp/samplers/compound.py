"""Exact Polya differences of any scale: a Poisson number of jumps, each by acceptance and rejection.

A negative binomial variable of shape r and ratio q is a compound Poisson sum: jumps of size k = 1, 2, ... arrive
independently with intensity ``r q**k / k`` (its log generating function is r sum q**k (z**k - 1) / k). The difference
of two has jumps of either sign with intensity ``2 r q**k / k`` altogether and a fair sign.

*Proposals.* The positive integers are cut into slices ``base <= k < base + width`` with ``width <= base``, both powers
of two at first (octaves) and of constant width W from W on, W between a quarter and a half of the scale. In a slice,
jumps are proposed with the constant intensity ``2 r q**base / base``, hence with mass ``2 r (width / base) q**base``,
and k is uniform in it. A proposal is kept with probability ``(base / k) q**(k - base)``, which is at most 1. Kept
proposals of a Poisson process are a Poisson process with the wanted intensity: *exactly* the law.

Per cell: the number of proposals is Poisson with the total mass as its mean, drawn by lazily revealed bits from a table
(module ``inversion``); so is the slice of each. Both coins are exact: the first compares integers, the second is
:func:`pets.dp.samplers.coin.toss`, whose exponent is at most 1/2 here.

References
----------
M. H. Quenouille, *A relation between the logarithmic, Poisson, and negative binomial series*, Biometrics 1949.
J. F. C. Kingman, *Poisson Processes*, 1993 (thinning and superposition).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import count

import numpy as np
from numpy.typing import NDArray

from pets.csprng import RandomSource
from pets.dp.samplers.coin import toss
from pets.dp.samplers.enclosure import exp_bounds
from pets.dp.samplers.inversion import TableSampler
from pets.dp.samplers.precision import Precision
from pets.dp.samplers.shares import PolyaShare

_PROPOSALS = 2**17  # a pass: long enough to spread the cost of numpy's calls, short enough for the cache
_UNIFORM = 52  # bits of the first coin, so that both ends of its cell are exact doubles
_MARGIN = 2.0**-50


@dataclass(frozen=True, slots=True)
class _Slices:
    """The law of a proposal's slice, as magnitudes; see :class:`~pets.dp.samplers.law.Weighted`."""

    scale: Fraction
    octaves: int

    def base(self, index: int) -> int:
        """Return the first jump size of a slice: 1, 2, 4, ..., W, 2 W, 3 W, ..."""
        return 1 << index if index < self.octaves else (index - self.octaves + 1) << self.octaves

    def mass(self, index: int, work: int) -> tuple[int, int]:
        """Return bounds of ``2**work (width / base) q**base``."""
        low, high = exp_bounds(self.base(index) / self.scale, work)
        steps = max(1, index - self.octaves + 1)
        return low // steps, -(-high // steps)

    def masses(self, work: int, smallest: int) -> tuple[list[int], list[int], int]:
        """Return bounds of the masses down to `smallest`, and of the sum of all further ones."""
        lows, highs = [], []
        for index in count():
            low, high = self.mass(index, work)
            if high < smallest:
                break
            lows.append(low)
            highs.append(high)
        # exp(-W/scale) <= exp(-1/4) < 4/5, so further masses sum to at most five times the first of them.
        return lows, highs, 5 * high

    def weights(self, work: int, smallest: int) -> tuple[list[int], list[int], int]:
        """Return bounds of the masses of +-1, +-2, ... relative to that of 0; a sign splits all but the first."""
        extra = 8  # the first mass is above 1/2, so that division by it loses less than these bits
        lows, highs, beyond = self.masses(work + extra, smallest << (extra - 1))
        low = [1 << work] + [(each << work) // (2 * highs[0]) for each in lows[1:]]
        high = [1 << work] + [-(-each << work) // (2 * lows[0]) + 1 for each in highs[1:]]
        return low, high, (beyond << work) // (2 * lows[0]) + 1


@dataclass(frozen=True, slots=True)
class _Number:
    """The law of the number of proposals in a cell, as magnitudes: Poisson weights mean**n / n!, with a fair sign."""

    slices: _Slices
    shape: Fraction

    def weights(self, work: int, smallest: int) -> tuple[list[int], list[int], int]:
        """Return bounds of P(+-n) / P(0)."""
        low_mean, high_mean = self.mean(work)
        lows, highs = [1 << work], [1 << work]
        low = high = 1 << work
        for n in count(1):
            low, high = (low * low_mean >> work) // n, -(-high * high_mean // (n << work))
            # Beyond twice the mean, each weight is less than half of the one before it.
            if high < smallest and n << work > 2 * high_mean:
                return lows, highs, high
            lows.append(low // 2)
            highs.append((high + 1) // 2)
        raise AssertionError  # pragma: no cover

    def mean(self, work: int) -> tuple[int, int]:
        """Return bounds of ``2**work`` times the mean."""
        lows, highs, beyond = self.slices.masses(work, smallest=2)  # no upper bound is below 1
        twice = 2 * self.shape
        low = sum(lows) * twice.numerator // twice.denominator
        return low, -(-(sum(highs) + beyond) * twice.numerator // twice.denominator)


class CompoundSampler:
    """Draws Polya differences of scale 2 to 2**40. Immutable, so threads may share it.

    Parameters
    ----------
    law
        What to draw from.
    largest
        Bound of a jump, a power of two of at most 2**62: larger jumps become one between it and twice it.
    precision
        How many bits each step reveals.
    """

    def __init__(self, law: PolyaShare, *, largest: int, precision: Precision) -> None:
        self._law = law
        self._rate = float(1 / law.scale)
        self._precision = precision
        octaves = int(law.scale / 2).bit_length() - 1
        self._slices = _Slices(law.scale, octaves)
        number = _Number(self._slices, law.shape)
        self._number = TableSampler(number, complement=False, largest=2**15, precision=precision)
        self._slice = TableSampler(self._slices, complement=False, largest=2**15, precision=precision)
        self._octaves = octaves
        self._largest = largest
        self._chunk = max(16, int(_PROPOSALS / max(1.0, number.mean(64)[1] / 2**64)))

    def draw_into(self, out: NDArray[np.int64], source: RandomSource) -> None:
        """Overwrite the one-dimensional `out` with independent draws."""
        for start in range(0, out.size, self._chunk):
            part = out[start : start + self._chunk]
            numbers = np.empty(part.size, dtype=np.int64)
            self._number.draw_into(numbers, source)
            ends = np.cumsum(np.abs(numbers))
            sums = np.concatenate([[0], np.cumsum(self._jumps(int(ends[-1]), source))])
            part[:] = np.diff(sums[ends], prepend=0)

    def _jumps(self, size: int, source: RandomSource) -> NDArray[np.int64]:
        """Return signed jumps, 0 for proposals that were turned down."""
        index = np.empty(size, dtype=np.int64)
        self._slice.draw_into(index, source)
        index = np.abs(index)
        words = source.words(size, np.uint64)
        width = np.int64(1) << np.minimum(index, self._octaves)
        steps = np.maximum(index - self._octaves + 1, 1)
        base = np.minimum(steps, self._largest >> self._octaves) * width
        extra = words.view(np.int64) & (width - 1)
        kept = self._keep(base, extra, source)
        jump = base + extra
        signed: NDArray[np.int64] = np.where(words >> np.uint64(63), -jump, jump)
        signed[~kept] = 0
        return signed

    def _keep(self, base: NDArray[np.int64], extra: NDArray[np.int64], source: RandomSource) -> NDArray[np.bool_]:
        """Return which proposals pass both coins: base / (base + extra), then q**extra."""
        shift = np.uint64(64 - self._precision.coin_bits)
        passed = toss(
            extra.astype(np.float64) * self._rate,
            source.words(base.size, np.uint64) >> shift,
            lambda i: int(extra[i]) / self._law.scale,
            source,
            self._precision,
        )
        u = source.words(base.size, np.uint64) >> np.uint64(64 - _UNIFORM)
        # Two conversions and a division: three relative errors of 2**-53.
        share = base / (base + extra)
        accepted = (u + np.uint64(1)) * 2.0**-_UNIFORM <= share * (1 - _MARGIN)
        unclear = ~accepted & (u * 2.0**-_UNIFORM < share * (1 + _MARGIN))
        for i in np.flatnonzero(unclear):
            accepted[i] = _below(int(u[i]), int(base[i]), int(base[i] + extra[i]), source)
        return passed & accepted


def _below(u: int, numerator: int, denominator: int, source: RandomSource) -> bool:
    """Return whether U < numerator / denominator, where u holds the first bits of U; reveals more as needed."""
    bits = _UNIFORM
    while True:
        if (u + 1) * denominator <= numerator << bits:
            return True
        if u * denominator >= numerator << bits:
            return False
        u = u << bits | source.bits(bits)
        bits *= 2
