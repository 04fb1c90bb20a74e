"""Made-up registry rows for tests, with all that makes them hard: rules, two clocks, missing values, a rare group."""

from __future__ import annotations

import numpy as np
import pandas as pd

import pets
from pets.synthetic.encoding import Survival

DOMAIN = pets.Domain(
    site=["bone", "brain", "kidney"],
    stage=pets.Categorical(["I", "II", "III", "IV"], invalid="category"),
    sex=["f", "m"],
    age=pets.Integer(0, 17, bins=[0, 1, 5, 10, 17]),
    relapse_time=pets.Numeric(0, 10, resolution="0.01", bins=[0, 1, 2, 3, 5, 7, 10]),
    relapse=["no", "yes"],
    death_time=pets.Numeric(0, 10, resolution="0.01", bins=[0, 1, 2, 3, 5, 7, 10]),
    dead=["no", "yes"],
    impossible=[{"site": "brain", "stage": ["III", "IV"]}],
)
SURVIVAL = (Survival("relapse_time", "relapse"), Survival("death_time", "dead", after="relapse_time"))


def cohort(n: int, seed: int = 0) -> pd.DataFrame:
    """Return `n` children: stage doubles the hazard, death follows relapse."""
    rng = np.random.default_rng(seed)
    site = rng.choice(["bone", "brain", "kidney"], n, p=[0.1, 0.4, 0.5])
    stage = np.where(site == "brain", rng.choice(["I", "II"], n), rng.choice(["I", "II", "III", "IV"], n))
    hazard = 0.05 * 1.6 ** np.select([stage == "II", stage == "III", stage == "IV"], [1, 2, 3], 0)
    event, end = rng.exponential(1 / hazard), rng.uniform(2, 9.9, n)
    relapse = event < end
    first = np.minimum(event, end)
    death = first + rng.exponential(2, n)
    dead = relapse & (death < end)
    last = np.where(relapse, np.minimum(death, end), first)
    shown = stage.astype(object)
    shown[rng.random(n) < 0.03] = None
    return pd.DataFrame(
        {
            "site": site,
            "stage": shown,
            "sex": rng.choice(["f", "m"], n),
            "age": rng.integers(0, 18, n),
            "relapse_time": first.round(2),
            "relapse": np.where(relapse, "yes", "no"),
            "death_time": last.round(2),
            "dead": np.where(dead, "yes", "no"),
        }
    )
