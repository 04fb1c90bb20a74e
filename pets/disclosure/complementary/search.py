"""The search for the cheapest pattern: relaxations and integer programs against an attacker who adds inequalities."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pets.disclosure.complementary.cuts import Cut, Loneliness, distinct
from pets.disclosure.complementary.insiders import Insiders
from pets.disclosure.complementary.integers import failing, widest
from pets.disclosure.complementary.master import Master, Relaxed
from pets.disclosure.complementary.problem import Problem
from pets.disclosure.complementary.routing import Router, hide_routes, tidy
from pets.disclosure.complementary.separation import Separator, unprotected
from pets.disclosure.highs import Flags, Floats

Report = Callable[[str, float, float], None]

FIRST_SECONDS, FIRST_GAP = 5.0, 0.02
"""Time and gap for one integer program of the first pattern."""


@dataclass(frozen=True, slots=True)
class Clock:
    """When to stop."""

    deadline: float

    @classmethod
    def of(cls, seconds: float) -> Clock:
        """Return a clock that runs out in so many seconds."""
        return cls(time.monotonic() + seconds)

    def at_most(self, seconds: float) -> Clock:
        """Return a clock that runs out in so many seconds, or with this one."""
        return Clock(min(self.deadline, time.monotonic() + seconds))

    def left(self) -> float:
        """Seconds left."""
        return self.deadline - time.monotonic()

    def out(self) -> bool:
        """Whether time is up."""
        return self.left() <= 0.0


class Search:
    """State of the search on one problem: best pattern, best bound, cuts.

    Parameters
    ----------
    problem
        What must be protected.
    clock
        When to stop.
    report
        Told the stage, the best cost and the bound from time to time.
    whole
        Whether the attacker knows that all cells are whole numbers.
    owners
        Cells known to the one who contributed them, (n,).
    """

    def __init__(self, problem: Problem, clock: Clock, report: Report, *, whole: bool, owners: Flags) -> None:
        self.problem, self.clock, self._report = problem, clock, report
        self._whole, self._insiders = whole, Insiders(problem, owners)
        self.best: Flags | None = None
        self.cost, self.bound = np.inf, 0.0
        self.master = Master(problem)
        self._lonely = Loneliness(problem)
        self._router = Router(problem, np.flatnonzero(problem.must | problem.free))
        self._separator = Separator(problem, problem.free)
        self._seen: set[tuple[bytes, bytes, float]] = set()
        self.add(self._lonely.pairs())
        self._start, self._building = time.monotonic(), 0.0

    def add(self, cuts: list[Cut]) -> int:
        """Add the cuts that are new; return how many."""
        fresh = distinct(cuts, self._seen)
        self.master.add(fresh)
        return len(fresh)

    def proven(self, gap: float = 0.0) -> bool:
        """Whether no pattern can be cheaper by more than the gap."""
        step = self.problem.step
        least = 0.999 * step if step else 1e-7 * max(1.0, abs(self.cost))
        return self.best is not None and self.cost - self.bound < max(least, gap * self.cost + 1e-9)

    def raise_bound(self, bound: float) -> None:
        """Take in a proven bound; costs that are multiples of a step round it up."""
        step = self.problem.step
        rounded = np.ceil(bound / step - 1e-6) * step if step and np.isfinite(bound) else bound
        self.bound = min(max(self.bound, float(rounded)), self.cost)

    def first(self) -> None:
        """Build a pattern on the cheapest one without lonely cells: it protects most targets and is quickly found."""
        lonely: Flags | None = None
        while (relaxed := self.master.relax()) is not None and not self.clock.out():
            if self.add(self._lonely.violated(relaxed.x)):
                continue
            self.raise_bound(relaxed.bound)
            lonely = self.master.branch(np.inf, min(self.clock.left(), FIRST_SECONDS), FIRST_GAP).hidden
            if lonely is None or not self.add(self._lonely.violated(lonely.astype(np.float64))):
                break
        self.try_weights(self.problem.cost, lonely)

    def try_weights(self, weights: Floats, start: Flags | None = None) -> None:
        """Build a pattern with some weights and keep it if it is the cheapest so far."""
        began = time.monotonic()
        hidden = self.problem.must if start is None else start
        pattern, pool, failed = hide_routes(self.problem, self._router, weights, hidden, self.clock.out)
        if not len(failed):
            found = tidy(self.problem, pattern, pool, self.clock.out)
            self.offer(self._insiders.extend(found, self._router, weights, self.clock.out))
        self._building += time.monotonic() - began

    def worth_building(self) -> bool:
        """Whether less than a third of the time so far went into patterns."""
        return 3 * self._building <= time.monotonic() - self._start

    def offer(self, pattern: Flags) -> int:
        """Keep a pattern that withstands real numbers if it is the cheapest so far and withstands the rest.

        Otherwise learn from it. Return a cell that it fails to protect, or -1.
        """
        cost = self.problem.price(pattern)
        if self.best is not None and cost >= self.cost:
            return -1
        failed = self._reject(pattern)
        if failed < 0:
            self.keep(pattern)
        return failed

    def keep(self, pattern: Flags) -> None:
        """Take a pattern as the best so far."""
        self.best, self.cost = pattern, self.problem.price(pattern)
        self.bound = min(self.bound, self.cost)
        self._report("pattern", self.cost, self.bound)

    def _reject(self, pattern: Flags) -> int:
        """Find a cell that a pattern gives away to whole numbers or to an insider, and add a cut; -1 if none."""
        stop = self.clock.out  # what is not seen in time is seen by the last audit
        for owner, cells in self._insiders.open(pattern, stop):
            self.add(self._insiders.cuts(pattern, self.clock.out))
            return int(cells[0]) if owner >= 0 else -1
        if not self._whole:
            return -1
        x = pattern.astype(np.float64)
        suspects = unprotected(self.problem, x, self.problem.targets, np.inf, stop, whole=True)
        failed = failing(self.problem, pattern, suspects, stop)
        cuts = (widest(self.problem, pattern, int(cell), stop) for cell in failed)
        self.add([cut for cut in cuts if cut is not None])
        return int(failed[0]) if len(failed) else -1

    def root(self, gap: float) -> Relaxed | None:
        """Strengthen the relaxation until no cut is found; return its last optimum."""
        relaxed: Relaxed | None = None
        guided = 0.0
        while not self.clock.out():
            relaxed = self.master.relax()
            if relaxed is None:
                self.raise_bound(self.cost)
                return None
            self.raise_bound(relaxed.bound)
            if self.proven(gap):
                return relaxed
            self.tighten(relaxed)
            if self.add(self._lonely.violated(relaxed.x)):
                continue
            self._report("relaxation", self.cost, self.bound)
            if not self.add(self._separator.fractional(relaxed.x, self.clock.out)):
                return relaxed
            if relaxed.bound > guided * 1.03 and self.worth_building():
                guided = relaxed.bound
                self.guide(relaxed)
        return relaxed

    def tighten(self, relaxed: Relaxed) -> None:
        """Fix cells by their reduced costs."""
        if not np.isfinite(self.cost):
            return
        step = self.problem.step
        margin = step if step else 0.0
        if self.master.fix(relaxed, self.cost - margin + 1e-6 * max(1.0, self.cost)):
            self._separator.discard(self.master.alive())

    def guide(self, relaxed: Relaxed) -> None:
        """Build patterns that follow the relaxation."""
        for trust in (0.7, 1.0):
            self.try_weights(self.problem.cost * (1.0 - trust * relaxed.x))

    def branch(self, gap: float) -> None:
        """Solve integer programs until the cheapest pattern is proven, or time is up."""
        while not self.clock.out() and not self.proven(gap):
            found = self.master.branch(self.cost, self.clock.left(), gap / 2)
            self.raise_bound(found.bound)
            self._report("integer program", self.cost, self.bound)
            if found.hidden is None or self.proven(gap):
                return
            if not self.advance(found.hidden):
                return

    def advance(self, candidate: Flags) -> bool:
        """Audit a pattern that satisfies all cuts: keep it, or learn from it; whether there is more to do."""
        known = len(self.master.cuts)
        self.add(self._lonely.violated(candidate.astype(np.float64)))
        open_ones, cuts = self._separator.whole(candidate, self.clock.out)
        if self.clock.out():
            return False
        if not len(open_ones):
            return self.offer(candidate) < 0 or len(self.master.cuts) > known
        self.add(cuts)
        if self.worth_building():
            self.try_weights(self.problem.cost, candidate)
        return len(self.master.cuts) > known
