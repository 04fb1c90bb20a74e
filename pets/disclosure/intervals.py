"""What each hidden cell can be: the least and the largest value over all tables that fit a publication."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from time import monotonic

import numpy as np
from numpy.typing import NDArray

from pets.disclosure.programs import Program
from pets.disclosure.system import System, Vector

Enough = Callable[[Vector, Vector], NDArray[np.bool_]]
"""Says from the values seen so far, least and largest, which unknowns need no further search."""

Progress = Callable[[int, int], None]
"""Is told how many ends are settled, of how many."""

NEAR = 1e-6
"""How far the solver's numbers may be from whole ones that they stand for."""

GOLDEN = 0.6180339887498949
"""Multiples of it, modulo 1, are spread evenly: weights of the sweeps, without a random generator."""

ROUGH = 0.5
"""Relative gap at which a sweep takes a whole solution."""

YIELD = 8
"""Ends that a sweep must settle to be worth another one: about what single programs settle in its time."""


@dataclass(frozen=True, slots=True, eq=False)
class Intervals:
    """Ends of each unknown of a system, shape (n,) each.

    Parameters
    ----------
    low, high
        No solution lies outside: proven by propagation, linear or integer programs.
    seen_low, seen_high
        Attained by solutions that were checked in the system itself; ``inf`` and ``-inf`` where none was sought.
    """

    low: Vector
    high: Vector
    seen_low: Vector
    seen_high: Vector

    @property
    def settled(self) -> NDArray[np.bool_]:
        """Where both ends are attained, so that the interval is exact."""
        return (self.seen_low <= self.low) & (self.seen_high >= self.high)


def feasible_intervals(
    system: System,
    truth: Vector | None = None,
    enough: Enough | None = None,
    seconds: float | None = None,
    progress: Progress | None = None,
    highs: bool = True,
    start: Intervals | None = None,
) -> Intervals:
    """Return what each unknown can be.

    Parameters
    ----------
    system
        What is known, n unknowns.
    truth
        A solution, shape (n,), if one is known: it saves work and changes no result.
    enough
        Stops the search at an unknown as soon as it says so, for a caller who asks only whether intervals are wide
        enough. Without it every end is searched to the last.
    seconds
        Time after which ends are left unsettled; no limit unless given.
    progress
        Is called now and then.
    highs
        Whether upper ends are wanted too.
    start
        What an earlier, shorter search of the same system has found.

    Raises
    ------
    InvalidArgument
        The system has no solution.

    References
    ----------
    A. M. Gleixner, T. Berthold, B. Müller and S. Weltge, "Three enhancements for optimization-based bound
    tightening", J. Global Optimization 67 (2017), 731-757: solutions found on the way settle other ends.
    """
    known = system if start is None else replace(system, lower=start.low, upper=start.high)
    tight = known.propagate()
    open_ = tight.upper - tight.lower > tight.slack
    state = _State(tight, truth, enough, None if seconds is None else monotonic() + seconds, progress, highs)
    if start is not None:
        state.seen_low, state.seen_high = start.seen_low.copy(), start.seen_high.copy()
    state.settle_fixed(~open_)
    reduced = tight.restrict(open_, tight.lower)
    cells = np.flatnonzero(open_)
    for part in reduced.components():
        _Part(state, cells[part], reduced.part(part)).search()
    return state.intervals()


class _State:
    """Ends found so far for all unknowns."""

    def __init__(
        self,
        system: System,
        truth: Vector | None,
        enough: Enough | None,
        deadline: float | None,
        progress: Progress | None,
        highs: bool,
    ) -> None:
        self.slack = system.slack
        self.low, self.high = system.lower.copy(), system.upper.copy()
        self.seen_low = np.full(system.size, np.inf) if truth is None else truth.copy()
        self.seen_high = np.full(system.size, -np.inf) if truth is None else truth.copy()
        self._enough = enough
        self._deadline = deadline
        self._progress = progress
        self._highs = highs

    def settle_fixed(self, fixed: NDArray[np.bool_]) -> None:
        self.seen_low[fixed] = self.seen_high[fixed] = self.low[fixed]
        self.high[fixed] = self.low[fixed]

    def witness(self, cells: NDArray[np.intp], x: Vector) -> None:
        """Take note of a solution."""
        self.seen_low[cells] = np.minimum(self.seen_low[cells], x)
        self.seen_high[cells] = np.maximum(self.seen_high[cells], x)

    def open(self, cells: NDArray[np.intp]) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return which lower and which upper ends of `cells` are still to be searched."""
        low = self.seen_low[cells] > self.low[cells] + self.slack
        high = (self.seen_high[cells] < self.high[cells] - self.slack) & self._highs
        if self._enough is not None:
            more = ~self._enough(self.seen_low, self.seen_high)[cells]
            low, high = low & more, high & more
        return low, high

    def late(self) -> bool:
        return self._deadline is not None and monotonic() > self._deadline

    def seconds_left(self) -> float | None:
        return None if self._deadline is None else max(0.0, self._deadline - monotonic())

    def report(self) -> None:
        if self._progress is not None:
            low, high = self.open(np.arange(len(self.low)))
            self._progress(2 * len(self.low) - int(low.sum() + high.sum()), 2 * len(self.low))

    def intervals(self) -> Intervals:
        """Return the ends; a solution overrules a bound that rounding put a trifle too far in."""
        seen = self.seen_low <= self.seen_high
        low = np.where(seen & (self.seen_low <= self.low + self.slack), self.seen_low, self.low)
        high = np.where(seen & (self.seen_high >= self.high - self.slack), self.seen_high, self.high)
        return Intervals(low, high, self.seen_low, self.seen_high)


class _Part:
    """The search in one connected part."""

    def __init__(self, state: _State, cells: NDArray[np.intp], system: System) -> None:
        self.state = state
        self.cells = cells
        self.system = system
        self.program = Program(system)
        self.fractional = False
        self._phase = 0.0

    def search(self) -> None:
        """Settle every end: sweeps, then one program for each end left; integer ones where those disagree."""
        self._sweep(self.program)
        if self.fractional:
            # corners are not whole (three dimensions and more): whole solutions, however rough, show more at once
            self._sweep(Program(self.system, whole=True, gap=ROUGH))
        self._one_by_one(self.program)
        if not self.system.integral or not self._any_open():
            return
        self._tighten()
        if self._any_open():
            self._one_by_one(Program(self.system, whole=True))

    def _any_open(self) -> bool:
        low, high = self.state.open(self.cells)
        return bool(low.any() or high.any()) and not self.state.late()

    def _sweep(self, program: Program) -> None:
        """Push many open ends outwards at once; solutions settle some of them."""
        if self.system.size < YIELD:
            return
        low, high = self.state.open(self.cells)
        before = int(low.sum() + high.sum())
        while before >= YIELD and not self.state.late():
            self._solve(program, self._outward(low, high))
            low, high = self.state.open(self.cells)
            after = int(low.sum() + high.sum())
            self.state.report()
            if before - after < YIELD:
                return
            before = after

    def _outward(self, low: NDArray[np.bool_], high: NDArray[np.bool_]) -> Vector:
        """Return an objective that rewards open ends: of an unknown with two, one at a time."""
        self._phase = (self._phase + GOLDEN) % 1.0
        spread = (GOLDEN * np.arange(self.system.size) + self._phase) % 1.0
        bounded = np.isfinite(self.state.high[self.cells])
        down = low & (~high | ~bounded | (spread < 0.5))
        return np.where(down, 1.0, 0.0) - np.where(~down & high & bounded, 1.0, 0.0)

    def _one_by_one(self, program: Program) -> None:
        for index in range(self.system.size):
            for side, sign in enumerate((1.0, -1.0)):
                if self.state.late():
                    return
                if self.state.open(self.cells[index : index + 1])[side][0]:
                    self._settle(program, index, sign)
            if index % 64 == 63:
                self.state.report()

    def _settle(self, program: Program, index: int, sign: float) -> None:
        """Solve for one end: the least value of ``sign * x[index]``."""
        cost = np.zeros(self.system.size)
        cost[index] = sign
        bound = sign * self._solve(program, cost)
        if np.isfinite(bound) and self.system.integral:
            bound = sign * np.ceil(sign * bound - NEAR)
        cell, state = self.cells[index], self.state
        if sign > 0:
            state.low[cell] = max(state.low[cell], bound)
        else:
            state.high[cell] = min(state.high[cell], bound)
        if np.isinf(bound):
            state.seen_high[cell] = np.inf

    def _solve(self, program: Program, cost: Vector) -> float:
        """Minimise, take note of the solution, return the bound."""
        found = program.minimise(cost, self.state.seconds_left())
        if found.x is not None:
            self._note(found.x)
        return found.bound

    def _note(self, x: Vector) -> None:
        if not self.system.integral:
            self.state.witness(self.cells, np.clip(x, self.system.lower, self.system.upper))
            return
        whole = np.rint(x)
        if np.abs(whole - x).max(initial=0.0) < NEAR and self.system.holds(whole):
            self.state.witness(self.cells, whole)
        else:
            self.fractional = True

    def _tighten(self) -> None:
        """Bounds of linear programs, rounded to whole numbers, may imply others by propagation."""
        state, cells = self.state, self.cells
        part = self.system
        bounded = System(part.matrix, part.rhs, state.low[cells], state.high[cells], True).propagate()
        state.low[cells], state.high[cells] = bounded.lower, bounded.upper
        self.system = bounded
