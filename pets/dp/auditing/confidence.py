"""Confidence bounds that hold at every sample size: nothing here is a normal approximation."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def at_least(hits: int, draws: int, alpha: float) -> float:
    """Return a lower bound of a probability, wrong with probability at most `alpha` (Clopper and Pearson 1934)."""
    from scipy.special import betaincinv

    return float(betaincinv(hits, draws - hits + 1, alpha)) if hits else 0.0


def at_most(hits: int, draws: int, alpha: float) -> float:
    """Return an upper bound of a probability, wrong with probability at most `alpha` (Clopper and Pearson 1934)."""
    from scipy.special import betaincinv

    return float(betaincinv(hits + 1, draws - hits, 1 - alpha)) if hits < draws else 1.0


def mean_error(counts: NDArray[np.int64], values: NDArray[np.float64], alpha: float) -> tuple[float, float]:
    """Return the mean of `values` over the draws counted, and how far the expectation may lie to one chosen side.

    Parameters
    ----------
    counts
        How often each value was drawn.
    values
        Bounded values, fixed before the draws were made.
    alpha
        Probability with which the bound may be wrong.

    References
    ----------
    Maurer and Pontil, "Empirical Bernstein bounds and sample variance penalization", COLT 2009, theorem 4.
    """
    draws = int(counts.sum())
    mean = float(counts @ values) / draws
    variance = float(counts @ (values - mean) ** 2) / (draws - 1)
    span, chance = float(np.ptp(values)), math.log(2 / alpha)
    return mean, math.sqrt(2 * variance * chance / draws) + 7 * span * chance / (3 * (draws - 1))
