"""The attacker's linear program: how far can one hidden cell move when the others move along?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pets.disclosure.complementary.problem import Problem
from pets.disclosure.highs import Floats, Ints, load, quiet, set_bounds, set_costs, solved
from pets.errors import PetsError

NOTHING = 1e-9


class SolverGaveUp(PetsError):
    """The solver found no optimum of a program that has one."""


class Reach(NamedTuple):
    """How far a cell moves, how the columns move with it, and the multipliers of the relations that stop it."""

    distance: float
    flow: Floats
    duals: Floats


class AttackLP:
    """Differences z of some hidden cells with ``matrix @ z == 0`` in a box; objective and box change, the basis stays.

    Parameters
    ----------
    problem
        The relations.
    columns
        Cells that may differ at all; the others are shown.
    """

    def __init__(self, problem: Problem, columns: Ints) -> None:
        from scipy.sparse import csc_array, csr_array

        self._problem = problem
        self.columns = columns
        self.place = np.full(problem.cells, -1)
        self.place[columns] = np.arange(len(columns))
        rows = csr_array(problem.matrix[:, columns])
        self._rows = np.flatnonzero(np.diff(rows.indptr))
        part = csc_array(rows[self._rows])
        zeros, level = np.zeros(len(columns)), np.zeros(len(self._rows))
        self._solver = quiet(presolve="off", solver="simplex", simplex_strategy=4)
        load(self._solver, part, zeros, (zeros, zeros), (level, level))
        self._all = np.arange(len(columns))
        self._down = self._up = zeros
        self._touched = -1

    @property
    def box(self) -> tuple[Floats, Floats]:
        """How far down and up each column can move at present."""
        return self._down, self._up

    def limit(self, down: Floats, up: Floats) -> None:
        """Let each column move by at most this much, shape (columns,)."""
        self._down, self._up = down, up
        self._touched = -1
        set_bounds(self._solver, self._all, -down, up)
        set_costs(self._solver, self._all, np.zeros(len(self._all)))

    def reach(self, cell: int, direction: int, most: float) -> Reach:
        """Return how far `cell` can move up (`direction` 1) or down (-1), looking no further than `most`."""
        at = int(self.place[cell])
        self._restore()
        self._touched = at
        self._solver.changeColCost(at, -float(direction))
        low, high = float(self._down[at]), float(self._up[at])
        low, high = (low, min(most, high)) if direction > 0 else (min(most, low), high)
        self._solver.changeColBounds(at, -low, high)
        flow, duals = self._run()
        return Reach(direction * float(flow[at]), flow, duals)

    def sway(self, weights: Floats, down: Floats, up: Floats) -> Floats:
        """Return one flow that moves many columns at once: the largest ``weights @ z`` within a narrower box."""
        self._touched = -1
        set_costs(self._solver, self._all, -weights)
        set_bounds(self._solver, self._all, -down, up)
        flow, _ = self._run()
        set_bounds(self._solver, self._all, -self._down, self._up)
        set_costs(self._solver, self._all, np.zeros(len(self._all)))
        return flow

    def coefficients(self, cell: int, direction: int, duals: Floats) -> Floats:
        """Return c, shape (n,), such that `cell` moves at most ``c @ x`` if each cell i is hidden by ``x[i]``.

        Weak duality: whatever the multipliers, so rounding in the solver can only weaken the inequality.
        """
        multipliers = np.zeros(self._problem.matrix.shape[0])
        multipliers[self._rows] = duals
        price = -(self._problem.transposed @ multipliers)
        price[cell] -= direction
        price[np.abs(price) < NOTHING] = 0.0
        return np.where(price < 0, -price * self._problem.up, price * self._problem.down)

    def _restore(self) -> None:
        at = self._touched
        if at >= 0:
            self._solver.changeColCost(at, 0.0)
            self._solver.changeColBounds(at, -float(self._down[at]), float(self._up[at]))

    def _run(self) -> tuple[Floats, Floats]:
        if not solved(self._solver):
            raise SolverGaveUp("the solver gave up on a linear program. Please report the table's size and shape.")
        solution = self._solver.getSolution()
        return np.array(solution.col_value), np.array(solution.row_dual)
