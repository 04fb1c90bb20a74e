"""Rates with intervals, and differences of rates."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_NORMAL = 1.959963984540054


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval."""

    value: float
    low: float
    high: float


def wilson(hits: int, tries: int) -> Estimate:
    """Return a rate with Wilson's interval (Wilson 1927)."""
    if not tries:
        return Estimate(math.nan, 0.0, 1.0)
    p, z2 = hits / tries, _NORMAL**2
    middle = (p + z2 / (2 * tries)) / (1 + z2 / tries)
    half = _NORMAL * math.sqrt(p * (1 - p) / tries + z2 / (4 * tries**2)) / (1 + z2 / tries)
    return Estimate(p, max(0.0, middle - half), min(1.0, middle + half))


def excess(first: Estimate, second: Estimate) -> Estimate:
    """Return the difference of two rates with Newcombe's interval (Newcombe 1998, method 10)."""
    difference = first.value - second.value
    below = math.hypot(first.value - first.low, second.high - second.value)
    above = math.hypot(first.high - first.value, second.value - second.low)
    return Estimate(difference, max(-1.0, difference - below), min(1.0, difference + above))


def over_repeats(values: NDArray[np.float64], low: float, high: float) -> Estimate:
    """Return the mean of independent repeats with Student's interval, within the possible range."""
    from scipy.special import stdtrit

    fine = values[np.isfinite(values)]
    if len(fine) < 2:
        return Estimate(float(fine.mean()) if len(fine) else math.nan, low, high)
    mean = float(fine.mean())
    half = float(stdtrit(len(fine) - 1, 0.975)) * float(fine.std(ddof=1)) / math.sqrt(len(fine))
    return Estimate(mean, max(low, mean - half), min(high, mean + half))
