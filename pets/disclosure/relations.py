"""The sums that tie the cells of published tables together, as a sparse matrix of +1 and -1."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pets.errors import InvalidArgument

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Row = tuple[Sequence[int], Sequence[int], float]
"""Cells of a relation, the sign of each, and what the signed values add up to."""


@dataclass(frozen=True, eq=False, init=False, repr=False)
class Relations:
    """Linear relations ``sum(signs * values[cells]) == constant``, row by row (compressed sparse rows).

    Parameters
    ----------
    indptr
        Where each row begins in `indices`, shape (rows + 1,).
    indices
        Cells, shape (entries,).
    signs
        +1 or -1 for each entry, shape (entries,). A margin has -1 and its parts +1, or the other way round.
    constants
        What each row adds up to, shape (rows,); zeros if left out.

    Raises
    ------
    InvalidArgument
        The arrays do not fit together, a row is empty, a sign is not +1 or -1, or a row names a cell twice.
    """

    indptr: NDArray[np.int64]
    indices: NDArray[np.int64]
    signs: NDArray[np.int8]
    constants: NDArray[np.float64]

    def __init__(
        self, indptr: ArrayLike, indices: ArrayLike, signs: ArrayLike, constants: ArrayLike | None = None
    ) -> None:
        starts, cells = _whole("indptr", indptr), _whole("indices", indices)
        rows = len(starts) - 1
        given = np.zeros(max(rows, 0)) if constants is None else np.asarray(constants, dtype=np.float64)
        parts: dict[str, NDArray[Any]] = {
            "indptr": starts,
            "indices": cells,
            "signs": _signs(signs),
            "constants": given,
        }
        for name, value in parts.items():
            object.__setattr__(self, name, _fixed(value))
        self._check()

    @classmethod
    def from_rows(cls, rows: Iterable[Row]) -> Relations:
        """Return the relations of an iterable of ``(cells, signs, constant)``."""
        given = list(rows)
        lengths = [len(cells) for cells, _, _ in given]
        return cls(
            np.cumsum([0, *lengths]),
            np.array([cell for cells, _, _ in given for cell in cells], dtype=np.int64),
            np.array([sign for _, signs, _ in given for sign in signs], dtype=np.int64),
            np.array([constant for _, _, constant in given], dtype=np.float64),
        )

    @property
    def count(self) -> int:
        """Number of relations."""
        return len(self.indptr) - 1

    @cached_property
    def rows(self) -> NDArray[np.int64]:
        """Row of each entry, shape (entries,)."""
        return np.repeat(np.arange(self.count), np.diff(self.indptr))

    def row(self, number: int) -> tuple[NDArray[np.int64], NDArray[np.int8], float]:
        """Return cells, signs and constant of one relation."""
        part = slice(int(self.indptr[number]), int(self.indptr[number + 1]))
        return self.indices[part], self.signs[part], float(self.constants[number])

    def matrix(self, cells: int | None = None) -> csr_array:
        """Return the relations as a sparse array of shape (relations, cells) of floats.

        Parameters
        ----------
        cells
            Number of cells of the table; the largest index plus one if left out.
        """
        from scipy.sparse import csr_array

        width = int(self.indices.max(initial=-1)) + 1 if cells is None else cells
        entries = (self.signs.astype(np.float64), self.indices, self.indptr)
        return csr_array(entries, shape=(self.count, width))

    def residuals(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return what each relation misses: ``sum(signs * values) - constant``, shape (relations,)."""
        sums = np.bincount(self.rows, weights=self.signs * values[self.indices], minlength=self.count)
        return np.asarray(sums - self.constants, dtype=np.float64)

    def __repr__(self) -> str:
        return f"Relations({self.count} relations, {len(self.indices)} entries)"

    def _check(self) -> None:
        starts, count = self.indptr, self.count
        if count < 0 or starts[0] != 0 or starts[-1] != len(self.indices) or len(self.signs) != len(self.indices):
            raise InvalidArgument("relations", "has arrays that do not fit together", "See the format in the help.")
        if self.constants.shape != (count,) or not np.isfinite(self.constants).all():
            raise InvalidArgument("constants", "must be one finite number for each relation")
        if count and np.diff(starts).min() < 1:
            raise InvalidArgument("relations", "has a row without cells", "Leave the row out.")
        if self.indices.min(initial=0) < 0:
            raise InvalidArgument("indices", "must not be negative")
        order = np.lexsort((self.indices, self.rows))
        same = (np.diff(self.rows[order]) == 0) & (np.diff(self.indices[order]) == 0)
        if same.any():
            row = int(self.rows[order][1:][same][0])
            raise InvalidArgument("relations", f"name a cell twice in row {row}", "Name each cell once in a relation.")


def _whole(name: str, value: ArrayLike) -> NDArray[np.int64]:
    found = np.asarray(value)
    if found.ndim != 1 or (found.size and found.dtype.kind not in "iu"):
        raise InvalidArgument(name, "must be a vector of whole numbers")
    return found.astype(np.int64)


def _signs(value: ArrayLike) -> NDArray[np.int8]:
    found = np.asarray(value)
    if found.ndim != 1 or not np.isin(found, (-1, 1)).all():
        raise InvalidArgument("signs", "must be a vector of +1 and -1", "A margin has the sign opposite to its parts.")
    return found.astype(np.int8)


def _fixed(value: NDArray[Any]) -> NDArray[Any]:
    copy = value.copy()
    copy.flags.writeable = False
    return copy
