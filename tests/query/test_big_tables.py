"""Tables that are too big for memory: DuckDB on disk under a memory limit, and the same rows in every engine."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dask.dataframe as dd
import duckdb
import pandas as pd
import polars as pl
import pyarrow.parquet as pq
import pytest

from pets.domain import Categorical, Domain, Integer
from pets.privacy_unit import PrivacyUnit
from pets.query import Count, EventTable, Mean, Query

# Rows by arithmetic, so that SQL knows what must come out: one row in sixty is a second one of its patient.
ROWS = """
    select
        case when i % 60 = 0 then i - 1 else i end as patient,
        'ICCC ' || (hash(i) % 48)::varchar as diagnosis,
        case hash(i + 1) % 3 when 0 then 'female' when 1 then 'male' end as sex,
        (hash(i + 2) % 20)::integer as age,
        (hash(i + 3) % 5000)::integer as time,
        case hash(i + 4) % 4 when 0 then 'dead' else 'alive' end as event,
        md5(i::varchar) || md5((i + 1)::varchar) as remarks
    from range(1, {rows} + 1) numbers(i)
"""
ATTRIBUTES: dict[str, Any] = {
    "diagnosis": Categorical([f"ICCC {i}" for i in range(40)], invalid="category"),
    "sex": ["female", "male"],
    "age": Integer(0, 19, bins=[0, 1, 5, 10, 15, 19]),
    "time": Integer(0, 3650, bins=[0, 365, 730, 1826, 3650], invalid="clamp"),
    "event": ["alive", "dead"],
}
KEYS = ["diagnosis", "age", "sex"]
QUERIES: list[Query] = [Count(KEYS), Mean("age", by="sex"), EventTable("time", "event", by="sex")]


def fill(path: Path, rows: int) -> int:
    """Write the table to a file and return the size of the file."""
    with duckdb.connect(str(path)) as connection:
        connection.execute(f"create table cases as {ROWS.format(rows=rows)}")
        connection.execute("checkpoint")
    return path.stat().st_size


def limited(path: Path, limit: str, spill: Path) -> duckdb.DuckDBPyConnection:
    config = {"memory_limit": limit, "threads": "1", "temp_directory": str(spill), "preserve_insertion_order": "false"}
    return duckdb.connect(str(path), read_only=True, config=config)


def counted(connection: Any, kept: str) -> dict[tuple[str, str, str], int]:
    """The table of counts, in SQL of its own."""
    tops = [(1, "0"), (5, "1-4"), (10, "5-9"), (15, "10-14")]
    bands = f"case {' '.join(f'when age < {top} then {label!r}' for top, label in tops)} else '15-19' end"
    diagnosis = "case when substr(diagnosis, 6)::integer < 40 then diagnosis else '(unknown)' end"
    sql = f"select {diagnosis}, {bands}, sex, count(*) from {kept} where sex is not null group by all"
    return {(d, a, s): n for d, a, s, n in connection.sql(sql).fetchall()}


def check_counts(connection: Any, relation: Any, domain: Domain, kept: str) -> None:
    bound = Count(KEYS).bind(domain)
    values = bound.tally(relation).values
    axes = [domain[name].key_labels for name in KEYS]
    table = values[:-1].reshape([len(axis) for axis in axes])
    expected = counted(connection, kept)
    found = {
        (d, a, s): int(table[i, j, k])
        for i, d in enumerate(axes[0]) for j, a in enumerate(axes[1]) for k, s in enumerate(axes[2]) if table[i, j, k]
    }  # fmt: skip
    assert found == expected
    assert values[-1] == connection.sql(f"select count(*) from {kept} where sex is null").fetchall()[0][0]


@pytest.mark.parametrize(("rows", "megabytes"), [(800_000, 16), pytest.param(20_000_000, 300, marks=pytest.mark.slow)])
def test_duckdb_file_larger_than_its_memory(tmp_path: Path, rows: int, megabytes: int):
    path = tmp_path / "registry.duckdb"
    assert fill(path, rows) > 1.8 * megabytes * 10**6, "the table must not fit into the memory"
    with limited(path, f"{megabytes}MB", tmp_path / "spill") as connection:
        relation = connection.table("cases")
        with pytest.raises(duckdb.OutOfMemoryException):
            connection.execute("select list(remarks) from cases").fetchall()
        check_counts(connection, relation, Domain(ATTRIBUTES), "cases")
        # Grouping by the patient needs more memory than there is: the engine puts a part of it on the disk.
        patients = Domain(ATTRIBUTES, unit=PrivacyUnit("patient", max_rows=2))
        check_counts(connection, relation, patients, "cases")


def test_the_bound_on_patients_under_a_memory_limit(tmp_path: Path):
    """One row of each patient: those with two are found by the engine, and one of them stays by lot."""
    path = tmp_path / "registry.duckdb"
    assert fill(path, 400_000) > 14 * 10**6
    domain = Domain(ATTRIBUTES, unit=PrivacyUnit("patient", max_rows=1))
    with limited(path, "12MB", tmp_path / "spill") as connection:
        values = Count(KEYS).bind(domain).tally(connection.table("cases")).values
    with duckdb.connect(str(path), read_only=True) as connection:
        whole = connection.sql("select * exclude remarks from cases").pl()
    assert values.sum() == whole["patient"].n_unique()
    assert values.tolist() == Count(KEYS).bind(domain).tally(whole).values.tolist()


@pytest.fixture(scope="module")
def parquet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("big")
    duckdb.sql(ROWS.format(rows=20_000)).write_parquet(str(folder / "cases.parquet"), row_group_size=4096)
    return folder / "cases.parquet"


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    sql = pytest.importorskip("pyspark.sql")
    if shutil.which("java") is None:
        pytest.skip("PySpark needs Java")
    settings = {"spark.ui.enabled": "false", "spark.sql.shuffle.partitions": "2"}
    session = sql.SparkSession.builder.master("local[1]").config(map=settings).getOrCreate()
    yield session
    session.stop()


LAZY: dict[str, Callable[[Path], Any]] = {
    "polars lazy": pl.scan_parquet,
    "duckdb file": lambda path: duckdb.read_parquet(str(path)),
    "dask": lambda path: dd.read_parquet(path, split_row_groups=2),
    "pyarrow": pq.read_table,
    "pandas": pd.read_parquet,
}
UNITS = [PrivacyUnit(), PrivacyUnit("patient", max_rows=1)]


@pytest.mark.parametrize("unit", UNITS, ids=str)
@pytest.mark.parametrize("engine", LAZY)
def test_every_engine_gives_the_same_tally_of_one_file(parquet: Path, engine: str, unit: PrivacyUnit):
    check_same(LAZY[engine](parquet), parquet, unit)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("unit", UNITS, ids=str)
def test_spark_gives_the_same_tally(parquet: Path, spark: Any, unit: PrivacyUnit):
    check_same(spark.read.parquet(str(parquet)), parquet, unit)


def check_same(frame: Any, parquet: Path, unit: PrivacyUnit) -> None:
    reference = pl.read_parquet(parquet)
    for query in QUERIES:
        bound = query.bind(Domain(ATTRIBUTES, unit=unit))
        found, expected = bound.tally(frame).values, bound.tally(reference).values
        assert found.tolist() == expected.tolist(), query
