"""Planning counts: public numbers that stand in for the confidential ones while a budget is chosen.

A planning file is a CSV table with a line for each cell: a column for each attribute, and

* ``count`` (or ``cases``, ``n``): published counts, whole numbers; or
* ``expected``: expected counts, any numbers; or
* ``rate_per_million`` with ``person_years``: expected counts are their product;

and, if rates are wanted, ``person_years`` (or ``population``). Or it is an earlier release of `pets` (.json).
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Literal

from pets.config import digest
from pets.config.paths import printable
from pets.disclosure.words import is_surely_total
from pets.errors import DataError, InvalidArgument
from pets.tuning.plan import MOST_CELLS, Axis, SourceKind, Table

Missing = Literal["refuse", "zero"]
"""What a cell means that has no line: a mistake, or no case."""

COUNTS = ("count", "cases", "n")
YEARS = ("person_years", "population")
_EXPECTED, _RATE = "expected", "rate_per_million"
_RESERVED = (*COUNTS, *YEARS, _EXPECTED, _RATE)
_MOST_BYTES = 64 * 1024 * 1024
_CONFIDENTIAL = (
    "Give a table of counts: published, expected or released before. Rows of patients are confidential; publish a "
    "first table of them with pets run, and plan from that."
)


@dataclass(frozen=True)
class Planning:
    """What a planning file holds.

    Attributes
    ----------
    columns
        Attributes, in the file's order.
    cells
        Counts and person-years (or ``None``) by the labels of the attributes.
    kind
        ``'published'``, ``'expected'`` or ``'release'``.
    text
        Where a release comes from; empty for a CSV file.
    """

    columns: tuple[str, ...]
    cells: Mapping[tuple[str, ...], tuple[float, float | None]]
    kind: SourceKind
    text: str = ""

    def labels(self, column: str) -> tuple[str, ...]:
        """Return the categories of a column in the file's order."""
        place = self.columns.index(column)
        return tuple(dict.fromkeys(labels[place] for labels in self.cells))

    def table(
        self, axes: Sequence[Axis], missing: Missing = "refuse"
    ) -> tuple[tuple[float, ...], tuple[float, ...] | None]:
        """Return counts and person-years of a table, row by row; columns that it lacks are added up.

        Raises
        ------
        DataError
            The file lacks a column, holds a category that the table has not, or lacks cells.
        """
        for axis in axes:
            if axis.name not in self.columns:
                raise DataError(axis.name, "is missing", f"The file has: {', '.join(map(printable, self.columns))}.")
            unknown = set(self.labels(axis.name)) - set(axis.labels)
            if unknown:
                raise DataError(
                    axis.name, f"holds {len(unknown)} categories that the plan does not have",
                    f"One is {printable(min(unknown))!r}. Correct the spelling, or declare it.",
                )  # fmt: skip
        places = [self.columns.index(axis.name) for axis in axes]
        counts: dict[tuple[str, ...], float] = {}
        for labels, (count, _) in self.cells.items():
            key = tuple(labels[i] for i in places)
            counts[key] = counts.get(key, 0) + count
        wanted = list(product(*(axis.labels for axis in axes)))
        lacking = sum(key not in counts for key in wanted)
        if lacking and missing == "refuse":
            raise DataError(
                "count", f"is missing for {lacking} of {len(wanted)} cells",
                "Add their lines, or say that a cell without a line has no case: --missing zero.",
            )  # fmt: skip
        return tuple(counts.get(key, 0) for key in wanted), self._person_years(places, wanted)

    def _person_years(self, places: Sequence[int], wanted: Iterable[tuple[str, ...]]) -> tuple[float, ...] | None:
        """Return the people at risk of each cell: they are added over columns that divide people, and only those."""
        if any(years is None for _, years in self.cells.values()):
            return None
        dividing = [i for i in range(len(self.columns)) if self._divides(i)]
        people: dict[tuple[str, ...], float] = {}
        seen = set()
        for labels, (_, years) in self.cells.items():
            key = (tuple(labels[i] for i in places), tuple(labels[i] for i in dividing))
            if key not in seen:
                seen.add(key)
                people[key[0]] = people.get(key[0], 0) + float(years or 0)
        # A cell without a line has the people at risk of its neighbours along axes that do not divide people.
        shared = [n for n, i in enumerate(places) if i in dividing]
        known = {tuple(key[n] for n in shared): years for key, years in people.items()}
        return tuple(people.get(key, known.get(tuple(key[n] for n in shared), 0.0)) for key in wanted)

    def _divides(self, column: int) -> bool:
        """Return whether people at risk differ along a column, all else equal. Along a diagnosis they do not."""
        first: dict[tuple[str, ...], float | None] = {}
        for labels, (_, years) in self.cells.items():
            if first.setdefault(labels[:column] + labels[column + 1 :], years) != years:
                return True
        return False


def read_planning(path: str | Path, *, unit_id: str | None = None) -> Planning:
    """Read a planning file; see the module's text.

    Parameters
    ----------
    path
        A ``.csv`` file, or a release in ``.json``.
    unit_id
        Name of the column that identifies a patient: a file that has it holds patients, and is refused.

    Raises
    ------
    InvalidArgument
        The file cannot be read.
    DataError
        A column or a number cannot be used.
    """
    file = Path(path)
    try:
        with file.open("rb") as stream:
            content = stream.read(_MOST_BYTES + 1)
    except OSError as error:
        raise InvalidArgument(
            "--planning", f"{file.name!r} cannot be read: {error.strerror}", "Check the path."
        ) from None
    if len(content) > _MOST_BYTES:
        raise InvalidArgument("--planning", "is larger than 64 MiB", _CONFIDENTIAL)
    if file.suffix.lower() == ".json":
        return _of_release(content)
    try:
        return _of_csv(content.decode("utf-8-sig"), unit_id)
    except UnicodeDecodeError:
        raise InvalidArgument("--planning", "is not UTF-8 text", "Save the table as CSV in UTF-8.") from None


def digest_of(tables: Iterable[Table]) -> str:
    """Return the SHA-256 of the tables' axes and counts: names the planning counts that a page was built from."""
    return digest(
        [
            {
                "axes": [[axis.name, list(axis.labels)] for axis in table.axes],
                "counts": [float(n) for n in table.counts],
            }
            for table in tables
        ]
    )


def _lines(text: str) -> tuple[list[list[str]], int, bool]:
    """Return the fields of each line from the heading on, the number of the heading's line, and whether commas divide.

    Where they do not (semicolons, tabs), spreadsheets of many countries write decimals with a comma.
    """
    first, _, rest = text.partition("\n")
    begin = 1
    if first.strip().strip('"').lower() in ("sep=,", "sep=;"):  # a line that spreadsheets write for themselves
        text, begin = rest, 2
        first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    try:
        lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
        return lines, begin, delimiter == ","
    except csv.Error as error:
        raise InvalidArgument("--planning", f"is no CSV table: {error}", "Check its quotes.") from None


def _of_csv(text: str, unit_id: str | None) -> Planning:
    lines, begin, commas = _lines(text)
    if len(lines) < 2:
        raise InvalidArgument("--planning", "has no line of counts", "Give a heading and a line for each cell.")
    head = [name.strip() for name in lines[0]]
    _check_head(head, unit_id)
    places = {name.lower(): i for i, name in enumerate(head) if name.lower() in _RESERVED}
    columns = tuple(name for name in head if name.lower() not in _RESERVED)
    at = [head.index(name) for name in columns]
    decimal = "." if commas else _decimal_mark(lines[1:], list(places.values()))
    cells: dict[tuple[str, ...], tuple[float, float | None]] = {}
    for number, line in enumerate(lines[1:], start=begin + 1):
        if not any(part.strip() for part in line):
            continue
        if len(line) != len(head):
            raise DataError("count", f"line {number} has {len(line)} fields, and the heading {len(head)}", "Check it.")
        labels = tuple(line[i].strip() for i in at)
        if not all(labels):
            raise DataError(columns[labels.index("")], f"is empty in line {number}", "Name the category.")
        if labels in cells:
            raise DataError("count", f"is given twice for the cell of line {number}", "Keep one line for each cell.")
        if len(cells) >= 50 * MOST_CELLS:
            raise InvalidArgument("--planning", "has more than a million lines", _CONFIDENTIAL)
        numbers = [part.replace(decimal, ".") for part in line] if decimal == "," else line
        cells[labels] = _numbers(numbers, places, number)
    if not cells:
        raise InvalidArgument("--planning", "has no line of counts", "Give a heading and a line for each cell.")
    _refuse_totals(columns, cells)
    kind: SourceKind = "expected" if _EXPECTED in places or not any(c in places for c in COUNTS) else "published"
    return Planning(columns, cells, kind)


def _decimal_mark(lines: Sequence[Sequence[str]], places: Sequence[int]) -> str:
    """Return the mark of decimals in columns of numbers; a file with points and commas could mean either by both."""
    numbers = [line[place] for line in lines for place in places if place < len(line)]
    commas, points = (any(mark in text for text in numbers) for mark in ",.")
    if commas and points:
        raise DataError(
            "count", "has numbers with a point and numbers with a comma", "Write 1200 and 12.5, or 1200 and 12,5."
        )
    return "," if commas else "."


def _refuse_totals(columns: Sequence[str], cells: Iterable[tuple[str, ...]]) -> None:
    """Refuse lines of totals, as published tables have them: added to their parts, every case would count twice."""
    for column, labels in zip(columns, zip(*cells, strict=True), strict=False):
        total = next((label for label in labels if is_surely_total(label)), None)
        if total is not None and len(set(labels)) > 1:  # a column of nothing but 'all' has no parts to be added to
            raise DataError(
                column, f"has lines of totals ({total!r}), which are added up anyway",
                "Leave them out of the planning file.",
            )  # fmt: skip


def _check_head(head: Sequence[str], unit_id: str | None) -> None:
    lower = [name.lower() for name in head]
    if len(set(lower)) < len(lower) or "" in lower:
        raise InvalidArgument(
            "--planning", "names a column twice, or has one without a name", "Give each column a name of its own."
        )
    if (unit_id is not None and unit_id.lower() in lower) or "patient_id" in lower:
        raise DataError(
            unit_id or "patient_id", "identifies patients, so this file is no table of counts", _CONFIDENTIAL
        )
    measures = [name for name in lower if name in (*COUNTS, _EXPECTED, _RATE)]
    if len(measures) != 1:
        problem = "is missing" if not measures else f"is one of {len(measures)} columns of counts"
        seen = ", ".join(printable(name) for name in head[:12])
        raise DataError(
            "count", problem,
            f"The file has: {seen}. Have one column 'count', 'expected' or 'rate_per_million'. {_CONFIDENTIAL}",
        )  # fmt: skip
    if _RATE in lower and not any(name in lower for name in YEARS):
        raise DataError("person_years", "is missing beside rate_per_million", "Add it: expected = rate x person-years.")
    if all(name in _RESERVED for name in lower):
        raise InvalidArgument("--planning", "has no attribute", "Add at least one, e.g. a column 'diagnosis'.")


def _numbers(line: Sequence[str], places: Mapping[str, int], number: int) -> tuple[float, float | None]:
    years = next((_number(line[places[name]], name, number) for name in YEARS if name in places), None)
    if _RATE in places:
        return _number(line[places[_RATE]], _RATE, number) * float(years or 0) / 1e6, years
    if _EXPECTED in places:
        return _number(line[places[_EXPECTED]], _EXPECTED, number), years
    name = next(name for name in COUNTS if name in places)
    count = _number(line[places[name]], name, number)
    if not count.is_integer():
        raise DataError(name, f"is no whole number in line {number}", "Call the column 'expected' if it is expected.")
    if count and years == 0:
        raise DataError("person_years", f"are 0 in line {number}, which has cases", "Give the people at risk.")
    return count, years


def _number(text: str, column: str, line: int) -> float:
    try:
        found = float(text.strip())
    except ValueError:
        found = math.nan
    if not math.isfinite(found) or found < 0:
        what = "negative" if found < 0 else "no number"
        raise DataError(
            column, f"is {what} in line {line}",
            "Write a plain number such as 12 or 12.5 (12,5 where semicolons divide), and nothing for thousands. For a "
            "hidden cell ('<5') give an expected count, in a column 'expected'.",
        )  # fmt: skip
    return found


def _of_release(content: bytes) -> Planning:
    from pets.release import Release

    release = Release.from_json(content)
    if len(release.parts) != 1:
        raise InvalidArgument(
            "--planning", "is a release of several tables", "Give a release of one table, or a CSV file."
        )
    columns = release.to_columns()
    names = [axis.name for axis in release.parts[0].block.axes]
    if not names or not {"value", *names} <= set(columns):
        raise InvalidArgument("--planning", "is no release of a table of counts", "Give a release of pets.Count.")
    cells: dict[tuple[str, ...], tuple[float, float | None]] = {
        labels: (count, None) for labels, count in _published(columns, names)
    }
    made = release.provenance.created[:10] or "without a date"
    text = f"earlier release of pets ({made}, SHA-256 {release.digest[:16]}; {release.guarantee}); negative values as 0"
    return Planning(tuple(names), cells, "release", text)


def _published(
    columns: Mapping[str, Iterable[object]], names: Sequence[str]
) -> Iterator[tuple[tuple[str, ...], float]]:
    for *labels, value in zip(*(columns[name] for name in names), columns["value"], strict=True):
        number = float(value)
        if math.isnan(number):
            raise InvalidArgument("--planning", "is a release with hidden cells", "Give expected counts for them.")
        yield tuple(str(label) for label in labels), max(number, 0.0)
