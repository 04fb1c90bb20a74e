"""Microdata files of tau-ARGUS: fixed positions or separated fields, described by a metadata file."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pets.disclosure.axes import Groups
from pets.disclosure.build import sheet_of_rows
from pets.disclosure.sheet import Sheet
from pets.disclosure.tau_argus.rda import Metadata, Role, Variable, read_rda
from pets.disclosure.tau_argus.text import read_lines, wrong_line
from pets.errors import InvalidArgument

NUMBERS: tuple[Role, ...] = (
    "response",
    "weight",
    "frequency",
    "largest",
    "cost",
    "shadow",
    "lower_protection",
    "upper_protection",
)
"""Roles of columns that hold numbers."""


@dataclass(frozen=True, eq=False, repr=False)
class Microdata:
    """Records with their metadata.

    Attributes
    ----------
    columns
        For each variable its values, shape (records,): numbers where its role says so, else text.
    metadata
        What the columns are.
    folder
        Where the hierarchy files are.
    """

    columns: dict[str, NDArray[np.generic]]
    metadata: Metadata
    folder: Path

    def __repr__(self) -> str:
        records = len(next(iter(self.columns.values())))
        return f"Microdata({records} records, {', '.join(self.columns)})"

    def sheet(self, by: list[str], value: str | None = None, *, keep: int = 4) -> Sheet:
        """Return the table of some categories, with hierarchies, weights, holdings and requests as declared.

        Parameters
        ----------
        by
            Categories of the table.
        value
            Response to add up; records are counted if it is left out.
        keep
            How many of the largest contributions are kept.
        """
        import pandas as pd

        variables = [self.metadata[name] for name in by]
        hierarchies: dict[str, Groups] = {
            v.name: v.dimension(self.columns[v.name].astype(np.str_).tolist(), self.folder) for v in variables
        }
        frame = pd.DataFrame(self.columns)
        request = self._only("request")
        if request is not None:
            asked = self.metadata[request].requests or ("1",)
            frame[request] = frame[request].isin(asked).astype(int)
        return sheet_of_rows(
            frame,
            [v.name for v in variables],
            hierarchies=hierarchies,
            value=None if value is None else self.metadata[value].name,
            weight=self._only("weight"),
            holding=self._only("holding"),
            request=request,
            keep=keep,
        )

    def _only(self, role: Role) -> str | None:
        found = self.metadata.with_role(role)
        return found[0].name if found else None


def read_microdata(path: str | Path, metadata: Metadata | str | Path, *, header: bool = False) -> Microdata:
    """Return the records of a microdata file.

    Parameters
    ----------
    path
        Data file: fixed positions, or fields between the separator that the metadata names.
    metadata
        What is in it, or the .rda file that says so.
    header
        Whether the first line has names of columns and is to be passed over.

    Raises
    ------
    InvalidArgument
        A file cannot be read, a record is too short or has too few fields, or a number is none; the message
        names the line, never what stands there.
    """
    found = metadata if isinstance(metadata, Metadata) else read_rda(metadata)
    folder = Path(path).parent if isinstance(metadata, Metadata) else Path(metadata).parent
    return Microdata(read_columns(path, found, header=header), found, folder)


def read_columns(path: str | Path, metadata: Metadata, *, header: bool = False) -> dict[str, NDArray[np.generic]]:
    """Return the columns of a data file: numbers where a column's role says so, else text without blanks around it."""
    kept: list[list[str]] = []
    numbers: list[int] = []
    for number, line in enumerate(read_lines(path), start=1):
        if not line.strip() or (header and number == 1):
            continue
        kept.append(_fields(path, number, line, metadata))
        numbers.append(number)
    if not kept:
        raise InvalidArgument("path", f"{path}: has no records")
    table = list(zip(*kept, strict=True))
    return {
        variable.name: _column(path, variable, table[i], numbers, metadata.separator)
        for i, variable in enumerate(metadata.variables)
    }


def _fields(path: str | Path, number: int, line: str, metadata: Metadata) -> list[str]:
    if metadata.separator:
        found = next(csv.reader([line], delimiter=metadata.separator, skipinitialspace=True))
        if len(found) != len(metadata.variables):
            raise wrong_line(path, number, f"must have {len(metadata.variables)} fields")
        return [part.strip() for part in found]
    ends = [variable.start - 1 + variable.width for variable in metadata.variables]
    if len(line) < max(ends) - metadata.variables[int(np.argmax(ends))].width + 1:
        raise wrong_line(path, number, "is too short for its variables")
    return [line[v.start - 1 : v.start - 1 + v.width].strip() for v in metadata.variables]


def _column(
    path: str | Path, variable: Variable, texts: tuple[str, ...], numbers: list[int], separator: str
) -> NDArray[np.generic]:
    if variable.role not in NUMBERS:
        return np.array(texts, dtype=np.str_)
    found = np.empty(len(texts))
    for i, text in enumerate(texts):
        try:
            found[i] = float(text if separator == "," else text.replace(",", "."))
        except ValueError:
            problem = f"has no number in the column {variable.name!r}"
            raise wrong_line(path, numbers[i], problem, "Write numbers with a point or a comma.") from None
    return found
