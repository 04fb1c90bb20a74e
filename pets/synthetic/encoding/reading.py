"""The rows of a frame as one array of codes, by the same rules as a tally: policies of the domain, bounded units."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np
from numpy.typing import NDArray

from pets.domain import Domain
from pets.errors import InvalidArgument
from pets.query import Marginals
from pets.query.engine.columns import NUMBERS, Column
from pets.query.engine.site import UNIT, open_site
from pets.synthetic.encoding.columns import CodedColumn, Codes

RAW = "raw"


def read_codes(frame: object, domain: Domain, columns: Sequence[CodedColumn]) -> tuple[Codes, NDArray[np.int64] | None]:
    """Return codes of shape (columns, rows), -1 where the policy drops the row, and a number for each row's unit.

    Parameters
    ----------
    frame
        Any data frame that narwhals supports.
    domain
        The domain, every attribute of which has bins.
    columns
        How each attribute is coded.

    Raises
    ------
    InvalidArgument
        `frame` is no data frame, or has columns that the domain does not declare.
    DataError
        A column is missing or cannot be read, or holds a value that its policy makes an error.
    """
    site = open_site(frame, Marginals([[name] for name in domain.names]).bind(domain))
    _refuse_foreign(frame, domain)
    raw = sorted({name for column in columns if column.after for name in (column.name, column.after[0])})
    by_name = {column.name: column for column in site.columns}
    wanted = [column.expressions()[0] for column in site.columns]
    wanted += [nw.nth(by_name[name].position).alias(f"{RAW}{i}") for i, name in enumerate(raw)]
    wanted += [] if site.unit is None else [site.unit.alias(UNIT)]
    rows = site.run(lambda _: site.source.select(*wanted))
    cells = {column.name: _cells(column, rows) for column in site.columns}
    numbers = {name: _numbers(rows[f"{RAW}{i}"]) for i, name in enumerate(raw)}
    for column in _in_order(columns):
        cells[column.name] = _after(column, cells, numbers, domain)
    units = None if site.unit is None else _unit_numbers(rows[UNIT])
    codes = np.array([cells[column.name] for column in columns], dtype=np.int64).reshape(len(columns), len(rows))
    return codes, units


def bounded(codes: Codes, units: NDArray[np.int64] | None, most: int) -> Codes:
    """Return at most `most` rows of each unit: the first in the order of their codes.

    That is a function of the unit's own rows. Rows with a code of -1 are left out before.
    """
    whole = (codes >= 0).all(axis=0)
    kept = codes[:, whole]
    if units is None:
        return kept
    owner = units[whole]
    order = np.lexsort((*kept[::-1], owner))
    sorted_owner = owner[order]
    first = np.flatnonzero(np.diff(sorted_owner, prepend=np.int64(-2)))
    place = np.arange(owner.size) - np.repeat(first, np.diff(first, append=owner.size))
    return kept[:, np.sort(order[place < most])]


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


def _in_order(columns: Sequence[CodedColumn]) -> list[CodedColumn]:
    """Return the columns that follow another clock. Their own bins were read before; only these are read again."""
    return [column for column in columns if column.after is not None]


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
    return np.clip(values, float(attribute.lower), float(attribute.upper))  # type: ignore[union-attr]


def _unit_numbers(values: nw.Series[Any]) -> NDArray[np.int64]:
    """Return a number for each unit; rows without an id are rows of one single unit, -1."""
    first: dict[object, int] = {}
    listed = values.to_list()
    numbers = np.fromiter(map(first.setdefault, listed, count()), dtype=np.int64, count=len(listed))
    numbers[values.is_null().to_numpy().astype(np.bool_)] = -1
    return numbers
