"""A site's frame, projected onto the columns a query uses, and the one grouping pass over it."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

import narwhals.stable.v2 as nw
import numpy as np
from narwhals.exceptions import NarwhalsError

from pets.errors import DataError, InvalidArgument, did_you_mean
from pets.query.engine.columns import Column, Reading
from pets.query.engine.groups import Groups
from pets.query.engine.unions import columns_of
from pets.query.layout import Block

if TYPE_CHECKING:
    from pets.query.base import BoundQuery

UNIT: Final = "unit"
ROWS: Final = "rows"
"""Internal names, beside those of the columns. The projection drops all of the user's names, so none can clash."""

_SUPPORTED = "Give a pandas, Polars, PyArrow, DuckDB, Dask or PySpark data frame."


@dataclass(frozen=True)
class Site:
    """The rows of one site as this query sees them.

    Attributes
    ----------
    frame
        Lazy frame with internal names only.
    columns
        The columns that the query uses, in the query's order.
    rows
        Number of rows, if it is known without a pass.
    bound
        The query, for what it refuses.
    """

    frame: nw.LazyFrame[Any]
    columns: tuple[Column, ...]
    rows: int | None
    bound: BoundQuery

    def group(self, blocks: Sequence[Block]) -> Groups:
        """Return the rows grouped by all columns that `blocks` read.

        Raises
        ------
        DataError
            See :meth:`Column.read`.
        InvalidArgument
            The engine failed.
        """
        names = set().union(*(columns_of(block) for block in blocks))
        columns = [column for column in self.columns if column.name in names]
        squared = {block.column for block in blocks if block.measure == "sum_squares"}
        aggregates = [nw.len().alias(ROWS)]
        derived = []
        for column in columns:
            if column.adds_values:
                aggregates.append(nw.col(column.value).sum())
            if column.adds_values and column.name in squared:
                derived.append((nw.col(column.value) * nw.col(column.value)).alias(column.square))
                aggregates.append(nw.col(column.square).sum())
        frame = self.frame.with_columns(*derived) if derived else self.frame
        keys = [column.key for column in columns]
        grouped = self.collect(frame.group_by(keys).agg(*aggregates) if keys else frame.select(*aggregates))
        return _read(columns, grouped)

    def collect(self, frame: nw.LazyFrame[Any]) -> nw.DataFrame[Any]:
        """Run the engine.

        Raises
        ------
        RangeOverflow
            It failed, and the rows are too many for 64-bit sums.
        DataError
            It cannot group by one of the columns.
        InvalidArgument
            It failed for another reason. Its own message could quote the rows, so it is not passed on.
        """
        try:
            return _run(frame)
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 engines have no common base class of errors
            failure = type(error).__name__
        self._explain()
        raise InvalidArgument(
            "frame", f"could not be read: its engine raised {failure}", "Collect it by itself to see why."
        )

    def _explain(self) -> None:
        """Raise the error that names the cause, if it can be found."""
        try:
            rows = int(_run(self.frame.select(nw.len().alias(ROWS)))[ROWS][0])
        except Exception:  # noqa: BLE001 the whole frame is unreadable
            return
        self.bound.check_capacity(rows)
        for column in self.columns:
            try:
                _run(self.frame.group_by([column.key]).agg(nw.len().alias(ROWS)))
            except Exception:  # noqa: BLE001 as above
                raise DataError(
                    column.name, "is of a type that its engine cannot group by", "Convert the column."
                ) from None


def open_site(frame: object, bound: BoundQuery) -> Site:
    """Return `frame` ready for `bound`.

    Raises
    ------
    InvalidArgument
        `frame` is no supported data frame, or its schema cannot be read.
    DataError
        A column is missing, or holds lists or structs.
    """
    opened = _open(frame)
    schema = _schema(opened)
    positions = {name: i for i, name in enumerate(schema)}
    columns = tuple(_columns(bound, schema, positions))
    projection = [expression for column in columns for expression in column.expressions()]
    unit = bound.domain.unit.id
    if unit is not None:
        dtype = _dtype(schema, unit, "identifies the privacy unit")
        identity = nw.nth(positions[unit])
        projection.append((identity.fill_nan(None) if dtype.is_float() else identity).alias(UNIT))
    rows = len(opened) if isinstance(opened, nw.DataFrame) else None
    lazy = opened.lazy()
    return Site(lazy.select(*projection) if projection else lazy, columns, rows, bound)


def readings(columns: Sequence[Column], grouped: nw.DataFrame[Any], *, whole: bool = True) -> dict[str, Reading]:
    """Return what the grouped columns mean, by name; see :meth:`Column.read`."""
    return {column.name: column.read(grouped[column.key], whole=whole) for column in columns}


def integers(series: nw.Series[Any]) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Return a column of whole numbers; a sum over no rows is null in SQL and means 0."""
    return series.fill_null(0).cast(nw.Int64).to_numpy().astype(np.int64)


def _read(columns: Sequence[Column], grouped: nw.DataFrame[Any]) -> Groups:
    rows = integers(grouped[ROWS])
    meaning = readings(columns, grouped)
    sums, squares = {}, {}
    for column in columns:
        units = meaning[column.name].units
        if units is not None:
            sums[column.name], squares[column.name] = rows * units, rows * units * units
        elif column.is_summed:
            sums[column.name] = integers(grouped[column.value])
            if column.square in grouped.columns:
                squares[column.name] = integers(grouped[column.square])
    cells = {name: reading.cells for name, reading in meaning.items() if reading.cells is not None}
    return Groups(rows, cells, {name: reading.known for name, reading in meaning.items()}, sums, squares)


def _open(frame: object) -> nw.DataFrame[Any] | nw.LazyFrame[Any]:
    with warnings.catch_warnings():
        # Dask's adapter is about to move to a package of its own; nothing the data holder could act upon.
        warnings.filterwarnings("ignore", message="Dask support", category=FutureWarning)
        try:
            return nw.from_native(frame)
        except (TypeError, NarwhalsError):
            raise InvalidArgument("frame", f"is a {type(frame).__name__}, which is no data frame", _SUPPORTED) from None


def _schema(frame: nw.DataFrame[Any] | nw.LazyFrame[Any]) -> dict[str, nw.dtypes.DType]:
    try:
        return dict(frame.collect_schema())
    except Exception as error:  # noqa: BLE001 engines have no common base class of errors
        failure = type(error).__name__
    raise InvalidArgument("frame", f"has columns that cannot be read ({failure})", "Name each column once.")


def _columns(bound: BoundQuery, schema: dict[str, nw.dtypes.DType], positions: dict[str, int]) -> list[Column]:
    keys = {axis.name for block in bound.blocks for axis in block.axes}
    summed = {block.column for block in bound.blocks if block.measure != "count"}
    read = set().union(*(columns_of(block) for block in bound.blocks))
    used = [name for name in bound.query.needs() if name in read]
    return [
        Column(
            name,
            positions.get(name, -1),
            _dtype(schema, name, "is used by the query"),
            bound.table_domain[name],
            name in keys,
            name in summed,
            index,
        )
        for index, name in enumerate(used)
    ]


def _dtype(schema: dict[str, nw.dtypes.DType], name: str, role: str) -> nw.dtypes.DType:
    if name not in schema:
        raise DataError(name, f"is missing, and {role}", did_you_mean(name, schema))
    dtype = schema[name]
    if dtype.is_nested():
        raise DataError(
            name, f"holds {str(dtype).split('(')[0].lower()} values, which are no categories", "Unpack them first."
        )
    return dtype


def _run(frame: nw.LazyFrame[Any]) -> nw.DataFrame[Any]:
    if frame.implementation.is_pandas() or frame.implementation.is_polars() or find_spec("pyarrow"):
        return frame.collect()
    return frame.collect("pandas")
