"""Arrays of counts with their margins: the last entry along each axis is the sum of the others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pets.disclosure.relations import Relations
from pets.disclosure.table import Table

TOTAL = "Total"


def with_margins(inner: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return an array with its sums appended at the end of every axis."""
    for axis in range(inner.ndim):
        inner = np.concatenate([inner, inner.sum(axis=axis, keepdims=True)], axis=axis)
    return inner


def margin_relations(shape: Sequence[int]) -> Relations:
    """Return what adds up in an array with margins whose inner part has this shape."""
    places = np.arange(int(np.prod([size + 1 for size in shape]))).reshape([size + 1 for size in shape])
    rows = [np.moveaxis(places, axis, -1).reshape(-1, size + 1) for axis, size in enumerate(shape)]
    return Relations(
        np.cumsum(np.concatenate([[0], *(np.full(len(part), part.shape[1]) for part in rows)])),
        np.concatenate([part.reshape(-1) for part in rows]),
        np.concatenate([np.where((np.arange(part.size) + 1) % part.shape[1] == 0, -1, 1) for part in rows]),
    )


def is_inner(shape: Sequence[int]) -> NDArray[np.bool_]:
    """Return which cells of the array with margins, flat, are no margin."""
    inner = np.zeros([size + 1 for size in shape], dtype=np.bool_)
    inner[tuple(slice(size) for size in shape)] = True
    return inner.reshape(-1)


def grid_table(
    counts: NDArray[np.int64],
    names: Sequence[str],
    labels: Sequence[Sequence[str]],
    primary: NDArray[np.bool_] | None = None,
    primary_range: tuple[int, int] | None = None,
) -> Table:
    """Return counts with all their margins as a table; `primary` has the shape of the array with margins."""
    grid = np.meshgrid(*(np.array([*axis, TOTAL], dtype=np.str_) for axis in labels), indexing="ij")
    return Table(
        with_margins(counts).reshape(-1), margin_relations(counts.shape), integral=True, dimensions=tuple(names),
        primary=None if primary is None else primary.reshape(-1), primary_range=primary_range,
        codes=[np.asarray(codes.reshape(-1), dtype=np.str_) for codes in grid],
    )  # fmt: skip
