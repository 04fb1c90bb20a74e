"""Records in files and data frames of any engine, in batches of the fields that a crosswalk names."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any, Final

import narwhals.stable.v2 as nw
from narwhals.exceptions import NarwhalsError

from pets.epi.harmonise.assemble import Records
from pets.epi.harmonise.crosswalk import Crosswalk
from pets.epi.harmonise.texts import as_text
from pets.errors import DataError, InvalidArgument, PetsError, did_you_mean
from pets.table_file import Heading

BATCH: Final = 50_000
"""Records in memory at a time, as texts."""

Frame = nw.LazyFrame[Any]
_FILES: Final = (".csv", ".tsv", ".txt", ".parquet")


class Selection:
    """The columns of a source that a crosswalk names, found by name whatever their case.

    Parameters
    ----------
    crosswalk
        Which columns are meant.
    available
        Columns of the source.
    aliases
        Other spellings of a column's name, in small letters, to the name in the crosswalk.

    Raises
    ------
    DataError
        A field has none of its columns, though the table cannot do without it; or two columns differ in case only.
    """

    def __init__(
        self, crosswalk: Crosswalk, available: Sequence[str], aliases: Mapping[str, str] | None = None
    ) -> None:
        self._left_out = 0
        self._crosswalk = crosswalk
        meant = {name.lower(): name for name in crosswalk.needed}
        self._found: dict[str, str] = {}
        for name in available:
            wanted = meant.get(name.strip().lower()) or (aliases or {}).get(name.strip().lower())
            if wanted in self._found:
                raise DataError(str(wanted), "is there twice", "Leave one of the two out.")
            if wanted is not None:
                self._found[wanted] = name
        self._require(available)

    @property
    def columns(self) -> list[str]:
        """The columns to be read, as the source spells them."""
        return list(self._found.values())

    @property
    def missing(self) -> list[str]:
        """Fields without any column in the source; their columns of the table stay empty."""
        return [name for name, columns in self._crosswalk.columns.items() if not self._found.keys() & set(columns)]

    def notes(self) -> Iterator[tuple[str, int]]:
        """Yield how many records were left out; to be asked when all have been read."""
        yield "records left out, because the crosswalk keeps others", self._left_out

    def records(self, columns: Mapping[str, Sequence[object]]) -> Records:
        """Return the fields of a batch of rows: of several columns, the first with a value."""
        size = len(next(iter(columns.values())))
        keep = [
            (columns[self._found[name]], values) for name, values in self._crosswalk.keep.items() if name in self._found
        ]
        rows = [i for i in range(size) if all(as_text(column[i]) in values for column, values in keep)]
        self._left_out += size - len(rows)
        found: dict[str, Sequence[object]] = {}
        for name, names in self._crosswalk.columns.items():
            parts = [columns[self._found[column]] for column in names if column in self._found]
            if parts:
                found[name] = [next((part[i] for part in parts if as_text(part[i])), None) for i in rows]
        return found

    def _require(self, available: Sequence[str]) -> None:
        columns, absent = self._crosswalk.columns, set(self.missing)
        for name in self._crosswalk.keep:
            if name not in self._found:
                raise DataError(name, "is missing, and the crosswalk keeps rows by it", did_you_mean(name, available))
        needed = ["patient"]
        if "diagnosis" not in columns.keys() - absent:
            needed += ["topography", "morphology"] if "topography" in columns else ["diagnosis"]
        if not {"diagnosis_date", "year"} & (columns.keys() - absent):
            needed.append("diagnosis_date" if "diagnosis_date" in columns else "year")
        for field in needed:
            if field in absent:
                name = columns[field][0]
                raise DataError(name, f"is missing, and gives the {field}", did_you_mean(name, available))


@contextmanager
def engine_failures() -> Iterator[None]:
    """Turn what an engine raises into an error of ours; its own message could quote the rows, so it is not passed on.

    Raises
    ------
    InvalidArgument
        Something failed that is no error of ours.
    """
    try:
        yield
    except (PetsError, MemoryError):
        raise
    except Exception as error:  # noqa: BLE001 engines have no common base class of errors
        failure = type(error).__name__
    else:
        return
    raise InvalidArgument("source", f"could not be read: its engine raised {failure}", "Collect it to see why.")


def frame_batches(frame: Frame, selection: Selection) -> Iterator[Records]:
    """Yield the records of a frame whose engine projects it to the columns that are needed."""
    with engine_failures():
        chosen = frame.select(*selection.columns).collect()
    for start in range(0, len(chosen), BATCH):
        part = chosen[start : start + BATCH]
        yield selection.records({name: part[name].to_list() for name in part.columns})


def opened_frame(source: object, argument: str = "source") -> Frame:
    """Return a frame of any engine as a lazy one, or the one in a .csv or .parquet file.

    Raises
    ------
    InvalidArgument
        It is neither.
    """
    if isinstance(source, str | os.PathLike):
        return _read(Path(source))
    with warnings.catch_warnings():
        # Dask's adapter is about to move to a package of its own; nothing the data holder could act upon.
        warnings.filterwarnings("ignore", message="Dask support", category=FutureWarning)
        try:
            opened = nw.from_native(nw.to_native(source, pass_through=True))
        except (TypeError, NarwhalsError):
            opened = None
    if opened is None:
        kind = type(source).__name__
        raise InvalidArgument(
            argument, f"is a {kind}, which is no data frame", "Give a file, or a frame of any engine."
        )
    found: Frame = opened.lazy()
    return found


def joined(tables: Sequence[Frame], crosswalk: Crosswalk) -> Frame:
    """Return the first table with the columns of the others beside each row.

    Raises
    ------
    DataError
        A column by which they are joined is missing.
    """
    same_engine(tables)
    result = tables[0]
    for table, source in zip(tables[1:], crosswalk.tables[1:], strict=True):
        left, right = _spelt(result, source.joins), _spelt(table, source.key)
        taken = {name.lower() for name in result.collect_schema().names()}
        more = [name for name in table.collect_schema().names() if name.lower() not in taken]
        once = table.select(nw.col(right).alias("__key"), *more).unique(subset=["__key"], keep="any")
        result = result.join(once, left_on=left, right_on="__key", how="left")
    return result


def same_engine(tables: Iterable[Frame]) -> None:
    """Refuse frames of several engines, which cannot be joined.

    Raises
    ------
    InvalidArgument
        There are several.
    """
    engines = sorted({table.implementation.name.lower() for table in tables})
    if len(engines) > 1:
        raise InvalidArgument("source", f"has frames of {' and '.join(engines)}", "Give all as frames of one engine.")


def csv_batches(path: Path, crosswalk: Crosswalk, aliases: Mapping[str, str]) -> tuple[Iterator[Records], Selection]:
    """Return the records of a text file, read a batch at a time, and which of its columns are read."""
    import pandas as pd

    options = _options(path)
    try:
        header = list(pd.read_csv(path, nrows=0, **options).columns)
    except (ValueError, OSError) as error:
        raise _unreadable(path, error) from None
    selection = Selection(crosswalk, header, aliases)

    def batches() -> Iterator[Records]:
        try:
            with pd.read_csv(path, usecols=selection.columns, chunksize=BATCH, **options) as parts:
                for part in parts:
                    yield selection.records({str(name): part[name].tolist() for name in part.columns})
        except (ValueError, OSError) as error:
            raise _unreadable(path, error) from None

    return batches(), selection


def dict_batches(rows: Iterator[dict[str, str]], selection: Selection) -> Iterator[Records]:
    """Yield records that come one by one."""
    while part := list(islice(rows, BATCH)):
        yield selection.records({name: [row.get(name) for row in part] for name in selection.columns})


def _options(path: Path) -> dict[str, Any]:
    """Return how pandas reads a text file: all as texts. Columns may be called by the numbers of their items."""
    heading = Heading.of(path, numbered=True)
    heading.check_width(path)
    return {
        "sep": heading.separator, "skiprows": heading.skipped, "index_col": False, "dtype": str,
        "keep_default_na": False, "encoding": "utf-8-sig",
    }  # fmt: skip


def _read(path: Path) -> Frame:
    import pandas as pd

    if path.suffix.lower() not in _FILES:
        raise InvalidArgument("source", f"{path.name} is no file of a known kind", "Give a .csv or .parquet file.")
    try:
        if path.suffix.lower() == ".parquet":
            return nw.from_native(pd.read_parquet(path)).lazy()
        found = pd.read_csv(path, **_options(path))
    except (ValueError, OSError, ImportError) as error:
        raise _unreadable(path, error) from None
    opened: Frame = nw.from_native(found).lazy()
    return opened


def _spelt(frame: Frame, name: str) -> str:
    names = frame.collect_schema().names()
    found = next((known for known in names if known.lower() == name.lower()), None)
    if found is None:
        raise DataError(name, "is missing, and joins two tables", did_you_mean(name, names))
    return found


def _unreadable(path: Path, error: Exception) -> InvalidArgument:
    if isinstance(error, InvalidArgument):
        return error
    if not path.is_file():
        return InvalidArgument("FILE", f"{str(path)!r} does not exist", "Check the path.")
    problem = f"{path.name} cannot be read as a table ({type(error).__name__})"
    return InvalidArgument("FILE", problem, "Give a table with a heading, in UTF-8.")
