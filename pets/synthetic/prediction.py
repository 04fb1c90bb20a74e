"""How accurate a plan will be, from public facts: before anything is spent."""

from __future__ import annotations

import math
from dataclasses import dataclass
from math import prod

from pets.errors import InvalidArgument
from pets.synthetic.budget import Budget
from pets.synthetic.plan import Plan

HOPELESS = 0.5
"""If the columns by themselves are expected to be off by more than this share of rows, there is nothing to publish."""

_MEAN_ABSOLUTE = math.sqrt(2 / math.pi)


@dataclass(frozen=True)
class PredictedTable:
    """A table that will be measured.

    Attributes
    ----------
    columns
        Its columns; empty for one that is chosen on the way.
    cells
        Number of its cells; 0 if that is not known yet.
    sigma
        Standard deviation of the noise of a cell, in rows.
    share
        Rows expected to be in a wrong cell because of the noise, as a share of all rows, at most 1.
    """

    columns: tuple[str, ...]
    cells: int
    sigma: float
    share: float


@dataclass(frozen=True)
class Prediction:
    """What a fit would cost and how accurate its tables would be.

    Attributes
    ----------
    rows
        Number of rows that it was made for.
    tables
        Tables of declared columns.
    rounds
        Standard deviation of the noise in each further table, which will be chosen.
    """

    rows: int
    tables: tuple[PredictedTable, ...]
    rounds: tuple[float, ...]

    @property
    def typical(self) -> float:
        """The median of the tables' expected errors, as a share of all rows."""
        shares = sorted(table.share for table in self.tables)
        return shares[len(shares) // 2]

    @property
    def usable(self) -> bool:
        """Whether anything but noise can be expected."""
        return self.typical <= HOPELESS

    def explain(self) -> str:
        """Return it in plain sentences."""
        rounds = f" {len(self.rounds)} further tables will be chosen." if self.rounds else ""
        verdict = "" if self.usable else " Do not release: noise would dominate."
        return (
            f"For {self.rows:,} rows, {len(self.tables)} tables will be measured, with a noise of "
            f"{min(t.sigma for t in self.tables):.3g} to {max(t.sigma for t in self.tables):.3g} rows in each cell; "
            f"typically {self.typical:.1%} of the rows will be in a wrong cell.{rounds}{verdict}"
        )


def predict(plan: Plan, rows: int) -> Prediction:
    """Return what to expect of a plan for so many rows."""
    sizes, names = plan.encoding.sizes, plan.encoding.names
    tables = []
    for axes, share in plan.first:
        sigma, cells = plan.sigma(share), prod(sizes[axis] for axis in axes)
        off = min(1.0, _MEAN_ABSOLUTE * cells * sigma / 2 / rows)
        tables.append(PredictedTable(tuple(names[axis] for axis in axes), cells, sigma, off))
    return Prediction(rows, tuple(tables), tuple(plan.sigma(level.table) for level in plan.rounds))


def refuse_hopeless(prediction: Prediction, budget: Budget) -> None:
    """Raise if noise would dominate; say what would be enough.

    Raises
    ------
    InvalidArgument
        Names the epsilon (or rho) and the number of rows that would do.
    """
    if prediction.usable:
        return
    name, problem, remedy = _too_little(prediction, budget)
    raise InvalidArgument(name, problem, f"{remedy} Nothing was charged.")


def do_not_release(prediction: Prediction, budget: Budget) -> tuple[str, ...]:
    """Return the words that go with a model for whose noisy number of rows noise dominates; none if it does not."""
    if prediction.usable:
        return ()
    name, problem, remedy = _too_little(prediction, budget)
    return (f"Do not release: {name} {problem}. {remedy}",)


def careless(budget: Budget, rows: int) -> tuple[str, ...]:
    """Return the words that go with a delta by which one row in all might be published whole; none if it is smaller."""
    if budget.delta is None or budget.delta * rows < 1:
        return ()
    chance = f"delta = {float(budget.delta):g} would allow to publish one of {rows:,} rows as it is"
    return (f"{chance}. This model does not, but the promise is weak: choose a delta well below {1 / rows:.1g}.",)


def _too_little(prediction: Prediction, budget: Budget) -> tuple[str, str, str]:
    """Return what is too small, how far, and what would be enough."""
    # The noise is about inversely proportional to epsilon, and its share to the number of rows.
    worst = sorted(_MEAN_ABSOLUTE * table.cells * table.sigma / 2 / prediction.rows for table in prediction.tables)[
        len(prediction.tables) // 2
    ]
    factor = worst / HOPELESS
    name, amount, power = ("rho", budget.rho, 2) if budget.rho is not None else ("epsilon", budget.epsilon, 1)
    enough = float(amount or 0) * factor**power
    problem = (
        f"is too small for {prediction.rows:,} rows of {len(prediction.tables)} tables: typically "
        f"{prediction.typical:.0%} of the rows would be in a wrong cell"
    )
    remedy = (
        f"Spend about {name} = {enough:.2g}, have about {math.ceil(prediction.rows * factor):,} rows, "
        "or declare fewer columns or coarser bins."
    )
    return name, problem, remedy
