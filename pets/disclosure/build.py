"""Tables from data: rows of microdata, cells of counts with or without margins, or an array of counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pets.disclosure.axes import Groups, cube_of_columns, dimension_of
from pets.disclosure.contributions import LARGEST, Contributions, Records, of_counts
from pets.disclosure.cube import Cube
from pets.disclosure.dimension import TOTAL, Dimension
from pets.disclosure.frames import Columns
from pets.disclosure.rules import MinimumFrequency, Rule
from pets.disclosure.sheet import Cost, Fate, Sheet
from pets.disclosure.table import LARGEST as LARGEST_COUNT
from pets.disclosure.table import Table
from pets.domain import Label
from pets.errors import InvalidArgument, RangeOverflow

Margins = Literal["printed", "known", "none"]
"""Totals and groups are printed with the table (and hidden if need be), are known from elsewhere, or do not exist."""


def sheet_of_rows(
    frame: object,
    by: Sequence[str] | str,
    *,
    hierarchies: Mapping[str, Groups] | None = None,
    categories: Mapping[str, Sequence[str]] | None = None,
    value: str | None = None,
    weight: str | None = None,
    holding: str | None = None,
    request: str | None = None,
    margins: Margins = "printed",
    total: str = TOTAL,
    keep: int = LARGEST,
) -> Sheet:
    """Return the cells of a table of microdata, all margins included.

    Parameters
    ----------
    frame
        Any data frame that narwhals supports: one row for each case (or contributor).
    by
        Columns of the table.
    hierarchies
        Groups over the codes of a column.
    categories
        Codes of a column, in order, where they are declared. Otherwise the codes that occur are taken; then a code
        without any case is missing from the table.
    value
        Column to be summed: a magnitude table. Left out, rows are counted.
    weight
        Column of sampling weights, how many units each row stands for.
    holding
        Column that says to whom a row belongs (clinic, firm, family); the rules count and rank these. Left out,
        each row is a contributor of its own.
    request
        Column of 0 and 1 or False and True: contributors who asked for protection.
    margins
        Whether totals and groups are printed too.
    total
        Code of the totals.
    keep
        How many of the largest contributions to each cell are kept for the rules.

    Raises
    ------
    DataError
        A column is missing, has missing values, or a value or weight is negative.
    InvalidArgument
        A code is not in its hierarchy or categories, or the table would be too large.
    """
    columns = Columns(frame, by, (value, weight, holding, request))
    cube = cube_of_columns(columns, hierarchies, categories, total)
    counted = value is None and weight is None and holding is None and request is None
    leaves = cube.leaf_columns([columns.labels(name) for name in cube.names])
    if counted:
        inner = np.zeros(cube.inner_shape, dtype=np.int64)
        np.add.at(inner, tuple(leaves), 1)
        return _sheet(cube, of_counts(cube.add_up(inner).astype(np.float64)), margins, None, integral=True)
    n = len(leaves[0])
    records = Records(
        leaves,
        np.ones(n) if value is None else columns.numbers(value),
        np.ones(n) if weight is None else columns.numbers(weight),
        None if holding is None else columns.owners(holding),
        np.zeros(n, dtype=np.bool_) if request is None else columns.flags(request),
    )
    return _sheet(cube, records.enter(cube, keep), margins, None, integral=value is None and weight is None)


def sheet_of_counts(
    dimensions: Sequence[Dimension | tuple[str, Sequence[Label]]],
    counts: ArrayLike,
    *,
    hierarchies: Mapping[str, Groups] | None = None,
    structural: ArrayLike | None = None,
    margins: Margins = "printed",
    total: str = TOTAL,
) -> Sheet:
    """Return the cells of an array of counts of persons, all margins included.

    Parameters
    ----------
    dimensions
        For each axis a :class:`Dimension`, or its name and labels in order.
    counts
        Inner cells, whole numbers of the shape of the labels (of the leaves of each dimension).
    hierarchies
        Groups over the labels of an axis that was given by name and labels.
    structural
        Inner cells that everybody knows to be impossible, of the same shape.
    margins
        Whether totals and groups are printed too.
    total
        Code of the totals.

    Raises
    ------
    InvalidArgument
        The shapes differ, a count is negative or no whole number, or a structural zero is not 0.
    RangeOverflow
        The total is beyond 2**53.
    """
    cube = Cube(tuple(dimension_of(axis, hierarchies or {}, total) for axis in dimensions))
    found = np.asarray(counts)
    if found.dtype.kind not in "iu" or found.shape != cube.inner_shape:
        raise InvalidArgument("counts", f"must be whole numbers of the shape {cube.inner_shape}")
    if found.min(initial=0) < 0:
        raise InvalidArgument("counts", "has a negative cell", "Counts of persons are 0 or more.")
    _refuse_overflow(found)
    impossible = None if structural is None else np.asarray(structural, dtype=np.bool_).reshape(cube.inner_shape)
    if impossible is not None and found[impossible].any():
        raise InvalidArgument("structural", "marks a cell that is not empty")
    values = cube.add_up(found.astype(np.int64)).astype(np.float64)
    return _sheet(cube, of_counts(values), margins, impossible, integral=True)


def sheet_of_cells(
    frame: object,
    by: Sequence[str] | str,
    value: str,
    *,
    records: str | None = None,
    largest: Sequence[str] = (),
    hierarchies: Mapping[str, Groups] | None = None,
    categories: Mapping[str, Sequence[str]] | None = None,
    margins: Margins = "printed",
    total: str = TOTAL,
) -> Sheet:
    """Return the cells of a table that is already a table: one row for each cell, with or without its margins.

    Parameters
    ----------
    frame
        Any data frame that narwhals supports. An inner cell that has no row is 0; margins are added where they
        have no row, and compared where they have one.
    by
        Columns with the codes.
    value
        Column with the counts, or with the sums of a magnitude table.
    records
        For a magnitude table the column with the number of contributors. Margins must then have rows.
    largest
        For a magnitude table the columns with the largest contributions, the largest first.
    hierarchies, categories, margins, total
        As in :func:`sheet_of_rows`. Codes of groups may have rows too.

    Raises
    ------
    DataError
        A column is missing or has missing values, or counts are no whole numbers.
    InvalidArgument
        A cell has two rows, is negative, or a margin is not the sum of its parts.
    RangeOverflow
        The total is beyond 2**53.
    """
    columns = Columns(frame, by, (value, records, *largest))
    cube = cube_of_columns(columns, hierarchies, categories, total)
    place = cube.place_of([columns.labels(name) for name in cube.names])
    _refuse_repeats(place, cube)
    numbers = columns.numbers(value)
    whole = records is None
    if whole:
        numbers = columns.whole(value, numbers)
    if numbers.min(initial=0) < 0:
        raise InvalidArgument(value, "has a negative cell", "Sums of magnitudes and counts must be 0 or more.")
    if whole:
        _refuse_overflow(numbers)
    given = np.zeros(cube.cells)
    given[place] = numbers
    values = np.asarray(cube.add_up(given[cube.inner]), dtype=np.float64)
    _refuse_wrong_margins(cube, values, place, numbers, exact=whole)
    if records is None:
        return _sheet(cube, of_counts(values), margins, None, integral=True)
    lacking = (values > 0) & ~np.isin(np.arange(cube.cells), place)
    if lacking.any():
        raise InvalidArgument(records, "is unknown for some margin", "Give a row for every margin and group.")
    found = np.zeros((cube.cells, 1 + max(len(largest), 1)))
    for column, name in enumerate((records, *largest)):
        found[place, column] = columns.numbers(name)
    count = np.rint(found[:, 0]).astype(np.int64)
    entered = Contributions(values, count, count, found[:, 1 : 1 + len(largest)], np.zeros(cube.cells))
    return _sheet(cube, entered, margins, None, integral=False)


def table_of_counts(
    dimensions: Sequence[Dimension | tuple[str, Sequence[Label]]],
    counts: ArrayLike,
    *rules: Rule,
    hierarchies: Mapping[str, Groups] | None = None,
    structural: ArrayLike | None = None,
    margins: Margins = "printed",
    cost: Cost = "value",
) -> Table:
    """Return :func:`sheet_of_counts` judged by `rules`, or by :class:`MinimumFrequency` if none is given.

    Its cells are those of a :class:`~pets.disclosure.cube.Cube`: in C order over all codes of each dimension,
    the total first. With ``margins='none'`` they are the inner cells in C order.

    Examples
    --------
    >>> table = table_of_counts([("sex", ["f", "m"]), ("age", ["0-4", "5-9"])], [[9, 2], [7, 8]])
    >>> [table.name(cell) for cell in np.flatnonzero(table.primary)]
    ['sex=f, age=5-9']
    """
    sheet = sheet_of_counts(dimensions, counts, hierarchies=hierarchies, structural=structural, margins=margins)
    return sheet.table(*(rules or (MinimumFrequency(),)), cost=cost)


def _sheet(
    cube: Cube,
    contributions: Contributions,
    margins: Margins,
    impossible: NDArray[np.bool_] | None,
    *,
    integral: bool,
) -> Sheet:
    if margins not in ("printed", "known", "none"):
        raise InvalidArgument("margins", "must be 'printed', 'known' or 'none'")
    possible = np.ones(cube.inner_shape, dtype=np.int64) if impossible is None else (~impossible).astype(np.int64)
    fate = np.full(cube.cells, Fate.KNOWN if margins == "known" else Fate.PRINTED, dtype=np.int8)
    fate[cube.inner] = Fate.PRINTED
    found = Sheet(
        cube.names,
        tuple(dimension.total for dimension in cube.dimensions),
        cube.codes(),
        cube.relations(),
        contributions,
        fate,
        np.asarray(cube.add_up(possible) == 0),
        integral,
    )
    return found.only(np.isin(np.arange(cube.cells), cube.inner)) if margins == "none" else found


def _refuse_repeats(place: NDArray[np.int64], cube: Cube) -> None:
    unique, times = np.unique(place, return_counts=True)
    if (times > 1).any():
        where = np.unravel_index(unique[times > 1][0], cube.shape)
        named = zip(cube.dimensions, where, strict=True)
        cell = ", ".join(f"{dimension.name}={dimension.codes[i]}" for dimension, i in named)
        raise InvalidArgument(
            "frame", f"has two rows for the cell {cell}", "Add them up, or name the column that differs."
        )


def _refuse_wrong_margins(
    cube: Cube, values: NDArray[np.float64], place: NDArray[np.int64], given: NDArray[np.float64], *, exact: bool
) -> None:
    slack = 0.0 if exact else 1e-6 * np.maximum(np.abs(given), 1.0)
    wrong = np.flatnonzero(np.abs(values[place] - given) > slack)
    if wrong.size:
        where = np.unravel_index(int(place[wrong[0]]), cube.shape)
        cell = ", ".join(f"{d.name}={d.codes[i]}" for d, i in zip(cube.dimensions, where, strict=True))
        raise InvalidArgument(
            "frame",
            f"has margins that do not hold: {cell} is not the sum of its parts ({wrong.size} such cells)",
            "Correct the table, or leave the margins out: they are added.",
        )


def _refuse_overflow(counts: NDArray[np.generic]) -> None:
    """Add up without rounding: high and low halves of the counts apart, the halves as Python's own integers."""
    found = counts.astype(np.int64) if counts.max(initial=0) <= LARGEST_COUNT else None
    if found is None or (int((found >> 32).sum()) << 32) + int((found & 0xFFFFFFFF).sum()) > LARGEST_COUNT:
        raise RangeOverflow("the total is beyond 2**53, where floating point is no longer exact.")
