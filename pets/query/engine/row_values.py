"""Single rows read as a domain reads them: for computations that stay at the site."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pets.query.engine.site import UNIT, integers, open_site, readings

if TYPE_CHECKING:
    from pets.query.base import BoundQuery


@dataclass(frozen=True, eq=False)
class RowValues:
    """The attributes of a query, row by row. Confidential.

    Attributes
    ----------
    cells
        For each attribute that the query groups by, the place of each row along its axis, -1 where it is dropped.
    units
        For each attribute that the query sums, each row's number in whole units of its resolution.
    known
        For each attribute, whether the row has a number there that counts.
    owners
        Identifier of each row's privacy unit, or ``None`` if each row is its own.
    """

    cells: Mapping[str, NDArray[np.int64]]
    units: Mapping[str, NDArray[np.int64]]
    known: Mapping[str, NDArray[np.bool_]]
    owners: list[Any] | None


def read_rows(frame: object, bound: BoundQuery) -> RowValues:
    """Return the rows of `frame` under the rules of :func:`pets.query.engine.tally_frame`.

    Raises
    ------
    InvalidArgument, DataError, RangeOverflow
        As when the rows are tallied.
    """
    site = open_site(frame, bound)
    found = site.run(lambda rows: rows)
    bound.check_capacity(len(found))
    meaning = readings(site.columns, found)
    units = {}
    for column in site.columns:
        if column.is_summed:
            whole = meaning[column.name].units
            units[column.name] = integers(found[column.value]) if whole is None else whole
    return RowValues(
        cells={name: reading.cells for name, reading in meaning.items() if reading.cells is not None},
        units=units,
        known={name: reading.known for name, reading in meaning.items()},
        owners=None if site.unit is None else found[UNIT].to_list(),
    )
