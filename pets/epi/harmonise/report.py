"""What was not understood while records were harmonised. For those who keep the data, and for nobody else."""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

SMALL: Final = 5
"""A number of rows below it is printed as a range."""

MOST_CODES: Final = 10_000
"""Different codes of one column that are kept apart. A column with more was taken for one that it is not."""

OTHERS: Final = "(other codes)"

_LONGEST: Final = 60
_MARK = "INTERNAL: codes and numbers of confidential records. Do not pass on."


@dataclass(frozen=True, order=True)
class Unmapped:
    """A code that has no place in the analysis table.

    Attributes
    ----------
    column
        Column of the analysis table that stays empty.
    code
        The code as the source has it.
    reason
        Why it has no place.
    rows
        In how many records.
    """

    column: str
    code: str
    reason: str
    rows: int = field(compare=False)

    def __repr__(self) -> str:
        return f"<Unmapped: {self.column}, {self.reason}; see .code, .rows>"


@dataclass(frozen=True)
class Report:
    """What harmonising some records met.

    Attributes
    ----------
    records
        How many were read.
    unmapped
        Codes without a place, by column, the most frequent first.
    notes
        How often something else was decided, such as a date that is known in part: sentence to number of records.
    """

    records: int
    unmapped: tuple[Unmapped, ...]
    notes: Mapping[str, int]

    def __repr__(self) -> str:
        return f"<Report of harmonised records: {self.summary()} See .unmapped, .notes>"

    def summary(self) -> str:
        """Return which columns have codes without a place: no code, no number."""
        columns = dict.fromkeys(item.column for item in self.unmapped)
        if not columns:
            return "Every code has a place."
        return f"Some codes have no place, in: {', '.join(columns)}."

    def to_text(self) -> str:
        """Return everything, for people inside; numbers below 5 as a range."""
        lines = [_MARK, f"records read: {self.records:,}"]
        lines += [f"{sentence}: {_shown(rows)}" for sentence, rows in self.notes.items() if rows]
        lines += [f"{item.column}: {item.code} ({item.reason}): {_shown(item.rows)}" for item in self.unmapped]
        return "\n".join(lines) + "\n"

    def to_csv(self) -> str:
        """Return everything as a table with the columns ``what, code, reason, records``."""
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["what", "code", "reason", "records"])
        writer.writerow([_MARK, "", "", ""])
        writer.writerow(["records read", "", "", _shown(self.records)])
        writer.writerows([sentence, "", "", _shown(rows)] for sentence, rows in self.notes.items() if rows)
        writer.writerows([item.column, _plain(item.code), item.reason, _shown(item.rows)] for item in self.unmapped)
        return stream.getvalue()


class Tally:
    """Collects codes without a place and notes, batch by batch, within a bounded memory."""

    def __init__(self) -> None:
        self._records = 0
        self._codes: dict[str, Counter[tuple[str, str]]] = {}
        self._notes: Counter[str] = Counter()

    def add_records(self, number: int) -> None:
        """Count records that were read."""
        self._records += number

    def add_note(self, sentence: str, number: int) -> None:
        """Count records for which something was decided."""
        self._notes[sentence] += int(number)

    def add_codes(self, column: str, reason: str, codes: Iterable[str]) -> None:
        """Count codes without a place."""
        known = self._codes.setdefault(column, Counter())
        for code, rows in Counter(codes).items():
            key = (code[:_LONGEST], reason)
            known[key if key in known or len(known) < MOST_CODES else (OTHERS, reason)] += rows

    def report(self) -> Report:
        """Return what was collected."""
        found = [
            Unmapped(column, code, reason, rows)
            for column, known in self._codes.items()
            for (code, reason), rows in sorted(known.items(), key=lambda item: (-item[1], item[0]))
        ]
        return Report(self._records, tuple(found), dict(self._notes))


def _shown(rows: int) -> str:
    return f"1-{SMALL - 1}" if 0 < rows < SMALL else str(rows)


def _plain(code: str) -> str:
    """Return a code that a spreadsheet does not take for a formula."""
    return "'" + code if code.startswith(("=", "+", "-", "@")) else code
