"""Rényi bounds of a total loss at the best real order.

With theta = order - 1, E[e^(theta L)] = e^K(theta) bounds delta <= e^(K - theta epsilon) (1 - 1/order)^theta / order
(Canonne, Kamath and Steinke, "The Discrete Gaussian for Differential Privacy", 2020, section 2.3). Any theta is
valid; the best one also says where the integral of :mod:`pets.dp.accounting.contour` is best taken.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from pets.dp.accounting.model import Model
from pets.dp.accounting.transforms import Reals

_COARSE, _FINE, _ROUNDS = 72, 10, 3
_SLACK = 1e-13


class Tilt(NamedTuple):
    """The best theta, the bound it gives, and K on the grid that was searched."""

    theta: float
    bound: float
    grid: Reals
    log_mgf: Reals

    def saddle(self, epsilon: float) -> float:
        """Return the theta of the grid at which Chernoff's bound at `epsilon` is least."""
        values = self.log_mgf - self.grid * epsilon - np.log(self.grid * (self.grid + 1))
        return float(self.grid[int(np.argmin(values))])


def epsilon_bound(model: Model, log_delta: float) -> Tilt:
    """Return the smallest epsilon at delta = e^log_delta."""

    def epsilon(theta: Reals, log_mgf: Reals) -> Reals:
        bound: Reals = (log_mgf - log_delta - np.log1p(theta)) / theta - np.log1p(1 / theta)
        return bound

    return _best(model, epsilon)


def delta_bound(model: Model, epsilon: float) -> Tilt:
    """Return the smallest ln(delta) at `epsilon`, as ``bound``."""

    def log_delta(theta: Reals, log_mgf: Reals) -> Reals:
        bound: Reals = log_mgf - theta * epsilon - np.log1p(theta) - theta * np.log1p(1 / theta)
        return bound

    return _best(model, log_delta)


def _best(model: Model, objective: Callable[[Reals, Reals], Reals]) -> Tilt:
    grid = np.geomspace(1e-2, 1e4, _COARSE) / model.scale()
    log_mgf = model.log_mgf(grid)
    values = objective(grid, log_mgf)
    best = int(np.argmin(values))
    low, high = float(grid[max(best - 1, 0)]), float(grid[min(best + 1, _COARSE - 1)])
    for _ in range(_ROUNDS):
        fine = np.geomspace(low, high, _FINE)
        fine_log = model.log_mgf(fine)
        fine_values = objective(fine, fine_log)
        at = int(np.argmin(fine_values))
        low, high = float(fine[max(at - 1, 0)]), float(fine[min(at + 1, _FINE - 1)])
    bound = float(min(fine_values[at], values[best]))
    slack = _SLACK * (1 + abs(bound) + abs(float(fine_log[at])) / float(fine[at]) + abs(float(fine_log[at])))
    return Tilt(float(fine[at]), bound + slack, grid, log_mgf)
