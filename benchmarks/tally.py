"""The tally beside the engine's own bare group-by, in the same run.

    python -m benchmarks.tally [--quick]

One question is asked of several engines: how many rows in each combination of three text keys. What the engine does by
itself is a group-by that keeps rows with missing keys, as the tally must. Beside it: a bound on the rows of each
patient, a mean, binned numbers, and 105 tables at once. The repetitions of both sides take turns, so that a busy
machine slows both, and the best of each counts.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

import pets

KEYS = {"diagnosis": 100, "age_group": 6, "sex": 2}
Work = Callable[[], object]


@dataclass(frozen=True)
class Duel:
    """What we do and what the engine does by itself for the same question."""

    name: str
    engine: str
    rows: int
    ours: Work
    bare: Work


def labels(name: str) -> list[str]:
    return [f"{name} {i}" for i in range(KEYS[name])]


def patients(rows: int, seed: int = 1) -> pl.DataFrame:
    """Return made-up rows: three text keys, an identifier with about four rows each, a dose."""
    rng = np.random.default_rng(seed)
    texts = {name: pl.Series(labels(name)).gather(rng.integers(0, size, rows)) for name, size in KEYS.items()}
    return pl.DataFrame({**texts, "id": rng.integers(0, rows // 4, rows), "dose": rng.uniform(0, 50, rows)})


def domain(unit: pets.PrivacyUnit | None = None) -> pets.Domain:
    attributes: dict[str, Any] = {name: labels(name) for name in KEYS}
    attributes["dose"] = pets.Numeric(0, 50, resolution="0.1", bins=range(0, 51, 5))
    return pets.Domain(attributes, unit=unit or pets.PrivacyUnit())


def counts(frame: pl.DataFrame) -> Iterator[Duel]:
    """One table in each engine."""
    keys, rows = list(KEYS), len(frame)
    query = pets.Count(by=keys).bind(domain())
    yield Duel("three keys", "Polars", rows, lambda: query.tally(frame), lambda: frame.group_by(keys).len())
    lazy = frame.lazy()
    yield Duel(
        "three keys", "Polars lazy", rows, lambda: query.tally(lazy), lambda: lazy.group_by(keys).len().collect()
    )
    arrow = frame.select(keys).to_arrow()
    connection = duckdb.connect()
    connection.register("arriving", arrow)
    connection.execute("create table patients as select * from arriving")
    relation, listed = connection.table("patients"), ", ".join(keys)
    sql = f"select {listed}, count(*) from patients group by {listed}"  # noqa: S608 our own names
    yield Duel("three keys", "DuckDB", rows, lambda: query.tally(relation), lambda: connection.sql(sql).fetchall())
    yield Duel(
        "three keys", "PyArrow", rows, lambda: query.tally(arrow),
        lambda: arrow.group_by(keys).aggregate([([], "count_all")]),
    )  # fmt: skip
    if rows <= 2_000_000:  # a frame of Python texts takes much memory
        pandas = frame.select(keys).to_pandas()
        yield Duel(
            "three keys", "pandas", rows, lambda: query.tally(pandas),
            lambda: pandas.groupby(keys, dropna=False, sort=False, observed=True).size(),
        )  # fmt: skip
        import dask.dataframe as dd

        parts = dd.from_pandas(pandas, npartitions=8)
        yield Duel(
            "three keys", "Dask", rows, lambda: query.tally(parts),
            lambda: parts.groupby(keys, dropna=False, sort=False).size().compute(),
        )  # fmt: skip


def others(frame: pl.DataFrame) -> Iterator[Duel]:
    """Harder questions, in Polars."""
    keys, rows = list(KEYS), len(frame)
    number = pl.col("dose")
    mean = pets.Mean("dose", by=keys).bind(domain())
    sums = (pl.len(), number.sum())
    yield Duel(
        "mean of a dose", "Polars", rows, lambda: mean.tally(frame),
        lambda: frame.lazy().group_by(keys).agg(*sums).collect(),
    )  # fmt: skip
    histogram = pets.Histogram("dose", by=keys).bind(domain())
    binned = (number / 5).floor()
    yield Duel(
        "ten bins of a dose", "Polars", rows, lambda: histogram.tally(frame),
        lambda: frame.lazy().group_by(*keys, binned).len().collect(),
    )  # fmt: skip
    for most in (1, 100):
        bounded = pets.Count(by=keys).bind(domain(pets.PrivacyUnit("id", max_rows=most)))
        yield Duel(
            f"at most {most} row{'s' * (most > 1)} of each patient", "Polars", rows,
            lambda bounded=bounded: bounded.tally(frame),  # type: ignore[misc]
            lambda: (frame.lazy().group_by("id").len().collect(), frame.lazy().group_by(keys).len().collect()),
        )  # fmt: skip


def marginals(rows: int) -> Iterator[Duel]:
    """All pairs of fifteen attributes, as a synthesizer asks for them."""
    rng = np.random.default_rng(2)
    sizes = [2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 15, 20, 4, 6, 3]
    attributes = {f"a{i}": [f"a{i} {j}" for j in range(size)] for i, size in enumerate(sizes)}
    frame = pl.DataFrame({name: pl.Series(v).gather(rng.integers(0, len(v), rows)) for name, v in attributes.items()})
    pairs = list(itertools.combinations(attributes, 2))
    query = pets.Marginals(pairs).bind(pets.Domain(attributes))
    one_by_one = [frame.lazy().group_by(pair).len() for pair in pairs]
    yield Duel("105 pairs of 15", "Polars", rows, lambda: query.tally(frame), lambda: pl.collect_all(one_by_one))
    pandas = frame.to_pandas()
    yield Duel(
        "105 pairs of 15", "pandas", rows, lambda: query.tally(pandas),
        lambda: [pandas.groupby(list(pair), dropna=False, sort=False).size() for pair in pairs],
    )  # fmt: skip


def best(duel: Duel, repetitions: int) -> tuple[tuple[float, float], tuple[float, float]]:
    """Return least CPU and wall seconds of ours and of the bare engine; each is run once to warm up."""
    timings: dict[Work, list[tuple[float, float]]] = {duel.ours: [], duel.bare: []}
    for work in timings:
        work()
    for _ in range(repetitions):
        for work, taken in timings.items():
            cpu, wall = time.process_time(), time.perf_counter()
            work()
            taken.append((time.process_time() - cpu, time.perf_counter() - wall))
    ours, bare = ((min(t[0] for t in taken), min(t[1] for t in taken)) for taken in timings.values())
    return ours, bare


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="100,000 rows only, fewer repetitions")
    quick = parser.parse_args().quick
    sizes, repetitions = ((100_000,), 2) if quick else ((1_000_000, 10_000_000), 5)
    table = Table(title="The tally beside the engine's own group-by (milliseconds)")
    for heading in ("question", "engine"):
        table.add_column(heading)
    for heading in ("rows", "CPU ours", "CPU bare", "wall ours", "wall bare", "ratio CPU", "ratio wall"):
        table.add_column(heading, justify="right")
    for rows in sizes:
        frame = patients(rows)
        duels = itertools.chain(counts(frame), others(frame) if rows == sizes[0] else ())
        for duel in itertools.chain(duels, marginals(100_000) if rows == sizes[0] else ()):
            (cpu, wall), (bare_cpu, bare_wall) = best(duel, repetitions)
            times = [f"{1000 * seconds:.1f}" for seconds in (cpu, bare_cpu, wall, bare_wall)]
            table.add_row(
                duel.name, duel.engine, f"{duel.rows:,}", *times, f"{cpu / bare_cpu:.2f}", f"{wall / bare_wall:.2f}"
            )
    Console(width=130).print(table)


if __name__ == "__main__":
    main()
