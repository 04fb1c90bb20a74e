"""Laws of the error of rounded counts and of their sums, for a reader who does not know the counts."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pets.errors import InvalidArgument, PairingRefused

if TYPE_CHECKING:
    from pets.noise import NoiseLaw

_LARGEST = 2**40


@dataclass(frozen=True, slots=True)
class RoundingLaw:
    """Error of a count that was rounded to a multiple of `base`, at the count for which it is least certain.

    What is known of the error depends on the remainder r of the true count, which no reader knows. Every probability
    here is that of the worst remainder, taken to be the same on both sides of zero: intervals cover whatever the count.

    Parameters
    ----------
    base
        Whole number of at least 2.
    largest
        Largest possible error: ``base - 1`` if each count goes to one of its two neighbouring multiples.
    unbiased
        True if each count goes up with probability ``r / base`` exactly and independently of the others, which gives
        it a variance of ``r (base - r)``; False if nothing is known but the largest error.

    Raises
    ------
    InvalidArgument
        A number is out of range, or an unbiased error has another largest error than ``base - 1``.
    """

    base: int
    largest: int
    unbiased: bool = True

    def __post_init__(self) -> None:
        for name, value, least in (("base", self.base, 2), ("largest", self.largest, 1)):
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= _LARGEST:
                raise InvalidArgument(name, f"must be a whole number of at least {least}")
        if not isinstance(self.unbiased, bool) or (self.unbiased and self.largest != self.base - 1):
            raise InvalidArgument("unbiased", "must be true or false, and needs a largest error of base - 1")

    @property
    def variance(self) -> float:
        """Largest variance (if biased: mean square) that the error of a count can have."""
        return float((self.base // 2) * ((self.base + 1) // 2) if self.unbiased else self.largest**2)

    def cdf(self, k: int) -> float:
        """Return P(Z <= k): half of what may lie beyond +/- k is taken to lie above."""
        beyond = (1 - self.within(k if k >= 0 else -k - 1)) / 2
        return 1 - beyond if k >= 0 else beyond

    def pmf(self, k: int) -> float:
        """Return P(Z = k)."""
        return max(0.0, self.cdf(k) - self.cdf(k - 1))

    def within(self, k: int) -> float:
        """Return the least P(abs(Z) <= k) over all true counts.

        Of the remainders that leave an error above k possible, the worst is ``base - k - 1``: it goes down, by less
        than k, with probability ``(k + 1) / base``. Below half a base, some remainder always errs by more than k.
        """
        if k >= self.largest:
            return 1.0
        return (k + 1) / self.base if self.unbiased and k >= self.base // 2 else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {"type": "rounding", "base": self.base, "largest": self.largest, "unbiased": self.unbiased}

    def summed(self, terms: Iterable[tuple[NoiseLaw, int, int]]) -> NoiseLaw:
        """Return the law of a weighted sum of rounding errors; see :func:`rounding_sum`."""
        return rounding_sum(terms)


@dataclass(frozen=True, slots=True)
class RoundingSumLaw:
    """Bound on a sum of rounding errors, whatever the true counts are.

    Parameters
    ----------
    squares
        Sum of the squared ranges of the terms if these are independent and unbiased: Hoeffding's bound then holds. 0 if
        they are not, and nothing but the largest sum is known.
    largest
        Largest possible sum of errors.

    References
    ----------
    Hoeffding, *Probability inequalities for sums of bounded random variables*, JASA 58, 1963, Theorem 2.
    """

    squares: int
    largest: int

    def __post_init__(self) -> None:
        for name, value in (("squares", self.squares), ("largest", self.largest)):
            if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _LARGEST**3:
                raise InvalidArgument(name, "must be a whole number of at least 0")

    @property
    def variance(self) -> float:
        """Largest variance (mean square, if biased) that the sum can have."""
        return self.squares / 4 if self.squares else float(self.largest) ** 2

    def within(self, k: int) -> float:
        """Return a lower bound of P(abs(Z) <= k)."""
        if k >= self.largest:
            return 1.0
        return max(0.0, 1 - 2 * math.exp(-2 * (k + 1) ** 2 / self.squares)) if self.squares and k >= 0 else 0.0

    def cdf(self, k: int) -> float:
        """Return P(Z <= k): half of what may lie beyond +/- k is taken to lie above."""
        beyond = (1 - self.within(k if k >= 0 else -k - 1)) / 2
        return 1 - beyond if k >= 0 else beyond

    def pmf(self, k: int) -> float:
        """Return P(Z = k)."""
        return max(0.0, self.cdf(k) - self.cdf(k - 1))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {"type": "rounding_sum", "squares": self.squares, "largest": self.largest}

    def summed(self, terms: Iterable[tuple[NoiseLaw, int, int]]) -> NoiseLaw:
        """Return the law of a weighted sum of rounding errors; see :func:`rounding_sum`."""
        return rounding_sum(terms)


def rounding_sum(terms: Iterable[tuple[NoiseLaw, int, int]]) -> RoundingLaw | RoundingSumLaw:
    """Return the law of ``sum(weight * Z_i)`` over independent copies of rounding errors.

    Parameters
    ----------
    terms
        Tuples of a law, a weight and a number of copies.

    Raises
    ------
    PairingRefused
        A term is noise of another kind.
    """
    kept = [(law, abs(weight), copies) for law, weight, copies in terms if weight and copies > 0 and law.variance]
    if len(kept) == 1 and kept[0][1:] == (1, 1) and isinstance(kept[0][0], RoundingLaw | RoundingSumLaw):
        return kept[0][0]
    squares, largest = 0, 0
    known = True
    for law, weight, copies in kept:
        if not isinstance(law, RoundingLaw | RoundingSumLaw):
            raise PairingRefused("rounded counts cannot be pooled with counts that have noise of another kind")
        its = (law.base**2 if law.unbiased else 0) if isinstance(law, RoundingLaw) else law.squares
        known &= its > 0
        squares += copies * weight**2 * its
        largest += copies * weight * law.largest
    return RoundingSumLaw(squares if known else 0, largest)
