"""Suppression output of tau-ARGUS: code-value and SBS files that say which cells are hidden."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pets.config import write_atomic
from pets.disclosure.table import Table
from pets.disclosure.tau_argus.text import read_lines, wrong_line
from pets.errors import InvalidArgument

Layout = Literal["code-value", "sbs"]
"""Codes, value and a status number; or codes, value, frequency and a status letter."""

NUMBERS = {
    1: "shown",
    2: "shown (manual)",
    3: "unsafe by the dominance or p% rule",
    4: "unsafe by request",
    5: "unsafe by frequency",
    6: "unsafe zero",
    7: "unsafe singleton",
    8: "unsafe singleton (manual)",
    9: "unsafe (manual)",
    10: "protected: must be shown",
    11: "secondary",
    12: "secondary (manual)",
    13: "empty, not structural",
    14: "empty",
}
"""Status numbers of tau-ARGUS in code-value files."""

LETTERS = {"V": "shown", "A": "by frequency", "B": "other primary", "C": "dominance", "F": "p% or pq", "D": "secondary"}
"""Status letters of SBS files; '-' for empty cells."""

_PRIMARY_NUMBERS = frozenset(range(3, 10))
_SECONDARY_NUMBERS = frozenset({11, 12})
_PRIMARY_LETTERS = frozenset("ABCF")
HIDDEN, EMPTY = "x", "-"


def write_outcome(
    table: Table, suppressed: ArrayLike, path: str | Path, layout: Layout = "code-value", *, statuses: bool = False
) -> None:
    """Write which cells are shown and which are hidden. No true value of a hidden cell is written.

    Parameters
    ----------
    table
        A table with codes.
    suppressed
        Cells that are hidden, bool (n,).
    path
        File to write.
    layout
        ``'code-value'`` with a status number, or ``'sbs'`` with frequency and a status letter.
    statuses
        Tell primaries from secondaries. A reader then knows in which range a primary lies, which can be enough to
        work it out: leave it off for anything that is published.

    Raises
    ------
    InvalidArgument
        The table has no codes, `suppressed` does not fit it, or the file cannot be written.
    """
    hidden = _mask(table, suppressed)
    if layout not in ("code-value", "sbs"):
        raise InvalidArgument("layout", "must be 'code-value' or 'sbs'")
    primary = hidden & table.primary & statuses
    by_count = 5 if table.primary_range else 3
    number = np.select([primary, hidden, table.values == 0, table.frozen], [by_count, 11, 14, 10], 1)
    letter = np.select([primary, hidden, table.values == 0], ["A" if table.primary_range else "B", "D", EMPTY], "V")
    shown = np.where(hidden, HIDDEN, np.where(table.values == 0, EMPTY, [_plain(value) for value in table.values]))
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    if layout == "code-value":
        writer.writerow([*table.dimensions, "Value", "Status"])
    count = table.values if table.contributors is None else table.contributors
    for cell in range(table.cells):
        codes = [column[cell] for column in table.codes]
        last = [number[cell]] if layout == "code-value" else [_shown_count(count, hidden, cell), letter[cell]]
        writer.writerow([*codes, shown[cell], *last])
    write_atomic(Path(path), buffer.getvalue())


def read_outcome(path: str | Path, table: Table, layout: Layout = "code-value") -> NDArray[np.bool_]:
    """Return which cells a file hides, in the table's cell order: anybody's pattern, ready for an audit.

    Parameters
    ----------
    path
        File as tau-ARGUS (or :func:`write_outcome`) writes it; a first line with names is passed over. Cells that
        the file does not list are shown.
    table
        The true table, with codes.
    layout
        Of the file.

    Raises
    ------
    InvalidArgument
        The file cannot be read, a line names a cell that the table does not have or one for the second time, or
        has an unknown status.
    """
    if not table.codes:
        raise InvalidArgument("table", "has no codes", "Read it with a file of codes.")
    where = {key: i for i, key in enumerate(zip(*(column.tolist() for column in table.codes), strict=True))}
    d = len(table.codes)
    hidden, seen = np.zeros(table.cells, dtype=np.bool_), np.zeros(table.cells, dtype=np.bool_)
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip():
            continue
        fields = [part.strip() for part in next(csv.reader([line], skipinitialspace=True))]
        cell = where.get(tuple(fields[:d]))
        if cell is None and number == 1:
            continue
        if cell is None or len(fields) < d + 2 or seen[cell]:
            raise wrong_line(path, number, "names no cell of the table, or one that stood there before")
        seen[cell] = True
        verdict = _is_hidden(fields[d:], layout)
        if verdict is None:
            raise wrong_line(path, number, "has an unknown status")
        hidden[cell] = verdict
    return hidden


def _is_hidden(fields: list[str], layout: Layout) -> bool | None:
    if layout == "sbs":
        letter = fields[2] if len(fields) > 2 else ""
        return None if letter not in LETTERS and letter != EMPTY else letter in _PRIMARY_LETTERS or letter == "D"
    status = fields[1]
    if not status.isdigit() or int(status) not in NUMBERS:
        return None
    return int(status) in _PRIMARY_NUMBERS | _SECONDARY_NUMBERS


def _shown_count(count: NDArray[np.generic], hidden: NDArray[np.bool_], cell: int) -> str:
    return HIDDEN if hidden[cell] else str(int(count[cell]))


def _mask(table: Table, suppressed: ArrayLike) -> NDArray[np.bool_]:
    if not table.codes:
        raise InvalidArgument("table", "has no codes", "Read it with a file of codes.")
    found = np.asarray(suppressed)
    if found.shape != (table.cells,) or found.dtype != np.bool_:
        raise InvalidArgument("suppressed", f"must be True or False for each of the {table.cells} cells")
    return found


def _plain(number: float) -> str:
    value = float(number)
    return str(int(value)) if value.is_integer() else repr(value)
