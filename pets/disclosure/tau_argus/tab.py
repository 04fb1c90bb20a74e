"""Tabular input files (.tab): one line a cell, with frequency, largest contributions, status and protection levels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pets.config import write_atomic
from pets.disclosure.axes import Groups
from pets.disclosure.build import sheet_of_cells
from pets.disclosure.dimension import TOTAL, Dimension
from pets.disclosure.rules import MinimumFrequency, Rule
from pets.disclosure.table import Table
from pets.disclosure.tau_argus.hrc import write_hrc
from pets.disclosure.tau_argus.microdata import read_columns
from pets.disclosure.tau_argus.rda import Metadata, Role, Variable, read_rda, write_rda
from pets.errors import InvalidArgument


def read_tab(
    path: str | Path, metadata: Metadata | str | Path, *rules: Rule, header: bool = False, response: str | None = None
) -> Table:
    """Return the table of a tabular input file.

    Parameters
    ----------
    path
        One line for each cell, margins included. Inner cells that have no line are empty.
    metadata
        What its columns are, or the .rda file that says so.
    rules
        What makes a cell sensitive. If none is given, the status column says so.
    header
        Whether the first line has names of columns and is to be passed over.
    response
        Column with the values; the first response if left out, the frequency if there is none.

    Raises
    ------
    InvalidArgument
        A file cannot be read, margins do not hold, a cell has two lines, or there are neither rules nor a
        status column.
    """
    import pandas as pd

    found = metadata if isinstance(metadata, Metadata) else read_rda(metadata)
    folder = Path(path).parent if isinstance(metadata, Metadata) else Path(metadata).parent
    columns = read_columns(path, found, header=header)
    categories = found.with_role("category")
    frequency = _only(found, "frequency")
    value = response or _only(found, "response") or frequency
    if value is None or not categories:
        raise InvalidArgument("metadata", "names no category, or neither a response nor a frequency")
    status = _only(found, "status")
    if not rules and status is None:
        raise InvalidArgument("rules", "are none, and there is no status column", "Give a rule.")
    hierarchies: dict[str, Groups] = {v.name: v.dimension(columns[v.name].tolist(), folder) for v in categories}
    values = columns[value].astype(np.float64)
    counts = frequency is None or bool(np.array_equal(values, columns[frequency].astype(np.float64)))
    sheet = sheet_of_cells(
        pd.DataFrame(columns),
        [v.name for v in categories],
        value,
        records=None if counts else frequency,
        largest=[v.name for v in found.with_role("largest")],
        hierarchies=hierarchies,
    )
    if rules:
        return sheet.table(*rules)
    place = _places(sheet.codes, [columns[v.name] for v in categories])
    return _with_status(sheet.table(MinimumFrequency(2)), columns, found, place, status or "")


def write_tab(
    table: Table, path: str | Path, hierarchies: Mapping[str, Dimension] | None = None, total: str = TOTAL
) -> None:
    """Write a table as .tab beside an .rda and, for each hierarchy, an .hrc file of the same name.

    The files hold every true value: they go to tau-ARGUS, never to the public. The format knows no sliding
    protection level: half of it is demanded on either side.

    Raises
    ------
    InvalidArgument
        The table has no codes, or a file cannot be written.
    """
    if not table.codes:
        raise InvalidArgument("table", "has no codes", "Read it with a file of codes.")
    file, groups = Path(path), dict(hierarchies or {})
    variables = []
    for name in table.dimensions:
        if name in groups:
            beside = file.with_name(f"{file.stem}_{name}.hrc")
            write_hrc(groups[name], beside)
            variables.append(Variable(name, "category", total=groups[name].total, hierarchy_file=beside.name))
        else:
            variables.append(Variable(name, "category", total=total))
    decimals = 0 if table.integral else 9
    roles: list[tuple[str, Role]] = [("Value", "response"), ("Cost", "cost"), ("Status", "status")]
    roles += [] if table.contributors is None else [("Freq", "frequency")]
    roles += [("LowerPL", "lower_protection"), ("UpperPL", "upper_protection")]
    variables += [Variable(name, role, decimals=decimals if role == "response" else 0) for name, role in roles]
    write_rda(Metadata(tuple(variables), separator=";"), file.with_suffix(".rda"))
    fields = _written(table)
    lines = [
        ";".join([*(f'"{codes[cell]}"' for codes in table.codes), *(fields[name][cell] for name, _ in roles)])
        for cell in range(table.cells)
    ]
    write_atomic(file, "\n".join(lines) + "\n")


def _written(table: Table) -> dict[str, list[str]]:
    status = np.select([table.primary, table.frozen], ["U", "P"], "S")
    count = np.zeros(table.cells) if table.contributors is None else table.contributors.astype(np.float64)
    numbers = {"Value": table.values, "Cost": table.cost, "Freq": count}
    half = table.sliding_protection / 2.0
    numbers |= {"LowerPL": np.maximum(table.lower_protection, half)}
    numbers |= {"UpperPL": np.maximum(table.upper_protection, half)}
    return {"Status": status.tolist()} | {name: [_plain(n) for n in column] for name, column in numbers.items()}


def _with_status(
    table: Table, columns: Mapping[str, NDArray[np.generic]], found: Metadata, place: NDArray[np.int64], name: str
) -> Table:
    """Return the table with the file's own statuses, costs and levels instead of a rule's."""
    status = np.full(table.cells, "", dtype="U16")
    status[place] = columns[name].astype(np.str_)
    known = (found.shown, found.unsafe, found.protected, "E", "Z", "M", "")
    if not np.isin(status, known).all():
        raise InvalidArgument("metadata", f"does not explain some status in the column {name!r}")
    primary = status == found.unsafe
    empty = (table.values == 0) & ~primary
    changes: dict[str, object] = {
        "primary": primary,
        "frozen": (status == found.protected) | empty,
        "forced": (status == "M") & ~empty,
        "primary_range": None,
        "sliding_protection": np.zeros(table.cells),
    }
    for role, field in (("cost", "cost"), ("lower_protection",) * 2, ("upper_protection",) * 2):
        column = _only(found, role)  # type: ignore[arg-type]
        if column is not None:
            entered = np.zeros(table.cells)
            entered[place] = columns[column]
            changes[field] = entered if field == "cost" else np.where(primary, entered, 0.0)
    if "lower_protection" not in changes and "upper_protection" not in changes:
        changes["sliding_protection"] = None
    return replace(table, **changes)  # type: ignore[arg-type]


def _places(codes: tuple[NDArray[np.str_], ...], given: list[NDArray[np.generic]]) -> NDArray[np.int64]:
    where = {key: i for i, key in enumerate(zip(*(column.tolist() for column in codes), strict=True))}
    return np.array([where[key] for key in zip(*(column.tolist() for column in given), strict=True)], dtype=np.int64)


def _only(metadata: Metadata, role: Role) -> str | None:
    found = metadata.with_role(role)
    return found[0].name if found else None


def _plain(number: float) -> str:
    value = float(number)
    return str(int(value)) if value.is_integer() else repr(value)
