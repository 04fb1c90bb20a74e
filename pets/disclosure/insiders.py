"""Leaks to somebody who knows one hidden cell, having contributed the whole of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pets.disclosure.auditing import Audit, Leak
from pets.disclosure.intervals import feasible_intervals
from pets.disclosure.reading import Reading
from pets.disclosure.table import Table


def sole_contributors(table: Table, hidden: NDArray[np.bool_]) -> NDArray[np.intp]:
    """Return the hidden cells that one contributor makes up; a count of 1 where contributors are not told."""
    owners = table.contributors
    alone = table.values == 1 if owners is None and table.integral else np.zeros(len(hidden), dtype=np.bool_)
    if owners is not None:
        alone = owners == 1
    return np.flatnonzero(hidden & alone)


def with_insiders(found: Audit, reading: Reading, table: Table) -> Audit:
    """Return the audit with the sensitive cells that become exact for the owner of another cell.

    Parameters
    ----------
    found
        Audit from the side of an outsider.
    reading
        The publication.
    table
        The true table.
    """
    exact = {leak.cell for leak in found.leaks if leak.kind != "narrow"}
    leaks = list(found.leaks)
    sensitive = np.zeros(len(table.values), dtype=np.bool_)
    sensitive[found.cells[found.sensitive]] = True
    for owner in sole_contributors(table, reading.hidden):
        inside = reading.knowing(int(owner), float(table.values[owner]))
        for cell, value in _given_away(inside, int(owner), sensitive, table):
            if cell not in exact:
                exact.add(cell)
                leaks.append(Leak(cell, reading.name(cell), value, value, "insider", int(owner), inside))
    return replace(found, leaks=tuple(leaks))


def _given_away(reading: Reading, owner: int, sensitive: NDArray[np.bool_], table: Table) -> list[tuple[int, float]]:
    """Sensitive cells, other than the owner's, that have one value left."""
    system, cells, _ = reading.around(owner)
    wanted = sensitive[cells] & (cells != owner)
    found = feasible_intervals(system, table.values[cells], lambda low, high: ~wanted | (low < high))
    one = wanted & (found.low == found.high)
    return [(int(cell), float(value)) for cell, value in zip(cells[one], found.low[one], strict=True)]
