"""Perturbation tables: what is added to a count, looked up by the count and its cell key."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pets.disclosure.rounding.single import as_counts
from pets.errors import InvalidArgument

MAX_KEYS: Final = 2**16
"""Largest number of different cell keys."""

_MAX_ENTRIES: Final = 2**26


@dataclass(frozen=True, eq=False, repr=False)
class PTable:
    """What is added to each count, for each cell key.

    Parameters
    ----------
    changes
        Whole numbers of shape (rows, keys): row c holds the changes of the count c, one for each cell key. No count may
        become negative.
    repeat_from
        Larger counts than the last row use the rows from this one on, again and again; the last row if left out.

    Raises
    ------
    InvalidArgument
        The array has another form, makes a count negative, or changes an empty cell; or `repeat_from` is no row.

    Examples
    --------
    >>> table = PTable([[0, 0], [-1, 1]])
    >>> table.apply([0, 1, 8], [1, 0, 1]).tolist()
    [0, 0, 9]
    """

    changes: NDArray[np.int64]
    repeat_from: int

    def __init__(self, changes: ArrayLike, repeat_from: int | None = None) -> None:
        found = _whole_matrix(changes)
        start = len(found) - 1 if repeat_from is None else repeat_from
        if isinstance(start, bool) or not isinstance(start, int | np.integer) or not 0 < start < len(found):
            raise InvalidArgument("repeat_from", f"must be a row between 1 and {len(found) - 1}")
        if found[0].any():
            raise InvalidArgument("changes", "changes empty cells", "Row 0 must be zeros: an empty cell stays empty.")
        if (found + np.arange(len(found))[:, None]).min() < 0:
            raise InvalidArgument("changes", "makes a count negative", "No change may be below minus the count.")
        found.flags.writeable = False
        object.__setattr__(self, "changes", found)
        object.__setattr__(self, "repeat_from", int(start))

    @property
    def keys(self) -> int:
        """Number of different cell keys: they are whole numbers below it."""
        return int(self.changes.shape[1])

    @property
    def largest(self) -> int:
        """Largest change, up or down."""
        return int(np.abs(self.changes).max())

    def rows_of(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the row that serves each count."""
        period = len(self.changes) - self.repeat_from
        again = self.repeat_from + (counts - self.repeat_from) % period
        return np.where(counts < len(self.changes), counts, again)

    def change(self, counts: ArrayLike, cell_keys: ArrayLike) -> NDArray[np.int64]:
        """Return what is added to each count.

        Parameters
        ----------
        counts
            Whole numbers of at least 0.
        cell_keys
            Of the same shape, whole numbers from 0 to `keys` - 1.

        Raises
        ------
        InvalidArgument
            The arrays do not fit, or hold something else.
        """
        found, keys = as_counts(counts, "counts"), as_counts(cell_keys, "cell_keys")
        if found.shape != keys.shape:
            raise InvalidArgument("cell_keys", "must hold one key for each count")
        if keys.size and keys.max() >= self.keys:
            raise InvalidArgument(
                "cell_keys",
                f"must be below {self.keys}",
                "Add up record keys modulo the number of keys of the p-table.",
            )
        return np.asarray(self.changes[self.rows_of(found), keys])

    def apply(self, counts: ArrayLike, cell_keys: ArrayLike) -> NDArray[np.int64]:
        """Return the perturbed counts; see :meth:`change`."""
        return as_counts(counts, "counts") + self.change(counts, cell_keys)

    def law(self, count: int) -> dict[int, Fraction]:
        """Return each possible change of a count with its exact probability when all cell keys are equally likely."""
        row = self.changes[self.rows_of(as_counts([count], "count"))[0]]
        changes, times = np.unique(row, return_counts=True)
        return {int(c): Fraction(int(n), self.keys) for c, n in zip(changes, times, strict=True)}

    def bias(self, count: int) -> Fraction:
        """Return the exact mean change of a count."""
        return sum((c * p for c, p in self.law(count).items()), Fraction(0))

    def variance(self, count: int) -> Fraction:
        """Return the exact variance of the change of a count."""
        return sum((c * c * p for c, p in self.law(count).items()), Fraction(0)) - self.bias(count) ** 2

    def possible(self, published: int) -> tuple[int, ...]:
        """Return all true counts that can be published as this number: what a reader of one cell learns at least."""
        low = max(0, published - self.largest)
        candidates = np.arange(low, published + self.largest + 1)
        reached = (self.changes[self.rows_of(candidates)] + candidates[:, None] == published).any(axis=1)
        return tuple(int(c) for c in candidates[reached])

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PTable):
            return NotImplemented
        return self.repeat_from == other.repeat_from and np.array_equal(self.changes, other.changes)

    def __hash__(self) -> int:
        return hash((self.repeat_from, self.changes.tobytes()))

    def __repr__(self) -> str:
        return f"<PTable: {len(self.changes)} rows, {self.keys} keys, changes of at most {self.largest}>"


def _whole_matrix(changes: ArrayLike) -> NDArray[np.int64]:
    try:
        found = np.asarray(changes)
    except (TypeError, ValueError):
        raise InvalidArgument("changes", "must be an array of whole numbers") from None
    if found.dtype.kind not in "iu" or found.ndim != 2 or found.shape[0] < 2 or not 1 < found.shape[1] <= MAX_KEYS:
        raise InvalidArgument("changes", f"must be whole numbers of shape (rows, keys), with 2 to {MAX_KEYS:,} keys")
    if found.size > _MAX_ENTRIES or (found.size and np.abs(found.astype(np.float64)).max() > 2.0**31):
        raise InvalidArgument("changes", "is too large for a p-table")
    return found.astype(np.int64)
