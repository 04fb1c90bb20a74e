"""What a reader learns of the true counts from a rounded table: an interval for each cell.

The reader knows the base and the rule, hence a range for each count; and that the true counts, unlike the rounded ones,
satisfy every relation exactly. Both together can narrow a range, in the extreme to a single number.
"""

from __future__ import annotations

import time
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pets.disclosure.highs import load, quiet
from pets.disclosure.relations import Relations

Bounds = tuple[NDArray[np.int64], NDArray[np.int64]]

_PASSES = 200
_WORTHWHILE = 0.98
"""A table that reaches fewer than 2 % of the open ends is not worth another one like it."""


def learned_intervals(
    low: NDArray[np.int64], high: NDArray[np.int64], relations: Relations, seconds: float = 60.0
) -> Bounds:
    """Return the smallest and largest true count that is possible in each cell.

    Parameters
    ----------
    low, high
        What the rule alone tells of each cell, shape (n,), inclusive.
    relations
        What the true counts add up to.
    seconds
        Time after which the ends that are still open are left where one relation at a time puts them, with a warning
        that says how many: a reader with more time may know those cells more closely.

    Returns
    -------
    low, high
        Shape (n,), inclusive. Exact: each end is reached by a table of whole numbers that fits everything published.
    """
    below, above = propagate(low, high, relations)
    if relations.count == 0 or not np.any(above > below):
        return below, above
    return _Search(below, above, relations).run(time.monotonic() + seconds)


def propagate(low: NDArray[np.int64], high: NDArray[np.int64], relations: Relations) -> Bounds:
    """Return bounds tightened by one relation at a time, in exact integers, until none tightens any more.

    No table that fits is lost, but some numbers that are left may be impossible.
    """
    below, above = low.copy(), high.copy()
    rows, cells, plus = relations.rows, relations.indices, relations.signs > 0
    constants = np.rint(relations.constants).astype(np.int64)
    for _ in range(_PASSES):
        least = np.where(plus, below[cells], -above[cells])
        most = np.where(plus, above[cells], -below[cells])
        floor, roof = np.zeros((2, relations.count), dtype=np.int64)
        np.add.at(floor, rows, least)
        np.add.at(roof, rows, most)
        largest = (constants - floor)[rows] + least
        smallest = (constants - roof)[rows] + most
        before = below.copy(), above.copy()
        np.minimum.at(above, cells, np.where(plus, largest, -smallest))
        np.maximum.at(below, cells, np.where(plus, smallest, -largest))
        if np.array_equal(before[0], below) and np.array_equal(before[1], above):
            break
    return below, above


class _Search:
    """Finds which ends of the propagated intervals are reached, by linear and where needed integer programs."""

    def __init__(self, low: NDArray[np.int64], high: NDArray[np.int64], relations: Relations) -> None:
        from highspy import HighsModelStatus

        self._optimal = HighsModelStatus.kOptimal
        self._low, self._high = low.copy(), high.copy()
        # Ends that a table of whole numbers was seen to reach need no program of their own.
        self._least, self._most = high.copy(), low.copy()
        self._relations = relations
        self._linear, self._whole = (_solver(low, high, relations, integral) for integral in (False, True))

    def run(self, end: float) -> Bounds:
        """Return the exact intervals, as far as they are known at the time `end`."""
        self._reach_many(end)
        for cell in np.flatnonzero(self._high > self._low):
            if time.monotonic() > end:
                break
            if self._least[cell] > self._low[cell]:
                self._low[cell] = self._least[cell] = self._end(int(cell), 1.0)
            if self._most[cell] < self._high[cell]:
                self._high[cell] = self._most[cell] = -self._end(int(cell), -1.0)
        if left := self._open():
            warnings.warn(f"{left:,} ends of intervals are not proven; give more seconds", stacklevel=4)
        return self._low, self._high

    def _open(self) -> int:
        return int((self._least > self._low).sum() + (self._most < self._high).sum())

    def _reach_many(self, end: float) -> None:
        """Look for tables of whole numbers that reach many open ends at once, as long as each finds new ones."""
        turn, before = 1.0, float("inf")
        cells = np.arange(len(self._low), dtype=np.int32)
        while 0 < (left := self._open()) < before * _WORTHWHILE and time.monotonic() < end:
            below, above = self._least > self._low, self._most < self._high
            # Neighbours are pulled in opposite directions, as sums demand of them.
            sides = np.where(cells % 2 == 0, turn, -turn)
            cost = np.where(below & above, sides, below.astype(float) - above)
            self._whole.changeColsCost(len(cells), cells, cost)
            self._whole.setOptionValue("mip_rel_gap", 0.05)
            self._whole.setOptionValue("time_limit", self._whole.getRunTime() + max(0.1, end - time.monotonic()))
            self._whole.run()
            found = self._whole.getInfo().primal_solution_status == 2
            self._witness(np.asarray(self._whole.getSolution().col_value) if found else np.empty(0))
            turn, before = -turn, float(left)
        self._whole.changeColsCost(len(cells), cells, np.zeros(len(cells)))
        self._whole.setOptionValue("mip_rel_gap", 0.0)
        self._whole.setOptionValue("time_limit", float("inf"))

    def _end(self, cell: int, sign: float) -> int:
        """Return the smallest value of ``sign * count`` of the cell."""
        optimum, point = self._minimise(self._linear, cell, sign)
        if not self._witness(point):
            optimum, point = self._minimise(self._whole, cell, sign)
            self._witness(point)
        return int(np.ceil(optimum - 1e-6))

    def _minimise(self, solver: Any, cell: int, sign: float) -> tuple[float, NDArray[np.float64]]:
        solver.changeColCost(cell, sign)
        solver.run()
        found = solver.getInfo().objective_function_value, np.asarray(solver.getSolution().col_value)
        solved = solver.getModelStatus() == self._optimal
        solver.changeColCost(cell, 0.0)
        # Without an answer the reader is credited with nothing beyond the propagated bound.
        return found if solved else (float(sign * (self._low if sign > 0 else self._high)[cell]), np.empty(0))

    def _witness(self, point: NDArray[np.float64]) -> bool:
        """Note the ends that a table of whole numbers reaches; return whether it is one."""
        if not len(point) or np.abs(point - np.rint(point)).max() > 1e-6:
            return False
        table = np.rint(point).astype(np.int64)
        np.minimum(self._least, table, out=self._least)
        np.maximum(self._most, table, out=self._most)
        return True


def _solver(low: NDArray[np.int64], high: NDArray[np.int64], relations: Relations, integral: bool) -> Any:
    solver = quiet(**({"mip_rel_gap": 0.0} if integral else {"presolve": "off"}))
    matrix, sums = relations.matrix(len(low)).tocsc(), relations.constants.astype(float)
    load(solver, matrix, np.zeros(len(low)), (low.astype(float), high.astype(float)), (sums, sums), whole=integral)
    return solver
