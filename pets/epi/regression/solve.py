"""The root of an estimating equation, by a damped Newton method."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pets.errors import InvalidArgument

Array = NDArray[np.float64]
Equation = Callable[[Array], tuple[Array, Array]]
"""Of coefficients: U of shape (p,), and minus its expected derivative, shape (p, p)."""

_STEPS, _HALVINGS, _CLOSE, _FAR = 100, 30, 1e-10, 30.0


def root(equation: Equation, size: int, penalty: Array) -> tuple[Array, Array]:
    """Return the coefficients beta with ``U(beta) = penalty * beta``, and the derivative J of their equation.

    Parameters
    ----------
    equation
        What is to vanish.
    size
        Number of coefficients p.
    penalty
        Ridge penalty of each coefficient, shape (p,), not negative.

    Raises
    ------
    InvalidArgument
        There is no root within reach: the noise outweighs the information, or a category has no events.
    """
    beta = np.zeros(size)
    score, slope = _penalised(equation, beta, penalty)
    for _ in range(_STEPS):
        step = _step(slope, score)
        size_now = float(score @ step)
        if size_now < _CLOSE:
            return beta, slope
        beta, score, slope = _advance(equation, beta, step, penalty, size_now)
    raise _no_root()


def _penalised(equation: Equation, beta: Array, penalty: Array) -> tuple[Array, Array]:
    score, slope = equation(beta)
    return score - penalty * beta, slope + np.diag(penalty)


def _advance(equation: Equation, beta: Array, step: Array, penalty: Array, before: float) -> tuple[Array, Array, Array]:
    """Go along `step`, halved until the equation is nearer to its root."""
    for halving in range(_HALVINGS):
        tried = beta + step / 2**halving
        if np.abs(tried).max() > _FAR:
            continue
        score, slope = _penalised(equation, tried, penalty)
        if not np.isfinite(score).all() or not _invertible(slope):
            continue
        if float(score @ _step(slope, score)) < before:
            return tried, score, slope
    raise _no_root()


def _step(slope: Array, score: Array) -> Array:
    if not _invertible(slope):
        raise _no_root()
    return np.asarray(np.linalg.solve(slope, score))


def _invertible(slope: Array) -> bool:
    """Return whether the information is positive in every direction: signed noisy counts may make it negative."""
    if not np.isfinite(slope).all():
        return False
    values = np.linalg.eigvalsh((slope + slope.T) / 2)
    return bool(values.min() > 1e-9 * max(values.max(), 1e-300))


def _no_root() -> InvalidArgument:
    return InvalidArgument(
        "ridge",
        "is too small for these counts: some coefficient has no finite estimate",
        "Set ridge=1 or more, merge categories, or leave a covariate out.",
    )
