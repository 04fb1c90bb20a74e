"""Dates with public bounds, on a public calendar grid."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any, ClassVar, Literal, get_args

from pets.config.paths import hint
from pets.domain.base import BaseAttribute, HierarchyLike
from pets.domain.hierarchy import Hierarchy
from pets.domain.labels import MAX_LABELS, UNKNOWN, InvalidPolicy, Label, as_sequence
from pets.domain.numbers import Integer
from pets.errors import InvalidArgument

Period = Literal["day", "month", "quarter", "year"]
"""Lengths of the calendar."""

DateLike = str | dt.date
"""A date, or its text such as ``'2004-03-15'``."""

PER_YEAR: dict[str, float] = {"day": 365.2425, "month": 12, "quarter": 4, "year": 1}
"""How many of each period make a year."""

_TEXT = re.compile(r"(\d{4})(?:-(?:(\d{2})(?:-(\d{2})(?:[T ].*)?)?|Q([1-4])))?", re.ASCII)
_EPOCH = dt.date(1970, 1, 1)


@dataclass(frozen=True, slots=True, init=False)
class Date(BaseAttribute):
    """A column of dates with inclusive public bounds.

    Rows may hold dates, times of day with a date, or texts: ``2004-03-15``, and where `resolution` is coarser also
    ``2004-03``, ``2004-Q1`` and ``2004``. A date is cut to the period of `resolution` that it lies in.

    Parameters
    ----------
    lower, upper
        First and last date, both possible: dates, or texts such as ``'1990-01-01'``.
    resolution
        What is kept of a date: ``'day'``, ``'month'``, ``'quarter'`` or ``'year'``.
    bins
        How finely tables look at it: by ``'year'`` (the default), ``'quarter'``, ``'month'`` or ``'day'`` of the
        calendar, or edges as for :class:`Integer`: increasing dates from `lower` to `upper`, each bin with its first
        edge and without its last one, the last bin with both.
    hierarchy
        Coarser levels over the bins.
    invalid, invalid_label
        What happens to nulls, to what is no date and to dates out of range, see
        :class:`~pets.domain.base.BaseAttribute`; ``'clamp'`` is allowed.

    Raises
    ------
    InvalidArgument
        Bounds, resolution, bins, policy or hierarchy contradict the rules above.

    Examples
    --------
    >>> Date("1999-07-01", "2001-12-31").key_labels
    ('1999', '2000', '2001')
    >>> Date("2000-01-01", "2019-12-31", bins=["2000-01-01", "2010-01-01", "2019-12-31"]).key_labels
    ('2000-01-01 to 2009-12-31', '2010-01-01 to 2019-12-31')
    """

    type: ClassVar[str] = "date"
    policies: ClassVar[tuple[str, ...]] = (*BaseAttribute.policies, "clamp")

    lower: dt.date
    upper: dt.date
    resolution: Period
    bins: Period | tuple[dt.date, ...]
    hierarchy: Hierarchy | None
    invalid: InvalidPolicy
    invalid_label: Label

    def __init__(
        self,
        lower: DateLike,
        upper: DateLike,
        *,
        resolution: Period = "day",
        bins: Period | Sequence[DateLike] = "year",
        hierarchy: HierarchyLike | None = None,
        invalid: InvalidPolicy = "drop",
        invalid_label: Label = UNKNOWN,
    ) -> None:
        kept = _period(resolution, "resolution")
        low, high = _date(lower, "lower"), _date(upper, "upper")
        if low > high:
            raise InvalidArgument("upper", "is before lower", "Exchange the two.")
        self._set(lower=low, upper=high, resolution=kept, bins=_as_bins(bins))
        if isinstance(self.bins, str) and PER_YEAR[self.bins] > PER_YEAR[kept]:
            raise InvalidArgument("bins", f"are finer than the resolution, a {kept}", f"Take bins={kept!r}.")
        edges = self._edges()
        if len(edges) > MAX_LABELS + 1:
            raise InvalidArgument("bins", f"are more than {MAX_LABELS:,}", "Declare coarser ones.")
        _check_edges(edges, step_of(low, kept), step_of(high, kept))
        self._declare(invalid, invalid_label, hierarchy)

    @property
    def is_key(self) -> bool:
        """Always true."""
        return True

    @property
    def steps(self) -> Integer:
        """The column as whole numbers of periods since January 1970, with the same bins."""
        return _steps(self)

    @property
    def labels(self) -> tuple[Label, ...]:
        """Labels of the bins: ``'2004'``, ``'2004-Q1'``, ``'2004-03'``, or from the first day to the last."""
        edges = self._edges()
        if isinstance(self.bins, str):
            return tuple(text_of(step_of(date_of(edge, self.resolution), self.bins), self.bins) for edge in edges[:-1])
        lasts = [*(edge - 1 for edge in edges[1:-1]), edges[-1]]
        texts = [[text_of(step, self.resolution) for step in ends] for ends in zip(edges[:-1], lasts, strict=True)]
        return tuple(first if first == last else f"{first} to {last}" for first, last in texts)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for TOML, JSON and hashing."""
        found: dict[str, Any] = {"type": self.type, "lower": self.lower.isoformat(), "upper": self.upper.isoformat()}
        found["resolution"] = self.resolution
        found["bins"] = self.bins if isinstance(self.bins, str) else [edge.isoformat() for edge in self.bins]
        return found | self._common()

    def _edges(self) -> tuple[int, ...]:
        """Return the edges of the bins in steps."""
        low, high = step_of(self.lower, self.resolution), step_of(self.upper, self.resolution)
        if not isinstance(self.bins, str):
            return tuple(step_of(edge, self.resolution) for edge in self.bins)
        first, last = step_of(self.lower, self.bins), step_of(self.upper, self.bins)
        begin = [step_of(date_of(step, self.bins), self.resolution) for step in range(first + 1, last + 1)]
        # The last bin holds its upper edge: a period of which only the first day is left has no bin of its own.
        return (low, *(edge for edge in begin if low < edge < high), high)


def step_of(day: dt.date, period: str) -> int:
    """Return the number of the period since January 1970 that a day lies in."""
    if period == "day":
        return (dt.date(day.year, day.month, day.day) - _EPOCH).days
    months = 12 * (day.year - 1970) + day.month - 1
    return months // {"month": 1, "quarter": 3, "year": 12}[period]


def date_of(step: int, period: str) -> dt.date:
    """Return the first day of a period, by its number since January 1970."""
    if period == "day":
        return _EPOCH + dt.timedelta(days=step)
    months = step * {"month": 1, "quarter": 3, "year": 12}[period]
    return dt.date(1970 + months // 12, months % 12 + 1, 1)


def text_of(step: int, period: str) -> str:
    """Return a period as text: ``2004-03-15``, ``2004-03``, ``2004-Q1`` or ``2004``."""
    day = date_of(step, period)
    if period == "quarter":
        return f"{day.year:04d}-Q{(day.month + 2) // 3}"
    return day.isoformat()[: {"day": 10, "month": 7, "year": 4}[period]]


def read_step(value: object, period: str) -> int | None:
    """Return the number of the period that a value of a row lies in, or ``None`` if it is no date as fine as that."""
    if isinstance(value, dt.date):
        return step_of(value, period) if _is_day(value) else None
    if period == "year" and isinstance(value, int | float) and not isinstance(value, bool):
        return int(value) - 1970 if value == value // 1 and 1 <= value <= 9999 else None
    return _read_text(value, period) if isinstance(value, str) else None


def _read_text(value: str, period: str) -> int | None:
    found = _TEXT.fullmatch(value.strip())
    if found is None:
        return None
    year, month, day, quarter = (None if part is None else int(part) for part in found.groups())
    if (day is None and period == "day") or (month is None and period == "month"):
        return None
    if month is None and quarter is None and period == "quarter":
        return None
    try:
        return step_of(dt.date(year or 0, 3 * quarter - 2 if quarter else month or 1, day or 1), period)
    except ValueError:
        return None


@lru_cache(maxsize=512)
def _steps(date: Date) -> Integer:
    edges = date._edges()
    more: dict[str, Any] = {"invalid_label": date.invalid_label} if date.invalid == "category" else {}
    return Integer(edges[0], edges[-1], bins=edges if edges[0] < edges[-1] else None, invalid=date.invalid, **more)


def _date(value: object, argument: str) -> dt.date:
    if isinstance(value, str):
        try:
            return dt.date.fromisoformat(value)
        except ValueError:
            raise InvalidArgument(argument, "is no date", "Write the year, month and day: '2004-03-15'.") from None
    if not isinstance(value, dt.date) or not _is_day(value):
        raise InvalidArgument(argument, f"must be a date, not {type(value).__name__}", "Write '2004-03-15'.")
    return dt.date(value.year, value.month, value.day)


def _is_day(value: dt.date) -> bool:
    """Whether it is no NaT, which pandas counts among the dates."""
    return isinstance(value.year, int)


def _period(value: object, argument: str) -> Any:
    if not isinstance(value, str) or value not in get_args(Period):
        raise InvalidArgument(argument, "is not a period of the calendar", hint(str(value), get_args(Period)))
    return value


def _as_bins(bins: object) -> Any:
    if isinstance(bins, str):
        return _period(bins, "bins")
    return tuple(_date(edge, f"bins.{i}") for i, edge in enumerate(as_sequence(bins, "bins")))


def _check_edges(edges: Sequence[int], low: int, high: int) -> None:
    if len(edges) < 2:
        raise InvalidArgument("bins", "must have at least 2 edges", "Begin at lower and end at upper.")
    for i, (left, right) in enumerate(pairwise(edges)):
        if left >= right and low != high:
            raise InvalidArgument(f"bins.{i + 1}", "is not after the edge before it", "List them in increasing order.")
    if edges[0] != low:
        raise InvalidArgument("bins.0", "is not the lower bound", "Begin the bins at lower.")
    if edges[-1] != high:
        raise InvalidArgument(f"bins.{len(edges) - 1}", "is not the upper bound", "End the bins at upper.")
