"""The rows of a frame as one array of codes, by the same rules as a tally: policies of the domain, bounded units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
from numpy.typing import NDArray

from pets.domain import Attribute, Date, Domain, Numeric
from pets.errors import DataError, InvalidArgument
from pets.query import Marginals
from pets.query.engine.columns import NUMBERS, Column, date_steps
from pets.query.engine.site import UNIT, open_site
from pets.synthetic.encoding.columns import CodedColumn, Codes
from pets.synthetic.encoding.order import limits

RAW = "raw"

Starts = Mapping[str, NDArray[np.float64]]
"""For each date that is counted from one of another table, that one for every row, in periods; NaN for none."""


def read_codes(
    frame: object, domain: Domain, columns: Sequence[CodedColumn], starts: Starts | None = None
) -> tuple[Codes, NDArray[np.int64] | None]:
    """Return codes of shape (columns, rows), -1 where the policy drops the row, and a number for each row's unit.

    Parameters
    ----------
    frame
        Any data frame that narwhals supports.
    domain
        The domain, every attribute of which has bins.
    columns
        How each attribute is coded.
    starts
        Dates of another table.

    Raises
    ------
    InvalidArgument
        `frame` is no data frame, or has columns that the domain does not declare.
    DataError
        A column is missing or cannot be read, or holds a value that its policy makes an error.
    """
    site = open_site(frame, Marginals([[name] for name in domain.names]).bind(domain))
    _refuse_foreign(frame, domain)
    raw = sorted({name for column in columns for name in _counted(column)})
    by_name = {column.name: column for column in site.columns}
    wanted = [column.expressions()[0] for column in site.columns]
    wanted += [nw.nth(by_name[name].position).alias(f"{RAW}{i}") for i, name in enumerate(raw)]
    wanted += [] if site.unit is None else [site.unit.alias(UNIT)]
    rows = site.run(lambda _: site.source.select(*wanted))
    cells = {column.name: _cells(column, rows) for column in site.columns}
    numbers = {name: _values(rows[f"{RAW}{i}"], domain[name]) for i, name in enumerate(raw)}
    for column in columns:  # their own bins were read before; only those that are counted from others are read again
        if column.after is not None:
            cells[column.name] = _after(column, cells, numbers, domain)
        if column.since is not None:
            cells[column.name] = _since(column, cells[column.name], numbers, domain, starts or {})
    units = None if site.unit is None else _unit_numbers(rows[UNIT], str(domain.unit.id))
    codes = np.array([cells[column.name] for column in columns], dtype=np.int64).reshape(len(columns), len(rows))
    return codes, units


def bounded(codes: Codes, units: NDArray[np.int64] | None, most: int) -> Codes:
    """Return at most `most` rows of each unit: the first in the order of their codes.

    That is a function of the unit's own rows. Rows with a code of -1 are left out before.
    """
    whole = (codes >= 0).all(axis=0)
    kept = codes[:, whole]
    return kept if units is None else kept[:, first_rows(kept, units[whole], most)]


def first_rows(codes: Codes, owner: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """Return the numbers of the first `most` rows of each owner in the order of their codes, ascending."""
    order = np.lexsort((*codes[::-1], owner))
    first = np.flatnonzero(np.diff(owner[order], prepend=np.int64(-2)))
    place = np.arange(owner.size) - np.repeat(first, np.diff(first, append=owner.size))
    return np.asarray(np.sort(order[place < most]))


def _cells(column: Column, rows: nw.DataFrame[Any]) -> Codes:
    cells = column.read(rows[column.key]).cells
    assert cells is not None  # noqa: S101 every column is a key
    return cells


def _refuse_foreign(frame: object, domain: Domain) -> None:
    names = nw.from_native(nw.to_native(frame, pass_through=True)).collect_schema().names()
    foreign = [name for name in names if name not in domain and name != domain.unit.id]
    if foreign:
        raise InvalidArgument(
            "frame", f"has {len(foreign)} columns that the domain does not declare, such as {str(foreign[0])!r}",
            "Declare them in the domain, or leave them out of the frame: nothing is learnt about undeclared columns.",
        )  # fmt: skip


def _numbers(values: nw.Series[Any]) -> NDArray[np.float64]:
    if values.dtype.is_numeric() and not values.dtype.is_decimal():
        return values.cast(nw.Float64).to_numpy().astype(np.float64)
    return np.array([float(v) if isinstance(v, NUMBERS) else np.nan for v in values.to_list()], dtype=np.float64)


def _values(values: nw.Series[Any], attribute: Attribute) -> NDArray[np.float64]:
    """Return numbers as they stand, and dates as whole numbers of periods."""
    return date_steps(attribute, values)[0] if isinstance(attribute, Date) else _numbers(values)


def steps_of(values: nw.Series[Any], date: Date) -> NDArray[np.float64]:
    """Return dates as whole numbers of periods within the bounds, NaN where there is none or its policy refuses it."""
    return _steps(_values(values, date), date)


def in_order(
    frame: object, domain: Domain, pairs: Sequence[tuple[str, str]], starts: Starts | None = None
) -> NDArray[np.bool_]:
    """Return which rows hold no value before one that the domain puts in front of it, where both are known.

    Parameters
    ----------
    frame
        Any data frame that narwhals supports.
    domain
        The domain.
    pairs
        Columns of which the second cannot be before the first.
    starts
        Dates of another table which columns cannot be before.
    """
    begins = starts or {}
    names = sorted({*(name for pair in pairs for name in pair), *begins})
    site = open_site(frame, Marginals([[name] for name in names]).bind(domain))
    places = {column.name: column.position for column in site.columns}
    rows = site.run(lambda _: site.source.select(*(nw.nth(places[name]).alias(name) for name in names)))
    steps = {name: _steps(_values(rows[name], domain[name]), domain[name]) for name in names}
    with np.errstate(invalid="ignore"):
        broken = [steps[second] < steps[first] for first, second in pairs]
        broken += [steps[name] < start for name, start in begins.items()]
    return np.asarray(~np.logical_or.reduce(broken), dtype=np.bool_)


def _steps(values: NDArray[np.float64], attribute: Attribute) -> NDArray[np.float64]:
    """Return values as whole numbers within the bounds, NaN where the value is none or its policy refuses it."""
    scaled = np.rint(values / float(attribute.resolution)) if isinstance(attribute, Numeric) else values
    low, high = limits(attribute)
    if attribute.invalid == "clamp":
        return np.clip(scaled, low, high)
    return np.where((scaled >= low) & (scaled <= high), scaled, np.nan)


def _counted(column: CodedColumn) -> list[str]:
    """Return the columns of the table that a column which is counted from another is coded by, itself included."""
    if column.after is not None:
        return [column.name, column.after[0]]
    if column.since is None:
        return []
    return [column.name] if column.since.outside else [column.name, column.since.origin]


def _since(
    column: CodedColumn, own: Codes, numbers: dict[str, NDArray[np.float64]], domain: Domain, starts: Starts
) -> Codes:
    """Return the codes of a date as time from its origin; a date on the wrong side of it counts as the same day."""
    assert column.since is not None  # noqa: S101
    origin = column.since.origin
    start = starts[column.name] if column.since.outside else _clipped(domain, origin, numbers[origin])
    gap = _clipped(domain, column.name, numbers[column.name]) - start
    top = len(column.attribute.labels)
    gap = np.clip(np.nan_to_num(column.since.sign * gap), *column.limits)
    codes = np.searchsorted(column.inner_edges, gap, side="right").astype(np.int64)
    lost = own >= len(domain[column.name].labels)
    codes[lost] = top if column.missing else -1
    codes[own < 0] = -1
    return codes


def _after(
    column: CodedColumn, cells: dict[str, Codes], numbers: dict[str, NDArray[np.float64]], domain: Domain
) -> Codes:
    """Return the codes of a clock as what follows the one before."""
    assert column.after is not None  # noqa: S101
    clock, event = column.after
    known, earlier = cells[column.name], cells[clock]
    events = cells[event]
    lost = known >= len(column.attribute.labels)
    together = events == 0
    start = _clipped(domain, clock, numbers[clock])
    gap = np.maximum(_clipped(domain, column.name, numbers[column.name]) - start, 0.0)
    codes = column.after_codes(gap, together)
    unclear = lost | (~together & (~np.isfinite(start) | (earlier < 0)))
    codes[unclear] = column.size - 1 if column.missing else -1
    codes[known < 0] = -1
    return codes


def _clipped(domain: Domain, name: str, values: NDArray[np.float64]) -> NDArray[np.float64]:
    attribute = domain[name]
    if isinstance(attribute, Date):
        return np.clip(values, *limits(attribute))
    return np.clip(values, float(attribute.lower), float(attribute.upper))  # type: ignore[union-attr]


def _unit_numbers(values: nw.Series[Any], name: str) -> NDArray[np.int64]:
    """Return a number for each unit; rows without an id are rows of one single unit, -1."""
    first: dict[object, int] = {}
    listed = values.to_list()
    try:
        numbers = np.fromiter(map(first.setdefault, listed, count()), dtype=np.int64, count=len(listed))
    except TypeError:
        raise DataError(name, "holds values that identify nobody, such as lists", "Give numbers or texts.") from None
    numbers[values.is_null().to_numpy().astype(np.bool_)] = -1
    return numbers
