"""OMOP tables: the same answer from every place where they can be."""

from __future__ import annotations

import csv
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pytest

from pets.epi.harmonise import harmonise_omop
from pets.errors import ConfigError, DataError, InvalidArgument
from tests.epi.harmonise.oncology import EXPECTED, LIST, ONCOLOGY, STAGES, SYNTHEA, listed

CONCEPTS = "source_value,topography,morphology\n65363002,C22.0,8970/3\n195662009,C71.7,9470/3\n"


def folder(tmp_path: Path) -> Path:
    for name, frame in ONCOLOGY.items():
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
    return tmp_path


def parquet(tmp_path: Path) -> Path:
    for name, frame in ONCOLOGY.items():
        frame.to_parquet(tmp_path / f"{name.lower()}.parquet", index=False)
    return tmp_path


def duckdb_file(tmp_path: Path) -> Path:
    path = tmp_path / "cdm.duckdb"
    with duckdb.connect(str(path)) as connection:
        duckdb_tables(connection, "main")
    return path


def duckdb_tables(connection: Any, schema: str) -> None:
    for name, frame in ONCOLOGY.items():
        connection.register("arriving", frame)
        dated = [column for column in frame.columns if column.endswith("_date")]
        casts = ", ".join(f"cast({column} as date) as {column}" for column in dated)
        replaced = f"replace ({casts})" if dated else ""
        connection.execute(f"create table {schema}.{name} as select * {replaced} from arriving")


def duckdb_schema(tmp_path: Path) -> Any:
    connection = duckdb.connect()
    connection.execute("create schema cdm")
    duckdb_tables(connection, "cdm")
    return connection


def sqlite(tmp_path: Path) -> Any:
    """A connection by PEP 249, of the standard library."""
    connection = sqlite3.connect(tmp_path / "cdm.sqlite")
    for name, frame in ONCOLOGY.items():
        frame.to_sql(name.lower(), connection, index=False)
    return connection


def duckdb_attached(tmp_path: Path) -> Any:
    """Another database attached to a connection, as its extension for PostgreSQL does."""
    connection = duckdb.connect()
    connection.execute(f"attach '{duckdb_file(tmp_path)}' as far (read_only)")
    return connection


PLACES: dict[str, Callable[[Path], Any]] = {
    "pandas": lambda _: ONCOLOGY,
    "polars": lambda _: {name: pl.from_pandas(frame) for name, frame in ONCOLOGY.items()},
    "polars lazy": lambda _: {name.lower(): pl.from_pandas(frame).lazy() for name, frame in ONCOLOGY.items()},
    "pyarrow": lambda _: {name: pl.from_pandas(frame).to_arrow() for name, frame in ONCOLOGY.items()},
    "folder of csv": folder,
    "folder of parquet": parquet,
    "duckdb file": duckdb_file,
    "duckdb schema": duckdb_schema,
    "duckdb attached": duckdb_attached,
    "database": sqlite,
}


@pytest.fixture
def lists(tmp_path: Path) -> dict[str, Path]:
    inside = tmp_path / "lists"
    inside.mkdir()
    (inside / "concepts.csv").write_text(LIST)
    (inside / "stages.csv").write_text(STAGES)
    return {"concepts": inside / "concepts.csv", "stages": inside / "stages.csv"}


@pytest.mark.parametrize("place", PLACES)
def test_every_place(place: str, tmp_path: Path, lists: dict[str, Path]):
    schema = {"duckdb schema": "cdm", "duckdb attached": "far.main"}.get(place, "")
    found = harmonise_omop(PLACES[place](tmp_path), **lists, schema=schema)
    assert listed(found.frame) == EXPECTED
    assert [(item.column, item.code, item.rows) for item in found.report.unmapped] == [
        ("condition", "372328 65363002", 2), ("condition", "44500002 x", 1)
    ]  # fmt: skip
    notes = found.report.notes
    assert notes["further conditions of a tumour, which are no further tumours"] == 2
    assert notes["follow-up ends before diagnosis: taken as unknown"] == 1
    assert notes["birth_date known in part: the middle of the days possible is taken"] == 2


def slow(concepts: dict[str, tuple[str, str]]) -> dict[tuple[str, str], list[Any]]:
    """The Synthea tumours, by loops over the rows."""

    def rows(name: str) -> Iterator[dict[str, str]]:
        with (SYNTHEA / f"{name}.csv").open(newline="") as file:
            yield from csv.DictReader(file)

    first: dict[tuple[str, str], str] = {}
    for row in rows("CONDITION_OCCURRENCE"):
        if row["condition_source_value"] in concepts:
            key = (row["person_id"], row["condition_source_value"])
            first[key] = min(first.get(key, "9"), row["condition_start_date"])
    dead = {row["person_id"]: row["death_date"] for row in rows("DEATH")}
    last = {row["person_id"]: row["observation_period_end_date"] for row in rows("OBSERVATION_PERIOD")}
    persons = {row["person_id"]: row for row in rows("PERSON")}
    found = {}
    for (person, value), began in first.items():
        born = persons[person]
        birthday = (int(born["month_of_birth"]), int(born["day_of_birth"]))
        then = pd.Timestamp(began)
        age = then.year - int(born["year_of_birth"]) - ((then.month, then.day) < birthday)
        ended = pd.Timestamp(dead.get(person) or last[person])
        days = (ended - then).days if ended >= then else None
        sex = {"8507": "male", "8532": "female"}[born["gender_concept_id"]]
        event = "dead" if person in dead else "alive"
        found[person, concepts[value][0]] = [age if age >= 0 else None, sex, then.year, days, event]
    return found


def test_synthea_patients_against_loops(tmp_path: Path):
    (tmp_path / "concepts.csv").write_text(CONCEPTS)
    found = harmonise_omop(SYNTHEA, concepts=tmp_path / "concepts.csv")
    expected = slow({"65363002": ("VIIa", ""), "195662009": ("IIIc", "")})
    columns = listed(found.frame)
    keys = zip(columns["patient"], columns["diagnosis"], strict=True)
    values = zip(*(columns[name] for name in ("age", "sex", "year", "time", "event")), strict=True)
    assert {key: list(row) for key, row in zip(keys, values, strict=True)} == expected
    assert len(expected) == 25 and len({person for person, _ in expected}) == 18
    without = harmonise_omop(SYNTHEA)
    assert len(without.frame) == 0 and sum(item.rows for item in without.report.unmapped) == 470


def test_without_deaths_the_status_is_not_known(lists: dict[str, Path]):
    found = harmonise_omop({name: frame for name, frame in ONCOLOGY.items() if name != "DEATH"}, **lists)
    assert found.frame["event"].isna().all()
    assert found.report.notes["records without a vital status"] == 5


def test_tables_that_do_not_serve(tmp_path: Path, lists: dict[str, Path]):
    with pytest.raises(InvalidArgument, match="CONDITION_OCCURRENCE"):
        harmonise_omop({"PERSON": ONCOLOGY["PERSON"]})
    few = {**ONCOLOGY, "PERSON": ONCOLOGY["PERSON"].drop(columns="year_of_birth")}
    with pytest.raises(DataError, match="year_of_birth"):
        harmonise_omop(few)
    with pytest.raises(InvalidArgument, match="MEASUREMENT"):
        harmonise_omop({k: v for k, v in ONCOLOGY.items() if k != "MEASUREMENT"}, **lists)
    with pytest.raises(InvalidArgument, match="pandas and polars"):
        harmonise_omop({**ONCOLOGY, "DEATH": pl.from_pandas(ONCOLOGY["DEATH"])})
    texts = {name: pl.from_pandas(frame) for name, frame in ONCOLOGY.items()}
    with pytest.raises(InvalidArgument, match="its engine raised"):
        harmonise_omop({**texts, "DEATH": texts["DEATH"].with_columns(pl.col("person_id").cast(pl.String))})
    (tmp_path / "text.duckdb").write_text("no database" * 1000)
    for source in (3, None, tmp_path / "nowhere", tmp_path / "text.duckdb", {"PERSON": 3}):
        with pytest.raises(InvalidArgument):
            harmonise_omop(source)
    with pytest.raises(InvalidArgument, match="schema"):
        harmonise_omop(sqlite3.connect(":memory:"), schema="a; drop table person")
    with pytest.raises(InvalidArgument, match="refused a query"):
        harmonise_omop(sqlite3.connect(":memory:"))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("concepts", "source_value,topography\n1,C22.0\n"), ("concepts", "code,diagnosis\n1,VIIb\n"),
        ("concepts", "concept_id,diagnosis\n,VIIb\n"), ("stages", "concept_id,stage\n1,II\n2,spread\n"),
    ],
)  # fmt: skip
def test_lists_that_do_not_serve(tmp_path: Path, name: str, text: str):
    path = tmp_path / "list.csv"
    path.write_text(text)
    with pytest.raises(ConfigError, match=name):
        harmonise_omop(ONCOLOGY, **{name: path})


def test_only_the_rows_of_tumours_leave_a_database(tmp_path: Path, lists: dict[str, Path]):
    asked: list[str] = []
    connection = sqlite(tmp_path)
    connection.set_trace_callback(asked.append)
    harmonise_omop(connection, **lists)
    persons = [text for text in asked if "year_of_birth" in text and "1 = 0" not in text]
    assert len(persons) == 1 and "person_id in (select person_id from condition_occurrence where" in persons[0]
    assert not any("O'Neil" in text or "'O" in text for text in asked), "such a text is not written into SQL"
