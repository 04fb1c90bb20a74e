"""The tables of a query as their reader will see them: linked, with the margins that the reader may know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pets.disclosure.build import Margins, sheet_of_counts
from pets.disclosure.contributions import of_counts
from pets.disclosure.dimension import TOTAL
from pets.disclosure.relations import Relations
from pets.disclosure.sheet import Fate, Sheet
from pets.domain import Domain
from pets.query.layout import Block

_WHOLE = "all"
"""Stands for the one row of a table without attributes: a total alone."""

Key = tuple[tuple[str, str], ...]
"""Which persons a cell counts: attribute and code, total codes left out."""


@dataclass(frozen=True, eq=False)
class Published:
    """Cells of the tables of a query, their margins included.

    Attributes
    ----------
    sheet
        All cells, table after table. A cell that two tables have in common is there twice, and the two are tied.
    places
        For each table the cells of the sheet that are its own, in the table's order.
    """

    sheet: Sheet
    places: tuple[NDArray[np.int64], ...]

    def persons(self, cell: int) -> str:
        """Return in words whom a cell counts: ``age 0-4, sex f`` or ``everybody``."""
        named = zip(self.sheet.dimensions, self.sheet.totals, self.sheet.codes, strict=True)
        parts = [
            f"{name} {codes[cell]}" for name, total, codes in named if total and codes[cell] not in (total, _WHOLE)
        ]
        return ", ".join(parts) or "everybody"

    def unprinted(self) -> NDArray[np.bool_]:
        """Return the cells that are margins which the query does not ask for, bool (n,)."""
        found = np.ones(self.sheet.cells, dtype=np.bool_)
        found[np.concatenate(self.places)] = False
        return found


def published(
    blocks: Sequence[Block], counts: Sequence[NDArray[np.int64]], domain: Domain, margins: Margins
) -> Published:
    """Return the tables of a query in one model.

    Rows that fit no cell of one table may fit another, so that the tables differ in a margin they have in common. The
    attacker is then taken to know by how much.

    Parameters
    ----------
    blocks
        Public shapes of the tables.
    counts
        Of each table the flat counts, shape (cells,).
    domain
        For its hierarchies: whoever knows margins knows those of groups too.
    margins
        What is assumed of margins that the query does not ask for: ``'printed'`` (elsewhere, under this same pattern),
        ``'known'`` to everybody, or ``'none'``, known to nobody.
    """
    sheets = [_sheet(block, values, domain) for block, values in zip(blocks, counts, strict=True)]
    keys = [_keys(sheet) for sheet in sheets]
    inner = [_inner(sheet) for sheet in sheets]
    asked = {table[i] for table, own in zip(keys, inner, strict=True) for i in np.flatnonzero(own)}
    starts = np.cumsum([0, *(sheet.cells for sheet in sheets)])
    first: dict[Key, int] = {}
    twins: list[tuple[int, int]] = []
    fates = []
    unasked = {"printed": Fate.PRINTED, "known": Fate.KNOWN, "none": Fate.LATENT}[margins]
    for start, table, own in zip(starts, keys, inner, strict=False):
        for number, key in enumerate(table, int(start)):
            again = first.setdefault(key, number)
            if again != number:
                twins.append((again, number))
            spare = again != number or key in asked
            fates.append(Fate.PRINTED if own[number - start] else Fate.LATENT if spare else unasked)
    joined = _joined(sheets, [block.name for block in blocks], np.array(fates, dtype=np.int8), twins)
    places = tuple(start + np.flatnonzero(own) for start, own in zip(starts, inner, strict=False))
    return Published(joined, places)


def _sheet(block: Block, values: NDArray[np.int64], domain: Domain) -> Sheet:
    if not block.axes:
        return sheet_of_counts([(_WHOLE, [_WHOLE])], values.reshape(1))
    axes = [(axis.name, [str(label) for label in axis.labels]) for axis in block.axes]
    hierarchies = {
        axis.name: found
        for axis in block.axes
        if (found := getattr(domain[axis.name], "hierarchy", None)) is not None
        and tuple(axis.labels) == tuple(domain[axis.name].key_labels)
    }
    structural = None if block.impossible is None else block.impossible.reshape(block.shape)
    return sheet_of_counts(axes, values.reshape(block.shape), hierarchies=hierarchies, structural=structural)


def _keys(sheet: Sheet) -> list[Key]:
    named = list(zip(sheet.dimensions, sheet.totals, sheet.codes, strict=True))
    return [
        tuple(sorted((name, str(codes[i])) for name, total, codes in named if codes[i] not in (total, _WHOLE)))
        for i in range(sheet.cells)
    ]


def _inner(sheet: Sheet) -> NDArray[np.bool_]:
    """Return which cells no sum divides any further: those of the table itself."""
    divided = np.zeros(sheet.cells, dtype=np.bool_)
    divided[sheet.relations.indices[sheet.relations.signs == -1]] = True
    return ~divided


def _joined(
    sheets: Sequence[Sheet], names: Sequence[str], fate: NDArray[np.int8], twins: Sequence[tuple[int, int]]
) -> Sheet:
    """Return one sheet of all tables, with a relation for each pair of cells that count the same persons."""
    values = np.concatenate([sheet.contributions.values for sheet in sheets])
    dimensions = tuple(dict.fromkeys(name for sheet in sheets for name in sheet.dimensions))
    starts = np.cumsum([0, *(sheet.cells for sheet in sheets)])
    rows = [sheet.relations for sheet in sheets]
    lengths = np.concatenate([*(np.diff(each.indptr) for each in rows), np.full(len(twins), 2)])
    ties = np.array(twins, dtype=np.int64).reshape(-1, 2)
    relations = Relations(
        np.concatenate([[0], np.cumsum(lengths)]),
        np.concatenate([*(each.indices + start for each, start in zip(rows, starts, strict=False)), ties.reshape(-1)]),
        np.concatenate([*(each.signs for each in rows), np.tile(np.array([1, -1]), len(ties))]),
        np.concatenate([*(each.constants for each in rows), values[ties[:, 0]] - values[ties[:, 1]]]),
    )
    table = np.concatenate([np.full(sheet.cells, name) for sheet, name in zip(sheets, names, strict=True)])
    return Sheet(
        ("table", *dimensions) if len(sheets) > 1 else dimensions,
        ("", *(TOTAL for _ in dimensions)) if len(sheets) > 1 else tuple(TOTAL for _ in dimensions),
        (*([table] if len(sheets) > 1 else []), *(_column(sheets, name) for name in dimensions)),
        relations,
        of_counts(values),
        fate,
        np.concatenate([sheet.structural for sheet in sheets]),
        integral=True,
    )


def _column(sheets: Sequence[Sheet], name: str) -> NDArray[np.str_]:
    parts = [dict(zip(sheet.dimensions, sheet.codes, strict=True)).get(name) for sheet in sheets]
    absent = [np.full(sheet.cells, TOTAL) for sheet in sheets]
    return np.concatenate([none if part is None else part for part, none in zip(parts, absent, strict=True)])
