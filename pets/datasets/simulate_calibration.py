"""What the registry simulator is calibrated to: published rates, sizes of registries, tumours and their survival."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final, Literal

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]
Profile = Literal["usa", "europe", "world"]
"""Whose rates and sizes of registries: the states of the USA, EUROPE_21, or all registries outside the USA."""

SEXES: Final = ("male", "female")
AGES: Final = ("0-4", "5-9", "10-14", "15-19")
STAGES: Final = ("localised", "regional", "distant", "not staged")
HAZARD_OF_STAGE: Final = (1.0, 1.6, 2.77, 1.0)
"""Hazard of death against localised disease; that of distant disease is what was published for hepatoblastoma."""

YOUNG: Final = 3
"""Age groups below 15 years: the sizes of registries are their person-years at ages 0-14."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Tumours:
    """The tumours, in a fixed order.

    Attributes
    ----------
    name, site, group, subgroup, topography, morphology
        One text each.
    share
        Part of the site's cases that is this tumour, shape (tumours, sexes, ages).
    stages
        Shares of :data:`STAGES`, shape (tumours, stages).
    survival
        Share alive after five years, shape (tumours,).
    published
        Whether that share is a published one; otherwise it is assumed.
    """

    name: tuple[str, ...]
    site: tuple[str, ...]
    group: tuple[str, ...]
    subgroup: tuple[str, ...]
    topography: tuple[str, ...]
    morphology: tuple[str, ...]
    share: Array
    stages: Array
    survival: Array
    published: NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Rates:
    """Pooled rates of a profile.

    Attributes
    ----------
    sites
        Names of the 17 sites, in order.
    rate
        Cases per person-year, shape (sites, sexes, ages).
    structure
        Person-years of each sex and age for each person-year at ages 0-14, shape (sexes, ages).
    sizes
        Person-years of real registries at ages 0-14, ascending.
    levels
        Cases of each against those expected at the pooled rates.
    """

    sites: tuple[str, ...]
    rate: Array
    structure: Array
    sizes: Array
    levels: Array


@cache
def tumours() -> Tumours:
    """Return the tumours of the simulator."""
    table = _read("simulator_diagnoses.csv")
    columns = [f"{sex} {age}" for sex in SEXES for age in AGES]
    weights = table[columns].astype(float)
    share = weights / weights.groupby(table["site"]).transform("sum")
    stages = np.zeros((len(table), len(STAGES)))
    staged = (table["localised"] != "").to_numpy()
    parts = table.loc[staged, list(STAGES[:3])].astype(float).to_numpy()
    stages[staged, :3] = parts / parts.sum(axis=1, keepdims=True)
    stages[~staged, 3] = 1.0
    return Tumours(
        name=tuple(table["diagnosis"]),
        site=tuple(table["site"]),
        group=tuple(code.rstrip("abcdef") for code in table["subgroup"]),
        subgroup=tuple(table["subgroup"]),
        topography=tuple(table["topography"]),
        morphology=tuple(table["morphology"]),
        share=share.to_numpy().reshape(len(table), len(SEXES), len(AGES)),
        stages=stages,
        survival=table["survival_5_years"].astype(float).to_numpy() / 100,
        published=(table["survival_source"] != "").to_numpy(),
    )


@cache
def rates(profile: Profile) -> Rates:
    """Return the rates of a profile and the sizes of its registries."""
    table, registries = _read("simulator_rates.csv"), _read("simulator_registries.csv")
    table, registries = (part[part["profile"] == profile] for part in (table, registries))
    shape = (-1, len(SEXES), len(AGES))
    cases = table["cases"].astype(float).to_numpy().reshape(shape)
    years = table["person_years"].astype(float).to_numpy().reshape(shape)
    return Rates(
        sites=tuple(dict.fromkeys(table["site"])),
        rate=cases / years,
        structure=years[0] / years[0][:, :YOUNG].sum(),
        sizes=registries["person_years"].to_numpy().astype(np.float64),
        levels=registries["level"].to_numpy().astype(np.float64),
    )


def cumulative_hazard(tumour: Tumours) -> Array:
    """Return the cumulative hazard of localised disease after five years that gives each tumour its survival.

    It solves ``sum over stages of share * exp(-hazard_of_stage * c) = survival`` by bisection, shape (tumours,).
    """
    ratio = np.array(HAZARD_OF_STAGE)
    low, high = np.zeros_like(tumour.survival), np.full_like(tumour.survival, 20.0)
    for _ in range(60):
        middle = (low + high) / 2
        alive = (tumour.stages * np.exp(-middle[:, None] * ratio)).sum(axis=1)
        low, high = np.where(alive > tumour.survival, middle, low), np.where(alive > tumour.survival, high, middle)
    return (low + high) / 2


def _read(name: str) -> pd.DataFrame:
    from importlib.resources import files

    import pandas as pd

    with (files("pets.datasets") / "data" / name).open(encoding="utf-8") as file:
        return pd.read_csv(file, dtype=str, keep_default_na=False)
