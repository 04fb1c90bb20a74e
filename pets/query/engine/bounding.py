"""The bound on the rows of one privacy unit: the last step before rows are added up.

All rows have been added up by the engine; found here are the rows beyond the bound, which are then taken away.
Only units that own too many rows leave the engine for it, and which of their rows are kept is decided in numpy, so
that it is the same for every engine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import numpy as np
from numpy.typing import NDArray

from pets.query.engine.columns import Column
from pets.query.engine.groups import Groups, place
from pets.query.engine.site import ROWS, UNIT, Frame, Site, integers, readings

if TYPE_CHECKING:
    from pets.query.layout import Block


def rows_beyond_bound(site: Site) -> Groups | None:
    """Return the rows that exceed ``max_rows`` of their unit; ``None`` if there are none.

    Kept are the rows of each unit that fit a cell of every block, then in the order of the cells and values: a
    function of the unit's own rows. All rows without an id are rows of one unit.

    Raises
    ------
    InvalidArgument
        The engine failed.
    """
    unit = site.bound.domain.unit
    if unit.id is None:
        return None
    found = site.run(lambda frame: _offenders(frame, unit.max_rows))
    if len(found) == 0:
        return None
    without_id = bool(found[UNIT].is_null().any())
    parts = []
    if len(found) > without_id:
        parts.append(site.run(lambda frame: _details(site, _rows_of_offenders(frame, unit.max_rows))))
    if without_id:  # a join never matches nulls
        parts.append(site.run(lambda frame: _details(site, frame.filter(nw.col(UNIT).is_null()))))
    return _excess(site, nw.concat(parts), unit.max_rows)


def _offenders(frame: Frame, most: int) -> Frame:
    return frame.group_by([UNIT]).agg(nw.len().alias(ROWS)).filter(nw.col(ROWS) > most).select(UNIT)


def _rows_of_offenders(frame: Frame, most: int) -> Frame:
    named = _offenders(frame, most).filter(~nw.col(UNIT).is_null())
    return frame.join(named, on=[UNIT], how="semi")


def _details(site: Site, frame: Frame) -> Frame:
    """Return the distinct rows of `frame`, with how often each occurs."""
    keys = [column.key for column in site.columns]
    values = [column.value for column in site.columns if column.adds_values]
    return frame.group_by([UNIT, *keys, *values]).agg(nw.len().alias(ROWS))


def _excess(site: Site, details: nw.DataFrame[Any], most: int) -> Groups:
    meaning = readings(site.columns, details)
    numbers = {}
    for column in site.columns:
        units = meaning[column.name].units
        if column.is_summed:
            numbers[column.name] = integers(details[column.value]) if units is None else units
    cells = {name: reading.cells for name, reading in meaning.items() if reading.cells is not None}
    known = {name: reading.known for name, reading in meaning.items()}
    groups = Groups(integers(details[ROWS]), cells, known, {}, {})
    rows = _beyond(groups, _unit_numbers(details), site.columns, numbers, site.bound.blocks, most)
    return replace(
        groups,
        rows=rows,
        sums={name: rows * units for name, units in numbers.items()},
        squares={name: rows * units * units for name, units in numbers.items()},
    )


def _unit_numbers(details: nw.DataFrame[Any]) -> NDArray[np.int64]:
    """Return a number for each unit; which one does not matter, and nulls get -1."""
    first_place: dict[Any, int] = {}
    values = details[UNIT].to_list()
    numbers = np.fromiter(map(first_place.setdefault, values, count()), dtype=np.int64, count=len(values))
    numbers[details[UNIT].is_null().to_numpy().astype(np.bool_)] = -1
    return numbers


def _beyond(
    groups: Groups,
    unit: NDArray[np.int64],
    columns: tuple[Column, ...],
    numbers: Mapping[str, NDArray[np.int64]],
    blocks: tuple[Block, ...],
    most: int,
) -> NDArray[np.int64]:
    """Return how many rows of each group lie beyond the first `most` rows of its unit."""
    misfit = np.zeros(len(unit), dtype=np.bool_)
    for block in blocks:
        misfit |= place(block, groups) < 0
    order_by = [unit, misfit]
    for column in columns:
        order_by += [groups.cells[column.name]] if column.is_key else []
        order_by += [groups.known[column.name]]
        order_by += [numbers[column.name]] if column.is_summed else []
    order = np.lexsort(order_by[::-1])
    rows = groups.rows[order]
    upto = np.cumsum(rows)
    first = np.flatnonzero(np.diff(unit[order], prepend=unit[order[0]] - 1))
    before_unit = np.repeat((upto - rows)[first], np.diff(first, append=len(order)))
    kept = np.clip(most - (upto - rows - before_unit), 0, rows)
    beyond = np.empty_like(rows)
    beyond[order] = rows - kept
    return beyond
