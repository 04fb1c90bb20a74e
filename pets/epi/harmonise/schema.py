"""The form of a crosswalk file, as pydantic models. Importing this imports pydantic: do so inside functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from pets.config.sections import Section, validate
from pets.epi.harmonise.crosswalk import Source

_Unit = Literal["days", "months", "years"]


class TableSection(Section):
    """``[[tables]]``: where a model keeps records in several files."""

    file: str = Field(description="Its file in the folder, without a path.", pattern=r"^[^/\\]+$")
    key: str = Field("", description="Column of this table that equals the column `joins` of the first table.")
    joins: str = ""


class DatesSection(Section):
    """``[dates]``: how dates with separators are written."""

    order: Literal["ymd", "dmy", "mdy"] = "ymd"


class UnitsSection(Section):
    """``[units]``: of ages and times."""

    age: _Unit = "years"
    time: _Unit = "days"


class CrosswalkSection(Section):
    """A crosswalk file."""

    name: str
    iccc: Literal["IARC 2017", "WHO 2008"] = "IARC 2017"
    columns: dict[str, str | list[str]]
    values: dict[str, dict[str, str]] = Field(default_factory=dict)
    unknown: dict[str, list[str]] = Field(default_factory=dict)
    keep: dict[str, list[str]] = Field(default_factory=dict)
    tables: list[TableSection] = Field(default_factory=list)
    dates: DatesSection = Field(default_factory=DatesSection)
    units: UnitsSection = Field(default_factory=UnitsSection)


def crosswalk_arguments(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a :class:`~pets.epi.harmonise.Crosswalk` that plain data describe.

    Raises
    ------
    ConfigError
        The data do not have the form of a crosswalk; ``argument`` is the first offending key.
    """
    found = validate(CrosswalkSection, data)
    columns = {field: (names,) if isinstance(names, str) else tuple(names) for field, names in found.columns.items()}
    return {
        "name": found.name,
        "columns": columns,
        "values": found.values,
        "unknown": {field: frozenset(codes) for field, codes in found.unknown.items()},
        "keep": {column: frozenset(codes) for column, codes in found.keep.items()},
        "tables": tuple(Source(table.file, table.key, table.joins) for table in found.tables),
        "order": found.dates.order,
        "units": found.units.model_dump(),
        "iccc": found.iccc,
    }
