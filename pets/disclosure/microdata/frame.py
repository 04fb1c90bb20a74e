"""Opening a data frame of any engine, and reading its columns as codes."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args

import narwhals.stable.v2 as nw
import numpy as np
from numpy.typing import NDArray

from pets.disclosure.microdata.codes import Coded, code_column
from pets.errors import DataError, InvalidArgument, did_you_mean

Missing = Literal["value", "matches_all"]
"""What a missing key value means.

``'value'``: it is a value like any other, equal to other missing ones only. Nothing is assumed about what it hides:
records are alike only if they look alike. ``'matches_all'``: it may stand for any value, so a record with it is alike
to every record that agrees on the other keys. Suppressed cells then help other records too; this is the reading of
mu-Argus and sdcMicro, and never gives smaller counts.
"""

MAX_KEYS = 64
_SUPPORTED = "Give a pandas, Polars, PyArrow, DuckDB, Dask or PySpark data frame."

_Choice = TypeVar("_Choice", bound=str)


@dataclass(frozen=True, eq=False, repr=False)
class Rows:
    """The rows of a frame, read column by column."""

    frame: nw.DataFrame[Any]

    def __len__(self) -> int:
        return len(self.frame)

    def code(self, name: str) -> Coded:
        """Return a column as codes."""
        return code_column(self.frame[name], name)

    def numbers(self, name: str) -> NDArray[np.float64]:
        """Return a column of numbers, NaN where one is missing.

        Raises
        ------
        DataError
            The column is not numeric.
        """
        series = self.frame[name]
        if not series.dtype.is_numeric():
            raise DataError(name, "must hold numbers", "Name another column, or convert this one.")
        return series.cast(nw.Float64).to_numpy().astype(np.float64)


def open_rows(frame: object, columns: Sequence[str] = (), *, others: bool = False) -> Rows:
    """Return the given columns of `frame` in memory, and with `others` all of them.

    Raises
    ------
    InvalidArgument
        `frame` is no data frame, cannot be read, has no rows, or a column whose name is no text.
    DataError
        A column is missing.
    """
    opened = _opened(frame)
    present = opened.collect_schema().names()
    if not all(isinstance(name, str) for name in present):
        raise InvalidArgument("frame", "has a column whose name is no text", "Rename the columns.")
    for name in columns:
        if name not in present:
            raise DataError(name, "is missing", did_you_mean(name, present))
    rows = Rows(_collected(opened, None if others else columns))
    if len(rows) == 0:
        raise InvalidArgument("frame", "has no rows", "Nothing can be said about an empty table.")
    return rows


def key_names(keys: object, argument: str = "keys") -> tuple[str, ...]:
    """Return the names of key columns.

    Raises
    ------
    InvalidArgument
        They are not distinct texts, or too many.
    """
    names = (keys,) if isinstance(keys, str) else keys
    if not isinstance(names, Sequence) or not names or not all(isinstance(n, str) and n for n in names):
        raise InvalidArgument(argument, "must be the names of one or more columns", "For example: ['age', 'sex'].")
    if len(set(names)) < len(names):
        raise InvalidArgument(argument, "names a column twice", "Name each column once.")
    if len(names) > MAX_KEYS:
        raise InvalidArgument(argument, f"names more than {MAX_KEYS} columns")
    return tuple(names)


def column_name(name: object, argument: str) -> str:
    """Return the name of one column.

    Raises
    ------
    InvalidArgument
        It is not a text.
    """
    if not isinstance(name, str) or not name:
        raise InvalidArgument(argument, "must be the name of a column")
    return name


def choice(value: object, argument: str, allowed: Any) -> Any:
    """Return `value` if it is one of a Literal's texts.

    Raises
    ------
    InvalidArgument
        It is not.
    """
    known = get_args(allowed)
    if value not in known:
        raise InvalidArgument(argument, "is not known", did_you_mean(str(value), known))
    return value


def whole_number(value: object, argument: str, least: int) -> int:
    """Return a whole number that is not below `least`.

    Raises
    ------
    InvalidArgument
        It is something else.
    """
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise InvalidArgument(argument, f"must be a whole number of at least {least}")
    return int(value)


def fraction(value: object, argument: str, *, zero: bool = True) -> float:
    """Return a number from 0 to 1.

    Raises
    ------
    InvalidArgument
        It is something else, or 0 where that makes no sense.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not 0 <= value <= 1:
        raise InvalidArgument(argument, "must be a number from 0 to 1")
    if value == 0 and not zero:
        raise InvalidArgument(argument, "must be above 0")
    return float(value)


def _opened(frame: object) -> nw.DataFrame[Any] | nw.LazyFrame[Any]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Dask support", category=FutureWarning)
        try:
            opened: nw.DataFrame[Any] | nw.LazyFrame[Any] = nw.from_native(nw.to_native(frame, pass_through=True))
            opened.collect_schema()
        except Exception as error:  # noqa: BLE001 engines have no common base class of errors
            failure = type(error).__name__
        else:
            return opened
    kind = type(frame).__name__
    raise InvalidArgument("frame", f"is a {kind} that cannot be read as a data frame ({failure})", _SUPPORTED)


def _collected(opened: nw.DataFrame[Any] | nw.LazyFrame[Any], columns: Sequence[str] | None) -> nw.DataFrame[Any]:
    try:
        chosen = opened if columns is None else opened.select(*dict.fromkeys(columns))
        return chosen.collect() if isinstance(chosen, nw.LazyFrame) else chosen
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 engines have no common base class of errors
        failure = type(error).__name__
    raise InvalidArgument("frame", f"could not be read: its engine raised {failure}", "Collect it to see why.")
