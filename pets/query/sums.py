"""Sums, means and variances of attributes with public bounds, on exact integers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from pets.domain import Domain, Integer, Numeric
from pets.errors import InvalidArgument
from pets.query.base import Query, names_argument
from pets.query.estimate import Columns, Part, key_columns
from pets.query.layout import Block, table_block


@dataclass(frozen=True, init=False)
class _OfColumn(Query):
    """Common part: an attribute with public bounds, and the attributes to group by."""

    column: str
    by: tuple[str, ...]

    def __init__(self, column: str, by: Sequence[str] | str = ()) -> None:
        if not isinstance(column, str) or not column:
            raise InvalidArgument("column", "must be the name of an attribute")
        object.__setattr__(self, "column", column)
        object.__setattr__(self, "by", names_argument(by, "by"))

    def needs(self) -> tuple[str, ...]:
        """Return the grouping attributes and the column."""
        return tuple(dict.fromkeys((*self.by, self.column)))

    def _sum_block(self, domain: Domain, *, power: int = 1, counts_dropped: bool = False) -> Block:
        """Return the block of sums of the column, in units of its resolution."""
        lower, upper, resolution = fixed_point(domain, self.column)
        if power == 2:
            lower, upper = (0 if lower <= 0 <= upper else min(lower**2, upper**2)), max(lower**2, upper**2)
        measure = "sum" if power == 1 else "sum_squares"
        return table_block(
            domain, self.by, measure=measure, column=self.column, lower=lower, upper=upper,
            unit=resolution**power, counts_dropped=counts_dropped,
        )  # fmt: skip

    def _count_block(self, domain: Domain) -> Block:
        """Return the number of rows whose value of the column is known."""
        fixed_point(domain, self.column)
        return table_block(domain, self.by, column=self.column)


def fixed_point(domain: Domain, column: str) -> tuple[int, int, Fraction]:
    """Return the public bounds of a column as integers, and the value of one unit.

    Raises
    ------
    InvalidArgument
        The attribute is categorical: it has no bounds.
    """
    attribute = domain[column]
    if isinstance(attribute, Integer):
        return attribute.lower, attribute.upper, Fraction(1)
    if isinstance(attribute, Numeric):
        unit = attribute.resolution
        return int(attribute.lower / unit), int(attribute.upper / unit), unit
    raise InvalidArgument(
        "column",
        f"names {column!r}, which has categories and no bounds",
        "Declare it as Integer or Numeric with public bounds.",
    )


@dataclass(frozen=True, init=False)
class Sum(_OfColumn):
    """Sum of a bounded attribute in each cell.

    Parameters
    ----------
    column
        An Integer or Numeric attribute; its public bounds set the sensitivity.
    by
        Attributes to group by; none gives one total.
    """

    kind: ClassVar[str] = "sum"

    def blocks(self, domain: Domain) -> tuple[Block, ...]:
        """Return the table of sums."""
        return (self._sum_block(domain, counts_dropped=True),)

    def estimate(self, measured: Sequence[Part], level: float) -> Columns:
        """Return one line per cell."""
        (table,) = measured
        return key_columns(table.block.axes) | table.columns(level)


@dataclass(frozen=True, init=False)
class Mean(_OfColumn):
    """Mean of a bounded attribute in each cell, from a noisy sum and a noisy count.

    The number of rows is confidential too, so it is measured and not assumed. The interval is that of the
    ratio over the box of two exact intervals at level ``(1 + level) / 2`` each (Bonferroni): it covers
    the mean of the rows with probability at least `level`, and is clipped to the public bounds.

    Parameters
    ----------
    column
        An Integer or Numeric attribute with public bounds.
    by
        Attributes to group by; none gives one mean.
    """

    kind: ClassVar[str] = "mean"

    def blocks(self, domain: Domain) -> tuple[Block, ...]:
        """Return the table of counts and the table of sums."""
        return (self._count_block(domain), self._sum_block(domain))

    def estimate(self, measured: Sequence[Part], level: float) -> Columns:
        """Return one line per cell; ``nan`` where the noisy count is not positive."""
        count, total = (part.columns((1 + level) / 2) for part in measured)
        block = measured[1].block
        bounds = float(block.lower * block.unit), float(block.upper * block.unit)
        value = _ratio(total["value"], count["value"])
        low, high = ratio_interval(total, count, bounds)
        stderr = _ratio_stderr(value, count, total)
        return key_columns(block.axes) | {
            "value": np.clip(value, *bounds), "stderr": stderr, "ci_low": low, "ci_high": high,
            "status": count["status"],
        }  # fmt: skip


@dataclass(frozen=True, init=False)
class Variance(_OfColumn):
    """Population variance of a bounded attribute in each cell, from noisy count, sum and sum of squares.

    The interval comes from the box of three exact intervals at level ``1 - (1 - level) / 3`` each, clipped to
    ``[0, (upper - lower)^2 / 4]`` (Popoviciu): coverage is at least `level`. The standard error is not
    given, since no closed form holds for small counts.

    Parameters
    ----------
    column
        An Integer or Numeric attribute with public bounds.
    by
        Attributes to group by; none gives one variance.
    """

    kind: ClassVar[str] = "variance"

    def blocks(self, domain: Domain) -> tuple[Block, ...]:
        """Return the tables of counts, sums and sums of squares."""
        return (self._count_block(domain), self._sum_block(domain), self._sum_block(domain, power=2))

    def estimate(self, measured: Sequence[Part], level: float) -> Columns:
        """Return one line per cell; ``nan`` where the noisy count is not positive."""
        count, total, squares = (part.columns(1 - (1 - level) / 3) for part in measured)
        block = measured[1].block
        bounds = float(block.lower * block.unit), float(block.upper * block.unit)
        most = (bounds[1] - bounds[0]) ** 2 / 4
        mean_low, mean_high = ratio_interval(total, count, bounds)
        worst = max(bounds[0] ** 2, bounds[1] ** 2)
        square_low, square_high = ratio_interval(squares, count, (0.0, worst))
        farthest = np.maximum(mean_low**2, mean_high**2)
        nearest = np.where((mean_low <= 0) & (mean_high >= 0), 0.0, np.minimum(mean_low**2, mean_high**2))
        value = _ratio(squares["value"], count["value"]) - _ratio(total["value"], count["value"]) ** 2
        return key_columns(block.axes) | {
            "value": np.clip(value, 0.0, most),
            "stderr": np.full(block.cells, np.nan),
            "ci_low": np.clip(square_low - farthest, 0.0, most),
            "ci_high": np.clip(square_high - nearest, 0.0, most),
            "status": count["status"],
        }


def _ratio(numerator: NDArray[np.float64], denominator: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the quotient, ``nan`` where the denominator is not positive."""
    ratio = np.full(len(numerator), np.nan)
    np.divide(numerator, denominator, out=ratio, where=denominator > 0)
    return ratio


def ratio_interval(
    total: Columns, count: Columns, bounds: tuple[float, float]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the range of total/count over the box of both intervals, clipped to the public bounds.

    Where the count may be zero nothing is known beyond the bounds.
    """
    least = np.maximum(count["ci_low"], 1).astype(np.float64)
    most = np.maximum(count["ci_high"], 1).astype(np.float64)
    low = np.where(total["ci_low"] >= 0, total["ci_low"] / most, total["ci_low"] / least)
    high = np.where(total["ci_high"] >= 0, total["ci_high"] / least, total["ci_high"] / most)
    return np.clip(low, *bounds), np.clip(high, *bounds)


def _ratio_stderr(value: NDArray[np.float64], count: Columns, total: Columns) -> NDArray[np.float64]:
    """Return the delta-method standard error of a ratio of independent measurements."""
    return _ratio(np.sqrt(total["stderr"] ** 2 + (value * count["stderr"]) ** 2), count["value"])
