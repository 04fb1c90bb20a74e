"""The linear system in the hidden cells that a publication leaves to its reader."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pets.errors import InvalidArgument

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Vector = NDArray[np.float64]

EPSILON = 1e-7
"""Tolerance of comparisons in real-valued systems, relative to the numbers compared."""

SWEEPS = 200
"""Rounds of bound propagation; more would tighten little that a linear program does not find anyway."""


@dataclass(frozen=True, eq=False, repr=False)
class System:
    """All x with ``matrix @ x == rhs`` and ``lower <= x <= upper``, whole numbers if `integral`.

    Parameters
    ----------
    matrix
        Sparse, shape (m, n); whole coefficients.
    rhs
        Shape (m,).
    lower, upper
        Shape (n,); may be infinite.
    integral
        Whether x is known to be whole. All numbers must then be whole and below 2**53.
    """

    matrix: csr_array
    rhs: Vector
    lower: Vector
    upper: Vector
    integral: bool

    @property
    def size(self) -> int:
        """Number n of unknowns."""
        return len(self.lower)

    @cached_property
    def entries(self) -> tuple[NDArray[np.intp], NDArray[np.intp], Vector]:
        """Row, column and coefficient of each entry of the matrix."""
        rows = np.repeat(np.arange(self.matrix.shape[0]), np.diff(self.matrix.indptr))
        return rows, self.matrix.indices.astype(np.intp), self.matrix.data

    @cached_property
    def slack(self) -> float:
        """Tolerance of comparisons: none for whole numbers."""
        if self.integral:
            return 0.0
        finite = self.rhs[np.isfinite(self.rhs)]
        return EPSILON * max(1.0, float(np.abs(finite).max(initial=0.0)))

    def restrict(self, unknown: NDArray[np.bool_], values: Vector) -> System:
        """Return the system in the `unknown` columns, with `values` for the others; duplicate rows merged.

        Raises
        ------
        InvalidArgument
            The known values contradict a row without unknowns.
        """
        rhs = self.rhs - self.matrix[:, ~unknown] @ values[~unknown]
        matrix = self.matrix[:, unknown].tocsr()
        matrix.sort_indices()
        filled = np.diff(matrix.indptr) > 0
        if np.any(np.abs(rhs[~filled]) > self.slack):
            row = int(np.flatnonzero(~filled & (np.abs(rhs) > self.slack))[0])
            raise InvalidArgument("table", f"its published cells contradict each other in relation {row}")
        keep = np.flatnonzero(filled)
        keep = keep[_first_of_each(matrix[keep], rhs[keep] if self.integral else np.zeros(keep.size))]
        return System(matrix[keep], rhs[keep], self.lower[unknown], self.upper[unknown], self.integral)

    def propagate(self) -> System:
        """Return the same system with every bound that follows from one row at a time, again and again.

        Raises
        ------
        InvalidArgument
            No x satisfies the rows: the publication contradicts itself or what is known of it.
        """
        lower, upper = self.lower.copy(), self.upper.copy()
        for _ in range(SWEEPS):
            low, high = self._implied(lower, upper)
            if self.integral:
                np.ceil(low - EPSILON, out=low)
                np.floor(high + EPSILON, out=high)
            rises, falls = low > lower + self.slack, high < upper - self.slack
            if not (rises.any() or falls.any()):
                break
            lower[rises], upper[falls] = low[rises], high[falls]
            if np.any(lower > upper + self.slack):
                raise contradiction()
        return replace(self, lower=lower, upper=np.maximum(lower, upper))

    def _implied(self, lower: Vector, upper: Vector) -> tuple[Vector, Vector]:
        """Bounds of each unknown that single rows imply, given bounds of the others."""
        rows, columns, data = self.entries
        ends = [
            np.where(data > 0, data * lower[columns], data * upper[columns]),
            np.where(data > 0, data * upper[columns], data * lower[columns]),
        ]
        # what is left of the right-hand side for one entry when all others of its row are at one end
        least, most = (self.rhs[rows] - self._others(end) for end in reversed(ends))
        low = np.where(data > 0, least, most) / data
        high = np.where(data > 0, most, least) / data
        lows, highs = np.full(self.size, -np.inf), np.full(self.size, np.inf)
        np.maximum.at(lows, columns, low)
        np.minimum.at(highs, columns, high)
        return lows, highs

    def _others(self, contribution: Vector) -> Vector:
        """Sum of the other contributions in the same row, for each entry; infinite if one of those is."""
        rows = self.entries[0]
        infinite = np.isinf(contribution)
        finite = np.where(infinite, 0.0, contribution)
        m = self.matrix.shape[0]
        sums = np.asarray(np.bincount(rows, weights=finite, minlength=m)[rows] - finite, dtype=np.float64)
        if not infinite.any():
            return sums
        sign = np.sign(contribution[infinite][0])
        unbounded = np.bincount(rows, weights=infinite, minlength=m)[rows] - infinite
        return np.asarray(np.where(unbounded > 0, sign * np.inf, sums), dtype=np.float64)

    def components(self) -> Iterator[NDArray[np.intp]]:
        """Yield the unknowns of each connected part: rows tie no unknowns of two parts to each other."""
        from scipy.sparse import csr_array, hstack, vstack
        from scipy.sparse.csgraph import connected_components

        if not self.size:
            return
        rows = self.matrix.shape[0]
        upper = hstack([csr_array((rows, rows)), self.matrix])
        graph = csr_array(vstack([upper, csr_array((self.size, rows + self.size))]))
        _, labels = connected_components(graph, directed=False)
        labels = labels[rows:]
        order = np.argsort(labels, kind="stable")
        yield from np.split(order, np.flatnonzero(np.diff(labels[order])) + 1)

    def part(self, unknowns: NDArray[np.intp]) -> System:
        """Return the system of one connected part."""
        matrix = self.matrix[:, unknowns].tocsr()
        rows = np.flatnonzero(np.diff(matrix.indptr) > 0)
        return System(matrix[rows], self.rhs[rows], self.lower[unknowns], self.upper[unknowns], self.integral)

    def holds(self, x: Vector) -> bool:
        """Return whether `x` is a solution; exact for whole numbers."""
        error = np.abs(self.matrix @ x - self.rhs).max(initial=0.0)
        outside = max((self.lower - x).max(initial=0.0), (x - self.upper).max(initial=0.0))
        return bool(max(error, outside) <= self.slack)

    def __repr__(self) -> str:
        kind = "whole" if self.integral else "real"
        return f"System({self.matrix.shape[0]} rows, {self.size} {kind} unknowns)"


def contradiction() -> InvalidArgument:
    """Return the error for a publication that no table fits."""
    return InvalidArgument(
        "table",
        "no table fits what is published and what is said to be known of the hidden cells",
        "Check that margins add up, which zeros are hidden, and what the attacker is said to know.",
    )


def _first_of_each(matrix: csr_array, rhs: Vector) -> NDArray[np.intp]:
    """Return the first of each group of equal rows, in order."""
    seen: dict[tuple[bytes, bytes, float], int] = {}
    starts = matrix.indptr
    for row in range(matrix.shape[0]):
        part = slice(starts[row], starts[row + 1])
        seen.setdefault((matrix.indices[part].tobytes(), matrix.data[part].tobytes(), float(rhs[row])), row)
    return np.fromiter(seen.values(), dtype=np.intp)
