"""A tally with all margins and groups that a reader can compute from it, as one table with relations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from pets.disclosure.relations import Relations
from pets.domain import Domain
from pets.query import Block
from pets.query.layout import Axis

Whole = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class _Level:
    """One way to look at an axis: its labels, groups of a hierarchy, or all of it."""

    name: str
    groups: Whole

    def sums(self, table: Whole, axis: int) -> Whole:
        """Return the table with its entries along `axis` added up by group."""
        found = np.zeros((int(self.groups.max(initial=0)) + 1, *np.moveaxis(table, axis, 0).shape[1:]), dtype=np.int64)
        np.add.at(found, self.groups, np.moveaxis(table, axis, 0))
        return np.moveaxis(found, 0, axis)


class Margins:
    """Cells of several tables of counts with all their margins and groups, shared where tables have them in common.

    Parameters
    ----------
    blocks
        Tables of a tally.
    values
        Counts of each block, shape (block.size,).
    domain
        For its hierarchies.

    Attributes
    ----------
    counts
        True counts of all cells, shape (n,).
    places
        For each block, where its own integers are in `counts`, shape (block.size,).
    """

    def __init__(self, blocks: Sequence[Block], values: Sequence[Whole], domain: Domain) -> None:
        self._parts: list[Whole] = []
        self._size = 0
        self._seen: dict[tuple[tuple[str, str], ...], list[tuple[Whole, Whole]]] = {}
        self._rows: list[Whole] = []
        self.places = tuple(self._enter(block, counts, domain) for block, counts in zip(blocks, values, strict=True))
        self.counts = np.concatenate(self._parts) if self._parts else np.zeros(0, dtype=np.int64)

    def relations(self) -> Relations:
        """Return what each margin and group is the sum of, along one axis at a time."""
        none = np.zeros(0, dtype=np.int64)
        return Relations(
            np.cumsum(np.concatenate([none, [0], [len(row) for row in self._rows]])).astype(np.int64),
            np.concatenate([none, *self._rows]),
            np.concatenate([none, *(np.where(np.arange(len(row)) == 0, -1, 1) for row in self._rows)]),
        )

    def _enter(self, block: Block, values: Whole, domain: Domain) -> Whole:
        """Add a block and its margins; return the places of its integers."""
        # Sorted by name, so that tables with the same attributes in another order share their margins.
        order = sorted(range(len(block.axes)), key=lambda axis: block.axes[axis].name)
        inner = values[: block.cells].reshape(block.shape).transpose(order)
        levels = [_levels(block.axes[axis], domain) for axis in order]
        known: dict[tuple[int, ...], Whole] = {}
        for node in product(*(range(len(ladder)) for ladder in levels)):
            counts = inner
            for axis, level in enumerate(node):
                counts = levels[axis][level].sums(counts, axis) if level else counts
            key = [
                (block.axes[order[axis]].name, levels[axis][level].name)
                for axis, level in enumerate(node)
                if levels[axis][level].name != _ALL
            ]
            known[node] = self._table(tuple(key), counts)
            for axis, level in enumerate(node):
                if level:
                    parts = known[(*node[:axis], 0, *node[axis + 1 :])]
                    self._tie(known[node], parts, levels[axis][level].groups, axis)
        own = known[(0,) * len(order)].transpose(np.argsort(order) if order else ()).reshape(-1)
        return np.concatenate([own, self._add(values[block.cells :])])

    def _table(self, key: tuple[tuple[str, str], ...], counts: Whole) -> Whole:
        """Return the cells of one (marginal) table: new ones, or those of a table that counts the same persons."""
        shared = self._seen.setdefault(key, [])
        for cells, before in shared:
            # Rows that fit no cell of one table may fit another's: margins that differ are not the same cells.
            if np.array_equal(before.reshape(-1), counts.reshape(-1)):
                return cells.reshape(counts.shape)
        cells = self._add(counts.reshape(-1)).reshape(counts.shape)
        shared.append((cells, counts))
        return cells

    def _tie(self, sums: Whole, parts: Whole, groups: Whole, axis: int) -> None:
        above = np.moveaxis(sums, axis, 0).reshape(sums.shape[axis], -1)
        below = np.moveaxis(parts, axis, 0).reshape(parts.shape[axis], -1)
        for group, cells in enumerate(above):
            members = below[groups == group]
            self._rows.extend(np.concatenate([[cell], members[:, place]]) for place, cell in enumerate(cells))

    def _add(self, counts: Whole) -> Whole:
        places = np.arange(self._size, self._size + len(counts), dtype=np.int64)
        self._parts.append(counts)
        self._size += len(counts)
        return places


_ALL = "*"


def _levels(axis: Axis, domain: Domain) -> list[_Level]:
    """Return the labels of an axis, the levels of its hierarchy, and all of it."""
    found = [_Level("", np.arange(len(axis), dtype=np.int64))]
    attribute = domain[axis.name]
    hierarchy = getattr(attribute, "hierarchy", None)
    if hierarchy is not None and tuple(axis.labels) == tuple(attribute.key_labels):
        for name, partition in hierarchy.resolve(attribute.labels).items():
            # What stands for invalid values is in no group, hence one of its own.
            groups = np.arange(len(partition), len(partition) + len(axis), dtype=np.int64)
            for number, (_, members) in enumerate(partition):
                groups[list(members)] = number
            found.append(_Level(f"level {name}", np.unique(groups, return_inverse=True)[1].astype(np.int64)))
    return [*found, _Level(_ALL, np.zeros(len(axis), dtype=np.int64))]
