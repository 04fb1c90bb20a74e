"""The demo of the tuner: childhood cancers of the five Nordic countries, public counts."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import TYPE_CHECKING

from pets.privacy_unit import PrivacyUnit
from pets.tuning.plan import Axis, Budget, Privacy, Source, Spent, Table, TuningPlan
from pets.tuning.rule import Rule
from pets.tuning.totals_asked import Life, Total

if TYPE_CHECKING:
    import pandas as pd

COUNTRIES = ("Denmark", "Finland", "Iceland", "Norway", "Sweden")
SEXES = ("female", "male")
AGES = ("0-4", "5-9", "10-14")
SITES = (
    "Lymphoid leukaemia", "Myeloid leukaemia", "Hodgkin disease", "Non-Hodgkin lymphoma", "Brain, nervous system",
    "Adrenal gland", "Eye", "Kidney", "Liver", "Bone", "Connective and soft tissue", "Melanoma of skin", "Thyroid",
    "Salivary glands", "Nasopharynx", "Pancreas",
)  # fmt: skip

SOURCE = (
    "Cancer Incidence in Five Continents, volume XII (IARC, 2023), https://ci5.iarc.who.int: published counts of "
    "2013-2017, ages 0-14, Denmark, Finland, Iceland, Norway and Sweden"
)
PATIENTS = 204
"""Kidney cancers of the demo's table: the trials' follow-up is scaled to them."""

DIAGNOSES, PLACES = "diagnosis by sex and age", "diagnosis by country"


def demo_plan(built: str = "") -> TuningPlan:
    """Return the plan of ``pets tune --demo``.

    Two tables of the cancers of ages 0-14 in five Nordic countries over five years, planned from published counts: 16
    diagnoses by sex and age (for all five together), and by country. Survival is planned from the follow-up that
    the Wilms' tumour trials published (:func:`pets.datasets.wilms`).

    Parameters
    ----------
    built
        Date that stands on the page.
    """
    from pets.tuning.planning import digest_of

    cases = _cases()
    years = cases.drop_duplicates(["country", "sex", "age_group"])
    first = _table(DIAGNOSES, cases, years, ("diagnosis", "sex", "age_group"), (SITES, SEXES, AGES))
    second = _table(PLACES, cases, years, ("diagnosis", "country"), (SITES, COUNTRIES))
    tables = (first, second)
    return TuningPlan(
        tables=tables,
        source=Source("published", SOURCE, len(cases), digest_of(tables)),
        title="Childhood cancers in five Nordic countries",
        built=built,
        privacy=Privacy(unit=PrivacyUnit(id="patient_id"), rows_per_person=(0.99, 0.01)),
        rule=Rule("the 16-case rule (relative standard error at most 25 %)"),
        budget=Budget(Fraction(3), (Spent("2025-03-01", "report on 2008-2012", Fraction(1, 2)),), years=10),
        totals=_totals(_expected_in_iceland(cases)),
        sites=len(COUNTRIES),
        aggregator="masked_sum",
        noise_at="sites",
    )


def _cases() -> pd.DataFrame:
    from pets.datasets import ci5_children

    cells = ci5_children()
    chosen = cells[cells["registry"].isin(COUNTRIES) & cells["site"].isin(SITES) & cells["age_group"].isin(AGES)]
    return chosen.rename(columns={"site": "diagnosis", "country": "code", "registry": "country"})


def _table(
    name: str, cases: pd.DataFrame, years: pd.DataFrame, by: Sequence[str], labels: Sequence[Sequence[str]]
) -> Table:
    import pandas as pd

    cells = pd.MultiIndex.from_product(labels, names=list(by))
    counts = cases.groupby(list(by))["cases"].sum().reindex(cells)
    shared = [axis for axis in by if axis != "diagnosis"]
    person_years = years.groupby(shared)["person_years"].sum()
    index = cells.droplevel("diagnosis")
    return Table(
        name=name,
        axes=tuple(Axis(axis, tuple(names)) for axis, names in zip(by, labels, strict=True)),
        share=Fraction(1, 2),
        counts=tuple(int(count) for count in counts),
        person_years=tuple(int(person_years[key]) for key in index),
        years=5,
    )


def _totals(expected: float) -> tuple[Total, ...]:
    return (
        Total("all cancers", "sum", DIAGNOSES),
        Total("liver, both sexes, all ages", "sum", DIAGNOSES, {"diagnosis": ["Liver"]}),
        Total("girls, all cancers", "margin", DIAGNOSES, {"sex": ["female"]}),
        Total("Iceland, all cancers", "margin", PLACES, {"country": ["Iceland"]}),
        Total("liver, age-standardised rate (Segi)", "rate", DIAGNOSES, {"diagnosis": ["Liver"]}, age="age_group"),
        Total("Iceland, observed over expected", "ratio", PLACES, {"country": ["Iceland"]}, expected=expected),
        Total("survival without relapse after Wilms' tumour", "survival", DIAGNOSES, life=_follow_up()),
    )


def _expected_in_iceland(cases: pd.DataFrame) -> float:
    """Return the cases that Iceland would have at the rates of the other four countries, by sex and age."""
    keys = ["sex", "age_group"]
    others, iceland = cases[cases["country"] != "Iceland"], cases[cases["country"] == "Iceland"]
    years = others.drop_duplicates(["country", *keys]).groupby(keys)["person_years"].sum()
    rates = others.groupby(keys)["cases"].sum() / years
    return round(float((rates * iceland.drop_duplicates(keys).set_index(keys)["person_years"]).sum()), 1)


def _follow_up() -> Life:
    """Return the follow-up of the Wilms' tumour trials at 1, 2 and 5 years, scaled to one registry's 204 patients."""
    import numpy as np

    from pets.datasets import wilms

    frame, times = wilms(), (1.0, 2.0, 5.0)
    scale, bins = PATIENTS / len(frame), np.searchsorted(times, frame["time"].to_numpy() / 365.25, side="left")
    relapsed = frame["status"].to_numpy() == "relapse"
    relapses = np.bincount(bins[relapsed], minlength=4) * scale
    ended = np.bincount(bins[~relapsed], minlength=4) * scale
    rounded = [[round(float(n), 1) for n in counts] for counts in (relapses, ended)]
    return Life(times, tuple(rounded[0][:3]), tuple(rounded[1][:3]), round(float(relapses[3] + ended[3]), 1))
