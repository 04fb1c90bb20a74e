"""Microdata: k, l and t, special uniques, recoding, suppression and pseudonyms; pycanon and anjana beside them.

``python -m benchmarks.disclosure_microdata [--quick] [--peers FOLDER]``. Peers need environments of their own, made by
``sh scripts/bench_microdata.sh``. Times are CPU seconds of one process.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl

from benchmarks.peers.microdata_rows import KEYS, SENSITIVE, groups, rows
from pets.disclosure import microdata

ROOT = Path(__file__).parents[1]
TIMEOUT = 180


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    start = time.process_time()
    found = work()
    return found, time.process_time() - start


def line(name: str, value: object, seconds: float | None, goal: str = "") -> None:
    spent = "      –" if seconds is None else f"{seconds:7.2f}"
    print(f"{name:<58} {value!s:>26} {spent} s  {goal}", flush=True)


def hierarchies() -> dict[str, dict[str, dict[str, list[Any]]]]:
    """Return the levels as pets takes them: each by the values themselves."""
    found: dict[str, dict[str, dict[str, list[Any]]]] = {}
    for key, levels in groups().items():
        below: dict[Any, str] = {}
        for number, level in enumerate(levels):
            members: dict[str, list[Any]] = {}
            for value, group in level.items():
                member = below.get(value, value)
                if member not in members.setdefault(group, []):
                    members[group].append(member)
            found.setdefault(key, {})[f"level {number + 1}"] = members
            below = dict(level)
    return found


def levels(number: int) -> dict[str, float]:
    """Measure k, l and t in three engines; return the values."""
    print(f"\n{number:,} rows x {len(KEYS)} keys")
    frame = pd.DataFrame(rows(number))
    polars = pl.from_pandas(frame)
    values: dict[str, float] = {}
    for engine, given in (("pandas", frame), ("polars", polars), ("pyarrow", polars.to_arrow())):
        total = 0.0
        for name, work in {
            "k": lambda given=given: microdata.k_anonymity(given, KEYS),
            "l": lambda given=given: microdata.l_diversity(given, KEYS, SENSITIVE),
            "t": lambda given=given: microdata.t_closeness(given, KEYS, SENSITIVE),
        }.items():
            values[name], seconds = timed(work)
            total += seconds
            line(f"  pets, {engine}: {name}", f"{values[name]:.6g}", seconds)
        line(f"  pets, {engine}: k, l and t", "", total, "goal 2 s for 1,000,000 rows")
    return values


def remedies(number: int) -> None:
    print(f"\n{number:,} rows: remedies and risks")
    frame = pd.DataFrame(rows(number))
    for k, share in ((5, 0.0), (5, 0.01), (11, 0.01)):
        found, seconds = timed(
            lambda k=k, s=share: microdata.recode_to_k(frame, KEYS, k, hierarchies(), most_left_out=s)
        )
        note = f"{found.checked} of {found.nodes:,} nodes counted; goal 60 s"
        line(f"  optimal recoding, k = {k}, {100 * share:g} % may go", f"{100 * found.loss:.2f} % lost", seconds, note)
    found, seconds = timed(lambda: microdata.suppress_to_k(frame, KEYS, 5))
    line("  local suppression, k = 5", f"{100 * found.cells.mean():.2f} % blanked", seconds)
    few = frame.head(20_000)
    found, seconds = timed(lambda: microdata.suppress_to_k(few, KEYS, 5, missing="matches_all"))
    line("  the same, blanks match all, 20,000 rows", f"{100 * found.cells.mean():.2f} % blanked", seconds)
    found, seconds = timed(lambda: microdata.special_uniques(frame, KEYS))
    line("  special uniques (SUDA), all sets of keys", f"{int((found.scores > 0).sum()):,} found", seconds)
    found, seconds = timed(lambda: microdata.individual_risk(frame.assign(w=10.0), KEYS, "w"))
    line("  individual risks", f"{found.expected:,.0f} expected matches", seconds)
    found, seconds = timed(lambda: microdata.check_safe_harbor(frame))
    line("  Safe Harbor check", f"{len(found.findings)} finding(s)", seconds)
    source = microdata.PseudonymKey.new().project("benchmark")
    _, seconds = timed(lambda: source.replace(pd.DataFrame({"id": np.arange(number)}), "id"))
    line("  keyed pseudonyms, all identifiers distinct", f"{number:,}", seconds)


def registry(number: int) -> None:
    """How many children of a registry are single, with and without the district, which Safe Harbor forbids."""
    frame = pd.DataFrame(rows(number)).assign(year=lambda f: f["year"] % 5 + 2018)
    banded = frame.assign(age=lambda f: f["age"] // 5)
    for name, given, keys in (
        ("subgroup, 5-year age, sex, district, year", banded, ["site", "age", "sex", "district", "year"]),
        ("subgroup, age, sex, year: nothing for Safe Harbor", frame, ["site", "age", "sex", "year"]),
    ):
        unique = microdata.assess(given, keys).uniques / number
        found = microdata.check_safe_harbor(given[keys]).findings
        note = f"Safe Harbor findings: {', '.join(f.column for f in found) or 'none'}"
        line(f"  {number:,} children, {name}", f"{100 * unique:.0f} % unique", None, note)


def peer(folder: Path | None, name: str, module: str, *words: str) -> list[dict[str, Any]]:
    python = None if folder is None else folder / name / "bin" / "python"
    if python is None or not python.exists():
        print(f"  {name}: not installed (sh scripts/bench_microdata.sh)")
        return []
    command = [str(python), "-m", f"benchmarks.peers.{module}", *words]
    try:
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT, check=False)
        text, failed = done.stdout, done.returncode
    except subprocess.TimeoutExpired as late:
        text, failed = (late.stdout or b"").decode(), 0
        print(f"  {name}: stopped after {TIMEOUT} s")
    if failed:
        print(f"  {name}: failed: {done.stderr.strip().splitlines()[-1][:150]}")
    return [json.loads(text) for text in text.splitlines() if text.startswith("{")]


def beside(folder: Path | None, number: int, ours: dict[str, float]) -> None:
    for found in peer(folder, "pycanon", "pycanon_levels", str(number)):
        agrees = "equal" if abs(found["value"] - ours[found["measure"]]) < 1e-6 else "DIFFERS"
        line(f"  {found['peer']}: {found['measure']}", f"{found['value']:.6g} {agrees}", found["seconds"])


def recoding_beside(folder: Path | None, number: int) -> None:
    print(f"\n{number:,} rows: recoding to k = 5, 1 % may go")
    frame = pd.DataFrame(rows(number))
    found, seconds = timed(lambda: microdata.recode_to_k(frame, KEYS, 5, hierarchies(), most_left_out=0.01))
    kept = {key: int(found.frame[key].nunique()) for key in KEYS}
    line("  pets", f"{len(found.frame):,} rows stay", seconds, f"values left: {kept}")
    for other in peer(folder, "anjana", "anjana_recoding", str(number), "5"):
        line(f"  {other['peer']}", f"{other['rows']:,} rows stay", other["seconds"], f"values left: {other['values']}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small tables, in seconds")
    parser.add_argument("--peers", type=Path, help="folder with the peers' environments")
    given = parser.parse_args()
    pd.DataFrame({"warm": [1]}).groupby("warm").size()
    microdata.t_closeness(pd.DataFrame({"a": [1], "b": [1]}), ["a"], "b")
    sizes = (20_000,) if given.quick else (20_000, 200_000, 1_000_000)
    for number in sizes:
        beside(given.peers, number, levels(number))
    remedies(sizes[-1])
    recoding_beside(given.peers, sizes[0])
    print("\nA registry")
    for number in (3_000, 20_000):
        registry(number)


if __name__ == "__main__":
    main()
