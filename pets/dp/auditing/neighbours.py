"""Neighbouring tallies to tell apart: the pairs on which a claim is hardest to keep."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pets.domain import Attribute, Categorical, Date, Domain, Integer
from pets.errors import InvalidArgument
from pets.privacy_unit import PrivacyUnit
from pets.query import BoundQuery, Count
from pets.tally import Tally

LANES = 2**16
"""Independent experiments in one release of an additive mechanism: few enough to stay in the processor's cache."""

_MOST_ROWS = 64
"""Kinds of rows that are tried to find the pair that differs most."""


@dataclass(frozen=True)
class Experiment:
    """Two tallies that neighbouring data sets have, or one such pair in each lane.

    Attributes
    ----------
    query
        What they are tallies of.
    first, second
        The tallies.
    cells
        Places of the integers that differ, shape (lanes, cells of a lane).
    told
        How the data sets differ, in words.
    """

    query: BoundQuery
    first: Tally
    second: Tally
    cells: NDArray[np.intp]
    told: str


def in_lanes(unit: PrivacyUnit, distance: int, lanes: int) -> Experiment:
    """Return a count in which each lane is an experiment of its own: one cell, or two where a unit is replaced.

    It is the pair of largest L1 and L2 distance at once: all rows of a unit in one cell.
    """
    rows = unit.max_rows * unit.max_sites * distance
    width = 1 if unit.neighbours == "add_remove" else 2
    cells = np.arange(lanes * width).reshape(lanes, width)
    domain = Domain(lane=[f"l{i}" for i in range(lanes)], side=["left", "right"][:width], unit=unit)
    query = Count(by=["lane", "side"]).bind(domain)
    first, second = np.zeros((2, query.size), dtype=np.int64)
    second[cells[:, 0]] = rows
    if width == 2:
        first[cells[:, 1]] = rows
    told = f"{rows} row{'s' * (rows > 1)} of {_units(distance)} {_changed(unit)}, all in one cell"
    return Experiment(query, Tally(first, query.signature), Tally(second, query.signature), cells, told)


def of_query(query: BoundQuery, distance: int) -> Experiment:
    """Return the pair of a given query, made of real rows, that differs most for its sensitivity.

    Raises
    ------
    InvalidArgument
        No row changes the tally.
    """
    unit = query.domain.unit
    contents = [distance * unit.max_sites * tally for tally in _of_one_unit(query)]
    nothing = np.zeros(query.size, dtype=np.int64)
    others = [nothing] if unit.neighbours == "add_remove" or unit.id is not None else []
    others += contents if unit.neighbours == "replace_one" else []
    pairs = [(one, other) for one in contents for other in others]
    first, second = max(pairs, key=lambda pair: _size(query, pair[1] - pair[0]))
    cells = np.flatnonzero(first != second)
    if not cells.size:
        raise InvalidArgument("query", "does not change, whatever row is added", "There is nothing to audit.")
    told = f"all rows of {_units(distance)} {_changed(unit)}, alike, {cells.size} cells of the tally moved"
    return Experiment(query, Tally(second, query.signature), Tally(first, query.signature), cells[None, :], told)


def _of_one_unit(query: BoundQuery) -> list[NDArray[np.int64]]:
    """Return tallies of one unit that owns as many equal rows as it may."""
    import pandas as pd

    unit = query.domain.unit
    found = []
    for row in islice(_rows(query), _MOST_ROWS):
        columns: dict[str, Any] = {name: [value] * unit.max_rows for name, value in row.items()}
        if unit.id is not None:
            columns[unit.id] = [1] * unit.max_rows
        found.append(query.tally(pd.DataFrame(columns)).values.copy())
    return found


def _rows(query: BoundQuery) -> Iterator[dict[str, Any]]:
    names = query.query.needs()
    if not names:
        yield {"row": 1}
        return
    for values in product(*(_extremes(query.domain[name]) for name in names)):
        yield dict(zip(names, values, strict=True))


def _extremes(attribute: Attribute) -> list[Any]:
    if isinstance(attribute, Categorical):
        return list(attribute.categories[:2])
    if isinstance(attribute, Date):
        return [attribute.lower, attribute.upper]
    ends = (attribute.lower, attribute.upper)
    return [int(end) if isinstance(attribute, Integer) else float(end) for end in ends]


def _size(query: BoundQuery, change: NDArray[np.int64]) -> float:
    """Return how much of each block's sensitivity a change uses up, L1 and L2 alike."""
    total, start = 0.0, 0
    for block, sensitivity in zip(query.blocks, query.sensitivities, strict=True):
        part = change[start : start + block.size].astype(np.float64)
        start += block.size
        total += float(np.abs(part).sum()) / max(sensitivity.l1, 1) + float(part @ part) / max(
            sensitivity.l2_squared, 1
        )
    return total


def _units(distance: int) -> str:
    return "one unit" if distance == 1 else f"{distance} units"


def _changed(unit: PrivacyUnit) -> str:
    return "added" if unit.neighbours == "add_remove" else "exchanged"
