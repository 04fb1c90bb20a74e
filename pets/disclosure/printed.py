"""Published tables as files: numbers, marks for hidden cells, and totals among the codes."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pets.disclosure.words import COUNTS, total_among
from pets.errors import ConfigError, InvalidArgument, did_you_mean
from pets.table_file import looks_like_data, looks_like_date, no_heading

MARKS = (
    "",
    "*",
    "**",
    "***",
    "x",
    "c",
    "s",
    "-",
    "--",
    ".",
    "..",
    ":",
    "na",
    "nan",
    "none",
    "suppressed",
    "hidden",
    "#",
)
"""What a hidden cell may show, in lower case."""

_BELOW = re.compile(r"^(?:<|&lt;)\s*(\d+)$")
_AT_MOST = re.compile(r"^(?:<=|≤)\s*(\d+)$")
_BETWEEN = re.compile(r"^(\d+)\s*(?:-|–|to)\s*(\d+)$")
_AT_LEAST = re.compile(r"^(?:>=|≥)\s*(\d+)$")
_NUMBER = re.compile(r"^[+-]?(?:\d+|\d{1,3}(?:[, \u00a0\u202f]\d{3})+)(?:\.\d+)?$")


@dataclass(frozen=True, slots=True)
class Mark:
    """What one field of a published table says: a number if `low` and `high` are equal and `hidden` is not set."""

    hidden: bool
    low: float
    high: float


@dataclass(frozen=True, eq=False, repr=False)
class Printed:
    """A published table of n cells as it is printed: nobody's true values.

    Parameters
    ----------
    name
        What it is called, e.g. the file's name.
    dimensions
        Names of its dimensions.
    codes
        For each dimension the code of every cell, shape (n,).
    totals
        Code of each dimension's total, ``None`` where there is none.
    hidden
        Which cells are hidden, bool (n,).
    low, high
        What the print says of each cell, (n,): equal for a number, 1 and 4 for ``<5``, 0 and infinity for ``*``.
        A ``<5`` is read as 0 to 4; that a hidden cell is not 0 is the attacker's knowledge.
    numbers
        Name of the column that holds the numbers, empty for a crosstab.
    ignored
        Columns that were not read.
    """

    name: str
    dimensions: tuple[str, ...]
    codes: tuple[NDArray[np.str_], ...]
    totals: tuple[str | None, ...]
    hidden: NDArray[np.bool_]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    numbers: str = ""
    ignored: tuple[str, ...] = ()

    @property
    def prints_zeros(self) -> bool:
        """Whether some cell is printed as 0, so that a reader takes a hidden one for 1 or more."""
        return bool(np.any(~self.hidden & (self.low == 0)))

    @property
    def whole(self) -> bool:
        """Whether all printed numbers are whole."""
        shown = self.low[~self.hidden]
        return bool(np.all(shown == np.rint(shown)))

    def __repr__(self) -> str:
        return f"Printed({self.name}: {len(self.hidden)} cells, {int(self.hidden.sum())} hidden)"


def parse_mark(text: str) -> Mark | None:
    """Return what a field says: a number, ``*``, ``<5``, ``1-4``; ``None`` if it is neither.

    Examples
    --------
    >>> parse_mark("1,234").low, parse_mark("<5").high, parse_mark("f") is None
    (1234.0, 4.0, True)
    """
    field = text.strip()
    if _NUMBER.match(field):
        value = float(re.sub(r"[, \u00a0\u202f]", "", field))
        return Mark(False, value, value)
    for pattern, less in ((_BELOW, 1), (_AT_MOST, 0)):
        if found := pattern.match(field):
            return Mark(True, 0.0, float(found[1]) - less)
    if found := _BETWEEN.match(field):
        return Mark(True, float(found[1]), float(found[2]))
    if found := _AT_LEAST.match(field):
        return Mark(True, float(found[1]), np.inf)
    return Mark(True, 0.0, np.inf) if field.lower() in MARKS else None


def read_printed(
    path: str | Path,
    value: str | None = None,
    total: str | None = None,
    one_symbol: bool = False,
    by: Sequence[str] = (),
) -> Printed:
    """Return the published table of a CSV file.

    Parameters
    ----------
    path
        Either one row for each cell (columns of codes, and one of numbers and marks), or a crosstab (codes in the
        first column and in the heading).
    value
        Column with the numbers; recognised by its name (``count``, ``n``, ``cases`` ...) if left out.
    total
        Code of the totals; recognised (``Total``, ``All`` ...) if left out, and where a column has no such code.
    one_symbol
        Take every mark for the same one: ``<5`` then only says that the cell is hidden.
    by
        Columns of codes; all but the one of the numbers if left out.

    Raises
    ------
    InvalidArgument
        The file cannot be read as such a table. The message names the line.
    """
    rows = _rows(path)
    head, body = [name.strip() for name in rows[0]], rows[1:]
    _refuse_no_heading(head)
    column = _value_column(head, body, value, by)
    places = [head.index(name) for name in by] or [place for place in range(len(head)) if place != column]
    names, codes, fields = _crosstab(head, body) if column is None else _long(head, body, places, column)
    marks = [_required(field, line, path) for line, field in fields]
    _refuse_repeats(codes, fields, path)
    hidden = np.array([mark.hidden for mark in marks])
    return Printed(
        Path(path).stem,
        tuple(names),
        tuple(np.array(column, dtype=np.str_) for column in codes),
        tuple(_total_of(column, total) for column in codes),
        hidden,
        np.array([0.0 if one_symbol and mark.hidden else mark.low for mark in marks]),
        np.array([np.inf if one_symbol and mark.hidden else mark.high for mark in marks]),
        "" if column is None else head[column],
        () if column is None else tuple(name for place, name in enumerate(head) if place not in (*places, column)),
    )


def read_groups(path: str | Path) -> Mapping[str, tuple[str, ...]]:
    """Return groups from a CSV file with the columns ``code`` and ``parent``: the codes of each group.

    A code may be in several groups, e.g. age 5-9 in 0-14 and in 5-19.
    """
    rows = _rows(path)
    if [name.strip().lower() for name in rows[0]] != ["code", "parent"]:
        raise ConfigError(str(path), "must have the columns code and parent", "Ia,I says that Ia belongs to I.")
    found: dict[str, list[str]] = {}
    for row in rows[1:]:
        if row[1].strip():
            found.setdefault(row[1].strip(), []).append(row[0].strip())
    return {group: tuple(parts) for group, parts in found.items()}


_NO_NUMBER = (
    "Marks are empty, *, <5, 1-4. Name the column of the numbers with --count; if each line is a record, use "
    "--rows --by."
)
_TWICE = "Give each cell once. If each line is a record, use --rows --by."

Fields = list[tuple[int, str]]
Cells = tuple[list[str], list[list[str]], Fields]


def _rows(path: str | Path) -> list[list[str]]:
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        raise ConfigError(str(path), "cannot be read as text", "Check the path, and save it as UTF-8.") from None
    separator = max(",;\t", key=text.split("\n", 1)[0].count)
    rows = [row for row in csv.reader(text.splitlines(), delimiter=separator) if any(field.strip() for field in row)]
    if len(rows) < 2:
        raise ConfigError(str(path), "has no rows", "Give a heading and one row for each cell.")
    for line, row in enumerate(rows, 1):
        if len(row) != len(rows[0]):
            raise ConfigError(str(path), f"line {line} has {len(row)} fields, the heading {len(rows[0])}")
    return rows


def _refuse_no_heading(head: Sequence[str]) -> None:
    """A crosstab may have years in its heading, but neither in front, nor in the last place alone."""
    last = looks_like_data(head[-1]) or (parse_mark(head[-1]) is not None and head[-1] != "")
    alone = last and not any(map(looks_like_data, head[:-1])) and head[-1].lower() not in COUNTS
    if looks_like_data(head[0]) or any(map(looks_like_date, head)) or (alone and head[-1].lower() not in MARKS):
        raise no_heading()


def _value_column(
    head: Sequence[str], body: Sequence[Sequence[str]], value: str | None, by: Sequence[str]
) -> int | None:
    """Return the column of the numbers, or ``None`` for a crosstab."""
    for name in (*by, *([] if value is None else [value])):
        if name not in head:
            argument = "value" if name == value else "by"
            raise InvalidArgument(argument, f"there is no column {name!r}", did_you_mean(name, head))
    if value is not None:
        if value in by:
            raise InvalidArgument("value", f"names {value!r}, which the columns of codes name too")
        return head.index(value)
    named = [place for place, name in enumerate(head) if name.lower() in COUNTS and name not in by]
    if named:
        return named[-1]
    if by:
        left = [place for place, name in enumerate(head) if name not in by]
        if len(left) != 1:
            raise InvalidArgument("value", "is missing", "Name the column with the numbers: --count COLUMN.")
        return left[0]
    if len(head) > 2 and all(_has_numbers([row[place].strip() for row in body]) for place in range(1, len(head))):
        return None
    return len(head) - 1


def _has_numbers(fields: Sequence[str]) -> bool:
    """Return whether a column is one of numbers, perhaps with marks that nobody knows; not 0-4, 5-9, Total."""
    marks = [parse_mark(field) for field in fields]
    if all(mark is not None for mark in marks):
        return not all(_BETWEEN.match(field) for field in fields)
    return any(mark is not None and not mark.hidden for mark in marks) and total_among([f for f in fields if f]) is None


def _long(head: list[str], body: Sequence[Sequence[str]], places: Sequence[int], column: int) -> Cells:
    fields = [(line, row[column]) for line, row in enumerate(body, 2)]
    return [head[place] for place in places], [[row[place].strip() for row in body] for place in places], fields


def _crosstab(head: list[str], body: Sequence[Sequence[str]]) -> Cells:
    rows, columns, fields = [], [], []
    for line, row in enumerate(body, 2):
        for code, field in zip(head[1:], row[1:], strict=True):
            rows.append(row[0].strip())
            columns.append(code)
            fields.append((line, field))
    return [head[0] or "row", "column"], [rows, columns], fields


def _required(field: str, line: int, path: str | Path) -> Mark:
    found = parse_mark(field)
    if found is None:
        problem = f"line {line} has neither a number nor a mark of a hidden cell in the column of numbers"
        raise ConfigError(str(path), problem, _NO_NUMBER)
    if found.low < 0:
        raise ConfigError(str(path), f"line {line} has a negative cell")
    return found


def _refuse_repeats(codes: Sequence[Sequence[str]], fields: Fields, path: str | Path) -> None:
    seen: dict[tuple[str, ...], int] = {}
    for key, (line, _) in zip(zip(*codes, strict=True), fields, strict=True):
        if key in seen:
            raise ConfigError(str(path), f"line {line} has the same codes as line {seen[key]}", _TWICE)
        seen[key] = line


def _total_of(codes: Sequence[str], total: str | None) -> str | None:
    return total if total is not None and total in codes else total_among(codes)
