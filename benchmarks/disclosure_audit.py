"""Audits of suppression patterns, differencing and reconstruction; pytauargus beside the audits.

``python -m benchmarks.disclosure_audit [--quick] [--peers FOLDER]``. FOLDER holds the environment ``pytauargus``, in
which ``benchmarks/peers/pytauargus_audit.py`` runs. Times are CPU seconds of one process. The pattern is the usual
home-made one: small cells, then the next smallest wherever a sum has a lone hidden cell, until there is none.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from benchmarks.disclosure_tables import Plain, study, two_way
from pets.disclosure.attacker import Attacker
from pets.disclosure.auditing import audit
from pets.disclosure.jj import write_jj
from pets.disclosure.reconstruction import reconstruct, tables_of
from pets.disclosure.relations import Relations
from pets.disclosure.table import Table

PEER = Path(__file__).parent / "peers" / "pytauargus_audit.py"
TIMEOUT = 300
LIMIT = 60.0

AUDITED = {
    "2-D 12x16, N 3,000": lambda: study("2-D 12x16, N 3,000"),
    "2-D 47x16, N 3,000": lambda: study("2-D 47x16, N 3,000"),
    "3-D 12x4x4, N 3,000": lambda: study("3-D 12x4x4, N 3,000"),
    "2-D 60x80": lambda: two_way(60, 80, 84_000),
    "3-D 12x4x16, N 20,000": lambda: study("3-D 12x4x16, N 20,000"),
    "4-D 12x4x2x4, N 3,000": lambda: study("4-D 12x4x2x4, N 3,000"),
    "3-D 47x4x16, N 3,000": lambda: study("3-D 47x4x16, N 3,000"),
}
QUICK = 4

REBUILT = [
    # persons, categories of each variable, ways of the tables, counts under this one hidden, goal in seconds
    (50, (12, 4, 2, 4, 5), 3, None, 1),
    (100, (12, 4, 2, 4, 5), 3, None, 1),
    (200, (12, 4, 2, 4, 5), 3, None, 10),
    (100, (12, 4, 2, 4, 5), 3, 5, 10),
    (300, (12, 4, 2, 4), 3, 5, 60),
    (1000, (12, 4, 2, 4), 3, None, 60),
    (500, (12, 4, 2, 4, 5), 3, None, 300),
]


def timed(work: Callable[[], Any]) -> tuple[Any, float]:
    start = time.process_time()
    found = work()
    return found, time.process_time() - start


def home_made(table: Table) -> NDArray[np.bool_]:
    """Hide the next smallest cell wherever a sum has a lone hidden one, until there is none."""
    hidden = table.primary.copy()
    changed = True
    while changed:
        changed = False
        for number in range(table.relations.count):
            cells, _, _ = table.relations.row(number)
            rest = [cell for cell in cells if not hidden[cell] and not table.frozen[cell]]
            if hidden[cells].sum() == 1 and rest:
                hidden[min(rest, key=lambda cell: table.values[cell])] = True
                changed = True
    return hidden


def theirs(table: Table, hidden: NDArray[np.bool_], peers: Path | None) -> tuple[dict[int, list[float]], float] | None:
    """Run pytauargus on the same table and pattern."""
    python = None if peers is None else peers / "pytauargus" / "bin" / "python"
    if python is None or not python.exists():
        return None
    marked = Table(
        table.values, table.relations, primary=table.primary, forced=hidden & ~table.primary, cost=table.cost,
        upper=np.full(table.cells, table.values.max()), lower_protection=table.primary.astype(float),
        upper_protection=table.primary.astype(float),
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        write_jj(marked, Path(folder) / "table.jj")
        try:
            done = subprocess.run(
                [python, PEER, Path(folder) / "table.jj"], capture_output=True, text=True, check=True, timeout=TIMEOUT
            )
        except (subprocess.SubprocessError, OSError) as error:
            print(f"    pytauargus: {type(error).__name__}")
            return None
    found = json.loads(done.stdout[done.stdout.index("{") :])
    return {int(cell): ends for cell, ends in found["ends"].items()}, found["seconds"]


def compare(table: Table, hidden: NDArray[np.bool_], ends: dict[int, list[float]]) -> str:
    """Say how many real-valued ranges agree: both sides know the same then."""
    bounded = Table(
        table.values, table.relations, primary=table.primary, upper=np.full(table.cells, table.values.max())
    )
    mine = audit(bounded, hidden, "classic")
    same = sum(
        np.allclose(ends[int(cell)], [low, high], atol=1e-4)
        for cell, low, high in zip(mine.cells, mine.low, mine.high, strict=True)
        if int(cell) in ends
    )
    return f"{same} of {len(ends)} ranges equal ours"


def audits(quick: bool, peers: Path | None) -> None:
    print(f"{'table':<26}{'cells':>7}{'hidden':>8}  {'reader':<22}{'exact':>6}{'narrow':>8}{'open':>6}{'seconds':>9}")
    for number, (name, make) in enumerate(AUDITED.items()):
        if quick and number >= QUICK:
            break
        table = as_table(make())
        hidden = home_made(table)
        readers = {
            "adds up": Attacker(zeros_known=False),
            "knows printed zeros": Attacker(),
            "strongest": Attacker.STRONGEST,
        }
        for who, attacker in readers.items():
            found, seconds = timed(partial(audit, table, hidden, attacker, time_limit=LIMIT))
            exact = sum(leak.kind == "exact" for leak in found.leaks)
            narrow = len(found.leaks) - exact
            print(
                f"{name:<26}{table.cells:>7}{hidden.sum():>8}  {who:<22}{exact:>6}{narrow:>8}"
                f"{(~found.settled).sum():>6}{seconds:>9.2f}",
                flush=True,
            )
        peer = theirs(table, hidden, peers)
        if peer is not None:
            exact = sum(low == high for cell, (low, high) in peer[0].items() if table.primary[cell])
            note = compare(table, hidden, peer[0])
            print(f"{'':<41}  {'pytauargus, adds up':<22}{exact:>6}{'':>14}{peer[1]:>9.2f}  {note}", flush=True)


def as_table(plain: Plain) -> Table:
    values = plain.values.astype(float)
    rows = Relations.from_rows((cells, signs, 0.0) for cells, signs in plain.relations)
    return Table(values, rows, primary=(values > 0) & (values < 5), frozen=values == 0, primary_range=(1, 4))


def people(number: int, sizes: tuple[int, ...]) -> pd.DataFrame:
    rng = np.random.default_rng(number)
    weights = [rng.dirichlet(np.full(size, 3.0)) for size in sizes]
    return pd.DataFrame({f"v{i}": rng.choice(len(w), number, p=w).astype(str) for i, w in enumerate(weights)})


def rebuilt(quick: bool) -> None:
    head = f"{'published':<26}{'proven':>8}{'one guess':>11}{'open':>6}{'seconds':>9}"
    print(f"\n{'records':>8}{'combinations':>14}  {head}")
    for number, sizes, ways, below, goal in REBUILT[: 4 if quick else None]:
        frame = people(number, sizes)
        labels, tables, counts = tables_of(frame, list(frame.columns), ways, hide_below=below)
        found, seconds = timed(partial(reconstruct, labels, tables, time_limit=goal))
        guess = found.compared(counts).true_matches
        text = f"all {ways}-way" + (f", 1-{below - 1} hidden" if below else "")
        print(
            f"{number:>8}{int(np.prod(sizes)):>14}  {text:<26}{found.proven / number:>8.0%}"
            f"{'–' if guess is None else f'{guess / number:.0%}':>11}{found.undecided:>6}{seconds:>9.2f}", flush=True
        )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--peers", type=Path)
    chosen = parser.parse_args()
    audits(chosen.quick, chosen.peers)
    rebuilt(chosen.quick)


if __name__ == "__main__":
    main()
