"""Totals, rates and curves that somebody will compute from the published tables."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, get_args

from pets.errors import InvalidArgument, did_you_mean

if TYPE_CHECKING:
    from pets.tuning.plan import Table


def short(number: float) -> float:
    """Return a whole number as an int: then equal plans have equal texts, whether 3 or 3.0 was given."""
    return int(number) if isinstance(number, float) and number.is_integer() else number


TotalKind = Literal["sum", "margin", "rate", "ratio", "survival"]


@dataclass(frozen=True)
class Life:
    """Planned follow-up of a cohort: for Kaplan-Meier at chosen times.

    Parameters
    ----------
    times
        End of each interval, ascending; the curve is looked at there.
    events, censored
        Planned numbers in each interval.
    beyond
        Followed beyond the last time.
    """

    times: tuple[float, ...]
    events: tuple[float, ...]
    censored: tuple[float, ...]
    beyond: float

    def __post_init__(self) -> None:
        for name in ("times", "events", "censored"):
            object.__setattr__(self, name, tuple(short(v) for v in getattr(self, name)))
        object.__setattr__(self, "beyond", short(self.beyond))
        numbers = (*self.times, *self.events, *self.censored, self.beyond)
        whole = not any(isinstance(v, bool) or not math.isfinite(v) or v < 0 for v in numbers)
        ascending = list(self.times) == sorted(set(self.times)) and self.times
        if not whole or not ascending or not len(self.times) == len(self.events) == len(self.censored) <= 100:
            raise InvalidArgument(
                "life", "needs ascending times and as many events and censored, all of them numbers of at least 0",
                "E.g. times = [12, 24, 60], events = [20, 11, 9], censored = [4, 6, 12], beyond = 138.",
            )  # fmt: skip


@dataclass(frozen=True)
class Total:
    """One number, or curve, that will be derived.

    Parameters
    ----------
    label
        What it is called.
    kind
        ``'sum'`` or ``'margin'`` (cells added up), ``'rate'`` (age-standardised, per million), ``'ratio'`` (observed
        over `expected`) or ``'survival'`` (Kaplan-Meier from `life`).
    table
        Name of the table that it comes from.
    where
        Categories of each axis that are added up; an axis that is left out is taken whole.
    age, standard
        For a rate: the axis with age groups, and the name of a standard population of :mod:`pets.epi`.
    expected
        For a ratio: the expected number.
    life
        For a curve: planned follow-up; `table` then only says which share of the budget pays.
    """

    label: str
    kind: TotalKind
    table: str
    where: Mapping[str, Sequence[str]] = field(default_factory=dict)
    age: str = ""
    standard: str = "segi_1960"
    expected: float = 0
    life: Life | None = None

    def __post_init__(self) -> None:
        if self.kind not in get_args(TotalKind):
            raise InvalidArgument("totals.kind", "is not known", did_you_mean(str(self.kind), get_args(TotalKind)))
        object.__setattr__(self, "expected", short(self.expected))
        if self.kind == "ratio" and not self.expected > 0:
            raise InvalidArgument("totals.expected", f"of {self.label!r} must be above 0")
        if self.kind == "survival" and self.life is None:
            raise InvalidArgument("totals.life", f"of {self.label!r} is missing", "Give the planned follow-up.")

    def check(self, tables: Sequence[Table]) -> None:
        """Refuse a total whose table, axis or category is not there."""
        table = self.of(tables)
        axes = {axis.name: axis.labels for axis in table.axes}
        for name, labels in self.where.items():
            if name not in axes:
                raise InvalidArgument("totals.where", f"names {name!r}, no axis of the table", did_you_mean(name, axes))
            for label in labels:
                if label not in axes[name]:
                    hint = did_you_mean(label, axes[name])
                    raise InvalidArgument(f"totals.where.{name}", "names a category that is not there", hint)
        if self.kind == "rate":
            if self.age not in axes:
                raise InvalidArgument(
                    "totals.age", "must name the axis with the age groups", did_you_mean(self.age, axes)
                )
            if table.person_years is None:
                raise InvalidArgument("totals", f"{self.label!r} needs person-years", "Add a column person_years.")

    def of(self, tables: Sequence[Table]) -> Table:
        """Return the table that this comes from."""
        for table in tables:
            if table.name == self.table:
                return table
        raise InvalidArgument("totals.table", "is not there", did_you_mean(self.table, [t.name for t in tables]))
