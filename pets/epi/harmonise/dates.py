"""Dates of which the day, or day and month, may be unknown, as registries keep them."""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from pets.epi.harmonise.texts import as_texts
from pets.errors import InvalidArgument, did_you_mean

Order = Literal["ymd", "dmy", "mdy"]
"""In which order a file writes year, month and day."""

UNKNOWN: Final = np.iinfo(np.int64).min
"""Day number of a date that is not known."""

FIRST_YEAR, LAST_YEAR = 1850, 2150
"""Years outside are slips of the pen, or codes for unknown."""

_TIME = re.compile(r"[T ]\d{1,2}:\d{2}.*", re.DOTALL | re.ASCII)
_COMPACT = re.compile(r"(\d{4})(?:(\d{2})(\d{2})?)?", re.ASCII)
_PARTS: dict[str, re.Pattern[str]] = {
    "ymd": re.compile(r"(?P<y>\d{4})(?:[-/.](?P<m>\d{1,2})(?:[-/.](?P<d>\d{1,2}))?)?", re.ASCII),
    "dmy": re.compile(r"(?:(?:(?P<d>\d{1,2})[-/.])?(?P<m>\d{1,2})[-/.])?(?P<y>\d{4})", re.ASCII),
    "mdy": re.compile(r"(?:(?P<m>\d{1,2})[-/.](?:(?P<d>\d{1,2})[-/.])?)?(?P<y>\d{4})", re.ASCII),
}


@dataclass(frozen=True, eq=False)
class PartialDates:
    """Dates, each as the first and the last day that it can be.

    Attributes
    ----------
    first, last
        Days since 1970-01-01, int64 of shape (n,); both :data:`UNKNOWN` where nothing is known, and equal where the
        whole date is.
    unreadable
        Where something is written that is no date.
    """

    first: NDArray[np.int64]
    last: NDArray[np.int64]
    unreadable: NDArray[np.bool_]

    @property
    def known(self) -> NDArray[np.bool_]:
        """Where at least the year is known."""
        found: NDArray[np.bool_] = self.first != UNKNOWN
        return found

    @property
    def partial(self) -> NDArray[np.bool_]:
        """Where the year is known and the day is not."""
        found: NDArray[np.bool_] = self.known & (self.first != self.last)
        return found

    @property
    def middle(self) -> NDArray[np.int64]:
        """The day in the middle of those possible, which stands for a date that is known in part.

        That is the 14th to 16th of a month, and 1 or 2 July of a year.
        """
        return np.where(self.known, self.first + (self.last - self.first) // 2, UNKNOWN)

    @property
    def years(self) -> NDArray[np.float64]:
        """The calendar years, NaN where none is known."""
        return np.where(self.known, _parts(self.middle)[0], np.nan)

    def within(self, lower: NDArray[np.int64], upper: NDArray[np.int64]) -> PartialDates:
        """Return the dates narrowed to what `lower` and `upper` leave possible; one that they exclude stays."""
        first = np.where(self.known & (lower != UNKNOWN), np.maximum(self.first, lower), self.first)
        last = np.where(self.known & (upper != UNKNOWN), np.minimum(self.last, upper), self.last)
        fits = first <= last
        return PartialDates(np.where(fits, first, self.first), np.where(fits, last, self.last), self.unreadable)


def read_dates(column: Iterable[object], order: Order = "ymd") -> PartialDates:
    """Return the dates in a column.

    Read are texts of eight, six or four digits such as 20150228, dates with ``-``, ``/`` or ``.`` in the given order,
    and date objects; a time of day behind them is left out. 99 and blanks stand for an unknown day or month, 9999 for
    an unknown year, as in NAACCR.

    Parameters
    ----------
    column
        Texts, dates or nulls.
    order
        In which order dates with separators are written; ``'ymd'`` is ISO 8601.

    Raises
    ------
    InvalidArgument
        The order is unknown.
    """
    if order not in _PARTS:
        raise InvalidArgument("order", f"is unknown: {order!r}", did_you_mean(str(order), _PARTS))
    texts = as_texts(column)
    known = {text: _days(text, order) for text in set(texts)}
    read = np.array([known[text] for text in texts], dtype=np.int64).reshape(-1, 3)
    return PartialDates(read[:, 0], read[:, 1], read[:, 2] == 1)


def completed_years(birth: NDArray[np.int64], then: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the age at a day in completed years, NaN where either day is unknown.

    Who is born on 29 February has the birthday of a common year on 1 March.
    """
    known = (birth != UNKNOWN) & (then != UNKNOWN)
    (y0, m0, d0), (y1, m1, d1) = _parts(birth), _parts(then)
    before = (m1 < m0) | ((m1 == m0) & (d1 < d0))
    return np.where(known, y1 - y0 - before, np.nan)


def _parts(days: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return year, month and day of the month."""
    dates = np.where(days == UNKNOWN, 0, days).astype("datetime64[D]")
    months = dates.astype("datetime64[M]")
    years = months.astype("datetime64[Y]")
    return (
        years.astype(np.int64) + 1970,
        (months - years.astype("datetime64[M]")).astype(np.int64) + 1,
        (dates - months.astype("datetime64[D]")).astype(np.int64) + 1,
    )


def _days(text: str, order: str) -> tuple[int, int, int]:
    """Return the first and last day, and 1 if the text is no date."""
    plain = _TIME.sub("", text).strip()
    if not plain.strip("9 "):
        return UNKNOWN, UNKNOWN, 0
    year, month, day = _written(plain, order)
    if year == 9999:
        return UNKNOWN, UNKNOWN, 0
    if not FIRST_YEAR <= year <= LAST_YEAR or month not in (*range(13), 99):
        return UNKNOWN, UNKNOWN, 1
    if month in (0, 99):
        return _ordinal(year, 1, 1), _ordinal(year, 12, 31), 0
    length = calendar.monthrange(year, month)[1]
    if day in (0, 99):
        return _ordinal(year, month, 1), _ordinal(year, month, length), 0
    if day > length:
        return UNKNOWN, UNKNOWN, 1
    return _ordinal(year, month, day), _ordinal(year, month, day), 0


def _written(plain: str, order: str) -> tuple[int, int, int]:
    """Return the parts as they are written, 0 for one that is not; year 0 if the text is no date."""
    compact = _COMPACT.fullmatch(plain)
    if compact is not None:
        return int(compact[1]), int(compact[2] or 0), int(compact[3] or 0)
    match = _PARTS[order].fullmatch(plain)
    if match is None:
        return 0, 0, 0
    return int(match["y"]), int(match["m"] or 0), int(match["d"] or 0)


@cache
def _ordinal(year: int, month: int, day: int) -> int:
    return int(np.datetime64(f"{year:04d}-{month:02d}-{day:02d}", "D").astype(np.int64))
