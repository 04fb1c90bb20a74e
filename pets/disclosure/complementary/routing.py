"""A pattern found quickly: for each sensitive cell, the cheapest cells that let it move."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pets.disclosure.complementary.attack import AttackLP
from pets.disclosure.complementary.flows import FlowPool
from pets.disclosure.complementary.problem import Problem
from pets.disclosure.highs import Flags, Floats, Ints, load, quiet, set_bounds, set_costs, solved

USE = 1e-4
"""Price of moving a hidden cell by one unit, in units of the mean cost: short flows before long ones."""


@dataclass(frozen=True, slots=True, eq=False)
class Route:
    """The cheapest flow of some amount through a cell, over the router's columns."""

    flow: Floats
    cost: float


class Router:
    """Minimises ``sum(weights * |z|)`` over flows that move one cell by a given amount.

    Parameters
    ----------
    problem
        The relations and capacities.
    columns
        Cells that may move.
    """

    def __init__(self, problem: Problem, columns: Ints) -> None:
        from scipy.sparse import csc_array, csr_array, hstack

        self.columns = columns
        self.place = np.full(problem.cells, -1)
        self.place[columns] = np.arange(len(columns))
        self._size = len(columns)
        part = csr_array(problem.matrix[:, columns])
        part = part[np.flatnonzero(np.diff(part.indptr))]
        level = np.zeros(part.shape[0])
        self._most = np.concatenate([problem.up[columns], problem.down[columns]])
        self._solver = quiet(presolve="off", solver="simplex")
        zeros = np.zeros(2 * self._size)
        load(self._solver, csc_array(hstack([part, -part])), zeros, (zeros, self._most), (level, level))
        self._weights = np.zeros(0)

    def weigh(self, weights: Floats) -> None:
        """Set what it costs to move each column by one unit."""
        both = np.concatenate([weights, weights])
        changed = np.flatnonzero(both != self._weights) if len(self._weights) else np.arange(2 * self._size)
        if len(changed):
            set_costs(self._solver, changed, both[changed])
        self._weights = both

    def forbid(self, cell: int) -> None:
        """Keep a cell from moving."""
        at = np.array([self.place[cell], self.place[cell] + self._size])
        set_bounds(self._solver, at, np.zeros(2), np.zeros(2))

    def allow(self, cell: int) -> None:
        """Let a cell move again."""
        at = np.array([self.place[cell], self.place[cell] + self._size])
        set_bounds(self._solver, at, np.zeros(2), self._most[at])

    def route(self, cell: int, direction: int, amount: float) -> Route | None:
        """Return the cheapest flow that moves `cell` by `amount` up (`direction` 1) or down (-1), if there is one."""
        with_it, against = int(self.place[cell]), int(self.place[cell]) + self._size
        if direction < 0:
            with_it, against = against, with_it
        if amount > self._most[with_it] * (1 + 1e-9):
            return None
        solver = self._solver
        solver.changeColBounds(with_it, amount, amount)
        solver.changeColBounds(against, 0.0, 0.0)
        solver.clearSolver()  # a route is short: from nothing it takes fewer pivots than from the last target's route
        found = solved(solver, cold=True)
        route = None
        if found:
            both = np.array(solver.getSolution().col_value)
            flow = both[: self._size] - both[self._size :]
            flow[np.abs(flow) < 1e-9] = 0.0
            route = Route(flow, float(solver.getObjectiveValue()))
        solver.changeColBounds(with_it, 0.0, float(self._most[with_it]))
        solver.changeColBounds(against, 0.0, float(self._most[against]))
        return route


def steps(problem: Problem, target: int, up: float, down: float) -> list[list[tuple[int, float]]]:
    """Return alternatives, each a list of (direction, amount), that protect a target that moves `up` and `down`."""
    slack = 1e-7
    needs = []
    if problem.high[target] > up + slack:
        needs.append((1, float(problem.high[target])))
    if problem.low[target] > down + slack:
        needs.append((-1, float(problem.low[target])))
    up, down = max(up, problem.high[target]), max(down, problem.low[target])
    slide = float(problem.slide[target])
    if slide <= up + down + slack:
        return [needs]
    found = []
    for direction, room, other in ((1, float(problem.up[target]), down), (-1, float(problem.down[target]), up)):
        first = min(room, slide - other)
        if first > slack:
            rest = slide - first
            found.append([*needs, (direction, first), *([(-direction, rest)] if rest > other + slack else [])])
    return found


def cheapest(problem: Problem, router: Router, target: int, known: tuple[float, float]) -> list[Route] | None:
    """Return the flows of the cheapest alternative that protects a target, or ``None`` if none was found."""
    best: list[Route] | None = None
    for alternative in steps(problem, target, *known):
        found: list[Route] = []
        for direction, amount in alternative:
            route = router.route(target, direction, amount)
            if route is None:
                break
            found.append(route)
        if len(found) == len(alternative) and (best is None or _cost(found) < _cost(best)):
            best = found
    return best


def _cost(routes: list[Route]) -> float:
    return sum(route.cost for route in routes)


def split(problem: Problem, router: Router, target: int) -> list[Route] | None:
    """Protect a width that neither direction yields alone: as far up as possible, the rest down."""
    if problem.slide[target] <= 0:
        return None
    attack = AttackLP(problem, router.columns)
    attack.limit(problem.down[router.columns], problem.up[router.columns])
    far = attack.reach(target, 1, float(problem.need_up[target])).distance * (1 - 1e-9)
    rest = float(problem.slide[target]) - far
    first = router.route(target, 1, far) if far > 1e-7 else None
    second = router.route(target, -1, rest) if rest > 1e-7 else None
    if (far > 1e-7 and first is None) or (rest > 1e-7 and second is None):
        return None
    return [route for route in (first, second) if route is not None]


def hide_routes(
    problem: Problem, router: Router, weights: Floats, hidden: Flags, stop: Callable[[], bool]
) -> tuple[Flags, FlowPool, Ints]:
    """Hide cells until all targets can move.

    Parameters
    ----------
    problem
        What must be protected.
    router
        Over all cells that may be hidden.
    weights
        What hiding each cell is taken to cost, (n,).
    hidden
        Cells that are hidden already, (n,).
    stop
        Whether time is up.

    Returns
    -------
    hidden, pool, failed
        The pattern, the flows that show that it protects, and the targets for which there is no flow at all, or
        that were not reached in time.
    """
    hidden = hidden | problem.must
    pool = FlowPool(problem)
    small = USE * max(float(weights[problem.free].mean()) if problem.free.any() else 1.0, 1e-6)
    failed = []
    router.weigh(np.where(hidden, 0.0, weights)[router.columns] + small)
    for target in problem.targets:
        if pool.met(int(target)):
            continue
        routes = None if stop() else cheapest(problem, router, int(target), pool.reach(int(target)))
        if routes is None and not stop():
            routes = split(problem, router, int(target))
        if routes is None:
            failed.append(target)
            continue
        for route in routes:
            pool.add(router.columns, route.flow)
            hidden[router.columns[route.flow != 0.0]] = True
        router.weigh(np.where(hidden, 0.0, weights)[router.columns] + small)
    return hidden, pool, np.array(failed, dtype=np.int64)


def tidy(problem: Problem, hidden: Flags, pool: FlowPool, stop: Callable[[], bool]) -> Flags:
    """Show again, the most expensive first, every cell without which all targets can still move."""
    hidden = hidden.copy()
    router = Router(problem, np.flatnonzero(hidden))
    extra = np.flatnonzero(hidden & problem.free)
    small = USE * max(float(problem.cost[extra].mean()) if len(extra) else 1.0, 1e-6)
    router.weigh(np.where(problem.free, problem.cost, 0.0)[router.columns] + small)
    pairs = Pairs(problem, hidden)
    for cell in extra[np.argsort(-problem.cost[extra], kind="stable")]:
        if stop():
            break
        if pairs.holds(int(cell)):
            continue
        router.forbid(int(cell))
        dropped = pool.without(int(cell))
        if repair(problem, router, pool, dropped):
            hidden[cell] = False
            pairs.show(int(cell))
        else:
            pool.restore(int(cell))
            router.allow(int(cell))
    return hidden


class Pairs:
    """Cells that a sensitive cell needs because they are the only other hidden ones in one of its relations."""

    def __init__(self, problem: Problem, hidden: Flags) -> None:
        self._matrix = problem.matrix
        self._sensitive = (problem.need > 0).astype(np.int64)
        self._count = np.asarray(abs(problem.matrix) @ hidden)
        self._targets = np.asarray(abs(problem.matrix) @ self._sensitive)

    def _rows(self, cell: int) -> Ints:
        return np.asarray(self._matrix.indices[self._matrix.indptr[cell] : self._matrix.indptr[cell + 1]])

    def holds(self, cell: int) -> bool:
        """Whether some relation of a complementary cell has one other hidden cell, a sensitive one."""
        rows = self._rows(cell)
        return bool(((self._count[rows] == 2) & (self._targets[rows] == 1)).any())

    def show(self, cell: int) -> None:
        """Take note that a cell is shown."""
        self._count[self._rows(cell)] -= 1


def repair(problem: Problem, router: Router, pool: FlowPool, targets: list[int]) -> bool:
    """Find new flows for targets that lost theirs; whether all of them have one."""
    for target in targets:
        if pool.met(target):
            continue
        routes = cheapest(problem, router, target, pool.reach(target))
        if routes is None:
            return False
        for route in routes:
            pool.add(router.columns, route.flow)
    return True
