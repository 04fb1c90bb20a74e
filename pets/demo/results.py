"""The values that the demo compares: one table of 21 registries, published in different ways."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pets.dp import DiscreteLaplace
from pets.epi import Rate
from pets.query import BoundQuery

Place = Literal["joint", "registry"]
"""Where a rule or a noise is applied: once to the joint table, or by each registry to its own."""

PLACES: tuple[Place, Place] = ("joint", "registry")


@dataclass(frozen=True, slots=True)
class Estimate:
    """A published number, the standard error of its noise, and its 95 % interval for the true count."""

    value: int
    stderr: float
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class Exact:
    """What the registries diagnosed: by registry and cell, by cell, in all, and as a rate per million."""

    tables: Mapping[str, tuple[int, ...]]
    cells: tuple[int, ...]
    rate: Rate

    @property
    def total(self) -> int:
        """All cases."""
        return sum(self.cells)

    @property
    def filled(self) -> int:
        """How many cells of all registries hold any case."""
        return sum(count > 0 for table in self.tables.values() for count in table)

    def emptied_by(self, minimum: int) -> int:
        """Return in how many registries with cases all of them are in cells below `minimum`."""
        return sum(0 < max(table) < minimum for table in self.tables.values())


@dataclass(frozen=True, slots=True)
class Masked:
    """The joint table when cells below `minimum` are hidden.

    Attributes
    ----------
    cells
        What is published, added up; hidden counts are missing from it.
    hidden_in
        How many tables hide each cell.
    lost
        Cases in hidden cells.
    possible
        Smallest and largest total that a reader who knows the rule can conclude.
    rate
        The rate, and its interval, that a reader would compute from the published counts.
    possible_rate
        The rate if every hidden cell held its smallest, and its largest, possible count.
    """

    minimum: int
    place: Place
    cells: tuple[int, ...]
    hidden_in: tuple[int, ...]
    lost: int
    possible: tuple[int, int]
    rate: Rate
    possible_rate: tuple[float, float]

    @property
    def total(self) -> int:
        """All cases that are published."""
        return sum(self.cells)

    @property
    def hidden(self) -> int:
        """How many cells are hidden, over all tables."""
        return sum(self.hidden_in)


@dataclass(frozen=True, slots=True)
class Noisy:
    """The joint table with discrete Laplace noise: one draw, with errors that were known before it was drawn."""

    epsilon: float
    place: Place
    promise: str
    cells: tuple[Estimate, ...]
    total: Estimate
    rate: Rate


@dataclass(frozen=True, slots=True)
class Account:
    """What a page full of alternatives has cost one case, as the ledger has it.

    Attributes
    ----------
    charges, entries
        Releases that were charged over all accounts, and everything in the chain.
    joint, registry
        Epsilon spent on the joint table, and by each registry on its own.
    """

    charges: int
    entries: int
    joint: float
    registry: float


@dataclass(frozen=True, slots=True)
class Study:
    """Everything that the report shows."""

    query: BoundQuery
    person_years: tuple[int, ...]
    exact: Exact
    masked: tuple[Masked, ...]
    masked_joint: tuple[Masked, ...]
    noisy: tuple[Noisy, ...]
    account: Account

    @property
    def epsilons(self) -> tuple[float, ...]:
        """The grid, ascending."""
        return tuple(sorted({release.epsilon for release in self.noisy}))

    @property
    def headline_epsilon(self) -> float:
        """The grid point that the report leads with: 1, or the one nearest to it on a log scale."""
        return min(self.epsilons, key=lambda epsilon: abs(math.log(epsilon)))

    def at(self, epsilon: float, place: Place) -> Noisy:
        """Return the release at a grid point."""
        return next(release for release in self.noisy if (release.epsilon, release.place) == (epsilon, place))

    def share(self, cases: float) -> float:
        """Return `cases` as a share of all that were diagnosed."""
        return cases / self.exact.total

    def stderr_of_total(self, epsilon: float, place: Place) -> float:
        """Return the standard error of the grand total at any epsilon, from the law of the noise."""
        tables = 1 if place == "joint" else len(self.exact.tables)
        (law,) = DiscreteLaplace(epsilon=epsilon).error(self.query).laws
        return math.sqrt(tables * len(self.exact.cells) * law.variance)

    def break_even(self, lost: int, place: Place) -> float:
        """Return the epsilon at which the standard error of the total equals `lost` cases, at least one."""
        low, high = 1e-6, 100.0
        for _ in range(60):
            middle = math.sqrt(low * high)
            low, high = (middle, high) if self.stderr_of_total(middle, place) > lost else (low, middle)
        return high


def best_guess(epsilon: float) -> float:
    """Return how often the best guesser that errs equally often both ways is right, at most, under epsilon-DP.

    It is ``e^epsilon / (1 + e^epsilon)``; discrete Laplace noise on a count reaches it.

    References
    ----------
    Kairouz, Oh, Viswanath, *The composition theorem for differential privacy*, ICML 2015, theorem 2.1.
    """
    return 1 / (1 + math.exp(-epsilon))
