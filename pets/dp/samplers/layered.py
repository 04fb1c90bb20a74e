"""Exact draws from wide laws: a coarse table, uniform low bits, and one rare rejection.

With w(k) = exp(-linear k - quadratic k**2) and steps of B = 2**shift, propose

* a sign and a multiple t >= 0, with probability proportional to w(B t) for either sign (the table of the coarse law);
* r, uniform on 0..B-1, and k = B t + r for the positive sign, k = ~(B t + r) = -1 - (B t + r) for the negative one,

so that each integer is proposed in exactly one way, and accept with probability w(|k|) / w(B t), which is at most 1 as
w falls. An accepted k has probability proportional to w(B t) (1/B) w(|k|) / w(B t), that is, to w(|k|): *exactly* the
target (von Neumann's rejection). Negative k need no special case: |k| = B t + r + 1.

With B between 1/128 and 1/64 of the scale, over 99 % of the proposals are accepted, whatever the scale; a draw costs
10 random bytes and hardly any time more at scale 2**40 than at 300. The chance that a proposal is rejected varies
little with k (Laplace: below 2 % everywhere; Gaussian: below 2 % at sigma, 15 % at eight sigma), so the time of a batch
says next to nothing of its values.

*Floats.* The acceptance test's float x' must be within 2**-50 max(x, 1) of x = e (linear + quadratic (2 B t + e)) with
e = r + 1 or r. The integers t and e convert with relative error at most 2**-53 (e is exact), multiplication by 2 B is
exact, and each of the remaining conversion of the coefficient, sum and two products adds at most 2**-53; one of the two
coefficients is zero. Five such factors are within 5.1 * 2**-53 < 2**-50 of one, and all terms are positive. Nothing
can underflow: coefficients are above 2**-82.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import count

import numpy as np
from numpy.typing import NDArray

from pets.csprng import RandomSource
from pets.dp.samplers.coin import toss
from pets.dp.samplers.inversion import TableSampler
from pets.dp.samplers.law import Law
from pets.dp.samplers.precision import Precision

_CHUNK = 2**16  # draws per pass: long enough to spread the fixed cost of some forty numpy calls


class LayeredSampler:
    """Draws from a law wider than ``precision.table_scale``. Immutable, so threads may share it.

    Parameters
    ----------
    law
        What to draw from, of scale at most 2**40.
    largest
        Bound of the magnitude, a power of two of at most 2**62: larger results become one between it and twice it.
    precision
        How many bits each step reveals, and where the law is split.
    """

    def __init__(self, law: Law, *, largest: int, precision: Precision) -> None:
        self._law = law
        self._shift = next(n for n in count() if not law.coarse(n).wider_than(precision.coarse_scale))
        self._linear, self._quadratic = float(law.linear), float(law.quadratic)
        self._precision = precision
        self._coarse = TableSampler(
            law.coarse(self._shift), complement=True, largest=largest >> self._shift, precision=precision
        )

    def draw_into(self, out: NDArray[np.int64], source: RandomSource) -> None:
        """Overwrite the one-dimensional `out` with independent draws."""
        done = 0
        while done < out.size:
            wanted = min(out.size - done, _CHUNK)
            kept = self._propose(wanted + wanted // 64 + 1, source)[:wanted]
            out[done : done + kept.size] = kept
            done += kept.size

    def _propose(self, size: int, source: RandomSource) -> NDArray[np.int64]:
        """Return the accepted ones among `size` proposals."""
        coarse = np.empty(size, dtype=np.int64)
        self._coarse.draw_into(coarse, source)
        words = source.words(size, np.uint64)
        low_bits = (words & np.uint64(2**self._shift - 1)).view(np.int64)
        sign = coarse >> 63  # 0 or -1
        t = coarse ^ sign
        extra = low_bits - sign
        accepted = toss(
            self._excess(t, extra),
            words >> np.uint64(64 - self._precision.coin_bits),
            lambda i: self._exact_excess(int(t[i]), int(extra[i])),
            source,
            self._precision,
        )
        draws: NDArray[np.int64] = ((t << self._shift) | low_bits) ^ sign
        return draws[accepted]

    def _excess(self, t: NDArray[np.int64], extra: NDArray[np.int64]) -> NDArray[np.float64]:
        step = extra.astype(np.float64)
        if not self._quadratic:
            return step * self._linear
        return step * ((t * 2.0 ** (self._shift + 1) + step) * self._quadratic + self._linear)

    def _exact_excess(self, t: int, extra: int) -> Fraction:
        return self._law.excess(t << self._shift, extra)
