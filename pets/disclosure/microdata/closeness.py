"""t-closeness: how far the sensitive values of a class are from those of the whole table.

The distance is the earth mover's distance between the two distributions, for three ground distances.

equal
    All values are equally far apart: half the sum of absolute differences (total variation).
ordered
    Values in order, neighbours 1/(m-1) apart: the mean absolute difference of the cumulated distributions.
hierarchical
    Leaves of a tree of height H whose lowest common ancestor has height h are h/H apart; the least work is found node
    by node.

References
----------
N. Li, T. Li, S. Venkatasubramanian, "t-closeness: privacy beyond k-anonymity and l-diversity", ICDE 2007, section 5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pets.disclosure.microdata.classes import Classes, Spread, classes_of
from pets.disclosure.microdata.codes import Coded, Codes
from pets.disclosure.microdata.diversity import SensitiveMissing, refuse_key, sensitive_codes
from pets.disclosure.microdata.frame import Missing, choice, column_name, key_names, open_rows
from pets.disclosure.microdata.generalisation import Generalisation, generalisation
from pets.domain import Hierarchy
from pets.errors import DataError, InvalidArgument

Ground = Literal["equal", "ordered", "hierarchical"]
_CHUNK = 2**22


def t_closeness(
    frame: object,
    keys: Sequence[str] | str,
    sensitive: str,
    *,
    ground: Ground = "equal",
    order: Sequence[Any] | None = None,
    hierarchy: Hierarchy | Mapping[str, Mapping[str, Sequence[Any]]] | None = None,
    missing: Missing = "value",
    sensitive_missing: SensitiveMissing = "ignore",
) -> float:
    """Return the t of t-closeness: the largest distance of a class from the whole table, between 0 and 1.

    Parameters
    ----------
    frame, keys, missing
        As for :func:`~pets.disclosure.microdata.k_anonymity`.
    sensitive
        Column whose distribution is compared.
    ground
        ``'equal'``, ``'ordered'`` or ``'hierarchical'``.
    order
        For ``'ordered'``: all values from low to high. Numbers and dates need none: those that occur are sorted.
    hierarchy
        For ``'hierarchical'``: the levels above the values, as in :class:`pets.Hierarchy`.
    sensitive_missing
        ``'ignore'`` leaves missing sensitive values out of every distribution (and classes of nothing else out of the
        maximum); ``'value'`` makes them a value, which has no place in an order or a hierarchy.

    Raises
    ------
    InvalidArgument, DataError
        An argument, the frame or a column is not usable, or `order` or `hierarchy` leaves out a value.
    """
    names, column = key_names(keys), column_name(sensitive, "sensitive")
    refuse_key(column, names)
    choice(ground, "ground", Ground)
    _refuse_strays(ground, order, hierarchy, sensitive_missing)
    rows = open_rows(frame, (*names, column))
    coded = rows.code(column)
    classes = classes_of(rows, names, missing)
    if ground == "ordered":
        return closeness(classes, ranked(coded, order), "ordered", coded.size if order is None else len(order))
    if ground == "hierarchical":
        tree = generalisation(hierarchy, column)
        return _hierarchical(classes, tree, tree.leaves_of(coded))
    return closeness(classes, sensitive_codes(coded, sensitive_missing), "equal")


def closeness(classes: Classes, values: Codes, ground: Literal["equal", "ordered"], size: int = 0) -> float:
    """Return the t of classes that are known already; codes of ordered values are their ranks among `size`."""
    if not (values >= 0).any():
        return 0.0
    spread = classes.spread(values)
    overall = np.bincount(values[values >= 0], minlength=max(size, spread.size)) / np.count_nonzero(values >= 0)
    distances = _equal(spread, overall) if ground == "equal" else _ordered(spread, overall)
    return float(np.clip(distances[spread.entries > 0].max(), 0.0, 1.0))


def ranked(column: Coded, order: Sequence[Any] | None) -> Codes:
    """Return the rank of each row's value: in `order`, or in the order of numbers and dates.

    Raises
    ------
    InvalidArgument
        `order` is needed, or repeats a value.
    DataError
        `order` leaves out a value.
    """
    dtype = column.series.dtype
    if order is None and not (dtype.is_numeric() or dtype.is_temporal() or dtype.is_boolean()):
        raise InvalidArgument("order", "is needed: the values are texts", "List them from low to high.")
    if order is None:
        place = np.argsort(np.argsort(np.asarray(column.values), kind="stable"), kind="stable")
    else:
        place = _places(column, order)
    return np.where(column.codes < 0, -1, np.append(place, -1)[column.codes])


def _places(column: Coded, order: Sequence[Any]) -> Codes:
    given = {value: i for i, value in enumerate(order)}
    if len(given) < len(order):
        raise InvalidArgument("order", "lists a value twice")
    if any(value not in given for value in column.values):
        raise DataError(column.name, "holds a value that 'order' leaves out", "List all values from low to high.")
    return np.array([given[value] for value in column.values], dtype=np.int64)


def _shares(spread: Spread) -> NDArray[np.float64]:
    counts = spread.counts.astype(np.float64)
    return counts / spread.total(counts)[spread.of_class]


def _equal(spread: Spread, overall: NDArray[np.float64]) -> NDArray[np.float64]:
    """Half of |p - q| summed; where a class has no entry, |p - q| is q, and all q sum to 1."""
    q = overall[spread.values]
    return (1.0 + spread.total(np.abs(_shares(spread) - q) - q)) / 2


def _ordered(spread: Spread, overall: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum |P - Q| over the cumulated shares: between two entries P is constant, and Q crosses it once at most."""
    size = len(overall)
    if size == 1:
        return np.zeros(len(spread.entries))
    q = np.cumsum(overall)
    q_sums = np.concatenate([[0.0], np.cumsum(q)])
    filled = spread.entries > 0
    first, last = spread.starts[:-1][filled], spread.starts[1:][filled] - 1
    upto = np.cumsum(spread.counts)
    before = np.concatenate([[0], upto])[spread.starts[:-1]]
    in_class = spread.total(spread.counts.astype(np.float64))
    p = (upto - before[spread.of_class]) / in_class[spread.of_class]
    stop = np.append(spread.values[1:], size)
    stop[last] = size - 1  # the last step, where both are 1, adds nothing
    start = np.minimum(spread.values, stop)
    cross = np.clip(np.searchsorted(q, p), start, stop)
    work = p * (2 * cross - start - stop) + q_sums[start] + q_sums[stop] - 2 * q_sums[cross]
    total = spread.total(work)
    total[filled] += q_sums[spread.values[first]]  # before the first entry P is 0
    return total / (size - 1)


def _hierarchical(classes: Classes, tree: Generalisation, leaves: Codes) -> float:
    """Return the largest distance; the tree's levels are partitions of the leaves, from fine to coarse."""
    known = leaves >= 0
    if not known.any():
        return 0.0
    spread = classes.spread(leaves)
    levels = [np.asarray(level) for level in tree.levels]
    overall = np.bincount(leaves[known], minlength=len(levels[0])) / np.count_nonzero(known)
    shares, largest = _shares(spread), 0.0
    step = max(1, _CHUNK // len(levels[0]))
    for low in range(0, len(spread.entries), step):
        high = min(low + step, len(spread.entries))
        part = slice(spread.starts[low], spread.starts[high])
        extra = np.zeros((high - low, len(levels[0])))
        extra[spread.of_class[part] - low, spread.values[part]] = shares[part]
        extra = (extra - overall)[spread.entries[low:high] > 0]
        largest = max(largest, float(_tree_work(extra, levels).max(initial=0.0)))
    return largest


def _tree_work(extra: NDArray[np.float64], levels: Sequence[Codes]) -> NDArray[np.float64]:
    """Li et al.: a node at height h costs h/H times the lesser of what its children have too much and too little."""
    height, work = len(levels) - 1, np.zeros(len(extra))
    below, child = extra, np.arange(extra.shape[1])
    for h, level in enumerate(levels[1:], start=1):
        parent = np.zeros(below.shape[1], dtype=np.int64)
        parent[child] = level
        sums = np.zeros((below.shape[1], int(level.max()) + 1))
        sums[np.arange(below.shape[1]), parent] = 1.0
        surplus, lack = np.maximum(below, 0) @ sums, np.maximum(-below, 0) @ sums
        work += np.minimum(surplus, lack).sum(axis=1) * h / height
        below, child = below @ sums, level
    return work


def _refuse_strays(ground: Ground, order: object, hierarchy: object, sensitive_missing: str) -> None:
    if order is not None and ground != "ordered":
        raise InvalidArgument("order", "belongs to ground='ordered'", "Leave it out.")
    if (hierarchy is not None) != (ground == "hierarchical"):
        raise InvalidArgument("hierarchy", "belongs to ground='hierarchical'", "Give it there, and only there.")
    if sensitive_missing == "value" and ground != "equal":
        raise InvalidArgument("sensitive_missing", "'value' has no place in an order or a tree", "Use 'ignore'.")
