"""The laws of noise shares: what several sites draw so that the sum of their draws has a wanted law.

Both laws are *infinitely divisible*: a sum of n independent shares has exactly the wanted law, for any n.

* A difference of two negative binomial (Polya) variables of shape 1/n, success probability 1 - q, q = exp(-1/scale):
  n of them add up to a difference of two geometric variables, which is the discrete Laplace law.
* A difference of two Poisson variables (Skellam) of variance v/n: n of them add up to Skellam of variance v.

Weights relative to P(0) come from ratios ``t(k) = P(k) / P(k-1)``, computed downwards in k from a bracket at the far
end. Interval arithmetic makes each step rigorous; that a step shrinks the bracket only makes the bounds tight.

*Polya difference, shape r <= 1.* With a(j) = P(negative binomial = j), P(k) = sum of a(j+k) a(j) over j, and
``a(j+1) / a(j) = q (r+j) / (j+1)`` rises with j to q. Hence ``q (r+k) / (k+1) <= t(k+1) <= q``. The generating function
f(z) = C ((1 - q z)(1 - q/z))**-r satisfies (1 - q z)(1 - q/z) z f' = r q (z - 1/z) f, which in coefficients is
``q (k+1-r) P(k+1) = (1+q^2) k P(k) - q (k-1+r) P(k-1)``; divided by P(k) that is the recursion used.

*Skellam.* P(k) is proportional to the Bessel function I_k(v), and I_{k-1} - I_{k+1} = (2k/v) I_k gives
``t(k) = 1 / (2k/v + t(k+1))``, so ``0 < t(k) < v/(2k)``.

References
----------
S. Goryczka and L. Xiong, *A comprehensive comparison of multiparty secure additions with differential privacy*, IEEE
TDSC 2017 (shares of discrete Laplace noise). J. G. Skellam, *The frequency distribution of the difference between two
Poisson variates*, JRSS 1946.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from pets.dp.samplers.enclosure import exp_bounds

_Weights = tuple[list[int], list[int], int]


@dataclass(frozen=True, slots=True)
class PolyaShare:
    """The difference of two independent negative binomial variables of shape `shape` and ratio ``exp(-1/scale)``.

    Parameters
    ----------
    scale
        Above 0: that of the discrete Laplace law to which 1/shape shares add up.
    shape
        Above 0, at most 1.
    """

    scale: Fraction
    shape: Fraction

    def wider_than(self, scale: int) -> bool:
        """Return whether the scale exceeds `scale`."""
        return self.scale > scale

    def weights(self, work: int, smallest: int) -> _Weights:
        """Return certified bounds of P(k) / P(0) (see :class:`~pets.dp.samplers.law.Weighted`)."""
        low_q, high_q = exp_bounds(1 / self.scale, work)
        # P(k) / P(0) <= q**k, so no weight beyond this k reaches `smallest`.
        end = math.ceil((work - smallest.bit_length() + 2) * math.log(2) * float(self.scale)) + 2
        ratios = self._ratios(low_q, high_q, work, end)
        lows, highs, last = _accumulate(ratios, work, smallest, 1)
        return lows, highs, _ceil_div(last << work, (1 << work) - high_q)

    def _ratios(self, low_q: int, high_q: int, work: int, end: int) -> list[tuple[int, int]]:
        """Return bounds of t(1), ..., t(end), which fall short of q."""
        a, b = self.shape.numerator, self.shape.denominator
        low, high = low_q * (a + b * end) // (b * (end + 1)), high_q
        low_square, high_square = ((1 << 2 * work) + q * q for q in (low_q, high_q))
        found = []
        for k in range(end, 0, -1):
            above, below = b * (k - 1) + a, b * (k + 1) - a
            least = low_square * b * k - high_q * below * high
            most = high_square * b * k - low_q * below * low
            low = (low_q * above << 2 * work) // most
            # For a tiny q the interval may be too blunt to tell the denominator's sign; t <= q holds anyway.
            high = min(high_q, _ceil_div(high_q * above << 2 * work, least)) if least > 0 else high_q
            found.append((low, high))
        return found[::-1]


@dataclass(frozen=True, slots=True)
class SkellamShare:
    """The difference of two independent Poisson variables, each of mean ``variance / 2``.

    Parameters
    ----------
    variance
        Above 0, at most 64: wider shares of zero-concentrated noise are discrete Gaussian.
    """

    variance: Fraction

    def wider_than(self, scale: int) -> bool:
        """Return whether the standard deviation exceeds `scale`."""
        return self.variance > scale * scale

    def weights(self, work: int, smallest: int) -> _Weights:
        """Return certified bounds of P(k) / P(0) (see :class:`~pets.dp.samplers.law.Weighted`)."""
        a, b = self.variance.numerator, self.variance.denominator
        end = self._reach(work - smallest.bit_length() + 2)
        low, high = 0, _ceil_div(a << work, 2 * b * (end + 1))
        ratios = []
        for k in range(end, 0, -1):
            fixed = 2 * b * k << work
            low, high = (a << 2 * work) // (fixed + a * high), _ceil_div(a << 2 * work, fixed + a * low)
            ratios.append((low, high))
        # From k = variance on, t(k) <= 1/2, so that the rest sums to at most twice its first weight.
        lows, highs, last = _accumulate(ratios[::-1], work, smallest, math.ceil(self.variance))
        return lows, highs, 2 * last

    def _reach(self, bits: int) -> int:
        """Return a k from which on P(k) / P(0) <= (v/2)**k / k! <= 2**-bits (compare the series of I_k and I_0)."""
        k, exponent = 1, math.log2(self.variance / 2) if self.variance > Fraction(1, 2**1000) else -1000.0
        total = exponent
        while total > -bits - 1 or k <= self.variance:
            k += 1
            total += exponent - math.log2(k)
        return k


def _accumulate(
    ratios: list[tuple[int, int]], work: int, smallest: int, least: int
) -> tuple[list[int], list[int], int]:
    """Return bounds of the products of ratios from 1 down to `smallest`, at least `least` of them, and the next one."""
    low = high = 1 << work
    lows, highs = [], []
    for low_ratio, high_ratio in ratios:
        lows.append(low)
        highs.append(high)
        low, high = low * low_ratio >> work, -(-high * high_ratio >> work)
        if high < smallest and len(highs) > least:
            break
    return lows, highs, high


def _ceil_div(numerator: int, denominator: int) -> int:
    return -(-numerator // denominator)
