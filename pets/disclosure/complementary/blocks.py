"""The quick pattern for large tables: each route is sought among cells near by, so that its cost does not grow."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pets.disclosure.complementary.flows import FlowPool
from pets.disclosure.complementary.highs import Flags, Floats, Ints
from pets.disclosure.complementary.problem import Problem
from pets.disclosure.complementary.routing import USE, Pairs, Router, cheapest, repair, split

LADDER = ((6, 800), (20, 4_000))
"""Cells taken of each relation, and cells in all, of the neighbourhoods tried one after the other."""

AROUND = (40, 1_500)
"""The same for what is hidden already."""

DEPTH = 5


class Neighbourhood:
    """Cells that can move along with a given one: some of each of its relations, and what closes the circuits.

    In an n-way table the cells chosen next to a cell span a box of categories; its corners are the cells
    that lie in two or more of the relations reached so far.
    """

    def __init__(self, problem: Problem) -> None:
        self._cells, self._rows = problem.matrix, problem.rows
        self._touched = np.zeros(problem.matrix.shape[0], dtype=np.bool_)
        self._times = np.zeros(problem.cells, dtype=np.int64)

    def around(self, cell: int, price: Floats, allowed: Flags, size: tuple[int, int]) -> Ints:
        """Return up to ``size[1]`` cells, at first the ``size[0]`` cheapest of each relation of `cell`."""
        picks, most = size
        chosen = [np.array([cell])]
        for row in _gather(self._cells.indptr, self._cells.indices, np.array([cell])):
            others = _gather(self._rows.indptr, self._rows.indices, np.array([row]))
            others = others[allowed[others] & (others != cell)]
            if len(others) > picks:
                others = others[np.argpartition(price[others], picks - 1)[:picks]]
            chosen.append(others)
        found = new = np.unique(np.concatenate(chosen))
        rows_seen = []
        for _ in range(DEPTH):
            rows = np.unique(_gather(self._cells.indptr, self._cells.indices, new))
            rows = rows[~self._touched[rows]]
            self._touched[rows] = True
            rows_seen.append(rows)
            near = _gather(self._rows.indptr, self._rows.indices, rows)
            np.add.at(self._times, near, 1)
            new = np.setdiff1d(np.unique(near[(self._times[near] >= 2) & allowed[near]]), found, assume_unique=True)
            if len(found) + len(new) > most:
                new = new[np.argsort(price[new], kind="stable")[: most - len(found)]]
            if not len(new):
                break
            found = np.union1d(found, new)
        touched = np.concatenate(rows_seen)
        self._touched[touched] = False
        self._times[_gather(self._rows.indptr, self._rows.indices, touched)] = 0
        return np.asarray(found)


def _gather(starts: Ints, entries: Ints, keys: Ints) -> Ints:
    """Return the entries of several compressed rows one after the other."""
    first, length = starts[keys], starts[keys + 1] - starts[keys]
    if not length.sum():
        return np.zeros(0, dtype=np.int64)
    before = np.concatenate([[0], np.cumsum(length)[:-1]])
    return np.asarray(entries[np.repeat(first - before, length) + np.arange(length.sum())])


def hide_near(
    problem: Problem, weights: Floats, hidden: Flags, stop: Callable[[], bool]
) -> tuple[Flags, FlowPool, Ints]:
    """Hide cells until all targets can move, as :func:`hide_routes` does, each from its neighbourhood."""
    hidden = hidden | problem.must
    pool, near, allowed = FlowPool(problem), Neighbourhood(problem), problem.must | problem.free
    price = np.where(hidden, 0.0, weights)
    small = USE * max(float(weights[problem.free].mean()) if problem.free.any() else 1.0, 1e-6)
    failed = []
    for target in problem.targets:
        if pool.met(int(target)):
            continue
        if stop() or not _route_near(problem, int(target), (near, price, small), allowed, pool, hidden):
            failed.append(target)
    return hidden, pool, np.array(failed, dtype=np.int64)


def _route_near(
    problem: Problem,
    target: int,
    view: tuple[Neighbourhood, Floats, float],
    allowed: Flags,
    pool: FlowPool,
    hidden: Flags,
) -> bool:
    """Hide what lets one target move; look further around if need be."""
    near, price, small = view
    for size in (*LADDER, None):
        columns = np.flatnonzero(allowed) if size is None else near.around(target, price, allowed, size)
        router = Router(problem, columns)
        router.weigh(price[columns] + small)
        routes = cheapest(problem, router, target, pool.reach(target)) or split(problem, router, target)
        if routes is not None:
            for route in routes:
                pool.add(columns, route.flow)
                used = columns[route.flow != 0.0]
                hidden[used], price[used] = True, 0.0
            return True
    return False


def tidy_near(problem: Problem, hidden: Flags, pool: FlowPool, stop: Callable[[], bool]) -> Flags:
    """Show again what is not needed, as :func:`tidy` does; replacements are sought near by."""
    hidden = hidden.copy()
    near, pairs = Neighbourhood(problem), Pairs(problem, hidden)
    price = np.where(problem.free, problem.cost, 0.0)
    small = USE * max(float(price[hidden].mean()) if hidden.any() else 1.0, 1e-6)
    extra = np.flatnonzero(hidden & problem.free)
    for cell in extra[np.argsort(-problem.cost[extra], kind="stable")]:
        if stop():
            break
        if pairs.holds(int(cell)):
            continue
        dropped = pool.without(int(cell))
        hidden[cell] = False
        if not dropped or _replace(problem, int(cell), dropped, (near, price, small), hidden, pool):
            pairs.show(int(cell))
        else:
            hidden[cell] = True
            pool.restore(int(cell))
    return hidden


def _replace(
    problem: Problem,
    cell: int,
    targets: list[int],
    view: tuple[Neighbourhood, Floats, float],
    hidden: Flags,
    pool: FlowPool,
) -> bool:
    near, price, small = view
    columns = near.around(cell, price, hidden, AROUND)
    columns = np.union1d(columns[columns != cell], targets)
    router = Router(problem, columns)
    router.weigh(price[columns] + small)
    return repair(problem, router, pool, targets)


