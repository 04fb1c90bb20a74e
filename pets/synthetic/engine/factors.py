"""Tables over named axes, in log space: the algebra that everything else is made of.

An axis is the number of an attribute. The axes of a factor ascend, so that two factors line up by inserting axes of
length one, and nothing is ever transposed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pets.errors import InvalidArgument

Axes = tuple[int, ...]
"""Numbers of attributes, ascending."""

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Factor:
    """Logarithms of non-negative weights over some attributes; minus infinity forbids a cell.

    Parameters
    ----------
    axes
        Attributes, ascending.
    logs
        One axis per attribute.

    Raises
    ------
    InvalidArgument
        The axes do not ascend, or their number is not that of the table's.
    """

    axes: Axes
    logs: Array

    def __post_init__(self) -> None:
        if list(self.axes) != sorted(set(self.axes)):
            raise InvalidArgument("axes", "must ascend", "Transpose the table first.")
        if self.logs.ndim != len(self.axes):
            raise InvalidArgument("logs", "must have one axis per attribute")

    def __add__(self, other: Factor) -> Factor:
        """Return the product of the weights."""
        axes = union(self.axes, other.axes)
        return Factor(axes, aligned(self.logs, self.axes, axes) + aligned(other.logs, other.axes, axes))

    def onto(self, axes: Axes) -> Factor:
        """Return the sum of the weights over all other attributes."""
        return Factor(axes, log_sum(self.logs, others(self.axes, axes)))

    def at(self, axis: int, codes: NDArray[np.int64]) -> Factor:
        """Return the factor with the cells of other `codes` of one attribute forbidden."""
        allowed = np.full(self.logs.shape[self.axes.index(axis)], -np.inf)
        allowed[codes] = 0.0
        return self + Factor((axis,), allowed)


def union(*several: Axes) -> Axes:
    """Return all attributes, ascending."""
    return tuple(sorted(set().union(*several)))


def others(axes: Axes, kept: Axes) -> Axes:
    """Return the positions among `axes` of what is not in `kept`."""
    return tuple(i for i, axis in enumerate(axes) if axis not in kept)


def aligned(table: Array, axes: Axes, target: Axes) -> Array:
    """Return a view of `table` that broadcasts against a table over `target`, which holds all of `axes`."""
    lengths = dict(zip(axes, table.shape, strict=True))
    return table.reshape([lengths.get(axis, 1) for axis in target])


def shape_of(sizes: Sequence[int], axes: Axes) -> tuple[int, ...]:
    """Return the shape of a table over `axes`."""
    return tuple(sizes[axis] for axis in axes)


def summed(table: Array, positions: Sequence[int]) -> Array:
    """Return the sum over the axes at `positions`: one at a time, longest first, which suits numpy's inner loops."""
    left = sorted(positions, key=lambda i: table.shape[i])
    while left:
        at = left.pop()
        if at == table.ndim - 1 and table.flags.c_contiguous:
            table = (table.reshape(-1, table.shape[at]) @ np.ones(table.shape[at])).reshape(table.shape[:-1])
        else:
            table = table.sum(axis=at)
        left = [i - (i > at) for i in left]
    return table


def log_sum(logs: Array, positions: Axes) -> Array:
    """Return ``log(sum(exp(logs)))`` over the axes at `positions`, without overflow; minus infinity where empty."""
    if not positions:
        return logs
    most = logs.max(axis=positions, keepdims=True)
    finite = np.where(np.isfinite(most), most, 0.0)
    with np.errstate(divide="ignore"):
        found: Array = np.log(np.exp(logs - finite).sum(axis=positions)) + finite.reshape(
            [n for i, n in enumerate(finite.shape) if i not in positions]
        )
    return found
