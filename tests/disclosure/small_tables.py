"""Small tables, and every table that fits what is printed of them, by enumeration: shares no code with pets."""

from __future__ import annotations

from itertools import product

import numpy as np

from pets.disclosure.relations import Relations
from pets.disclosure.table import Table


def cube_table(inner, upper_room=3.0, **more):
    """All margins of an array; index 0 of each axis is the total. Every cell is known to be below its value + room."""
    inner = np.asarray(inner)
    shape = tuple(size + 1 for size in inner.shape)
    full = np.zeros(shape)
    full[tuple(slice(1, None) for _ in shape)] = inner
    for axis in range(inner.ndim):
        front = tuple(0 if place == axis else slice(None) for place in range(inner.ndim))
        full[front] = full.sum(axis=axis)
    ids = np.arange(full.size).reshape(shape)
    rows = [
        (line.tolist(), [-1] + [1] * (len(line) - 1), 0.0)
        for axis in range(inner.ndim)
        for line in np.moveaxis(ids, axis, -1).reshape(-1, shape[axis])
    ]
    codes = np.meshgrid(
        *[["T"] + [f"{'ABCD'[axis]}{i}" for i in range(1, size)] for axis, size in enumerate(shape)], indexing="ij"
    )
    values = full.reshape(-1)
    options = {
        "primary": (values > 0) & (values < 5),
        "frozen": values == 0,
        "upper": values + upper_room,
        "integral": True,
        "primary_range": (1, 4),
        "dimensions": tuple(f"d{axis}" for axis in range(inner.ndim)),
        "codes": [code.reshape(-1) for code in codes],
    } | more
    return Table(values, Relations.from_rows(rows), **options)


def all_tables(shape, values, hidden, lower, upper):
    """Yield the cells, margins included, of every table of whole numbers that fits; shape is that of the inner part."""
    full_shape = tuple(size + 1 for size in shape)
    inside = np.zeros(full_shape, dtype=bool)
    inside[tuple(slice(1, None) for _ in shape)] = True
    inner = np.flatnonzero(inside)
    ranges = [
        range(int(np.ceil(lower[c])), int(np.floor(upper[c])) + 1) if hidden[c] else (int(values[c]),) for c in inner
    ]
    for choice in product(*ranges):
        part = np.array(choice, dtype=float).reshape(shape)
        full = np.zeros(full_shape)
        full[tuple(slice(1, None) for _ in shape)] = part
        for axis in range(part.ndim):
            front = tuple(0 if place == axis else slice(None) for place in range(part.ndim))
            full[front] = full.sum(axis=axis)
        cells = full.reshape(-1)
        shown_right = np.array_equal(cells[~hidden], values[~hidden])
        if shown_right and np.all(cells >= lower) and np.all(cells <= upper):
            yield cells
