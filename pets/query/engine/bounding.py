"""The bound on the rows of one privacy unit: the last step before rows are added up.

All rows have been added up by the engine; found here are the rows beyond the bound, which are then taken away.
Only units that own too many rows leave the engine for it, and which of their rows are kept is decided in numpy, so
that it is the same for every engine.

*Why the sensitivity holds.* Write ``keep(rows, lot)`` for the rows that stay of one unit. It looks at that unit's
rows, of which it keeps ``max_rows`` at most, and at the unit's lot, which is a function of its identifier and of the
question's public signature. So the tally is a sum over units of a function of one unit each, and a neighbouring data
set changes one term of it. The derivation of :mod:`pets.query.sensitivity` needs no more than that: it is a maximum
over whatever ``max_rows`` rows a unit may add, hence holds for every lot, also one that an attacker knows.

*Why a lot.* Kept in the order of the cells, children with a second cancer would all be counted by the one that stands
first in the list: a bias that no release averages away. By lot each row of a unit is as likely to stay as any other
that fits the table, so each cell loses the same share of those rows on average over questions.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import count
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
from numpy.typing import NDArray

from pets.query.engine.columns import Column
from pets.query.engine.groups import Groups, place
from pets.query.engine.lots import drawn, lots
from pets.query.engine.site import ROWS, UNIT, Frame, Site, integers, readings


def rows_beyond_bound(site: Site) -> Groups | None:
    """Return the rows that exceed ``max_rows`` of their unit; ``None`` if there are none.

    Kept are rows of each unit by lot, those that fit a cell of every block before others: a function of the unit's
    own rows and identifier, see above. All rows without an id are rows of one unit.

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
    rows = groups.rows - _kept(site, groups, numbers, details[UNIT], most)
    return replace(
        groups,
        rows=rows,
        sums={name: rows * units for name, units in numbers.items()},
        squares={name: rows * units * units for name, units in numbers.items()},
    )


def _kept(
    site: Site, groups: Groups, numbers: Mapping[str, NDArray[np.int64]], owners: nw.Series[Any], most: int
) -> NDArray[np.int64]:
    """Return how many rows of each group stay, `most` of each unit."""
    unit = _unit_numbers(owners)
    misfit = np.zeros(len(unit), dtype=np.bool_)
    for block in site.bound.blocks:
        misfit |= place(block, groups) < 0
    order = _numbering(site.columns, groups, numbers, unit, misfit)
    rows, unit, misfit = groups.rows[order], unit[order], misfit[order]
    upto = np.cumsum(rows)
    first = np.flatnonzero(np.diff(unit, prepend=unit[0] - 1))
    values = owners.to_list()
    names = (None if number < 0 else values[number] for number in unit[first])
    fitting, others = (np.add.reduceat(np.where(of_these, rows, 0), first) for of_these in (~misfit, misfit))
    places = drawn(lots(names, site.bound.signature, most), fitting, others) + (upto - rows)[first][:, None]
    kept = np.empty_like(rows)
    kept[order] = np.bincount(np.searchsorted(upto, places.ravel(), side="right"), minlength=len(rows))
    return kept


def _numbering(
    columns: tuple[Column, ...],
    groups: Groups,
    numbers: Mapping[str, NDArray[np.int64]],
    unit: NDArray[np.int64],
    misfit: NDArray[np.bool_],
) -> NDArray[np.int64]:
    """Return the order in which the rows of each unit are numbered for its lot: by what they add, so no engine's."""
    by = [unit, misfit]
    for column in columns:
        by += [groups.cells[column.name]] if column.is_key else []
        by += [groups.known[column.name]]
        by += [numbers[column.name]] if column.is_summed else []
    return np.lexsort(by[::-1])


def _unit_numbers(owners: nw.Series[Any]) -> NDArray[np.int64]:
    """Return for each row the place of the first one of its unit, and -1 without an id."""
    first_place: dict[Any, int] = {}
    values = owners.to_list()
    numbers = np.fromiter(map(first_place.setdefault, values, count()), dtype=np.int64, count=len(values))
    numbers[owners.is_null().to_numpy().astype(np.bool_)] = -1
    return numbers
