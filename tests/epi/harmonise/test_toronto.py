"""Toronto tiers: the published collapses, and that every stage and tumour has at most one place."""

from __future__ import annotations

import csv
from importlib.resources import files

import pytest

from pets.epi.harmonise import TIERS, toronto_schema, toronto_tier
from pets.epi.iccc import code_ranges
from pets.errors import InvalidArgument

# Gupta et al. 2016, table 2: the two tiers of each cancer, by hand.
TABLE = {
    "4a": {"L1": "localised", "L2": "locoregional", "M": "metastatic", "MS": "MS"},
    "6a1": {"1": "localised", "2": "localised", "3": "localised", "4": "metastatic", "y1": "localised"},
    "2c": {"1": "limited", "2": "limited", "3": "advanced", "4": "advanced"},
    "2a": {"1A": "I", "2B": "II", "3A": "III", "4B": "IV"},
    "1a1": {"10": "CNS negative", "20": "CNS positive", "30": "CNS positive"},
    "5": {"0": "localised", "1": "localised", "2": "localised", "3": "regional", "4": "metastatic"},
    "7a": {"L3": "localised", "LX": "localised", "M1": "metastatic", "MX": "metastatic"},
    "3c1": {"M0": "localised", "M1": "metastatic", "M4": "metastatic"},
    "10c1": {"1S": "localised", "2A": "regional", "3C": "metastatic"},
    "10c2": {"1": "localised", "2": "regional", "3": "regional", "4": "metastatic"},
    "9a": {"1": "localised", "3": "localised", "4": "metastatic"},
    "8a": {"L": "localised", "M": "metastatic"},
}


def rows(name: str) -> list[dict[str, str]]:
    text = (files("pets.epi.harmonise") / "data" / name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


@pytest.mark.parametrize("schema", TABLE)
def test_published_collapses(schema):
    found = toronto_tier(list(TABLE[schema]), [schema] * len(TABLE[schema]))
    assert found.tier.tolist() == list(TABLE[schema].values())
    assert found.unmapped == ()


def test_every_stage_of_every_schema_has_a_tier_or_is_unknown():
    table = rows("toronto_stages.csv")
    assert len({row["pediatric_id"] for row in table}) == 32
    assert {row["tier"] for row in table if row["tier"]} == set(TIERS)
    found = toronto_tier([row["stage"] for row in table], [row["pediatric_id"] for row in table])
    assert [tier or "" for tier in found.tier] == [row["tier"] for row in table]
    without = {row["stage"] for row in table if not row["tier"]}
    assert without == {"X", "N/A", "X1", "X2", "X3", "X4", "XX"}


def test_every_tier_says_what_it_was_checked_against():
    table = rows("toronto_stages.csv")
    assert all(bool(row["source"]) == bool(row["tier"]) for row in table)
    assert {row["source"] for row in table if row["tier"]} == {"algorithm", "definition", "guideline"}
    only_the_guideline = {row["pediatric_id"] for row in table if row["source"] == "guideline"}
    assert only_the_guideline == {"1a1", "2b2", "2b3", "2b4", "2c", "5", "10c1", "10c2"}


def test_what_is_not_known_is_told_apart_from_what_is_not_staged():
    found = toronto_tier(["X", "N/A", "L9", "L1", None, "L1", "3"], ["4a", "4a", "4a", "zz", "4a", None, "4A"])
    assert found.tier.tolist() == [None] * 7
    assert found.reason.tolist() == [None, None, "stage", "schema", None, "schema", "stage"]
    assert sum(times for _, times in found.unmapped) == 4
    assert "L9" not in repr(found)


def test_no_tumour_has_two_schemas():
    taken: dict[tuple[int, int, int], str] = {}
    for row in rows("toronto_schemas.csv"):
        sites = set(code_ranges(row["topography"].replace("C", "")))
        for form in code_ranges(row["morphology"]):
            for fate in code_ranges(row["behaviour"]):
                for site in sites:
                    key = (site, form, fate)
                    assert taken.setdefault(key, row["pediatric_id"]) == row["pediatric_id"], (key, row)


def test_schemas_of_tumours():
    tumours = [
        ("C74.9", "9500/3", 1, "4a"), ("C64.9", "8960/3", 3, "6a1"), ("C71.6", "9470/3", 7, "3c1"),
        ("C42.1", "9811/3", 4, "1a1"), ("C42.1", "9811/3", 45, None), ("C42.1", "9811/3", None, None),
        ("C69.2", "9510/3", None, "5"), ("C56.9", "9060/3", 12, "10c2"), ("C62.9", "9070/3", 16, "10c1"),
        ("C22.0", "8170/3", 12, None), ("C99.9", "9500/3", 1, None), ("C40.2", "9180/3", 14, "8a"),
        ("C64.9", "8960/1", 3, None), ("C71.1", "9400/3", float("nan"), None), ("C71.1", "9400/3", 9.0, "3b"),
    ]  # fmt: skip
    sites, forms, ages, expected = zip(*tumours, strict=True)
    assert toronto_schema(sites, forms, age=ages).tolist() == list(expected)


def test_columns_of_different_lengths_are_refused():
    with pytest.raises(InvalidArgument, match="schema"):
        toronto_tier(["L1"], [])
    with pytest.raises(InvalidArgument, match="age"):
        toronto_schema(["C74.9"], ["9500/3"], age=[])
