"""Complementary suppression: cost, bound and CPU seconds, with pytauargus (OPT, MOD) and primaries only beside ours.

    python -m benchmarks.disclosure_suppression [--quick] [--peers FOLDER] [--seconds 60]

`scripts/bench_disclosure.sh` makes the peers' environment. pytauargus gets the tables without hierarchies (its modular
method crashes on some hierarchical ones); acro hides primaries only, which is the line "primaries only": what our
audit recovers exactly of them. Tables are made up by `disclosure_tables`, seeded.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

from benchmarks.disclosure_tables import STUDY, Plain, study, to_table, two_way
from pets.disclosure.attacker import Attacker
from pets.disclosure.auditing import audit
from pets.disclosure.complementary import suppress
from pets.disclosure.table import Table

TWO_WAY = {
    "2-D 20x30, N 30,000": (20, 30, 30_000),
    "2-D 60x80, N 100,000": (60, 80, 100_000),
}
QUICK = ("2-D 20x30, N 30,000", "2-D 12x16, N 3,000", "3-D 12x4x4, N 3,000")
FLAT = ("2-D 20x30, N 30,000", "2-D 60x80, N 100,000", "3-D 12x4x4, N 20,000", "3-D 12x4x4, N 3,000")
FAST_ONLY = ("3-D 47x4x16, N 20,000",)


def plain_of(name: str) -> Plain:
    return two_way(*TWO_WAY[name]) if name in TWO_WAY else study(name)


def ours(table: Table, attacker: str, method: str, seconds: float) -> dict[str, object]:
    start = time.process_time()
    found = suppress(table, attacker, time_limit=seconds, method=method)  # type: ignore[arg-type]
    return {
        "seconds": time.process_time() - start,
        "number": int(found.secondary.sum()),
        "cost": found.cost,
        "bound": found.bound,
        "optimal": found.optimal,
        "hidden": found.suppressed,
    }


def peer(folder: Path | None, plain: Plain, method: str, limit: float) -> dict[str, object]:
    """Run pytauargus on the rows behind a table without hierarchies, in a process of its own."""
    python = None if folder is None else folder / "pytauargus" / "bin" / "python"
    if python is None or not python.exists():
        return {"refused": "not installed"}
    leaf = np.all([codes != "T" for codes in plain.codes], axis=0)
    script = Path(__file__).resolve().parent / "peers" / "pytauargus_suppression.py"
    with tempfile.TemporaryDirectory() as made:
        rows = Path(made) / "rows.csv"
        with rows.open("w", newline="") as stream:
            write = csv.writer(stream)
            write.writerow([f"v{k}" for k in range(len(plain.codes))])
            for cell in np.flatnonzero(leaf):
                line = [f"{codes[cell][0]}{int(codes[cell][1:]):03d}" for codes in plain.codes]
                write.writerows([line] * int(plain.values[cell]))
        try:
            done = subprocess.run(
                [str(python.absolute()), str(script), str(rows), method],
                capture_output=True,
                text=True,
                timeout=limit,
                cwd=made,  # it leaves logs where it runs
                check=False,
            )
        except subprocess.TimeoutExpired:
            return {"refused": f"none in {limit:.0f} s"}
    lines = done.stdout.strip().splitlines()
    return json.loads(lines[-1]) if lines else {"refused": f"crashed ({done.returncode})"}


def line(name: str, who: str, found: dict[str, object], base: float, lost: str) -> str:
    if "refused" in found:
        return f"| {name} | {who} | | | {found['refused']} | | |"
    seconds, cost = float(found["seconds"]), float(found["cost"])  # type: ignore[arg-type]
    bound = "" if "bound" not in found else f"{'proven' if found['optimal'] else format(found['bound'], ',.0f')}"
    ratio = f"{seconds / base:.2g}x" if base else ""
    return f"| {name} | {who} | {found['number']} | {cost:,.0f} | {bound} | {seconds:.2f} | {ratio} | {lost} |"


def exact(table: Table, hidden: np.ndarray) -> str:
    found = audit(table, hidden, Attacker(), thorough=False)
    return str(sum(leak.kind == "exact" for leak in found.leaks))


def bench(name: str, peers: Path | None, seconds: float) -> None:
    plain = plain_of(name)
    table = to_table(plain)
    size = f"{name} ({table.cells:,}; {int(table.primary.sum()):,})"
    bare = {"seconds": 0.0, "number": 0, "cost": 0.0}
    print(line(size, "primaries only (acro)", bare, 0.0, exact(table, table.primary)), flush=True)
    methods = ("fast",) if name in FAST_ONLY else ("optimal", "fast")
    base = 0.0
    for attacker in ("classic", "default"):
        for method in methods:
            found = ours(table, attacker, method, seconds)
            base = base or float(found["seconds"])  # type: ignore[arg-type]
            lost = exact(table, found["hidden"])  # type: ignore[arg-type]
            print(line(size, f"pets {method}, {attacker}", found, base, lost), flush=True)
    for method in ("OPT", "MOD") if name in FLAT else ():
        print(line(size, f"pytauargus {method}", peer(peers, plain, method, 2 * seconds), base, ""), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--seconds", type=float, default=60.0)
    given = parser.parse_args()
    names = QUICK if given.quick else (*TWO_WAY, *(name for name in STUDY if "5" not in name.split(",")[0]))
    print("| table (cells; primaries) | method | complementary | value | bound | CPU s | times | exact, zeros known |")
    print("|---|---|---|---|---|---|---|---|")
    for name in names:
        bench(name, given.peers, given.seconds)


if __name__ == "__main__":
    main()
