"""Patterns that withstand real numbers but not whole ones: in three dimensions and more, some exist."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pets.disclosure.complementary.cuts import Cut, covering
from pets.disclosure.complementary.problem import Problem
from pets.disclosure.complementary.separation import Movement
from pets.disclosure.highs import Flags, Floats, Ints, load, quiet

ROUGH = 0.5
"""Relative gap at which a solution that moves many cells at once is taken."""

SWAYS = 6

SECONDS = 5.0
"""Time for one integer program; what is not decided then is left to the last audit."""


class WholeProgram:
    """Differences of the hidden cells in whole numbers; objective and box of single cells change."""

    def __init__(self, problem: Problem, hidden: Flags) -> None:
        from scipy.sparse import csc_array, csr_array

        self.columns = np.flatnonzero(hidden)
        self.place = np.full(problem.cells, -1)
        self.place[self.columns] = np.arange(len(self.columns))
        part = csr_array(problem.matrix[:, self.columns])
        part = part[np.flatnonzero(np.diff(part.indptr))]
        self.down, self.up = np.floor(problem.down[self.columns]), np.floor(problem.up[self.columns])
        level, cost = np.zeros(part.shape[0]), np.zeros(len(self.columns))
        self._part = part
        self._solver = quiet(mip_abs_gap=0.5)
        load(self._solver, csc_array(part), cost, (-self.down, self.up), (level, level), whole=True)

    def fits(self, flow: Floats) -> bool:
        """Whether whole differences satisfy every relation and bound exactly."""
        within = bool((flow >= -self.down).all() and (flow <= self.up).all())
        return within and not (self._part @ flow).any()

    def push(self, weights: Floats, most: Floats, gap: float) -> tuple[float, Floats | None]:
        """Return a bound on ``weights @ z`` when weighted cells move by at most `most`, and the best z found."""
        from highspy import HighsModelStatus

        at = np.flatnonzero(weights).astype(np.int32)
        solver = self._solver
        solver.setOptionValue("mip_rel_gap", gap)
        low, high = np.minimum(self.down[at], most[at]), np.minimum(self.up[at], most[at])
        solver.changeColsBounds(len(at), at, -low, high)
        solver.changeColsCost(len(at), at, -weights[at])
        solver.setOptionValue("time_limit", float(solver.getRunTime()) + SECONDS)
        solver.run()
        done = solver.getModelStatus() == HighsModelStatus.kOptimal
        flow = np.rint(solver.getSolution().col_value) if done else None
        bound = -float(solver.getInfo().mip_dual_bound) if done else 0.0
        solver.changeColsBounds(len(at), at, -self.down[at], self.up[at])
        solver.changeColsCost(len(at), at, np.zeros(len(at)))
        return bound, flow


def failing(problem: Problem, hidden: Flags, suspects: Ints, stop: Callable[[], bool], enough: int = 3) -> Ints:
    """Return the first few of `suspects` that a pattern is seen not to protect in whole numbers.

    What is not decided when time is up is not among them: the audit of the final pattern has the last word.
    """
    if not len(suspects):
        return suspects
    program, known = WholeProgram(problem, hidden), Movement(problem, suspects, whole=True)
    most = np.ceil(problem.need[program.columns])
    for turn in range(SWAYS if len(suspects) > SWAYS else 0):
        if stop():
            break
        sign = np.where((np.arange(len(suspects)) >> (turn // 2)) & 1, 1.0, -1.0) * (1 if turn % 2 else -1)
        _learn(program, known, np.where(known.met(), 0.0, sign), most, ROUGH)
    found: list[int] = []
    for k, cell in enumerate(suspects):
        if len(found) >= enough or stop():
            break
        weights, decided = np.zeros(len(suspects)), True
        for direction, need in ((1.0, problem.need_up[cell]), (-1.0, problem.need_down[cell])):
            if need > 0 and not known.met()[k]:
                weights[k] = direction
                decided &= _learn(program, known, weights, most, 0.0)
        if decided and not known.met()[k]:
            found.append(int(cell))
    return np.array(found, dtype=np.int64)


def _learn(program: WholeProgram, known: Movement, weights: Floats, most: Floats, gap: float) -> bool:
    """Push some targets, take in what the solution shows, and return whether there was one."""
    spread = np.zeros(len(program.columns))
    spread[program.place[known.targets]] = weights
    _, flow = program.push(spread, most, gap)
    if flow is None or not program.fits(flow):
        return False
    known.learn(program.place, flow, program.down, program.up)
    return True


def widest(problem: Problem, hidden: Flags, target: int, stop: Callable[[], bool]) -> Cut | None:
    """Return the cut that a failing pattern gives: hide a cell outside the largest failing pattern that contains it.

    If a pattern fails then every part of it fails, too. The larger the pattern, the stronger the cut: cells are
    taken in by halving until none is left that could be. ``None`` if it is not proven that the pattern fails.
    """
    if not _surely_fails(problem, hidden, target):
        return None
    wide = hidden.copy()
    pending = [np.flatnonzero(problem.free & ~hidden)]
    while pending and not stop():
        chunk = pending.pop()
        if not len(chunk):
            continue
        trial = wide.copy()
        trial[chunk] = True
        if _surely_fails(problem, trial, target):
            wide = trial
        elif len(chunk) > 1:
            half = len(chunk) // 2
            pending += [chunk[half:], chunk[:half]]
    return covering(problem, wide)


def _surely_fails(problem: Problem, hidden: Flags, target: int) -> bool:
    """Whether the bounds of integer programs prove that `target` is not protected."""
    program = WholeProgram(problem, hidden)
    most = np.ceil(problem.need[program.columns])
    far = []
    for direction, need in ((1.0, problem.need_up[target]), (-1.0, problem.need_down[target])):
        weights = np.zeros(len(program.columns))
        weights[program.place[target]] = direction
        bound, flow = program.push(weights, most, 0.0) if need > 0 else (0.0, np.zeros(0))
        if flow is None:
            return False
        far.append(np.floor(bound + 1e-6))
    up, down = far
    slack = 1e-7
    return bool(
        up < problem.high[target] - slack
        or down < problem.low[target] - slack
        or up + down < problem.slide[target] - slack
    )
