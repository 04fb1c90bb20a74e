"""The rows of a site from a file, read cell by cell as its domain declares them, and never as the rows suggest.

A reader that guesses a column's type from all of its values makes each cell depend on every other one: among whole
numbers one stray text turns the column to text, the 1 of all others into "1", and what was read as 7 into "007". Then
one patient more or less moves a whole table, and noise for one patient hides nothing. So no type is guessed.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any, cast

from pets.domain import Categorical, Date, Domain
from pets.domain.base import BaseAttribute
from pets.errors import ConfigError, DataError

_BOOLEANS = {"True": True, "TRUE": True, "true": True, "False": False, "FALSE": False, "false": False}


def read_rows(path: Path, domain: Domain) -> Any:
    """Return a Parquet or CSV file as a pandas frame.

    Parameters
    ----------
    path
        The file. A CSV file is in UTF-8, with commas; an empty field is a missing value, and nothing else is.
    domain
        Says which columns hold whole numbers, booleans or other numbers. All others are text.

    Raises
    ------
    ConfigError
        It cannot be read.
    """
    import pandas as pd

    try:
        if path.suffix == ".parquet":
            return pd.read_parquet(path)
        options: dict[str, Any] = {"dtype": str, "keep_default_na": False, "na_values": [""], "encoding": "utf-8-sig"}
        frame = pd.read_csv(path, index_col=False, **options)
    except (ValueError, OSError, ImportError) as error:
        raise _unreadable(error) from None
    return as_declared(frame, domain)


def as_declared(frame: Any, domain: Domain) -> Any:
    """Return a pandas frame of texts with numbers and booleans in the columns that are declared so.

    Parameters
    ----------
    frame
        Every cell a text or missing.
    domain
        What is declared. Columns that it does not know stay texts, the identifier of the privacy unit too.
    """
    converted = {name: _converted(frame[name], domain[name]) for name in frame.columns if name in domain}
    return frame.assign(**converted)


def read_names(path: Path) -> list[str]:
    """Return the columns of a file without its rows: most messages need none, and each may start a process.

    Raises
    ------
    ConfigError
        It cannot be read.
    """
    try:
        if path.suffix == ".parquet":
            from pyarrow.parquet import read_schema  # type: ignore[import-untyped,unused-ignore]

            return list(read_schema(path).names)
        with path.open(newline="", encoding="utf-8-sig") as file:
            return next(csv.reader(file), [])
    except (ValueError, OSError, ImportError, csv.Error) as error:
        raise _unreadable(error) from None


def check_types(frame: object, domain: Domain) -> list[str]:
    """Return the columns of a frame that a platform has read, after checking that their types are the declared ones.

    Parameters
    ----------
    frame
        The rows.
    domain
        What is declared.

    Raises
    ------
    DataError
        A column of declared texts holds numbers, or one of declared numbers holds texts: a reader has guessed.
    """
    import narwhals.stable.v2 as nw

    schema = cast("Any", nw.from_native(cast("Any", frame))).collect_schema()
    for name, dtype in schema.items():
        wanted = _kind(domain[name]) if name in domain else ""
        number, mixed, text = dtype.is_numeric() or dtype == nw.Boolean, dtype == nw.Object, dtype == nw.String
        if {"text": number or mixed, "number": mixed or text, "boolean": text}.get(wanted, False):
            raise DataError(
                name, f"is read as {dtype}, and the domain declares {wanted}s",
                "Give a typed source such as Parquet: types that are guessed from the rows depend on every row.",
            )  # fmt: skip
    return list(schema.names())


def _converted(column: Any, attribute: BaseAttribute) -> Any:
    import pandas as pd

    kind = _kind(attribute)
    if kind == "number":
        return pd.to_numeric(column, errors="coerce").astype("float64")
    return column.map(_BOOLEANS).astype(object) if kind == "boolean" else column


def _kind(attribute: BaseAttribute) -> str:
    """Return what the cells of a column are by declaration; dates are read from texts and from dates alike."""
    if isinstance(attribute, Categorical):
        return "number" if attribute.kind == "integer" else attribute.kind
    return "date" if isinstance(attribute, Date) else "number"


def _unreadable(error: Exception) -> ConfigError:
    return ConfigError("data", f"cannot be read as a table ({type(error).__name__})", "Check the path.")
