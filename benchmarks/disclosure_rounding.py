"""Rounding, cell keys and recoding: time, distance, what does not add up, what a reader still learns.

    python -m benchmarks.disclosure_rounding [--quick] [--peers FOLDER]

FOLDER holds an environment for each peer: `cellkey` with cell_key_perturbation and pandas, `pytauargus` with
pytauargus. Times are CPU seconds of one core.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd

from benchmarks.disclosure_tables import STUDY, study
from pets.disclosure.cell_key import (
    CellKeySecret,
    averaging_attack,
    make_ptable,
    perturb_frame,
    queries_that_suffice,
    read_ptable,
    write_ptable,
)
from pets.disclosure.recoding import plan_recoding, pool
from pets.disclosure.relations import Relations
from pets.disclosure.rounding import controlled_rounding, round_table
from pets.disclosure.table import Table

Result = TypeVar("Result")
ROOT = Path(__file__).parent
PTABLE = ROOT.parent / "tests" / "disclosure" / "data" / "ptable_10_5_rule.csv.gz"
QUICK = ("2-D 47x16, N 3,000", "3-D 12x4x4, N 3,000")
SLOW_TO_AUDIT = 1500


def timed(work: Callable[[], Result]) -> tuple[Result, float]:
    start = time.process_time()
    return work(), time.process_time() - start


def table_of(name: str) -> Table:
    plain = study(name)
    rows = Relations.from_rows((cells, signs, 0.0) for cells, signs in plain.relations)
    return Table(plain.values, rows, integral=True, codes=plain.codes, dimensions=STUDY[name][0])


def rounding(names: list[str], limit: float) -> None:
    print("\ncontrolled rounding (distance: sum over cells; nearest multiple of each cell alone = 100 %)")
    print(f"{'table':26}{'cells':>7}{'base':>5}{'s':>8}  {'proof':18}{'distance':>10}{'steps':>7}")
    for name in names:
        table = table_of(name)
        for base in (3, 5):
            found, seconds = timed(lambda t=table, b=base: controlled_rounding(t, b, time_limit=limit))
            alone = round_table(table, base, "nearest").distance
            proof = "optimal" if found.optimal else f"gap {100 * (found.cost - found.bound) / found.cost:.1f} %"
            share = f"{100 * found.distance / alone:.0f} %"
            print(
                f"{name:26}{table.cells:>7,}{base:>5}{seconds:>8.2f}  {proof:18}{share:>10}{found.steps:>7}", flush=True
            )


def learned(names: list[str]) -> None:
    warnings.simplefilter("ignore", UserWarning)  # ends left open after 20 s count as wide
    print("\nwhat a reader learns by adding up (base 5): intervals narrowed, counts known exactly beyond the rule")
    print(f"{'table':26}{'rule':>12}{'sums broken':>13}{'narrowed':>10}{'exact':>7}{'s':>8}")
    for name in names:
        table = table_of(name)
        if table.cells > SLOW_TO_AUDIT:
            continue
        for rule in ("controlled", "random", "nearest"):
            found = (
                controlled_rounding(table, 5, time_limit=10) if rule == "controlled" else round_table(table, 5, rule)
            )
            (low, high), seconds = timed(lambda f=found: f.intervals(seconds=20))
            below, above = found.rule_intervals()
            narrowed, known = ((high - low) < (above - below)).sum(), (low == high).sum() - (below == above).sum()
            print(f"{name:26}{rule:>12}{found.broken:>13}{narrowed:>10}{known:>7}{seconds:>8.2f}", flush=True)


def people(persons: int) -> pd.DataFrame:
    generator = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "site": generator.choice([f"S{i:02}" for i in range(47)], persons, p=generator.dirichlet(np.ones(47))),
            "age": generator.choice(["0-4", "5-9", "10-14", "15-19"], persons),
            "reg": generator.choice([f"R{i:02}" for i in range(16)], persons),
        }
    )


def cell_keys(persons: int, peers: Path | None) -> None:
    frame, secret = people(persons), CellKeySecret(bytes(32)).project("benchmark")
    frame["patient"] = np.arange(persons)
    table, load = timed(lambda: read_ptable(PTABLE))
    ours, seconds = timed(lambda: perturb_frame(frame, ["site", "age", "reg"], "patient", secret, table))
    print(f"\ncell keys, {persons:,} rows, {len(ours.values):,} cells with margins, {ours.broken} sums broken")
    print(f"  ours: {seconds:.2f} s with record keys by HMAC (p-table read in {load:.2f} s)")
    python = peers / "cellkey" / "bin" / "python" if peers else None
    if python is None or not python.exists():
        print("  ONS cell_key_perturbation: no environment, left out")
        return
    with tempfile.TemporaryDirectory() as folder:
        rows, lookups = Path(folder) / "rows.csv", Path(folder) / "ptable.csv"
        keyed = frame[["site", "age", "reg"]].assign(record_key=secret.of(frame["patient"].tolist()))
        keyed.to_csv(rows, index=False, quoting=csv.QUOTE_MINIMAL)
        write_ptable(table, lookups)
        answer = ask(python, "ons_cell_key", rows, lookups)
    published = ours.to_frame().set_index(["site", "age", "reg"])["value"].to_dict()
    same = sum(published[tuple(cell.split("|"))] == count for cell, count in answer["cells"].items())
    print(
        f"  ONS cell_key_perturbation {answer['version']}: {answer['seconds']:.2f} s, record keys given, without "
        f"margins; {same:,} of {len(answer['cells']):,} inner cells equal to ours; "
        f"{answer['seconds'] / seconds:.1f} times our time"
    )


def tau_argus(peers: Path | None) -> None:
    python = peers / "pytauargus" / "bin" / "python" if peers else None
    if python is None or not python.exists():
        print("\npytauargus: no environment, left out")
        return
    print("\npytauargus, controlled rounding of 47 x 16, N 3,000")
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows.csv"
        people(3000)[["site", "reg"]].to_csv(rows, index=False)
        for base in (5, 1000):
            answer = ask(python, "pytauargus_rounding", rows, base)
            said = f"{answer['seconds']:.2f} s" if "seconds" in answer else f"refused: {answer.get('refused')}"
            print(f"  {answer.get('version', '?')}, base {base}: {said}")


def ask(python: Path, script: str, *arguments: object) -> dict[str, object]:
    command = [str(python), str(ROOT / "peers" / f"{script}.py"), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    return json.loads(lines[-1]) if lines else {"refused": f"it stopped with code {done.returncode}"}


def attacks(quick: bool) -> None:
    print("\naveraging attack: answers until 95 of 100 analysts know a count of 20")
    print(f"{'p-table':24}{'made in s':>10}{'split':>8}{'subtract':>10}{'Hoeffding':>11}")
    for variance, deviation in ((1, 3), (2, 5)) if quick else ((1, 3), (2, 5), (4, 8), (8, 10)):
        table, seconds = timed(lambda v=variance, d=deviation: make_ptable(v, d))
        needed = [
            averaging_attack(table, 20, strategy=how, queries=1000, repeats=400, insecure_seed=1).needed()
            for how in ("split", "subtract")
        ]
        title = f"V = {variance}, D = {deviation}"
        print(f"{title:24}{seconds:>10.2f}{needed[0]:>8}{needed[1]:>10}{queries_that_suffice(table):>11,}", flush=True)


def recoding(persons: int) -> None:
    generator, frame = np.random.default_rng(1), people(persons)
    frame["stage"] = generator.choice(["L", "R", "M1", "M2", "X"], persons, p=[0.4, 0.2, 0.2, 0.1, 0.1])
    frame["year"] = generator.integers(2015, 2025, persons)
    levels = {
        "site": {"main": {f"G{i:02}": [f"S{j:02}" for j in range(4 * i, min(4 * i + 4, 47))] for i in range(12)}},
        "age": {"0-9, 10-19": {"0-9": ["0-4", "5-9"], "10-19": ["10-14", "15-19"]}},
        "reg": {"region": {f"N{i}": [f"R{j:02}" for j in range(4 * i, 4 * i + 4)] for i in range(4)}},
        "stage": {"tier 1": {"local": ["L"], "regional": ["R"], "metastatic": ["M1", "M2"], "unknown": ["X"]}},
        "year": {"by 2": pool(range(2015, 2025), 2), "by 5": pool(range(2015, 2025), 5)},
    }
    plan, seconds = timed(lambda: plan_recoding(frame, list(levels), levels=levels, minimum=5))
    print(
        f"\nrecoding planner, {persons:,} patients, {plan.lattice.counts.size:,} cells, {plan.lattice.nodes} recodings"
    )
    print(f"  {seconds:.2f} s: {plan!r}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--peers", type=Path)
    given = parser.parse_args()
    names = list(QUICK) if given.quick else list(STUDY)
    rounding(names, 10.0 if given.quick else 60.0)
    learned(names)
    cell_keys(5_000 if given.quick else 200_000, given.peers)
    tau_argus(given.peers)
    attacks(given.quick)
    recoding(3_000 if given.quick else 20_000)


if __name__ == "__main__":
    main()
