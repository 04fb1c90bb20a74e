"""Who contributes how much to each cell: what the rules for magnitude tables look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pets.disclosure.cube import Cube
from pets.errors import DataError, InvalidArgument

LARGEST = 4
"""How many of the largest contributions to a cell are kept, unless a rule needs more."""

DENSE = 1 << 22
"""Up to so many pairs of cell and contributor are looked up in a table; more are sorted."""


@dataclass(frozen=True, eq=False, repr=False)
class Contributions:
    """For each of n cells, margins included, what its contributors bring.

    Parameters
    ----------
    values
        What is published: the (weighted) sum, or the count, shape (n,).
    records
        Number of records, shape (n,).
    contributors
        Number of different contributors with a record in the cell, shape (n,); those in a sample, not weighted.
    largest
        The largest contributions in descending order, shape (n, k); a contributor of several records in the
        cell counts once, with their sum. With weights, a record stands for `weight` contributors of its size.
    requested
        Largest share of the cell's value that a contributor who asked for protection has, shape (n,).
    """

    values: NDArray[np.float64]
    records: NDArray[np.int64]
    contributors: NDArray[np.int64]
    largest: NDArray[np.float64]
    requested: NDArray[np.float64]

    @cached_property
    def cells(self) -> int:
        """Number of cells."""
        return len(self.values)

    def top(self, n: int) -> NDArray[np.float64]:
        """Return the sum of the `n` largest contributions to each cell.

        Raises
        ------
        InvalidArgument
            Fewer than `n` were kept.
        """
        if n > self.largest.shape[1]:
            raise InvalidArgument("n", f"asks for {n} contributions, of which {self.largest.shape[1]} are known")
        return np.asarray(self.largest[:, :n].sum(axis=1), dtype=np.float64)

    def take(self, cells: NDArray[np.int64]) -> Contributions:
        """Return the contributions of some cells only."""
        fields = ("values", "records", "contributors", "largest", "requested")
        return replace(self, **{name: getattr(self, name)[cells] for name in fields})


def of_counts(values: NDArray[np.float64]) -> Contributions:
    """Return contributions of a table of counts of persons: everybody brings 1."""
    whole = np.rint(np.maximum(values, 0)).astype(np.int64)
    largest = (np.arange(1, LARGEST + 1)[None, :] <= whole[:, None]).astype(np.float64)
    share = np.zeros(len(values))
    return Contributions(values, whole, whole, largest, share)


@dataclass(frozen=True, eq=False)
class Records:
    """Rows of microdata, one after the other.

    Parameters
    ----------
    leaves
        For each dimension the leaf of every row, shape (rows,).
    values
        What each row brings, shape (rows,).
    weights
        How many units each row stands for, shape (rows,); ones without a sample.
    holdings
        A number from 0 on for each contributor, shape (rows,); the same number for rows of one clinic, firm or
        family. ``None``: each row is a contributor of its own.
    requests
        Rows whose contributor asked for protection, bool (rows,).
    """

    leaves: Sequence[NDArray[np.int64]]
    values: NDArray[np.float64]
    weights: NDArray[np.float64]
    holdings: NDArray[np.int64] | None
    requests: NDArray[np.bool_]

    def __post_init__(self) -> None:
        if not np.isfinite(self.values).all():
            raise DataError("value", "is missing or infinite in some row", "Fill it in or leave the row out.")
        if self.values.min(initial=0) < 0:
            raise DataError("value", "is negative in some row", "Dominance is defined for values of one sign only.")
        if not np.isfinite(self.weights).all() or self.weights.min(initial=0) < 0:
            raise DataError("weight", "is missing or negative in some row", "Weights are 0 or more.")

    def enter(self, cube: Cube, keep: int = LARGEST) -> Contributions:
        """Return what the rows bring to every cell of `cube`, keeping the `keep` largest contributions."""
        pairs = [(cells, rows) for rows, cells in cube.cells_above(self.leaves)]
        cells = np.concatenate([found for found, _ in pairs])
        rows = np.concatenate([found for _, found in pairs])
        weighted = self.values * self.weights
        values = np.bincount(cells, weights=weighted[rows], minlength=cube.cells).astype(np.float64)
        parts = self._by_contributor(cells, rows)
        requested = self._requested_share(parts, values, cube.cells)
        return Contributions(
            values,
            np.bincount(cells, minlength=cube.cells).astype(np.int64),
            np.bincount(parts.cells, minlength=cube.cells).astype(np.int64),
            _largest(parts, cube.cells, keep),
            requested,
        )

    def _by_contributor(self, cells: NDArray[np.int64], rows: NDArray[np.int64]) -> _Parts:
        """Add up the rows of one contributor in one cell. Its weight is the mean weight of its value."""
        if self.holdings is None:
            return _Parts(cells, self.values[rows], self.weights[rows], self.requests[rows])
        owners = int(self.holdings.max(initial=0)) + 1
        used, number = _numbered(cells * owners + self.holdings[rows])
        value = np.bincount(number, weights=self.values[rows], minlength=len(used))
        weighted = np.bincount(number, weights=(self.values * self.weights)[rows], minlength=len(used))
        records = np.bincount(number, minlength=len(used))
        plain = np.bincount(number, weights=self.weights[rows], minlength=len(used)) / np.maximum(records, 1)
        weight = np.divide(weighted, value, out=plain, where=value > 0)
        asked = np.bincount(number, weights=self.requests[rows], minlength=len(used)) > 0
        return _Parts(used // owners, value.astype(np.float64), weight, asked)

    def _requested_share(self, parts: _Parts, values: NDArray[np.float64], n: int) -> NDArray[np.float64]:
        found = np.zeros(n)
        asked = np.flatnonzero(parts.requests)
        np.maximum.at(found, parts.cells[asked], parts.values[asked])
        return np.divide(found, values, out=np.zeros(n), where=values > 0)


@dataclass(frozen=True, eq=False)
class _Parts:
    """One line for each contributor in each cell: its value, how many units it stands for, whether it asked."""

    cells: NDArray[np.int64]
    values: NDArray[np.float64]
    weights: NDArray[np.float64]
    requests: NDArray[np.bool_]


def _numbered(keys: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the distinct keys in order, and for each key its place among them."""
    highest = int(keys.max(initial=0)) + 1
    if highest > max(DENSE, 2 * len(keys)):
        used, number = np.unique(keys, return_inverse=True)
        return used, number.reshape(-1)
    present = np.zeros(highest, dtype=np.bool_)
    present[keys] = True
    return np.flatnonzero(present), (np.cumsum(present) - 1)[keys]


def _largest(parts: _Parts, n: int, keep: int) -> NDArray[np.float64]:
    """Return the `keep` largest contributions to each cell, a part of weight w counting as w units of its size.

    The i-th largest is what the i-th unit brings; with weights that are no whole numbers a unit is made of several
    parts. This is how tau-ARGUS applies weights (Hundepool et al., Statistical Disclosure Control, 2012, page 151).
    """
    found = np.zeros((n, keep))
    order = np.lexsort((-parts.values, parts.cells))
    cells, values, weights = parts.cells[order], parts.values[order], parts.weights[order]
    ends = np.cumsum(weights)
    new = np.ones(len(cells), dtype=np.bool_)
    new[1:] = np.diff(cells) != 0
    first = np.flatnonzero(new)
    before = (ends - weights)[first]
    lengths = np.diff([*first, len(cells)])
    upper = ends - np.repeat(before, lengths)  # units up to and with this part, within its cell
    lower = upper - weights
    for rank in range(keep):
        share = np.clip(np.minimum(upper, rank + 1) - np.maximum(lower, rank), 0, None)
        found[:, rank] = np.bincount(cells, weights=share * values, minlength=n)
    return found
