"""The columns a query uses: what the engine groups by, and what the grouped values mean."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from itertools import repeat
from typing import Any, Final

import narwhals.stable.v2 as nw
import numpy as np
from numpy.typing import NDArray

from pets.domain import Attribute, Categorical, Date, Integer
from pets.domain.dates import read_step
from pets.query.engine.numbers import MAX_ENGINE_BINS, codes_of, packed_expression, units_expression, units_of, unpacked
from pets.query.engine.policy import MISSING, UNDECLARED, cells_of, has_number, refuse_errors

MAX_RAW_RANGE: Final = 2048
"""Integers of a wider range that have bins are binned by the engine, to keep its result small."""

NUMBERS: Final = (bool, int, float, Decimal, np.number, np.bool_)
"""Types that a number in a column of mixed values may have."""

LONG: Final = 2**13
"""From this length on a column of texts is looked up by the engine and not one by one."""

_STATES: Final = 4
"""Number of codes for invalid values."""


@dataclass(frozen=True)
class Column:
    """One attribute of a query and how its column is read.

    Parameters
    ----------
    name, position
        Of the column in the user's frame.
    dtype
        Its type in the user's frame.
    attribute
        What the domain declares about it.
    is_key, is_summed
        Whether some block has it as an axis, or sums it.
    index
        Number of the column in the query, from which internal names are made.
    """

    name: str
    position: int
    dtype: nw.dtypes.DType
    attribute: Attribute
    is_key: bool
    is_summed: bool
    index: int

    @property
    def key(self) -> str:
        """Internal name of what the engine groups by."""
        return f"k{self.index}"

    @property
    def value(self) -> str:
        """Internal name of what the engine adds up."""
        return f"v{self.index}"

    @cached_property
    def coded(self) -> bool:
        """Whether the engine computes codes. Otherwise it groups by the values as they are."""
        attribute = self.attribute
        if isinstance(attribute, Categorical | Date) or not self.dtype.is_numeric():
            return False
        if not self.is_key:
            return True
        if isinstance(attribute, Integer):
            wide = attribute.upper - attribute.lower >= MAX_RAW_RANGE
            return wide and attribute.bins is not None and len(attribute.bins) <= MAX_ENGINE_BINS
        return attribute.bins is not None and len(attribute.bins) <= MAX_ENGINE_BINS

    @property
    def square(self) -> str:
        """Internal name of the square of what the engine adds up."""
        return f"s{self.index}"

    @property
    def adds_values(self) -> bool:
        """Whether the engine sums. Otherwise the sum follows from the values that it grouped by."""
        return self.is_summed and self.coded

    @cached_property
    def groups(self) -> int:
        """Most groups that honest rows can fall into by this column."""
        attribute = self.attribute
        if isinstance(attribute, Categorical):
            return len(attribute.categories) + 1
        if isinstance(attribute, Date):
            attribute = attribute.steps
        if self.coded:
            return (len(attribute.bins) - 1 if self.is_key and attribute.bins else 1) + _STATES
        if isinstance(attribute, Integer):
            return attribute.upper - attribute.lower + 1 + _STATES
        return attribute.upper_units - attribute.lower_units + 1 + _STATES

    def expressions(self) -> list[nw.Expr]:
        """Return the projection of the user's column onto the internal names."""
        column = nw.nth(self.position)
        if not self.coded or isinstance(self.attribute, Categorical | Date):
            return [column.alias(self.key)]
        number = column.cast(nw.Float64).fill_nan(None)
        found = [packed_expression(number, self.attribute, binned=self.is_key).alias(self.key)]
        if self.is_summed:
            found.append(units_expression(number, self.attribute).alias(self.value))
        return found

    def read(self, grouped: nw.Series[Any]) -> Reading:
        """Return what the grouped values mean.

        Parameters
        ----------
        grouped
            The distinct values, or their codes if :attr:`coded`.

        Raises
        ------
        DataError
            A value is invalid under the policy ``'error'``.
        """
        units = None
        if isinstance(self.attribute, Categorical):
            codes = _category_codes(self.attribute, grouped)
        elif isinstance(self.attribute, Date):
            values, foreign = date_steps(self.attribute, grouped)
            codes = codes_of(values, self.attribute.steps, binned=True)
            codes[foreign] = UNDECLARED
        elif self.coded:
            codes = unpacked(grouped.to_numpy().astype(np.int64), self.attribute, binned=self.is_key)
        else:
            values, foreign = _as_numbers(grouped)
            codes = codes_of(values, self.attribute, binned=self.is_key)
            codes[foreign] = UNDECLARED
            units = units_of(values, self.attribute) if self.is_summed else None
        refuse_errors(self.name, self.attribute, codes)
        cells = cells_of(self.attribute, codes) if self.is_key else None
        return Reading(cells, has_number(self.attribute, codes), units)


@dataclass(frozen=True)
class Reading:
    """The meaning of a grouped column, one entry for each group.

    Attributes
    ----------
    cells
        Place along the axis, -1 for dropped; ``None`` if the column is no key.
    known
        Whether the value counts as a number.
    units
        The number in units of the resolution, ``None`` if the engine adds them up.
    """

    cells: NDArray[np.int64] | None
    known: NDArray[np.bool_]
    units: NDArray[np.int64] | None


def _category_codes(attribute: Categorical, grouped: nw.Series[Any]) -> NDArray[np.int64]:
    # One type per attribute, so that equal keys of the dict (1 and True) cannot be two categories.
    places = {label: i for i, label in enumerate(attribute.categories)}
    if _decodes_slowly(grouped):
        known = grouped.drop_nulls().unique().to_list()
        found = grouped.replace_strict(known, [places.get(v, UNDECLARED) for v in known], return_dtype=nw.Int64)
        return found.fill_null(MISSING).to_numpy().astype(np.int64)
    values = grouped.to_list()
    codes = np.fromiter(map(places.get, values, repeat(UNDECLARED)), dtype=np.int64, count=len(values))
    codes[_missing(grouped)] = MISSING
    return codes


def _decodes_slowly(grouped: nw.Series[Any]) -> bool:
    """Return whether texts are better looked up once for each distinct text, by the engine that holds them."""
    encoded = isinstance(grouped.dtype, nw.Categorical | nw.Enum)
    long = grouped.dtype == nw.String and len(grouped) > LONG and not grouped.implementation.is_pandas()
    return (encoded or long) and not grouped.is_null().all()


def _as_numbers(grouped: nw.Series[Any]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return floats, NaN for nulls, and the mask of values that are no numbers."""
    if grouped.dtype.is_numeric() and not grouped.dtype.is_decimal():
        return grouped.cast(nw.Float64).to_numpy().astype(np.float64), np.zeros(len(grouped), dtype=np.bool_)
    values = grouped.to_list()
    numbers = np.fromiter((_number(v) for v in values), dtype=np.float64, count=len(values))
    is_number = np.fromiter((isinstance(v, NUMBERS) for v in values), dtype=np.bool_, count=len(values))
    return numbers, ~is_number & ~_missing(grouped)


def date_steps(attribute: Date, values: nw.Series[Any]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return dates as whole numbers of periods since 1970, NaN where there is none, and where a value is no date."""
    listed = values.to_list()
    known = {value: read_step(value, attribute.resolution) for value in set(filter(_is_scalar, listed))}
    found = [known[value] if _is_scalar(value) else None for value in listed]
    steps = np.array([math.nan if step is None else step for step in found], dtype=np.float64)
    return steps, np.isnan(steps) & ~_missing(values)


def _is_scalar(value: object) -> bool:
    return not isinstance(value, list | dict | set | np.ndarray)


def _number(value: object) -> float:
    if not isinstance(value, NUMBERS):
        return math.nan
    try:
        return float(value)
    except OverflowError:  # an int beyond the range of floats
        return math.inf if value > 0 else -math.inf


def _missing(grouped: nw.Series[Any]) -> NDArray[np.bool_]:
    missing = grouped.is_null().to_numpy().astype(np.bool_)
    if grouped.dtype.is_float():
        missing = missing | np.isnan(grouped.to_numpy().astype(np.float64))
    return missing
