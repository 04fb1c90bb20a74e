"""Controlled rounding as an integer program, and its solution by HiGHS.

Each published number is a multiple of the base. A cell with the value a and remainder r may go from its floor a - r one
step up (``neighbour``, if r > 0), and in the relaxed program further up or down; the steps must keep every relation.
The cost is convex in the steps, so that the three kinds of steps of one cell never stand in for each other.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pets.disclosure.highs import load, quiet
from pets.disclosure.relations import Relations
from pets.errors import InvalidArgument

_DEPTH = 64
"""Most levels of sums above the inner cells."""

_WHOLE = 1e-6
"""How far from a whole number a solution of the linear program may be."""


@dataclass(frozen=True, eq=False)
class Program:
    """A controlled rounding to be found.

    Attributes
    ----------
    floor
        Largest multiple of the base that is not above the value, shape (n,), in multiples.
    rest
        Value minus floor, shape (n,).
    target
        What the cost of a cell is the distance to, shape (n,): the remainder itself, or 0 or the base after a random
        draw.
    relations
        What must hold of the rounded values.
    base
        The base.
    further
        How many steps beyond its two neighbours a cell may be moved.
    """

    floor: NDArray[np.int64]
    rest: NDArray[np.int64]
    target: NDArray[np.int64]
    relations: Relations
    base: int
    further: int = 0


@dataclass(frozen=True, eq=False)
class Answer:
    """What the solver found.

    Attributes
    ----------
    multiples
        The rounded values in multiples of the base, shape (n,), or ``None`` if none was found.
    infeasible
        Whether it is proven that there is none.
    bound
        Proven lower bound of the cost.
    optimal
        Whether no rounding of the program costs less (within the demanded gap).
    """

    multiples: NDArray[np.int64] | None
    infeasible: bool = False
    bound: float = 0.0
    optimal: bool = False


def solve(program: Program, time_limit: float, gap: float, start: NDArray[np.int64] | None = None) -> Answer:
    """Return a rounding of least cost, or the best one found within `time_limit` seconds, `start` at the worst.

    The linear program comes first. Of tables with two ways its optimum is whole, hence the answer (their matrix is that
    of a network); only where it is not, an integer program follows.
    """
    steps = _steps(program)
    if not len(steps.cells):  # every value is a multiple already, and none may move
        return Answer(program.floor, optimal=True) if _adds_up(program, program.floor) else Answer(None, True)
    end = time.monotonic() + time_limit
    answer = _run(program, steps, {"time_limit": time_limit, "presolve": "off"}, whole=False)
    if answer.multiples is not None or answer.infeasible:
        return answer
    left = max(end - time.monotonic(), 0.01)
    answer = _run(program, steps, {"time_limit": left, "mip_rel_gap": gap}, whole=True)
    if start is None or (
        answer.multiples is not None and cost_of(program, answer.multiples) <= cost_of(program, start)
    ):
        return answer
    return Answer(start, bound=answer.bound)


def _run(program: Program, steps: _Steps, options: dict[str, Any], *, whole: bool) -> Answer:
    import highspy

    solver = quiet(**options)
    _load(solver, program, steps, whole)
    solver.run()
    status, info = solver.getModelStatus(), solver.getInfo()
    if status == highspy.HighsModelStatus.kInfeasible:
        return Answer(None, infeasible=True)
    optimal = status == highspy.HighsModelStatus.kOptimal
    found = np.asarray(solver.getSolution().col_value)
    bound = max(0.0, float(info.mip_dual_bound if whole else info.objective_function_value) + program.target.sum())
    if info.primal_solution_status != 2 or len(found) != len(steps.cells) or not (whole or optimal):
        return Answer(None, bound=bound if whole else 0.0)
    counted = np.rint(found).astype(np.int64)
    multiples = program.floor.copy()
    np.add.at(multiples, steps.cells, steps.direction * counted)
    # What the solver's tolerances let through is no answer: additivity is checked in exact integers.
    if (not whole and np.abs(found - counted).max() > _WHOLE) or not _adds_up(program, multiples):
        return Answer(None)
    return Answer(multiples, bound=bound, optimal=optimal)


def cumulative(program: Program) -> NDArray[np.int64] | None:
    """Return a rounding that adds up for most tables, found at once: inner cells first, then the sums.

    The running total of the inner cells is rounded, and each cell gets its increase, so that it goes to a neighbour and
    totals of cells in sequence stay near. ``None`` if the relations are not all of the kind "this cell is that sum".
    """
    rows = program.relations
    totals = np.zeros(len(program.floor), dtype=np.bool_)
    lone = np.bincount(rows.rows, weights=rows.signs < 0, minlength=rows.count) == 1
    totals[rows.indices[lone[rows.rows] & (rows.signs < 0)]] = True
    inner = np.flatnonzero(~totals)
    values = program.base * program.floor + program.rest
    running = np.concatenate([[0], (2 * np.cumsum(values[inner]) + program.base) // (2 * program.base)])
    found = np.zeros_like(program.floor)
    found[inner] = np.diff(running)
    if np.any(rows.constants):
        return None
    for _ in range(_DEPTH):
        lacking = missing_multiples(found, rows, program.base)
        if not lacking.any():
            return found
        known = ~totals
        parts = known[rows.indices] | (rows.signs < 0)
        ready = lone & (np.bincount(rows.rows, weights=~parts, minlength=rows.count) == 0)
        entries = ready[rows.rows] & (rows.signs < 0)
        found[rows.indices[entries]] -= lacking[rows.rows[entries]] * totals[rows.indices[entries]]
        totals[rows.indices[entries]] = False
    return None


def cost_of(program: Program, multiples: NDArray[np.int64]) -> int:
    """Return the distance of a rounding to the target, summed over the cells."""
    return int(np.abs(program.base * (multiples - program.floor) - program.target).sum())


def missing_multiples(floor: NDArray[np.int64], relations: Relations, base: int) -> NDArray[np.int64]:
    """Return how many multiples the floors lack in each relation, in exact integers.

    Raises
    ------
    InvalidArgument
        A relation adds up to a constant that is no multiple of the base: no rounding can keep it.
    """
    constants = np.rint(relations.constants).astype(np.int64)
    if np.any(constants % base) or np.any(constants != relations.constants):
        row = int(np.flatnonzero((constants % base != 0) | (constants != relations.constants))[0])
        raise InvalidArgument(
            "base",
            f"does not divide the constant of relation {row}",
            "Choose another base, or add the constant as a cell.",
        )
    sums = np.zeros(relations.count, dtype=np.int64)
    np.add.at(sums, relations.rows, relations.signs * floor[relations.indices])
    return np.asarray(constants // base - sums, dtype=np.int64)


def _adds_up(program: Program, multiples: NDArray[np.int64]) -> bool:
    return not missing_multiples(multiples, program.relations, program.base).any()


@dataclass(frozen=True, eq=False)
class _Steps:
    """The variables: whose steps each counts, in which direction, at what cost, and how many at most."""

    cells: NDArray[np.int64]
    direction: NDArray[np.int64]
    cost: NDArray[np.float64]
    most: NDArray[np.int64]


def _steps(program: Program) -> _Steps:
    inner = np.flatnonzero(program.rest > 0)
    one = np.ones_like(inner)
    kinds = [(inner, one, (program.base - 2 * program.target[inner]).astype(np.float64), one)]
    if program.further:
        # A published zero stays a zero, and no count becomes negative.
        free = np.flatnonzero(program.floor + program.rest > 0)
        one, price = np.ones_like(free), np.full(len(free), float(program.base))
        kinds.append((free, one, price, np.full(len(free), program.further)))
        kinds.append((free, -one, price, np.minimum(program.floor[free], program.further)))
    return _Steps(*(np.concatenate(column) for column in zip(*kinds, strict=True)))


def _load(solver: Any, program: Program, steps: _Steps, whole: bool) -> None:
    columns = program.relations.matrix(len(program.floor)).tocsc()[:, steps.cells]
    matrix = (columns * steps.direction.astype(np.float64)).tocsc()
    missing = missing_multiples(program.floor, program.relations, program.base).astype(np.float64)
    most = steps.most.astype(np.float64)
    load(solver, matrix, steps.cost, (np.zeros(len(most)), most), (missing, missing), whole=whole)
