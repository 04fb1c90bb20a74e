"""A rounded table: what may be published, and what a reader can still conclude from it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from pets.disclosure.relations import Relations
from pets.disclosure.rounding.learned import Bounds, learned_intervals
from pets.disclosure.rounding.single import Ties

if TYPE_CHECKING:
    import pandas as pd

Rule = Literal["controlled", "random", "nearest"]


@dataclass(frozen=True, eq=False, repr=False)
class Rounded:
    """A table whose cells were rounded to multiples of a base. It holds no true count.

    Attributes
    ----------
    values
        What may be published, shape (n,), in the table's order.
    base, rule, ties
        How it was rounded.
    steps
        How many multiples a cell may lie from its true count: 1 means one of the two neighbours.
    relations
        What the true counts add up to.
    dimensions, codes
        Labels of the cells, as in the table.
    distance
        Sum of the distances to the true counts: for the data holder, as it depends on them.
    bound
        Proven lower bound of what the solver minimised (the distance, or the distance to the random draw), less than
        `cost` if the time was too short; ``None`` if nothing was minimised.
    cost
        What the solver reached.
    optimal
        Whether it is proven that no table that adds up is better.
    """

    values: NDArray[np.int64]
    base: int
    rule: Rule
    relations: Relations
    steps: int = 1
    ties: Ties = "up"
    dimensions: tuple[str, ...] = ()
    codes: tuple[NDArray[np.str_], ...] = ()
    distance: int = 0
    cost: int | None = None
    bound: float | None = None
    optimal: bool = True

    @cached_property
    def broken(self) -> int:
        """Number of sums that the published numbers do not keep; 0 for controlled rounding."""
        return int(np.count_nonzero(self.relations.residuals(self.values.astype(np.float64))))

    @property
    def additive(self) -> bool:
        """Whether every published total is the sum of its published parts."""
        return self.broken == 0

    def rule_intervals(self) -> Bounds:
        """Return what base and rule alone tell of each true count: smallest and largest, shape (n,) each."""
        low, high = self._distances()
        return np.maximum(self.values - low, 0), self.values + high

    def intervals(self, seconds: float = 60.0) -> Bounds:
        """Return the smallest and largest count that each cell can have for a reader who also adds up.

        The reader knows base and rule, and that the true counts satisfy every relation. Knowledge of which of several
        possible roundings the solver prefers is not modelled; the objective ``'random'`` leaves little of it. After
        `seconds`, ends that are not proven are left wide, with a warning.
        """
        low, high = self.rule_intervals()
        return learned_intervals(low, high, self.relations, seconds)

    def to_frame(self, intervals: bool = False) -> pd.DataFrame:
        """Return labels and published values; with `intervals` also what a reader can conclude of each cell."""
        import pandas as pd

        labels: dict[str, Any] = dict(zip(self.dimensions, self.codes, strict=True))
        columns: dict[str, Any] = labels | {"value": self.values}
        if intervals:
            columns["low"], columns["high"] = self.intervals()
        return pd.DataFrame(columns)

    def explain(self) -> str:
        """Return in plain words what was done and what it tells."""
        far = f"at most {self.base // 2}" if self.rule == "nearest" else f"less than {self.steps * self.base}"
        sums = (
            "Totals are the sums of their parts."
            if self.additive
            else f"{self.broken:,} totals differ from their parts."
        )
        return f"Every count is a multiple of {self.base}, {far} from the true one. {sums}"

    def _distances(self) -> tuple[NDArray[np.int64] | int, NDArray[np.int64] | int]:
        """Return how far the true count may lie below and above the published one."""
        if self.rule != "nearest":
            return self.steps * self.base - 1, self.steps * self.base - 1
        half, odd = divmod(self.base, 2)
        if odd:
            return half, half
        if self.ties == "even":
            even = (self.values // self.base) % 2 == 0
            return np.where(even, half, half - 1), np.where(even, half, half - 1)
        return (half, half - 1) if self.ties == "up" else (half - 1, half)

    def __repr__(self) -> str:
        kept = "adds up" if self.additive else f"{self.broken:,} sums broken"
        return f"<{self.rule} rounding of {len(self.values):,} cells to base {self.base}: {kept}>"

    def _repr_html_(self) -> str:
        return f"<p>{escape(self.explain())}</p>{self.to_frame().to_html(index=False, max_rows=30)}"
