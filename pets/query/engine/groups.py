"""Grouped rows, and how they add to the cells of a block."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pets.query.layout import Block


@dataclass(frozen=True)
class Groups:
    """Rows that agree in all columns that matter, one entry for each group.

    Attributes
    ----------
    rows
        Number of rows.
    cells
        Place along each axis by attribute name, -1 for dropped.
    known
        By attribute name: whether its value counts as a number.
    sums, squares
        By attribute name: sum over the rows of the number in units of its resolution, and of its square.
    """

    rows: NDArray[np.int64]
    cells: Mapping[str, NDArray[np.int64]]
    known: Mapping[str, NDArray[np.bool_]]
    sums: Mapping[str, NDArray[np.int64]]
    squares: Mapping[str, NDArray[np.int64]]


def place(block: Block, groups: Groups) -> NDArray[np.int64]:
    """Return the flat cell of each group in the table of `block`, -1 where the rows are dropped."""
    flat = np.zeros(len(groups.rows), dtype=np.int64)
    dropped = np.zeros(len(groups.rows), dtype=np.bool_)
    for axis in block.axes:
        along = groups.cells[axis.name]
        dropped |= along < 0
        flat = flat * len(axis) + along
    if block.column is not None:
        dropped |= ~groups.known[block.column]
    flat[dropped] = -1
    if block.impossible is not None:
        flat[(flat >= 0) & block.impossible[flat]] = -1
    return flat


def add_to(cells: NDArray[np.int64], block: Block, groups: Groups, sign: int = 1) -> None:
    """Add the groups to the flat cells of a block, in place; ``sign=-1`` takes them away."""
    flat = place(block, groups)
    kept = flat >= 0
    np.add.at(cells, flat[kept], sign * _amounts(block, groups)[kept])
    if block.counts_dropped:
        cells[-1] += sign * groups.rows[~kept].sum()


def _amounts(block: Block, groups: Groups) -> NDArray[np.int64]:
    if block.column is None or block.measure == "count":
        return groups.rows
    return groups.sums[block.column] if block.measure == "sum" else groups.squares[block.column]
