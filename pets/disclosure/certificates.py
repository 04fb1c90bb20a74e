"""Proofs of what a hidden cell must be: published cells, added and subtracted, checked in exact arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil
from typing import TypeAlias

import numpy as np

from pets.disclosure.programs import Program
from pets.disclosure.system import System, Vector
from pets.errors import PetsError

FINEST = 1000
"""Largest denominator that multipliers are rounded to; the rounded ones are checked anew, exactly."""

REST = 0.01
"""What it costs a proof to lean on a bound, as a share of a row."""

BRANCHES = 400
"""Most cases that a proof may distinguish."""


FRACTION = 1e-5
"""What counts as a part of a whole number in the solver's arithmetic."""


@dataclass(frozen=True, slots=True)
class Combination:
    """Rows of a system, each times a number: what they add up to bounds ``goal @ x`` from below.

    With ``d = goal - multipliers @ matrix`` every solution has ``goal @ x = multipliers @ rhs + d @ x``, and
    ``d @ x`` is at least what the bounds of each unknown allow. A goal of zero bounded above zero is a
    contradiction: there is no solution.
    """

    multipliers: tuple[tuple[int, Fraction], ...]

    def bound(self, system: System, goal: dict[int, int]) -> Fraction | None:
        """Return the bound in exact arithmetic; ``None`` if it is minus infinity."""
        rest: dict[int, Fraction] = {column: Fraction(value) for column, value in goal.items()}
        total = Fraction(0)
        for row, factor in self.multipliers:
            total += factor * Fraction(float(system.rhs[row]))
            part = slice(int(system.matrix.indptr[row]), int(system.matrix.indptr[row + 1]))
            for column, entry in zip(system.matrix.indices[part], system.matrix.data[part], strict=True):
                rest[int(column)] = rest.get(int(column), Fraction(0)) - factor * Fraction(float(entry))
        for column, weight in rest.items():
            end = float(system.lower[column] if weight > 0 else system.upper[column])
            if weight and not np.isfinite(end):
                return None
            total += weight * Fraction(end) if weight else 0
        return total


@dataclass(frozen=True, slots=True)
class Cases:
    """Two cases, ``x[column] <= value`` and ``x[column] > value``, each with its own proof."""

    column: int
    value: int
    below: Proof
    above: Proof


Proof: TypeAlias = Combination | Cases


@dataclass(frozen=True, slots=True, eq=False)
class Certificate:
    """Proof that an unknown of a system lies between two values, which may be the same.

    Parameters
    ----------
    system
        The hidden cells as the attacker sees them.
    column
        The unknown.
    low, high
        Its proven ends.
    below, above
        Proofs that it is not below `low` and not above `high`.
    """

    system: System
    column: int
    low: float
    high: float
    below: Proof
    above: Proof

    def verify(self) -> bool:
        """Return whether both proofs hold; integers and fractions only, no solver and no rounding."""
        return _proves(self.system, {self.column: 1}, self.low, self.below) and _proves(
            self.system, {self.column: -1}, -self.high, self.above
        )

    @property
    def is_equation(self) -> bool:
        """Whether published cells alone give the value: no bound of another hidden cell is needed."""
        return (
            isinstance(self.below, Combination)
            and isinstance(self.above, Combination)
            and set(self.below.multipliers) == {(row, -factor) for row, factor in self.above.multipliers}
            and self.below.bound(_unbounded(self.system), {self.column: 1}) is not None
        )


def certify(system: System, column: int, low: float, high: float, weights: Vector | None = None) -> Certificate | None:
    """Return a short proof that ``low <= x[column] <= high`` for every solution, or ``None`` if none was found.

    First published cells alone are tried, as few as possible, then bounds of other hidden cells as well, then (for
    whole numbers) cases. Short means a small sum of multipliers, each times the weight of its row (how long
    it is to write out, say), shape (m,).
    """
    costs = np.ones(system.matrix.shape[0]) if weights is None else weights
    if low == high:
        factors = _fewest_rows(system, column, costs)
        if factors is not None:
            opposite = Combination(tuple((row, -factor) for row, factor in factors.multipliers))
            found = Certificate(system, column, low, high, factors, opposite)
            if found.verify():
                return found
    search = _Search(costs)
    below, above = search.prove(system, {column: 1}, low), search.prove(system, {column: -1}, -high)
    if below is None or above is None:
        return None
    return Certificate(system, column, low, high, below, above)


def _proves(system: System, goal: dict[int, int], least: float, proof: Proof) -> bool:
    """Whether `proof` shows that ``goal @ x >= least``."""
    if isinstance(proof, Combination):
        bound = proof.bound(system, goal)
        return bound is not None and _reaches(system, bound, least, bool(goal))
    if not system.integral:
        return False
    halves = _halves(system, proof.column, proof.value)
    return all(
        _proves(half, goal, least, part) or _proves(half, {}, 1.0, part)
        for half, part in zip(halves, (proof.below, proof.above), strict=True)
    )


def _reaches(system: System, bound: Fraction, least: float, has_goal: bool) -> bool:
    if not has_goal:
        return bound > 0
    if system.integral:
        return ceil(bound) >= Fraction(least)
    return bound >= Fraction(least) - Fraction(system.slack)


def _halves(system: System, column: int, value: int) -> tuple[System, System]:
    upper, lower = system.upper.copy(), system.lower.copy()
    upper[column] = min(upper[column], value)
    lower[column] = max(lower[column], value + 1)
    return (
        System(system.matrix, system.rhs, system.lower, upper, system.integral),
        System(system.matrix, system.rhs, lower, system.upper, system.integral),
    )


def _unbounded(system: System) -> System:
    """The same rows without any bounds."""
    lower, upper = np.full(system.size, -np.inf), np.full(system.size, np.inf)
    return System(system.matrix, system.rhs, lower, upper, system.integral)


class _Search:
    """The search for one proof, over as many cases as are left."""

    def __init__(self, costs: Vector) -> None:
        self.costs = costs
        self.left = BRANCHES

    def prove(self, system: System, goal: dict[int, int], least: float) -> Proof | None:
        """Return a proof that ``goal @ x >= least``."""
        found = self.with_bounds(system, goal, least)
        if found is not None or not system.integral:
            return found
        return self.by_cases(system, goal, least)

    def by_cases(self, system: System, goal: dict[int, int], least: float) -> Proof | None:
        """Branch on an unknown that the linear program leaves between whole numbers."""
        relaxed = _relaxed(system, _vector(system.size, goal))
        if relaxed is None:
            return self.with_bounds(system, {}, 1.0)
        if relaxed[0] > least - 1 + FRACTION:
            return self.with_bounds(system, goal, least)
        gap = np.abs(relaxed[1] - np.rint(relaxed[1]))
        column = int(gap.argmax())
        self.left -= 1
        if gap[column] < FRACTION or self.left < 0:
            return None
        value = int(np.floor(relaxed[1][column]))
        below, above = (self.by_cases(half, goal, least) for half in _halves(system, column, value))
        return None if below is None or above is None else Cases(column, value, below, above)

    def with_bounds(self, system: System, goal: dict[int, int], least: float) -> Combination | None:
        """Multipliers that prove ``goal @ x >= least`` with the help of bounds."""
        found = _shortest_dual(system, goal, least, self.costs)
        if found is None and goal and system.integral:
            # the linear program falls short of a whole number by less than 1: aim at what it reaches
            relaxed = _relaxed(system, _vector(system.size, goal))
            reached = None if relaxed is None else Fraction(relaxed[0]).limit_denominator(FINEST)
            if reached is None or reached <= least - 1:
                return None
            found = _shortest_dual(system, goal, float(reached), self.costs)
        return found if found is not None and _proves(system, goal, least, found) else None


def _vector(size: int, goal: dict[int, int]) -> Vector:
    found = np.zeros(size)
    found[list(goal)] = list(goal.values())
    return found


def _relaxed(system: System, cost: Vector) -> tuple[float, Vector] | None:
    if np.any(system.lower > system.upper):
        return None
    try:
        found = Program(system).minimise(cost)
    except PetsError:
        return None
    return None if found.x is None else (found.bound, found.x)


def _fewest_rows(system: System, column: int, costs: Vector) -> Combination | None:
    """Multipliers with ``multipliers @ matrix @ x == x[column]`` and the least sum of sizes."""
    from scipy.sparse import csr_array, hstack

    rows = system.matrix.shape[0]
    matrix = csr_array(hstack([system.matrix.T, -system.matrix.T]))
    target = _vector(system.size, {column: 1})
    dual = System(matrix, target, np.zeros(2 * rows), np.full(2 * rows, np.inf), False)
    found = _relaxed(dual, np.concatenate([costs, costs]))
    return None if found is None else _rounded(found[1][:rows] - found[1][rows:])


def _shortest_dual(system: System, goal: dict[int, int], least: float, costs: Vector) -> Combination | None:
    """Solve for multipliers y = y+ - y- and rests d = d+ - d- with ``A'y + d = goal`` and a bound of `least`."""
    from scipy.sparse import csr_array, eye_array, hstack, vstack

    rows, size = system.matrix.shape
    below, above = np.isfinite(system.lower), np.isfinite(system.upper)
    unit = eye_array(size, format="csc")
    upright = hstack([system.matrix.T, -system.matrix.T, unit[:, below], -unit[:, above], csr_array((size, 1))])
    ends = np.concatenate([system.rhs, -system.rhs, system.lower[below], -system.upper[above], [-1.0]])
    matrix = csr_array(vstack([upright, csr_array(ends[None, :])]))
    target = np.append(_vector(size, goal), least)
    count = matrix.shape[1]
    cost = np.concatenate([costs, costs, np.full(count - 2 * rows - 1, float(costs.min(initial=1.0))), [0.0]])
    cost[2 * rows : -1] *= REST
    found = _relaxed(System(matrix, target, np.zeros(count), np.full(count, np.inf), False), cost)
    return None if found is None else _rounded(found[1][:rows] - found[1][rows : 2 * rows])


def _rounded(multipliers: Vector) -> Combination:
    near = [(row, Fraction(float(y)).limit_denominator(FINEST)) for row, y in enumerate(multipliers)]
    return Combination(tuple((row, factor) for row, factor in near if factor))
