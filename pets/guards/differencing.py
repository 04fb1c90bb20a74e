"""What follows from the answers together: whether some small group is told apart by cohorts that were answered.

Each combination of categories (*cell*) has a public expected count; cohorts are sets of cells. What follows linearly
from the totals of cohorts is the row space of the 0/1 matrix of cohorts and cells. Two cohorts give their difference,
which touches the cells of their symmetric difference; more of them give unions, complements, chains of subsets,
inclusion and exclusion. If every nonzero vector of that space touches cells that expect at least the minimum together,
no statement that follows linearly from the totals is about fewer people.

Only public numbers are looked at. What follows with knowledge from elsewhere, or by other than linear reasoning (all
counts are nonnegative), is not covered; the noise of the answers is for that.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import gcd

import numpy as np
from numpy.typing import NDArray

from pets.errors import QueryRefused

MAX_WORK = 8_000_000
"""Numbers that are looked at for one question, a second or two; a search that needs more is given up, and refused.

The work follows from the question, the earlier ones and the expected counts, so this refusal is public too."""

MAX_DEPTH = 400
"""Cells that one vector may be paid for; a group spread over more of them is refused as well."""

Row = list[int]
Mask = NDArray[np.bool_]


def check_together(cohorts: Sequence[Mask], expected: NDArray[np.float64], minimum: float) -> None:
    """Refuse if some sum or difference of these cohorts' totals is about fewer expected patients than the minimum.

    Parameters
    ----------
    cohorts
        Cells of all cohorts, the new one included: boolean arrays of shape (cells,).
    expected
        Patients expected in each cell, of shape (cells,).
    minimum
        Fewest patients that may be told apart.

    Raises
    ------
    QueryRefused
        With the code ``'overlap'``; also when the search does not end within :data:`MAX_WORK`.
    """
    try:
        found = _small_group(cohorts, expected, minimum)
    except _TooLong:
        raise QueryRefused(
            "overlap", "together with earlier answers this could not be shown to be harmless",
            "Ask for a cohort that was answered, or choose by fewer attributes.",
        ) from None  # fmt: skip
    if found:
        raise QueryRefused(
            "overlap", f"together with earlier answers this tells apart fewer than {minimum:g} expected patients",
            "Ask for a cohort that was answered, or one that differs by more.",
        )  # fmt: skip


class _TooLong(Exception):
    """The work for one question is used up."""


class _Work:
    """Counts the numbers that were looked at for one question."""

    def __init__(self, most: int) -> None:
        self.left = most

    def spend(self, numbers: int) -> None:
        """Stop if there is no work left."""
        self.left -= numbers
        if self.left < 0:
            raise _TooLong


def _small_group(cohorts: Sequence[Mask], expected: NDArray[np.float64], minimum: float) -> bool:
    patterns, atom_of = np.unique(np.stack(cohorts), axis=1, return_inverse=True)
    weights = np.bincount(np.ravel(atom_of), weights=expected, minlength=patterns.shape[1])
    # Thick atoms first: the rows of the echelon form that begin later vanish on all of them.
    order = np.argsort(weights < minimum, kind="stable")
    thick = int(np.count_nonzero(weights >= minimum))
    work = _Work(MAX_WORK)
    work.spend(patterns.size)
    echelon = _echelon([[int(value) for value in row] for row in patterns[:, order]], work)
    thin = [row[thick:] for row in echelon if not any(row[:thick])]
    return _Search([float(weight) for weight in weights[order][thick:]], float(minimum), work).finds(thin)


class _Search:
    """Looks for a nonzero vector of a space that is nonzero only in cells of little weight; exact, in integers.

    A cell is either zero in the vector, which leaves a smaller space, or paid for. Both ways are followed.
    """

    def __init__(self, weights: Sequence[float], limit: float, work: _Work) -> None:
        self.weights, self.limit, self.work = weights, limit, work
        self.free = frozenset(cell for cell, weight in enumerate(weights) if not weight)

    def finds(self, basis: list[Row], paid: frozenset[int] = frozenset(), cost: float = 0.0) -> bool:
        """Return whether there is one."""
        if not basis:
            return False
        if len(paid - self.free) > MAX_DEPTH:
            raise _TooLong
        # Each cell is looked up, and each row is read once to find what is open and once to make a cell vanish.
        self.work.spend(len(self.weights) * (1 + 2 * len(basis)))
        paid = paid or self.free
        open_cells = [c for c in range(len(self.weights)) if c not in paid and any(row[c] for row in basis)]
        if not open_cells:
            return True
        cell = max(open_cells, key=self.weights.__getitem__)
        if self.finds(_vanishing(basis, cell), paid, cost):
            return True
        after = cost + self.weights[cell]
        return after < self.limit and self.finds(basis, paid | {cell}, after)


def _vanishing(basis: list[Row], cell: int) -> list[Row]:
    """Return a basis of the vectors that are zero in `cell`, where some vector is not."""
    place = next(i for i, row in enumerate(basis) if row[cell])
    pivot = basis[place]
    return [_eliminate(row, pivot, cell) for i, row in enumerate(basis) if i != place]


def _echelon(rows: list[Row], work: _Work) -> list[Row]:
    """Return independent rows that span the same space, in reduced echelon form up to factors."""
    done: list[Row] = []
    for column in range(len(rows[0])):
        work.spend(len(rows))
        place = next((i for i, row in enumerate(rows) if row[column]), None)
        if place is None:
            continue
        pivot = rows.pop(place)
        work.spend(len(pivot) * sum(bool(row[column]) for row in (*rows, *done)))
        rows = [kept for row in rows if any(kept := _eliminate(row, pivot, column))]
        done = [*(_eliminate(row, pivot, column) for row in done), pivot]
        if not rows:
            break
    return done


def _eliminate(row: Row, pivot: Row, column: int) -> Row:
    """Return a multiple of `row`, less one of `pivot`, that is zero in `column`; divided by what all have in common."""
    if not row[column]:
        return row
    left, right = pivot[column], row[column]
    mixed = [left * a - right * b for a, b in zip(row, pivot, strict=True)]
    common = gcd(*mixed)
    return [value // common for value in mixed] if common > 1 else mixed
