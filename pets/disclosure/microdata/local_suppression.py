"""Local suppression: blank single cells until every record looks like at least k."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
from numpy.typing import NDArray

from pets.disclosure.microdata.classes import Classes, classes_of_codes
from pets.disclosure.microdata.codes import MISSING, Coded, Codes, combine
from pets.disclosure.microdata.frame import Missing, choice, key_names, open_rows, whole_number
from pets.disclosure.microdata.matching import sums_over_matches
from pets.errors import InvalidArgument, PetsError

MAX_SUPPRESSED_KEYS = 12
"""More keys than these would make too many sets of keys to try."""


@dataclass(frozen=True, eq=False, repr=False)
class LocalSuppression:
    """A frame whose key cells were blanked until it is k-anonymous.

    Attributes
    ----------
    frame
        The rows in their order, of the same kind as the frame given (lazy ones are collected); blanked cells are null.
    k
        The k that was asked for.
    reached
        The k of the result, counted anew from its cells under `missing`. Never below `k`.
    missing
        What a blank counts as.
    blanked
        For each key, how many cells were blanked: what was lost.
    cells
        Which cells were blanked, shape (rows, keys).
    """

    frame: Any
    k: int
    reached: int
    missing: Missing
    blanked: dict[str, int]
    cells: NDArray[np.bool_]

    @property
    def total(self) -> int:
        """Number of blanked cells."""
        return int(self.cells.sum())

    def __repr__(self) -> str:
        lost = ", ".join(f"{key} {count:,}" for key, count in self.blanked.items())
        return f"LocalSuppression(k = {self.reached}, {self.total:,} of {self.cells.size:,} cells blanked: {lost})"


def suppress_to_k(
    frame: object,
    keys: Sequence[str] | str,
    k: int,
    *,
    missing: Missing = "value",
    importance: Mapping[str, float] | None = None,
) -> LocalSuppression:
    """Blank cells of the keys until every record looks like at least `k`.

    Greedy, not optimal: sets of keys are tried from the cheapest on, for all records that still lack company. The
    result is counted anew and never below `k`. Recode first (:func:`recode_to_k`) and blank what is left: much less is
    lost. A million rows take a second; with ``'matches_all'`` plan for a minute.

    Parameters
    ----------
    frame, keys
        As for :func:`~pets.disclosure.microdata.k_anonymity`.
    k
        At least 2, at most the number of rows.
    missing
        What a blank counts as. ``'value'``: the records of a class are literally alike, blanks included; the
        strict reading, which also holds under the other. ``'matches_all'``: a blank may stand for anything, as in
        mu-Argus and sdcMicro; fewer cells are blanked.
    importance
        Cost of blanking a cell of each key, above 0; 1 where not given.

    Raises
    ------
    InvalidArgument, DataError
        An argument, the frame or a column is not usable, or there are fewer than `k` rows.

    Guarantee
    ---------
    Each record of the result agrees with at least ``k - 1`` others in all keys, under the meaning of `missing`. This
    is no protection of what the class has in common, nor against intruders who know other columns.
    """
    names = key_names(keys)
    choice(missing, "missing", Missing)
    least = whole_number(k, "k", 2)
    costs = _costs(names, importance)
    rows = open_rows(frame, names, others=True)
    if len(rows) < least:
        raise InvalidArgument("k", "is larger than the number of rows", "No suppression reaches it.")
    columns = [rows.code(name) for name in names]
    cells = (_strict if missing == "value" else _wild)(columns, least, costs)
    blanked = [_blank(column, cells[:, i]) for i, column in enumerate(columns)]
    reached = int(classes_of_codes(blanked, missing).frequencies.min())
    if reached < least:
        raise PetsError(
            "local suppression missed its target, a defect of pets: nothing was returned. Please report it."
        )
    published = rows.frame
    for name, gone in zip(names, cells.T, strict=True):
        published = with_nulls(published, name, gone)
    counts = dict(zip(names, cells.sum(axis=0).tolist(), strict=True))
    return LocalSuppression(published.to_native(), least, reached, missing, counts, cells)


def _costs(names: Sequence[str], importance: Mapping[str, float] | None) -> NDArray[np.float64]:
    given = {} if importance is None else importance
    if not isinstance(given, Mapping) or any(name not in names for name in given):
        raise InvalidArgument("importance", "must be a mapping of key columns to costs")
    if len(names) > MAX_SUPPRESSED_KEYS:
        raise InvalidArgument("keys", f"are more than {MAX_SUPPRESSED_KEYS}, too many to suppress in", "Recode first.")
    costs = [given.get(name, 1.0) for name in names]
    if not all(isinstance(c, int | float) and not isinstance(c, bool) and 0 < c < np.inf for c in costs):
        raise InvalidArgument("importance", "must give positive numbers")
    return np.array(costs, dtype=np.float64)


def _patterns(costs: NDArray[np.float64]) -> list[NDArray[np.bool_]]:
    """Return all sets of keys to blank, cheapest first, the empty one included."""
    sets = [np.array(chosen, dtype=np.bool_) for chosen in product((False, True), repeat=len(costs))]
    return sorted(sets, key=lambda chosen: (float(costs[chosen].sum()), int(chosen.sum())))


def _strict(columns: Sequence[Coded], k: int, costs: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Place records set by set of blanked keys: a group of k or more that agree on the rest is done.

    What is left in the end has all its keys blank. Should these be fewer than k, records from classes that can
    spare them join, or else the smallest class as a whole.
    """
    rows = len(columns[0].codes)
    cells = np.zeros((rows, len(columns)), dtype=np.bool_)
    waiting = np.arange(rows)
    for pattern in _patterns(costs):
        if len(waiting) == 0:
            break
        visible = [c.codes[waiting] for c, gone in zip(columns, pattern, strict=True) if not gone]
        group, groups = combine(visible, len(waiting))
        enough = (np.bincount(group, minlength=groups) >= k)[group]
        cells[waiting[enough]] = pattern
        waiting = waiting[~enough]
    if len(waiting):
        cells[waiting] = True
        _fill_up(columns, cells, waiting, k, costs)
    return _kept_missing(columns, cells)


def _fill_up(
    columns: Sequence[Coded], cells: NDArray[np.bool_], waiting: Codes, k: int, costs: NDArray[np.float64]
) -> None:
    """Blank further records, the cheapest that their classes can spare, until `waiting` are k."""
    blanked = [_blank(column, cells[:, i]) for i, column in enumerate(columns)]
    classes = classes_of_codes(blanked, "value")
    needed = k - int(classes.sizes[classes.of_row[waiting[0]]])
    if needed <= 0:
        return  # enough records had no key to begin with
    taken = np.zeros(len(cells), dtype=np.bool_)
    taken[waiting] = True
    order = np.lexsort([np.arange(len(cells)), -(cells @ costs)])
    order = order[~taken[order]]
    spare = np.maximum(classes.sizes - k, 0)
    rank = _rank_within(classes.of_row[order])
    free = order[rank < spare[classes.of_row[order]]][:needed]
    if len(free) < needed:  # every class is of size k or nearly: the smallest gives up all its records
        sizes = classes.sizes.copy()
        sizes[classes.of_row[waiting]] = len(cells) + 1
        free = np.flatnonzero(classes.of_row == np.argmin(sizes))
    cells[free] = True


def _rank_within(groups: Codes) -> Codes:
    """Return how many earlier entries are of the same group."""
    order = np.argsort(groups, kind="stable")
    first = np.concatenate([[True], np.diff(groups[order]) != 0])
    start = np.maximum.accumulate(np.where(first, np.arange(len(groups)), 0))
    rank = np.empty(len(groups), dtype=np.int64)
    rank[order] = np.arange(len(groups)) - start
    return rank


def _wild(columns: Sequence[Coded], k: int, costs: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Blank for a few lonely records of each group at a time, then look again: each blank is company for others.

    A blank never takes company away, so every step leaves fewer lonely records, and a record with all keys blank
    matches all rows.
    """
    rows = len(columns[0].codes)
    cells = np.zeros((rows, len(columns)), dtype=np.bool_)
    classes = classes_of_codes(columns, "matches_all")
    lonely = _lonely(classes, k)
    for pattern in _patterns(costs)[1:]:
        while len(lonely):
            chosen = _few_of_each_group(columns, classes, lonely, k, pattern)
            if len(chosen) == 0:
                break
            cells[chosen] |= pattern
            blanked = [_blank(column, cells[:, i]) for i, column in enumerate(columns)]
            classes = classes_of_codes(blanked, "matches_all")
            lonely = _lonely(classes, k)
    return _kept_missing(columns, cells)


def _lonely(classes: Classes, k: int) -> Codes:
    return np.flatnonzero((classes.frequencies < k)[classes.of_row])


def _few_of_each_group(
    columns: Sequence[Coded], classes: Classes, lonely: Codes, k: int, pattern: NDArray[np.bool_]
) -> Codes:
    """Return which lonely records to blank: of each group that would have company under `pattern`, the loneliest.

    So many of them as the least lonely one lacks, since each blank helps it too; at most half of the group.
    """
    own = np.unique(classes.of_row[lonely])
    helped = np.zeros(len(classes), dtype=np.bool_)
    helped[own] = _company(np.where(pattern, MISSING, classes.codes[own]), classes) >= k
    records = lonely[helped[classes.of_row[lonely]]]
    if len(records) == 0:
        return records
    lacks = k - classes.frequencies[classes.of_row[records]]
    order = np.argsort(-lacks, kind="stable")
    records, lacks = records[order], lacks[order]
    visible = [c.codes[records] for c, gone in zip(columns, pattern, strict=True) if not gone]
    group, groups = combine(visible, len(records))
    least = np.full(groups, k, dtype=np.int64)
    np.minimum.at(least, group, lacks)
    few = np.minimum(least, (np.bincount(group, minlength=groups) + 1) // 2)
    return records[_rank_within(group) < few[group]]


def _company(codes: NDArray[np.int64], classes: Classes) -> Codes:
    """Return how many rows match each of some combinations, which need not be among the classes."""
    both = np.concatenate([codes, classes.codes])
    rows = np.concatenate([np.zeros(len(codes)), classes.sizes.astype(np.float64)])
    return np.rint(sums_over_matches(both, rows)[: len(codes)]).astype(np.int64)


def _kept_missing(columns: Sequence[Coded], cells: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """A cell that was missing before is not counted as blanked."""
    return cells & np.stack([column.codes >= 0 for column in columns], axis=1)


def _blank(column: Coded, gone: NDArray[np.bool_]) -> Coded:
    return Coded(column.name, np.where(gone, MISSING, column.codes), column.series)


def with_nulls(frame: nw.DataFrame[Any], name: str, gone: NDArray[np.bool_]) -> nw.DataFrame[Any]:
    """Return the frame with nulls in one column; pandas' plain whole numbers become nullable ones."""
    if not gone.any():
        return frame
    if frame.implementation.is_pandas():
        native = frame[name].to_native()
        if native.dtype.kind in "iub":
            native = native.convert_dtypes()
        return frame.with_columns(nw.from_native(native.mask(gone), series_only=True).alias(name))
    flag = "".join(frame.columns) + "?"  # a name that no column has
    marked = frame.with_columns(nw.new_series(flag, ~gone, nw.Boolean, backend=frame.implementation))
    return marked.with_columns(nw.when(nw.col(flag)).then(nw.col(name)).alias(name)).drop(flag)
