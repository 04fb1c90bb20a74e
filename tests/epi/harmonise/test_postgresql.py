"""OMOP tables in a real PostgreSQL server, which this test starts, on a socket of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pets.epi.harmonise import harmonise_omop
from pets.errors import InvalidArgument
from tests.epi.harmonise.oncology import EPISODE, EVENT, EXPECTED, LIST, ONCOLOGY, STAGES, SYNTHEA, WIDER, listed

psycopg = pytest.importorskip("psycopg")
PROGRAMS = [shutil.which(name) for name in ("initdb", "pg_ctl")]
pytestmark = pytest.mark.skipif(None in PROGRAMS, reason="no PostgreSQL server is installed")


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """Start a server and yield its address. It refuses to run as root, so root lends it another account."""
    account: dict[str, Any] = {"user": "postgres", "group": "postgres"} if os.geteuid() == 0 else {}
    folder = Path(tempfile.mkdtemp(prefix="pets-pg-"))
    try:
        if account:
            try:
                shutil.chown(folder, **account)
            except LookupError:
                pytest.skip("root cannot run PostgreSQL, and there is no account postgres")
        options: dict[str, Any] = {**account, "cwd": folder, "capture_output": True, "timeout": 120}
        data = str(folder / "data")
        subprocess.run([PROGRAMS[0], "-D", data, "-A", "trust", "-U", "reader", "--no-sync"], check=True, **options)
        started = [
            PROGRAMS[1],
            "-D",
            data,
            "-w",
            "-l",
            str(folder / "log"),
            "-o",
            f"-k {folder} -c listen_addresses=''",
        ]
        subprocess.run([*started, "start"], check=True, **options)
        try:
            yield f"host={folder} user=reader dbname=postgres"
        finally:
            subprocess.run([PROGRAMS[1], "-D", data, "-m", "immediate", "stop"], check=True, **options)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def connection(server: str) -> Iterator[Any]:
    with psycopg.connect(server) as opened:
        opened.execute("create schema cdm")
        for name, frame in ONCOLOGY.items():
            numbers = [str(kind).lower() == "int64" for kind in frame.dtypes]
            kinds = [
                f"{column} {'bigint' if number else 'date' if column.endswith('_date') else 'varchar(50)'}"
                for column, number in zip(frame.columns, numbers, strict=True)
            ]
            opened.execute(f"create table cdm.{name} ({', '.join(kinds)})")
            rows = frame.astype(object).where(frame.notna(), None).values.tolist()
            places = ", ".join(["%s"] * len(kinds))
            with opened.cursor() as cursor:
                cursor.executemany(f"insert into cdm.{name} values ({places})", rows)
        opened.commit()
        yield opened


def test_the_same_answer_as_from_files(connection: Any, tmp_path: Path):
    (tmp_path / "concepts.csv").write_text(LIST)
    (tmp_path / "stages.csv").write_text(STAGES)
    found = harmonise_omop(connection, concepts=tmp_path / "concepts.csv", stages=tmp_path / "stages.csv", schema="cdm")
    assert listed(found.frame) == EXPECTED
    assert [item.rows for item in found.report.unmapped] == [2, 1]


def test_episodes_in_the_server(connection: Any, tmp_path: Path):
    (tmp_path / "concepts.csv").write_text(LIST)
    (tmp_path / "stages.csv").write_text(WIDER)
    lists = {"concepts": tmp_path / "concepts.csv", "stages": tmp_path / "stages.csv"}
    expected = harmonise_omop({**ONCOLOGY, "EPISODE": EPISODE, "EPISODE_EVENT": EVENT}, **lists)
    with connection.transaction(force_rollback=True):
        connection.execute(
            "create table cdm.episode (episode_id bigint, person_id bigint, episode_concept_id integer, "
            "episode_start_date date)"
        )
        connection.execute(
            "create table cdm.episode_event (episode_id bigint, event_id bigint, "
            "episode_event_field_concept_id integer)"
        )
        with connection.cursor() as cursor:
            cursor.executemany(
                "insert into cdm.episode values (%s, %s, %s, %s)", EPISODE.astype(object).values.tolist()
            )
            cursor.executemany(
                "insert into cdm.episode_event values (%s, %s, %s)", EVENT.astype(object).values.tolist()
            )
        found = harmonise_omop(connection, **lists, schema="cdm")
    assert listed(found.frame) == listed(expected.frame)
    assert found.frame["year"].tolist()[:2] == [2014, 2015]


def test_tables_that_are_missing(connection: Any):
    with pytest.raises(InvalidArgument, match="UndefinedTable"):
        harmonise_omop(connection, schema="elsewhere")
    connection.rollback()
    with connection.transaction(force_rollback=True):
        connection.execute("drop table cdm.location")
        connection.execute("drop table cdm.measurement")
        found = harmonise_omop(connection, schema="cdm")
    assert found.frame["region"].isna().all() and len(found.frame) == 4


def test_synthea_in_the_server(connection: Any, tmp_path: Path):
    """Copy the sample in as it is; the answer equals that from the folder."""
    (tmp_path / "concepts.csv").write_text("source_value,topography,morphology\n195662009,C71.7,9470/3\n")
    connection.execute("create schema synthea")
    for path in sorted(SYNTHEA.glob("*.csv")):
        names = path.read_text().splitlines()[0].split(",")
        kinds = [f"{n} {'date' if n.endswith('_date') else 'bigint' if n.endswith('_id') else 'text'}" for n in names]
        kinds = [k.replace("text", "bigint") if k.split()[0].endswith("of_birth") else k for k in kinds]
        connection.execute(f"create table synthea.{path.stem} ({', '.join(kinds)})")
        with connection.cursor() as cursor, cursor.copy(f"copy synthea.{path.stem} from stdin csv header") as copy:
            copy.write(path.read_bytes())
    expected = harmonise_omop(SYNTHEA, concepts=tmp_path / "concepts.csv")
    found = harmonise_omop(connection, concepts=tmp_path / "concepts.csv", schema="synthea")
    assert listed(found.frame) == listed(expected.frame) and len(found.frame) == 16
    assert set(found.report.unmapped) == set(expected.report.unmapped)
