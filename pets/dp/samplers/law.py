"""The laws that can be drawn: a family with discrete Laplace and discrete Gaussian as corners, and others' weights."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Protocol


class Weighted(Protocol):
    """A symmetric law on the integers, falling from zero on, that a table can be made of. Frozen and hashable."""

    def __hash__(self) -> int: ...

    def weights(self, work: int, smallest: int) -> tuple[list[int], list[int], int]:
        """Return certified bounds of the weights, in units of ``2**-work``.

        Returns
        -------
        lows, highs, beyond
            ``lows[k] <= 2**work P(k) / P(0) <= highs[k]`` for k = 0, 1, ... down to weights below `smallest`, and an
            upper bound of the sum of all further ones.
        """
        ...


@dataclass(frozen=True, slots=True)
class Law:
    """The integer law with P(k) proportional to ``exp(-(linear |k| + quadratic k**2))``.

    Parameters
    ----------
    linear, quadratic
        Exact, not negative, not both zero. ``linear = 1/scale`` alone is the discrete Laplace law,
        ``quadratic = 1/(2 variance)`` alone is the discrete Gaussian law.
    """

    linear: Fraction
    quadratic: Fraction

    @classmethod
    def laplace(cls, scale: Fraction) -> Law:
        """Return P(k) proportional to ``exp(-|k| / scale)``."""
        return cls(1 / scale, Fraction(0))

    @classmethod
    def gaussian(cls, variance: Fraction) -> Law:
        """Return P(k) proportional to ``exp(-k**2 / (2 variance))``; the parameter is sigma squared."""
        return cls(Fraction(0), 1 / (2 * variance))

    def wider_than(self, scale: int) -> bool:
        """Return whether the Laplace scale or the Gaussian sigma exceeds `scale`."""
        return self.linear * scale < 1 and 2 * self.quadratic * scale**2 < 1

    def coarse(self, shift: int) -> Law:
        """Return the law of t when only the multiples ``k = t * 2**shift`` are looked at."""
        return Law(self.linear * 2**shift, self.quadratic * 4**shift)

    def excess(self, base: int, extra: int) -> Fraction:
        """Return by how much the exponent at ``base + extra`` exceeds the one at `base` (both not negative)."""
        return extra * (self.linear + self.quadratic * (2 * base + extra))
