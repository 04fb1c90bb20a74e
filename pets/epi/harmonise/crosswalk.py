"""Crosswalks: files that say which column and code of a registry's records means what in the analysis table."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import Any, Final, Self

from pets.config import as_plain, parse_toml, read_file
from pets.config.paths import hint
from pets.epi.harmonise.dates import Order
from pets.epi.harmonise.toronto import TIERS
from pets.epi.iccc import Version, iccc3
from pets.errors import ConfigError, InvalidArgument

FIELDS: Final = (
    "patient", "topography", "morphology", "behaviour", "diagnosis", "sex", "birth_date", "diagnosis_date",
    "last_contact_date", "death_date", "vital_status", "age", "year", "region", "stage", "stage_schema", "time",
)  # fmt: skip
"""What records can say. The analysis table is made of these."""

SEXES: Final = ("female", "male", "other")
STATUSES: Final = ("alive", "dead")
SHIPPED: Final = ("naaccr", "osiris", "pcornet")
UNITS: Final = {"days": 1.0, "months": 365.25 / 12, "years": 365.25}
"""Units of ages and times, in days."""


@dataclass(frozen=True)
class Source:
    """One table of a model that keeps records in several.

    Attributes
    ----------
    file
        Its file in the folder.
    key, joins
        The column of this table that equals the column `joins` of the first table; empty for the first table.
    """

    file: str
    key: str = ""
    joins: str = ""


@dataclass(frozen=True)
class Crosswalk:
    """Which column and code means what; made by :meth:`from_file` or :meth:`shipped`.

    Attributes
    ----------
    name
        For people.
    columns
        One of :data:`FIELDS` to the columns of the source; of several, the first that has a value counts.
    values
        Field to what its codes mean.
    unknown
        Field to the codes by which the source says that it does not know.
    keep
        Column of the source to the values that a record must have; others are left out, and counted.
    tables
        Where records are spread over several tables, which; the first has a row for each tumour.
    order
        In which order dates with separators are written.
    units
        Of ``age`` and ``time``: ``'days'``, ``'months'`` or ``'years'``.
    iccc
        Version of ICCC-3.
    """

    name: str
    columns: Mapping[str, tuple[str, ...]]
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    unknown: Mapping[str, frozenset[str]] = field(default_factory=dict)
    keep: Mapping[str, frozenset[str]] = field(default_factory=dict)
    tables: tuple[Source, ...] = ()
    order: Order = "ymd"
    units: Mapping[str, str] = field(default_factory=lambda: {"age": "years", "time": "days"})
    iccc: Version = "IARC 2017"

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Self:
        """Return the crosswalk in a ``.toml`` or ``.json`` file.

        Raises
        ------
        ConfigError
            The file cannot be read, or a key is unknown or wrong; ``argument`` is its dotted path.
        """
        return cls.from_dict(read_file(path))

    @classmethod
    def shipped(cls, name: str) -> Self:
        """Return a crosswalk that comes with `pets`: ``'naaccr'``, ``'osiris'`` or ``'pcornet'``.

        Raises
        ------
        InvalidArgument
            There is none of this name.
        """
        if name not in SHIPPED:
            raise InvalidArgument("name", f"{name!r} is not shipped", hint(name, SHIPPED))
        return cls.from_dict(parse_toml(shipped_text(name)))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the crosswalk that plain data describe.

        Raises
        ------
        ConfigError
            A key is unknown or wrong; ``argument`` is its dotted path.
        """
        from pets.epi.harmonise.schema import crosswalk_arguments

        found = cls(**crosswalk_arguments(as_plain(data)))
        _check(found)
        return found

    @property
    def needed(self) -> tuple[str, ...]:
        """Every column of the source that is read."""
        columns = [column for names in self.columns.values() for column in names]
        joins = [table.joins for table in self.tables if table.joins]
        return tuple(dict.fromkeys([*columns, *self.keep, *joins]))


def shipped_text(name: str) -> str:
    """Return the TOML of a crosswalk that comes with `pets`, to be changed and kept as a file."""
    return (files("pets.epi.harmonise") / "crosswalks" / f"{name}.toml").read_text(encoding="utf-8")


def _check(made: Crosswalk) -> None:
    """Refuse what no records could satisfy, or no table could hold."""
    _check_columns(made.columns)
    for section in ("values", "unknown"):
        for name in getattr(made, section):
            if name not in made.columns:
                raise ConfigError(f"{section}.{name}", "has no column", f"Name one in columns.{name}.")
    _check_values(made.values)
    if made.tables and (made.tables[0].key or any(not table.key or not table.joins for table in made.tables[1:])):
        raise ConfigError("tables", "are not joined", "The first has a row for each tumour; others need key and joins.")


def _check_columns(columns: Mapping[str, tuple[str, ...]]) -> None:
    for name in columns:
        if name not in FIELDS:
            raise ConfigError(f"columns.{name}", "is no field of the analysis table", hint(name, FIELDS))
    if "patient" not in columns:
        raise ConfigError("columns.patient", "is missing", "Name the column that identifies a patient.")
    if not {"topography", "morphology"} <= columns.keys() and "diagnosis" not in columns:
        raise ConfigError("columns", "name no diagnosis", "Give topography and morphology, or diagnosis (ICCC-3).")
    if not {"diagnosis_date", "year"} & columns.keys():
        raise ConfigError("columns", "name no time of diagnosis", "Give diagnosis_date or year.")


def _check_values(values: Mapping[str, Mapping[str, str]]) -> None:
    groups = iccc3()
    allowed = {
        "sex": SEXES,
        "vital_status": STATUSES,
        "stage": TIERS,
        "diagnosis": (*groups.subgroups, *groups.groups),
    }
    for name, meanings in values.items():
        if name not in allowed and name != "region":
            raise ConfigError(f"values.{name}", "cannot be given", hint(name, (*allowed, "region")))
        for code, meaning in meanings.items():
            if name in allowed and meaning not in allowed[name]:
                raise ConfigError(f"values.{name}.{code}", f"cannot mean {meaning!r}", hint(meaning, allowed[name]))
