"""What the reader of a publication has before him: printed cells, hidden ones, sums, and what is known of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pets.disclosure.attacker import Attacker
from pets.disclosure.relations import Relations
from pets.disclosure.system import System, Vector
from pets.disclosure.table import Table
from pets.errors import InvalidArgument

if TYPE_CHECKING:
    from scipy.sparse import csr_array

Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False, repr=False)
class Reading:
    """A publication of n cells as an attacker reads it; true values of hidden cells are not needed.

    Parameters
    ----------
    values
        Shape (n,); those of hidden cells are never read, and 0 where the true table was given.
    hidden
        Which cells are hidden.
    relations
        What adds up to what.
    lower, upper
        What is known of each hidden cell, shape (n,).
    integral
        Whether the attacker counts in whole numbers.
    name
        What to call a cell.
    """

    values: Vector
    hidden: Flags
    relations: Relations
    lower: Vector
    upper: Vector
    integral: bool
    name: Callable[[int], str]

    @classmethod
    def of(cls, table: Table, suppressed: object, attacker: Attacker) -> Reading:
        """Return what `attacker` reads of a table and a pattern.

        Raises
        ------
        InvalidArgument
            The pattern does not fit the table.
        """
        hidden = pattern_of(table, suppressed)
        lower, upper = attacker.bounds(table, hidden)
        whole = attacker.integral and table.integral
        printed = np.where(hidden, 0.0, table.values)
        return cls(printed, hidden, table.relations, lower, upper, whole, short_name(table))

    def knowing(self, cell: int, value: float) -> Reading:
        """Return what somebody reads who knows the value of one hidden cell beforehand."""
        lower, upper = self.lower.copy(), self.upper.copy()
        lower[cell] = upper[cell] = value
        return replace(self, lower=lower, upper=upper)

    @cached_property
    def cells(self) -> NDArray[np.intp]:
        """Hidden cells, shape (h,)."""
        return np.flatnonzero(self.hidden)

    @cached_property
    def system(self) -> System:
        """The rows and bounds of the hidden cells, in the order of `cells`.

        Raises
        ------
        InvalidArgument
            Printed cells contradict each other.
        """
        self._refuse_contradictions()
        return self._everything.restrict(self.hidden, self.values)

    def _refuse_contradictions(self) -> None:
        """Refuse printed margins that are not the sum of printed parts, and say which."""
        rows = self.relations
        printed = np.bincount(rows.rows, weights=self.hidden[rows.indices], minlength=rows.count) == 0
        off = np.abs(rows.residuals(np.where(self.hidden, 0.0, self.values)))
        wrong = np.flatnonzero(printed & (off > self._everything.slack))
        if wrong.size:
            cells, signs, _ = rows.row(int(wrong[0]))
            lone = cells[signs == -1] if (signs == -1).sum() == 1 else cells
            problem = f"contradicts itself: {self.name(int(lone[0]))} is not the sum of its printed parts"
            raise InvalidArgument("table", problem, "Correct it, or say how its codes add up.")

    @cached_property
    def matrix(self) -> csr_array:
        """The relations, sparse, shape (m, n)."""
        return self.relations.matrix(len(self.values))

    @cached_property
    def _everything(self) -> System:
        return System(self.matrix, self.relations.constants, self.lower, self.upper, self.integral)

    def around(self, cell: int) -> tuple[System, NDArray[np.intp], NDArray[np.intp]]:
        """Return the rows that tie a hidden cell to others: their system, its cells, and its relations' numbers."""
        cells, rows = self._parts[int(self._part_of[cell])]
        # one row for each relation, in order, so that a proof can name the printed cells of the row
        matrix = self.matrix[rows]
        shown = np.where(self.hidden, 0.0, self.values)
        system = System(
            matrix[:, cells], self.relations.constants[rows] - matrix @ shown, self.lower[cells], self.upper[cells],
            self.integral,
        )  # fmt: skip
        return system, cells, rows

    @cached_property
    def _part_of(self) -> NDArray[np.intp]:
        part = np.full(len(self.values), -1, dtype=np.intp)
        for number, (cells, _) in enumerate(self._parts):
            part[cells] = number
        return part

    @cached_property
    def _parts(self) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
        columns = self.matrix[:, self.cells].tocsc()
        found = []
        for part in self.system.components():
            rows = np.unique(columns[:, part].indices)
            found.append((self.cells[part], rows.astype(np.intp)))
        return found


def pattern_of(table: Table, suppressed: object) -> Flags:
    """Return a pattern as flags.

    Raises
    ------
    InvalidArgument
        It is no vector of flags with one for each cell.
    """
    try:
        hidden = np.asarray(suppressed)
    except (TypeError, ValueError):
        hidden = np.zeros(0)
    if hidden.shape != table.values.shape or hidden.dtype != np.bool_:
        raise InvalidArgument("suppressed", f"must be {len(table.values)} values True or False, one for each cell")
    return hidden


def short_name(table: Table) -> Callable[[int], str]:
    """Return what to call cells in equations: ``T x R1``."""
    if not table.codes:
        return table.name
    return lambda cell: " x ".join(str(codes[cell]) for codes in table.codes)
