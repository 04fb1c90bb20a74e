"""A site's frame, projected onto the columns a query uses, and the one grouping pass over it."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

import narwhals.stable.v2 as nw
import numpy as np
from narwhals.exceptions import DuplicateError, NarwhalsError
from numpy.typing import NDArray

from pets.errors import DataError, InvalidArgument, did_you_mean
from pets.query.engine.columns import Column, Reading
from pets.query.engine.groups import Groups
from pets.query.engine.passes import columns_of
from pets.query.engine.texts import told_apart
from pets.query.layout import Block

if TYPE_CHECKING:
    from pets.query.base import BoundQuery

UNIT: Final = "unit"
ROWS: Final = "rows"
"""Internal names, beside those of the columns. The projection drops all of the user's names, so none can clash."""

Frame = nw.LazyFrame[Any]
Schema = dict[str, nw.dtypes.DType]

_SUPPORTED = "Give a pandas, Polars, PyArrow, DuckDB, Dask or PySpark data frame."


@dataclass(frozen=True)
class Site:
    """The rows of one site as one query sees them.

    Attributes
    ----------
    source
        The user's frame.
    columns
        The columns that the query uses, in the query's order.
    unit
        The column that identifies the privacy unit, if there is one.
    rows
        Number of rows, if it is known without a pass.
    bound
        The query.
    """

    source: Frame
    columns: tuple[Column, ...]
    unit: nw.Expr | None
    rows: int | None
    bound: BoundQuery

    @cached_property
    def frame(self) -> Frame:
        """The rows under internal names only."""
        wanted = [expression for column in self.columns for expression in column.expressions()]
        if self.unit is not None:
            wanted.append(self.unit.alias(UNIT))
        if not wanted:
            return self.source
        if self.source.implementation.is_dask():
            return _projected_by_partition(self.source, wanted, self._used)
        return self.source.select(*wanted)

    @property
    def _used(self) -> list[str]:
        """Names of the user's columns that are read."""
        identity = [] if self.unit is None else [str(self.bound.domain.unit.id)]
        return [*(column.name for column in self.columns), *identity]

    def group(self, blocks: Sequence[Block]) -> Groups:
        """Return the rows grouped by all columns that `blocks` read.

        Raises
        ------
        DataError, InvalidArgument, RangeOverflow
            See :meth:`run` and :meth:`Column.read`.
        """
        names = {name for block in blocks for name in columns_of(block)}
        columns = [column for column in self.columns if column.name in names]
        squared = {block.column for block in blocks if block.measure == "sum_squares"}
        return _read(columns, self.run(lambda frame: _grouped(frame, columns, squared)))

    def run(self, build: Callable[[Frame], Frame]) -> nw.DataFrame[Any]:
        """Have the engine compute what `build` makes of :attr:`frame`.

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
            return _collected(build(self.frame))
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 engines have no common base class of errors
            failure = type(error).__name__
        self._explain()
        raise InvalidArgument("frame", f"could not be read: its engine raised {failure}", "Collect it to see why.")

    def _explain(self) -> None:
        """Raise the error that names the cause of a failure, if it can be found."""
        rows = _attempt(partial(_counted, self.source, None))
        if rows is None:
            return  # the frame as a whole cannot be read
        self.bound.check_capacity(int(rows[ROWS][0]))
        suspects = [(column.name, column.expressions()[0]) for column in self.columns]
        if self.unit is not None:
            suspects.append((str(self.bound.domain.unit.id), self.unit))
        for name, values in suspects:
            if _attempt(partial(_counted, self.source, values)) is None:
                raise DataError(name, "cannot be read or grouped by its engine", "Give one plain value in each row.")


def open_site(frame: object, bound: BoundQuery) -> Site:
    """Return `frame` ready for `bound`.

    Raises
    ------
    InvalidArgument
        `frame` is no supported data frame, or its columns cannot be read.
    DataError
        A column is missing, or holds lists or structs.
    """
    opened = _opened(frame)
    schema = _schema(opened)
    columns = _columns(bound, schema)
    rows = len(opened) if isinstance(opened, nw.DataFrame) else None
    unit = _unit(bound, schema)
    site = Site(_numbered(opened.lazy(), list(schema)), columns, unit, rows, bound)
    if not opened.implementation.is_pandas():
        return site
    return replace(site, source=_opened(told_apart(nw.to_native(opened), site._used)).lazy())


def readings(columns: Sequence[Column], grouped: nw.DataFrame[Any]) -> dict[str, Reading]:
    """Return what the grouped columns mean, by name; see :meth:`Column.read`."""
    return {column.name: column.read(grouped[column.key]) for column in columns}


def integers(series: nw.Series[Any]) -> NDArray[np.int64]:
    """Return a column of whole numbers; a sum over no rows is null in SQL and means 0."""
    return series.fill_null(0).cast(nw.Int64).to_numpy().astype(np.int64)


def _grouped(frame: Frame, columns: Sequence[Column], squared: set[str | None]) -> Frame:
    summed = [column for column in columns if column.adds_values]
    squares = [column for column in summed if column.name in squared]
    if squares:
        frame = frame.with_columns(*((nw.col(c.value) * nw.col(c.value)).alias(c.square) for c in squares))
    totals = [nw.col(name).sum() for name in [*(c.value for c in summed), *(c.square for c in squares)]]
    keys = [column.key for column in columns]
    aggregates = [nw.len().alias(ROWS), *totals]
    return frame.group_by(keys).agg(*aggregates) if keys else frame.select(*aggregates)


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


def _opened(frame: object) -> nw.DataFrame[Any] | Frame:
    with warnings.catch_warnings():
        # Dask's adapter is about to move to a package of its own; nothing the data holder could act upon.
        warnings.filterwarnings("ignore", message="Dask support", category=FutureWarning)
        try:
            opened: nw.DataFrame[Any] | Frame | None = nw.from_native(nw.to_native(frame, pass_through=True))
        except DuplicateError:
            raise InvalidArgument("frame", "has two columns of one name", "Name each column once.") from None
        except (TypeError, NarwhalsError):
            opened = None
    if opened is not None:
        return opened
    raise InvalidArgument("frame", f"is a {type(frame).__name__}, which is no data frame", _SUPPORTED)


def _schema(frame: nw.DataFrame[Any] | Frame) -> Schema:
    try:
        return dict(frame.collect_schema())
    except Exception as error:  # noqa: BLE001 engines have no common base class of errors
        failure = type(error).__name__
    raise InvalidArgument("frame", f"has columns that cannot be read ({failure})", "Name each column once.")


def _numbered(frame: Frame, names: Sequence[str]) -> Frame:
    """Return the frame with names that its engine cannot misread, and with texts that it compares letter by letter.

    Spark takes a dot for a field of a struct, and DuckDB takes ``*`` for all columns. A column of DuckDB may have a
    collation by which ``F`` and ``f`` are one group, called by whichever comes first: one row would move all others.
    """
    plain = [f"c{i}" for i in range(len(names))]
    renamed = frame
    if frame.implementation.is_spark_like():
        renamed = nw.from_native(frame.to_native().toDF(*plain))
    elif frame.implementation.is_duckdb():
        from duckdb import SQLExpression

        native = frame.to_native()
        quoted = ['"' + name.replace('"', '""') + '"' for name in names]
        texts = [
            name + ' COLLATE "binary"' * (str(kind) == "VARCHAR")
            for name, kind in zip(quoted, native.types, strict=True)
        ]
        columns = [SQLExpression(text).alias(number) for text, number in zip(texts, plain, strict=True)]
        renamed = nw.from_native(native.select(*columns))
    return renamed


def _projected_by_partition(frame: Frame, wanted: Sequence[nw.Expr], used: Sequence[str]) -> Frame:
    """Return a Dask frame projected by pandas, one partition at a time.

    Dask itself would bring the columns together by their index, which repeats in each file of a Parquet data set.
    """
    native: Any = frame.to_native()
    names = list(native.columns)

    def project(part: Any) -> Any:
        return nw.from_native(told_apart(part.reindex(columns=names), used)).select(*wanted).to_native()

    return _opened(native[list(used)].map_partitions(project)).lazy()


def _columns(bound: BoundQuery, schema: Schema) -> tuple[Column, ...]:
    keys = {axis.name for block in bound.blocks for axis in block.axes}
    summed = {block.column for block in bound.blocks if block.measure != "count"}
    read = {name for block in bound.blocks for name in columns_of(block)}
    used = [name for name in bound.query.needs() if name in read]
    positions = {name: i for i, name in enumerate(schema)}
    return tuple(
        Column(
            name=name,
            dtype=_dtype(schema, name, "the query reads it"),
            position=positions[name],
            attribute=bound.table_domain[name],
            is_key=name in keys,
            is_summed=name in summed,
            index=index,
        )
        for index, name in enumerate(used)
    )


def _unit(bound: BoundQuery, schema: Schema) -> nw.Expr | None:
    name = bound.domain.unit.id
    if name is None:
        return None
    dtype = _dtype(schema, name, "it identifies the privacy unit")
    column = nw.nth(list(schema).index(name))
    # Adding zero makes -0.0 and 0.0, which some engines tell apart, one unit.
    return (column.fill_nan(None) + 0.0) if dtype.is_float() else column


def _dtype(schema: Schema, name: str, role: str) -> nw.dtypes.DType:
    if name not in schema:
        raise DataError(name, f"is missing, and {role}", did_you_mean(name, schema))
    dtype = schema[name]
    if dtype.is_nested():
        raise DataError(name, f"holds a {type(dtype).__name__} in each row", "Give one plain value in each row.")
    return dtype


def _counted(frame: Frame, values: nw.Expr | None) -> Frame:
    """Return the number of rows, or of rows with each value."""
    if values is None:
        return frame.select(nw.len().alias(ROWS))
    return frame.select(values.alias(UNIT)).group_by([UNIT]).agg(nw.len().alias(ROWS))


def _attempt(build: Callable[[], Frame]) -> nw.DataFrame[Any] | None:
    try:
        return _collected(build())
    except Exception:  # noqa: BLE001 whatever it is, this is not the way
        return None


def _collected(frame: Frame) -> nw.DataFrame[Any]:
    kind = frame.implementation
    if kind.is_pandas_like() or kind.is_polars() or kind.is_dask() or find_spec("pyarrow"):
        return frame.collect()
    return frame.collect("pandas")
