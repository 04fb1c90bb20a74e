r"""Which pairs of columns depend on each other, asked once, with noise inside the sum.

The exponential mechanism needs exact scores, which nobody has where the noise is inside the sum. So each pair gets
*contrasts*: every column is split in two halves at a public point (from the noisy counts of its codes), and each row
adds 1 if it is in the same half of both columns, and -1 if not. A model says what that number should be; the
difference is the L1 distance of the two-by-two tables of the halves, margins being equal. A column of more than two
codes is split a second time, across the first: ends from middle, or each half's groups apart. A pair gets a contrast
for every two splits, and the root of their squares stands for its misfit. All are asked at once, as so many numbers
that a row moves by 1, and every later choice is arithmetic on the noisy answers: it costs nothing more.

Against a table of two by two, of which the margins are known already, a contrast has half the noise. Against choosing
by exact scores it costs accuracy: noise grows with the root of the number of contrasts, and what they do not show (a
pattern finer than quarters, a pair that matters only in one stratum) is not seen. With one split alone a pair of
columns that say the same, such as a level of education and its number, is missed now and then.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

from pets.synthetic.across.arrangement import Arrangement
from pets.synthetic.across.spending import SharedSpending
from pets.synthetic.budget import Budget
from pets.synthetic.encoding import Encoding
from pets.synthetic.engine import cells_of
from pets.synthetic.engine.factors import Array, Axes
from pets.synthetic.fitting import Noisy
from pets.synthetic.plan import Plan, checked_workload, clock_tables, steps_of, strata_tables
from pets.synthetic.run import closure
from pets.synthetic.synthesizer import Synthesizer

SHARE = Fraction(1, 4)
"""Part of the budget of all rounds that goes to contrasts instead of choices."""

_MEAN_ABSOLUTE = math.sqrt(2 / math.pi)

Signs = Sequence[NDArray[np.int64]]
"""For each column 1 or -1 by group, or several such rows: one for each split."""


def plan_across(
    synthesizer: Synthesizer, encoding: Encoding, budget: Budget, rows: int, arrangement: Arrangement
) -> Plan:
    """Return the plan of a synthesizer for an arrangement; with noise inside the sum contrasts take the choices' place.

    Parameters
    ----------
    synthesizer, encoding, budget, rows
        See :meth:`pets.synthetic.Synthesizer.plan`.
    arrangement
        Where the noise comes from.
    """
    plan = synthesizer.plan(encoding, budget, rows)
    if not arrangement.inside:
        return plan
    levels, contrasts = plan.levels, plan.contrasts
    pairs = candidates(encoding, synthesizer.workload)
    if levels:
        part = SHARE if pairs else Fraction(0)
        whole = sum((level.times * (level.choice + level.table) for level in levels), Fraction(0))
        levels = tuple(
            replace(level, choice=Fraction(0), table=(level.choice + level.table) * (1 - part)) for level in levels
        )
        asked = [(*pair, i, j) for pair in pairs for i, j in product(*(_splits_of(encoding, axis) for axis in pair))]
        contrasts = tuple((one, whole * part / len(asked)) for one in asked)
    unit = encoding.domain.unit
    like = SharedSpending(Fraction(1), unit, len(arrangement.sites), arrangement.honest)
    steps = steps_of(plan.first, plan.clocks, levels, contrasts)
    return replace(plan, levels=levels, contrasts=contrasts, spending=budget.spend(steps, unit, like))


def candidates(encoding: Encoding, workload: object) -> list[Axes]:
    """Return the pairs inside a workload that are not measured anyway."""
    if len(encoding.sizes) < 2:
        return []
    known = {*clock_tables(encoding), *strata_tables(encoding)}
    return sorted(
        axes for axes in closure(checked_workload(encoding, workload)) if len(axes) == 2 and axes not in known
    )


def halves(mass: Array, *, ordered: bool) -> NDArray[np.int64]:
    """Return 1 or -1 for each group of a column, about half of the rows on either side.

    Parameters
    ----------
    mass
        Estimated rows of each group, from noisy counts.
    ordered
        True splits at a point of the order; False puts the largest groups apart.
    """
    if ordered:
        after = np.cumsum(mass)
        cut = int(np.argmin(np.abs(after[:-1] - after[-1] / 2))) + 1 if mass.size > 1 else 1
        return np.where(np.arange(mass.size) < cut, 1, -1)
    signs, balance = np.ones(mass.size, dtype=np.int64), 0.0
    for i in np.argsort(-mass, kind="stable"):
        signs[i] = 1 if balance <= 0 else -1
        balance += float(signs[i] * mass[i])
    return signs


def splits(mass: Array, *, ordered: bool) -> NDArray[np.int64]:
    """Return :func:`halves`, and across them the halves of each half, as rows of 1 and -1; arguments as there."""
    first = halves(mass, ordered=ordered)
    second = np.ones_like(first)
    for side in (1, -1):
        inside = np.flatnonzero(first == side)
        if inside.size > 1:
            # With an order: both ends apart from the middle.
            second[inside] = halves(mass[inside], ordered=ordered) * (side if ordered else 1)
    return np.stack([first, second])


def contrast_of_codes(codes: NDArray[np.int64], pairs: Sequence[Axes], signs: Signs) -> NDArray[np.int64]:
    """Return contrasts over some rows; one row moves each by 1. Confidential.

    Parameters
    ----------
    codes
        Groups of each column, shape (columns, rows).
    pairs
        Two columns each, and for either which of its splits; the first if that is left out.
    signs
        The splits.
    """
    rows = [np.atleast_2d(one)[:, column] for one, column in zip(signs, codes, strict=True)]
    begin = np.cumsum([0, *(len(row) for row in rows)])
    side = np.concatenate(rows)
    both = side @ side.T
    places = [(begin[a] + i, begin[b] + j) for a, b, i, j in map(_full, pairs)]
    return np.array([both[place] for place in places], dtype=np.int64)


def contrast_of_table(table: Array, axes: Axes, pair: Axes, signs: Signs) -> float:
    """Return a contrast, named as in :func:`contrast_of_codes`, by a table of counts that holds both columns."""
    a, b, i, j = _full(pair)
    away = tuple(place for place, axis in enumerate(axes) if axis not in (a, b))
    return float(np.atleast_2d(signs[a])[i] @ table.sum(axis=away) @ np.atleast_2d(signs[b])[j])


def _full(pair: Axes) -> Axes:
    return pair if len(pair) == 4 else (*pair, 0, 0)


def _splits_of(encoding: Encoding, axis: int) -> range:
    """Return the numbers of the splits of a column, from public facts: two codes can be split in one way."""
    return range(1 if encoding.sizes[axis] < 3 else 2)


@dataclass(eq=False)
class Contrasts:
    """Noisy contrasts, and what they say about each candidate for the next table. All of it is public.

    Attributes
    ----------
    values
        The noisy contrasts, named as in :func:`contrast_of_codes`.
    sigma2
        Parameter of their noise.
    signs
        The splits.
    """

    values: Mapping[Axes, int]
    sigma2: float
    signs: Signs

    @cached_property
    def of_pair(self) -> Mapping[Axes, Sequence[Axes]]:
        """The contrasts of each pair of columns."""
        found: dict[Axes, list[Axes]] = {}
        for name in self.values:
            found.setdefault(name[:2], []).append(name)
        return found

    def best(
        self,
        weights: Mapping[Axes, int],
        penalty: Mapping[Axes, float],
        model: Mapping[Axes, Array],
        measured: Sequence[Noisy],
        sizes: Sequence[int],
    ) -> Axes:
        """Return the candidate in which the model is most likely to be off by most beyond the noise of measuring it.

        Arguments as for :meth:`pets.synthetic.fitting.Fitting.choose`, with the tables that were measured by now.
        """
        known = [table for table in measured if table.grouped and len(table.axes) > 1]

        def score(axes: Axes) -> float:
            off = _noise_of(axes, known, sizes)
            if off is None:
                off = self._misfit(axes, model[axes], known, sizes)
            return weights[axes] * (off - penalty[axes])

        return max(sorted(weights), key=score)

    def _misfit(self, axes: Axes, table: Array, known: Sequence[Noisy], sizes: Sequence[int]) -> float:
        """Return about how far the model is off in a table, in L1: at least as far as in the pairs inside."""
        squares = 0.0
        for pair in combinations(axes, 2):
            noise = _noise_of(pair, known, sizes)
            if noise is not None:
                squares += noise**2
                continue
            for name in self.of_pair.get(pair, ()):
                gap = self.values[name] - contrast_of_table(table, axes, name, self.signs)
                squares += gap * gap - self.sigma2
        return math.copysign(math.sqrt(abs(squares)), squares)


def _noise_of(axes: Axes, known: Sequence[Noisy], sizes: Sequence[int]) -> float | None:
    """Return how far a table that was measured is off by the noise of that, in L1; ``None`` if it was not measured."""
    cells = cells_of(sizes, [axes])
    found = [float(t.sigma2) * t.values.size / cells for t in known if set(axes) <= set(t.axes)]
    return _MEAN_ABSOLUTE * cells * math.sqrt(min(found)) if found else None
