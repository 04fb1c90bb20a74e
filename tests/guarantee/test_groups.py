"""What a promise to one unit means for a family or a centre, as it is printed."""

from __future__ import annotations

import pandas as pd
import pytest

import pets
from pets.guarantee import beyond_one_unit, beyond_one_unit_sentence
from pets.guarantee.wording import plural

PATIENT = pets.PrivacyUnit("patient_id")


def test_a_group_costs_what_its_currency_says():
    assert beyond_one_unit(pets.PureDP("0.5", unit=PATIENT)) == [
        ("one patient exchanged for another", "epsilon = 1 (pure DP)"),
        ("a family of 4 patients", "epsilon = 2 (pure DP)"),
        ("a centre of 30 patients", "epsilon = 15 (pure DP)"),
    ]
    rho = dict(beyond_one_unit(pets.ZeroConcentratedDP("0.01", unit=PATIENT)))
    assert rho["a family of 4 patients"] == "rho = 0.16 (zero-concentrated DP)"


def test_an_exchange_costs_no_more_where_it_is_what_is_protected():
    unit = pets.PrivacyUnit("patient_id", neighbours="replace_one")
    assert beyond_one_unit(pets.PureDP(1, unit=unit))[0][0] == "a family of 4 patients"


@pytest.mark.parametrize(
    ("unit", "who"),
    [
        (pets.PrivacyUnit("family_id"), "any 4 families"),
        (pets.PrivacyUnit("centre"), "any 30 centres"),
        (pets.PrivacyUnit(), "a patient with 4 rows"),
        (None, "any 4 units"),
    ],
)
def test_whoever_the_unit_is_the_words_fit(unit, who):
    assert who in dict(beyond_one_unit(pets.PureDP(1, unit=unit)))


def test_where_nothing_is_promised_it_says_so():
    rows = dict(beyond_one_unit(pets.ApproxDP(1, "1e-6", unit=PATIENT)))
    assert "nothing is promised" in rows["a centre of 30 patients"]
    assert beyond_one_unit(pets.SuppressionRule(5, "publish")) == []
    assert beyond_one_unit_sentence(pets.SuppressionRule(5, "publish")) == ""


def test_plurals():
    assert [plural(noun) for noun in ("patient", "family", "child", "day")] == [
        "patients",
        "families",
        "children",
        "days",
    ]


@pytest.mark.filterwarnings("ignore::pets.errors.UnrecordedReleaseWarning")
def test_previews_and_releases_print_it():
    domain = pets.Domain(sex=["f", "m"], unit=pets.PrivacyUnit("patient_id", max_rows=2))
    plan = pets.Pipeline(pets.Count("sex"), domain, mechanism=pets.dp.DiscreteLaplace(1))
    shown = str(plan.preview())
    assert "one patient: changes at most 2 cells (L0), each by at most 2 (Linf)" in shown
    assert "a family of 4 patients: epsilon = 4 (pure DP)" in shown
    release = plan.run({"A": pd.DataFrame({"patient_id": [1], "sex": ["f"]})})
    assert "a family of 4 patients, epsilon = 4 (pure DP)" in release.explain()[-1]
    assert "a family of 4 patients" in release._repr_html_()
    rule = pets.Pipeline(pets.Count("sex"), domain, mechanism=pets.disclosure.SuppressCells(minimum=5))
    assert "For more than one" not in str(rule.preview())
