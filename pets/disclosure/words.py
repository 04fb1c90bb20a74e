"""Words of tables: how totals are called, and columns of counts."""

from __future__ import annotations

from collections.abc import Sequence

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
