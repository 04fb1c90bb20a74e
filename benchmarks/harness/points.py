"""One measured or computed number, and how sure it is.

A point comes from an exact formula (or a deterministic computation), from at least 200 replicates with a 95 % interval,
or, for times only, from so many timings with their range. What takes minutes a run (some peers, attacks on whole fits)
has ``few`` runs, says how many, and is marked in every figure and table.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

FEWEST = 200
_Z = 1.959963984540054
COLUMNS = (
    "suite", "family", "technique", "epsilon", "cell", "setting", "quantity", "value", "low", "high", "basis",
    "replicates", "n",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Point:
    """A tidy row.

    `cell` is the true count of the cell it is about; `n` how many persons, cells or sites, as the setting says; `basis`
    is ``exact``, ``replicates``, ``timing`` or ``few``.
    """

    technique: str
    quantity: str
    value: float
    low: float
    high: float
    basis: str
    replicates: int | None = None
    epsilon: float | None = None
    cell: int | None = None
    n: int | None = None
    setting: str = ""

    def __post_init__(self) -> None:
        if not self.low <= self.value <= self.high:
            raise ValueError(f"{self.technique}, {self.quantity}: {self.low} <= {self.value} <= {self.high} is false")
        if self.basis == "replicates" and (self.replicates or 0) < FEWEST:
            raise ValueError(f"{self.technique}, {self.quantity}: {self.replicates} replicates are fewer than {FEWEST}")

    def row(self, suite: str, family: str) -> dict[str, Any]:
        """Return the row of the results file."""
        return {"suite": suite, "family": family} | asdict(self)


def exact(technique: str, quantity: str, value: float, **at: Any) -> Point:
    """Return a point that a formula, or a computation without chance, gives."""
    return Point(technique, quantity, float(value), float(value), float(value), "exact", None, **at)


def mean(technique: str, quantity: str, values: ArrayLike, **at: Any) -> Point:
    """Return the mean of one number for each replicate, with its normal interval."""
    data = np.asarray(values, dtype=float)
    middle, half = float(data.mean()), _Z * float(data.std(ddof=1)) / math.sqrt(data.size)
    return Point(technique, quantity, middle, middle - half, middle + half, "replicates", data.size, **at)


def root_mean(technique: str, quantity: str, squares: ArrayLike, **at: Any) -> Point:
    """Return the root of the mean of one squared error for each replicate."""
    found = mean(technique, quantity, squares, **at)
    low, value, high = (math.sqrt(max(0.0, x)) for x in (found.low, found.value, found.high))
    return Point(technique, quantity, value, low, high, "replicates", found.replicates, **at)


def share(technique: str, quantity: str, successes: int, trials: int, **at: Any) -> Point:
    """Return a share with Wilson's interval."""
    low, high = wilson(successes, trials)
    return Point(technique, quantity, successes / trials, low, high, "replicates", trials, **at)


def wilson(successes: int, trials: int, z: float = _Z) -> tuple[float, float]:
    """Return Wilson's interval of a share."""
    p = successes / trials
    centre, spread = p + z * z / (2 * trials), z * math.sqrt(p * (1 - p) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    return max(0.0, min(p, (centre - spread) / scale)), min(1.0, max(p, (centre + spread) / scale))


def timing(technique: str, quantity: str, samples: Sequence[float], **at: Any) -> Point:
    """Return the median of several timings with their range."""
    return Point(
        technique, quantity, float(np.median(samples)), min(samples), max(samples), "timing", len(samples), **at
    )


def few(technique: str, quantity: str, samples: Sequence[float], **at: Any) -> Point:
    """Return the mean of the few runs that a slow peer allows, with their range."""
    return Point(technique, quantity, float(np.mean(samples)), min(samples), max(samples), "few", len(samples), **at)
