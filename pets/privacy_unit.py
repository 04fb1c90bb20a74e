"""Whose presence is protected."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Literal, get_args

from pets.errors import InvalidArgument, did_you_mean

Neighbours = Literal["add_remove", "replace_one"]
"""Neighbouring relation: one unit's rows appear or vanish, or are exchanged for another unit's rows."""


@dataclass(frozen=True, slots=True)
class PrivacyUnit:
    """The person (or family, or centre) that a differentially private release protects.

    Parameters
    ----------
    id
        Column that identifies the unit. ``None`` means that each row is a unit of its own.
    max_rows
        How many rows one unit may contribute at one site. Enforced, not assumed: the tally keeps at
        most this many rows of each unit.
    neighbours
        ``'add_remove'`` (two data sets differ by the presence of one unit; the number of patients is
        protected) or ``'replace_one'`` (one unit's rows are exchanged; the number is taken as public).
    max_sites
        In how many of the pooled sites one unit may have rows. This one is an assumption, stated in
        every guarantee: sites that never compare their records cannot enforce it.

    Raises
    ------
    InvalidArgument
        A bound is not a positive integer, the relation is unknown, or `max_rows` exceeds 1 without an
        `id` column that would let the bound be enforced.
    """

    id: str | None = None
    max_rows: int = 1
    neighbours: Neighbours = "add_remove"
    max_sites: int = 1

    def __post_init__(self) -> None:
        if self.id is not None and (not isinstance(self.id, str) or not self.id):
            raise InvalidArgument("id", "must be a column name or be left out")
        for name in ("max_rows", "max_sites"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 10**6:
                raise InvalidArgument(name, "must be a whole number between 1 and 1,000,000")
        if self.neighbours not in get_args(Neighbours):
            raise InvalidArgument(
                "neighbours", "is not a known relation", did_you_mean(str(self.neighbours), get_args(Neighbours))
            )
        if self.id is None and self.max_rows != 1:
            raise InvalidArgument(
                "max_rows",
                "cannot be enforced without an id column",
                "Name the column that identifies a patient: PrivacyUnit(id='patient_id', max_rows=...).",
            )

    @property
    def noun(self) -> str:
        """What one unit is called: ``patient`` where the column is ``patient_id``, ``row`` without a column."""
        return "row" if self.id is None else _noun(self.id)

    def __str__(self) -> str:
        who = (
            "one row"
            if self.id is None
            else f"one {_noun(self.id)} ({_column(self.id)}at most {self.max_rows} row{'s' * (self.max_rows > 1)})"
        )
        sites = "" if self.max_sites == 1 else f" at up to {self.max_sites} sites"
        relation = "added or removed" if self.neighbours == "add_remove" else "replaced by another"
        return f"{who}{sites} {relation}"

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for TOML, JSON and hashing; ``None`` is left out."""
        fields = {"id": self.id, "max_rows": self.max_rows, "neighbours": self.neighbours, "max_sites": self.max_sites}
        return {key: value for key, value in fields.items() if value is not None}


def _column(name: str) -> str:
    """Name the column where the noun alone could mean another one: the text identifies an account."""
    return "" if _noun(name) == name else f"{name}, "


def _noun(column: str) -> str:
    """'patient_id' reads as 'patient'."""
    return re.sub(r"(_|\b)id$", "", column).replace("_", " ").strip() or column
