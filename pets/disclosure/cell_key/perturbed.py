"""Tables perturbed by cell keys: every cell by itself, so that sums of published parts differ from published totals."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pets.disclosure.cell_key.ptable import PTable
from pets.disclosure.relations import Relations
from pets.disclosure.rounding.single import as_counts
from pets.errors import InvalidArgument

if TYPE_CHECKING:
    import pandas as pd

    from pets.disclosure.table import Table


@dataclass(frozen=True, eq=False, repr=False)
class Perturbed:
    """A perturbed table. It holds neither true counts nor cell keys, from which the true counts would follow.

    Attributes
    ----------
    values
        What may be published, shape (n,).
    ptable
        By what it was perturbed. Its largest change and variance may be published; the table itself should not be.
    relations
        What the true counts add up to.
    dimensions, codes
        Labels of the cells.
    """

    values: NDArray[np.int64]
    ptable: PTable
    relations: Relations
    dimensions: tuple[str, ...] = ()
    codes: tuple[NDArray[np.str_], ...] = ()

    @cached_property
    def gaps(self) -> NDArray[np.int64]:
        """How far the sum of each relation is from what the true counts add up to, shape (relations,)."""
        return np.rint(self.relations.residuals(self.values.astype(np.float64))).astype(np.int64)

    @property
    def broken(self) -> int:
        """Number of sums that the published numbers do not keep."""
        return int(np.count_nonzero(self.gaps))

    def explain(self) -> str:
        """Return in plain words what was done and what it tells."""
        total, largest = self.relations.count, int(np.abs(self.gaps).max(initial=0))
        return (
            f"Every count may differ from the true one by up to {self.ptable.largest}; the same patients always give "
            f"the same number. {self.broken:,} of {total:,} totals differ from the sum of their published parts, by up "
            f"to {largest}. Many tables of the same patients can be averaged: see averaging_attack()."
        )

    def to_frame(self) -> pd.DataFrame:
        """Return labels and published values."""
        import pandas as pd

        labels: dict[str, Any] = dict(zip(self.dimensions, self.codes, strict=True))
        return pd.DataFrame(labels | {"value": self.values})

    def __repr__(self) -> str:
        return f"<cell-key perturbation of {len(self.values):,} cells: {self.broken:,} sums broken>"

    def _repr_html_(self) -> str:
        return f"<p>{escape(self.explain())}</p>{self.to_frame().to_html(index=False, max_rows=30)}"


def perturb_table(table: Table, cell_keys: ArrayLike, ptable: PTable) -> Perturbed:
    """Return the table with each cell, margins included, changed by what its cell key says.

    Parameters
    ----------
    table
        A table of counts.
    cell_keys
        For each cell the sum of the record keys of its records, modulo the keys of the p-table, shape (n,).
    ptable
        From :func:`make_ptable` or :func:`read_ptable`.

    Raises
    ------
    InvalidArgument
        The table is none of counts, the keys do not fit the p-table, or the keys of a total are not the sum of those of
        its parts, so that they cannot come from the same records.
    """
    if not isinstance(ptable, PTable):
        raise InvalidArgument("ptable", "must be a PTable", "Make one with make_ptable() or read_ptable().")
    counts, keys = as_counts(table.values), as_counts(cell_keys, "cell_keys")
    values = counts + ptable.change(counts, keys)
    _check_keys(table, keys, ptable.keys)
    return Perturbed(values, ptable, table.relations, table.dimensions, table.codes)


def _check_keys(table: Table, keys: NDArray[np.int64], modulus: int) -> None:
    rows = table.relations
    sums = np.zeros(rows.count, dtype=np.int64)
    np.add.at(sums, rows.rows, rows.signs * keys[rows.indices])
    wrong = np.flatnonzero((sums % modulus != 0) & (rows.constants == 0))
    if wrong.size:
        cells, _, _ = rows.row(int(wrong[0]))
        raise InvalidArgument(
            "cell_keys",
            f"do not add up like the counts around {table.name(int(cells[0]))}",
            "Compute the keys of parts and totals from the same records.",
        )
