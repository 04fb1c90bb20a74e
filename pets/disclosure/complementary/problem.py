"""Which cells may be hidden, at what cost, and how far each sensitive cell must be able to move."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from pets.disclosure.highs import Flags, Floats, Ints

if TYPE_CHECKING:
    from scipy.sparse import csc_array, csr_array

VAST = 1e7
"""What an unlimited capacity is taken for, as a multiple of the largest value or level: no cell need move so far."""


@dataclass(frozen=True, eq=False)
class Problem:
    """Complementary suppression in differences to the true table: ``matrix @ z == 0``, z in a box of hidden cells.

    Parameters
    ----------
    matrix
        The relations, sparse (relations, n).
    cost
        Cost of hiding each cell, (n,).
    must, free
        Cells that are hidden in any case and cells that may be, bool (n,); the others are shown.
    down, up
        How far a hidden cell may lie below and above its true value as far as the attacker knows, (n,).
    low, high, slide
        How far below, above and in all each sensitive cell must be able to move, (n,); 0 elsewhere.
    """

    matrix: csc_array
    cost: Floats
    must: Flags
    free: Flags
    down: Floats
    up: Floats
    low: Floats
    high: Floats
    slide: Floats

    @property
    def cells(self) -> int:
        """Number of cells n."""
        return len(self.cost)

    @cached_property
    def rows(self) -> csr_array:
        """The relations by row."""
        from scipy.sparse import csr_array

        return csr_array(self.matrix)

    @cached_property
    def transposed(self) -> csr_array:
        """The relations by cell, to price cells from multipliers of relations."""
        from scipy.sparse import csr_array

        return csr_array(self.matrix.T)

    @cached_property
    def need_up(self) -> Floats:
        """How far up it is worth looking for each sensitive cell."""
        return np.maximum(self.high, self.slide)

    @cached_property
    def need_down(self) -> Floats:
        """How far down it is worth looking for each sensitive cell."""
        return np.maximum(self.low, self.slide)

    @cached_property
    def need(self) -> Floats:
        """The larger of the two."""
        return np.maximum(self.need_up, self.need_down)

    @cached_property
    def targets(self) -> Ints:
        """Cells of which something is demanded."""
        return np.flatnonzero(self.need > 0)

    @cached_property
    def step(self) -> float:
        """Costs of two patterns differ by a multiple of this; 0 if nothing is known."""
        costs = self.cost[self.free]
        if not costs.size or not (costs == np.rint(costs)).all() or costs.max() > 2**40:
            return 0.0
        return float(np.gcd.reduce(costs.astype(np.int64)))

    def price(self, hidden: Flags) -> float:
        """Return what hiding the complementary cells of a pattern costs, apart from the cells that must be hidden."""
        return float(self.cost[hidden & self.free].sum())
