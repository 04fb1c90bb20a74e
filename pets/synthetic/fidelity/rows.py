"""Rows as they are compared: codes of the declared columns, numbers as they stand, and what does not belong."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
from numpy.typing import NDArray

from pets.domain import Categorical, Date, Domain
from pets.errors import DataError, InvalidArgument
from pets.privacy_unit import PrivacyUnit
from pets.query.engine.columns import NUMBERS, date_steps
from pets.synthetic.encoding import Encoding, Survival
from pets.synthetic.encoding.columns import Codes
from pets.synthetic.encoding.reading import in_order, read_codes
from pets.synthetic.encoding.rules import allowed

_SLACK = 1e-6
"""Times that differ by less are the same: they went through floating-point files."""


@dataclass(frozen=True, eq=False)
class Schema:
    """What is declared about the rows of either table.

    Attributes
    ----------
    encoding
        The declared columns, each clock by itself, dates by the time between them where they have an order.
    survival
        Times to events.
    id
        Column that identifies the unit, and is not compared.
    """

    encoding: Encoding
    survival: tuple[Survival, ...]
    id: str | None

    @classmethod
    def of(cls, domain: Domain, survival: Sequence[Survival] | Survival) -> Schema:
        """Return the schema after checking it."""
        pairs = (survival,) if isinstance(survival, Survival) else tuple(survival)
        Encoding.of(domain, pairs)
        counted = tuple(pair for pair in pairs if pair.origin is not None)
        return cls(Encoding.of(domain.with_unit(PrivacyUnit()), counted), pairs, domain.unit.id)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return self.encoding.names

    def axis(self, name: str) -> int:
        """Return the number of a column."""
        return self.names.index(name)

    def is_categorical(self, name: str) -> bool:
        """Whether a column holds categories."""
        return isinstance(self.encoding.domain[name], Categorical)


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of one table that have a code in every column.

    Attributes
    ----------
    schema
        What is declared.
    codes
        Shape (columns, rows).
    numbers
        Values of the numeric columns, NaN where missing; of dates the time between them where they have an order.
    ordered
        Which rows keep the order of columns that the domain declares.
    read
        Number of rows of the table.
    """

    schema: Schema
    codes: Codes
    numbers: dict[str, NDArray[np.float64]]
    ordered: NDArray[np.bool_]
    read: int

    @classmethod
    def of(cls, frame: object, schema: Schema, argument: str) -> Rows:
        """Return the rows of a frame.

        Raises
        ------
        InvalidArgument, DataError
            It is no frame, its columns are not the declared ones, or no row fits the domain.
        """
        native = _eager(frame, schema.id, argument)
        codes, _ = read_codes(native.to_native(), schema.encoding.binned, schema.encoding.columns)
        whole = (codes >= 0).all(axis=0)
        if not whole.any():
            raise DataError(schema.names[0], f"no row of {argument} fits the domain", "Check the domain and the file.")
        names = [name for name in schema.names if not schema.is_categorical(name)]
        numbers = {name: _numbers(native[name], schema.encoding.domain[name])[whole] for name in names}
        for column in schema.encoding.columns:
            if column.since is not None:
                numbers[column.name] = column.since.sign * (numbers[column.name] - numbers[column.since.origin])
        pairs = schema.encoding.order.pairs()
        ordered = np.ones(codes.shape[1], dtype=np.bool_)
        if pairs:
            ordered = in_order(native.to_native(), schema.encoding.binned, pairs)
        return cls(schema, codes[:, whole], numbers, ordered[whole], codes.shape[1])

    @property
    def n(self) -> int:
        """Number of rows that fit the domain."""
        return int(self.codes.shape[1])

    @property
    def outside(self) -> float:
        """Share of the rows that hold a value which the domain does not know."""
        return 1 - self.n / self.read

    @cached_property
    def impossible(self) -> float:
        """Share of the rows that break a declared rule or hold clocks in the wrong order."""
        broken = ~allowed(self.schema.encoding.zeros, self.codes) | ~self.ordered
        first = {pair.time: pair for pair in self.schema.survival}
        for pair in self.schema.survival:
            if pair.after is not None:
                earlier, later = self.numbers[pair.after], self.numbers[pair.time]
                censored = self.codes[self.schema.axis(first[pair.after].event)] == 0
                broken |= later < earlier - _SLACK
                broken |= censored & (np.abs(later - earlier) > _SLACK)
        return float(broken.mean())

    def column(self, name: str) -> Codes:
        """Return the codes of a column."""
        return np.asarray(self.codes[self.schema.axis(name)])

    def take(self, index: NDArray[np.int64]) -> Rows:
        """Return some rows, with repeats."""
        numbers = {name: values[index] for name, values in self.numbers.items()}
        return Rows(self.schema, self.codes[:, index], numbers, self.ordered[index], len(index))


def _eager(frame: object, unit: str | None, argument: str) -> Any:
    try:
        source = nw.from_native(nw.to_native(frame, pass_through=True))
    except TypeError:
        raise InvalidArgument(argument, "is no data frame", "Give a pandas, Polars or PyArrow frame.") from None
    rows = source.collect() if isinstance(source, nw.LazyFrame) else source
    return rows.drop(unit) if unit is not None and unit in rows.columns else rows


def _numbers(values: nw.Series[Any], attribute: Any) -> NDArray[np.float64]:
    if isinstance(attribute, Date):
        return _kept(date_steps(attribute, values)[0], attribute.steps)
    if values.dtype.is_numeric() and not values.dtype.is_decimal():
        found = values.cast(nw.Float64).to_numpy().astype(np.float64)
    else:
        found = np.array([float(v) if isinstance(v, NUMBERS) else np.nan for v in values.to_list()], dtype=np.float64)
    return _kept(found, attribute)


def _kept(found: NDArray[np.float64], attribute: Any) -> NDArray[np.float64]:
    low, high = float(attribute.lower), float(attribute.upper)
    if attribute.invalid == "clamp":
        return np.clip(found, low, high)
    return np.where((found >= low) & (found <= high), found, np.nan)
