"""An auditor and an optimiser that share nothing with the library: dense matrices, scipy, all patterns one by one."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, LinearConstraint, milp

from pets.disclosure.relations import Relations
from pets.disclosure.table import Table

Flags = NDArray[np.bool_]


def margins(inner: NDArray[np.int64]) -> tuple[NDArray[np.float64], Relations]:
    """Values and relations of a table with a total in every direction; each axis is total first."""
    full = inner
    for axis in range(inner.ndim):
        full = np.concatenate([full.sum(axis=axis, keepdims=True), full], axis=axis)
    number = np.arange(full.size).reshape(full.shape)
    rows = []
    for axis in range(inner.ndim):
        lines = np.moveaxis(number, axis, -1).reshape(-1, full.shape[axis])
        rows += [(line.tolist(), [-1] + [1] * (len(line) - 1), 0.0) for line in lines]
    return full.ravel().astype(float), Relations.from_rows(rows)


def count_table(inner: NDArray[np.int64], minimum: int = 5, *, level: float = 1.0, **more: object) -> Table:
    """A table of counts with margins; below `minimum` is sensitive, zeros are printed."""
    values, relations = margins(inner)
    primary = (values > 0) & (values < minimum)
    frozen = (values == 0) | np.asarray(more.pop("frozen", np.zeros(values.size, dtype=bool)))
    levels = np.where(primary, level, 0.0)
    given: dict[str, object] = {
        "lower_protection": levels,
        "upper_protection": levels,
        "primary_range": (1, minimum - 1),
    }
    return Table(values, relations, primary=primary, frozen=frozen & ~primary, **(given | more))  # type: ignore[arg-type]


def interval(table: Table, hidden: Flags, cell: int, lower: float, *, whole: bool) -> tuple[float, float]:
    """Least and largest value of a hidden cell when every hidden cell is at least `lower`."""
    matrix = table.relations.matrix(table.cells).toarray()
    at = np.flatnonzero(hidden)
    right = table.relations.constants - matrix[:, ~hidden] @ table.values[~hidden]
    most = np.minimum(table.upper[at], 20 * table.values.max() + 100)
    objective = (at == cell).astype(float)
    ends = []
    for sign in (1.0, -1.0):
        found = milp(
            sign * objective,
            constraints=LinearConstraint(matrix[:, at], right, right),
            bounds=Bounds(np.full(len(at), lower), most),
            integrality=np.full(len(at), int(whole)),
        )
        assert found.status == 0, found.message
        ends.append(sign * found.fun)
    return ends[0], ends[1]


def narrow(table: Table, hidden: Flags, *, zeros_known: bool, whole: bool, width: float = 2.0) -> list[int]:
    """Sensitive cells that are too closely determined: against levels to each side, or a width if zeros are known."""
    found = []
    for cell in np.flatnonzero(table.primary):
        low, high = interval(table, hidden, int(cell), float(zeros_known), whole=whole)
        value = table.values[cell]
        sides = value - low < table.lower_protection[cell] - 1e-6 or high - value < table.upper_protection[cell] - 1e-6
        if high - low < width - 1e-6 if zeros_known else sides:
            found.append(int(cell))
    return found


def cheapest(table: Table, *, zeros_known: bool, whole: bool) -> float | None:
    """Cost of the cheapest pattern that protects, all patterns tried in order of cost; ``None`` if there is none."""
    free = np.flatnonzero(~table.frozen & ~table.primary & ~table.forced)
    for cost, chosen in sorted(_patterns(table, free), key=lambda pair: pair[0]):
        hidden = table.primary | table.forced
        hidden[list(chosen)] = True
        if not narrow(table, hidden, zeros_known=zeros_known, whole=whole):
            return cost
    return None


def _patterns(table: Table, free: NDArray[np.int64]) -> Iterator[tuple[float, tuple[int, ...]]]:
    for size in range(len(free) + 1):
        for chosen in combinations(free.tolist(), size):
            yield float(table.cost[list(chosen)].sum()), chosen
