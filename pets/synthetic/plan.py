"""What will be measured and at what price, fixed from public facts before any row is read."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import combinations
from typing import Any

from pets.config.paths import hint
from pets.errors import InvalidArgument
from pets.synthetic.budget import Budget, Spending, Step
from pets.synthetic.encoding import Encoding
from pets.synthetic.engine.factors import Axes

_GRAIN = 10**6

VISIBLE = 50.0
"""Events by strata are measured if the noise of a cell is below one part in so many of all rows."""


@dataclass(frozen=True)
class Shares:
    """How a synthesizer divides its budget; the parts sum to 1.

    Attributes
    ----------
    first
        Each column by itself, and each time with its event, over all declared codes.
    clocks
        Each time with its event once more, over groups of times.
    strata
        The number of events by each column that a survival names.
    choices
        Choosing tables.
    tables
        The chosen tables.
    """

    first: float
    clocks: float
    strata: float
    choices: float
    tables: float


@dataclass(frozen=True)
class Level:
    """Rounds of one price: choose a table, measure it.

    Attributes
    ----------
    times
        How many rounds.
    choice, table
        Share of the budget of one choice and of one table.
    """

    times: int
    choice: Fraction
    table: Fraction


@dataclass(frozen=True)
class Plan:
    """All steps of a fit.

    Attributes
    ----------
    encoding
        Codes and rules.
    first
        Tables over declared codes, each with its share.
    clocks
        Tables of times and events, and of events by strata, that are measured over groups, each with its share.
    levels
        Rounds, in order.
    spending
        The noise that shares buy.
    budget, rows
        What the plan was made for.
    contrasts
        Pairs of columns that are looked at once, each with its share, instead of paying for every choice; see
        :mod:`pets.synthetic.across.contrasts`.
    """

    encoding: Encoding
    first: tuple[tuple[Axes, Fraction], ...]
    clocks: tuple[tuple[Axes, Fraction], ...]
    levels: tuple[Level, ...]
    spending: Spending
    budget: Budget
    rows: int
    contrasts: tuple[tuple[Axes, Fraction], ...] = ()

    @property
    def signal(self) -> float:
        """How much larger the number of rows is than the noise of one table with all of the budget."""
        return self.rows / self.sigma(Fraction(1))

    @property
    def steps(self) -> tuple[Step, ...]:
        """The steps as the accountant sees them."""
        return steps_of(self.first, self.clocks, self.levels, self.contrasts)

    @property
    def rounds(self) -> list[Level]:
        """One entry for each round."""
        return [level for level in self.levels for _ in range(level.times)]

    def sigma(self, share: Fraction) -> float:
        """Return the standard deviation of a table's noise."""
        return math.sqrt(self.spending.sigma2(share))


def make_plan(
    encoding: Encoding, budget: Budget, shares: Shares, rounds: tuple[int, ...], growth: float, rows: int
) -> Plan:
    """Return the plan of a synthesizer.

    Parameters
    ----------
    encoding
        Codes and rules.
    budget
        All that may be lost.
    shares
        How it is divided; what has no steps goes to the others in proportion.
    rounds
        Number of rounds at each level of price; empty for none.
    growth
        How many times more budget a round of the next level gets.
    rows
        Number of rows, declared or noisy.
    """
    unit = encoding.domain.unit
    pairs = clock_tables(encoding)
    covered = {axis for axes in pairs for axis in axes}
    alone: list[Axes] = [(i,) for i in range(len(encoding.sizes)) if i not in covered]
    weights = dict.fromkeys(alone, 1.0) | dict.fromkeys(pairs, 2.0)
    strata = strata_tables(encoding)
    if strata and signal_of(encoding, budget, rows) * math.sqrt(shares.strata / len(strata)) < VISIBLE:
        strata, shares = [], replace(shares, clocks=shares.clocks + shares.strata)
    parts = {"first": shares.first, "clocks": shares.clocks * bool(pairs), "strata": shares.strata * bool(strata)}
    parts["rounds"] = (shares.tables + shares.choices) * bool(sum(rounds))
    whole = sum(parts.values())
    clocks = tuple((axes, _exact(parts["clocks"] / whole / len(pairs))) for axes in pairs if parts["clocks"])
    clocks += tuple((axes, _exact(parts["strata"] / whole / len(strata))) for axes in strata if parts["strata"])
    levels = _levels(rounds, growth, parts["rounds"] / whole, shares) if parts["rounds"] else ()
    left = 1 - sum((share for _, share in clocks), Fraction(0))
    left -= sum((level.times * (level.choice + level.table) for level in levels), Fraction(0))
    heavy = sum(weights.values())
    first = [(axes, _exact(float(left) * weight / heavy)) for axes, weight in sorted(weights.items())]
    equal = sum(1 for axes, _ in first if len(axes) == len(first[0][0]))
    rest = left - sum((share for axes, share in first if len(axes) != len(first[0][0])), Fraction(0))
    first = [(axes, rest / equal if len(axes) == len(first[0][0]) else share) for axes, share in first]
    spending = budget.spend(steps_of(tuple(first), clocks, levels), unit)
    return Plan(encoding, tuple(first), clocks, levels, spending, budget, rows)


def clock_tables(encoding: Encoding) -> list[Axes]:
    """Return the table of each time with its event."""
    return [encoding.axes([pair.time, pair.event]) for pair in encoding.survival]


def first_table(encoding: Encoding) -> Axes:
    """Return what rows are drawn from first: the link to a parent table, or the first survival with its strata."""
    if encoding.link:
        return encoding.axes(encoding.link)
    if not encoding.survival:
        return ()
    pair = encoding.survival[0]
    return encoding.axes([pair.time, pair.event, *pair.by])


def strata_tables(encoding: Encoding) -> list[Axes]:
    """Return the table of each event with each column that its survival shall be right by."""
    return sorted({encoding.axes([pair.event, name]) for pair in encoding.survival for name in pair.by})


def all_pairs(encoding: Encoding) -> dict[Axes, int]:
    """Return every pair of columns with weight 1."""
    return dict.fromkeys(combinations(range(len(encoding.sizes)), 2), 1)


def checked_workload(encoding: Encoding, workload: Any) -> dict[Axes, int]:
    """Return the tables that a user wants to be accurate in, with whole weights.

    Raises
    ------
    InvalidArgument
        A table names an unknown column.
    """
    if workload is None:
        return usual_workload(encoding)
    found: dict[Axes, int] = {}
    for i, (names, weight) in enumerate(workload):
        strange = next((name for name in names if name not in encoding.names), None)
        if strange is not None:
            raise InvalidArgument(
                f"workload.{i}",
                f"names {strange!r}, which is no attribute of the domain",
                hint(strange, encoding.names),
            )
        axes = encoding.axes(names)
        found[axes] = found.get(axes, 0) + weight
    return found


def usual_workload(encoding: Encoding) -> dict[Axes, int]:
    """Return all pairs of columns and, for each time and event, their table by each other column, which counts more.

    Those triples hold what Kaplan-Meier curves of strata and proportional-hazards regression need.
    """
    found = all_pairs(encoding)
    for clock in clock_tables(encoding):
        for axis in range(len(encoding.sizes)):
            if axis not in clock:
                found[tuple(sorted((*clock, axis)))] = 4
    return found


def _levels(rounds: tuple[int, ...], growth: float, whole: float, shares: Shares) -> tuple[Level, ...]:
    sizes = [growth**i for i in range(len(rounds))]
    heavy = sum(size * times for size, times in zip(sizes, rounds, strict=True))
    choosing = shares.choices / (shares.choices + shares.tables)
    return tuple(
        Level(times, _exact(whole * size / heavy * choosing), _exact(whole * size / heavy * (1 - choosing)))
        for size, times in zip(sizes, rounds, strict=True)
        if times
    )


def _exact(share: float) -> Fraction:
    """Return a share rounded down to a short fraction."""
    return Fraction(max(1, math.floor(share * _GRAIN)), _GRAIN)


Shared = tuple[tuple[Axes, Fraction], ...]


def steps_of(first: Shared, clocks: Shared, levels: tuple[Level, ...], contrasts: Shared = ()) -> tuple[Step, ...]:
    """Return the steps of a plan as the accountant sees them: how many there are of each kind and price."""
    counts: dict[tuple[str, Fraction], int] = {}
    for kind, some in (("table", (*first, *clocks)), ("contrast", contrasts)):
        for _, share in some:
            counts[kind, share] = counts.get((kind, share), 0) + 1
    for level in levels:
        for kind, share in (("choice", level.choice), ("table", level.table)):
            if share:
                counts[kind, share] = counts.get((kind, share), 0) + level.times
    return tuple(Step(kind, share, times) for (kind, share), times in counts.items())


def signal_of(encoding: Encoding, budget: Budget, rows: int) -> float:
    """Return rows over the noise of a table that had the whole budget, without asking the accountant."""
    spending = Spending(1 / (2 * budget.least_rho), encoding.domain.unit)
    return rows / math.sqrt(spending.sigma2(Fraction(1)))
