"""Protection against somebody who knows one hidden cell because nobody else contributed to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from pets.disclosure.complementary.cuts import Cut
from pets.disclosure.complementary.problem import Problem
from pets.disclosure.complementary.routing import Router
from pets.disclosure.complementary.separation import Separator, unprotected
from pets.disclosure.highs import Flags, Floats, Ints

LEAST = 1.0
"""Width that an insider must be left of every other sensitive cell: one count, or the smallest level demanded."""


class Insiders:
    """The problem as each lone contributor sees it: one cell less to be uncertain of, and any width will do.

    If a lone contributor's cell is shown, everybody is in its place, and the levels for everybody are higher; so these
    inequalities hold whether or not the cell is hidden.
    """

    def __init__(self, problem: Problem, owners: Flags) -> None:
        self._problem = problem
        self.owners = np.flatnonzero(owners & (problem.must | problem.free))

    def view(self, owner: int) -> Problem:
        """Return the problem of one insider."""
        problem = self._problem
        none = np.zeros(problem.cells)
        width = np.where(problem.need > 0, np.minimum(LEAST, problem.need), 0.0)
        down, up = problem.down.copy(), problem.up.copy()
        width[owner] = down[owner] = up[owner] = 0.0
        return replace(problem, down=down, up=up, low=none, high=none, slide=width)

    def open(self, hidden: Flags, stop: Callable[[], bool]) -> Iterator[tuple[int, Ints]]:
        """Yield each insider to whom a pattern gives something away, and what."""
        x = hidden.astype(np.float64)
        for owner in self.owners[hidden[self.owners]]:
            view = self.view(int(owner))
            found = unprotected(view, x, view.targets, np.inf, stop)
            if len(found):
                yield int(owner), found

    def cuts(self, hidden: Flags, stop: Callable[[], bool]) -> list[Cut]:
        """Return inequalities that a pattern violates if it gives something away to an insider."""
        found: list[Cut] = []
        for owner, _ in self.open(hidden, stop):
            view = self.view(owner)
            found += Separator(view, view.free).whole(hidden, stop)[1]
        return found

    def extend(self, hidden: Flags, router: Router, weights: Floats, stop: Callable[[], bool]) -> Flags:
        """Return a pattern with further cells that leave every insider in doubt, where that can be done."""
        for owner, targets in list(self.open(hidden, stop)):
            hidden = hidden.copy()
            router.forbid(owner)
            for target in targets:
                router.weigh(np.where(hidden, 0.0, weights)[router.columns] + 1e-4)
                routes = [router.route(int(target), direction, LEAST) for direction in (1, -1)]
                best = min((route for route in routes if route is not None), key=lambda r: r.cost, default=None)
                if best is not None:
                    hidden[router.columns[best.flow != 0.0]] = True
            router.allow(owner)
        return hidden
