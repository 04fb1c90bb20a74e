"""JJ files: the text format in which tau-ARGUS hands a table to its solvers."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pets.config import write_atomic
from pets.disclosure.relations import Relations, Row
from pets.disclosure.table import Table
from pets.errors import InvalidArgument

UNSAFE, USABLE, SHOWN, FORCED = "u", "s", "z", "m"
"""Status of a cell: primary, may be hidden, must be shown, must be hidden without being sensitive itself."""

_ENTRY = re.compile(r"(\d+)\s*\(\s*([+-]?\d+(?:\.0*)?)\s*\)")


def read_jj(path: str | Path, codes: str | Path | None = None, *, rounding: float = 0.0) -> Table:
    """Return the table of a JJ file.

    Parameters
    ----------
    path
        File with, line by line: ``0``; the number of cells; for each cell its number, value, cost, status
        (``u`` primary, ``s`` may be hidden, ``z`` must be shown, ``m`` must be hidden), lower and upper
        bound, lower, upper and sliding protection level; the number of relations; for each relation
        ``constant n : cell (sign) ...``.
    codes
        CSV file that names the cells: a column ``cell`` and one for each dimension.
    rounding
        How far a printed value may be from the true one, e.g. 0.5 for magnitudes rounded to whole numbers. A sum
        that misses its margin by no more than that for each of its cells is taken to miss it by as much.

    Raises
    ------
    InvalidArgument
        The file cannot be read or is no JJ file (the message names the line), or its content is no table.
    RangeOverflow
        Its counts are beyond 2**53.
    """
    lines = _Lines(path)
    if lines.text() != "0":
        raise lines.wrong("must be '0', the first line of a JJ file")
    count = lines.whole("the number of cells")
    numbers = np.full((count, 7), np.nan)
    status = np.full(count, "", dtype="U1")
    for _ in range(count):
        _read_cell(lines, numbers, status)
    rows = Relations.from_rows(_read_relation(lines) for _ in range(lines.whole("the number of relations")))
    lines.end()
    dimensions, labels = ((), ()) if codes is None else _read_codes(codes, count)
    value, cost, lower, upper, below, above, slide = numbers.T
    return Table(
        value,
        _forgiving(rows, value, rounding) if rounding else rows,
        primary=status == UNSAFE,
        frozen=status == SHOWN,
        forced=status == FORCED,
        cost=cost,
        lower=lower,
        upper=upper,
        lower_protection=below,
        upper_protection=above,
        sliding_protection=slide,
        dimensions=dimensions,
        codes=labels,
    )


def write_jj(table: Table, path: str | Path, codes: str | Path | None = None) -> None:
    """Write `table` as a JJ file, and the names of its cells to `codes` if that is given.

    The file holds every true value: it goes to a solver, never to the public. JJ has no field for
    contributors, for the rule or for whether cells are counts; these are lost (counts are recognised).
    """
    status = np.select([table.primary, table.frozen, table.forced], [UNSAFE, SHOWN, FORCED], USABLE)
    largest = max(float(table.values.max()), float(np.abs(table.values).sum()))
    fields = (table.values, table.cost, table.lower, np.where(np.isinf(table.upper), largest, table.upper))
    levels = (table.lower_protection, table.upper_protection, table.sliding_protection)
    lines = ["0", str(table.cells)]
    for cell in range(table.cells):
        value, cost, low, high = (_plain(field[cell]) for field in fields)
        demands = " ".join(_plain(level[cell]) for level in levels)
        lines.append(f"{cell} {value} {cost} {status[cell]} {low} {high} {demands}")
    lines.append(str(table.relations.count))
    for number in range(table.relations.count):
        cells, signs, constant = table.relations.row(number)
        entries = " ".join(f"{cell} ({sign})" for cell, sign in zip(cells, signs, strict=True))
        lines.append(f"{_plain(constant)} {len(cells)} : {entries}")
    write_atomic(Path(path), "\n".join(lines) + "\n")
    if codes is not None:
        _write_codes(table, Path(codes))


class _Lines:
    """Lines of a file one after the other; knows where it is when something is wrong."""

    def __init__(self, path: str | Path) -> None:
        self.path = str(path)
        try:
            self._all = Path(path).read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            raise InvalidArgument("path", f"cannot read {self.path!r} as text", "Check the name of the file.") from None
        self._next = 0

    def text(self) -> str:
        """Return the next line that is not empty."""
        while self._next < len(self._all):
            self._next += 1
            line = self._all[self._next - 1].strip()
            if line:
                return line
        raise self.wrong("is missing: the file ends too early")

    def whole(self, what: str) -> int:
        """Return the next line as a number of things."""
        text = self.text()
        if not (text.isascii() and text.isdigit()) or int(text) > len(self._all):
            raise self.wrong(f"must be {what}")
        return int(text)

    def end(self) -> None:
        """Refuse anything that follows."""
        if any(line.strip() for line in self._all[self._next :]):
            self._next += 1
            raise self.wrong("comes after the last relation")

    def wrong(self, problem: str) -> InvalidArgument:
        """Return an error that names the line but quotes nothing of it."""
        return InvalidArgument("path", f"{self.path}: line {self._next} {problem}", "Is it a JJ file of tau-ARGUS?")


def _read_cell(lines: _Lines, numbers: NDArray[np.float64], status: NDArray[np.str_]) -> None:
    fields = lines.text().split()
    if len(fields) != 9:
        raise lines.wrong("must have nine fields: number, value, cost, status, two bounds, three levels")
    if not fields[0].isdigit() or int(fields[0]) >= len(status) or status[int(fields[0])]:
        raise lines.wrong(f"must begin with a number from 0 to {len(status) - 1} that no line before it has")
    if fields[3].lower() not in (UNSAFE, USABLE, SHOWN, FORCED):
        raise lines.wrong("must have the status u, s, z or m as its fourth field")
    cell = int(fields[0])
    try:
        numbers[cell] = [float(field) for field in fields[1:3] + fields[4:]]
    except ValueError:
        raise lines.wrong("has a field that is no number") from None
    status[cell] = fields[3].lower()


def _read_relation(lines: _Lines) -> Row:
    head, _, tail = lines.text().partition(":")
    try:
        constant, length = float(head.split()[0]), int(head.split()[1])
    except (IndexError, ValueError):
        raise lines.wrong("must begin with a constant and a number of cells") from None
    entries = _ENTRY.findall(tail)
    if len(head.split()) != 2 or len(entries) != length or _ENTRY.sub("", tail).strip():
        raise lines.wrong("must be 'constant n : cell (sign) ...' with n cells")
    return [int(cell) for cell, _ in entries], [int(float(sign)) for _, sign in entries], constant


def _forgiving(rows: Relations, values: NDArray[np.float64], rounding: float) -> Relations:
    if not 0 < rounding < np.inf or rows.indices.max(initial=-1) >= len(values):
        raise InvalidArgument("rounding", "must be a number from 0, and relations must name cells of the file")
    missed = rows.residuals(values)
    within = np.abs(missed) <= rounding * np.diff(rows.indptr)
    return Relations(rows.indptr, rows.indices, rows.signs, rows.constants + np.where(within, missed, 0.0))


def _read_codes(path: str | Path, count: int) -> tuple[tuple[str, ...], tuple[NDArray[np.str_], ...]]:
    try:
        rows = list(csv.reader(Path(path).read_text(encoding="utf-8").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error):
        raise InvalidArgument("codes", f"cannot read {str(path)!r} as CSV", "Check the name of the file.") from None
    if not rows or rows[0][:1] != ["cell"] or any(len(row) != len(rows[0]) for row in rows):
        raise InvalidArgument("codes", "must have a column 'cell' first and one for each dimension")
    if sorted(row[0] for row in rows[1:]) != sorted(map(str, range(count))):
        raise InvalidArgument("codes", f"must name each of the {count} cells once")
    body = sorted(rows[1:], key=lambda row: int(row[0]))
    return tuple(rows[0][1:]), tuple(np.array(column, dtype=np.str_) for column in list(zip(*body, strict=True))[1:])


def _write_codes(table: Table, path: Path) -> None:
    write_atomic(path, "".join(_csv_lines(table)))


def _csv_lines(table: Table) -> Iterator[str]:
    import io

    for row in [("cell", *table.dimensions), *zip(range(table.cells), *table.codes, strict=True)]:
        buffer = io.StringIO()
        csv.writer(buffer, lineterminator="\n").writerow(row)
        yield buffer.getvalue()


def _plain(number: float) -> str:
    """Return the shortest text that reads back as the same number; whole ones without a point."""
    value = float(number)
    return str(int(value)) if value.is_integer() and abs(value) < 2**63 else repr(value)
