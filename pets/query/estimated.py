"""One table as it may be published when it was put together from noisy components, not measured cell by cell."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pets.errors import PairingRefused
from pets.noise import NoiseLaw, NoNoise, half_width
from pets.query.designs import Design
from pets.query.estimate import PUBLISHED, STRUCTURAL_ZERO, Columns, key_columns
from pets.query.layout import Block
from pets.query.least_squares import LeastSquaresDesign
from pets.query.linear_law import real_half_width


@dataclass(frozen=True)
class Estimated:
    """One block of unbiased, mutually consistent estimates.

    Parameters
    ----------
    block
        Public shape.
    values
        Estimates of shape (block.size,), fractional and possibly negative; 0 in structural zeros. The cell of dropped
        rows, if there is one, stands last.
    design
        What was measured: variances, covariances and laws follow from it.
    dropped_law
        Law of the error of the cell of dropped rows.
    """

    block: Block
    values: NDArray[np.float64]
    design: Design | LeastSquaresDesign
    dropped_law: NoiseLaw = field(default_factory=NoNoise)

    suppressed = None
    """No cell of an estimate is hidden."""

    @property
    def names(self) -> tuple[str, ...]:
        """Attributes of the table."""
        return tuple(axis.name for axis in self.block.axes)

    @cached_property
    def law(self) -> NoiseLaw:
        """Law of the error of the cell with the largest variance; of all cells unless a hierarchy is uneven."""
        return max(self.design.laws(self.names)[0], key=lambda law: law.variance)

    @cached_property
    def variance(self) -> NDArray[np.float64]:
        """Variance of each cell of the table, shape (block.cells,)."""
        found = self.design.table_variance(self.names).reshape(-1).copy()
        if self.block.impossible is not None:
            found[self.block.impossible] = 0.0
        return found

    def counts(self) -> NDArray[np.float64]:
        """Return the table's estimates, without the cell of dropped rows, in the table's shape."""
        return self.values[: self.block.cells].reshape(self.block.shape)

    def columns(self, level: float) -> Columns:
        """Return value, stderr, ci_low, ci_high and status of each cell of the table.

        The intervals are those of the exact law of the weighted sum of noises that each cell contains.
        """
        value = self.values[: self.block.cells].copy()
        laws, index = self.design.laws(self.names)
        width = np.array([real_half_width(law, level) for law in laws])[index.reshape(-1)]
        status = np.full(self.block.cells, PUBLISHED, dtype=object)
        if self.block.impossible is not None:
            width[self.block.impossible], status[self.block.impossible] = 0.0, STRUCTURAL_ZERO
        return _columns(value, np.sqrt(self.variance), width, status)

    def dropped(self, level: float) -> tuple[int, int, int] | None:
        """Return how many rows fitted no declared cell, with an interval, if that was measured."""
        if not self.block.counts_dropped:
            return None
        width, number = half_width(self.dropped_law, level), round(float(self.values[-1]))
        return number, number - width, number + width

    def margin(self, by: Sequence[str], level: float) -> Columns:
        """Return the table summed over its other attributes, with the exact law of the sum.

        Raises
        ------
        PairingRefused
            The table has structural zeros: their noise was taken out, so the sum no longer has the law of the margin.
        """
        if self.block.impossible is not None:
            raise PairingRefused(
                "the margins of a table with structural zeros are not sums of its cells. "
                "Ask for them as tables of their own: pets.Marginals([...])."
            )
        others = tuple(i for i, name in enumerate(self.names) if name not in by)
        order = [[name for name in self.names if name in by].index(name) for name in by]
        summed = self.counts().sum(axis=others).transpose(order).reshape(-1)
        laws, index = self.design.laws(tuple(by))
        width = np.array([real_half_width(law, level) for law in laws])[index.reshape(-1)]
        stderr = np.sqrt(self.design.table_variance(tuple(by))).reshape(-1)
        axes = [axis for name in by for axis in self.block.axes if axis.name == name]
        return key_columns(axes) | _columns(summed, stderr, width, np.full(len(summed), PUBLISHED, dtype=object))


def _columns(
    value: NDArray[np.float64], stderr: NDArray[np.float64], width: NDArray[np.float64], status: NDArray[np.object_]
) -> Columns:
    return {"value": value, "stderr": stderr, "ci_low": value - width, "ci_high": value + width, "status": status}
