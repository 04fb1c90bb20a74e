"""The whole encoding: from a declared domain to codes and rules, from rows to codes, and back to rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pets.csprng import RandomSource
from pets.domain import Categorical, Date, Domain, Integer, Numeric
from pets.errors import InvalidArgument
from pets.synthetic.encoding.columns import DEFAULT_BINS, CodedColumn, Codes, labelled, written
from pets.synthetic.encoding.order import Anchor, Order, draw_in_order, gaps
from pets.synthetic.encoding.reading import Starts, bounded, in_order, read_codes
from pets.synthetic.encoding.rules import MOST_CELLS, allowed, bounding, structural_zeros
from pets.synthetic.encoding.survival import Survival, checked_survival, resolution_of
from pets.synthetic.engine.factors import Factor
from pets.synthetic.engine.graphical_model import GraphicalModel

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Encoding:
    """What a synthesizer may know before it sees a row: each column's codes and what cannot occur.

    Attributes
    ----------
    domain
        The declared domain.
    survival
        Times to events.
    calendar
        Whether each date is coded by its own bins, instead of by the time from another one.
    link
        Columns of a parent table whose joint table any model keeps, so that rows can be drawn given them.
    anchors
        Dates of the parent's row from which dates are counted.
    """

    domain: Domain
    survival: tuple[Survival, ...] = ()
    calendar: bool = False
    link: tuple[str, ...] = ()
    anchors: tuple[Anchor, ...] = ()

    @classmethod
    def of(
        cls,
        domain: Domain,
        survival: Sequence[Survival] = (),
        *,
        calendar: bool = False,
        link: Sequence[str] = (),
        anchors: Sequence[Anchor] = (),
    ) -> Encoding:
        """Return the encoding after checking that it can be used.

        Raises
        ------
        InvalidArgument
            The domain has no attributes, a survival does not fit it, or its rules together leave no possible row.
        """
        if not isinstance(domain, Domain):
            raise InvalidArgument("domain", "must be a Domain", "Load one with pets.Domain.from_file('registry.toml').")
        if not len(domain):
            raise InvalidArgument("domain", "has no attributes", "Declare the columns to be synthesized.")
        found = cls(domain, checked_survival(survival, domain), calendar, tuple(link), tuple(anchors))
        found._refuse_both()
        model = GraphicalModel(found.sizes, found.zeros + found.bounding)
        if model.tree.cells > MOST_CELLS:
            raise InvalidArgument(
                "domain.impossible", "ties so many columns together that their table would be too large",
                "Leave out a rule, or declare coarser labels.",
            )  # fmt: skip
        if model.log_total == -np.inf:
            raise InvalidArgument(
                "domain.impossible",
                "leaves no possible row, all rules together",
                "Leave out a rule or list fewer labels.",
            )
        return found

    @cached_property
    def binned(self) -> Domain:
        """The domain with a public grid of bins for numbers that have none."""
        domain = self.domain
        for name, attribute in self.domain.attributes.items():
            if isinstance(attribute, Integer | Numeric) and not attribute.is_key:
                domain = domain.rebin(name, _grid(attribute))
        return domain

    @cached_property
    def order(self) -> Order:
        """Which columns cannot be before others, and from which date each of them is counted."""
        return Order.of(self.domain, self.survival, around=not self.calendar, anchors=self.anchors)

    @cached_property
    def columns(self) -> tuple[CodedColumn, ...]:
        """The columns, in the order of the domain."""
        events = {pair.time: pair.event for pair in self.survival}
        after = {pair.time: (pair.after, events[pair.after]) for pair in self.survival if pair.after is not None}
        return tuple(self._column(name, after.get(name)) for name in self.binned.names)

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Number of codes of each column."""
        return tuple(column.size for column in self.columns)

    @cached_property
    def zeros(self) -> tuple[Factor, ...]:
        """What cannot occur."""
        return structural_zeros(self.domain, self.columns, self.order)

    @cached_property
    def bounding(self) -> tuple[Factor, ...]:
        """What a model knows besides, and may know coarser: bounds of dates, see :func:`bounding`, and the link."""
        axes = self.axes(self.link)
        link = (Factor(axes, np.zeros([self.sizes[axis] for axis in axes])),) if axes else ()
        return bounding(self.columns, self.order) + link

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(column.name for column in self.columns)

    def axes(self, names: Sequence[str]) -> tuple[int, ...]:
        """Return the numbers of columns, ascending.

        Raises
        ------
        InvalidArgument
            A name is unknown.
        """
        for name in names:
            _ = self.domain[name]
        return tuple(sorted({self.names.index(name) for name in names}))

    def encode(self, frame: object) -> Codes:
        """Return the codes of the rows that count, shape (columns, rows). Confidential.

        Rows that a policy drops or that break a rule do not count, and of each privacy unit at most ``max_rows`` do.

        Raises
        ------
        InvalidArgument, DataError
            The frame does not fit the domain.
        """
        return bounded(*self.read(frame), self.domain.unit.max_rows)

    def read(self, frame: object, starts: Starts | None = None) -> tuple[Codes, NDArray[np.int64] | None]:
        """Return the codes of all rows, -1 for those that do not count, and a number for each row's unit. Confidential.

        Parameters
        ----------
        frame
            The rows.
        starts
            For each column with an anchor that date, for every row.

        Raises
        ------
        InvalidArgument, DataError
            The frame does not fit the domain.
        """
        self._check_starts(starts)
        codes, units = read_codes(frame, self.binned, self.columns, starts)
        codes = np.where(_breaking(self.zeros, codes), -1, codes)
        if self.order.before:
            codes = np.where(in_order(frame, self.binned, self.order.pairs(), starts)[None, :], codes, -1)
        return codes, units

    def decode(self, codes: Codes, source: RandomSource, starts: Starts | None = None) -> pd.DataFrame:
        """Return rows as a pandas frame; numbers are uniform on the grid within their bin, if no order says else.

        Parameters
        ----------
        codes
            Shape (columns, rows).
        source
            Of random bits.
        starts
            For each column with an anchor that date, for every row.

        Raises
        ------
        InvalidArgument
            Dates are counted from rows of another table, which are missing.
        """
        import pandas as pd

        self._check_starts(starts)
        numbers: dict[str, tuple[Codes, Any]] = self._ordered(codes, source, starts or {})
        found: dict[str, Any] = {}
        for i in self._by_dependence():
            column = self.columns[i]
            if isinstance(column.attribute, Categorical):
                found[column.name] = labelled(column, codes[i])
                continue
            if column.name not in numbers:
                numbers[column.name] = self._numbers(column, codes[i], numbers, source)
            found[column.name] = written(column, *numbers[column.name])
        return pd.DataFrame({name: found[name] for name in self.names})

    def _column(self, name: str, after: tuple[str, str] | None) -> CodedColumn:
        attribute, since = self.binned[name], self.order.since.get(name)
        if not isinstance(attribute, Date):
            return CodedColumn(name, attribute, after)
        if since is None:
            return CodedColumn(name, attribute, date=attribute)
        outside = {anchor.column: anchor.date for anchor in self.anchors}
        origin = outside[name] if since.outside else self.binned[since.origin]
        assert isinstance(origin, Date)  # noqa: S101 dates are counted from dates
        return CodedColumn(name, gaps(attribute, origin, since.sign), since=since, date=attribute)

    def _check_starts(self, starts: Starts | None) -> None:
        if {anchor.column for anchor in self.anchors} - set(starts or {}):
            raise InvalidArgument(
                "model", "has dates that count from rows of another table", "Take all tables at once."
            )

    def _refuse_both(self) -> None:
        for column in self.columns:
            if column.after is not None and column.name in self.order.before:
                raise InvalidArgument(
                    "survival", f"codes {column.name!r} as time after another, and the domain's order names it",
                    "Leave `after` out, or take the attribute out of the order.",
                )  # fmt: skip

    def _ordered(self, codes: Codes, source: RandomSource, starts: Starts) -> dict[str, tuple[Codes, Any]]:
        """Return the values of all columns that have an order, none before one that it follows."""
        ordered = {
            column.name: (i, column) for i, column in enumerate(self.columns) if column.name in self.order.before
        }
        if not ordered:
            return {}
        ranges = {}
        for name, (i, column) in ordered.items():
            low, high, absent = column.ranges(codes[i])
            first, last = column.limits if column.since else self.order.bounds[name]
            ranges[name] = np.maximum(low, first), np.minimum(high, last), absent
        drawn = draw_in_order(ranges, self.order.open_pairs(), source)
        found: dict[str, tuple[Codes, Any]] = {}
        for name, (_, column) in sorted(ordered.items(), key=lambda one: _depth(one[1][1])):
            value = drawn[name]
            if column.since is not None:
                start = starts[name].astype(np.int64) if column.since.outside else found[column.since.origin][0]
                # Beyond the bounds a date stops at them; as bounds have the same order as dates, dates keep theirs.
                value = np.clip(start + column.since.sign * value, *self.order.bounds[name])
            found[name] = value, ranges[name][2]
        return found

    def _by_dependence(self) -> list[int]:
        """Return the columns in an order in which each clock comes after the one that it follows."""
        depth: dict[str, int] = {}
        after = {column.name: column.after[0] for column in self.columns if column.after is not None}
        for name in self.names:
            depth[name], at = 0, name
            while at in after:
                depth[name], at = depth[name] + 1, after[at]
        return sorted(range(len(self.columns)), key=lambda i: depth[self.names[i]])

    def _numbers(
        self, column: CodedColumn, codes: Codes, numbers: dict[str, tuple[Codes, Any]], source: RandomSource
    ) -> tuple[Codes, Any]:
        if column.after is None:
            return column.units(codes, source)
        gap, absent = column.gap_units(codes, source)
        start, lost = numbers[column.after[0]]
        scale = self._resolution(column.after[0]) / self._resolution(column.name)
        moved = np.rint(start * float(scale)).astype(np.int64)
        return np.clip(moved + gap, *column.limits), absent | lost

    def _resolution(self, name: str) -> Fraction:
        return resolution_of(self.domain[name])


def rows_of(codes: Codes) -> int:
    """Return the number of rows. Confidential."""
    return int(codes.shape[1])


def _depth(column: CodedColumn) -> int:
    """Return a number that is larger than that of the date from which a date is counted."""
    return 0 if column.since is None else 1 if column.since.outside else 2


def _breaking(zeros: Sequence[Factor], codes: Codes) -> Any:
    whole: Any = (codes >= 0).all(axis=0)
    broken: Any = ~whole
    broken[whole] = ~allowed(zeros, codes[:, whole])
    return broken[None, :]


def _grid(attribute: Integer | Numeric) -> list[Any]:
    """Return edges of bins of equal width on the attribute's grid."""
    if isinstance(attribute, Integer):
        low, high, unit = attribute.lower, attribute.upper, Fraction(1)
    else:
        low, high, unit = attribute.lower_units, attribute.upper_units, attribute.resolution
    steps = max(1, min(DEFAULT_BINS, high - low))
    edges = [low + (high - low) * i // steps for i in range(steps + 1)]
    return [edge if isinstance(attribute, Integer) else edge * unit for edge in edges]
