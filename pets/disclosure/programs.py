"""Linear and integer programs over a system, solved by HiGHS again and again with other objectives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from pets.disclosure.highs import load, quiet
from pets.disclosure.system import System, Vector, contradiction
from pets.errors import PetsError

PRIMAL_SIMPLEX = 4
"""After a change of the objective the old basis is still primal feasible, so that few pivots are left."""


@dataclass(frozen=True, slots=True, eq=False)
class Optimum:
    """What a program found.

    Parameters
    ----------
    bound
        No solution has a smaller objective, up to the solver's tolerance; ``-inf`` if the program is unbounded.
    x
        The best solution, shape (n,), or ``None`` if there is none (unbounded, or the time was up).
    """

    bound: float
    x: Vector | None


class Program:
    """Minimises one linear objective after the other over the same system.

    Parameters
    ----------
    system
        The rows and bounds.
    whole
        Whether x must be whole: an integer program, branched as far as needed; otherwise a linear one.
    gap
        Relative gap at which an integer program may stop.
    """

    def __init__(self, system: System, whole: bool = False, gap: float = 0.0) -> None:
        from highspy import HighsModelStatus, kHighsInf

        self._solver = quiet(**_options(whole, gap))
        self._status = HighsModelStatus
        self._whole = whole
        self._columns = np.arange(system.size, dtype=np.int32)
        bounds = np.clip(system.lower, -kHighsInf, kHighsInf), np.clip(system.upper, -kHighsInf, kHighsInf)
        equal = system.rhs, system.rhs
        load(self._solver, system.matrix.tocsc(), np.zeros(system.size), bounds, equal, whole=whole)

    def minimise(self, cost: Vector, seconds: float | None = None) -> Optimum:
        """Return the least value of ``cost @ x``.

        Raises
        ------
        InvalidArgument
            The system has no solution.
        PetsError
            The solver gave up.
        """
        solver = self._solver
        solver.changeColsCost(len(self._columns), self._columns, np.asarray(cost, dtype=np.float64))
        if seconds is not None:
            solver.setOptionValue("time_limit", float(solver.getRunTime() + max(seconds, 0.01)))
        solver.run()
        status = solver.getModelStatus()
        if status == self._status.kOptimal:
            info = solver.getInfo()
            bound = info.mip_dual_bound if self._whole else info.objective_function_value
            return Optimum(float(bound), np.asarray(solver.getSolution().col_value))
        if status in {self._status.kUnbounded, self._status.kUnboundedOrInfeasible}:
            return Optimum(-np.inf, None)
        if status == self._status.kInfeasible:
            raise contradiction()
        if status == self._status.kTimeLimit:
            return self._interrupted()
        raise PetsError(f"the solver stopped with {status.name}. Please report the table's size and shape.")

    def fix(self, column: int, lower: float, upper: float) -> None:
        """Change the bounds of one unknown."""
        self._solver.changeColBounds(int(column), float(lower), float(upper))

    def row_duals(self) -> Vector:
        """Return the multiplier of each row in the last optimum, shape (m,)."""
        return np.asarray(self._solver.getSolution().row_dual)

    def _interrupted(self) -> Optimum:
        info = self._solver.getInfo()
        found = info.primal_solution_status == 2
        bound = float(info.mip_dual_bound) if self._whole else -np.inf
        return Optimum(bound, np.asarray(self._solver.getSolution().col_value) if found else None)


def _options(whole: bool, gap: float) -> dict[str, Any]:
    if whole:
        # objectives are whole, so that a bound within one of the solution proves it
        return {"mip_rel_gap": gap, "mip_abs_gap": 0.999}
    return {"presolve": "off", "simplex_strategy": PRIMAL_SIMPLEX}
