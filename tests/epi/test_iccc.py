"""ICCC-3 against its published examples, and every code either classified or reported."""

from __future__ import annotations

import csv
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pets
from pets.epi import iccc3
from pets.epi.iccc import group_of
from pets.errors import InvalidArgument

# Steliarova-Foucher et al. 2005, table 1, and SEER's recode page.
PUBLISHED = [
    ("C42.1", "9836/3", None), ("C42.1", "9811/3", "Ia"), ("C42.1", "9861/3", "Ib"), ("C42.1", "9875/3", "Ic"),
    ("C77.9", "9650/3", "IIa"), ("C77.9", "9687/3", "IIc"), ("C71.7", "9390/3", "IIIa"), ("C71.7", "9391/3", "IIIa"),
    ("C71.6", "9470/3", "IIIc"), ("C71.6", "9421/1", "IIIb"), ("C74.9", "9500/3", "IVa"), ("C69.2", "9510/3", "V"),
    ("C64.9", "8960/3", "VIa"), ("C64.9", "8312/3", "VIb"), ("C22.0", "8970/3", "VIIa"), ("C22.0", "8170/3", "VIIb"),
    ("C40.2", "9180/3", "VIIIa"), ("C41.4", "9260/3", "VIIIc"), ("C49.1", "8910/3", "IXa"), ("C62.9", "9071/3", "Xc"),
    ("C71.2", "9064/3", "Xa"), ("C74.0", "8370/3", "XIa"), ("C73.9", "8260/3", "XIb"), ("C44.5", "8720/3", "XId"),
    ("C34.1", "8973/3", "XIIa"), ("C80.9", "8000/3", "XIIb"),
]  # fmt: skip


@pytest.mark.parametrize("version", ["IARC 2017", "WHO 2008"])
def test_published_examples(version):
    named = [row for row in PUBLISHED if row[2] is not None]
    found = iccc3(version).classify([row[0] for row in named], [row[1] for row in named])
    assert found.subgroup.tolist() == [row[2] for row in named]
    assert found.unmapped == ()


@pytest.mark.parametrize("version", ["IARC 2017", "WHO 2008"])
def test_twelve_groups_and_47_subgroups(version):
    classification = iccc3(version)
    assert list(classification.groups) == ["I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII"]
    assert len(classification.subgroups) == 47 + 1
    assert len({group_of(code) for code in classification.subgroups}) == 12


@pytest.mark.parametrize("version", ["IARC 2017", "WHO 2008"])
def test_no_two_rules_claim_one_tumour_for_two_subgroups(version):
    """The order of the rules must not matter: each is applied to an empty table and compared with the final one."""
    classification = iccc3(version)
    order = list(classification.subgroups)
    for subgroup, sites, forms, fates in classification.rules:
        first_site = sites.split(",")[0].split("-")[0]
        for fate in fates.replace("-", ",").split(","):
            for form in forms.replace("-", ",").split(","):
                assert classification.classify([first_site], [form], [fate]).subgroup[0] == subgroup
    assert (classification._places >= 0).sum() == {"IARC 2017": 847388, "WHO 2008": 885692}[version] + _behaviour_one(
        classification
    )
    assert order[0] == "Ia"


def _behaviour_one(classification):
    """Cells of behaviour 1 where the file says '0-1,3': counted by hand from the file, independent of the loader."""
    name = {"IARC 2017": "iccc3_iarc_2017.csv", "WHO 2008": "iccc3_who_2008.csv"}[classification.version]
    rows = csv.DictReader((files("pets.epi") / "data" / name).read_text().splitlines())
    triples = set()
    for row in rows:
        if row["behaviour"] != "0-1,3":
            continue
        sites = [range(int(a), int(b or a) + 1) for a, _, b in _split(row["topography"].replace("C", ""))]
        forms = [range(int(a), int(b or a) + 1) for a, _, b in _split(row["morphology"])]
        triples |= {(site, form) for s in sites for site in s for f in forms for form in f}
    return len(triples)


def _split(text):
    return [part.partition("-") for part in text.split(",")]


def test_spellings_agree():
    columns = (["C22.0", "c220", " C220 ", "220"], [8170, "8170", 8170.0, "M8170/3"], [3, "3", "/3", ""])
    assert iccc3().classify(*columns).subgroup.tolist() == ["VIIb"] * 4
    frame = pd.DataFrame(dict(zip("abc", columns, strict=True)))
    assert iccc3().classify(frame["a"], frame["b"], frame["c"]).group.tolist() == ["VII"] * 4


def test_what_cannot_be_classified_is_reported_with_its_reason():
    found = iccc3().classify(
        ["C99.9", "C22.0", "C22.0", "C22.0", "C22.0", None], ["8170", "817", "8170", "8170/2", "8170/3", "8170"],
        ["3", "3", "", "", "1", "3"],
    )  # fmt: skip
    assert found.reason.tolist() == ["topography", "morphology", "behaviour", "combination", "behaviour", "topography"]
    assert found.subgroup.tolist() == [None] * 6
    assert sum(times for _, times in found.unmapped) == 6
    assert "817" not in repr(found)


def test_columns_of_different_lengths_are_refused():
    with pytest.raises(InvalidArgument, match="morphology"):
        iccc3().classify(["C22.0"], [])
    with pytest.raises(InvalidArgument, match="IARC 2017"):
        iccc3("IARC 2007")  # type: ignore[arg-type]


def test_the_hierarchy_fits_a_domain():
    classification = iccc3()
    attribute = pets.Categorical(list(classification.subgroups), hierarchy=classification.hierarchy())
    domain = pets.Domain(diagnosis=attribute)
    assert len(domain.key_axis("diagnosis", "group").labels) == 12


@given(st.lists(st.tuples(st.integers(0, 899), st.integers(7990, 10010), st.integers(0, 9)), max_size=30))
def test_every_tumour_has_a_subgroup_or_a_reason(tumours):
    found = iccc3().classify([f"C{s:03}" for s, _, _ in tumours], [m for _, m, _ in tumours], [b for *_, b in tumours])
    missing = np.array([code is None for code in found.subgroup], dtype=bool)
    assert np.array_equal(missing, np.array([reason is not None for reason in found.reason], dtype=bool))
    assert sum(times for _, times in found.unmapped) == missing.sum()


def test_a_single_code_is_no_column():
    for argument, columns in {
        "topography": ("C220", "8170"), "morphology": (["C220"], None), "behaviour": (["C220"], ["8170"], "3"),
    }.items():  # fmt: skip
        with pytest.raises(InvalidArgument) as caught:
            iccc3().classify(*columns)
        assert caught.value.argument == argument
    for column in (None, 3, b"C22", {"C220": 1}, np.array("C220")):
        with pytest.raises(InvalidArgument, match="topography"):
            iccc3().classify(column, ["8170"])
    for version in (["x"], None, {}):
        with pytest.raises(InvalidArgument, match="version"):
            iccc3(version)
    assert iccc3() is iccc3("IARC 2017")


@pytest.mark.parametrize("missing", [None, float("nan"), pd.NA, pd.NaT, ""])
def test_a_missing_code_is_shown_as_nothing(missing):
    found = iccc3().classify([missing, "C22.0"], ["8170/3", missing], [3, 3])
    assert [triple for triple, _ in found.unmapped] == [("", "8170/3", "3"), ("C22.0", "", "3")]
    behind = iccc3().classify(["C22.0"], ["8170/3"], [missing])
    assert behind.subgroup.tolist() == ["VIIb"]


def test_printing_says_how_many_failed_and_why_but_no_code():
    found = iccc3().classify(["C22.0", "C22.0", "C22.0", None, "C22.0"], ["8170/3", "8170", "8170", "8170/3", "8170/2"])
    assert repr(found) == (
        "<Classified: 5 tumours in ICCC-3, 4 not classified: 1 without a known topography (write C71.7), "
        "2 without one clear behaviour (write 9390/3), 1 with codes that have no place together; "
        "see .reason, .unmapped>"
    )
    assert repr(iccc3().classify(["C22.0"], ["8170/3"])) == "<Classified: 1 tumours in ICCC-3; see .subgroup, .group>"
