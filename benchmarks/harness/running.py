"""Run suites, two at a time, and write what they return."""

from __future__ import annotations

import importlib
import os
import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from benchmarks.harness.results import Found, stamp, write

SUITES = (
    "synthetic", "attacks", "secure_sum", "survival_and_rates", "mechanisms", "suppression", "peers", "honesty",
    "rare_cells", "many_tables", "who_adds_noise",
)  # fmt: skip
"""Longest first, so that two processes end at about the same time."""
THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Amount:
    """How much a suite does."""

    full: bool
    seed: int = 2026
    peers: Path | None = None

    @property
    def mode(self) -> str:
        """``quick`` or ``full``."""
        return "full" if self.full else "quick"

    def of(self, quick: int, full: int) -> int:
        """Return one of two numbers."""
        return full if self.full else quick


def title(name: str) -> str:
    """Return the first line of a suite's documentation: its question."""
    module = importlib.import_module(f"benchmarks.suites.{name}")
    return (module.__doc__ or "").strip().splitlines()[0]


def run_one(name: str, amount: Amount, folder: Path) -> tuple[str, float, int]:
    """Run one suite; return its name, CPU seconds and number of points."""
    work: Callable[[Amount], Found] = importlib.import_module(f"benchmarks.suites.{name}").run
    start, about = time.process_time(), stamp(amount.mode, amount.seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = work(amount)
    seconds = time.process_time() - start
    write(folder, name, found, about | {"cpu seconds": round(seconds, 1)})
    return name, seconds, len(found.points)


def run(
    names: Sequence[str], amount: Amount, folder: Path, processes: int, done: Callable[[str, float, int], None]
) -> None:
    """Run suites in so many processes; `done` hears of each that ends."""
    for variable in THREADS:  # before a child reads NumPy
        os.environ.setdefault(variable, "1")
    if processes == 1:
        for name in names:
            done(*run_one(name, amount, folder))
        return
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        for future in as_completed([pool.submit(run_one, name, amount, folder) for name in names]):
            done(*future.result())
