"""What does secondary suppression lose, and is it optimal?

Made-up registry tables of known shapes, hidden by today's rule alone, by our two methods, and by pytauargus where it
has an environment. Nothing here is random, so a point is exact; only times are timings. What leaks is what our audit
works out exactly from the printed cells, by linear programs, for a reader who knows that an empty cell is empty.
"""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from benchmarks.disclosure_suppression import peer
from benchmarks.disclosure_tables import Plain, study, to_table, two_way
from benchmarks.harness import points
from benchmarks.harness.results import Found
from benchmarks.harness.running import Amount
from benchmarks.harness.techniques import NONE, TODAY
from pets.disclosure import Attacker, Table, audit, suppress

TABLES: dict[str, tuple[int, int, int] | str] = {
    "8 x 6": (8, 6, 600), "12 x 8": (12, 8, 1500), "20 x 10": (20, 10, 4000), "20 x 30": (20, 30, 30_000),
    "47 x 16": "2-D 47x16, N 3,000", "12 x 4 x 4": "3-D 12x4x4, N 3,000", "60 x 80": (60, 80, 100_000),
    "12 x 4 x 4, large": "3-D 12x4x4, N 20,000",
}  # fmt: skip
QUICK = ("8 x 6", "12 x 8", "20 x 10", "20 x 30")
LIMIT = 60.0
ROUNDS, LONG = 3, 10.0
"""Timings of each pattern, and the seconds above which one is enough."""


def run(amount: Amount) -> Found:
    """Return the points."""
    found = Found()
    suppress(to_table(two_way(*TABLES["8 x 6"])), Attacker())  # the first one loads the solver
    for name in TABLES if amount.full else QUICK:
        shape = TABLES[name]
        plain = study(shape) if isinstance(shape, str) else two_way(*shape)
        table = to_table(plain)
        at = {"setting": name, "n": table.cells}
        found.update(_shown(TODAY, table, table.primary, "primaries only", [], at))
        found.add(points.exact(NONE, "share of cells hidden", 0, **at))
        for method in ("optimal", "fast"):
            seconds: list[float] = []
            while len(seconds) < ROUNDS and sum(seconds) < LONG:
                start = time.process_time()
                result = suppress(table, Attacker(), time_limit=LIMIT if amount.full else 10.0, method=method)  # type: ignore[arg-type]
                seconds.append(time.process_time() - start)
            found.update(_shown("SuppressCells", table, result.suppressed, method, seconds, at))
            label = f"{name}; {method}"
            found.add(
                points.exact("SuppressCells", "cost", result.cost, setting=label, n=table.cells),
                points.exact("SuppressCells", "lower bound of the cost", result.bound, setting=label, n=table.cells),
                points.exact("SuppressCells", "proven optimal", result.optimal, setting=label, n=table.cells),
            )
        _pytauargus(found, plain, table, name, amount.peers)
    return found


def _shown(
    name: str, table: Table, hidden: np.ndarray, method: str, seconds: list[float], at: dict[str, object]
) -> list:
    leaks = audit(table, hidden, Attacker(), thorough=False)
    small = int(table.primary.sum())
    exact = sum(leak.kind == "exact" for leak in leaks.leaks)
    made = [
        points.exact(name, "share of cells hidden", hidden.mean(), setting=f"{at['setting']}; {method}", n=at["n"]),
        points.exact(
            name, "share of cases hidden", _cases(table, hidden), setting=f"{at['setting']}; {method}", n=at["n"]
        ),
        points.exact(
            name, "small cells recovered", exact / small if small else 0, setting=f"{at['setting']}; {method}", n=small
        ),
    ]
    if seconds:
        made.append(points.timing(name, "CPU seconds", seconds, setting=f"{at['setting']}; {method}", n=at["n"]))
    return made


def _cases(table: Table, hidden: np.ndarray) -> float:
    """Return the share of all cases that are in hidden inner cells."""
    inner = np.all([np.asarray(codes) != "T" for codes in table.codes], axis=0)
    values = np.asarray(table.values)
    return float(values[inner & hidden].sum() / values[inner].sum())


def _pytauargus(found: Found, plain: Plain, table: Table, name: str, folder: Path | None) -> None:
    nested = any("." in str(code) for codes in plain.codes for code in codes)
    if nested:
        found.not_run[f"pytauargus, {name}"] = "this table has hierarchies, on some of which its modular method crashes"
        return
    for method in ("OPT", "MOD"):
        said = peer(folder, plain, method, 2 * LIMIT)
        label = f"{name}; {method}"
        if "refused" in said:
            found.not_run[f"pytauargus, {label}"] = str(said["refused"])
            continue
        found.add(
            points.exact("pytauargus", "cost", said["cost"], setting=label, n=table.cells),
            points.timing("pytauargus", "CPU seconds", [float(said["seconds"])], setting=label, n=table.cells),
        )
