r"""How a pure privacy loss is divided among tables that are measured with Laplace noise and averaged.

Let table T get the share :math:`e_T` of the loss: its cells have variance :math:`2 (L_T / e_T)^2` (the discrete law has
less). The residual of A has the variance :math:`1 / \sum_T e_T^2 K_{AT}` with
:math:`K_{AT} = 1 / (2 L_T^2 |T \setminus A|)` for the tables T that tell it, and the objective is
:math:`F(e) = \sum_A V_A / \sum_T e_T^2 K_{AT}` over shares that add up to 1. It is homogeneous of degree -2, so the
constraint goes away in :math:`F(e) (\sum e)^2`. It is not convex: where a table has nothing, a little is worth nothing.
So the descent starts from several divisions that are good for some workloads, and the best end is taken. Any
division keeps the guarantee; it is the error that depends on it, and that is known exactly beforehand.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_LEAST = 1e-3  # a smaller share is not worth a draw
_TINY = 1e-100


def objective(shares: Floats, told: Floats, worth: Floats) -> tuple[float, Floats]:
    """Return F(e) (sum e)^2 and its gradient.

    Parameters
    ----------
    shares
        Not negative, shape (tables,).
    told
        The matrix K, shape (residuals, tables).
    worth
        The weights V, shape (residuals,).
    """
    precision = np.maximum(told @ shares**2, _TINY)
    total, value = float(shares.sum()), float((worth / precision).sum())
    slope = -2 * shares * ((worth / precision**2) @ told)
    return value * total**2, slope * total**2 + 2 * value * total


def best_shares(told: Floats, worth: Floats, starts: Sequence[Floats]) -> Floats:
    """Return the best division that descent finds from any of `starts`; it is no worse than each of them."""
    from scipy.optimize import minimize

    best, least = starts[0] / starts[0].sum(), np.inf
    for start in starts:
        # Scaled to 1 at the start: the solver's tolerances are absolute.
        scale = objective(start / start.sum(), told, worth)[0]

        def value(shares: Floats, scale: float = scale) -> tuple[float, Floats]:
            found, slope = objective(shares, told, worth)
            return found / scale, slope / scale

        found = minimize(value, start / start.sum(), jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * start.size)
        for shares in (start, found.x, np.where(found.x < _LEAST * found.x.sum(), 0.0, found.x)):
            error = objective(shares, told, worth)[0]
            if shares.sum() > 0 and error < least * (1 + 1e-9):
                best, least = shares / shares.sum(), min(error, least)
    return np.asarray(best)
