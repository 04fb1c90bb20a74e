"""From a table and an attacker to the problem that the solvers see."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from pets.disclosure.attacker import Attacker
from pets.disclosure.complementary.problem import VAST, Problem
from pets.disclosure.highs import Flags, Floats, Ints
from pets.disclosure.protection import demands, hideable
from pets.disclosure.table import Table
from pets.errors import InvalidArgument, did_you_mean

COSTS = ("table", "count", "unit", "log")


def costs(table: Table, kind: str | ArrayLike, margins: float) -> Floats:
    """Return what hiding each cell costs, (n,).

    Parameters
    ----------
    table
        The table.
    kind
        ``'table'`` for the costs that the table carries, ``'count'`` for its values (at least 1), ``'unit'`` for 1
        each, ``'log'`` for the logarithm of 1 + value; or one number, not negative, for each cell.
    margins
        Factor for cells that are sums of others; above 1, inner cells are hidden before margins.

    Raises
    ------
    InvalidArgument
        The kind is unknown, or the numbers are no costs.
    """
    if isinstance(kind, str):
        if kind not in COSTS:
            raise InvalidArgument("cost", f"there is no cost function {kind!r}", did_you_mean(kind, COSTS))
        size = np.abs(table.values)
        by_kind = {
            "table": table.cost,
            "count": np.maximum(size, 1.0),
            "unit": np.ones(size.size),
            "log": np.log1p(size),
        }
        given = by_kind[kind]
    else:
        given = _custom(kind, table.cells)
    if isinstance(margins, bool) or not isinstance(margins, int | float) or not 0 < margins < 1e9:
        raise InvalidArgument("margins", "must be a positive number", "10 makes each margin cost ten times as much.")
    return np.where(sums(table), margins * given, given)


def _custom(given: ArrayLike, n: int) -> Floats:
    try:
        found = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        raise InvalidArgument("cost", "must be a name or a vector of numbers") from None
    if found.shape != (n,) or not np.isfinite(found).all() or found.min() < 0:
        raise InvalidArgument("cost", "must hold one finite number, not negative, for each cell")
    return found


def sums(table: Table) -> Flags:
    """Return which cells are the sum in some relation: the one whose sign differs from all others."""
    rows = table.relations
    total = np.bincount(rows.rows, weights=rows.signs, minlength=rows.count)[rows.rows]
    size = np.diff(rows.indptr)[rows.rows]
    lone = (size > 2) & (np.abs(total) == size - 2) & (rows.signs * total < 0)
    found = np.zeros(table.cells, dtype=np.bool_)
    found[rows.indices[lone | ((size == 3) & (np.abs(total) == 1) & (rows.signs * total < 0))]] = True
    return found


def problem_of(table: Table, attacker: Attacker, cost: Floats) -> Problem:
    """Return what must be protected in `table` against `attacker`.

    Raises
    ------
    InvalidArgument
        What everybody knows beforehand leaves a sensitive cell less room than its level demands.
    """
    from scipy.sparse import csc_array

    must = table.primary | table.forced
    may = hideable(table, attacker) & ~_telling(table, attacker, must)
    asked = demands(table, attacker, may)
    lower, upper = attacker.bounds(table, may)
    down, up = np.maximum(table.values - lower, 0.0), np.maximum(upper - table.values, 0.0)
    levels = np.concatenate([asked.lower, asked.upper, asked.sliding])
    positive = levels[levels > 0]
    unit = float(positive.min()) if positive.size and not table.integral else 1.0
    vast = VAST * max(1.0, float(levels.max(initial=0.0)), float(np.abs(table.values).max())) / unit
    down, up = np.where(may, np.minimum(down / unit, vast), 0.0), np.where(may, np.minimum(up / unit, vast), 0.0)
    return Problem(
        csc_array(table.relations.matrix(table.cells)),
        cost,
        must,
        may & ~must & (down + up > 0),
        down,
        up,
        asked.lower / unit,
        asked.upper / unit,
        asked.sliding / unit,
    )


def _telling(table: Table, attacker: Attacker, must: Flags) -> Flags:
    """Cells that may not be hidden as complements because their symbol would be a lie, (n,).

    If a reader is told that all hidden cells in the rule's range are marked as such, a cell in that range that
    no rule hides cannot bear the other symbol.
    """
    if not attacker.symbols_differ or table.primary_range is None:
        return np.zeros(table.cells, dtype=np.bool_)
    low, high = table.primary_range
    return np.asarray(table.printed & (table.values >= low) & (table.values <= high) & ~must)


def parts(problem: Problem) -> Iterator[Ints]:
    """Yield the cells of each connected part that holds a target: cells in one relation are connected if both hide."""
    from scipy.sparse import block_array, csr_array
    from scipy.sparse.csgraph import connected_components

    hide = np.flatnonzero(problem.must | problem.free)
    if not len(hide):
        return
    inner = csr_array(problem.matrix[:, hide])
    if not inner.shape[0]:
        yield from (np.array([cell]) for cell in np.intersect1d(hide, problem.targets))
        return
    both: Any = [[None, inner.T], [inner, None]]
    _, labels = connected_components(block_array(both), directed=False)
    labels = labels[: len(hide)]
    target = np.isin(hide, problem.targets)
    for label in np.unique(labels[target]):
        yield hide[labels == label]


def restricted(problem: Problem, cells: Ints) -> Problem:
    """Return the problem of one connected part."""
    if len(cells) == problem.cells:
        return problem
    from scipy.sparse import csc_array, csr_array

    rows = csr_array(problem.matrix[:, cells])
    matrix = csc_array(rows[np.flatnonzero(np.diff(rows.indptr))])
    names = ("cost", "must", "free", "down", "up", "low", "high", "slide")
    parts_of: dict[str, Any] = {name: getattr(problem, name)[cells] for name in names}
    return replace(problem, matrix=matrix, **parts_of)
