"""HiGHS, the solver of all linear and integer programs here: one thread, silent, and handed arrays."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csc_array

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]


def quiet(**options: object) -> Any:
    """Return a solver that prints nothing and keeps to one thread, with further options of HiGHS set."""
    from highspy import Highs

    solver = Highs()
    for name, value in {"output_flag": False, "threads": 1, **options}.items():
        solver.setOptionValue(name, value)
    return solver


def load(
    solver: Any,
    matrix: csc_array,
    cost: Floats,
    bounds: tuple[Floats, Floats],
    rows: tuple[Floats, Floats],
    *,
    whole: bool = False,
) -> None:
    """Give `solver` the problem: minimise ``cost @ x`` with ``rows[0] <= matrix @ x <= rows[1]`` within bounds."""
    from highspy import HighsLp, HighsVarType, MatrixFormat

    model = HighsLp()
    model.num_row_, model.num_col_ = matrix.shape
    model.col_cost_ = cost
    model.col_lower_, model.col_upper_ = bounds
    model.row_lower_, model.row_upper_ = rows
    model.a_matrix_.format_ = MatrixFormat.kColwise
    model.a_matrix_.start_ = matrix.indptr
    model.a_matrix_.index_ = matrix.indices
    model.a_matrix_.value_ = matrix.data
    if whole:
        model.integrality_ = [HighsVarType.kInteger] * matrix.shape[1]
    solver.passModel(model)


def set_bounds(solver: Any, columns: Ints, lower: Floats, upper: Floats) -> None:
    """Change the bounds of some columns."""
    solver.changeColsBounds(len(columns), columns.astype(np.int32), lower, upper)


def set_costs(solver: Any, columns: Ints, cost: Floats) -> None:
    """Change the costs of some columns."""
    solver.changeColsCost(len(columns), columns.astype(np.int32), cost)


def solved(solver: Any, *, cold: bool = False) -> bool:
    """Run `solver` and return whether it found an optimum; one more try from scratch if it did not.

    Unless it starts `cold`, its word that there is none is not taken either: after many changes the basis that it
    starts from can be so ill-conditioned that it takes a program for infeasible which is not.
    """
    from highspy import HighsModelStatus

    for _ in range(2):
        solver.run()
        status = solver.getModelStatus()
        if status == HighsModelStatus.kOptimal:
            return True
        if cold and status in (HighsModelStatus.kInfeasible, HighsModelStatus.kUnboundedOrInfeasible):
            return False
        solver.clearSolver()
    return False
