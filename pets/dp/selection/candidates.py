"""What can be chosen, with how far one privacy unit can move the scores.

A score is a cell of a declared tally, or follows from declared bins; no user function of rows exists. Two numbers
decide what a choice costs. With d the change of all scores when one unit comes, goes or is exchanged:

* ``linf``, the largest abs(d_i);
* ``spread``, the largest d_i - d_j. It is what counts when scores are only compared with each other, since adding one
  number to all scores changes no choice. In general it is ``2 linf``. **Factor 2 back:** if all scores of a neighbour
  move in one direction (*monotone*: counts under add/remove), or only one score moves, it is ``linf``.

For the cells of one table ``abs(d_i - d_j) <= abs(d_i) + abs(d_j) <= L1``, and L1 is exact in
:mod:`pets.query.sensitivity`: ``linf`` under add/remove, up to ``2 linf`` under replace-one. Cells of several tables of
counts move in one direction under add/remove, and by at most ``linf`` each.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from pets.domain import Label
from pets.dp.selection.coins import LARGEST_GAP
from pets.errors import InvalidArgument, PairingRefused
from pets.query import Block, BoundQuery, Count, Histogram, Marginals, Sum
from pets.query.layout import split
from pets.query.sensitivity import Sensitivity, combine, of_block
from pets.tally import Tally

SCORED = (Count, Histogram, Marginals, Sum)
"""Queries whose cells are scores."""

MOST = 2**24
"""Most candidates."""


@dataclass(frozen=True)
class Candidates:
    """The cells of a tally that can be chosen.

    Parameters
    ----------
    query
        A count, histogram, sum, or several tables of counts.

    Raises
    ------
    PairingRefused
        The cells of the query are no scores.
    InvalidArgument
        There are fewer than two candidates, or more than 2**24.
    """

    query: BoundQuery

    def __post_init__(self) -> None:
        if not isinstance(self.query.query, SCORED):
            names = ", ".join(kind.__name__ for kind in SCORED)
            raise PairingRefused(f"cells of {type(self.query.query).__name__} are no scores; choose among {names}.")
        if not 2 <= len(self) <= MOST:
            raise InvalidArgument("query", f"has {len(self):,} candidates", f"A choice needs 2 to {MOST:,}.")

    def __len__(self) -> int:
        return self._number

    @cached_property
    def _number(self) -> int:
        return sum(block.noised - block.counts_dropped for block in self.query.blocks)

    @cached_property
    def sensitivity(self) -> Sensitivity:
        """Exact sensitivity of the candidates' cells, without those of dropped rows."""
        return combine(self._parts())

    def _parts(self) -> list[Sensitivity]:
        return [of_block(replace(b, counts_dropped=False), self.query.domain.unit) for b in self.query.blocks]

    @property
    def linf(self) -> int:
        """How far one unit can move one score."""
        return self.sensitivity.linf

    @cached_property
    def spread(self) -> int:
        """How far one unit can move one score against another; see the module."""
        parts = self._parts()
        if len(parts) == 1:
            return min(parts[0].l1, 2 * self.linf)
        return self.linf if self.monotone else 2 * self.linf

    @property
    def monotone(self) -> bool:
        """Whether one unit can only move all scores in one direction."""
        one_way = all(block.lower >= 0 or block.upper <= 0 for block in self.query.blocks)
        return (
            self.query.domain.unit.neighbours == "add_remove"
            and one_way
            and len({b.lower < 0 for b in self.query.blocks}) == 1
        )

    def scores(self, total: Tally) -> NDArray[np.int64]:
        """Return the scores of all candidates, in order. Confidential.

        Raises
        ------
        IncompatibleTallies, InvalidArgument
            `total` is no tally of this query.
        """
        blocks = self.query.blocks
        cells = [v[: b.cells][_free(b)] for b, v in zip(blocks, split(self.query.check(total), blocks), strict=True)]
        return np.clip(np.concatenate(cells), -LARGEST_GAP // 2, LARGEST_GAP // 2)

    def label(self, index: int) -> dict[str, Label]:
        """Return the category of each attribute of candidate number `index`."""
        for block in self.query.blocks:
            cells = np.flatnonzero(_free(block))
            if index < len(cells):
                at = np.unravel_index(int(cells[index]), block.shape) if block.shape else ()
                return {axis.name: axis.labels[int(i)] for axis, i in zip(block.axes, at, strict=True)}
            index -= len(cells)
        raise InvalidArgument("index", "is not the number of a candidate")


@lru_cache(maxsize=64)
def candidates(query: BoundQuery) -> Candidates:
    """Return :class:`Candidates` of `query`, kept for the next call."""
    return Candidates(query)


def _free(block: Block) -> NDArray[np.bool_]:
    return np.ones(block.cells, dtype=np.bool_) if block.impossible is None else ~block.impossible
