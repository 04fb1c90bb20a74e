"""Tables in files, as registries have them: CSV with whatever separator, or Parquet. The one place that reads them.

A CSV file is in UTF-8, with or without a byte-order mark. Its fields are separated by a comma, semicolon, tab or
bar, whichever is most frequent in the heading; before that may stand the line ``sep=;`` that spreadsheets write. Where
semicolons separate, numbers may have a decimal comma. All this follows from the heading, which is public, and never
from a row: every cell comes back as the text it is, so that 007 stays 007.

Each row is a line. A quotation mark that is not closed on its line would take the rows of other patients into a cell
of this one, up to the next quotation mark, without a word: so such a file is refused.
"""

from __future__ import annotations

import csv
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Self

from pets.errors import InvalidArgument

SEPARATORS = (",", ";", "\t", "|")

_DATE = re.compile(r"^(?:\d{4}-\d{1,2}-\d{1,2}(?:[T ].*)?|\d{1,2}[./-]\d{1,2}[./-]\d{2,4})$")
_NUMBER = re.compile(r"^[+-]?\d+(?:[.,]\d+)?$")
_DECIMAL_COMMA = r"^\s*([+-]?\d+),(\d+)\s*$"


@dataclass(frozen=True)
class Heading:
    """The first line of a CSV file.

    Parameters
    ----------
    names
        Of the columns, without blanks around them.
    separator
        What stands between two fields.
    skipped
        Lines before it.
    """

    names: tuple[str, ...]
    separator: str
    skipped: int = 0

    @classmethod
    def of(cls, path: Path, *, numbered: bool = False) -> Self:
        """Return the heading of a CSV file; no row is read.

        Parameters
        ----------
        path
            The file.
        numbered
            Whether columns may be called by numbers.

        Raises
        ------
        InvalidArgument
            The file cannot be read, has no heading, or names a column twice.
        """
        with _readable(path), path.open(newline="", encoding="utf-8-sig") as file:
            first, skipped = file.readline(), 0
            announced = re.fullmatch(r'"?sep=(.)"?', first.strip("\r\n"), re.IGNORECASE)
            if announced:
                first, skipped = file.readline(), 1
            separator = announced[1] if announced else max(SEPARATORS, key=first.count)
            names = tuple(name.strip() for name in next(csv.reader([first], delimiter=separator), []))
        if not numbered and any(map(looks_like_data, names)):
            raise no_heading()
        if len(set(names)) < len(names):
            raise InvalidArgument("FILE", f"{path.name} has a column name twice", "Give each a name of its own.")
        return cls(names, separator, skipped)

    def check_width(self, path: Path) -> None:
        """Refuse a file in which one row changes how others are read.

        That is a first row with more fields than the heading, by which a reader could shift all columns, and a
        quotation mark that is not closed on its line.

        Raises
        ------
        InvalidArgument
            There is one, or the file cannot be read.
        """
        with _readable(path), path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.reader(islice(file, self.skipped, None), delimiter=self.separator)
            next(rows, None)
            first, read = next(rows, []), rows.line_num
            if any(first[len(self.names) :]):
                raise too_wide(path)
            if read > 2 or any(rows.line_num != number for number, _ in enumerate(rows, start=read + 1)):
                raise open_quotation(path)


def read_names(path: Path) -> list[str]:
    """Return the columns of a CSV or Parquet file without its rows.

    Parameters
    ----------
    path
        The file.

    Raises
    ------
    InvalidArgument
        It cannot be read.
    """
    if not is_parquet(path):
        return list(Heading.of(path).names)
    from pyarrow.parquet import read_schema  # type: ignore[import-untyped,unused-ignore]

    with _readable(path):
        return list(read_schema(path).names)


def read_table(path: Path) -> Any:
    """Return a CSV file as a pandas frame of texts, or a Parquet file with the types that it has.

    Parameters
    ----------
    path
        The file. An empty field of a CSV file is a missing value, and nothing else is.

    Raises
    ------
    InvalidArgument
        It cannot be read, a line has more fields than the heading, or a text goes over several lines.
    """
    import pandas as pd

    frame: Any = None
    if is_parquet(path):
        with _readable(path):
            frame = _read_parquet(path)
        if not isinstance(frame.index, pd.RangeIndex) or frame.columns.duplicated().any():
            raise InvalidArgument("FILE", f"{path.name} has an index, or a column name twice", "Write it without.")
        return frame
    heading = Heading.of(path)
    with _readable(path), warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)  # fields would be lost
        try:
            frame = pd.read_csv(
                path, sep=heading.separator, skiprows=heading.skipped, header=0, index_col=False, dtype=str,
                keep_default_na=False, na_values=[""], encoding="utf-8-sig",
            )  # fmt: skip
        except (pd.errors.ParserError, pd.errors.ParserWarning) as error:
            if isinstance(error, pd.errors.ParserError) and "fields" not in str(error):
                raise  # such as a quotation mark that is never closed
    if frame is None or len(frame.columns) != len(heading.names):
        raise too_wide(path)
    with _readable(path):
        if len(frame) != _count_lines(path, heading):
            raise open_quotation(path)
    return frame.set_axis(list(heading.names), axis="columns")


def _read_parquet(path: Path) -> Any:
    """Return a Parquet file in which a missing value leaves whole numbers as they are.

    By itself pandas would turn the column to floats, in which numbers beyond 2**53 fall together: because one patient
    has no identifier, two others would be one.
    """
    import pandas as pd
    import pyarrow as pa  # type: ignore[import-untyped,unused-ignore]
    from pyarrow.parquet import read_table as read  # type: ignore[import-untyped,unused-ignore]

    table = read(path)
    frame = table.to_pandas()
    whole = {pa.int64(): pd.Int64Dtype(), pa.uint64(): pd.UInt64Dtype()}
    for name, column in zip(table.column_names, table.columns, strict=True):
        if column.type in whole and column.null_count and name in frame.columns:
            frame[name] = pd.Series(column.to_pandas(types_mapper=whole.get).array, index=frame.index)
    return frame


def _count_lines(path: Path, heading: Heading) -> int:
    """Return how many lines after the heading are not blank."""
    blank = "\r\n" + " \t".replace(heading.separator, "")
    with path.open(encoding="utf-8-sig") as file:
        return sum(bool(line.strip(blank)) for line in islice(file, heading.skipped + 1, None))


def numbers(column: Any, *, decimal_comma: bool = False) -> Any:
    """Return a column of texts as numbers, each cell by itself; what is no number is missing.

    Parameters
    ----------
    column
        A pandas series of texts.
    decimal_comma
        True reads 3,5 as 3.5.
    """
    import pandas as pd

    if decimal_comma:
        column = column.str.replace(_DECIMAL_COMMA, r"\1.\2", regex=True)
    return pd.to_numeric(column, errors="coerce")


def has_decimal_commas(path: Path) -> bool:
    """Return whether numbers in a file may have a decimal comma: where semicolons separate.

    Raises
    ------
    InvalidArgument
        The file cannot be read.
    """
    return not is_parquet(path) and Heading.of(path).separator == ";"


def is_parquet(path: Path) -> bool:
    """Return whether a file is a Parquet file by its name."""
    return path.suffix.lower() == ".parquet"


def looks_like_data(name: str) -> bool:
    """Return whether a heading is a number or a date."""
    return looks_like_date(name) or bool(_NUMBER.match(name.strip()))


def looks_like_date(name: str) -> bool:
    """Return whether a heading is a date."""
    return bool(_DATE.match(name.strip()))


def no_heading() -> InvalidArgument:
    """Return the error for a file without column names. It shows no field: the first line may be a patient."""
    return InvalidArgument(
        "FILE", "has no heading: the first line looks like data, not column names", "Put the column names on top."
    )


def too_wide(path: Path) -> InvalidArgument:
    """Return the error for a file with a line that has more fields than there are columns."""
    return InvalidArgument(
        "FILE", f"{path.name} has a line with more fields than the first one",
        "Put texts that hold the separator into quotation marks.",
    )  # fmt: skip


def open_quotation(path: Path) -> InvalidArgument:
    """Return the error for a file with a quotation mark that is not closed on its line."""
    return InvalidArgument(
        "FILE", f"{path.name} has a quotation mark that is not closed on its line, by which rows become one",
        "Close it, write it twice inside a text in quotation marks, or take line breaks out of texts.",
    )  # fmt: skip


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Turn what goes wrong with a file into an error of ours, which quotes none of its content.

    Raises
    ------
    InvalidArgument
        Something did.
    """
    try:
        yield
    except InvalidArgument:
        raise
    except FileNotFoundError:
        raise InvalidArgument("FILE", f"{str(path)!r} does not exist", "Check the path.") from None
    except UnicodeDecodeError:
        problem = f"{path.name} cannot be read as a table: it is not in UTF-8"
        raise InvalidArgument("FILE", problem, "Save it as CSV in UTF-8.") from None
    except (ValueError, OSError, ImportError, csv.Error) as error:
        problem = f"{path.name} cannot be read as a table ({type(error).__name__})"
        raise InvalidArgument("FILE", problem, "Give a .csv or .parquet file.") from None
