"""The rows of a site from a file, read cell by cell as its domain declares them, and never as the rows suggest.

A reader that guesses a column's type from all of its values makes each cell depend on every other one: among whole
numbers one stray text turns the column to text, the 1 of all others into "1", and what was read as 7 into "007". Then
one patient more or less moves a whole table, and noise for one patient hides nothing. So no type is guessed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from pets.domain import Categorical, Date, Domain
from pets.domain.base import BaseAttribute
from pets.errors import DataError
from pets.table_file import has_decimal_commas, is_parquet, numbers, read_table

_BOOLEANS = {"True": True, "TRUE": True, "true": True, "False": False, "FALSE": False, "false": False}


def read_rows(path: Path, domain: Domain) -> Any:
    """Return a Parquet or CSV file as a pandas frame.

    Parameters
    ----------
    path
        The file; see :mod:`pets.table_file`. Types of a Parquet file are its own.
    domain
        Says which columns hold whole numbers, booleans or other numbers. All others are text.

    Raises
    ------
    InvalidArgument
        It cannot be read.
    """
    frame = read_table(path)
    return frame if is_parquet(path) else as_declared(frame, domain, decimal_comma=has_decimal_commas(path))


def as_declared(frame: Any, domain: Domain, *, decimal_comma: bool = False) -> Any:
    """Return a pandas frame of texts with numbers and booleans in the columns that are declared so.

    Parameters
    ----------
    frame
        Every cell a text or missing.
    domain
        What is declared. Columns that it does not know stay texts, the identifier of the privacy unit too.
    decimal_comma
        True reads 3,5 as a number.
    """
    known = [name for name in frame.columns if name in domain]
    return frame.assign(**{name: _converted(frame[name], domain[name], decimal_comma) for name in known})


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


def _converted(column: Any, attribute: BaseAttribute, decimal_comma: bool) -> Any:
    kind = _kind(attribute)
    if kind == "number":
        return numbers(column, decimal_comma=decimal_comma).astype("float64")
    return column.map(_BOOLEANS).astype(object) if kind == "boolean" else column


def _kind(attribute: BaseAttribute) -> str:
    """Return what the cells of a column are by declaration; dates are read from texts and from dates alike."""
    if isinstance(attribute, Categorical):
        return "number" if attribute.kind == "integer" else attribute.kind
    return "date" if isinstance(attribute, Date) else "number"
