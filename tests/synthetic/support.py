"""Small domains, rows and a stand-in for the noise that shows what each step would lose."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

import pets
from pets.csprng import InsecureRandom
from pets.synthetic import Survival
from pets.synthetic.encoding import Encoding


def small_domain(**unit: Any) -> pets.Domain:
    """Columns of each kind, with a rule, a missing category and a clock that runs after another."""
    return pets.Domain(
        site=pets.Categorical(["brain", "kidney", "liver"], invalid="category"),
        stage=["I", "II", "III"],
        relapse_time=pets.Numeric(0, 10, resolution="0.5", bins=[0, 1, 3, 10], invalid="clamp"),
        relapse=["no", "yes"],
        death_time=pets.Numeric(0, 10, resolution="0.5", bins=[0, 1, 3, 10], invalid="clamp"),
        dead=[0, 1],
        unit=pets.PrivacyUnit(**unit),
        impossible=[{"site": "brain", "stage": ["II", "III"]}],
    )


SURVIVAL = (
    Survival("relapse_time", "relapse", by=["stage"]),
    Survival("death_time", "dead", after="relapse_time"),
)


def small_rows(rows: int, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    site = random.choice(np.array(["brain", "kidney", "liver", None], dtype=object), rows, p=[0.3, 0.4, 0.25, 0.05])
    stage = np.where(site == "brain", "I", random.choice(["I", "II", "III"], rows))
    first = np.round(random.exponential(3, rows).clip(0, 10) * 2) / 2
    relapse = random.random(rows) < np.where(stage == "III", 0.5, 0.2)
    gap = np.round(random.exponential(2, rows) * 2) / 2
    last = np.where(relapse, np.minimum(first + gap, 10), first)
    return pd.DataFrame(
        {
            "site": site,
            "stage": stage,
            "relapse_time": first,
            "relapse": np.where(relapse, "yes", "no"),
            "death_time": last,
            "dead": (random.random(rows) < 0.3).astype(int),
        }
    )


def every_row(encoding: Encoding) -> np.ndarray:
    """Codes of every row that no rule forbids, shape (columns, rows)."""
    from pets.synthetic.encoding.rules import allowed

    rows = np.array(list(product(*(range(size) for size in encoding.sizes))), dtype=np.int64).T
    return rows[:, allowed(encoding.zeros, rows)]


@dataclass
class Step:
    """One look at the data: what would be asked, and the parameter of its noise."""

    kind: str
    asked: np.ndarray
    parameter: Fraction


@dataclass
class Recorder:
    """Stands in for :class:`pets.synthetic.draws.Draws`: answers do not depend on the data, and all looks are kept.

    Two runs with the same seed get the same answers. If they then do different things, the data have reached them by
    another way than through the noise.
    """

    seed: int
    level: float = 30.0
    steps: list[Step] = field(default_factory=list)
    are_secure: bool = False

    def __post_init__(self) -> None:
        self.random = np.random.default_rng(self.seed)
        self.coins = InsecureRandom(insecure_seed=self.seed)

    def noisy(self, counts: np.ndarray, sigma2: Fraction) -> np.ndarray:
        self.steps.append(Step("table", np.array(counts), sigma2))
        return self.random.poisson(self.level, counts.shape).astype(np.int64)

    def counted(self, exact: int, scale: Fraction) -> int:
        self.steps.append(Step("count", np.array([exact]), scale))
        return 300

    def choose(self, scores: np.ndarray, rate: Fraction) -> int:
        self.steps.append(Step("choice", np.array(scores), rate))
        return int(self.random.integers(len(scores)))
