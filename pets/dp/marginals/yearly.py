r"""A table that is published anew every year: running totals under one budget for all years.

With :math:`A` the matrix of running sums over T years, :math:`A = B C`: year by year :math:`C x + z` is measured, and
:math:`B` turns the measurements into running totals. :math:`C` is the lower-triangular Toeplitz square root of
:math:`A`, its entries rounded to multiples of :math:`2^{-20}` so that the measurement is whole; :math:`B = A C^{-1}`
takes it back exactly. For ten years the largest variance is a third of what adding up independently noised
years gives, and a quarter of the binary tree's.

References
----------
Fichtenberger, Henzinger and Upadhyay, *Constant matters: fine-grained error bound on differentially private continual
observation*, ICML 2023. Denisov, McMahan, Rush, Smith and Thakurta, *Improved differential privacy for SGD via optimal
private linear operators on adaptive streams*, NeurIPS 2022, section 2 (adaptive streams).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property, lru_cache
from math import sqrt
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from pets.dp.additive import drawable, known_engine
from pets.dp.engines import engine
from pets.errors import InvalidArgument, PairingRefused
from pets.exact import Number, isqrt_up, positive
from pets.guarantee import ZeroConcentratedDP
from pets.noise import DiscreteGaussianLaw, NoiseLaw
from pets.query import BoundQuery, Columns, Count, Marginals
from pets.query.estimate import key_columns
from pets.query.layout import split
from pets.query.linear_law import linear, real_half_width
from pets.tally import Tally

MAX_YEARS = 256
"""Longest horizon."""

_SCALE = 2**20
_LARGEST_COUNT = 2**33  # larger counts are cut off, so that 256 years of them fit 61 bits


@dataclass(frozen=True, init=False)
class YearlyTotals:
    """Running totals of a table of counts, published every year, with one budget for the whole horizon.

    Parameters
    ----------
    rho
        Privacy loss of all years together in zero-concentrated DP, above 0.
    years
        Number of years, at most 256. Fixed beforehand: after the last year the budget is used up.
    engine
        ``'pets'`` or ``'opendp'``.

    Raises
    ------
    InvalidArgument
        A setting is out of range.

    Guarantee
    ---------
    rho-zero-concentrated differential privacy for the privacy unit of the query's domain, whose `max_rows` counts rows
    of all years together, for all releases together; also if what is registered in a year depends on what was
    published before. A unit with `k` rows moves the scaled measurements by at most `k` times the longest column of the
    scaled C, whichever years the rows fall in (triangle inequality), and under replace-one by at most sqrt(2) times
    that: two columns of positive entries have no negative inner product.

    References
    ----------
    Canonne, Kamath and Steinke, NeurIPS 2020, theorem 4. Whitehouse, Ramdas, Rogers and Wu, *Fully-adaptive composition
    in differential privacy*, ICML 2023 (the yearly losses add up to at most rho on every path).
    """

    kind: ClassVar[str] = "yearly_totals"
    rho: Fraction
    years: int
    engine: str

    def __init__(self, rho: Number, years: int, engine: str = "pets") -> None:
        if isinstance(years, bool) or not isinstance(years, int) or not 1 <= years <= MAX_YEARS:
            raise InvalidArgument("years", f"must be a whole number from 1 to {MAX_YEARS}")
        object.__setattr__(self, "rho", positive(rho, "rho"))
        object.__setattr__(self, "years", years)
        object.__setattr__(self, "engine", known_engine(engine))

    def guarantee(self, query: BoundQuery) -> ZeroConcentratedDP:
        """Return rho, the cost of all years: charge it once, before the first."""
        return ZeroConcentratedDP(self.rho, unit=query.domain.unit)

    def sigma2(self, query: BoundQuery) -> Fraction:
        """Return the parameter of the noise of each scaled measurement, exact."""
        if not isinstance(query.query, Count | Marginals):
            raise PairingRefused("running totals are counts. Use pets.Count or pets.Marginals.")
        unit = query.domain.unit
        moved = (unit.max_rows * unit.max_sites) ** 2 * (2 if unit.neighbours == "replace_one" else 1)
        column = sum(c * c for c in toeplitz(self.years))
        found = Fraction(moved * column * len(query.blocks)) / (2 * self.rho)
        drawable(isqrt_up(found), "rho")
        return found

    def law(self, query: BoundQuery, year: int) -> NoiseLaw:
        """Return the law of the error of each running total published in `year` (1 is the first)."""
        noise = DiscreteGaussianLaw(self.sigma2(query))
        return linear((noise, Fraction(float(b)) / _SCALE, 1) for b in recovery(self.years)[year - 1, :year])

    def begin(self, query: BoundQuery) -> YearlyStream:
        """Return the stream before its first year."""
        self.sigma2(query)
        return YearlyStream(self, query, ())


@dataclass(frozen=True)
class YearlyTable:
    """The running totals of one year.

    Attributes
    ----------
    query
        The question.
    year
        How many years are in the totals.
    values
        Unbiased estimates of the tally of all years so far, shape (query.size,).
    law
        Law of the error of each.
    """

    query: BoundQuery
    year: int
    values: NDArray[np.float64]
    law: NoiseLaw

    def to_columns(self, level: float = 0.95) -> tuple[Columns, ...]:
        """Return for each table its keys, value, stderr, ci_low and ci_high."""
        width, stderr = real_half_width(self.law, level), sqrt(self.law.variance)
        tables = []
        for block, values in zip(self.query.blocks, split(self.values, self.query.blocks), strict=True):  # type: ignore[arg-type]
            cells = values[: block.cells].astype(np.float64)
            spread = np.full(block.cells, stderr)
            half = np.full(block.cells, width)
            if block.impossible is not None:
                cells[block.impossible] = spread[block.impossible] = half[block.impossible] = 0.0
            tables.append(
                key_columns(block.axes)
                | {"value": cells, "stderr": spread, "ci_low": cells - half, "ci_high": cells + half}
            )
        return tuple(tables)


@dataclass(frozen=True)
class YearlyStream:
    """What has been measured so far; all of it may be published.

    Attributes
    ----------
    mechanism, query
        What is asked, and how.
    measured
        Noisy scaled measurements of the years so far, each of shape (query.size,).
    """

    mechanism: YearlyTotals
    query: BoundQuery
    measured: tuple[NDArray[np.int64], ...]
    _used: list[bool] = field(default_factory=list, init=False, repr=False, compare=False)

    @cached_property
    def year(self) -> int:
        """Number of years published."""
        return len(self.measured)

    def publish(self, history: Sequence[Tally]) -> tuple[YearlyTable, YearlyStream]:
        """Return the running totals with one more year, and the stream after it. Once for each stream.

        The noise of a year is drawn here, and the guarantee is for one draw. A retry must use what was returned: keep
        it before it is published.

        Parameters
        ----------
        history
            The confidential tally of each year so far, the new one last. A row belongs to the year in which it was
            first tallied, and earlier tallies must not change: late registrations go into the newest year.

        Raises
        ------
        InvalidArgument
            The number of tallies does not fit, the horizon is over, or this stream has published its next year.
        """
        if self._used:
            raise InvalidArgument(
                "history", "was published from this stream before", "Go on with the stream that came with the table."
            )
        if self.year >= self.mechanism.years:
            raise InvalidArgument("history", "goes beyond the declared years; their budget is used up")
        if len(history) != self.year + 1:
            raise InvalidArgument("history", f"must hold the tallies of {self.year + 1} years")
        weights = toeplitz(self.mechanism.years)[: self.year + 1]
        exact = sum(
            (weights[self.year - i] * np.minimum(self.query.check(t), _LARGEST_COUNT) for i, t in enumerate(history)),
            np.zeros(self.query.size, dtype=np.int64),
        )
        source = engine(self.mechanism.engine)
        self._used.append(True)
        noise = source.discrete_gaussian(self.mechanism.sigma2(self.query), self.query.size)
        after = YearlyStream(self.mechanism, self.query, (*self.measured, np.clip(exact + noise, -(2**61), 2**61)))
        rows = recovery(self.mechanism.years)[self.year, : self.year + 1]
        totals = rows @ np.array(after.measured, dtype=np.float64) / _SCALE
        table = YearlyTable(self.query, after.year, totals, self.mechanism.law(self.query, after.year))
        return table, after


@lru_cache(maxsize=16)
def toeplitz(years: int) -> tuple[int, ...]:
    """Return the first column of the scaled C: binomial(2 k, k) / 4**k in units of 2**-20, rounded."""
    exact, found = Fraction(1), []
    for k in range(years):
        found.append(round(exact * _SCALE))
        exact *= Fraction(2 * k + 1, 2 * k + 2)
    return tuple(found)


@lru_cache(maxsize=16)
def recovery(years: int) -> NDArray[np.float64]:
    """Return B, lower triangular, with B C the matrix of running sums; shape (years, years)."""
    from scipy.linalg import solve_triangular

    column = np.array(toeplitz(years)) / _SCALE
    c = np.array([[column[i - j] if i >= j else 0.0 for j in range(years)] for i in range(years)])
    return np.asarray(solve_triangular(c, np.tri(years).T, trans="T", lower=True).T)
