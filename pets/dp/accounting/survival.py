"""How likely the loss of one mechanism exceeds a level, under P and under Q.

All losses here are symmetric: L under P has the law of -L under Q.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pets.dp.accounting.transforms import Reals
from pets.errors import InvalidArgument

Tails = Callable[[Reals], tuple[Reals, Reals]]
"""From levels (possibly infinite) to (P(L > level), Q(L > level))."""

_FAR = 25.0  # standard deviations: a normal tail of 1e-137
_LARGEST_TABLE = 2_000_000


def tails(family: str, parameters: tuple[float, ...]) -> tuple[Tails, float]:
    """Return the tails of a family's loss, and a level above which they are below 1e-130."""
    return _TAILS[family](*parameters)


def _gaussian(mu: float) -> tuple[Tails, float]:
    from scipy.special import ndtr

    def both(level: Reals) -> tuple[Reals, Reals]:
        return ndtr(mu / 2 - level / mu), ndtr(-mu / 2 - level / mu)

    return both, mu * (mu / 2 + _FAR)


def _laplace(eta: float) -> tuple[Tails, float]:
    def both(level: Reals) -> tuple[Reals, Reals]:
        t = np.clip(level, -eta, eta)
        p, q = 1 - np.exp((t - eta) / 2) / 2, np.exp(-(eta + t) / 2) / 2
        return _outside(level, eta, p, q)

    return both, eta


def _two_points(eta: float, others: float, _delta: float) -> tuple[Tails, float]:
    whole = 1 + (others + 1) * np.exp(-eta)

    def both(level: Reals) -> tuple[Reals, Reals]:
        high, low = 1 / whole, np.exp(-eta) / whole
        middle = others * low
        above_zero = level < 0
        return _outside(level, eta, high + middle * above_zero, low + middle * above_zero)

    return both, eta


def _range(eta: float) -> tuple[Tails, float]:
    def both(level: Reals) -> tuple[Reals, Reals]:
        t = np.clip(level, -eta, eta)
        p = np.expm1((t - eta) / 2) / np.expm1(-eta)
        return _outside(level, eta, p, p * np.exp(-(t + eta) / 2))

    return both, eta


def _discrete_laplace(step: float, change: float) -> tuple[Tails, float]:
    eta, whole = step * change, 1 + np.exp(-step)

    def both(level: Reals) -> tuple[Reals, Reals]:
        last = np.ceil((change - np.clip(level, -eta, eta) / step) / 2) - 1
        last = np.clip(last, 0, change - 1)
        return _outside(level, eta, 1 - np.exp(-step * (last + 1)) / whole, np.exp(-step * (change - last)) / whole)

    return both, eta


def _discrete_gaussian(sigma2: float, change: float) -> tuple[Tails, float]:
    sigma, shift = float(np.sqrt(sigma2)), int(change)
    far = int(np.ceil(_FAR * sigma)) + 2
    if far + shift > _LARGEST_TABLE:
        raise InvalidArgument(
            "sigma2",
            "is too large for the sampled discrete Gaussian",
            "Coarsen the integers, or account for the mechanism without sampling.",
        )
    points = np.arange(-far, far + 1)
    weights = np.exp(-(points**2) / (2 * sigma2))
    cumulated = np.concatenate([[0.0], np.cumsum(weights / weights.sum())])

    def up_to(k: Reals) -> Reals:
        index = np.clip(k + far + 1, 0, cumulated.size - 1).astype(np.int64)
        found: Reals = np.minimum(cumulated[index], 1.0)
        return found

    def both(level: Reals) -> tuple[Reals, Reals]:
        last = np.ceil(change / 2 - level * sigma2 / change) - 1
        return up_to(last), up_to(last - shift)

    return both, change / sigma2 * (far + 1 + change / 2)


def _outside(level: Reals, eta: float, p: Any, q: Any) -> tuple[Reals, Reals]:
    """Put in the certain values where the level lies outside [-eta, eta)."""
    below, above = level < -eta, level >= eta
    return np.where(below, 1.0, np.where(above, 0.0, p)), np.where(below, 1.0, np.where(above, 0.0, q))


_TAILS: dict[str, Callable[..., tuple[Tails, float]]] = {
    "gaussian": _gaussian,
    "laplace": _laplace,
    "two points": _two_points,
    "range": _range,
    "discrete laplace": _discrete_laplace,
    "discrete gaussian": _discrete_gaussian,
}
