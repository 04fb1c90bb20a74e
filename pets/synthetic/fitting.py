"""One run of a synthesizer: what has been measured so far, and the model that follows from it.

The only methods that touch confidential rows are :meth:`Fitting.measure` and :meth:`Fitting.choose`; both add exact
noise, and both lose exactly what the plan said. Everything else is arithmetic on what they returned. Where the rows are
of several sites, :mod:`pets.synthetic.across` overrides how they are reached, and nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from pets.synthetic.budget import Spending
from pets.synthetic.coarsening import Grouping, each
from pets.synthetic.draws import Draws
from pets.synthetic.encoding import Encoding
from pets.synthetic.engine import Factor, GraphicalModel, Measurement, estimate
from pets.synthetic.engine.factors import Array, Axes
from pets.synthetic.engine.sampling import sample
from pets.synthetic.prior import Known, worth
from pets.synthetic.tables import GRID, count, misfit

Codes = NDArray[np.int64]

_LARGEST_SCORE = 2**50
_KNOWN = 0.01
"""Variance of what is known, as a part of that of the noise."""
_PRIOR = 200
"""Most evaluations of the fit of a prior."""


@dataclass(frozen=True, eq=False)
class Noisy:
    """A table as it was measured: what the release consists of.

    Attributes
    ----------
    axes
        Columns, ascending.
    values
        Noisy counts.
    sigma2
        Parameter of their discrete Gaussian noise.
    grouped
        Whether the axes are groups of codes, or the codes themselves.
    """

    axes: Axes
    values: NDArray[np.int64]
    sigma2: Fraction
    grouped: bool


@dataclass(eq=False)
class Fitting:
    """The state of one run.

    Attributes
    ----------
    encoding, spending, draws
        What is public.
    codes
        Confidential rows.
    rows
        Declared number of rows, or None.
    known
        Tables that follow from the model of a parent table.
    prior
        Public tables.
    """

    encoding: Encoding
    spending: Spending
    draws: Draws
    codes: Codes
    rows: int | None = None
    tables: list[Noisy] = field(default_factory=list)
    groupings: tuple[Grouping, ...] = ()
    zeros: tuple[Factor, ...] = ()
    model: GraphicalModel | None = None
    known: tuple[Known, ...] = ()
    prior: tuple[Known, ...] = ()

    def __post_init__(self) -> None:
        self.regroup(tuple(each(size) for size in self.encoding.sizes))

    @property
    def sizes(self) -> tuple[int, ...]:
        """Number of groups of each column."""
        return tuple(grouping.size for grouping in self.groupings)

    def regroup(self, groupings: tuple[Grouping, ...]) -> None:
        """Take other groups for each column."""
        self.groupings = groupings
        self._grouped = in_groups(groupings, self.codes)
        self.zeros = coarse_zeros(self.encoding, groupings)
        self._start: GraphicalModel | None = None
        self._prior_model: tuple[Factor, ...] | None = None

    def measure(self, axes: Axes, share: Fraction, *, grouped: bool = True) -> Noisy:
        """Return a table with noise worth `share` of the budget."""
        sigma2 = self.spending.sigma2(share)
        found = Noisy(axes, self.noisy(axes, sigma2, grouped=grouped), sigma2, grouped)
        self.tables.append(found)
        return found

    def noisy(self, axes: Axes, sigma2: Fraction, *, grouped: bool) -> NDArray[np.int64]:
        """Return a table with noise of this parameter."""
        codes, sizes = (self._grouped, self.sizes) if grouped else (self.codes, self.encoding.sizes)
        return self.draws.noisy(count(codes, sizes, axes), sigma2)

    def choose(
        self, weights: Mapping[Axes, int], penalty: Mapping[Axes, float], share: Fraction, model: Tables
    ) -> Axes:
        """Return one of several tables, the better the model misses it by more, for `share` of the budget.

        The score is weight times (L1 distance minus penalty), a whole number that moves by at most the largest weight
        times GRID for each cell that a row changes.
        """
        candidates = sorted(weights)
        scores = [self._score(axes, weights[axes], penalty[axes], model[axes]) for axes in candidates]
        rate = self.spending.rate(share, GRID * max(weights.values()))
        return candidates[self.draws.choose(np.array(scores, dtype=np.int64), rate)]

    def _score(self, axes: Axes, weight: int, penalty: float, model: Array) -> int:
        """Return a score, clamped where no table comes; clamping cannot widen a difference. Confidential."""
        score = weight * (misfit(self.exact(axes), model) - round(GRID * penalty))
        return min(max(score, -_LARGEST_SCORE), _LARGEST_SCORE)

    def exact(self, axes: Axes) -> NDArray[np.int64]:
        """Return the exact table of groups. Confidential."""
        return count(self._grouped, self.sizes, axes)

    @property
    def total(self) -> float:
        """Return the declared number of rows, or the estimate of least variance from all tables; at least 1."""
        if self.rows is not None:
            return float(max(self.rows, 1))
        precision = np.array([1 / (float(t.sigma2) * t.values.size) for t in self.tables])
        sums = np.array([float(t.values.sum()) for t in self.tables])
        return max(float(precision @ sums / precision.sum()), 1.0)

    def measurements(self) -> list[Measurement]:
        """Return all tables over groups, with the variance that adding up codes gives."""
        found = self._known_measurements()
        for table in self.tables:
            values, variance = table.values.astype(np.float64), np.full(table.values.shape, float(table.sigma2))
            if not table.grouped:
                for i, axis in enumerate(table.axes):
                    values = self.groupings[axis].summed(values, i)
                    variance = self.groupings[axis].summed(variance, i)
            found.append(Measurement(table.axes, values, variance))
        return found

    def _known_measurements(self) -> list[Measurement]:
        """Return what was known before as tables over groups, more precise than any that was measured."""
        if not self.known:
            return []
        variance = _KNOWN * float(min(table.sigma2 for table in self.tables))
        found = []
        for one in self.known:
            shares = self._summed(one)
            found.append(Measurement(one.axes, shares * self.total, np.full(shares.shape, variance)))
        return found

    def _summed(self, one: Known) -> Array:
        shares = one.shares
        for i, axis in enumerate(one.axes):
            shares = self.groupings[axis].summed(shares, i)
        return shares

    def fit(self, iterations: int, entropy: float = 0.05) -> GraphicalModel:
        """Return the model of all tables so far, near the prior as far as that can be trusted."""
        tables = self.measurements()
        least = math.sqrt(min(float(table.variance.min()) for table in tables))
        if self.known:  # entropy is rewarded by the smallest noise of all tables, and these have none
            entropy *= least / math.sqrt(min(table.sigma2 for table in self.tables))
        base, rows = self._base()
        if base:  # the reward for entropy is worth rows that say nothing, and those of the prior come on top
            silent = entropy * self.total / least
            base = tuple(Factor(one.axes, one.logs * (rows / (rows + silent))) for one in base)
            entropy = (rows + silent) * least / self.total
        fixed = (*base, *self.zeros)
        found = estimate(
            self.sizes, tables, self.total, zeros=fixed, start=self._start, entropy=entropy, iterations=iterations
        )
        self._start = GraphicalModel(self.sizes, found.factors[: len(found.factors) - len(fixed)])
        self.model = found
        return found

    def believed(self, table: Noisy) -> Array:
        """Return the counts of a table of codes, averaged with those of the prior by their precision."""
        values = table.values.astype(np.float64)
        inside = next((one for one in self.prior if set(table.axes) <= set(one.axes)), None)
        rows = self._worth() if inside is not None else 0.0
        if inside is None or not rows:
            return values
        shares = inside.shares.sum(axis=tuple(i for i, axis in enumerate(inside.axes) if axis not in table.axes))
        variance = self.total**2 * (shares * (1 - shares) + 1 / (rows + shares.size)) / rows
        part = float(table.sigma2) / (float(table.sigma2) + variance)
        return np.asarray(part * shares * self.total + (1 - part) * values)

    def blunted(self, sigma: float) -> float:
        """Return the standard deviation of a cell's noise together with what the prior knows of a table of 64 cells."""
        rows = self._worth()
        return 1 / math.hypot(1 / sigma, 8 * math.sqrt(rows) / self.total) if rows else sigma

    def _worth(self) -> float:
        """Return how many rows the prior is worth, given what was measured."""
        noisy = [(t.axes, t.values.astype(np.float64), float(t.sigma2)) for t in self.tables if not t.grouped]
        return worth(self.prior, noisy, self.total) if self.prior else 0.0

    def _base(self) -> tuple[tuple[Factor, ...], float]:
        """Return the log weights of the prior's model over groups, and how many rows it is worth."""
        rows = self._worth()
        if not rows:
            return (), 0.0
        if self._prior_model is None:
            declared, given = self.prior[0].rows, []
            for one in self.prior:
                shares = self._summed(one)
                given.append(Measurement(one.axes, shares * declared, declared * shares * (1 - shares) + 1))
            model = estimate(self.sizes, given, declared, zeros=self.zeros, iterations=_PRIOR)
            self._prior_model = model.factors[: len(model.factors) - len(self.zeros)]
        return self._prior_model, rows

    def simulated(self, scopes: Sequence[Axes], rows: int) -> Tables:
        """Return the model's counts of many tables at once, from a rounded sample of it: quick, and close enough."""
        assert self.model is not None  # noqa: S101
        codes = sample(self.model, rows, self.draws.coins)
        factor = self.total / rows
        return {axes: np.asarray(count(codes, self.sizes, axes) * factor) for axes in scopes}


Tables = Mapping[Axes, Array]


def in_groups(groupings: Sequence[Grouping], codes: Codes) -> Codes:
    """Return the group of each code. Confidential."""
    return np.array([one.group[column] for one, column in zip(groupings, codes, strict=True)], dtype=np.int64)


def coarse_zeros(encoding: Encoding, groupings: Sequence[Grouping]) -> tuple[Factor, ...]:
    """Return all that a model over groups of codes knows before any table: rules, and the bounds of dates."""
    rules = tuple(coarse_zero(zero, groupings) for zero in encoding.zeros)
    return rules + tuple(_coarse_bounds(factor, groupings) for factor in encoding.bounding)


def _coarse_bounds(factor: Factor, groupings: Sequence[Grouping]) -> Factor:
    """Return which groups have any codes that go together."""
    fine = np.isfinite(factor.logs)
    for i, axis in enumerate(factor.axes):
        fine = groupings[axis].summed(fine, i)
    return Factor(factor.axes, np.where(fine, 0.0, -np.inf))


def coarse_zero(zero: Factor, groupings: Sequence[Grouping]) -> Factor:
    """Return a structural zero over groups, whose codes it treats alike."""
    logs = zero.logs
    for i, axis in enumerate(zero.axes):
        _, first = np.unique(groupings[axis].group, return_index=True)
        logs = np.take(logs, first, axis=i)
    return Factor(zero.axes, logs)
