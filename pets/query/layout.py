"""The public shape of a tally: which cells exist before any row is read.

A tally is a concatenation of *blocks*. Each row of a site adds to exactly one cell of each block
(or to none, when its contribution is zero), which is what makes the sensitivities below exact.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pets.domain import Attribute, Categorical, Date, Domain, Integer, Label
from pets.errors import InvalidArgument

Measure = Literal["count", "sum", "sum_squares"]
"""What one row adds to its cell: 1, its fixed-point value, or that value's square."""

MAX_CELLS = 2**27
"""Largest tally, 1 GiB of int64: a query beyond it is refused with advice rather than run out of memory."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One dimension of a table: a name and its public labels in order.

    `edges` are the limits of the bins when the axis is a number (one more than bins; a last label
    without a bin may follow them), else empty.
    """

    name: str
    labels: tuple[Label, ...]
    edges: tuple[float, ...] = ()

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True)
class Block:
    """One table inside a tally.

    Parameters
    ----------
    name
        How the block is called in reports, e.g. ``diagnosis x sex``.
    axes
        Dimensions of the table in C order; empty for a single total.
    measure, column
        What is added up, and of which attribute (``None`` for counts).
    lower, upper
        Public bounds of what one row may add to its cell, in units of `unit`.
    unit
        Value of the integer 1, e.g. 1/10 for a dose recorded to one decimal.
    counts_dropped
        True when a last, extra cell counts the rows that fit no declared cell. Under add/remove it costs no
        privacy budget, since such a row adds to no other cell of the block.
    impossible
        Flat mask of structural zeros, shape (cells,), or ``None`` when there are none. No noise is
        added there.
    """

    name: str
    axes: tuple[Axis, ...]
    measure: Measure = "count"
    column: str | None = None
    lower: int = 1
    upper: int = 1
    unit: Fraction = Fraction(1)
    counts_dropped: bool = True
    impossible: NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        if self.cells > MAX_CELLS:
            raise InvalidArgument(
                "by",
                f"would make a table of {self.cells:,} cells",
                f"Leave out an attribute or use coarser categories; the limit is {MAX_CELLS:,} cells.",
            )

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Length of each axis."""
        return tuple(len(axis) for axis in self.axes)

    @cached_property
    def cells(self) -> int:
        """Number of cells of the table, without the cell of dropped rows."""
        return math.prod(self.shape)

    @property
    def size(self) -> int:
        """Number of integers in the tally that belong to this block."""
        return self.cells + self.counts_dropped

    @cached_property
    def noised(self) -> int:
        """Number of cells in which a row can be counted (structural zeros left out)."""
        return self.size - (0 if self.impossible is None else int(self.impossible.sum()))

    def free(self) -> NDArray[np.bool_]:
        """Return the mask of shape (size,) of cells that are no structural zero."""
        mask = np.ones(self.size, dtype=np.bool_)
        if self.impossible is not None:
            mask[: self.cells] = ~self.impossible
        return mask


def table_block(
    domain: Domain, by: tuple[str, ...], *, column: str | None = None, counts_dropped: bool = True, **measure: Any
) -> Block:
    """Return the block of a table over the attributes `by`, with what `domain` declares about them.

    It has a cell of dropped rows only if `counts_dropped` asks for one and a row can be dropped: under
    replace-one neighbours each cell costs noise, also one in which no row can ever be counted.
    """
    axes = tuple(Axis(name, domain[name].key_labels, _edges(domain[name])) for name in by)
    cells = math.prod(len(axis) for axis in axes)
    impossible = None
    if cells <= MAX_CELLS:
        possible = domain.possible(by)
        impossible = None if possible.all() else ~possible.reshape(-1)
    can_drop = (
        impossible is not None
        or any(domain[name].invalid in ("drop", "clamp") for name in by)
        or (column is not None and domain[column].invalid != "error")
    )
    name = " x ".join(by) or "total"
    return Block(
        name=name,
        axes=axes,
        column=column,
        counts_dropped=counts_dropped and can_drop,
        impossible=impossible,
        **measure,
    )


def _edges(attribute: Attribute) -> tuple[float, ...]:
    if isinstance(attribute, Categorical | Date):
        return ()
    if attribute.bins:
        return tuple(float(edge) for edge in attribute.bins)
    if isinstance(attribute, Integer):
        return tuple(float(edge) for edge in range(attribute.lower, attribute.upper + 2))
    return ()


def split(values: NDArray[np.int64], blocks: tuple[Block, ...]) -> Iterator[NDArray[np.int64]]:
    """Yield the part of the flat vector `values` that belongs to each block, without copying."""
    start = 0
    for block in blocks:
        yield values[start : start + block.size]
        start += block.size
