"""All cells of a table of several dimensions, margins included, and the sums that tie them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pets.disclosure.dimension import Dimension
from pets.disclosure.relations import Relations
from pets.errors import InvalidArgument

MAX_CELLS = 2**24
"""Most cells of one table, margins included."""


@dataclass(frozen=True, eq=False, repr=False)
class Cube:
    """The product of some dimensions. Cells are numbered in C order over all codes of each dimension.

    Parameters
    ----------
    dimensions
        At least one, each with a name of its own.

    Raises
    ------
    InvalidArgument
        There is no dimension, two have one name, or there would be too many cells.
    """

    dimensions: tuple[Dimension, ...]

    def __post_init__(self) -> None:
        names = [dimension.name for dimension in self.dimensions]
        if not names:
            raise InvalidArgument("by", "names no column", "Name at least one.")
        if len(set(names)) < len(names):
            raise InvalidArgument("by", "names a column twice")
        if self.cells > MAX_CELLS:
            raise InvalidArgument(
                "by",
                f"would make a table of {self.cells:,} cells",
                f"Leave out a column or use coarser groups; the limit is {MAX_CELLS:,} cells.",
            )

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the dimensions."""
        return tuple(dimension.name for dimension in self.dimensions)

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Number of codes of each dimension."""
        return tuple(len(dimension.codes) for dimension in self.dimensions)

    @property
    def cells(self) -> int:
        """Number of cells, margins included."""
        return math.prod(self.shape)

    @cached_property
    def inner_shape(self) -> tuple[int, ...]:
        """Number of leaves of each dimension."""
        return tuple(len(dimension.leaf_places) for dimension in self.dimensions)

    @cached_property
    def inner(self) -> NDArray[np.int64]:
        """Cells that are no margin, of the shape `inner_shape`."""
        grid = np.ix_(*(dimension.leaf_places for dimension in self.dimensions))
        return np.asarray(np.ravel_multi_index(grid, self.shape), dtype=np.int64)

    def codes(self) -> tuple[NDArray[np.str_], ...]:
        """Return for each dimension the code of every cell, shape (cells,) each."""
        places = np.unravel_index(np.arange(self.cells), self.shape)
        named = zip(self.dimensions, places, strict=True)
        return tuple(np.array(dimension.codes, dtype=np.str_)[place] for dimension, place in named)

    def add_up(self, inner: NDArray[np.generic]) -> NDArray[np.generic]:
        """Return the values of all cells, shape (cells,), from those of the inner ones, shape `inner_shape`."""
        found = inner
        for axis, dimension in enumerate(self.dimensions):
            found = dimension.add_up(found, axis)
        return found.reshape(-1)

    def relations(self) -> Relations:
        """Return every sum of every dimension at every code of the others."""
        strides = np.array([math.prod(self.shape[i + 1 :]) for i in range(len(self.shape))], dtype=np.int64)
        grid = np.arange(self.cells).reshape(self.shape)
        lengths: list[NDArray[np.int64]] = []
        cells: list[NDArray[np.int64]] = []
        signs: list[NDArray[np.int64]] = []
        for axis, dimension in enumerate(self.dimensions):
            lines = np.take(grid, 0, axis=axis).reshape(-1)
            for group, parts in dimension.sums:
                row = np.array([group, *parts], dtype=np.int64) * strides[axis]
                cells.append((lines[:, None] + row[None, :]).reshape(-1))
                signs.append(np.tile(np.array([-1] + [1] * len(parts)), len(lines)))
                lengths.append(np.full(len(lines), len(row)))
        starts = np.concatenate([[0], np.cumsum(np.concatenate(lengths))])
        return Relations(starts, np.concatenate(cells), np.concatenate(signs))

    def leaf_columns(self, columns: Sequence[NDArray[np.str_]]) -> list[NDArray[np.int64]]:
        """Return the place among the leaves of every row's code, for each dimension."""
        return [dimension.leaf_of(column) for dimension, column in zip(self.dimensions, columns, strict=True)]

    def cells_above(self, leaves: Sequence[NDArray[np.int64]]) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Yield rows and the cell that each of them enters, until every row has entered all of its cells.

        Parameters
        ----------
        leaves
            For each dimension the leaf of every row, shape (rows,).
        """
        found = [dimension.ancestors for dimension in self.dimensions]
        for choice in np.ndindex(*(ancestors.shape[1] for ancestors in found)):
            places = [a[leaf, c] for a, leaf, c in zip(found, leaves, choice, strict=True)]
            rows = np.flatnonzero(np.logical_and.reduce([place >= 0 for place in places]))
            yield rows, np.ravel_multi_index([place[rows] for place in places], self.shape).astype(np.int64)

    def place_of(self, columns: Sequence[NDArray[np.str_]]) -> NDArray[np.int64]:
        """Return the cell of every row of codes, which may be totals or groups.

        Raises
        ------
        InvalidArgument
            A code is unknown.
        """
        places = []
        for dimension, column in zip(self.dimensions, columns, strict=True):
            unique, inverse = np.unique(column, return_inverse=True)
            for code in unique.tolist():
                if code not in dimension.place:
                    dimension.leaf_of(np.array([code]))
            known = np.array([dimension.place[code] for code in unique.tolist()], dtype=np.int64)
            places.append(known[inverse.reshape(-1)])
        return np.asarray(np.ravel_multi_index(places, self.shape), dtype=np.int64)

    def __repr__(self) -> str:
        return f"Cube({' x '.join(self.names)}: {self.cells} cells)"
