"""What a pure privacy loss is spent on: which tables are measured, from which block, and with how much noise."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from math import prod

import numpy as np
from numpy.typing import NDArray

from pets.dp.additive import drawable
from pets.dp.marginals.shares import best_shares
from pets.dp.marginals.workload import Subset, Workload, plan_workload
from pets.query import Block, BoundQuery
from pets.query.least_squares import LeastSquaresDesign, subsets
from pets.query.sensitivity import of_block

_BITS = 40
_MOST_CANDIDATES = 256
_POWERS = (-1.0, -0.5, -0.25, 0.25, 0.5)
"""Divisions in proportion to powers of a table's size: descents from them end within 4 % of the best end known."""


@lru_cache(maxsize=256)
def laplace_plan(
    query: BoundQuery, epsilon: Fraction, margins: str | tuple[tuple[str, ...], ...], weights: tuple[Fraction, ...]
) -> LeastSquaresDesign:
    """Return what :class:`~pets.dp.marginals.LaplacePlanner` measures, with the noise of each table; no row is read."""
    design, shares = _divide(query, margins, weights)
    parts = [Fraction(int(share * 2**_BITS), 2**_BITS) for share in shares]
    parts = [part / max(sum(parts), 1) * epsilon for part in parts]
    scales = [
        (table, drawable(l1 / part, "epsilon")) for (table, l1), part in zip(design.scales, parts, strict=True) if part
    ]
    return LeastSquaresDesign(design.names, design.sizes, tuple(scales))


@lru_cache(maxsize=256)
def _divide(
    query: BoundQuery, margins: str | tuple[tuple[str, ...], ...], weights: tuple[Fraction, ...]
) -> tuple[LeastSquaresDesign, tuple[float, ...]]:
    """Return what may be measured, at an epsilon of 1 for each table, and the best shares, the same for any budget."""
    workload = plan_workload(query, margins, [float(w) for w in weights], {}, ())
    names = tuple(axis.name for axis in workload.axes)
    sizes = tuple(axis.tree.leaves for axis in workload.axes)
    blocks = sorted(places_of(query), key=lambda axes: -len(axes))
    listed = _candidates(workload, blocks)
    units = tuple((axes, Fraction(_l1(query, axes))) for axes in listed)
    design = LeastSquaresDesign(names, sizes, units)
    residuals = [axes for axes, _ in workload.sources]
    told = np.zeros((len(residuals), len(listed)))
    rows = {axes: row for row, axes in enumerate(residuals)}
    for column, (table, l1) in enumerate(units):
        for axes in subsets(table):
            told[rows[axes], column] = 1 / (2 * float(l1) ** 2 * (design.cells(table) / design.cells(axes)))
    worth = _worth(workload, sizes, residuals)
    maximal = [axes for axes in listed if not any(set(axes) < set(other) for other in listed)]
    cells = np.array([float(design.cells(axes)) for axes in listed])
    starts = [np.array([float(axes in some) for axes in listed]) for some in (maximal, blocks, listed)]
    starts += [cells**power for power in _POWERS]
    return design, tuple(best_shares(told, worth, starts).tolist())


def _candidates(workload: Workload, blocks: Sequence[Subset]) -> list[Subset]:
    """Return what may be measured: all margins, or what tells each of them and an even choice of the others.

    Any choice keeps the guarantee and answers every table; what is left out costs accuracy only.
    """
    listed = [axes for axes, _ in workload.sources]
    if len(listed) <= _MOST_CANDIDATES:
        return listed
    held = [set(axes) for axes in blocks]
    maximal = [axes for axes in blocks if not any(set(axes) < other for other in held)]
    others = [axes for axes in sorted(set(workload.tables), key=lambda a: (len(a), a)) if axes not in maximal]
    room = min(len(others), max(0, _MOST_CANDIDATES - len(maximal)))
    return [*maximal, *(others[k * len(others) // room] for k in range(room))]


def _worth(workload: Workload, sizes: Sequence[int], residuals: Sequence[Subset]) -> NDArray[np.float64]:
    """Return what the variance of each residual counts in the weighted sum of the tables' cell variances."""
    found = np.zeros(len(residuals))
    rows = {axes: row for row, axes in enumerate(residuals)}
    for table, weight in zip(workload.tables, workload.weights, strict=True):
        for axes in subsets(table):
            inside = prod(1 - 1 / sizes[i] for i in axes)
            found[rows[axes]] += weight * inside / prod(sizes[i] for i in table if i not in axes) ** 2
    # A residual along an axis of one label is always 0, but it belongs to what is put together.
    return np.asarray(np.maximum(found, 1e-9 * found.max()))


def _l1(query: BoundQuery, axes: Subset) -> int:
    """Return the L1 sensitivity of the margin of a block, with the cell of dropped rows that may stand beside it."""
    block = query.blocks[source_of(places_of(query), axes)]
    names = query.query.needs()
    kept = tuple(axis for axis in block.axes if names.index(axis.name) in axes)
    return of_block(Block(block.name, kept, counts_dropped=block.counts_dropped), query.domain.unit).l1


def places_of(query: BoundQuery) -> list[Subset]:
    """Return the axes of each block, ascending, as positions among all attributes of the query."""
    names = query.query.needs()
    return [tuple(sorted(names.index(axis.name) for axis in block.axes)) for block in query.blocks]


def source_of(places: Sequence[Subset], axes: Subset) -> int:
    """Return the block that a margin is taken from: the largest one that holds it, the first of several."""
    return max((b for b, held in enumerate(places) if set(axes) <= set(held)), key=lambda b: (len(places[b]), -b))


def dropped_scales(query: BoundQuery, design: LeastSquaresDesign) -> dict[int, Fraction]:
    """Return for each block that is measured the noise of its cell of dropped rows.

    A row is in a cell or is dropped: beside one of the tables taken from the block, the cell costs nothing.
    """
    places, found = places_of(query), dict[int, Fraction]()
    for table, scale in design.scales:
        block = source_of(places, table)
        if query.blocks[block].counts_dropped:
            found[block] = min(scale, found.get(block, scale))
    return found
