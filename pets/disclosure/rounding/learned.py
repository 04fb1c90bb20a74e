"""What a reader learns of the true counts from a rounded table: an interval for each cell.

The reader knows the base and the rule, hence a range for each count; and that the true counts, unlike the rounded ones,
satisfy every relation exactly. Both together can narrow a range, in the extreme to a single number.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pets.disclosure.relations import Relations

Bounds = tuple[NDArray[np.int64], NDArray[np.int64]]

_PASSES = 200


def learned_intervals(low: NDArray[np.int64], high: NDArray[np.int64], relations: Relations) -> Bounds:
    """Return the smallest and largest true count that is possible in each cell.

    Parameters
    ----------
    low, high
        What the rule alone tells of each cell, shape (n,), inclusive.
    relations
        What the true counts add up to.

    Returns
    -------
    low, high
        Shape (n,), inclusive. Exact: each end is reached by a table of whole numbers that fits everything published.
    """
    below, above = propagate(low, high, relations)
    if relations.count == 0 or not np.any(above > below):
        return below, above
    return _Search(below, above, relations).run()


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
        import highspy

        self._kinds = highspy.HighsVarType
        self._optimal = highspy.HighsModelStatus.kOptimal
        self._low, self._high = low.copy(), high.copy()
        # Ends that a table of whole numbers was seen to reach need no program of their own.
        self._least, self._most = high.copy(), low.copy()
        self._relations = relations
        self._linear, self._whole = (_solver(highspy, low, high, relations, integral) for integral in (False, True))

    def run(self) -> Bounds:
        """Return the exact intervals."""
        for cell in np.flatnonzero(self._high > self._low):
            if self._least[cell] > self._low[cell]:
                self._low[cell] = self._end(int(cell), 1.0)
            if self._most[cell] < self._high[cell]:
                self._high[cell] = -self._end(int(cell), -1.0)
        return self._low, self._high

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


def _solver(highspy: Any, low: NDArray[np.int64], high: NDArray[np.int64], relations: Relations, integral: bool) -> Any:
    matrix = relations.matrix(len(low))
    model = highspy.HighsLp()
    model.num_col_, model.num_row_ = len(low), relations.count
    model.col_cost_, model.col_lower_, model.col_upper_ = np.zeros(len(low)), low.astype(float), high.astype(float)
    model.row_lower_ = model.row_upper_ = relations.constants.astype(float)
    model.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    model.a_matrix_.start_, model.a_matrix_.index_ = matrix.indptr, matrix.indices
    model.a_matrix_.value_ = matrix.data
    if integral:
        model.integrality_ = [highspy.HighsVarType.kInteger] * len(low)
    solver = highspy.Highs()
    options = {"mip_rel_gap": 0.0} if integral else {"presolve": "off"}
    for name, value in ({"output_flag": False, "threads": 1} | options).items():
        solver.setOptionValue(name, value)
    solver.passModel(model)
    return solver
