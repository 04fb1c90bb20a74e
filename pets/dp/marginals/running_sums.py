r"""The factors of running sums over T years: :math:`A = B C` with :math:`C` the rounded square root of :math:`A`."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

SCALE = 2**20
"""Entries of C are multiples of 1 / SCALE."""


@lru_cache(maxsize=16)
def toeplitz(years: int) -> tuple[int, ...]:
    """Return the first column of the scaled C: binomial(2 k, k) / 4**k in units of 2**-20, rounded."""
    exact, found = Fraction(1), []
    for k in range(years):
        found.append(round(exact * SCALE))
        exact *= Fraction(2 * k + 1, 2 * k + 2)
    return tuple(found)


@lru_cache(maxsize=64)
def farthest(years: int, filled: int) -> int:
    """Return the squared length of the longest sum of `filled` columns of the scaled C: the first ones.

    Entries are positive and fall with the lag, so two columns have the larger inner product the nearer they are to each
    other and to the first year. Of all choices of so many years the first ones therefore have the longest sum.
    """
    column = toeplitz(years)
    return sum(sum(column[max(0, year - filled + 1) : year + 1]) ** 2 for year in range(years))


@lru_cache(maxsize=16)
def recovery(years: int) -> NDArray[np.float64]:
    """Return B, lower triangular, with B C the matrix of running sums; shape (years, years)."""
    from scipy.linalg import solve_triangular

    column = np.array(toeplitz(years)) / SCALE
    c = np.array([[column[i - j] if i >= j else 0.0 for j in range(years)] for i in range(years)])
    return np.asarray(solve_triangular(c, np.tri(years).T, trans="T", lower=True).T)
