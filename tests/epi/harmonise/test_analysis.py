"""The analysis table goes straight into queries and pipelines, and no tumour is lost on the way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import pets
from pets.epi import iccc3, kaplan_meier
from pets.epi.harmonise import TIERS, analysis_domain, harmonise_naaccr
from pets.errors import InvalidArgument

EXACT = pets.dp.DiscreteLaplace(epsilon=80)  # the chance of any noise is e^-80
pytestmark = pytest.mark.filterwarnings("ignore::pets.errors.UnrecordedReleaseWarning")
PLACES = [("C220", "8970"), ("C749", "9500"), ("C649", "8960"), ("C716", "9470"), ("C421", "9811"), ("C509", "8500")]


@pytest.fixture
def table(naaccr: Callable[..., Path]) -> pd.DataFrame:
    rng = np.random.default_rng(4)
    patients = []
    for i in range(400):
        site, form = PLACES[rng.integers(len(PLACES))]
        year, age = int(rng.integers(2014, 2021)), int(rng.integers(0, 21))
        person = {
            "patientIdNumber": f"{i:08d}", "sexAssignedAtBirth": str(rng.choice([1, 2, 9])),
            "dateOfLastContact": f"{year + 2}0630", "vitalStatus": str(rng.integers(0, 2)),
        }  # fmt: skip
        tumour = {
            "primarySite": site, "histologicTypeIcdO3": form, "behaviorCodeIcdO3": "3",
            "dateOfDiagnosis": f"{year}0630", "ageAtDiagnosis": f"{age:03d}",
            "addrAtDxState": str(rng.choice(["NY", "NJ"])),
        }  # fmt: skip
        patients.append((person, [tumour] * (2 if i % 50 == 0 else 1)))
    return harmonise_naaccr(naaccr(patients)).frame


def test_counts_equal_pandas(table: pd.DataFrame):
    domain = analysis_domain((2015, 2019), regions=["NY", "NJ"])
    release = pets.Pipeline(pets.Count(by=["group", "age", "sex"]), domain, mechanism=EXACT).run({"NY": table})
    found = release.to_frame()
    once = table.drop_duplicates(["patient"])
    inside = once[(once["age"] < 20) & once["year"].between(2015, 2019)]
    assert found["value"].sum() == (once["age"] < 20).sum(), "a table that is not by year holds every year"
    edges = [0, 1, 5, 10, 15, 20]
    bands = pd.cut(once["age"].astype(float), edges, right=False, labels=domain["age"].labels)
    sexes = once["sex"].astype(object).fillna("(unknown)")
    groups = once["group"].astype(object).fillna("(unknown)")
    expected = once.groupby([groups, bands, sexes], observed=True).size()
    keyed = found.set_index(["group", "age", "sex"])["value"]
    assert keyed[keyed > 0].to_dict() == expected.to_dict()
    by_year = pets.Pipeline(pets.Count(by=["year", "age"]), domain, mechanism=EXACT).run({"NY": table})
    assert by_year.to_frame()["value"].sum() == len(inside)


def test_survival_of_the_table(table: pd.DataFrame):
    domain = analysis_domain((2014, 2020), follow_up=3)
    release = pets.Pipeline(pets.EventTable("time", "event", by="group"), domain, mechanism=EXACT).run({"NY": table})
    curves = kaplan_meier(release)
    assert len(curves.curves) == 13


def test_the_domain_is_public_and_complete():
    domain = analysis_domain((2015, 2019), regions=["NY"], ages=(0, 15), follow_up=5, max_tumours=2)
    assert domain["diagnosis"].labels == tuple(iccc3().subgroups)
    assert domain.key_axis("diagnosis", "group").labels[:2] == ("I", "II")
    assert domain["stage"].labels == TIERS
    assert domain["age"].labels == ("0-14",)
    assert domain.unit == pets.PrivacyUnit("patient", max_rows=2)
    assert pets.Domain.from_toml(domain.to_toml()) == domain
    for wrong in (
        {"years": (2019, 2015)},
        {"years": (2015, 2015), "ages": (5,)},
        {"years": (2015, 2016), "follow_up": 0},
    ):
        with pytest.raises(InvalidArgument):
            analysis_domain(**wrong)
