"""Columns of a data frame of any engine, as what tables are built from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from pets.errors import DataError

_NUMBER = re.compile(r"(\d+)")


class Columns:
    """The columns of one frame, collected together: an engine may give its rows in another order the next time.

    Parameters
    ----------
    frame
        Any data frame that narwhals supports.
    by
        Columns whose codes make the table.
    others
        Further columns that will be read; ``None`` stands for none.

    Raises
    ------
    InvalidArgument
        `frame` cannot be read or has no rows, or `by` is no list of names.
    DataError
        A column is missing.
    """

    def __init__(self, frame: object, by: Sequence[str] | str, others: Sequence[str | None] = ()) -> None:
        from pets.disclosure.microdata.frame import key_names, open_rows

        self.by = key_names(by, "by")
        self._rows = open_rows(frame, (*self.by, *(name for name in others if name is not None)))
        self.labels = cache(self._labels)

    def numbers(self, name: str) -> NDArray[np.float64]:
        """Return a number for every row.

        Raises
        ------
        DataError
            The column holds no numbers, or one is missing or infinite.
        """
        found: NDArray[np.float64] = self._rows.numbers(name)
        if not np.isfinite(found).all():
            raise DataError(name, "has missing or infinite values", "Fill them in; an empty cell is 0.")
        return found

    def whole(self, name: str, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return `numbers` if they are whole.

        Raises
        ------
        DataError
            They are not.
        """
        if not (numbers == np.rint(numbers)).all():
            raise DataError(name, "has parts of units", "Counts are whole; name `records` for a magnitude table.")
        return numbers

    def owners(self, name: str) -> NDArray[np.int64]:
        """Return a number for each contributor; rows without one belong to nobody else."""
        codes: NDArray[np.int64] = self._rows.code(name).codes.copy()
        alone = np.flatnonzero(codes < 0)
        codes[alone] = codes.max(initial=-1) + 1 + np.arange(len(alone))
        return codes

    def flags(self, name: str) -> NDArray[np.bool_]:
        """Return True or False for every row.

        Raises
        ------
        DataError
            The column holds something other than 0 and 1, or False and True.
        """
        found = self._rows.frame[name].to_list()
        if not all(value in (0, 1) for value in found):
            raise DataError(name, "must hold 0 and 1, or False and True")
        return np.array(found, dtype=np.bool_)

    def _labels(self, name: str) -> NDArray[np.str_]:
        """Return the code of every row as text; whole numbers without a decimal point.

        Raises
        ------
        DataError
            A row has none.
        """
        coded = self._rows.code(name)
        if coded.has_missing:
            raise DataError(name, "has missing values", "Give them a code of their own, e.g. 'unknown'.")
        return np.array([_text(value) for value in coded.values], dtype=np.str_)[coded.codes]


def labels_in_order(labels: NDArray[np.str_], without: Iterable[str] = ()) -> list[str]:
    """Return the distinct labels in reading order, numbers by their value: 0-4, 5-9, 10-14."""
    left_out = set(without)
    return sorted((label for label in np.unique(labels).tolist() if label not in left_out), key=_reading_order)


def _reading_order(label: str) -> list[tuple[int, int, str]]:
    parts = _NUMBER.split(label)
    return [(0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts if part]


def _text(value: object) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()
