"""What the published tables must be good for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, get_args

from pets.errors import InvalidArgument, did_you_mean
from pets.exact import Number, positive
from pets.tuning.plan import LARGEST

Of = Literal["without_noise", "all"]


@dataclass(frozen=True)
class Targets:
    """What the published tables must be good for. Each one holds for each table.

    Parameters
    ----------
    cells
        Share of the cells with cases that the registry's rule accepts.
    of
        Among which cells: ``'without_noise'`` (those that the rule accepts before any noise) or ``'all'``.
    patients
        Share of the patients who are in accepted cells, among the same.
    cell_within
        Half-width of the 95 % interval of a cell's noise, in cases.
    totals_within
        The same of totals of the plan (sums and margins), by label.
    up_to
        Largest epsilon to consider.
    releases
        How many yearly releases over the same patients the account must pay for; each then gets an equal part of what
        is left (of rho, under Gaussian noise). ``None``: one release, whatever is left.

    Raises
    ------
    InvalidArgument
        A target is out of range, or there is none.
    """

    cells: float | None = 0.9
    of: Of = "without_noise"
    patients: float | None = None
    cell_within: float | None = None
    totals_within: Mapping[str, float] = field(default_factory=dict)
    up_to: Number = LARGEST
    releases: int | None = None

    def __post_init__(self) -> None:
        if self.of not in get_args(Of):
            raise InvalidArgument("of", "is not known", did_you_mean(str(self.of), get_args(Of)))
        for name in ("cells", "patients"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, int | float) and 0 < value <= 1):
                raise InvalidArgument(name, "must be a share above 0 and at most 1", "For 90 % give 0.9.")
        widths = [*self.totals_within.values(), *([] if self.cell_within is None else [self.cell_within])]
        if any(isinstance(w, bool) or not isinstance(w, int | float) or not w >= 0 for w in widths):
            raise InvalidArgument("within", "must be a number of cases, at least 0")
        object.__setattr__(self, "up_to", min(positive(self.up_to, "up_to"), LARGEST))
        if self.releases is not None and not (type(self.releases) is int and 1 <= self.releases <= 50):
            raise InvalidArgument("releases", "must be a whole number from 1 to 50, or be left out")
        if self.cells is None and self.patients is None and not widths:
            raise InvalidArgument("targets", "are empty", "State at least one, e.g. Targets(cells=0.9).")

    @property
    def words(self) -> str:
        """The targets as a phrase."""
        among = "cells that the rule accepts without noise" if self.of == "without_noise" else "cells with cases"
        parts = [] if self.cells is None else [f"{100 * self.cells:g} % of the {among} stay usable"]
        parts += [] if self.patients is None else [f"{100 * self.patients:g} % of the patients are in usable {among}"]
        parts += [] if self.cell_within is None else [f"each cell within {self.cell_within:g} at 95 %"]
        parts += [] if self.releases is None else [f"paid for {self.releases} times"]
        parts += [f"{label!r} within {width:g} at 95 %" for label, width in self.totals_within.items()]
        return "; ".join(parts)
