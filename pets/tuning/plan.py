"""What is tuned: tables with public planning counts, a budget, a promise, and the registry's rule."""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from itertools import product
from typing import Literal, get_args

from pets.errors import InvalidArgument, did_you_mean
from pets.exact import exact, positive, show
from pets.privacy_unit import PrivacyUnit
from pets.tuning import curves
from pets.tuning.curves import Kind, Noise
from pets.tuning.placement import ONE, Adders, sharing
from pets.tuning.rule import Rule
from pets.tuning.totals_asked import Total, short

SourceKind = Literal["published", "expected", "release", "confidential"]
"""Where planning counts come from. The last one is refused unless the page is marked internal."""

MOST_CELLS = 20_000
MOST_TABLES = 20
ASSUMABLE = ("epsilon", "unit", "sites", "aggregator", "noise_at", "rule")
"""Settings that a plan can do without; the budget says itself whether it was stated."""

SMALLEST, LARGEST = Fraction(1, 20), Fraction(10)
"""Range of the slider."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One attribute of a table with its categories in order."""

    name: str
    labels: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.labels:
            raise InvalidArgument(f"labels.{self.name}", "is empty", "Name at least one category.")
        if len(set(self.labels)) < len(self.labels):
            raise InvalidArgument(f"labels.{self.name}", "names a category twice", "Give each one a name of its own.")


@dataclass(frozen=True)
class Table:
    """One table that will be published, with what is expected in it.

    Parameters
    ----------
    name
        What it is called.
    axes
        Attributes, slowest first.
    share
        Share of the budget, above 0 and at most 1.
    counts
        Planning count of each cell, row by row, at least 0; expected ones need not be whole.
    person_years
        Of each cell, or ``None``.
    years
        How many years the counts cover.
    """

    name: str
    axes: tuple[Axis, ...]
    share: Fraction
    counts: tuple[float, ...]
    person_years: tuple[float, ...] | None = None
    years: float = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "share", positive(self.share, "share"))
        object.__setattr__(self, "counts", tuple(short(n) for n in self.counts))
        object.__setattr__(self, "years", short(self.years))
        if self.person_years is not None:
            object.__setattr__(self, "person_years", tuple(short(n) for n in self.person_years))
        if self.share > 1:
            raise InvalidArgument("share", f"of {self.name!r} is above 1", "Shares of all tables add up to at most 1.")
        if not self.name.strip():
            raise InvalidArgument("tables.name", "is empty", "Say what the table shows.")
        for what, values in (("counts", self.counts), ("person_years", self.person_years or ())):
            if any(isinstance(v, bool) or not math.isfinite(v) or v < 0 for v in values):
                raise InvalidArgument(what, f"of {self.name!r} must be finite and not negative")
        if self.cells != len(self.counts) or (self.person_years is not None and self.cells != len(self.person_years)):
            raise InvalidArgument("counts", f"of {self.name!r} must have one number for each of its {self.cells} cells")
        if max(self.counts) > curves.LARGEST_COUNT:
            raise InvalidArgument("counts", f"of {self.name!r} are beyond ten million cases in one cell")

    @property
    def cells(self) -> int:
        """Number of cells."""
        return math.prod(len(axis.labels) for axis in self.axes)

    @property
    def shape(self) -> tuple[int, ...]:
        """Categories of each axis."""
        return tuple(len(axis.labels) for axis in self.axes)

    @cached_property
    def labels(self) -> tuple[str, ...]:
        """What each cell is called."""
        return tuple(" · ".join(parts) for parts in product(*(axis.labels for axis in self.axes))) or ("all",)


@dataclass(frozen=True, slots=True)
class Privacy:
    """What is promised, and to whom.

    Parameters
    ----------
    epsilon
        Privacy loss of all tables of one release together: where the slider starts.
    mechanism
        ``'discrete_laplace'`` (pure DP) or ``'discrete_gaussian'`` (with `delta`).
    delta
        Failure probability of the Gaussian comparison, and of a Gaussian plan.
    unit
        Whose presence is protected; its `max_rows` is the contribution bound.
    rows_per_person
        Share of persons with 1, 2, 3, ... rows, if it is publicly known: says what a bound would cut off.
    """

    epsilon: Fraction = Fraction(1)
    mechanism: Kind = "discrete_laplace"
    delta: Fraction = Fraction(1, 10**6)
    unit: PrivacyUnit = field(default_factory=lambda: PrivacyUnit(id="patient_id"))
    rows_per_person: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "epsilon", positive(self.epsilon, "epsilon"))
        object.__setattr__(self, "delta", positive(self.delta, "delta"))
        if not SMALLEST <= self.epsilon <= LARGEST:
            raise InvalidArgument("epsilon", f"is {show(self.epsilon)}; the tuner looks at 0.05 to 10", "Try 1.")
        if self.delta > Fraction(1, 1000):
            raise InvalidArgument("delta", "must be at most 1/1000: with that chance nothing is promised", "Try 1e-6.")
        if self.mechanism not in get_args(Kind):
            raise InvalidArgument("mechanism", "is not known", did_you_mean(str(self.mechanism), get_args(Kind)))
        shares = self.rows_per_person
        if shares and (min(shares) < 0 or not math.isclose(sum(shares), 1, abs_tol=1e-6) or len(shares) > 20):
            raise InvalidArgument("rows_per_person", "must be at most 20 shares that add up to 1", "E.g. [0.98, 0.02].")

    @property
    def reach(self) -> int:
        """Most rows of one person over all pooled sites."""
        return self.unit.max_rows * self.unit.max_sites

    @property
    def l1_per_row(self) -> int:
        """By how much one row more or less, or one row exchanged, moves a table of counts in L1."""
        return 1 if self.unit.neighbours == "add_remove" else 2

    @property
    def sensitivity(self) -> tuple[int, int]:
        """L1 and squared L2 sensitivity of one table: all rows of one person may be in one cell."""
        return self.reach * self.l1_per_row, self.reach**2 * self.l1_per_row

    def noise(self, epsilon: float, share: float, adders: Adders = ONE) -> Noise:
        """Return the published noise of a cell of a table with this share of a budget of `epsilon`."""
        if self.mechanism == "discrete_gaussian":
            epsilon = curves.rho_for(epsilon, float(self.delta))
        return self.noise_of(epsilon * share, adders)

    def noise_of(self, budget: float, adders: Adders = ONE) -> Noise:
        """Return the noise of a table that has a budget to itself: epsilon, or rho under Gaussian noise."""
        l1, l2_squared = self.sensitivity
        if self.mechanism == "discrete_laplace":
            one = curves.laplace(budget, l1)
        else:
            one = curves.gaussian(budget, l2_squared)
        return one.in_shares(*adders) if adders.sites else one


@dataclass(frozen=True, slots=True)
class Spent:
    """One line of the ledger: when, what, how much."""

    date: str
    label: str
    epsilon: Fraction


@dataclass(frozen=True, slots=True)
class Budget:
    """The account that pays: its limit, what was spent, and for how many yearly releases to look ahead.

    `assumed` says that nobody has stated the limit, so that the page does not present it as the registry's own.
    """

    total: Fraction = Fraction(3)
    spent: tuple[Spent, ...] = ()
    years: int = 10
    assumed: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "total", positive(self.total, "budget.total"))
        if isinstance(self.years, bool) or not isinstance(self.years, int) or not 1 <= self.years <= 50:
            raise InvalidArgument("budget.years", "must be a whole number from 1 to 50")
        if not isinstance(self.assumed, bool):
            raise InvalidArgument("budget.assumed", "must be true or false")
        for line in self.spent:
            if line.epsilon < 0:
                raise InvalidArgument("budget.spent", "holds a negative loss")

    @property
    def used(self) -> Fraction:
        """Epsilon that is gone."""
        return sum((line.epsilon for line in self.spent), Fraction(0))

    @property
    def left(self) -> Fraction:
        """Epsilon that is left before this plan."""
        return self.total - self.used


@dataclass(frozen=True, slots=True)
class Source:
    """Where the planning counts come from. `digest` is empty for confidential ones: a small table can be guessed."""

    kind: SourceKind
    text: str
    rows: int
    digest: str = ""

    def __post_init__(self) -> None:
        if self.kind not in get_args(SourceKind):
            raise InvalidArgument("source.kind", "is not known", did_you_mean(str(self.kind), get_args(SourceKind)))
        if not isinstance(self.text, str) or not self.text.strip():
            raise InvalidArgument(
                "source", "is not named", "Say where the planning counts come from: --source 'CI5 XII, published 2023'."
            )


@dataclass(frozen=True, slots=True)
class Decision:
    """Who decided what, when and why: for the record that is kept with the plan."""

    who: str = ""
    when: str = ""
    comment: str = ""


@dataclass(frozen=True)
class TuningPlan:
    """Everything that a page is built from; equal plans give equal pages.

    Parameters
    ----------
    title, language, built
        Heading, language of the page, and the date that stands on it.
    tables
        What will be published, all from one budget; their shares add up to at most 1.
    source
        Where the planning counts come from.
    privacy, rule, budget
        The promise, the registry's rule and the account.
    totals
        Sums, rates and curves that will be derived.
    sites, aggregator
        Number of registries, and how they add up.
    noise_at
        ``'curator'`` or ``'sites'``, as in :class:`pets.Pipeline`.
    honest
        How many sites' shares of the noise must be enough; left out, as a pipeline with its usual settings has it.
    internal
        The counts are confidential: each page says so.
    assumed
        Which of :data:`ASSUMABLE` nobody has stated: the page says so.
    decision
        For the record.

    Raises
    ------
    InvalidArgument
        Shares exceed the budget, tables are too many or too large, or counts are confidential and not marked.
    """

    tables: tuple[Table, ...]
    source: Source
    title: str = "What would each epsilon cost?"
    language: str = "en"
    built: str = ""
    privacy: Privacy = field(default_factory=Privacy)
    rule: Rule = field(default_factory=Rule)
    budget: Budget = field(default_factory=lambda: Budget(assumed=True))
    totals: tuple[Total, ...] = ()
    sites: int = 1
    aggregator: str = "plain"
    noise_at: str = "curator"
    honest: int | None = None
    internal: bool = False
    assumed: tuple[str, ...] = ()
    decision: Decision = field(default_factory=Decision)

    def __post_init__(self) -> None:
        if not 1 <= len(self.tables) <= MOST_TABLES:
            raise InvalidArgument("tables", f"must be between 1 and {MOST_TABLES}")
        if sum(table.cells for table in self.tables) > MOST_CELLS:
            raise InvalidArgument("tables", f"have more than {MOST_CELLS:,} cells", "Coarsen an axis.")
        if len({table.name for table in self.tables}) < len(self.tables):
            raise InvalidArgument("tables.name", "is given twice", "Give each table a name of its own.")
        if sum(table.share for table in self.tables) > 1:
            raise InvalidArgument("share", "of all tables together is above 1", "Make the shares add up to at most 1.")
        if isinstance(self.sites, bool) or not isinstance(self.sites, int) or not 1 <= self.sites <= 1000:
            raise InvalidArgument("sites", "must be a whole number from 1 to 1000")
        if self.noise_at not in ("curator", "sites"):
            raise InvalidArgument("noise_at", "must be 'curator' or 'sites'", "Say where the pipeline adds its noise.")
        self._check_said()
        if self.source.kind == "confidential" and not self.internal:
            raise InvalidArgument(
                "source",
                "is confidential: tuning on the true counts leaks them, and nothing would be charged for it",
                "Take published or expected counts; or mark the page with --internal; or choose among releases as a "
                "charged selection with pets.dp.PrivateTuning.",
            )
        for total in self.totals:
            total.check(self.tables)

    def _check_said(self) -> None:
        honest, unknown = self.honest, sorted(set(self.assumed) - set(ASSUMABLE))
        if honest is not None and (type(honest) is not int or not 1 <= honest <= self.sites):
            raise InvalidArgument("honest", "must be a whole number from 1 to the number of sites")
        if unknown:
            raise InvalidArgument("assumed", "names no setting", did_you_mean(unknown[0], ASSUMABLE))
        object.__setattr__(self, "assumed", tuple(name for name in ASSUMABLE if name in self.assumed))

    def noise(self, table: int, epsilon: float | None = None) -> Noise:
        """Return the noise of a cell of one table, at the plan's epsilon or another one."""
        loss = float(self.privacy.epsilon) if epsilon is None else epsilon
        return self.privacy.noise(loss, float(self.tables[table].share), self.adders)

    @cached_property
    def adders(self) -> Adders:
        """Who adds the noise, as the pipeline would share it out."""
        if self.noise_at != "sites":
            return ONE
        return sharing(self.aggregator, self.sites) if self.honest is None else Adders(self.sites, self.honest)

    def at(self, epsilon: object) -> TuningPlan:
        """Return the same plan at another epsilon."""
        chosen = exact(epsilon, "epsilon")
        plan = self if chosen == self.privacy.epsilon else self.stating("epsilon")
        return replace(plan, privacy=replace(self.privacy, epsilon=chosen))

    def stating(self, *names: str) -> TuningPlan:
        """Return the same plan, in which these settings are no longer assumed."""
        return replace(self, assumed=tuple(name for name in self.assumed if name not in names))
