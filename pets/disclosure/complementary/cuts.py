"""Inequalities that every protecting pattern satisfies.

References
----------
Fischetti and Salazar-González, "Solving the cell suppression problem on tabular data with linear constraints",
Management Science 47(7), 2001: capacity constraints (section 4), their strengthening, bridge inequalities (section 5).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pets.disclosure.complementary.problem import Problem
from pets.disclosure.highs import Flags, Floats, Ints

TINY = 1e-7


@dataclass(frozen=True, slots=True, eq=False)
class Cut:
    """``values @ x[cells] >= least`` for the pattern x of cells that may be hidden."""

    cells: Ints
    values: Floats
    least: float

    def lack(self, x: Floats) -> float:
        """Return by how much x falls short; negative if it does not."""
        return self.least - float(self.values @ x[self.cells])

    @property
    def key(self) -> tuple[bytes, bytes, float]:
        """Equal for equal inequalities."""
        return self.cells.tobytes(), np.round(self.values, 6).tobytes(), self.least


def capacity_cut(problem: Problem, coefficients: Floats, demand: float) -> Cut | None:
    """Return what ``coefficients @ x >= demand`` says of the cells that may be hidden, as strong as it can be made.

    Cells that are hidden anyway go to the right-hand side; then no coefficient need exceed what is left there.
    ``None`` if nothing is left to demand. A demand that nothing can meet gives a cut without cells.
    """
    left = demand - float(np.minimum(coefficients[problem.must], demand).sum())
    if left <= TINY * demand:
        return None
    cells = np.flatnonzero(problem.free & (coefficients > TINY * left))
    return Cut(cells, np.minimum(coefficients[cells] / left, 1.0), 1.0)


class Loneliness:
    """'No lonely hidden cell': where one cell of a relation is hidden, another one must be.

    A cell that is hidden alone in a relation is a plain subtraction away. Valid for all cells, not only sensitive
    ones: a complementary cell that cannot move protects nothing and would not be in an optimal pattern.
    Only relations without any cell hidden anyway need one inequality for each cell, and those are
    found when they are violated (the largest x of a relation against the sum of the others).
    """

    def __init__(self, problem: Problem) -> None:
        from scipy.sparse import csr_array

        hideable = np.flatnonzero(problem.must | problem.free)
        part = csr_array(problem.matrix[:, hideable])
        part = csr_array(part[np.flatnonzero(np.diff(part.indptr))])
        self._starts, self._cells = part.indptr[:-1], hideable[part.indices]
        self._ends = part.indptr[1:]
        must = np.add.reduceat(problem.must[self._cells], self._starts) if len(self._starts) else np.zeros(0)
        target = np.zeros(problem.cells, dtype=np.bool_)
        target[problem.targets] = True
        self._free = problem.free
        self._target, self._must = target, must
        self._once = must == 0

    def pairs(self) -> list[Cut]:
        """Return the inequality of each relation with one sensitive cell and no other cell hidden anyway."""
        found = []
        for row in np.flatnonzero(self._must == 1):
            cells = self._cells[self._starts[row] : self._ends[row]]
            lone = cells[~self._free[cells]]
            if self._target[lone].all():
                free = np.sort(cells[self._free[cells]])
                found.append(Cut(free, np.ones(len(free)), 1.0))
        return found

    def violated(self, x: Floats, least: float = 1e-3) -> list[Cut]:
        """Return the violated inequalities of relations in which no cell is hidden anyway, at most one for each."""
        if not len(self._starts):
            return []
        at = x[self._cells]
        lonely = 2 * np.maximum.reduceat(at, self._starts) - np.add.reduceat(at, self._starts)
        found = []
        for row in np.flatnonzero(self._once & (lonely > least)):
            cells = np.sort(self._cells[self._starts[row] : self._ends[row]])
            values = np.ones(len(cells))
            values[np.argmax(x[cells])] = -1.0
            found.append(Cut(cells, values, 0.0))
        return found


def distinct(cuts: list[Cut], seen: set[tuple[bytes, bytes, float]]) -> list[Cut]:
    """Return the cuts that were not seen before, and remember them."""
    fresh = []
    for cut in cuts:
        if cut.key not in seen:
            seen.add(cut.key)
            fresh.append(cut)
    return fresh


def covering(problem: Problem, hidden: Flags) -> Cut:
    """Return 'hide one more': the cut that a pattern violates whose every subset fails to protect, too."""
    cells = np.flatnonzero(problem.free & ~hidden)
    return Cut(cells, np.ones(len(cells)), 1.0)
