"""Records of any model, by its crosswalk."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pets.epi.harmonise.crosswalk import Crosswalk
from pets.epi.harmonise.frames import (
    Frame,
    Selection,
    csv_batches,
    engine_failures,
    frame_batches,
    joined,
    opened_frame,
)
from pets.epi.harmonise.table import Harmonised, assembled
from pets.errors import InvalidArgument


def harmonise(source: object, crosswalk: Crosswalk) -> Harmonised:
    """Return the records of a source as the analysis table.

    Parameters
    ----------
    source
        A ``.csv`` or ``.parquet`` file, or a data frame of any engine (pandas, Polars, PyArrow, DuckDB, Dask, PySpark),
        which is asked for the columns that the crosswalk names and no others. Where the crosswalk names several
        tables: their folder, or a mapping from their file names to such frames.
    crosswalk
        Which column and code means what.

    Raises
    ------
    InvalidArgument
        The source is no such thing, or cannot be read.
    DataError
        A column is missing that the analysis table cannot do without.
    """
    if not isinstance(crosswalk, Crosswalk):
        kind = type(crosswalk).__name__
        raise InvalidArgument("crosswalk", f"must be a Crosswalk, not {kind}", "See Crosswalk.from_file.")
    path = Path(source) if isinstance(source, str | os.PathLike) else None
    if not crosswalk.tables and path is not None and path.suffix.lower() != ".parquet":
        batches, selection = csv_batches(path, crosswalk, {})
        return assembled(batches, crosswalk, selection.notes())
    if not crosswalk.tables:
        frame = opened_frame(source)
    else:
        tables = [_table(source, path, table.file) for table in crosswalk.tables]
        with engine_failures():
            frame = joined(tables, crosswalk)
    with engine_failures():
        selection = Selection(crosswalk, frame.collect_schema().names())
    return assembled(frame_batches(frame, selection), crosswalk, selection.notes())


def _table(source: object, folder: Path | None, file: str) -> Frame:
    if isinstance(source, Mapping):
        if file not in source:
            raise InvalidArgument("source", f"lacks the table {file!r}", "Give a frame for each of its tables.")
        return opened_frame(source[file], f"source[{file!r}]")
    if folder is None or not folder.is_dir():
        raise InvalidArgument("source", "is no folder, and the crosswalk names several files", "Give their folder.")
    return opened_frame(folder / file)
