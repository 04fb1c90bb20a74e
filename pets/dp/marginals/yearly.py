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

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from math import ceil, sqrt
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pets.dp.additive import drawable, known_engine, named
from pets.dp.arguments import bound_argument
from pets.dp.engines import engine
from pets.dp.marginals.running_sums import SCALE, farthest, recovery, toeplitz
from pets.dp.selection.charged import answered_once, stored_answer
from pets.errors import ConfigError, InvalidArgument, PairingRefused
from pets.exact import Number, as_text, isqrt_up, positive, show
from pets.guarantee import ZeroConcentratedDP
from pets.noise import DiscreteGaussianLaw, NoiseLaw
from pets.query import BoundQuery, Columns, Count, Marginals
from pets.query.estimate import key_columns
from pets.query.layout import split
from pets.query.linear_law import linear, real_half_width
from pets.release import same
from pets.tally import Tally

if TYPE_CHECKING:
    from pets.ledger import Ledger

MAX_YEARS = 256
"""Longest horizon."""

_CLAMP = 2**61
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
    rows_over_all_years
        Most rows that one unit may have in the tallies of all years and sites together. ``None``: as many as the
        domain's privacy unit allows in one year, in every year, which is what yearly tallies by themselves keep to; a
        unit that is a row stands in one year only. A smaller number needs less noise, and is a promise about the rows:
        each year's tally bounds the rows of that year alone, so whoever makes them must count no more rows of one unit
        over the years (e.g. 1 where a patient enters only the year of the first diagnosis).
    engine
        ``'pets'`` or ``'opendp'``.

    Raises
    ------
    InvalidArgument
        A setting is out of range.

    Guarantee
    ---------
    rho-zero-concentrated differential privacy for the privacy unit of the query's domain, for all releases together;
    also if what is registered in a year depends on what was published before. Assumed is that a unit has at most `k`
    rows in one year (`max_rows` times `max_sites`) and at most `rows_over_all_years` in all, and that each year's tally
    is final: what is found out later goes into the newest year as new rows. A correction of an earlier tally changes
    measurements that are published, and is not covered.

    The rows of one unit move the scaled measurements most where they fill the first years, `k` in each: the entries of
    C are positive and fall with the lag. What is left of a year counts as a full one, or, if that is less, all rows as
    of the first year. Under replace-one they move sqrt(2) times as far at most: columns have positive inner products.

    References
    ----------
    Canonne, Kamath and Steinke, NeurIPS 2020, theorem 4. Whitehouse, Ramdas, Rogers and Wu, *Fully-adaptive composition
    in differential privacy*, ICML 2023 (the yearly losses add up to at most rho on every path).
    """

    kind: ClassVar[str] = "yearly_totals"
    rho: Fraction
    years: int
    rows_over_all_years: int | None
    engine: str

    def __repr__(self) -> str:
        return f"YearlyTotals(rho={show(self.rho)}, years={self.years})"

    def __init__(
        self, rho: Number, years: int, engine: str = "pets", *, rows_over_all_years: int | None = None
    ) -> None:
        if isinstance(years, bool) or not isinstance(years, int) or not 1 <= years <= MAX_YEARS:
            raise InvalidArgument("years", f"must be a whole number from 1 to {MAX_YEARS}")
        rows = rows_over_all_years
        if rows is not None and (isinstance(rows, bool) or not isinstance(rows, int) or rows < 1):
            raise InvalidArgument("rows_over_all_years", "must be a whole number from 1, or None")
        object.__setattr__(self, "rho", positive(rho, "rho"))
        object.__setattr__(self, "rows_over_all_years", rows)
        object.__setattr__(self, "years", years)
        object.__setattr__(self, "engine", known_engine(engine))

    def guarantee(self, query: BoundQuery) -> ZeroConcentratedDP:
        """Return rho, the cost of all years: charge it once, before the first.

        It holds for units with at most `rows_over_all_years` rows in all, and for tallies that are final.
        """
        self.sigma2(query)
        return ZeroConcentratedDP(self.rho, unit=query.domain.unit)

    def sigma2(self, query: BoundQuery) -> Fraction:
        """Return the parameter of the noise of each scaled measurement, exact.

        Raises
        ------
        PairingRefused
            The query is no table of counts.
        InvalidArgument
            `rows_over_all_years` is below what a unit may have in one year.
        """
        if not isinstance(bound_argument(query).query, Count | Marginals):
            raise PairingRefused("running totals are counts. Use pets.Count or pets.Marginals.")
        unit = query.domain.unit
        in_one = unit.max_rows * unit.max_sites
        in_all = self._rows_in_all(in_one, unit.id is None)
        moved = min(
            in_one**2 * farthest(self.years, ceil(Fraction(in_all, in_one))), in_all**2 * farthest(self.years, 1)
        )
        both = 2 if unit.neighbours == "replace_one" else 1
        found = Fraction(both * moved * len(query.blocks)) / (2 * self.rho)
        drawable(isqrt_up(found), "rho")
        return found

    def _rows_in_all(self, in_one: int, one_year: bool) -> int:
        """Return the most rows of one unit over all years; a unit that is a row is in one year."""
        most = in_one if one_year else in_one * self.years
        if self.rows_over_all_years is None:
            return most
        if self.rows_over_all_years < in_one:
            raise InvalidArgument("rows_over_all_years", f"is below {in_one}, the privacy unit's rows in one year")
        return min(most, self.rows_over_all_years)

    def law(self, query: BoundQuery, year: int) -> NoiseLaw:
        """Return the law of the error of each running total published in `year` (1 is the first)."""
        noise = DiscreteGaussianLaw(self.sigma2(query))
        return linear((noise, Fraction(float(b)) / SCALE, 1) for b in recovery(self.years)[year - 1, :year])

    def begin(self, query: BoundQuery) -> YearlyStream:
        """Return the stream before its first year."""
        self.sigma2(query)
        return YearlyStream(self, query, ())

    def publish(
        self,
        history: Sequence[Tally],
        query: BoundQuery,
        *,
        ledger: Ledger,
        dataset: str = "default",
        repeat: str = "",
    ) -> YearlyTable:
        """Charge the ledger in the first year, publish the newest year's running totals, and keep them in the ledger.

        Each year is drawn once, whichever process asks and however often: what was drawn stands in the ledger, and the
        next year goes on from there. The first year pays for the whole horizon, later ones cost nothing more.

        Parameters
        ----------
        history
            The confidential tally of each year so far, the new one last. Each is final: the tally of an earlier year
            must be the one that its publication was made from, to the last count, and late registrations and
            corrections go into the newest year. That is not checked, since the ledger holds no confidential count and
            nothing from which one could be guessed; a tally changed afterwards is not covered by the guarantee.
        query
            The question, the same every year.
        ledger
            Where the cost and every year's measurements are recorded. It is not optional: without it nobody would know
            what was published before.
        dataset
            Name of the data for the ledger; the same every year.
        repeat
            Another text begins the stream anew, charged again.

        Raises
        ------
        InvalidArgument
            There is no year to publish, the horizon is over, or an earlier year was not published from this ledger.
        IncompatibleTallies
            A tally answers another question.
        BudgetExceeded
            The ledger refused; nothing was charged or drawn.
        """
        if not isinstance(history, Sequence) or not 1 <= len(history) <= self.years:
            raise InvalidArgument("history", f"must hold the tallies of 1 to {_of_years(self.years)}")
        for tally in history:
            query.check(tally)
        stream = self.begin(query)
        for year in range(1, len(history)):
            stream = stream.after(self._kept(query, year, ledger, dataset, repeat))
        text = answered_once(
            ledger, self._facts(query, len(history), repeat), lambda: self._cost(query, len(history)),
            lambda: stream.draw(history), unit=query.domain.unit, dataset=dataset,
            note=f"{query.query.kind}, year {len(history)} of {self.years}, paid for in year 1",
        )  # fmt: skip
        return stream.after(text).table()

    def _facts(self, query: BoundQuery, year: int, repeat: str) -> dict[str, Any]:
        return {"yearly": self.to_dict(), "question": query.signature, "year": year, "repeat": repeat}

    def _cost(self, query: BoundQuery, year: int) -> ZeroConcentratedDP:
        return ZeroConcentratedDP(self.rho if year == 1 else 0, unit=query.domain.unit)

    def _kept(self, query: BoundQuery, year: int, ledger: Ledger, dataset: str, repeat: str) -> str:
        text = stored_answer(ledger, self._facts(query, year, repeat), unit=query.domain.unit, dataset=dataset)
        if text is None:
            raise InvalidArgument(
                "history", f"goes beyond year {year}, which was not published from this ledger", "Publish it first."
            )
        return text

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        rows = {} if self.rows_over_all_years is None else {"rows_over_all_years": self.rows_over_all_years}
        return named(self.kind, [("rho", as_text(self.rho)), ("engine", self.engine)]) | {"years": self.years} | rows


def _of_years(number: int) -> str:
    return "1 year" if number == 1 else f"{number} years"


@dataclass(frozen=True, eq=False)
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

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, YearlyTable):
            return NotImplemented
        return (self.query.signature, self.year) == (other.query.signature, other.year) and same(
            self.values, other.values
        )

    def __hash__(self) -> int:
        return hash((self.query.signature, self.year, self.values.tobytes()))

    def __repr__(self) -> str:
        return f"<YearlyTable of {self.query.query!r}: {_of_years(self.year)}, {len(self.values):,} totals>"

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


@dataclass(frozen=True, eq=False)
class YearlyStream:
    """What has been measured so far; all of it may be published.

    A stream knows only of itself: another one made by :meth:`YearlyTotals.begin` would draw the same year again, which
    is not paid for. :meth:`YearlyTotals.publish` keeps the measurements in a ledger, where every process finds them.

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

    def __repr__(self) -> str:
        return f"<YearlyStream of {self.query.query!r}: {self.year} of {_of_years(self.mechanism.years)} published>"

    def publish(self, history: Sequence[Tally]) -> tuple[YearlyTable, YearlyStream]:
        """Return the running totals with one more year, and the stream after it. Once for each stream.

        The noise of a year is drawn here, and the guarantee is for one draw. Nothing is charged or kept: see
        :meth:`YearlyTotals.publish`, which does both.

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
            raise InvalidArgument("history", f"must hold the tallies of {_of_years(self.year + 1)}")
        exact = self._exact(history)
        self._used.append(True)
        after = self._with(self._noisy(exact))
        return after.table(), after

    def draw(self, history: Sequence[Tally]) -> str:
        """Return the measurements of one more year as a document; the caller keeps the first one that is made."""
        measured = self._noisy(self._exact(history))
        document = {"format": "pets-year", "version": 1, "year": self.year + 1, "measured": measured.tolist()}
        return json.dumps(document, sort_keys=True, separators=(",", ":"))

    def after(self, text: str) -> YearlyStream:
        """Return the stream after the year of a document that :meth:`draw` made.

        Raises
        ------
        ConfigError
            The document is malformed, or is of another year.
        """
        malformed = ConfigError("document", f"holds no measurements of year {self.year + 1}")
        try:
            document = json.loads(text)
            year, measured = document["year"], document["measured"]
        except (ValueError, KeyError, TypeError, RecursionError):
            raise malformed from None
        whole = isinstance(measured, list) and all(type(n) is int and abs(n) <= _CLAMP for n in measured)
        if year != self.year + 1 or not whole or len(measured) != self.query.size:
            raise malformed
        return self._with(np.array(measured, dtype=np.int64))

    def table(self) -> YearlyTable:
        """Return the running totals of the last measured year."""
        rows = recovery(self.mechanism.years)[self.year - 1, : self.year]
        totals = rows @ np.array(self.measured, dtype=np.float64) / SCALE
        return YearlyTable(self.query, self.year, totals, self.mechanism.law(self.query, self.year))

    def _exact(self, history: Sequence[Tally]) -> NDArray[np.int64]:
        weights = toeplitz(self.mechanism.years)[: self.year + 1]
        return sum(
            (weights[self.year - i] * np.minimum(self.query.check(t), _LARGEST_COUNT) for i, t in enumerate(history)),
            np.zeros(self.query.size, dtype=np.int64),
        )

    def _noisy(self, exact: NDArray[np.int64]) -> NDArray[np.int64]:
        noise = engine(self.mechanism.engine).discrete_gaussian(self.mechanism.sigma2(self.query), self.query.size)
        return np.asarray(np.clip(exact + noise, -_CLAMP, _CLAMP))

    def _with(self, measured: NDArray[np.int64]) -> YearlyStream:
        return YearlyStream(self.mechanism, self.query, (*self.measured, measured))
