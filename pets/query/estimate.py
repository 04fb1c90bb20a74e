"""From what was measured to what is published: values with their uncertainty, as columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pets.noise import NoiseLaw, half_width
from pets.query.layout import Axis, Block

Columns = dict[str, NDArray[Any]]
"""Columns of one length by name; a data frame without a data-frame library."""

PUBLISHED, SUPPRESSED, STRUCTURAL_ZERO = "published", "suppressed", "structural zero"


class Part(Protocol):
    """One block as it may be published: measured cell by cell, or reconstructed (:class:`~pets.query.Estimated`)."""

    @property
    def block(self) -> Block:
        """Public shape."""
        ...

    @property
    def values(self) -> NDArray[Any]:
        """Numbers of shape (block.size,)."""
        ...

    @property
    def law(self) -> NoiseLaw:
        """Law of the error of a cell; where they differ, the one of largest variance."""
        ...

    @property
    def suppressed(self) -> NDArray[np.bool_] | None:
        """Mask of hidden cells, or ``None``."""
        ...

    def counts(self) -> NDArray[Any]:
        """Return the table without the cell of dropped rows, in the table's shape."""
        ...

    def columns(self, level: float) -> Columns:
        """Return value, stderr, ci_low, ci_high and status of each cell."""
        ...

    def dropped(self, level: float) -> tuple[int, int, int] | None:
        """Return how many rows fitted no declared cell, with an interval."""
        ...


@dataclass(frozen=True)
class Measured:
    """One block as it may be published.

    Parameters
    ----------
    block
        Public shape.
    values
        Integers of shape (block.size,); zero where suppressed.
    law
        Law of the error of each cell. Structural zeros and suppressed cells have none.
    suppressed
        Mask of shape (block.size,) of hidden cells, or ``None``.
    hidden_range
        What the rule itself tells a reader of a hidden cell: inclusive bounds in units of the tally.
    hidden_between
        What a reader can work out of each hidden cell, where that is known: inclusive bounds of shape (block.size,)
        in units of the tally, of which those of shown cells mean nothing. The upper one may be infinite.
    """

    block: Block
    values: NDArray[np.int64]
    law: NoiseLaw
    suppressed: NDArray[np.bool_] | None = field(default=None)
    hidden_range: tuple[int, int] = (0, 0)
    hidden_between: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None

    def counts(self) -> NDArray[np.int64]:
        """Return the table's integers, without the cell of dropped rows, in the table's shape."""
        return self.values[: self.block.cells].reshape(self.block.shape)

    def columns(self, level: float) -> Columns:
        """Return value, stderr, ci_low, ci_high and status of each cell of the table.

        The interval is the exact one for the law of the noise: it covers the true value with
        probability at least `level`. For a hidden cell it is what the rule tells.
        """
        cells = self.block.cells
        unit = self.block.unit
        raw = self.values[:cells]
        value = raw.copy() if unit == 1 else in_units(raw, unit)
        stderr = np.full(cells, self.law.variance**0.5 * float(unit))
        low, high = _bounds(raw, half_width(self.law, level), unit)
        status = np.full(cells, PUBLISHED, dtype=object)
        if self.block.impossible is not None:
            zero = self.block.impossible
            stderr[zero], low[zero], high[zero], status[zero] = 0.0, 0, 0, STRUCTURAL_ZERO
        if self.suppressed is not None and self.suppressed[:cells].any():
            hidden = self.suppressed[:cells]
            value = np.where(hidden, np.nan, value)
            stderr[hidden], status[hidden] = np.nan, SUPPRESSED
            low, high = (_with(bound, hidden, reach) for bound, reach in zip((low, high), self._reach(), strict=True))
        return {"value": value, "stderr": stderr, "ci_low": low, "ci_high": high, "status": status}

    def _reach(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the bounds of each cell of the table if it is hidden, in the block's own unit."""
        unit, cells = float(self.block.unit), self.block.cells
        if self.hidden_between is not None:
            low, high = self.hidden_between
            return low[:cells] * unit, high[:cells] * unit
        return np.full(cells, self.hidden_range[0] * unit), np.full(cells, self.hidden_range[1] * unit)

    def dropped(self, level: float) -> tuple[int, int, int] | None:
        """Return how many rows fitted no declared cell, with an interval, if that was measured and is shown."""
        if not self.block.counts_dropped or (self.suppressed is not None and self.suppressed[-1]):
            return None
        width = half_width(self.law, level)
        number = int(self.values[-1])
        return number, number - width, number + width


def _with(bound: NDArray[Any], hidden: NDArray[np.bool_], reach: NDArray[np.float64]) -> NDArray[Any]:
    """Return `bound` with `reach` in hidden cells: whole numbers where all of them are."""
    whole = bound.dtype.kind == "i" and bool(np.isfinite(reach[hidden]).all())
    return np.where(hidden, reach, bound).astype(np.int64 if whole else np.float64)


def in_units(raw: NDArray[Any], unit: Fraction) -> NDArray[np.float64]:
    """Return what integers of the tally stand for: 3 tenths are 0.3, and not three times the float 0.1."""
    return raw * float(unit.numerator) / float(unit.denominator)


def _bounds(raw: NDArray[np.int64], width: int, unit: Fraction) -> tuple[NDArray[Any], NDArray[Any]]:
    if width >= 1 << 62:  # only noise that drowns every 64-bit total; floats will do
        return in_units(raw - float(width), unit), in_units(raw + float(width), unit)
    if unit == 1:
        return raw - width, raw + width
    return in_units(raw - width, unit), in_units(raw + width, unit)


ESTIMATES = ("value", "stderr", "ci_low", "ci_high", "status", "at_risk", "probability", "table")
"""Columns that estimates may have beside their keys."""


def key_name(attribute: str) -> str:
    """Return the column in which an attribute's labels stand: its name, or ``status_key`` where that is taken."""
    return f"{attribute}_key" if attribute in ESTIMATES else attribute


def key_columns(axes: Sequence[Axis]) -> Columns:
    """Return one column of labels per axis, in C order of the cells; see :func:`key_name` for its name."""
    shape = tuple(len(axis) for axis in axes)
    columns: Columns = {}
    for position, axis in enumerate(axes):
        labels = np.array(axis.labels, dtype=object)
        before, after = int(np.prod(shape[:position])), int(np.prod(shape[position + 1 :]))
        columns[key_name(axis.name)] = np.tile(np.repeat(labels, after), before)
    return columns
