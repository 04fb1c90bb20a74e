"""Words of tables: how totals are called, and columns of counts; and headings that are no names."""

from __future__ import annotations

import re
from collections.abc import Sequence

from pets.errors import InvalidArgument

TOTALS = (
    "total", "totals", "grand total", "all", "t", "both", "both sexes", "all sexes", "both genders", "all genders",
    "all ages", "all sites", "all cancers", "all persons", "all regions", "all years", "overall", "sum", "everybody",
    "gesamt", "summe", "insgesamt", "zusammen", "alle", "beide", "beide geschlechter", "alle altersgruppen",
    "ensemble", "tous", "toutes", "les deux sexes", "total général", "somme",
    "totaal", "samen", "beide geslachten", "totale", "tutti", "tutte", "insieme", "todos", "todas", "ambos sexos",
    "ambos", "totalt", "samtliga", "i alt", "ialt", "yhteensä", "kaikki", "razem", "ogółem", "suma", "celkem",
    "spolu", "összesen", "ukupno", "skupaj", "kokku", "kopā", "iš viso", "σύνολο", "всего", "итого", "toplam", "",
)  # fmt: skip
"""Codes that stand for a total, in lower case, unless another is named."""

COUNTS = ("count", "counts", "value", "n", "cases", "freq", "frequency", "number", "obs")
"""Names of the column that holds the numbers of a table, in lower case."""

_DATE = re.compile(r"^(?:\d{4}-\d{1,2}-\d{1,2}(?:[T ].*)?|\d{1,2}[./-]\d{1,2}[./-]\d{2,4})$")
_NUMBER = re.compile(r"^[+-]?\d+(?:[.,]\d+)?$")


def total_among(codes: Sequence[str]) -> str | None:
    """Return the code that stands for the total, or ``None``.

    Examples
    --------
    >>> total_among(["Nord", "Gesamt"]), total_among(["f", "m"]) is None
    ('Gesamt', True)
    """
    known = {code.lower(): code for code in codes}
    return next((known[word] for word in TOTALS if word in known), None)


def is_surely_total(code: str) -> bool:
    """Return whether a code can hardly be anything but a total; ALL is also a leukaemia, and T a stage."""
    return len(code) > 1 and code != "ALL" and code.lower() in TOTALS


def looks_like_data(name: str) -> bool:
    """Return whether a heading is a number or a date."""
    return bool(_DATE.match(name.strip()) or _NUMBER.match(name.strip()))


def looks_like_date(name: str) -> bool:
    """Return whether a heading is a date."""
    return bool(_DATE.match(name.strip()))


def no_heading() -> InvalidArgument:
    """Return the error for a file without column names. It shows no field: the first line may be a patient."""
    return InvalidArgument(
        "FILE", "has no heading: the first line looks like data, not column names", "Put the column names on top."
    )
