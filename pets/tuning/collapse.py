"""Coarser versions of a table: categories merged, or an axis left out."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pets.tuning.plan import Axis, Table

_NUMBERED = re.compile(r"[<>\u2264\u2265=\s]*\d")
_SHOWN = 4


@dataclass(frozen=True)
class Collapse:
    """One way of making a table coarser: which axis, its new categories in words, and the table.

    `how` is ``'leave_out'``, ``'merge_neighbours'`` or ``'merge_rarest'``, and `names` are the new categories or those
    that are merged: what the words are made of, for other languages.
    """

    axis: str
    words: str
    table: Table
    how: str
    names: tuple[str, ...] = ()

    @property
    def change(self) -> dict[str, Any]:
        """The step as plain data; of many names only the first are kept, and how many more there are."""
        more = max(0, len(self.names) - _SHOWN)
        return {"how": self.how, "axis": self.axis, "names": list(self.names[:_SHOWN]), "more": more}


def collapses(table: Table) -> Iterator[Collapse]:
    """Yield coarser tables, one axis at a time: neighbours merged along an ordered axis, else the rarest; or none kept.

    An axis whose labels all begin with a number (ages, years) is taken to be ordered; codes such as C22 are not.
    """
    counts = np.array(table.counts).reshape(table.shape)
    for place, axis in enumerate(table.axes):
        if len(axis.labels) < 2:
            continue
        ordered = _is_ordered(axis)
        for groups in _neighbours(axis) if ordered else _rarest(_margin(counts, place)):
            names = _names(axis, groups) if ordered else tuple(axis.labels[i] for i in groups[-1])
            how = "merge_neighbours" if ordered else "merge_rarest"
            yield Collapse(axis.name, _words(axis.name, names, how), merged(table, place, groups), how, names)
        yield Collapse(axis.name, f"leave out {axis.name!r}", without(table, place), "leave_out")


def merged(table: Table, place: int, groups: Sequence[Sequence[int]]) -> Table:
    """Return the table with the categories of one axis added up in groups."""
    axis = table.axes[place]
    axes = (*table.axes[:place], Axis(axis.name, _names(axis, groups)), *table.axes[place + 1 :])

    def change(values: NDArray[np.float64], add: bool) -> NDArray[np.float64]:
        return _grouped(values, place, groups, add=add)

    return _changed(table, axes, change, place)


def without(table: Table, place: int) -> Table:
    """Return the table added up over one axis."""

    def change(values: NDArray[np.float64], add: bool) -> NDArray[np.float64]:
        return np.asarray(values.sum(axis=place) if add else values.take(0, axis=place))

    return _changed(table, table.axes[:place] + table.axes[place + 1 :], change, place)


def _changed(
    table: Table,
    axes: tuple[Axis, ...],
    change: Callable[[NDArray[np.float64], bool], NDArray[np.float64]],
    place: int,
) -> Table:
    """Apply a change to counts, and to person-years where the axis divides people; else keep one of the equal ones."""
    counts = change(np.array(table.counts, dtype=np.float64).reshape(table.shape), True)
    years = None
    if table.person_years is not None:
        people = np.array(table.person_years, dtype=np.float64).reshape(table.shape)
        divides = bool((people != people.take([0], axis=place)).any())
        years = tuple(change(people, divides).ravel().tolist())
    return replace(table, axes=axes, counts=tuple(counts.ravel().tolist()), person_years=years)


def _grouped(
    values: NDArray[np.float64], place: int, groups: Sequence[Sequence[int]], *, add: bool
) -> NDArray[np.float64]:
    parts = [values.take(list(group), axis=place) for group in groups]
    return np.stack([part.sum(axis=place) if add else part.take(0, axis=place) for part in parts], axis=place)


def _margin(counts: NDArray[np.float64], place: int) -> NDArray[np.float64]:
    return np.asarray(counts.sum(axis=tuple(i for i in range(counts.ndim) if i != place)))


def _neighbours(axis: Axis) -> Iterator[list[list[int]]]:
    size, step = len(axis.labels), 2
    while step < size:
        yield [list(range(i, min(i + step, size))) for i in range(0, size, step)]
        step *= 2


def _rarest(margin: NDArray[np.float64]) -> Iterator[list[list[int]]]:
    """Yield groupings that keep the commonest categories and merge 2, 3, ... of the rarest; at most ten of them."""
    order = np.argsort(margin, kind="stable").tolist()
    size = len(order)
    steps = range(2, size) if size <= 12 else sorted({round(2 + i * (size - 3) / 9) for i in range(10)})
    for rare in steps:
        others = set(order[:rare])
        yield [*([i] for i in range(size) if i not in others), sorted(others)]


def _is_ordered(axis: Axis) -> bool:
    return all(_NUMBERED.match(label) for label in axis.labels)


def _names(axis: Axis, groups: Sequence[Sequence[int]]) -> tuple[str, ...]:
    """Return what the groups are called, each by a name of its own."""
    members, ordered = [[axis.labels[i] for i in group] for group in groups], _is_ordered(axis)
    names = [_joined(labels, len(axis.labels), ordered=ordered) for labels in members]
    if len(set(names)) < len(names):  # 8970/3 and 8970/6 begin with the same number
        names = [f"{labels[0]} to {labels[-1]}" for labels in members]
    if len(set(names)) < len(names):
        names = [f"{name} ({number})" for number, name in enumerate(names, 1)]
    return tuple(names)


def _joined(labels: list[str], of: int, *, ordered: bool) -> str:
    if len(labels) == 1:
        return labels[0]
    if not ordered:
        return f"other ({len(labels)} of {of})"
    first, last = re.match(r"\d+", labels[0]), re.search(r"\d+\+?$", labels[-1])
    return f"{first[0]}-{last[0]}" if first and last else f"{labels[0]} to {labels[-1]}"


def _words(axis: str, names: Sequence[str], how: str) -> str:
    shown, more = ", ".join(names[:_SHOWN]), len(names) - _SHOWN
    if how == "merge_neighbours":
        return f"merge {axis!r} to {shown}" + (", ..." if more > 0 else "")
    return f"merge the rarest categories of {axis!r} ({shown}{f' and {more} more' if more > 0 else ''}) into one"
