"""Columns as whole numbers: equal values get equal codes, whatever engine holds the frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import narwhals.stable.v2 as nw
import numpy as np
from numpy.typing import NDArray

from pets.errors import DataError

MISSING: Final = -1
"""Code of a null. A NaN is a null too; an empty text is a value."""

Codes = NDArray[np.int64]


@dataclass(frozen=True, eq=False, repr=False)
class Coded:
    """One column: a code for each row.

    Attributes
    ----------
    name
        Of the column.
    codes
        Shape (rows,): 0, 1, ... for the distinct values, -1 for a missing one.
    series
        The column itself, to look up what a code stands for.
    """

    name: str
    codes: Codes
    series: nw.Series[Any]

    @cached_property
    def size(self) -> int:
        """Number of distinct values, missing ones aside."""
        return int(self.codes.max(initial=-1)) + 1

    @cached_property
    def has_missing(self) -> bool:
        """Whether any value is missing."""
        return bool((self.codes < 0).any())

    @cached_property
    def values(self) -> tuple[Any, ...]:
        """What each code stands for, as Python values. Confidential: never shown."""
        first = np.zeros(self.size, dtype=np.int64)
        known = np.flatnonzero(self.codes >= 0)[::-1]
        first[self.codes[known]] = known
        return tuple(self.series[first.tolist()].to_list())


def code_column(series: nw.Series[Any], name: str) -> Coded:
    """Return `series` as codes.

    Raises
    ------
    DataError
        The values cannot be compared (lists, structs, objects).
    """
    kind = series.implementation
    read = _from_pandas if kind.is_pandas() else _from_polars if kind.is_polars() else _from_arrow
    try:
        if series.dtype.is_nested():
            raise TypeError
        if kind.is_pandas() or kind.is_polars() or kind.is_pyarrow():
            codes = read(series)
        else:
            codes = _from_values(series.to_list())
    except (TypeError, ValueError, NotImplementedError):
        raise DataError(name, "holds values that cannot be compared", "Give one plain value in each row.") from None
    return Coded(name, codes, series)


def combine(columns: Sequence[Codes], rows: int) -> tuple[Codes, int]:
    """Return one code for each combination of several codes (from -1 on), dense, and how many there are."""
    combined, size = np.zeros(rows, dtype=np.int64), 1
    for codes in columns:
        width = int(codes.max(initial=-1)) + 2
        if size * width >= 2**62:
            combined, size = densify(combined, size)
        combined = combined * width + (codes + 1)
        size *= width
    return densify(combined, size)


def densify(codes: Codes, size: int) -> tuple[Codes, int]:
    """Return the same distinctions in codes without gaps, and their number. All codes lie in ``range(size)``."""
    if size <= max(8 * len(codes), 1 << 16):
        used = np.zeros(size, dtype=np.bool_)
        used[codes] = True
        number = np.cumsum(used) - 1
        return number[codes], int(number[-1]) + 1
    import pandas as pd

    found, distinct = pd.factorize(codes)
    return np.asarray(found, dtype=np.int64), len(distinct)


def _from_pandas(series: nw.Series[Any]) -> Codes:
    import pandas as pd

    return np.asarray(pd.factorize(series.to_native(), use_na_sentinel=True)[0], dtype=np.int64)


def _from_polars(series: nw.Series[Any]) -> Codes:
    native, dtype = series.to_native(), series.dtype
    if isinstance(dtype, nw.Decimal | nw.Binary):
        return _from_values(native.to_list())
    if isinstance(dtype, nw.String | nw.Categorical | nw.Enum):
        import polars as pl

        native = native.cast(pl.Categorical)
    elif dtype.is_float():
        native = native.fill_nan(None)
    return _of_known(native.drop_nulls().to_physical().to_numpy(), native.is_not_null().to_numpy())


def _from_arrow(series: nw.Series[Any]) -> Codes:
    array = series.to_native().combine_chunks()
    if isinstance(series.dtype, nw.Categorical):
        array = array.dictionary_decode()
    if series.dtype.is_float():
        known = ~array.is_null(nan_is_null=True).to_numpy(zero_copy_only=False)
        return _of_known(array.to_numpy(zero_copy_only=False)[known], known)
    if array.null_count == len(array):
        return np.full(len(array), MISSING, dtype=np.int64)
    indices = array.dictionary_encode().indices.fill_null(MISSING)
    return np.asarray(indices.to_numpy(zero_copy_only=False), dtype=np.int64)


def _of_known(values: NDArray[Any], known: NDArray[np.bool_]) -> Codes:
    import pandas as pd

    codes = np.full(len(known), MISSING, dtype=np.int64)
    codes[known] = pd.factorize(values)[0]
    return codes


def _from_values(values: Sequence[Any]) -> Codes:
    """Return codes of values one by one: for engines and types without a faster way."""
    seen: dict[Any, int] = {}
    missing = [value is None or value != value for value in values]  # noqa: PLR0124 NaN alone differs from itself
    codes = (MISSING if gone else seen.setdefault(v, len(seen)) for v, gone in zip(values, missing, strict=True))
    return np.fromiter(codes, dtype=np.int64, count=len(values))
