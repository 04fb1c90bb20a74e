"""Does a frame hold any of the 18 identifiers that HIPAA Safe Harbor wants removed?

A check by column names, types and the content of every distinct cell. It finds what looks like an identifier; that it
finds nothing is no proof, above all in free text and images. And Safe Harbor itself is not enough where cases are rare:
diagnosis, age, sex and year of diagnosis can single out many children with cancer, and none of these is one of the 18
identifiers. Measure that with :func:`~pets.disclosure.microdata.assess`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import narwhals.stable.v2 as nw
import numpy as np

from pets.disclosure.microdata.codes import Coded
from pets.disclosure.microdata.frame import Rows, open_rows, whole_number
from pets.disclosure.microdata.safe_harbor_patterns import COMPACT_DATE, ZIP3, ZIP5, letters_by_content
from pets.disclosure.microdata.safe_harbor_rules import BY_LETTER, DURATIONS, letters_by_name, words_of
from pets.errors import InvalidArgument

if TYPE_CHECKING:
    import pandas as pd

ZIP3_CENSUS_2000 = frozenset((
    "036", "059", "063", "102", "203", "556", "692", "790", "821",
    "823", "830", "831", "878", "879", "884", "890", "893",
))  # fmt: skip
"""Three-digit ZIP areas of 20,000 people or fewer by the 2000 census, as printed in the guidance of the Office for
Civil Rights (2012). The rule asks for *current* census data: look for newer ones before you rely on it."""

FREE_TEXT = "any"
CAVEATS = (
    "That nothing is found is no proof: a person has to look, above all at free text, images and codes.",
    (
        "Safe Harbor also asks that you have no actual knowledge that what is left could identify somebody "
        "(45 CFR 164.514(b)(2)(ii))."
    ),
    (
        "It is not enough for rare diseases: diagnosis, age, sex and year can single out a child with cancer, and none "
        "of them is one of the 18 identifiers. Measure it with assess()."
    ),
)
_MOSTLY = 0.95
_OLDEST = 89


@dataclass(frozen=True)
class Finding:
    """One column that looks like one kind of identifier.

    Attributes
    ----------
    column
        Its name.
    letter, identifier
        Paragraph of 45 CFR 164.514(b)(2)(i), or ``'any'`` for free text; and what it is.
    evidence
        What it was found by, in words, without a cell's value.
    cells
        Number of rows whose cell looks so; None if the name or type alone tells.
    action
        What to do.
    """

    column: str
    letter: str
    identifier: str
    evidence: str
    cells: int | None
    action: str


@dataclass(frozen=True, repr=False)
class SafeHarborCheck:
    """What was found.

    Attributes
    ----------
    rows
        Number of rows looked at, all of them.
    columns
        The columns looked at.
    findings
        In the order of the columns.
    """

    rows: int
    columns: tuple[str, ...]
    findings: tuple[Finding, ...]

    @property
    def caveats(self) -> tuple[str, ...]:
        """What this check cannot tell."""
        return CAVEATS

    @property
    def clean(self) -> bool:
        """Whether nothing was found. See the caveats: it is no proof."""
        return not self.findings

    def to_frame(self) -> pd.DataFrame:
        """Return the findings as a table."""
        import pandas as pd

        names = ("column", "letter", "identifier", "evidence", "cells", "action")
        table = {name: [getattr(found, name) for found in self.findings] for name in names}
        return pd.DataFrame(table).astype({"cells": "Int64"})

    def __str__(self) -> str:
        lines = [f"Safe Harbor check of {len(self.columns)} columns, {self.rows:,} rows: {self._verdict}"]
        lines += [f"  ({f.letter}) {f.column}: {f.identifier}; {f.evidence}. {f.action}" for f in self.findings]
        return "\n".join([*lines, *CAVEATS])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        from pets.disclosure.microdata.view import html_table

        rows = [(f"({f.letter})", f.column, f.identifier, f.evidence, f.action) for f in self.findings]
        head = ("", "column", "looks like", "because", "what to do")
        return html_table(f"Safe Harbor check: {self._verdict}", head, rows, CAVEATS)

    @property
    def _verdict(self) -> str:
        found = len({f.column for f in self.findings})
        return f"{found} column(s) to deal with" if found else "nothing found"


def check_safe_harbor(
    frame: object, *, small_zip3: Collection[str] | None = None, reference_year: int | None = None
) -> SafeHarborCheck:
    """Look for the 18 identifiers of 45 CFR 164.514(b)(2)(i)(A) to (R).

    Parameters
    ----------
    frame
        Any data frame that narwhals supports.
    small_zip3
        The three-digit ZIP areas of 20,000 people or fewer, by current census data: a public list that you declare,
        e.g. :data:`ZIP3_CENSUS_2000`. Without it every column of three-digit ZIP codes is a finding.
    reference_year
        Year of the release; years of birth 90 or more before it tell an age over 89. This year when left out.

    Raises
    ------
    InvalidArgument
        `frame` is no data frame or has no rows, or a ZIP area is not three digits.
    """
    if small_zip3 is not None and not all(isinstance(z, str) and len(z) == 3 and z.isdigit() for z in small_zip3):
        raise InvalidArgument("small_zip3", "must hold texts of three digits", "For example: ZIP3_CENSUS_2000.")
    year = dt.datetime.now(tz=dt.UTC).year if reference_year is None else reference_year
    whole_number(year, "reference_year", 1900)
    rows = open_rows(frame, others=True)
    names = tuple(rows.frame.columns)
    findings = tuple(f for name in names for f in _Column(rows, name).findings(small_zip3, year))
    return SafeHarborCheck(len(rows), names, findings)


class _Column:
    """One column under inspection."""

    def __init__(self, rows: Rows, name: str) -> None:
        self.name, self.words, self.rows = name, words_of(name), len(rows)
        self.coded: Coded = rows.code(name)
        self.dtype = self.coded.series.dtype
        self.named = letters_by_name(name)
        self.values = self.coded.values
        self.counts = np.bincount(self.coded.codes[self.coded.codes >= 0], minlength=self.coded.size)
        self.texts = [value if isinstance(value, str) else "" for value in self.values]

    def findings(self, small_zip3: Collection[str] | None, year: int) -> list[Finding]:
        """Return what the column looks like, each paragraph once."""
        if not self.values:
            return [_finding(self.name, letter, "its name (all cells are missing)") for letter in self.named]
        found = [*self._dates(), *self._old(year), *self._zip(small_zip3), *self._content(), *self._others()]
        return list({finding.letter: finding for finding in reversed(found)}.values())[::-1]

    def _cells(self, places: Sequence[int]) -> int:
        return int(self.counts[list(places)].sum())

    def _content(self) -> list[Finding]:
        found = letters_by_content(self.texts)
        return [_finding(self.name, letter, "the form of its cells", self._cells(at)) for letter, at in found.items()]

    def _dates(self) -> list[Finding]:
        if isinstance(self.dtype, nw.Date | nw.Datetime) or any(isinstance(value, dt.date) for value in self.values):
            return [_finding(self.name, "C", "its type: dates with month and day", int(self.counts.sum()))]
        written = [str(v) for v in self.values if isinstance(v, str | int) and not isinstance(v, bool)]
        dated = [COMPACT_DATE.fullmatch(text) is not None for text in written]
        if len(written) == len(self.values) and np.mean(dated) >= _MOSTLY:
            return [_finding(self.name, "C", "the form of its cells: dates without separators", int(self.counts.sum()))]
        return []

    def _old(self, year: int) -> list[Finding]:
        """Ages over 89 by name and value, and years of birth that tell one."""
        if DURATIONS.search(self.words):
            return []
        parts = self.words.split("_")
        numbers = {i: _number(value) for i, value in enumerate(self.values)}
        known = {i: number for i, number in numbers.items() if number is not None}
        if {"age", "alter", "edad", "eta"} & set(parts):
            places = [i for i, number in known.items() if _OLDEST < number < 130]
            return [_finding(self.name, "C", "ages over 89", self._cells(places))] if places else []
        if ("birth" in parts or "born" in parts) and ("year" in parts or "yr" in parts):
            places = [i for i, number in known.items() if 1800 < number < year - _OLDEST]
            return (
                [_finding(self.name, "C", "years of birth that tell an age over 89", self._cells(places))]
                if places
                else []
            )
        return []

    def _zip(self, small_zip3: Collection[str] | None) -> list[Finding]:
        written = [_digits(value) for value in self.values]
        called = any(word.startswith(("zip", "postal", "postcode", "zcta")) for word in self.words.split("_"))
        fives = [i for i, text in enumerate(written) if ZIP5.fullmatch(text)]
        is_text = all(isinstance(value, str) for value in self.values)
        if fives and (called or (is_text and len(fives) >= _MOSTLY * len(written))):
            return [
                _finding(self.name, "B", "the form of its cells: ZIP codes of five digits or more", self._cells(fives))
            ]
        if not called:
            return []
        threes = [i for i, text in enumerate(written) if ZIP3.fullmatch(text) and text[:3] != "000"]
        if small_zip3 is None and threes:
            return [
                _finding(
                    self.name,
                    "B",
                    "ZIP codes of three digits, and no list of small areas to check them",
                    self._cells(threes),
                )
            ]
        small = [i for i in threes if written[i][:3] in (small_zip3 or ())]
        return (
            [_finding(self.name, "B", "three-digit ZIP areas of 20,000 people or fewer", self._cells(small))]
            if small
            else []
        )

    def _others(self) -> list[Finding]:
        """What only the name, or only the shape of the column as a whole, tells."""
        found = [_finding(self.name, letter, "its name") for letter in self.named if not self._explained(letter)]
        words = [len(text.split()) for text in self.texts if text]
        if words and np.mean(words) >= 5 and len(words) > 0.2 * int(self.counts.sum()):
            found.append(_free_text(self.name))
        elif not found and self._is_code():
            found.append(_finding(self.name, "R", "every row has another value", int(self.counts.sum())))
        return found

    def _explained(self, letter: str) -> bool:
        """Ages and ZIP codes are judged by their values, whatever the column is called."""
        parts = set(self.words.split("_"))
        if letter == "C":
            return "age" in parts and not parts & {"date", "day", "month", "week", "dob"}
        return letter == "B" and any(part.startswith(("zip", "zcta", "postal", "postcode")) for part in parts)

    def _is_code(self) -> bool:
        whole = self.dtype.is_integer() or isinstance(self.dtype, nw.String) or any(self.texts)
        return whole and self.rows >= 20 and len(self.values) == int(self.counts.sum()) >= 0.5 * self.rows


def _finding(column: str, letter: str, evidence: str, cells: int | None = None) -> Finding:
    rule = BY_LETTER[letter]
    return Finding(column, letter, rule.name, evidence, cells, rule.action)


def _free_text(column: str) -> Finding:
    action = "Drop it, or have a person read every cell."
    return Finding(column, FREE_TEXT, "Free text, which may hold any identifier", "long texts", None, action)


def _number(value: object) -> float | None:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None


def _digits(value: object) -> str:
    if isinstance(value, bool):
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value).strip() if isinstance(value, str | int) else ""
