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


@lru_cache(maxsize=16)
def recovery(years: int) -> NDArray[np.float64]:
    """Return B, lower triangular, with B C the matrix of running sums; shape (years, years)."""
    from scipy.linalg import solve_triangular

    column = np.array(toeplitz(years)) / SCALE
    c = np.array([[column[i - j] if i >= j else 0.0 for j in range(years)] for i in range(years)])
    return np.asarray(solve_triangular(c, np.tri(years).T, trans="T", lower=True).T)
