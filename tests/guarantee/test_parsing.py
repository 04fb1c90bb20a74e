"""Guarantees come back from plain data, and malformed data is refused by the name of its key."""

import json
import tomllib
from collections.abc import Mapping
from fractions import Fraction
from typing import Any

import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st

from pets.errors import ConfigError
from pets.guarantee import (
    ApproxDP,
    Composition,
    Guarantee,
    InputPrivacy,
    NoFormalGuarantee,
    PureDP,
    RenyiDP,
    SuppressionRule,
    ZeroConcentratedDP,
    from_dict,
)
from pets.privacy_unit import PrivacyUnit

numbers = st.one_of(st.just(0), st.fractions(0, 10**6), st.floats(1e-100, 1e30))
texts = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).filter(str.strip)
units = st.one_of(
    st.none(),
    st.builds(
        PrivacyUnit,
        id=texts,
        max_rows=st.integers(1, 99),
        neighbours=st.sampled_from(["add_remove", "replace_one"]),
        max_sites=st.integers(1, 9),
    ),
)
guarantees = st.one_of(
    st.builds(PureDP, numbers, unit=units),
    st.builds(ApproxDP, numbers, st.fractions(0, 1).filter(lambda d: d < 1), unit=units),
    st.builds(ZeroConcentratedDP, numbers, unit=units),
    st.builds(RenyiDP, st.dictionaries(st.fractions(2, 10**6), numbers, min_size=1), unit=units),
    st.builds(InputPrivacy, texts, st.lists(texts, min_size=1).map(tuple), texts),
    st.builds(SuppressionRule, st.integers(1, 10**9), texts, st.booleans(), st.lists(texts).map(tuple)),
    st.builds(NoFormalGuarantee, texts),
)

# Anything a TOML or JSON file can hold, with the keys that matter more often than chance would have them.
KEYS = ["epsilon", "delta", "rho", "curve", "unit", "scheme", "hidden_from", "assumes", "minimum", "zeros"]
TAGS = ["pure_dp", "approx_dp", "zcdp", "renyi_dp", "input_privacy", "suppression_rule", "none", "pure"]
leaves = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["1/0", "nan", "1e999999999", "9" * 401, "1" * 5000, "-1", "1/3", "٣", "add_remove", *TAGS]),
)
keys = st.one_of(st.sampled_from([*KEYS, "type", "why", "id", "max_rows", "complementary"]), st.text(max_size=5))
junk = st.recursive(
    leaves, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=5))
)
tables = st.fixed_dictionaries({"type": st.sampled_from(TAGS)}, optional=dict.fromkeys(KEYS, junk))


@given(guarantees)
def test_round_trip_through_plain_data(guarantee: Guarantee) -> None:
    assert from_dict(guarantee.to_dict()) == guarantee


@given(guarantees)
def test_round_trip_through_json_and_toml(guarantee: Guarantee) -> None:
    data = guarantee.to_dict()
    assert from_dict(json.loads(json.dumps(data))) == guarantee
    assert from_dict(tomllib.loads(tomli_w.dumps(data))) == guarantee


def test_the_written_form_is_stable() -> None:
    unit = PrivacyUnit("patient_id", max_rows=3)
    assert PureDP(0.1, unit=unit).to_dict() == {
        "type": "pure_dp",
        "epsilon": "0.1",
        "unit": {"id": "patient_id", "max_rows": 3, "neighbours": "add_remove", "max_sites": 1},
    }
    assert ApproxDP("1/3", 0).to_dict() == {"type": "approx_dp", "epsilon": "1/3", "delta": "0"}
    assert ZeroConcentratedDP(2).to_dict() == {"type": "zcdp", "rho": "2"}
    assert RenyiDP({2: 0.1}).to_dict() == {"type": "renyi_dp", "curve": {"2": "0.1"}}
    assert NoFormalGuarantee("x").to_dict() == {"type": "none", "why": "x"}


def test_numbers_may_be_numbers() -> None:
    assert from_dict({"type": "pure_dp", "epsilon": 0.1}) == PureDP(0.1)


@pytest.mark.parametrize(
    ("data", "key"),
    [
        ([], "guarantee"),
        ({1: 2}, "guarantee"),
        ({}, "type"),
        ({"type": "pure"}, "type"),
        ({"type": ["pure_dp"]}, "type"),
        ({"type": "pure_dp"}, "epsilon"),
        ({"type": "pure_dp", "epsilon": -1}, "epsilon"),
        ({"type": "pure_dp", "epsilon": True}, "epsilon"),
        ({"type": "pure_dp", "epsilon": b"1"}, "epsilon"),
        ({"type": "pure_dp", "epsilon": 1, "epsilonn": 1}, "epsilonn"),
        ({"type": "pure_dp", "epsilon": 1, "unit": "patient"}, "unit"),
        ({"type": "pure_dp", "epsilon": 1, "unit": {"idd": "x"}}, "unit.idd"),
        ({"type": "pure_dp", "epsilon": 1, "unit": {"max_rows": 0}}, "unit.max_rows"),
        ({"type": "pure_dp", "epsilon": 1, "unit": {"neighbours": []}}, "unit.neighbours"),
        ({"type": "approx_dp", "epsilon": 1, "delta": 1}, "delta"),
        ({"type": "renyi_dp", "curve": {}}, "curve"),
        ({"type": "renyi_dp", "curve": {"2": None}}, "curve.2"),
        ({"type": "renyi_dp", "curve": {"x": 1}}, "curve.order"),
        ({"type": "input_privacy", "scheme": "s", "hidden_from": [1], "assumes": "a"}, "hidden_from"),
        ({"type": "suppression_rule", "minimum": 5.5, "zeros": "publish"}, "minimum"),
        ({"type": "none", "why": 3}, "why"),
    ],
)
def test_malformed_data_names_the_key(data: Any, key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        from_dict(data)
    assert caught.value.argument == key


def test_a_misspelt_type_is_pointed_out() -> None:
    with pytest.raises(ConfigError, match="Did you mean 'pure_dp'"):
        from_dict({"type": "puredp"})


@settings(max_examples=200)
@given(st.one_of(junk, tables))
def test_nothing_but_a_config_error_escapes(data: Any) -> None:
    try:
        guarantee = from_dict(data)
    except ConfigError:
        return
    assert isinstance(guarantee, Guarantee)
    assert from_dict(guarantee.to_dict()) == guarantee
    assert guarantee.explain()


TOTALS = ["pure", "pure_as_rho", "approx_epsilon", "approx_delta", "rho"]


@settings(max_examples=200)
@given(st.one_of(junk, st.fixed_dictionaries(dict.fromkeys(TOTALS, leaves))))
def test_nothing_but_a_config_error_escapes_from_totals(data: Any) -> None:
    try:
        totals = Composition.from_dict(data)
    except ConfigError:
        return
    assert Composition.from_dict(totals.to_dict()) == totals


@pytest.mark.parametrize(
    ("change", "key"),
    [({"rho": -1}, "rho"), ({"pure": "9" * 500 + "/0"}, "pure"), ({"extra": 0}, "extra"), ({"rho": "1" * 9000}, "rho")],
)
def test_malformed_totals_are_named(change: Mapping[str, Any], key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Composition.from_dict({**Composition().to_dict(), **change})
    assert caught.value.argument == key


def test_missing_totals_are_named() -> None:
    with pytest.raises(ConfigError) as caught:
        Composition.from_dict({"pure": 0})
    assert caught.value.argument == "pure_as_rho"


def test_exactness_survives_the_file() -> None:
    assert from_dict(PureDP(Fraction(1, 3**90)).to_dict()) == PureDP(Fraction(1, 3**90))
