"""Equivalence classes: records that share their key values, and what sensitive values each class holds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pets.disclosure.microdata.codes import Coded, Codes, combine
from pets.disclosure.microdata.frame import Missing, Rows, choice, key_names, open_rows
from pets.disclosure.microdata.matching import blocks, sums_over_matches


@dataclass(frozen=True, eq=False, repr=False)
class Classes:
    """Combinations of key values.

    Attributes
    ----------
    keys
        Names of the key columns.
    missing
        What a missing key value means, see :data:`~pets.disclosure.microdata.Missing`.
    of_row
        The class of each row, shape (rows,).
    codes
        The key codes of each class, shape (classes, keys); -1 is a missing value.
    """

    keys: tuple[str, ...]
    missing: Missing
    of_row: Codes
    codes: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.codes)

    def __repr__(self) -> str:
        return f"Classes({len(self.of_row):,} rows in {len(self):,} classes of {', '.join(self.keys)})"

    @cached_property
    def sizes(self) -> Codes:
        """Number of rows that hold exactly the combination, shape (classes,)."""
        return np.bincount(self.of_row, minlength=len(self)).astype(np.int64)

    @property
    def is_wild(self) -> bool:
        """Whether some class may match others."""
        return self.missing == "matches_all" and bool((self.codes < 0).any())

    @cached_property
    def frequencies(self) -> Codes:
        """Number of rows that look alike: the sizes, and with ``'matches_all'`` those of all matching classes."""
        if not self.is_wild:
            return self.sizes
        return np.rint(sums_over_matches(self.codes, self.sizes.astype(np.float64))).astype(np.int64)

    def totals(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the sum of the rows' weights over all rows that look alike, for each class."""
        own = np.bincount(self.of_row, weights=weights, minlength=len(self)).astype(np.float64)
        return sums_over_matches(self.codes, own) if self.is_wild else own

    def spread(self, values: Codes) -> Spread:
        """Return how often each class sees each value; rows whose code is -1 are left out."""
        known = values >= 0
        size = int(values.max(initial=-1)) + 1
        pairs, counts = np.unique(self.of_row[known] * size + values[known], return_counts=True)
        own = Spread.of_pairs(pairs // max(size, 1), pairs % max(size, 1), counts, len(self), size)
        return _over_matches(self, own) if self.is_wild else own


@dataclass(frozen=True, eq=False, repr=False)
class Spread:
    """Counts of values in classes, row by row: a sparse matrix (classes, values).

    Attributes
    ----------
    starts
        Where the entries of each class begin, shape (classes + 1,).
    values, counts
        The entries, shape (entries,), values ascending within a class.
    size
        Number of values.
    """

    starts: Codes
    values: Codes
    counts: Codes
    size: int

    @classmethod
    def of_pairs(cls, classes: Codes, values: Codes, counts: Codes, number: int, size: int) -> Spread:
        """Return the matrix from its entries, sorted by class and value."""
        starts = np.concatenate([[0], np.cumsum(np.bincount(classes, minlength=number))])
        return cls(starts, values, counts, size)

    @cached_property
    def entries(self) -> Codes:
        """Number of distinct values in each class."""
        return np.diff(self.starts)

    @cached_property
    def of_class(self) -> Codes:
        """The class of each entry."""
        return np.repeat(np.arange(len(self.entries)), self.entries)

    def total(self, amounts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the sum of an amount per entry over each class."""
        return np.bincount(self.of_class, weights=amounts, minlength=len(self.entries)).astype(np.float64)


def equivalence_classes(frame: object, keys: Sequence[str] | str, *, missing: Missing = "value") -> Classes:
    """Return the equivalence classes of a frame.

    Parameters
    ----------
    frame
        Any data frame that narwhals supports.
    keys
        Columns that an intruder may know: the quasi-identifiers.
    missing
        What a missing key value means: ``'value'`` or ``'matches_all'``.

    Raises
    ------
    InvalidArgument, DataError
        The frame, the keys or a column are not usable.
    """
    names = key_names(keys)
    return classes_of(open_rows(frame, names), names, missing)


def classes_of(rows: Rows, keys: tuple[str, ...], missing: Missing) -> Classes:
    """Return the classes of rows that are open already."""
    choice(missing, "missing", Missing)
    return classes_of_codes([rows.code(name) for name in keys], missing)


def classes_of_codes(columns: Sequence[Coded], missing: Missing) -> Classes:
    """Return the classes of columns that are coded already."""
    rows = len(columns[0].codes)
    of_row, number = combine([column.codes for column in columns], rows)
    first = np.empty(number, dtype=np.int64)
    first[of_row] = np.arange(rows)
    codes = np.stack([column.codes[first] for column in columns], axis=1)
    return Classes(tuple(column.name for column in columns), missing, of_row, codes)


def _over_matches(classes: Classes, own: Spread) -> Spread:
    from scipy.sparse import csr_array

    number = len(classes)
    total = csr_array((number, own.size), dtype=np.int64)
    holds = csr_array((own.counts, own.values, own.starts), shape=(number, own.size))
    for block in blocks(classes.codes):
        left = csr_array((np.ones(len(block.left), np.int64), (block.left, block.left_group)), (number, block.groups))
        right = csr_array(
            (np.ones(len(block.right), np.int64), (block.right_group, block.right)), (block.groups, number)
        )
        total = total + left @ (right @ holds)
    total = csr_array(total)
    total.sort_indices()
    return Spread(total.indptr.astype(np.int64), total.indices.astype(np.int64), total.data, own.size)
