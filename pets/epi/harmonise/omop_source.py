"""Where the tables of an OMOP common data model are: a folder, DuckDB, a database server, or data frames."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import narwhals.stable.v2 as nw

from pets.epi.harmonise.frames import Frame, opened_frame, same_engine
from pets.epi.harmonise.texts import as_text, as_texts
from pets.errors import DataError, InvalidArgument, MissingExtra

COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "person": (
        "person_id", "gender_concept_id", "year_of_birth", "month_of_birth", "day_of_birth", "location_id",
    ),
    "condition_occurrence": (
        "condition_occurrence_id", "person_id", "condition_concept_id", "condition_source_concept_id",
        "condition_source_value", "condition_start_date",
    ),
    "death": ("person_id", "death_date"),
    "observation_period": ("person_id", "observation_period_end_date"),
    "location": ("location_id", "state"),
    "concept": ("concept_id", "vocabulary_id", "concept_code"),
    "measurement": ("person_id", "measurement_concept_id", "measurement_event_id"),
    "episode": ("episode_id", "person_id", "episode_concept_id", "episode_start_date"),
    "episode_event": ("episode_id", "event_id", "episode_event_field_concept_id"),
}  # fmt: skip
"""Tables and columns that are read. Every one but the first two may be missing."""

REQUIRED: Final = ("person", "condition_occurrence")
CODES: Final = COLUMNS["condition_occurrence"][2:5]
"""The three columns that say which condition it is."""

_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)?", re.ASCII)
_DIGITS = re.compile(r"\d{1,18}", re.ASCII)
_HARMLESS = re.compile(r"[\w .:/+-]*", re.ASCII)
_STEP: Final = 500


class Tables(Protocol):
    """The tables of one common data model."""

    def codes(self) -> list[tuple[str, str, str, int]]:
        """Return each triple of codes of conditions, as texts, with the number of its rows."""

    def concepts(self, identifiers: Collection[str]) -> dict[str, str]:
        """Return the ICD-O-3 code of those concepts that have one."""

    def tumours(
        self, codes: Sequence[tuple[str, str, str]], stages: Collection[str], episodes: Collection[str]
    ) -> dict[str, Frame]:
        """Return the tables, with the conditions of some codes, and the measurements and episodes of some concepts."""


@dataclass(frozen=True)
class FrameTables:
    """Tables that a data frame engine reads lazily.

    Parameters
    ----------
    frames
        Table name in small letters to frame.
    """

    frames: Mapping[str, Frame]

    def codes(self) -> list[tuple[str, str, str, int]]:
        """Return each triple of codes of conditions, as texts, with the number of its rows."""
        grouped = self.frames["condition_occurrence"].group_by(list(CODES)).agg(nw.len().alias("rows")).collect()
        columns = [as_texts(grouped[name].to_list()) for name in CODES]
        return list(zip(*columns, map(int, grouped["rows"].to_list()), strict=True))

    def concepts(self, identifiers: Collection[str]) -> dict[str, str]:
        """Return the ICD-O-3 code of those concepts that have one."""
        if "concept" not in self.frames:
            return {}
        frame = self.frames["concept"].filter(nw.col("vocabulary_id") == "ICDO3")
        found = _among(frame, "concept_id", identifiers).select("concept_id", "concept_code").collect()
        return dict(
            zip(as_texts(found["concept_id"].to_list()), as_texts(found["concept_code"].to_list()), strict=True)
        )

    def tumours(
        self, codes: Sequence[tuple[str, str, str]], stages: Collection[str], episodes: Collection[str]
    ) -> dict[str, Frame]:
        """Return the tables, with the conditions of some codes, and the measurements and episodes of some concepts."""
        found = dict(self.frames)
        conditions = found["condition_occurrence"]
        for place, name in enumerate(CODES):  # wider than the triples, which are looked at afterwards
            conditions = _among(conditions, name, {code[place] for code in codes}, nulls=True)
        found["condition_occurrence"] = conditions
        if "measurement" in found:
            found["measurement"] = _among(found["measurement"], "measurement_concept_id", stages)
        if "episode" in found:
            found["episode"] = _among(found["episode"], "episode_concept_id", episodes)
        return found


@dataclass(frozen=True)
class DatabaseTables:
    """Tables in a database server such as PostgreSQL, which is sent SQL and answers with the rows that are needed.

    Parameters
    ----------
    connection
        A connection by the Python database interface (PEP 249): psycopg, ADBC, pg8000 and others.
    schema
        Schema of the tables; empty for the server's default.
    """

    connection: Any
    schema: str = ""

    def codes(self) -> list[tuple[str, str, str, int]]:
        """Return each triple of codes of conditions, as texts, with the number of its rows."""
        listed = ", ".join(CODES)
        rows = self._rows(f"select {listed}, count(*) from {self._table('condition_occurrence')} group by {listed}")  # noqa: S608 names are ours
        columns = list(zip(*rows, strict=True)) or [(), (), (), ()]
        return list(zip(*(as_texts(column) for column in columns[:3]), map(int, columns[3]), strict=True))

    def concepts(self, identifiers: Collection[str]) -> dict[str, str]:
        """Return the ICD-O-3 code of those concepts that have one."""
        if not self._has("concept"):
            return {}
        where = f"vocabulary_id = 'ICDO3' and {_in('concept_id', identifiers)}"
        rows = self._rows(f"select concept_id, concept_code from {self._table('concept')} where {where}")  # noqa: S608
        return {as_text(identifier): as_text(code) for identifier, code in rows}

    def tumours(
        self, codes: Sequence[tuple[str, str, str]], stages: Collection[str], episodes: Collection[str]
    ) -> dict[str, Frame]:
        """Return the tables, with the conditions of some codes, and the measurements and episodes of some concepts."""
        where = " and ".join(_in(name, {code[place] for code in codes}, nulls=True) for place, name in enumerate(CODES))
        inside = f"select person_id from {self._table('condition_occurrence')} where {where}"  # noqa: S608
        persons = f"person_id in ({inside})"
        chosen = f"{_in('episode_concept_id', episodes)} and {persons}"
        restrictions = {
            "condition_occurrence": where,
            "measurement": f"{_in('measurement_concept_id', stages)} and {persons}",
            "location": "1 = 1",
            "episode": chosen,
            "episode_event": f"episode_id in (select episode_id from {self._table('episode')} where {chosen})",  # noqa: S608
        }
        found: dict[str, Frame] = {}
        for name, columns in COLUMNS.items():
            if name == "episode_event" and "episode" not in found:
                continue
            if name != "concept" and (name in REQUIRED or self._has(name)):
                condition = restrictions.get(name, persons)
                rows = self._rows(f"select {', '.join(columns)} from {self._table(name)} where {condition}")  # noqa: S608
                found[name] = _frame(rows, columns)
        return found

    def _table(self, name: str) -> str:
        return f"{self.schema}.{name}" if self.schema else name

    def _has(self, name: str) -> bool:
        """Return whether there is a table, without spoiling a transaction that its owner has begun."""
        saved = self._succeeds("savepoint pets_look")
        found = self._succeeds(f"select {', '.join(COLUMNS[name])} from {self._table(name)} where 1 = 0")  # noqa: S608
        if saved and not found:
            self._succeeds("rollback to savepoint pets_look")
        return found

    def _succeeds(self, sql: str) -> bool:
        cursor = self.connection.cursor()
        try:
            cursor.execute(sql)
        except Exception:  # noqa: BLE001 drivers have no common base class of errors
            return False
        finally:
            cursor.close()
        return True

    def _rows(self, sql: str) -> list[tuple[Any, ...]]:
        cursor = self.connection.cursor()
        try:
            cursor.execute(sql)
            return [tuple(row) for row in cursor.fetchall()]
        except Exception as error:  # noqa: BLE001 drivers have no common base class of errors
            failure = type(error).__name__
        finally:
            cursor.close()
        raise InvalidArgument("source", f"the database refused a query: {failure}", "Check schema and permissions.")


def open_omop(source: object, schema: str = "") -> Tables:
    """Return the tables of a common data model.

    Parameters
    ----------
    source
        A folder of ``.csv`` or ``.parquet`` files, a ``.duckdb`` file, a DuckDB connection, a connection by the Python
        database interface, or a mapping from table names to data frames.
    schema
        Schema of the tables in a database.

    Raises
    ------
    InvalidArgument
        The source is none of these, or lacks a table.
    DataError
        A table lacks a column.
    """
    if schema and not _NAME.fullmatch(schema):
        raise InvalidArgument("schema", "is no name of a schema", "Use letters, digits and _; or catalog.schema.")
    if isinstance(source, Mapping):
        return _framed({str(name).lower(): opened_frame(frame, f"source[{name!r}]") for name, frame in source.items()})
    if isinstance(source, str | os.PathLike):
        return _framed(_of_path(Path(source), schema))
    if type(source).__module__.split(".")[0] in ("duckdb", "_duckdb"):
        return _framed(_of_duckdb(source, schema))
    if callable(getattr(source, "cursor", None)):
        return DatabaseTables(source, schema)
    kind = type(source).__name__
    raise InvalidArgument("source", f"is a {kind}", "Give a folder, a .duckdb file, a connection or data frames.")


def _framed(frames: Mapping[str, Frame]) -> FrameTables:
    same_engine(frames.values())
    found = {}
    for name, columns in COLUMNS.items():
        if name not in frames:
            if name in REQUIRED:
                raise InvalidArgument("source", f"has no table {name.upper()}", "Give the tables of OMOP CDM 5.4.")
            continue
        spelt = {known.lower(): known for known in frames[name].collect_schema().names()}
        absent = [column for column in columns if column not in spelt]
        if absent and name in REQUIRED and absent != ["location_id"]:
            raise DataError(absent[0], f"is missing in {name.upper()}", "Give the tables of OMOP CDM 5.4.")
        if absent and name not in REQUIRED:
            continue
        found[name] = frames[name].select(
            *(nw.col(spelt[column]).alias(column) for column in columns if column in spelt)
        )
    return FrameTables(found)


def _of_path(path: Path, schema: str) -> dict[str, Frame]:
    if path.is_dir():
        files = {
            file.stem.lower(): file for file in sorted(path.iterdir()) if file.suffix.lower() in (".csv", ".parquet")
        }
        return {name: _opened(files[name]) for name in COLUMNS if name in files}
    if not path.is_file():
        raise InvalidArgument("source", f"{str(path)!r} does not exist", "Check the path.")
    try:
        import duckdb
    except ImportError:
        raise MissingExtra("duckdb", "duckdb") from None
    try:
        return _of_duckdb(duckdb.connect(str(path), read_only=True), schema)
    except duckdb.Error as error:
        problem = f"{path.name} cannot be opened by DuckDB ({type(error).__name__})"
        raise InvalidArgument("source", problem, "Give a folder of tables or a .duckdb file.") from None


def _of_duckdb(connection: Any, schema: str) -> dict[str, Frame]:
    import duckdb

    prefix = f"{schema}." if schema else ""
    found = {}
    for name in COLUMNS:
        try:
            found[name] = nw.from_native(connection.table(f"{prefix}{name}")).lazy()
        except duckdb.CatalogException:
            continue
        except duckdb.Error as error:
            problem = f"DuckDB refused the table {name.upper()}: {type(error).__name__}"
            raise InvalidArgument("source", problem, "Check schema and permissions.") from None
    return found


def _opened(file: Path) -> Frame:
    """Return a file as a lazy frame: of DuckDB, which need not hold it in memory, or of pandas."""
    try:
        import duckdb
    except ImportError:
        return opened_frame(file)
    if file.suffix.lower() == ".parquet":
        return nw.from_native(duckdb.read_parquet(str(file))).lazy()
    return nw.from_native(duckdb.read_csv(str(file), all_varchar=True, header=True)).lazy()


def _among(frame: Frame, name: str, values: Collection[str], *, nulls: bool = False) -> Frame:
    """Return the rows whose column, as text, is one of `values`; the empty one stands for null."""
    wanted: list[Any] = sorted(value for value in values if value)
    column = nw.col(name)
    if frame.collect_schema()[name].is_numeric():
        wanted = [int(value) for value in wanted if value.isdecimal()]
    condition = column.is_in(wanted) if wanted else column.is_null() & ~column.is_null()
    return frame.filter(condition | column.is_null()) if nulls and "" in values else frame.filter(condition)


def _in(name: str, values: Collection[str], *, nulls: bool = False) -> str:
    """Return a condition of SQL that holds for the rows whose column is among `values`, and perhaps for more.

    Concepts are numbers. A source value that is not made of harmless characters is not written into SQL: the condition
    then leaves the column unrestricted, and the rows that are too many are found out later.
    """
    wanted = sorted(value for value in values if value)
    if name.endswith("_id"):
        texts = [str(int(value)) for value in wanted if _DIGITS.fullmatch(value)]
    elif all(map(_HARMLESS.fullmatch, wanted)):
        texts = [f"'{value}'" for value in wanted]
    else:
        return "(1 = 1)"
    parts = [f"{name} in ({', '.join(texts[i : i + _STEP])})" for i in range(0, len(texts), _STEP)]
    if nulls and "" in values:
        parts.append(f"{name} is null")
    return f"({' or '.join(parts)})" if parts else "(1 = 0)"


def _frame(rows: Sequence[tuple[Any, ...]], columns: Sequence[str]) -> Frame:
    import pandas as pd

    return nw.from_native(pd.DataFrame(list(rows), columns=list(columns), dtype=object)).lazy()
