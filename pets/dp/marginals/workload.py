"""What a plan has to answer: the tables of a query, where each component is measured, and what each is worth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from math import prod

import numpy as np
from numpy.typing import NDArray

from pets.dp.marginals.axes import PlannedAxis, plan_axis
from pets.dp.marginals.same_rows import refuse_different_rows
from pets.errors import InvalidArgument, PairingRefused
from pets.query import BoundQuery, Count, Marginals
from pets.query.designs import Levels
from pets.query.trees import Tree

MAX_COMPONENTS = 4096
"""Most components of a plan."""

Subset = tuple[int, ...]
"""Positions of axes, ascending."""


@dataclass(frozen=True)
class Workload:
    """Tables over common axes.

    Attributes
    ----------
    axes
        All attributes of the query, in order of first use.
    tables
        The tables to be accurate in, each as ascending positions among `axes`.
    weights
        What each table counts in the objective.
    sources
        For each set of axes of which contrasts are needed, the block of the query from which they are measured: the
        largest one that holds them.
    """

    axes: tuple[PlannedAxis, ...]
    tables: tuple[Subset, ...]
    weights: tuple[float, ...]
    sources: tuple[tuple[Subset, int], ...]

    @property
    def trees(self) -> tuple[Tree, ...]:
        """The tree of each axis."""
        return tuple(axis.tree for axis in self.axes)

    def components(self) -> tuple[tuple[Levels, int], ...]:
        """Return each component with the block that it is measured from."""
        return tuple((levels, block) for subset, block in self.sources for levels in self.levels_of(subset))

    def levels_of(self, subset: Subset) -> Iterator[Levels]:
        """Yield the components that vary along exactly the axes of `subset`."""
        depths = [range(1, axis.tree.depth + 1) if i in subset else (0,) for i, axis in enumerate(self.axes)]
        yield from product(*depths)

    def table_reads(self) -> NDArray[np.float64]:
        """Return what the mean variance of each table reads from each component, shape (tables, components)."""
        components = [levels for levels, _ in self.components()]
        return np.array([[self._reads(table, levels) for levels in components] for table in self.tables])

    def _reads(self, table: Subset, levels: Levels) -> float:
        if any(level and i not in table for i, level in enumerate(levels)):
            return 0.0
        return prod(self.axes[i].reads[levels[i]] for i in table)


def plan_workload(
    query: BoundQuery,
    margins: str | Sequence[Sequence[str]],
    weights: Sequence[float],
    hierarchies: Mapping[str, Sequence[str]],
    ranges: Sequence[str],
) -> Workload:
    """Return the workload of a query; see :class:`~pets.dp.marginals.ResidualPlanner` for the arguments.

    Raises
    ------
    PairingRefused
        The query is no table of counts, or its tables count different rows.
    InvalidArgument
        A setting does not fit the query.
    """
    if not isinstance(query.query, Count | Marginals):
        raise PairingRefused(
            f"tables with margins are counts; {type(query.query).__name__} is not one. "
            "Use pets.Count or pets.Marginals, or another mechanism."
        )
    refuse_different_rows(query)
    names = query.query.needs()
    for name in (*hierarchies, *ranges):
        if name not in names:
            raise InvalidArgument(
                "hierarchies" if name in hierarchies else "ranges", f"names {name!r}, not in the query"
            )
    blocks = [tuple(sorted(names.index(axis.name) for axis in block.axes)) for block in query.blocks]
    tables = _tables(blocks, names, margins)
    if weights and len(weights) != len(tables):
        raise InvalidArgument("weights", f"must hold {len(tables)} numbers, one per table")
    axes = tuple(plan_axis(query.table_domain, name, hierarchies, ranges) for name in names)
    found = Workload(axes, tables, tuple(float(w) for w in weights or [1.0] * len(tables)), _sources(blocks))
    if sum(prod(axes[i].tree.depth for i in subset) for subset, _ in found.sources) > MAX_COMPONENTS:
        raise InvalidArgument("query", f"would need more than {MAX_COMPONENTS:,} components", "Ask for fewer tables.")
    return found


def _tables(
    blocks: Sequence[Subset], names: Sequence[str], margins: str | Sequence[Sequence[str]]
) -> tuple[Subset, ...]:
    if margins == "none":
        return tuple(blocks)
    if margins == "all":
        return tuple(subset for subset, _ in _sources(blocks))
    if isinstance(margins, str):
        raise InvalidArgument("margins", "must be 'none', 'all' or a list of lists of attribute names")
    tables = []
    for by in margins:
        missing = [name for name in by if name not in names]
        subset = tuple(sorted(names.index(name) for name in by if name in names))
        if missing or not any(set(subset) <= set(block) for block in blocks):
            raise InvalidArgument("margins", "names a table that is no margin of the query", "Ask for margins of it.")
        tables.append(subset)
    return tuple(dict.fromkeys((*blocks, *tables)))


def _sources(blocks: Sequence[Subset]) -> tuple[tuple[Subset, int], ...]:
    """Return each set of axes inside a block, with the largest block that holds it (the first of several)."""
    largest_first = sorted(range(len(blocks)), key=lambda b: -len(blocks[b]))
    found: dict[Subset, int] = {}
    for block in largest_first:
        if 2 ** len(blocks[block]) > MAX_COMPONENTS:
            raise InvalidArgument("query", "has a table of too many attributes", "The limit is 12.")
        for size in range(len(blocks[block]) + 1):
            for subset in combinations(blocks[block], size):
                found.setdefault(subset, block)
    return tuple(sorted(found.items(), key=lambda item: (len(item[0]), item[0])))
