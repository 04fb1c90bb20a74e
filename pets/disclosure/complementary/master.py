"""The master problem: the cheapest pattern that satisfies the inequalities found so far."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pets.disclosure.complementary.cuts import Cut
from pets.disclosure.complementary.problem import Problem
from pets.disclosure.highs import Flags, Floats, Ints, load, quiet, solved


@dataclass(frozen=True, slots=True, eq=False)
class Relaxed:
    """Optimum of the relaxation: its cost, the fractional pattern (1 where hidden anyway), and the reduced costs."""

    bound: float
    x: Floats
    reduced: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Candidate:
    """What the integer program found: a proven bound, and a pattern that satisfies all cuts if there was time."""

    bound: float
    hidden: Flags | None


class Master:
    """Linear relaxation over the cells that may be hidden, with cuts added as they are found."""

    def __init__(self, problem: Problem) -> None:
        from scipy.sparse import csc_array

        self._problem = problem
        self.columns = np.flatnonzero(problem.free)
        self._place = np.full(problem.cells, -1)
        self._place[self.columns] = np.arange(len(self.columns))
        self.cuts: list[Cut] = []
        self.low, self.high = np.zeros(len(self.columns)), np.ones(len(self.columns))
        self._solver = quiet(presolve="off", solver="simplex")
        none = np.zeros(0)
        empty = csc_array((0, len(self.columns)))
        load(self._solver, empty, problem.cost[self.columns], (self.low, self.high), (none, none))

    def add(self, cuts: list[Cut]) -> None:
        """Add inequalities."""
        if not cuts:
            return
        self.cuts += cuts
        _add_rows(self._solver, cuts, self._place)

    def relax(self) -> Relaxed | None:
        """Return the optimum of the relaxation, or ``None`` if nothing satisfies the cuts within the bounds left."""
        if not solved(self._solver):
            return None
        solution = self._solver.getSolution()
        x = self._problem.must.astype(np.float64)
        x[self.columns] = np.clip(solution.col_value, 0.0, 1.0)
        return Relaxed(float(self._solver.getObjectiveValue()), x, np.array(solution.col_dual))

    def fix(self, relaxed: Relaxed, ceiling: float) -> int:
        """Fix what every pattern cheaper than `ceiling` must agree in (reduced costs); return how many cells."""
        room = ceiling - relaxed.bound
        down = (relaxed.reduced > room) & (self.high > 0.0) & (self.low < 1.0)
        up = (relaxed.reduced < -room) & (self.low < 1.0) & (self.high > 0.0)
        if not (down.any() or up.any()):
            return 0
        self.high[down], self.low[up] = 0.0, 1.0
        changed = np.flatnonzero(down | up)
        self._solver.changeColsBounds(len(changed), changed.astype(np.int32), self.low[changed], self.high[changed])
        return len(changed)

    def alive(self) -> Flags:
        """Return the cells that may still be hidden, (n,)."""
        alive = np.zeros(self._problem.cells, dtype=np.bool_)
        alive[self.columns[self.high > 0.0]] = True
        return alive

    def branch(self, ceiling: float, seconds: float, gap: float) -> Candidate:
        """Solve the integer program for a pattern cheaper than `ceiling`; without one, the bound is infinite."""
        from highspy import HighsModelStatus

        problem, step = self._problem, self._problem.step
        keep = np.flatnonzero(self.high > 0.0)
        solver = quiet(
            mip_rel_gap=gap,
            mip_abs_gap=0.999 * step if step else 1e-9,
            time_limit=max(0.05, seconds),
        )
        place = np.full(problem.cells, -1)
        place[self.columns[keep]] = np.arange(len(keep))
        _load_whole(solver, problem.cost[self.columns[keep]], self.low[keep])
        cap = Cut(self.columns[keep], -problem.cost[self.columns[keep]], -ceiling)
        _add_rows(solver, [*self.cuts, *([cap] if np.isfinite(ceiling) else [])], place)
        solver.run()
        status = solver.getModelStatus()
        if status in (HighsModelStatus.kInfeasible, HighsModelStatus.kUnboundedOrInfeasible):
            return Candidate(np.inf, None)
        info = solver.getInfo()
        if info.primal_solution_status != 2:
            return Candidate(float(info.mip_dual_bound), None)
        hidden = problem.must.copy()
        hidden[self.columns[keep]] |= np.array(solver.getSolution().col_value) > 0.5
        return Candidate(float(info.mip_dual_bound), hidden)


def _load_whole(solver: Any, cost: Floats, low: Floats) -> None:
    from scipy.sparse import csc_array

    none = np.zeros(0)
    load(solver, csc_array((0, len(cost))), cost, (low, np.ones(len(cost))), (none, none), whole=True)


def _add_rows(solver: Any, cuts: list[Cut], place: Ints) -> None:
    if not cuts:  # everything that may be hidden must be, or nothing is lonely
        return
    parts = []
    for cut in cuts:
        at = place[cut.cells]
        parts.append((at[at >= 0], cut.values[at >= 0]))
    sizes = np.array([len(at) for at, _ in parts])
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int32)
    index = np.concatenate([at for at, _ in parts]).astype(np.int32)
    values = np.concatenate([value for _, value in parts]).astype(np.float64)
    least = np.array([cut.least for cut in cuts])
    solver.addRows(len(cuts), least, np.full(len(cuts), np.inf), len(index), starts, index, values)
