"""What every peer script shares: the cases, the data, the clock and the line that is printed.

Needs only the standard library and NumPy, because each peer runs with an interpreter of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import numpy as np

Result = TypeVar("Result")


@dataclass(frozen=True)
class Case:
    """So many sites bring so many integers each, from 0 to the bound."""

    sites: int
    size: int
    bound: int = 2**20 - 1

    @property
    def title(self) -> str:
        return f"{self.sites} sites x {self.size:,} values"


CASES = {
    "a": Case(10, 10_000),
    "b": Case(10, 1_000_000),
    "c": Case(100, 10_000),
    "cells": Case(3, 10_000, bound=5),
}
"""`cells` is the small-cell check: three parties open only totals of at least `MINIMUM`."""

MINIMUM = 5


@dataclass(frozen=True)
class Measurement:
    """One line. Times are CPU milliseconds on one core unless the name says wall; ``None`` is 'no such role'.

    `site_ms` is the best of the sites, from int64 vector to bytes. `aggregator_ms` is all that the adding party does.
    `open_ms` is what a key holder, or the other servers together, do besides. `dropped` sites
    vanished after sharing their keys.
    """

    peer: str
    version: str
    case: str
    site_ms: float | None
    aggregator_ms: float | None
    wall_ms: float | None
    up_bytes_per_value: float | None
    exact: bool
    extrapolated: bool = False
    note: str = ""
    open_ms: float | None = None
    dropped: int = 0


def inputs(case: Case) -> np.ndarray:
    """Return the same made-up int64 vectors, one row a site, in every process."""
    generator = np.random.default_rng(2026)
    return generator.integers(0, case.bound, (case.sites, case.size), dtype=np.int64, endpoint=True)


def timed(work: Callable[[], Result]) -> tuple[Result, float]:
    """Return the result and the CPU milliseconds of this process, all threads together."""
    start = time.process_time()
    result = work()
    return result, 1e3 * (time.process_time() - start)


class Wall:
    """Milliseconds since it was made."""

    def __init__(self) -> None:
        self.start = time.perf_counter()

    def __call__(self) -> float:
        return 1e3 * (time.perf_counter() - self.start)


_STDOUT = os.dup(1)


def arguments(description: str | None, cases: str = "a b c", *options: dict[str, Any]) -> argparse.Namespace:
    """Parse the command line, and drop what libraries print: `report` alone keeps the standard output."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", choices=cases.split(), default="a")
    parser.add_argument("--json", action="store_true", help="one JSON object a line instead of text")
    for option in options:
        parser.add_argument(option.pop("flag"), **option)
    parsed = parser.parse_args()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return parsed


def report(measurement: Measurement, as_json: bool) -> None:
    """Print one measurement."""
    fields = asdict(measurement)
    if as_json:
        line = json.dumps(fields)
    else:
        line = "  ".join(f"{k}={f'{v:.3f}' if isinstance(v, float) else v}" for k, v in fields.items() if v is not None)
    os.write(_STDOUT, (line + "\n").encode())


def largest_difference(found: Any, true: np.ndarray) -> float:
    """Return the largest absolute error of a total."""
    return float(np.max(np.abs(np.asarray(found, dtype=np.float64)[: true.size] - true)))
