"""A count with error bars and a durable ledger charge, against the bare group-by and against OpenDP.

Run with ``python -m benchmarks.end_to_end [--quick]``. Every figure is the best of several repetitions in one process;
ratios are within the run.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
from rich.console import Console
from rich.table import Table

import pets

KEYS = {"diagnosis": 30, "region": 20, "age": 12}


def patients(rows: int, insecure_seed: int = 1) -> pl.DataFrame:
    """Return made-up rows with three text keys, 7,200 possible cells."""
    generator = np.random.default_rng(insecure_seed)
    return pl.DataFrame({
        name: np.array([f"{name} {i}" for i in range(size)], dtype=object)[generator.integers(0, size, rows)]
        for name, size in KEYS.items()
    })  # fmt: skip


def domain() -> pets.Domain:
    return pets.Domain({name: [f"{name} {i}" for i in range(size)] for name, size in KEYS.items()})


def best(work: Callable[[], object], repetitions: int) -> tuple[float, float]:
    """Return the smallest CPU and wall seconds."""
    timings = []
    for _ in range(repetitions):
        cpu, wall = time.process_time(), time.perf_counter()
        work()
        timings.append((time.process_time() - cpu, time.perf_counter() - wall))
    return min(t[0] for t in timings), min(t[1] for t in timings)


def plain_polars(frame: pl.DataFrame) -> Callable[[], object]:
    return lambda: frame.group_by(list(KEYS)).len()


def ours(frame: pl.DataFrame, folder: Path) -> Callable[[], object]:
    ledger = pets.Ledger(folder / "budget.sqlite", limit=pets.PureDP(10**6))
    pipeline = pets.Pipeline(
        pets.Count(by=list(KEYS)), domain(), mechanism=pets.dp.DiscreteLaplace(epsilon=1), ledger=ledger
    )
    numbers = iter(range(10**6))
    return lambda: pipeline.run({"FR": frame}, repeat=str(next(numbers))).to_columns()


def opendp(frame: pl.DataFrame) -> Callable[[], object] | None:
    """Return OpenDP's Polars count over the declared keys; ``None`` where OpenDP cannot run with this Polars."""
    try:
        import opendp.prelude as dp

        dp.enable_features("contrib")
        grid = None
        for name, size in KEYS.items():
            column = pl.LazyFrame({name: [f"{name} {i}" for i in range(size)]})
            grid = column if grid is None else grid.join(column, how="cross")

        def work() -> object:
            context = dp.Context.compositor(
                data=frame.lazy(), privacy_unit=dp.unit_of(contributions=1), privacy_loss=dp.loss_of(epsilon=1.0),
                split_evenly_over=1, margins=[dp.polars.Margin(max_length=frame.height)],
            )  # fmt: skip
            query = context.query().group_by(list(KEYS)).agg(dp.len(signed=True)).with_keys(grid)
            return query.release().collect()

        work()
    except Exception as error:  # noqa: BLE001 - a peer that cannot run is reported, not fatal
        Console(stderr=True).print(
            f"OpenDP's Polars interface does not run here: {type(error).__name__}: {error}"[:300]
        )
        return None
    return work


def diffprivlib(frame: pl.DataFrame) -> Callable[[], object] | None:
    """Return diffprivlib's histogram over integer codes (the coding is not timed)."""
    try:
        from diffprivlib.tools import histogramdd
    except ImportError as error:
        Console(stderr=True).print(f"diffprivlib does not import here: {error}"[:300])
        return None
    codes = np.column_stack([
        frame[name].cast(pl.Enum([f"{name} {i}" for i in range(size)])).to_physical().to_numpy()
        for name, size in KEYS.items()
    ])  # fmt: skip
    sizes = list(KEYS.values())
    return lambda: histogramdd(codes, epsilon=1.0, bins=sizes, range=[(0, size) for size in sizes])


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="100,000 rows instead of 1,000,000")
    quick = parser.parse_args().quick
    rows, repetitions = (100_000, 3) if quick else (1_000_000, 7)
    frame = patients(rows)
    with tempfile.TemporaryDirectory() as folder:
        works: dict[str, tuple[Callable[[], object] | None, int]] = {
            "plain Polars group_by": (plain_polars(frame), repetitions),
            "pets: count, noise, error bars, ledger": (ours(frame, Path(folder)), repetitions),
            "OpenDP Polars, declared keys": (opendp(frame), 1),
            "diffprivlib histogramdd, integer codes": (diffprivlib(frame), 1),
        }
        timed = {name: best(work, times) for name, (work, times) in works.items() if work is not None}
    base = timed["plain Polars group_by"]
    table = Table(title=f"{rows:,} rows, {np.prod(list(KEYS.values())):,} cells, epsilon = 1")
    for column in ("", "CPU ms", "wall ms", "CPU / Polars", "wall / Polars"):
        table.add_column(column, justify="left" if not column else "right")
    for name, (cpu, wall) in timed.items():
        table.add_row(name, f"{1e3 * cpu:.1f}", f"{1e3 * wall:.1f}", f"{cpu / base[0]:.2f}", f"{wall / base[1]:.2f}")
    Console().print(table)


if __name__ == "__main__":
    main()
