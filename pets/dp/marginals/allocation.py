r"""How much noise each component gets: the least weighted mean of variances, or the least largest one.

Let component :math:`A` have noise variance :math:`x_A`, loss :math:`p_A / x_A` and weight :math:`V_A` in the objective.
Minimising :math:`\sum V_A x_A` under :math:`\sum p_A / x_A \le C` gives, by Cauchy and Schwarz,
:math:`x_A = \sqrt{p_A / V_A} \, \sum_B \sqrt{p_B V_B} / C` with the value :math:`(\sum \sqrt{p_A V_A})^2 / C`.

The largest of several objectives :math:`\sum V_{TA} x_A` is convex in :math:`x`; its dual is to choose weights
:math:`\lambda` of the tables that maximise :math:`\sum_A \sqrt{p_A \sum_T \lambda_T V_{TA}}`, which is concave.

References
----------
Xiao, He, Zhang and Kifer, *An optimal and scalable matrix mechanism for noisy marginals under convex loss functions*,
NeurIPS 2023, sections 4.1 and 4.2.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pets.errors import PetsError


def least_sum(losses: NDArray[np.float64], weights: NDArray[np.float64], budget: float = 1.0) -> NDArray[np.float64]:
    """Return the variances that minimise the weighted sum.

    Parameters
    ----------
    losses, weights
        Positive, shape (components,).
    budget
        Limit of ``sum(losses / variances)``.
    """
    return np.asarray(np.sqrt(losses / weights) * np.sqrt(losses * weights).sum() / budget)


def least_maximum(losses: NDArray[np.float64], tables: NDArray[np.float64], budget: float = 1.0) -> NDArray[np.float64]:
    """Return the variances that minimise the largest of several weighted sums.

    Parameters
    ----------
    losses
        Positive, shape (components,).
    tables
        Weights of the components in each sum, shape (tables, components); none negative, no column all 0.
    budget
        Limit of ``sum(losses / variances)``.

    Returns
    -------
    ndarray
        Variances whose largest sum is within a relative 1e-6 of the least possible: the dual value proves it.

    Raises
    ------
    PetsError
        The solver does not reach that gap.
    """
    from scipy.optimize import minimize

    n = len(tables)
    start = np.full(n, 1 / n)
    scale = np.sqrt(losses * (start @ tables)).sum()

    def value(share: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        roots = np.sqrt(losses / np.maximum(share @ tables, 1e-300))
        return -float((roots * (share @ tables)).sum()) / scale, np.asarray(-(tables @ roots) / (2 * scale))

    floor = 1e-9 / n  # keeps each component's weight above zero
    found = minimize(  # type: ignore[call-overload]  # the stubs lack jac=True with SLSQP's dictionaries
        value, start, jac=True, method="SLSQP", bounds=[(floor, 1.0)] * n,
        constraints={"type": "eq", "fun": lambda s: s.sum() - 1, "jac": np.ones_like},
        options={"maxiter": 500, "ftol": 1e-15},
    )  # fmt: skip
    share = _polish(losses, tables, np.maximum(found.x, floor))
    variances = least_sum(losses, share @ tables, budget)
    if _gap(losses, tables, share) > 1e-6:
        raise PetsError("the largest variance was not minimised to 1e-6. Use objective='mean'.")
    return variances


def _gap(losses: NDArray[np.float64], tables: NDArray[np.float64], share: NDArray[np.float64]) -> float:
    """Return how far the largest sum is above its lower bound, the weighted mean, relative to it."""
    sums = tables @ least_sum(losses, share @ tables)
    return float(sums.max() / (share @ sums / share.sum()) - 1)


def _polish(
    losses: NDArray[np.float64], tables: NDArray[np.float64], share: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return better weights by multiplicative steps, which raise the dual value (Titterington 1976)."""
    best, least = share / share.sum(), np.inf
    for _ in range(20_000):
        share = share / share.sum()
        gap = _gap(losses, tables, share)
        if gap < least:
            best, least = share, gap
        if gap <= 1e-9:
            break
        sums = tables @ least_sum(losses, share @ tables)
        share = share * np.sqrt(sums / (share @ sums))
    return np.asarray(best)
