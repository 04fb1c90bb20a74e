"""Law of the error of a rounded count, for a reader who does not know the count."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pets.errors import InvalidArgument

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
    reach
        Largest possible error: ``base - 1`` if each count goes to one of its two neighbouring multiples.
    unbiased
        True if each count goes up with probability ``r / base`` exactly and independently of the others, which gives
        it a variance of ``r (base - r)``; False if nothing is known but the largest error.

    Raises
    ------
    InvalidArgument
        A number is out of range, or an unbiased error has another reach than ``base - 1``.
    """

    base: int
    reach: int
    unbiased: bool = True

    def __post_init__(self) -> None:
        for name, value, least in (("base", self.base, 2), ("reach", self.reach, 1)):
            if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= _LARGEST:
                raise InvalidArgument(name, f"must be a whole number of at least {least}")
        if not isinstance(self.unbiased, bool) or (self.unbiased and self.reach != self.base - 1):
            raise InvalidArgument("unbiased", "must be true or false, and is possible only with the reach base - 1")

    @property
    def variance(self) -> float:
        """Largest variance (if biased: mean square) that the error of a count can have."""
        return float((self.base // 2) * ((self.base + 1) // 2) if self.unbiased else self.reach**2)

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
        if k >= self.reach:
            return 1.0
        return (k + 1) / self.base if self.unbiased and k >= self.base // 2 else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {"type": "rounding", "base": self.base, "reach": self.reach, "unbiased": self.unbiased}
