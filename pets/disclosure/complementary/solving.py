"""One connected part of a table from start to end: a first pattern, the search, and what to do if time is short."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from pets.disclosure.complementary.attack import SolverGaveUp
from pets.disclosure.complementary.problem import Problem
from pets.disclosure.complementary.search import Clock, Report, Search
from pets.disclosure.complementary.separation import unprotected
from pets.disclosure.highs import Flags

FAST_GAP = 0.02
"""Gap at which the fast method is content."""

FAST_CELLS = 3_000
"""Largest number of hideable cells for which the fast method looks at the relaxation, too."""

FAST_SECONDS = 0.8
"""Time that the fast method spends on the relaxation for each thousand cells."""


@dataclass(frozen=True, slots=True, eq=False)
class Solved:
    """What came out for a part.

    Attributes
    ----------
    hidden
        The pattern, (n,).
    bound
        No pattern costs less.
    proven
        Whether this is the cheapest pattern.
    impossible
        A cell that nothing protects, if there is one; else -1.
    """

    hidden: Flags
    bound: float
    proven: bool
    impossible: int = -1


def solve(
    problem: Problem, clock: Clock, gap: float, method: str, report: Report, *, whole: bool, owners: Flags
) -> Solved:
    """Return the best pattern found for one connected part.

    Parameters
    ----------
    problem
        What must be protected.
    clock
        When to stop. A pattern is returned in any case.
    gap
        Stop at this relative gap.
    method
        ``'optimal'`` or ``'fast'``.
    report
        Told stage, cost and bound.
    whole
        Whether the attacker knows that all cells are whole numbers.
    owners
        Cells known to the one who contributed them, (n,).
    """
    search = Search(problem, clock, report, whole=whole, owners=owners)
    report("first pattern", np.inf, 0.0)
    with suppress(SolverGaveUp):  # what was found until then stands, and the last audit judges it
        search.first()
    if search.best is None:
        impossible = _hide_everything(search)
        if impossible >= 0:
            return Solved(problem.must, 0.0, False, impossible)
    with suppress(SolverGaveUp):
        if method == "fast":
            _improve(search)
        else:
            _prove(search, gap)
    best = search.best if search.best is not None else problem.must | problem.free
    return Solved(best, search.bound, search.proven())


def _hide_everything(search: Search) -> int:
    """Take the pattern that hides all that may be hidden; return a cell that even this does not protect, or -1."""
    problem = search.problem
    everything = problem.must | problem.free
    with suppress(SolverGaveUp):
        open_ones = unprotected(problem, everything.astype(np.float64), problem.targets, np.inf, lambda: False)
        if len(open_ones):
            return int(open_ones[0])
    search.keep(everything)  # whether whole numbers are withstood, too, the last audit says
    return -1


def _prove(search: Search, gap: float) -> None:
    """Search for the cheapest pattern until it is proven, or time is up."""
    relaxed = search.root(gap)
    if relaxed is not None and not search.proven(gap):
        search.guide(relaxed)
    search.branch(gap)


def _improve(search: Search) -> None:
    """Let the relaxation guide a few further patterns, in a time that grows with the table."""
    cells = int((search.problem.free | search.problem.must).sum())
    if cells > FAST_CELLS:
        return
    clock = search.clock
    search.clock = clock.at_most(FAST_SECONDS * max(cells, 200) / 1000)
    relaxed = search.root(FAST_GAP)
    if relaxed is not None and not search.proven(FAST_GAP):
        search.guide(relaxed)
        search.branch(FAST_GAP)
    search.clock = clock
