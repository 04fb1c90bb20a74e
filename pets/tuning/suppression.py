"""Today's practice on the planning counts: which cells are hidden, what that loses, and what subtraction gives back."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from pets.disclosure import MinimumFrequency, audit, suppress, table_of_counts
from pets.tuning import curves
from pets.tuning.plan import TuningPlan

MINIMUM = 5
"""Smallest count that is shown."""

MOST_WORK = 1_600
"""Cells of all tables, margins included, among which further ones are searched while a page is built."""

_WORK = {0: 1, 1: 1, 2: 1, 3: 4, 4: 12}
_DEEPEST = 30
"""By number of axes: how many cells of a flat table take as long as one of these. A clock would not do: the same plan
must give the same page."""


@dataclass(frozen=True, slots=True)
class Suppressed:
    """Suppression of all tables of a plan, each by itself with its margins printed.

    Attributes
    ----------
    cells, hidden, further
        Inner cells in all; hidden ones; those among them that are not small themselves. ``further`` is ``None`` where
        the tables are too large to be searched while a page is built.
    cases, lost
        Cases in all, and in hidden cells.
    mean_square
        Mean squared error of a reader who takes the middle of what each hidden cell can be.
    recovered_open, recovered
        Small cells that subtraction gives back exactly if only they are hidden, and with the further cells. Where these
        are not searched, the first is what follows line by line, hence at least so many, and the second ``None``.
    small
        Small cells, margins included.
    narrowest
        Least and largest possible value of the small cell that a reader knows most closely, with the further cells.
    """

    cells: int
    hidden: int
    further: int | None
    cases: float
    lost: float
    mean_square: float
    recovered_open: int
    recovered: int | None
    small: int
    narrowest: tuple[int, int] | None


def suppressed(plan: TuningPlan) -> Suppressed:
    """Return what suppression under five does to the plan's tables."""
    shapes = [t.shape or (1,) for t in plan.tables]
    searched = sum(map(_work, shapes)) <= MOST_WORK
    counts = [tuple(curves.whole(n) for n in t.counts) for t in plan.tables]
    return _added_up([_one(shape, n, searched) for shape, n in zip(shapes, counts, strict=True)])


def _work(shape: tuple[int, ...]) -> int:
    return _WORK.get(len(shape), _DEEPEST) * math.prod(size + 1 for size in shape)


@lru_cache(maxsize=64)
def _one(shape: tuple[int, ...], counts: tuple[int, ...], searched: bool) -> Suppressed:
    # Numbers in place of labels: a category may well be called "Total".
    dims = [(f"axis {i}", [str(code) for code in range(size)]) for i, size in enumerate(shape)]
    values = np.array(counts, dtype=np.int64).reshape(shape)
    table = table_of_counts(dims, values, MinimumFrequency(MINIMUM))
    inner = np.ones(shape, dtype=bool)
    inner = np.pad(inner, [(1, 0)] * len(shape)).ravel()  # the total comes first along each axis
    small = table.primary
    hidden, recovered, narrowest = small, None, None
    if searched:
        opened = sum(leak.kind == "exact" for leak in audit(table, small, thorough=False).leaks)
    else:
        opened = _line_by_line(small.reshape([size + 1 for size in shape]))
    low, high = np.where(small, 1.0, table.values), np.where(small, MINIMUM - 1.0, table.values)
    if searched and small.any():
        hidden = suppress(table, method="fast").suppressed
        found = audit(table, hidden)
        low[found.cells], high[found.cells] = found.low, np.minimum(found.high, values.sum())
        recovered = sum(leak.kind == "exact" for leak in found.leaks)
        narrowest = _narrowest(found.low[found.sensitive], found.high[found.sensitive])
    middle = (low + high) / 2
    gone = hidden & inner
    return Suppressed(
        cells=int(inner.sum()),
        hidden=int(gone.sum()),
        further=int((gone & ~small).sum()) if searched else None,
        cases=float(table.values[inner].sum()),
        lost=float(table.values[gone].sum()),
        mean_square=float(((middle - table.values)[inner] ** 2).mean()),
        recovered_open=opened,
        recovered=recovered if searched else None,
        small=int(small.sum()),
        narrowest=narrowest,
    )


def _line_by_line(hidden: NDArray[np.bool_]) -> int:
    """Return how many hidden cells follow from lines in which all others are known, one after the other."""
    left = hidden.copy()
    while True:
        alone = np.zeros_like(left)
        for axis in range(left.ndim):
            alone |= left & (left.sum(axis=axis, keepdims=True) == 1)
        if not alone.any():
            return int(hidden.sum() - left.sum())
        left &= ~alone


def _narrowest(low: NDArray[np.float64], high: NDArray[np.float64]) -> tuple[int, int] | None:
    if not np.isfinite(high).any():  # nothing bounds the single cell of a table without totals
        return None
    place = int(np.argmin(high - low))
    return int(low[place]), int(high[place])


def _added_up(parts: list[Suppressed]) -> Suppressed:
    cells = sum(part.cells for part in parts)
    searched = all(part.further is not None for part in parts)
    ranges = [part.narrowest for part in parts if part.narrowest is not None]
    return Suppressed(
        cells=cells,
        hidden=sum(part.hidden for part in parts),
        further=sum(part.further or 0 for part in parts) if searched else None,
        cases=sum(part.cases for part in parts),
        lost=sum(part.lost for part in parts),
        mean_square=sum(part.cells * part.mean_square for part in parts) / cells,
        recovered_open=sum(part.recovered_open for part in parts),
        recovered=sum(part.recovered or 0 for part in parts) if searched else None,
        small=sum(part.small for part in parts),
        narrowest=min(ranges, key=lambda ends: ends[1] - ends[0]) if ranges else None,
    )
