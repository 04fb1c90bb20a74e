"""The tables of a query as their reader will see them: margins of one table of patients, however little of it is shown.

Several tables over the same patients are margins of the table by *all* their attributes, and a reader may use that:
cells of three two-way tables can follow although no two of them share the margin that gives them away. So there is one
model over the joint table, whose inner cells are unknown to the reader. Only the tables' own counts are at hand, not
the joint one: any joint table that fits them will do, since what a reader can work out depends on what is shown alone.

A row that fits no cell of one table may fit another. Each attribute then has a code for rows outside of it, so that
tables differ in a margin by cells that are unknown like others, and protected like others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pets.disclosure.build import Margins
from pets.disclosure.contributions import of_counts
from pets.disclosure.cube import Cube
from pets.disclosure.dimension import Dimension
from pets.disclosure.highs import load, quiet
from pets.disclosure.relations import Relations
from pets.disclosure.sheet import Fate, Sheet
from pets.domain import Domain
from pets.errors import InvalidArgument, PetsError
from pets.query.layout import Axis, Block

LARGEST = 50_000
"""Most cells of a joint table, margins included, that are protected together."""

_EVERYBODY, _INSIDE, _OUTSIDE = "\x1feverybody", "\x1finside", "\x1foutside"
"""Codes that no label can be: all rows, those with a declared value, those without."""

_SECONDS = 60.0

Counts = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Published:
    """Cells of the joint table of a query's tables.

    Attributes
    ----------
    sheet
        All cells, margins included; those after `cube` are the numbers of dropped rows.
    places
        For each table the cells of the sheet that are its own, in the table's order, the dropped rows last.
    """

    sheet: Sheet
    places: tuple[Counts, ...]

    def persons(self, cell: int) -> str:
        """Return in words whom a cell counts: ``age 0-4, sex f`` or ``everybody``."""
        named = zip(self.sheet.dimensions, self.sheet.codes, strict=True)
        words = {_INSIDE: "any declared {}", _OUTSIDE: "{} not declared"}
        parts = [
            words[code].format(name) if (code := str(codes[cell])) in words else f"{name} {code}"
            for name, codes in named
            if codes[cell] != _EVERYBODY
        ]
        return ", ".join(parts) or "everybody"

    def unprinted(self) -> NDArray[np.bool_]:
        """Return the cells that the query does not ask for, bool (n,)."""
        found = np.ones(self.sheet.cells, dtype=np.bool_)
        found[np.concatenate(self.places)] = False
        return found


def published(blocks: Sequence[Block], counts: Sequence[Counts], domain: Domain, margins: Margins) -> Published:
    """Return the tables of a query in one model.

    Parameters
    ----------
    blocks
        Public shapes of the tables.
    counts
        Of each table the flat counts, shape (block.size,), the number of dropped rows last where there is one.
    domain
        For its hierarchies: whoever knows margins knows those of groups too.
    margins
        What is assumed of margins that the query does not ask for: ``'printed'`` (elsewhere, under this same pattern),
        ``'known'`` to everybody, or ``'none'``, known to nobody.

    Raises
    ------
    InvalidArgument
        The joint table would be too large. That depends on the question alone.
    """
    axes = {axis.name: axis for block in blocks for axis in block.axes}
    alone = len(blocks) == 1
    drops = {name for name in axes if not alone and domain[name].invalid in ("drop", "clamp")}
    cube = Cube(tuple(_dimension(axis, domain, axis.name in drops) for axis in axes.values()) or (_nothing(),))
    if cube.cells > LARGEST:
        raise InvalidArgument(
            "tables",
            f"have a joint table of {cube.cells:,} cells, of which at most {LARGEST:,} can be protected together",
            "Ask for fewer attributes at once, or give SuppressCells(complementary='none').",
        )
    within = [_place_in(block, cube) for block in blocks]
    joint = _joint(blocks, counts, within)
    places = [_places(block, cube) for block in blocks]
    fates = _fates(blocks, places, cube, margins)
    structural = np.zeros(cube.inner_shape, dtype=np.bool_)
    if alone and blocks[0].impossible is not None:
        structural = (within[0] < 0).reshape(cube.inner_shape)
    values = np.asarray(cube.add_up(joint.reshape(cube.inner_shape)), dtype=np.int64)
    impossible = np.asarray(cube.add_up((~structural).astype(np.int64)) == 0)
    return _with_dropped(blocks, counts, places, cube, (values, fates, impossible), alone=alone)


def _nothing() -> Dimension:
    """Return a dimension of one leaf, for a total alone."""
    return Dimension.flat("everybody", [_INSIDE], total=_EVERYBODY)


def _dimension(axis: Axis, domain: Domain, drops: bool) -> Dimension:
    attribute, labels = domain[axis.name], [str(label) for label in axis.labels]
    total = _INSIDE if drops else _EVERYBODY
    hierarchy = getattr(attribute, "hierarchy", None)
    if hierarchy is not None and attribute.invalid != "category":
        inside = Dimension.from_hierarchy(axis.name, labels, hierarchy, total)
    else:
        inside = Dimension.flat(axis.name, labels, total)
    if not drops:
        return inside
    sums = tuple((group + 1, tuple(part + 1 for part in parts)) for group, parts in inside.sums)
    last = len(inside.codes) + 1
    return Dimension(axis.name, (_EVERYBODY, *inside.codes, _OUTSIDE), ((0, (1, last)), *sums))


def _label_leaves(dimension: Dimension) -> Counts:
    """Return for each leaf of a dimension the place of its label on the axis, -1 for rows outside."""
    found = np.full(len(dimension.leaves), -1, dtype=np.int64)
    inside = [i for i, code in enumerate(dimension.leaves) if code != _OUTSIDE]
    found[inside] = np.arange(len(inside))
    return found


def _place_in(block: Block, cube: Cube) -> Counts:
    """Return for each inner cell of the joint table its cell in `block`, -1 if it is in none, shape (inner cells,)."""
    shape = cube.inner_shape
    found, lost = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.bool_)
    for axis in block.axes:
        at = cube.names.index(axis.name)
        place = _label_leaves(cube.dimensions[at]).reshape([-1 if i == at else 1 for i in range(len(shape))])
        found, lost = found * len(axis) + np.maximum(place, 0), lost | (place < 0)
    if block.impossible is not None:
        lost |= block.impossible[found]
    return np.asarray(np.where(lost, -1, found).reshape(-1), dtype=np.int64)


def _places(block: Block, cube: Cube) -> Counts:
    """Return the cells of the cube that are those of `block`, in the block's order."""
    asked = {axis.name: place for place, axis in enumerate(block.axes)}
    chosen = [
        d.leaf_places[_label_leaves(d) >= 0] if d.name in asked else np.array([0], dtype=np.int64)
        for d in cube.dimensions
    ]
    grid = np.ravel_multi_index(np.ix_(*chosen), cube.shape)
    joint_order = [d.name for d in cube.dimensions if d.name in asked]
    squeezed = grid.reshape([len(c) for d, c in zip(cube.dimensions, chosen, strict=True) if d.name in asked])
    turned = squeezed.transpose([joint_order.index(name) for name in asked]) if asked else squeezed
    return np.asarray(turned.reshape(-1), dtype=np.int64)


def _joint(blocks: Sequence[Block], counts: Sequence[Counts], within: Sequence[Counts]) -> Counts:
    """Return any joint table with these margins, shape (inner cells,)."""
    if len(blocks) == 1:
        return np.where(within[0] < 0, 0, counts[0][np.maximum(within[0], 0)])
    from scipy.sparse import coo_array

    rows, columns, sums, row = [], [], [], 0
    for block, values, cell in zip(blocks, counts, within, strict=True):
        told = np.flatnonzero((cell >= 0) | block.counts_dropped)
        rows.append(row + np.where(cell < 0, block.cells, cell)[told])
        columns.append(told)
        sums.append(values)
        row += block.size
    total = np.concatenate(sums).astype(np.float64)
    entries = (np.ones(sum(map(len, rows))), (np.concatenate(rows), np.concatenate(columns)))
    matrix = coo_array(entries, shape=(row, len(within[0]))).tocsc()
    solver, width = quiet(time_limit=_SECONDS), len(within[0])
    bounds = np.zeros(width), np.full(width, total.max(initial=0.0))
    load(solver, matrix, np.zeros(width), bounds, (total, total), whole=True)
    solver.run()
    found = np.rint(np.asarray(solver.getSolution().col_value, dtype=np.float64))
    if len(found) != width or (matrix @ found != total).any():
        raise PetsError("no joint table of these tables was found in time. Ask for fewer tables at once.")
    return found.astype(np.int64)


def _fates(blocks: Sequence[Block], places: Sequence[Counts], cube: Cube, margins: Margins) -> NDArray[np.int8]:
    """Return what becomes of each cell of the cube."""
    found = np.full(cube.cells, Fate.LATENT, dtype=np.int8)
    codes = cube.codes()
    outside = np.logical_or.reduce([column == _OUTSIDE for column in codes])
    for block in blocks:
        others = [c != _EVERYBODY for c, name in zip(codes, cube.names, strict=True) if name not in _names(block)]
        margin = ~np.logical_or.reduce(others) if others else np.ones(cube.cells, dtype=np.bool_)
        if margins != "none":
            found[margin & ~outside] = Fate.KNOWN if margins == "known" else Fate.PRINTED
        found[margin & outside] = Fate.DERIVED  # the difference of two tables
    for place in places:
        found[place] = Fate.PRINTED
    return found


def _names(block: Block) -> set[str]:
    return {axis.name for axis in block.axes}


def _with_dropped(
    blocks: Sequence[Block],
    counts: Sequence[Counts],
    places: Sequence[Counts],
    cube: Cube,
    cells: tuple[Counts, NDArray[np.int8], NDArray[np.bool_]],
    *,
    alone: bool,
) -> Published:
    """Return the model with one more cell for each table: its dropped rows, everybody less the table's own cells."""
    values, fates, structural = cells
    relations, extra = cube.relations(), [i for i, block in enumerate(blocks) if block.counts_dropped]
    more: list[Counts] = []
    own, columns = list(places), [list(column) for column in cube.codes()]
    for number, index in enumerate(extra):
        cell = cube.cells + number
        own[index] = np.append(places[index], cell)
        values, fates = np.append(values, counts[index][-1]), np.append(fates, np.int8(Fate.PRINTED))
        structural = np.append(structural, False)
        for column, name in zip(columns, cube.names, strict=True):
            column.append(f"not in {blocks[index].name}" if name == cube.names[0] else _EVERYBODY)
        if not alone:
            more.append(np.concatenate([[0, cell], places[index][blocks[index].free()[:-1]]]))
    return Published(
        Sheet(
            cube.names,
            tuple(dimension.total for dimension in cube.dimensions),
            tuple(np.array(column, dtype=np.str_) for column in columns),
            _extended(relations, more),
            of_counts(values.astype(np.float64)),
            fates,
            structural,
            integral=True,
        ),
        tuple(own),
    )


def _extended(relations: Relations, more: Sequence[Counts]) -> Relations:
    """Return the relations and further ones, in each of which the first cell is the sum of the others."""
    lengths = [len(cells) for cells in more]
    signs = [np.where(np.arange(length) == 0, -1, 1) for length in lengths]
    return Relations(
        np.concatenate([relations.indptr, relations.indptr[-1] + np.cumsum(lengths, dtype=np.int64)]),
        np.concatenate([relations.indices, *more]),
        np.concatenate([relations.signs, *signs]),
        np.concatenate([relations.constants, np.zeros(len(more))]),
    )
