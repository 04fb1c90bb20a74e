"""The tables that several suites protect: real counts of children with cancer in one small country and in 21."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

import pets
from pets.datasets import AGE_GROUPS, EUROPE_21, ci5_children, one_row_per_case

if TYPE_CHECKING:
    import pandas as pd

SEXES = ("female", "male")
EPSILONS = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0)
DELTA = "1e-6"
CELLS = (1, 5, 20)
"""The sizes that the scoreboard shows."""
BUCKETS = {1: (1, 1), 5: (4, 6), 20: (15, 25)}
"""Which true counts of the study table stand for each size."""


@dataclass(frozen=True, eq=False)
class Study:
    """A table of counts, one row for each case, and what is public about it."""

    frame: pd.DataFrame
    query: pets.query.BoundQuery
    counts: NDArray[np.int64]

    @property
    def domain(self) -> pets.Domain:
        """What is declared."""
        return self.query.domain

    @property
    def tally(self) -> pets.Tally:
        """The confidential counts."""
        return pets.Tally(self.counts, self.query.signature)

    def bucket(self, size: int) -> NDArray[np.bool_]:
        """Return which cells stand for a size."""
        low, high = BUCKETS[size]
        return (self.counts >= low) & (self.counts <= high)


@lru_cache(maxsize=4)
def ireland(sites: int = 12, neighbours: str = "add_remove") -> Study:
    """Return the most frequent cancers of ages 0-19 in Ireland, by site, sex and age group."""
    table = ci5_children()
    table = table[table["registry"] == "Ireland"]
    most = table.groupby("site")["cases"].sum().sort_values(ascending=False, kind="stable").index[:sites]
    rows = one_row_per_case(table[table["site"].isin(most)])[["site", "sex", "age_group"]]
    unit = pets.PrivacyUnit(neighbours=neighbours)  # type: ignore[arg-type]
    columns = {"site": most, "sex": SEXES, "age_group": AGE_GROUPS}
    complete = {name: pets.Categorical(list(values), invalid="error") for name, values in columns.items()}
    domain = pets.Domain(complete, unit=unit)
    query = pets.Count(by=["site", "sex", "age_group"]).bind(domain)
    counts = query.tally(rows).values
    return Study(rows, query, counts)


@lru_cache(maxsize=1)
def liver() -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return liver cancers of 21 registries by sex and age under 15, shape (21, 6), and person-years of all by cell."""
    table = ci5_children()
    children = table[table["registry"].isin(EUROPE_21) & table["age_group"].isin(AGE_GROUPS[:3])]
    chosen = children[children["site"] == "Liver"]
    order = [(sex, age) for sex in SEXES for age in AGE_GROUPS[:3]]
    wide = chosen.pivot_table(index="registry", columns=["sex", "age_group"], values="cases", aggfunc="sum")[order]
    years = chosen.groupby(["sex", "age_group"])["person_years"].sum().loc[order]
    return wide.to_numpy(dtype=np.int64), years.to_numpy(dtype=np.float64)


@lru_cache(maxsize=8)
def one_cell(max_rows: int = 1) -> pets.query.BoundQuery:
    """Return the smallest question: one count by one attribute."""
    unit = pets.PrivacyUnit(max_rows=max_rows, id=None if max_rows == 1 else "patient_id")
    return pets.Count(by=["group"]).bind(pets.Domain(group=["a", "b"], unit=unit))


@lru_cache(maxsize=256)
def gaussian(epsilon: float) -> pets.dp.DiscreteGaussian:
    """Return discrete Gaussian noise of the largest zCDP loss that implies (epsilon, delta)-DP."""
    return pets.dp.DiscreteGaussian(rho=rho_for(epsilon))


@lru_cache(maxsize=256)
def rho_for(epsilon: float) -> str:
    """Return the rho of Gaussian noise whose exact (epsilon, 1e-6) loss is epsilon, by bisection, as a decimal."""
    from pets.dp.accounting.gaussian import epsilon_at

    low, high = 1e-6, 200.0
    for _ in range(80):
        middle = (low * high) ** 0.5
        fits = (epsilon_at(2 * middle, float(DELTA)) or 0.0) <= epsilon
        low, high = (middle, high) if fits else (low, middle)
    return f"{low * (1 - 1e-6):.7g}"
