"""Reconstruction of records from published tables: what must be there, and what merely may be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from math import comb, prod
from time import monotonic
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pets.disclosure.auditing import shown
from pets.disclosure.frames import Columns, labels_in_order
from pets.disclosure.intervals import Enough, Intervals, Progress, feasible_intervals
from pets.disclosure.programs import Program
from pets.disclosure.system import System, Vector
from pets.errors import InvalidArgument, did_you_mean

if TYPE_CHECKING:
    import pandas as pd
    from scipy.sparse import csr_array

Labels = Mapping[str, Sequence[str]]

MOST_COMBINATIONS = 2_000_000
"""Most combinations of categories that records are sought among."""


@dataclass(frozen=True, eq=False, repr=False)
class MarginalTable:
    """A published table of counts by some attributes.

    Parameters
    ----------
    by
        The attributes.
    low, high
        What is printed of each cell, one axis for each attribute: equal for a number, 1 and 4 for ``<5``.
    """

    by: tuple[str, ...]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    def __repr__(self) -> str:
        exact = int((self.low == self.high).sum())
        return f"MarginalTable({' x '.join(self.by)}: {self.low.size} cells, {exact} exact)"


@dataclass(frozen=True, eq=False, repr=False)
class Reconstruction:
    """What published tables tell about the records behind them.

    Attributes
    ----------
    labels
        Categories of each attribute.
    records
        Number of records, ``None`` if no table tells it.
    at_least
        For each combination of categories how many records every solution has there, in C order.
    solution
        One solution, as the solver found it; ``None`` if the time did not suffice.
    undecided
        Combinations of which it is not known whether more records than `at_least` are certain.
    seconds
        How long it took.
    true_matches
        How many records of the one solution are true ones, where the true records were given to compare with.
    """

    labels: Labels
    records: int | None
    at_least: NDArray[np.int64]
    solution: NDArray[np.int64] | None
    undecided: int
    seconds: float
    true_matches: int | None = None

    @property
    def proven(self) -> int:
        """Number of records that must be there: they are in every solution."""
        return int(self.at_least.sum())

    @property
    def decided(self) -> bool:
        """Whether no other record is certain."""
        return self.undecided == 0

    def proven_records(self) -> pd.DataFrame:
        """Return the combinations that must occur, with the number of records that are certain."""
        return self._frame(self.at_least)

    def one_solution(self) -> pd.DataFrame:
        """Return the records of one solution. Many others may fit as well: these are guesses, not findings.

        Raises
        ------
        InvalidArgument
            None was found in the time.
        """
        if self.solution is None:
            raise InvalidArgument("time_limit", "was too short to find any solution", "Give more time.")
        return self._frame(self.solution)

    def compared(self, truth: ArrayOfCounts) -> Reconstruction:
        """Return the same with `true_matches`, given the true count of each combination in C order."""
        if self.solution is None:
            return self
        return replace(self, true_matches=int(np.minimum(self.solution, truth.reshape(-1)).sum()))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, without the records."""
        return {
            "records": self.records,
            "proven": self.proven,
            "merely_matched_by_one_solution": self.true_matches,
            "undecided": self.undecided,
            "combinations": len(self.at_least),
            "seconds": round(self.seconds, 3),
        }

    def _frame(self, counts: NDArray[np.int64]) -> pd.DataFrame:
        import pandas as pd

        found = np.flatnonzero(counts)
        places = np.unravel_index(found, [len(codes) for codes in self.labels.values()])
        named = zip(self.labels.items(), places, strict=True)
        columns = {name: np.array(codes, dtype=object)[place] for (name, codes), place in named}
        return pd.DataFrame(columns | {"records": counts[found]})

    def __str__(self) -> str:
        share = f" of {self.records} ({self.proven / self.records:.0%})" if self.records else ""
        text = f"{self.proven}{share} records are proven: they are in every set of records that fits the tables."
        if self.undecided:
            text += f" {self.undecided} combinations are undecided, so it may be more."
        if self.true_matches is not None:
            text += f" One set that fits, a mere guess, has {self.true_matches} true records."
        return text

    __repr__ = __str__


ArrayOfCounts = NDArray[np.int64]


def reconstruct(
    labels: Labels,
    tables: Sequence[MarginalTable],
    *,
    time_limit: float | None = None,
    progress: bool | Progress = False,
) -> Reconstruction:
    """Return what a set of published tables proves about the records behind them.

    Parameters
    ----------
    labels
        Categories of each attribute, public.
    tables
        The published tables.
    time_limit
        Seconds; what is not decided by then is counted apart. No limit unless given.
    progress
        ``True`` shows a bar; or a function that is told how many combinations are settled, of how many.

    Returns
    -------
    Reconstruction
        Records that are proven (in every solution) and one solution, which merely fits.

    Raises
    ------
    InvalidArgument
        A table does not fit the labels, the tables contradict each other, or there are too many combinations.

    References
    ----------
    S. Garfinkel, J. Abowd and C. Martindale, "Understanding database reconstruction attacks on public data",
    CACM 62(3), 2019. Proving single records with integer programs instead of presenting one solution as the
    truth follows "generate then verify" (arXiv 2504.21199).
    """
    began = monotonic()
    system, records = _system(labels, tables)
    size = prod(len(codes) for codes in labels.values())
    tight = system.propagate()
    with shown(progress, "reconstruct") as report:
        solution = _any_solution(tight, time_limit)
        # only least values matter, and only of combinations; auxiliary margins come after them
        counted = np.arange(system.size) < size
        found = feasible_intervals(
            tight, solution, _not_counted(counted), _left(time_limit, began), report, highs=False
        )
    low, open_ = found.low[:size], _open(found)[:size]
    return Reconstruction(
        {name: tuple(codes) for name, codes in labels.items()},
        records,
        low.astype(np.int64),
        None if solution is None else solution[:size].astype(np.int64),
        int(open_.sum()),
        monotonic() - began,
    )


def tables_of(
    frame: object,
    by: Sequence[str],
    tables: int | Sequence[Sequence[str]] = 3,
    *,
    hide_below: int | None = None,
) -> tuple[dict[str, tuple[str, ...]], list[MarginalTable], ArrayOfCounts]:
    """Return the tables that a release of rows would print, to see what it would give away.

    Parameters
    ----------
    frame
        Any data frame that narwhals supports, one row for each record.
    by
        The attributes.
    tables
        The attributes of each table, or a number: 3 for all three-way tables.
    hide_below
        Counts from 1 to this one, exclusive, are printed as a range; ``None`` prints all.

    Returns
    -------
    labels, tables, counts
        Categories, tables, and the true counts of all combinations in C order.

    Raises
    ------
    DataError
        A column is missing.
    InvalidArgument
        A table names an attribute that is not in `by`, or there are too many combinations.
    """
    columns = Columns(frame, list(by), ())
    labels = {name: tuple(labels_in_order(columns.labels(name), [])) for name in columns.by}
    shape = [len(codes) for codes in labels.values()]
    _refuse_too_many(shape)
    places = [_places(columns.labels(name), codes) for name, codes in labels.items()]
    counts = np.zeros(shape, dtype=np.int64)
    np.add.at(counts, tuple(places), 1)
    chosen = _chosen(tuple(labels), tables)
    return labels, [_margin(counts, tuple(labels), names, hide_below) for names in chosen], counts


def _places(column: NDArray[np.str_], codes: Sequence[str]) -> NDArray[np.intp]:
    place = {code: number for number, code in enumerate(codes)}
    return np.array([place[code] for code in column.tolist()], dtype=np.intp)


def _chosen(names: tuple[str, ...], tables: int | Sequence[Sequence[str]]) -> list[tuple[str, ...]]:
    if isinstance(tables, int):
        if not 1 <= tables <= len(names) or comb(len(names), tables) > 1000:
            raise InvalidArgument("tables", f"must be from 1 to {len(names)}, the number of attributes")
        return list(combinations(names, tables))
    for name in {name for table in tables for name in table} - set(names):
        raise InvalidArgument("tables", f"name {name!r}, which is no attribute", did_you_mean(name, names))
    return [tuple(name for name in names if name in table) for table in tables]


def _margin(
    counts: ArrayOfCounts, names: tuple[str, ...], by: tuple[str, ...], hide_below: int | None
) -> MarginalTable:
    others = tuple(place for place, name in enumerate(names) if name not in by)
    values = counts.sum(axis=others).astype(np.float64)
    small = np.zeros(values.shape, dtype=np.bool_) if hide_below is None else (values > 0) & (values < hide_below)
    return MarginalTable(by, np.where(small, 1.0, values), np.where(small, float((hide_below or 1) - 1), values))


def _system(labels: Labels, tables: Sequence[MarginalTable]) -> tuple[System, int | None]:
    """Counts of all combinations, then one unknown for each printed range; and the number of records if printed."""
    from scipy.sparse import csr_array, hstack, vstack

    names, shape = tuple(labels), [len(codes) for codes in labels.values()]
    _refuse_too_many(shape)
    if not tables:
        raise InvalidArgument("tables", "are none", "Give at least one published table.")
    size, totals = prod(shape), []
    blocks, low, high = [], [], []
    for number, table in enumerate(tables):
        blocks.append(_rows(number, table, names, shape))
        low.append(table.low.reshape(-1))
        high.append(table.high.reshape(-1))
        if np.array_equal(low[-1], high[-1]):
            totals.append(float(low[-1].sum()))
    least, most = np.concatenate(low), np.concatenate(high)
    ranged = np.flatnonzero(least != most)
    slack = csr_array((-np.ones(ranged.size), (ranged, np.arange(ranged.size))), shape=(least.size, ranged.size))
    matrix = csr_array(hstack([vstack(blocks), slack]))
    rhs = np.where(least == most, least, 0.0)
    lower = np.concatenate([np.zeros(size), least[ranged]])
    upper = np.concatenate([np.full(size, np.inf), most[ranged]])
    return System(matrix, rhs, lower, upper, True), int(totals[0]) if totals else None


def _rows(number: int, table: MarginalTable, names: tuple[str, ...], shape: Sequence[int]) -> csr_array:
    from scipy.sparse import csr_array

    lost = next((name for name in table.by if name not in names), None)
    if lost is not None:
        raise InvalidArgument(f"tables[{number}].by", f"names {lost!r}, which has no labels", did_you_mean(lost, names))
    axes = [names.index(name) for name in table.by]
    own = [shape[axis] for axis in axes]
    if table.low.shape != tuple(own) or table.high.shape != tuple(own):
        raise InvalidArgument(f"tables[{number}]", f"must have the shape {tuple(own)} of its labels")
    size = prod(shape)
    places = np.unravel_index(np.arange(size), shape)
    cells = np.ravel_multi_index([places[axis] for axis in axes], own)
    return csr_array((np.ones(size), (cells, np.arange(size))), shape=(prod(own), size))


def _refuse_too_many(shape: Sequence[int]) -> None:
    if prod(shape) > MOST_COMBINATIONS:
        raise InvalidArgument(
            "labels", f"make {prod(shape):,} combinations, more than {MOST_COMBINATIONS:,}", "Use fewer attributes."
        )


def _any_solution(system: System, time_limit: float | None) -> Vector | None:
    """One solution of the integer program; no true record is looked at."""
    open_ = system.upper > system.lower
    found = system.lower.copy()
    reduced = system.restrict(open_, system.lower)
    if reduced.size:
        x = Program(reduced, whole=True).minimise(np.zeros(reduced.size), time_limit).x
        if x is None:
            return None
        found[open_] = np.rint(x)
    return found if system.holds(found) else None


def _not_counted(counted: NDArray[np.bool_]) -> Enough:
    return lambda _low, _high: ~counted


def _left(time_limit: float | None, began: float) -> float | None:
    return None if time_limit is None else max(0.0, time_limit - (monotonic() - began))


def _open(found: Intervals) -> NDArray[np.bool_]:
    return found.seen_low > found.low
