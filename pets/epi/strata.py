"""Counts with their person-years, stratum by stratum, checked once for every rate."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Real
from typing import Self

import numpy as np
import numpy.typing as npt

from pets.errors import InvalidArgument

Vector = npt.NDArray[np.float64]

_LARGEST = 1e15
_LARGEST_VARIANCE = 1e30


@dataclass(frozen=True, slots=True, eq=False)
class Strata:
    """Checked input of a rate: three vectors of shape (strata,)."""

    cases: Vector
    person_years: Vector
    noise_variance: Vector

    @classmethod
    def of(cls, cases: npt.ArrayLike, person_years: npt.ArrayLike, noise_variance: npt.ArrayLike) -> Self:
        """Return the vectors as floats.

        Raises
        ------
        InvalidArgument
            A vector is not one-dimensional, finite and numeric, lengths differ, person-years are not
            positive, a variance is negative, or an exact count is.
        """
        counts = vector("cases", cases, largest=_LARGEST)
        years = vector("person_years", person_years, largest=_LARGEST, like=counts)
        noise = vector("noise_variance", noise_variance, largest=_LARGEST_VARIANCE, like=counts, broadcast=True)
        if (years < 1 / _LARGEST).any():
            raise InvalidArgument("person_years", "must be above 0 in every stratum", "Merge or drop empty strata.")
        if (noise < 0).any():
            raise InvalidArgument("noise_variance", "must not be negative", "Give 0 for exact counts.")
        if ((counts < 0) & (noise == 0)).any():
            raise InvalidArgument(
                "cases",
                "must not be negative where noise_variance is 0",
                "Give the variance of the noise that the counts contain.",
            )
        return cls(counts, years, noise)


def vector(
    name: str, values: npt.ArrayLike, *, largest: float, like: Vector | None = None, broadcast: bool = False
) -> Vector:
    """Return `values` as floats of shape (strata,), a single number as one stratum.

    Parameters
    ----------
    name
        The argument to name in the error.
    values
        Numbers: integers, floats or fractions, in a list, an array or a column of a table.
    largest
        Largest absolute value that is accepted.
    like
        A vector that must be equally long.
    broadcast
        Whether a single number stands for every stratum of `like`.
    """
    numbers = _floats(name, values)
    if numbers.ndim == 0:
        numbers = np.full(like.shape, numbers) if broadcast and like is not None else numbers.reshape(1)
    if numbers.ndim != 1 or not numbers.size:
        raise InvalidArgument(name, "must be one-dimensional with at least one stratum")
    if like is not None and numbers.size != like.size:
        raise InvalidArgument(name, f"has {numbers.size} strata where cases has {like.size}")
    # NaN fails this comparison too
    if not (np.abs(numbers) <= largest).all():
        raise InvalidArgument(name, f"must be finite and at most {largest:g}")
    return numbers


def _floats(name: str, values: npt.ArrayLike) -> Vector:
    not_numbers = InvalidArgument(name, "must hold numbers only")
    try:
        given = np.asarray(values)
        if given.dtype.kind == "O" and not all(_is_number(value) for value in given.ravel()):
            raise not_numbers
        if given.dtype.kind not in "iufO":
            raise not_numbers
        return given.astype(np.float64)
    except (TypeError, ValueError, OverflowError):
        raise not_numbers from None


def _is_number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
