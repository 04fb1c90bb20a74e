"""Speed of private selection beside its peers, one core, CPU time, ratios within one run.

    python -m benchmarks.selection [--quick]

Each contender chooses once among n integer scores at epsilon 1, or answers n times (randomised response). Scores are
integers below 1,000, the same for all. A contender that cannot be imported is skipped with a note; slow ones get fewer
candidates (-).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.samplers import _diffprivlib_mechanisms, seconds
from pets import Count, Domain
from pets.csprng import InsecureRandom, secure_random
from pets.dp.randomized_response import respond
from pets.dp.selection import ExponentialMechanism, PermuteAndFlip, ReportNoisyMax, TopK
from pets.query import BoundQuery

SIZES = (10, 1_000, 100_000)
CATEGORIES, TOP = 20, 10
Work = Callable[[], object]


@dataclass(frozen=True)
class Contender:
    """One implementation: its name, what it does for a task and size, and the most candidates it is asked for."""

    name: str
    work: Callable[[str, int], Work | None]
    most: int = 10**9


def scores(n: int) -> np.ndarray:
    return (InsecureRandom(insecure_seed=n).words(n, np.uint64) % 1000).astype(np.int64)


def query(n: int) -> BoundQuery:
    return Count(by=["cell"]).bind(Domain(cell=[f"c{i}" for i in range(n)]))


def ours() -> Contender:
    makers: dict[str, Any] = {
        "exponential mechanism": ExponentialMechanism(1),
        "permute-and-flip": PermuteAndFlip(1),
        "noisy max with its lead": ReportNoisyMax(1),
        f"top {TOP} by peeling": TopK(TOP, 1, method="peeling"),
    }

    def work(task: str, n: int) -> Work | None:
        values = scores(n)
        if task == "randomised response":
            truth = values % CATEGORIES
            return lambda: respond(truth, CATEGORIES, Fraction(1), secure_random())
        if task not in makers or (n <= TOP and "top" in task):
            return None
        bound, mechanism = query(n), makers[task]
        return lambda: mechanism.choose(values, bound, secure_random())

    return Contender("pets", work)


def opendp(most: int) -> Contender:
    import opendp.prelude as dp

    dp.enable_features("contrib")
    space = dp.vector_domain(dp.atom_domain(T=int)), dp.linf_distance(T=int, monotonic=True)

    def work(task: str, n: int) -> Work | None:
        values = scores(n).tolist()
        if task == "randomised response" and n > 1_000:
            return None  # one call a response, hence linear
        if task == "randomised response":
            answer = dp.m.make_randomized_response(categories=list(range(CATEGORIES)), prob=0.125)
            return lambda: [answer(v % CATEGORIES) for v in values]
        if task == "permute-and-flip":
            choose = dp.m.make_noisy_max(*space, dp.max_divergence(), scale=1.0)
        elif task == "exponential mechanism":
            choose = dp.m.make_noisy_max(*space, dp.zero_concentrated_divergence(), scale=1.0)
        elif "top" in task and n > TOP:
            choose = dp.m.make_noisy_top_k(*space, dp.zero_concentrated_divergence(), k=TOP, scale=float(TOP))
        else:
            return None
        return lambda: choose(values)

    return Contender("opendp", work, most)


def diffprivlib(most: int) -> Contender:
    mechanisms = _diffprivlib_mechanisms()
    names = {"exponential mechanism": "Exponential", "permute-and-flip": "PermuteAndFlip"}

    def work(task: str, n: int) -> Work | None:
        if task not in names:
            return None
        kind, utility = getattr(mechanisms, names[task]), scores(n).astype(float).tolist()
        # Utilities belong to its constructor, which checks and normalises them: a new choice needs a new one.
        return lambda: kind(epsilon=1, sensitivity=1, utility=utility, monotonic=True).randomise()

    return Contender("diffprivlib", work, most)


def contenders(most: int, console: Console) -> Iterator[Contender]:
    yield ours()
    for make in (opendp, diffprivlib):
        try:
            yield make(most)
        except (ImportError, AttributeError) as why:
            console.print(f"[yellow]skipped {make.__name__}: {why}[/]")


TASKS = (
    "exponential mechanism", "permute-and-flip", "noisy max with its lead", f"top {TOP} by peeling",
    "randomised response",
)  # fmt: skip


def table(task: str, entrants: list[Contender], repetitions: int) -> Table:
    made = Table(title=task)
    made.add_column("implementation")
    for n in SIZES:
        made.add_column(f"{n:,}", justify="right")
        made.add_column("pets is faster by", justify="right")
    reference: dict[int, float] = {}
    for entrant in entrants:
        row = [entrant.name]
        for n in SIZES:
            work = entrant.work(task, n) if n <= entrant.most else None
            if work is None:
                row += ["-", "-"]
                continue
            calls = max(1, 1000 // n)
            taken = seconds(lambda: [work() for _ in range(calls)], repetitions) / calls  # noqa: B023
            reference.setdefault(n, taken)
            row += [f"{taken * 1e6:,.0f} us", f"{taken / reference[n]:,.2f}x"]
        made.add_row(*row)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer repetitions, and fewer candidates for slow peers")
    quick = parser.parse_args().quick
    console = Console(width=140)
    entrants = list(contenders(1_000 if quick else 100_000, console))
    for task in TASKS:
        console.print(table(task, entrants, 3 if quick else 7))


if __name__ == "__main__":
    main()
