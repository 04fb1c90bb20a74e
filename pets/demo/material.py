"""What the demo works on: the published liver cancers of 21 registries, taken apart into one row per case."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pets.datasets import EUROPE_21, ci5_children, one_row_per_case
from pets.domain import Domain
from pets.query import BoundQuery, Count

if TYPE_CHECKING:
    import pandas as pd

SITE = "Liver"
PERIOD = "2013–2017"
SEXES = ("male", "female")
AGES = ("0-4", "5-9", "10-14")
CELLS = tuple((sex, age) for sex in SEXES for age in AGES)
"""The cells of the table, in the order of every vector here."""

CITATION = (
    "Bray F, Colombet M, Aitken JF, Bardot A, Eser S, Galceran J, Hagenimana M, Matsuda T, Mery L, Piñeros M, "
    "Soerjomataram I, de Vries E, Wiggins C, Won Y-J, Znaor A, Ferlay J, editors (2023). Cancer Incidence in Five "
    "Continents, Vol. XII (IARC CancerBase No. 19). Lyon: International Agency for Research on Cancer. "
    "Available from: https://ci5.iarc.who.int"
)


@dataclass(frozen=True, slots=True)
class Material:
    """The registries' rows, and what is public beside them.

    Attributes
    ----------
    frames
        One row per case for each registry, in the registries' order; a registry without a case has no row.
    query
        Cases by sex and age group, bound to the public domain.
    person_years
        Of all registries together, per age group.
    """

    frames: Mapping[str, pd.DataFrame]
    query: BoundQuery
    person_years: NDArray[np.int64]


def load() -> Material:
    """Return the liver cancers at ages 0-14 of the 21 European registries."""
    table = ci5_children()
    chosen = table[(table["site"] == SITE) & table["registry"].isin(EUROPE_21) & table["age_group"].isin(AGES)]
    cases = one_row_per_case(chosen)
    domain = Domain(sex=list(SEXES), age_group=list(AGES), name=f"{SITE} cancer, ages 0-14", declared_by="pets demo")
    return Material(
        frames={name: cases[cases["registry"] == name] for name in EUROPE_21},
        query=Count(by=["sex", "age_group"]).bind(domain),
        person_years=chosen.groupby("age_group")["person_years"].sum().loc[list(AGES)].to_numpy(dtype=np.int64),
    )
