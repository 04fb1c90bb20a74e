"""Patterns that withstand real numbers but not whole ones: in three dimensions and more, some exist."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pets.disclosure.complementary.cuts import Cut, covering
from pets.disclosure.complementary.highs import Flags, Ints, load, quiet
from pets.disclosure.complementary.problem import Problem


def whole_reach(problem: Problem, hidden: Flags, target: int, direction: int, most: float) -> float:
    """Return how far `target` can move in whole numbers, looking no further than `most`; never too much."""
    from highspy import HighsModelStatus
    from scipy.sparse import csc_array, csr_array

    at = np.flatnonzero(hidden)
    part = csr_array(problem.matrix[:, at])
    part = part[np.flatnonzero(np.diff(part.indptr))]
    level, cost = np.zeros(part.shape[0]), np.zeros(len(at))
    place = int(np.flatnonzero(at == target)[0])
    cost[place] = -float(direction)
    down, up = np.floor(problem.down[at]), np.floor(problem.up[at])
    if direction > 0:
        up[place] = min(up[place], np.ceil(most))
    else:
        down[place] = min(down[place], np.ceil(most))
    solver = quiet(mip_rel_gap=0.0, mip_abs_gap=0.5)
    load(solver, csc_array(part), cost, (-down, up), (level, level), whole=True)
    solver.run()
    if solver.getModelStatus() != HighsModelStatus.kOptimal:
        return 0.0
    return float(-np.ceil(solver.getInfo().objective_function_value - 1e-6))


def fails(problem: Problem, hidden: Flags, target: int) -> bool:
    """Whether a pattern does not protect `target` against whoever knows that all cells are whole numbers."""
    high, low, slide = problem.high[target], problem.low[target], problem.slide[target]
    up = whole_reach(problem, hidden, target, 1, problem.need_up[target]) if problem.need_up[target] > 0 else 0.0
    if up < high - 1e-7:
        return True
    down = whole_reach(problem, hidden, target, -1, problem.need_down[target]) if problem.need_down[target] > 0 else 0.0
    return bool(down < low - 1e-7 or up + down < slide - 1e-7)


def failing(problem: Problem, hidden: Flags, suspects: Ints) -> Ints:
    """Return those of `suspects` that a pattern fails to protect in whole numbers."""
    return np.array([cell for cell in suspects if fails(problem, hidden, int(cell))], dtype=np.int64)


def widest(problem: Problem, hidden: Flags, target: int, stop: Callable[[], bool]) -> Cut:
    """Return the cut that a failing pattern gives: hide a cell outside the largest failing pattern that contains it.

    If a pattern fails then every part of it fails, too. The larger the pattern, the stronger the cut: cells are
    taken in by halving until none is left that could be.
    """
    wide = hidden.copy()
    pending = [np.flatnonzero(problem.free & ~hidden)]
    while pending and not stop():
        chunk = pending.pop()
        if not len(chunk):
            continue
        trial = wide.copy()
        trial[chunk] = True
        if fails(problem, trial, target):
            wide = trial
        elif len(chunk) > 1:
            half = len(chunk) // 2
            pending += [chunk[half:], chunk[:half]]
    return covering(problem, wide)
