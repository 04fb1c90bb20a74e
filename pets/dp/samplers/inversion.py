"""Exact inversion by lazily revealed bits: a table look-up decides nearly every draw.

A symmetric integer law is drawn as a sign bit and a uniform V in [0, 1/2), whose magnitude is
``m(V) = number of k >= 0 with V < G(k)``, where ``G(k) = P(X > k)`` falls from below 1/2 to 0.

*Law.* For m >= 1 a given sign has probability |{V : G(m) <= V < G(m-1)}| = G(m-1) - G(m) = P(X = m); zero comes from
both signs and so has probability 2 (1/2 - G(0)) = P(X = 0). Zero is not counted twice.

*Lazy bits.* Of V only the first bits are drawn: V lies in the cell ``[v, v + 1) / 2**bits``. With certified bounds
``low(k) <= 2**bits G(k) <= high(k)`` (module ``enclosure``):

* ``v < low(k)`` for an integer low(k) means v + 1 <= low(k), hence V < G(k) wherever in its cell V lies;
* ``v >= high(k)`` means V >= G(k);
* otherwise more bits are needed.

If the answer is the same for every k the draw is decided, and it is what the infinitely long V would have given; so
the law is *exactly* the target, whatever the bounds' tightness. Bits: first 16 (a table of all 65,536 cells), then 64
(binary search), then 128, 256, ... with bounds recomputed at that resolution. The probability that 64 bits leave a draw
open is near 2**-50; the same rule decides it then. The loop ends with probability one: each boundary leaves at most a
constant number of cells open, and the tail beyond the list one more, so that their total length goes to 0.

The work does not depend on the outcome, except for the open cells.

References
----------
L. Devroye, *Non-Uniform Random Variate Generation*, 1986, II.2 (inversion) and XV (random bits).
Haney et al., *Precision-based attacks and interval refining*, arXiv 2207.13793.
"""

from __future__ import annotations

from bisect import bisect_right
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from pets.csprng import RandomSource
from pets.dp.samplers.enclosure import tail_bounds
from pets.dp.samplers.law import Law, Weighted
from pets.dp.samplers.precision import Precision

_CHUNK = 2**15  # look-ups per pass: numpy's index array of 8 bytes each stays in the second-level cache
_BLOCK = 2**17  # draws per pass: open cells are rare, so they are collected over several look-ups
_OPEN = np.int16(-(2**15))
_NEVER = np.uint64(2**64 - 1)

refined_bounds = lru_cache(maxsize=8)(tail_bounds)


class TableSampler:
    """Draws from a law of scale at most ``precision.table_scale``. Immutable, so threads may share it.

    Parameters
    ----------
    law
        What to draw from.
    complement
        False: a magnitude m with a negative sign comes out as ``-m`` and the two zeros are one outcome. True: it comes
        out as ``~m = -1 - m``, so that each sign has a zero of its own; coarse laws need that.
    largest
        Bound of the magnitude. Results beyond are set to it (see :func:`pets.dp.samplers.discrete_laplace`).
    precision
        How many bits each step reveals.
    """

    def __init__(self, law: Law | Weighted, *, complement: bool, largest: int, precision: Precision) -> None:
        self._law = law
        self._zeros = 2 if complement else 1
        self._shift = 0 if complement else 1  # ~m + 1 == -m
        self._largest = largest
        self._precision = precision
        low, high = tail_bounds(law, precision.word_bits, zeros=self._zeros)
        # One more entry, above every v, for the draws that lie below no boundary.
        self._low = np.array([*low, _NEVER], dtype=np.uint64)
        self._high = np.array(high, dtype=np.uint64)
        self._table = self._build_table()

    def draw_into(self, out: NDArray[np.int64], source: RandomSource) -> None:
        """Overwrite the one-dimensional `out` with independent draws."""
        for start in range(0, out.size, _BLOCK):
            part = out[start : start + _BLOCK]
            words = source.words(part.size, np.uint16)
            undecided = self._look_up(words, part)
            if undecided.size:
                part[undecided] = self._refine(words[undecided], source)

    def _look_up(self, words: NDArray[np.uint16], out: NDArray[np.int64]) -> NDArray[np.intp]:
        """Write the outcome of each word into `out` and return where the cell is open (`out` is void there)."""
        undecided = []
        for start in range(0, out.size, _CHUNK):
            found = self._table.take(words[start : start + _CHUNK], mode="wrap")
            out[start : start + _CHUNK] = found
            undecided.append(np.flatnonzero(found == _OPEN) + start)
        return np.concatenate(undecided)

    def _build_table(self) -> NDArray[np.int16]:
        """Return the outcome of each 16-bit word (of its first ``cell_bits`` bits), or the mark of an open cell.

        Coarser bounds follow from fine ones: ``floor(low / 2**s)`` and ``ceil(high / 2**s)`` are bounds in units that
        are 2**s times as large.
        """
        shift = np.uint64(self._precision.word_bits - self._precision.cell_bits)
        low = self._low >> shift
        low[-1] = _NEVER
        high = (self._high + ((np.uint64(1) << shift) - np.uint64(1))) >> shift
        cells = np.arange(2 ** (self._precision.cell_bits - 1), dtype=np.uint64)
        magnitude, decided = _magnitudes(low, high, cells)
        positive = np.where(decided, magnitude, _OPEN)
        negative = np.where(decided, ~magnitude + self._shift, _OPEN)
        repeats = 2 ** (16 - self._precision.cell_bits)
        return np.concatenate([positive, negative]).astype(np.int16).repeat(repeats)

    def _refine(self, words: NDArray[np.uint16], source: RandomSource) -> NDArray[np.int64]:
        """Return the outcomes of draws whose cell is open, after revealing the bits up to ``word_bits``."""
        bits = self._precision.word_bits
        missing = bits - self._precision.cell_bits
        cells = (words >> (16 - self._precision.cell_bits)).astype(np.uint64)
        fresh = source.words(words.size, np.uint64) >> (64 - missing)
        v = (cells << missing | fresh) & (2 ** (bits - 1) - 1)  # without the sign bit
        magnitude, decided = _magnitudes(self._low, self._high, v)
        for i in np.flatnonzero(~decided):
            magnitude[i] = min(self._settle(int(v[i]), source), self._largest)
        return np.where(words < 2**15, magnitude, ~magnitude + self._shift)

    def _settle(self, v: int, source: RandomSource) -> int:
        """Return the magnitude of one draw, doubling the number of revealed bits until it is decided."""
        bits = self._precision.word_bits
        while True:
            v = v << bits | source.bits(bits)
            bits *= 2
            low, high = refined_bounds(self._law, bits, zeros=self._zeros)
            below = bisect_right(high, v)
            if below == len(low) or low[below] > v:
                return len(low) - below


def _magnitudes(
    low: NDArray[np.uint64], high: NDArray[np.uint64], v: NDArray[np.uint64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return how many boundaries lie above each v, and whether that is certain.

    The bounds ascend. The boundaries 0..i-1 with ``high <= v`` are below V for certain. All others are above V for
    certain if the lowest of them, number i, has ``low > v``. Beyond the list (i = 0) there are boundaries unknown here:
    ``low[0] == 0`` leaves such a draw open. ``low`` has one more entry than ``high``, larger than every v.
    """
    below = np.searchsorted(high, v, side="right")
    return high.size - below, low[below] > v
