"""P-tables in files: CSV with the columns pcv (count), ckey (cell key) and pvalue (change), plain or gzipped."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

import numpy as np

from pets.config import write_atomic
from pets.disclosure.cell_key.ptable import MAX_KEYS, PTable
from pets.errors import InvalidArgument

COLUMNS = ("pcv", "ckey", "pvalue")
_MAX_BYTES = 256 * 2**20
_REPEATED = 250  # rows 501 to 750 of a table of 750 serve 751 to 1,000, and so on


def read_ptable(path: str | Path, repeat: int | None = None) -> PTable:
    """Return the p-table of a file, in the form in which the Office for National Statistics publishes its own.

    Parameters
    ----------
    path
        CSV file with the columns ``pcv``, ``ckey`` and ``pvalue``, one line for each look-up; gzipped if the name ends
        in ``.gz``. Row 0 may be missing: empty cells stay empty.
    repeat
        How many of the last rows serve larger counts, in turn. If left out: 250 of a table for counts up to 750, as
        that office does, else the last row alone.

    Raises
    ------
    InvalidArgument
        The file cannot be read, or is no complete p-table; the message names what is missing.
    """
    lookups = _lookups(Path(path))
    rows, keys = int(lookups[:, 0].max()) + 1, int(lookups[:, 1].max()) + 1
    if lookups[:, :2].min() < 0 or rows > 10**6 or keys > MAX_KEYS or rows * keys > 2**26:
        raise InvalidArgument("path", "holds counts or keys that are negative or too large")
    known = np.zeros((rows, keys), dtype=np.int64)
    np.add.at(known, (lookups[:, 0], lookups[:, 1]), 1)
    if known.max() > 1:
        count, key = (int(i) for i in np.argwhere(known > 1)[0])
        raise InvalidArgument("path", f"has more than one line for the count {count} and the key {key}")
    known[0] = np.maximum(known[0], 0 if known[0].any() else 1)
    if not known.all():
        count, key = (int(i) for i in np.argwhere(known == 0)[0])
        raise InvalidArgument("path", f"has no line for the count {count} and the key {key}", "Complete the p-table.")
    changes = np.zeros((rows, keys), dtype=np.int64)
    changes[lookups[:, 0], lookups[:, 1]] = lookups[:, 2]
    period = (_REPEATED if rows == 3 * _REPEATED + 1 else 1) if repeat is None else repeat
    if isinstance(period, bool) or not isinstance(period, int) or not 0 < period < rows:
        raise InvalidArgument("repeat", f"must be a whole number between 1 and {rows - 1}")
    return PTable(changes, rows - period)


def write_ptable(table: PTable, path: str | Path) -> None:
    """Write a p-table as plain CSV, one line for each look-up; row 0 is left out."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for count, row in enumerate(table.changes[1:].tolist(), 1):
        writer.writerows((count, key, change) for key, change in enumerate(row))
    write_atomic(path, text.getvalue())


def _lookups(path: Path) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    reader = csv.reader(io.StringIO(_text(path)))
    header = [name.strip().strip('"').lower() for name in next(reader, [])]
    missing = [name for name in COLUMNS if name not in header]
    if missing:
        raise InvalidArgument("path", f"has no column {missing[0]!r}", "A p-table has pcv, ckey and pvalue.")
    places = [header.index(name) for name in COLUMNS]
    found = []
    for number, line in enumerate(reader, 2):
        if not line:
            continue
        try:
            found.append([int(line[place]) for place in places])
        except (ValueError, IndexError):
            raise InvalidArgument("path", f"line {number} does not hold three whole numbers") from None
    if not found:
        raise InvalidArgument("path", "holds no look-up")
    try:
        return np.array(found, dtype=np.int64)
    except OverflowError:
        raise InvalidArgument("path", "holds a number that is too large") from None


def _text(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            content = (gzip.GzipFile(fileobj=stream) if path.suffix == ".gz" else stream).read(_MAX_BYTES + 1)
    except (OSError, EOFError) as error:
        raise InvalidArgument("path", f"cannot be read: {getattr(error, 'strerror', None) or 'no gzip file'}") from None
    if len(content) > _MAX_BYTES:
        raise InvalidArgument("path", "is too large for a p-table")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InvalidArgument("path", "is not a text in UTF-8") from None
