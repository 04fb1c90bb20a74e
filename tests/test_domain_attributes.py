"""Categorical, Integer and Numeric: labels, bins, policies and what they refuse."""

from __future__ import annotations

import copy
import pickle
import unicodedata
from bisect import bisect_right
from dataclasses import FrozenInstanceError, replace
from fractions import Fraction
from typing import get_args

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from pets.domain import Attribute, Categorical, Hierarchy, Integer, Numeric
from pets.errors import InvalidArgument

WEIRD = [
    "ZWJ \U0001f468\u200d\U0001f469\u200d\U0001f467",
    "right-to-left \u202eabc",
    "\ufdfa",
    "non-character \uffff",
    "private use \ue000",
    "line \u2028 separator",
    " ",
    "e\u0301",
    "\u00a0",
    "\"quotes' \\ #",
    "[a.b]",
    "=1+1",
    "<script>",
]


def refused(make, *args, **kwargs) -> str:
    with pytest.raises(InvalidArgument) as caught:
        make(*args, **kwargs)
    str(caught.value).encode()
    return caught.value.argument


# Categories


def test_categories_keep_their_order_and_spelling():
    assert Categorical(WEIRD).key_labels == tuple(WEIRD)
    assert Categorical(np.array(["b", "a"])).key_labels == ("b", "a")
    assert type(Categorical(np.array(["b", "a"])).categories[0]) is str
    assert Categorical(np.array([3, 1])).categories == (3, 1)
    assert type(Categorical(np.array([3, 1])).categories[0]) is int
    assert Categorical((True, False)).kind == "boolean"
    assert Categorical(range(3)).kind == "integer"


@pytest.mark.parametrize(
    ("categories", "argument"),
    [
        ([], "categories"),
        ("abc", "categories"),
        ({"a", "b"}, "categories"),
        ({"a": 1}, "categories"),
        (None, "categories"),
        (iter("ab"), "categories"),
        (np.array([["a"]]), "categories"),
        (range(2**80), "categories"),
        (range(100_001), "categories"),
        (["a", "b", "a"], "categories.2"),
        ([1, True], "categories.1"),
        ([1, "1"], "categories.1"),
        (["a", 1], "categories.1"),
        (["\u00e9", "e\u0301"], "categories.1"),
        (["a", ""], "categories.1"),
        (["a", "b\n"], "categories.1"),
        (["\x00"], "categories.0"),
        (["\x85"], "categories.0"),
        (["a", "\ud800"], "categories.1"),
        (["a" * 257], "categories.0"),
        ([1, 2**53], "categories.1"),
        ([None], "categories.0"),
        ([float("nan")], "categories.0"),
        ([1.0], "categories.0"),
        ([float("inf")], "categories.0"),
        ([["a"]], "categories.0"),
    ],
)
def test_bad_categories_are_named(categories, argument):
    assert refused(Categorical, categories) == argument


@given(st.lists(st.text(max_size=3) | st.integers() | st.booleans() | st.none() | st.floats(), max_size=4))
def test_accepted_categories_obey_the_rules(categories):
    try:
        labels = Categorical(categories).key_labels
    except InvalidArgument as error:
        assert error.argument.split(".")[0] == "categories"  # noqa: PT017  one of two allowed outcomes
        return
    assert list(labels) == categories
    assert len({type(label) for label in labels}) == 1
    assert len({unicodedata.normalize("NFC", str(label)) for label in labels}) == len(labels)


def test_true_is_not_one():
    assert Categorical([True, False]) != Categorical([1, 0])
    assert Categorical([True, False]).to_dict() == {
        "type": "categorical",
        "categories": [True, False],
        "invalid": "drop",
    }


# Policies


@pytest.mark.parametrize("make", [lambda **k: Categorical(["a"], **k), lambda **k: Integer(0, 3, **k)])
def test_invalid_category_comes_last(make):
    plain = make()
    assert make(invalid="category").key_labels == (*plain.key_labels, "(unknown)")
    assert make(invalid="category", invalid_label=9).key_labels == (*plain.key_labels, 9)
    assert make(invalid="error").key_labels == plain.labels == plain.key_labels


@pytest.mark.parametrize(
    ("make", "label"),
    [
        (lambda **k: Categorical(["a", "(unknown)"], **k), "(unknown)"),
        (lambda **k: Categorical(["\u00e9"], **k), "e\u0301"),
        (lambda **k: Categorical([1, 2], **k), "2"),
        (lambda **k: Categorical(["1", "2"], **k), 2),
        (lambda **k: Categorical([True, False], **k), "True"),
        (lambda **k: Integer(0, 9, **k), 9),
        (lambda **k: Integer(-5, 2**52, **k), "-3"),
        (lambda **k: Integer(0, 9, bins=[0, 5, 9], **k), "0-4"),
        (lambda **k: Numeric(0, 9, resolution=1, bins=[0, 5, 9], **k), "[0, 5)"),
    ],
)
def test_invalid_label_must_be_free(make, label):
    assert refused(make, invalid="category", invalid_label=label) == "invalid_label"
    assert make(invalid="category", invalid_label="free").invalid_label == "free"


def test_invalid_label_is_not_taken_by_a_lookalike():
    assert Integer(0, 9, invalid="category", invalid_label="07").key_labels[-1] == "07"
    assert Integer(0, 9, invalid="category", invalid_label=10).key_labels[-1] == 10
    assert Numeric(0, 1, resolution=1, invalid="category", invalid_label="0").invalid_label == "0"


@pytest.mark.parametrize("invalid", ["clamp", "Drop", "", None, 3, ["drop"]])
def test_bad_policies(invalid):
    assert refused(Categorical, ["a"], invalid=invalid) == "invalid"


def test_clamp_is_for_numbers():
    assert Integer(0, 3, invalid="clamp").key_labels == (0, 1, 2, 3)
    assert Numeric(0, 3, resolution=1, invalid="clamp").invalid == "clamp"


@pytest.mark.parametrize("label", ["", "a\n", "\ud800", True, None, 1.5, 2**53])
def test_bad_invalid_labels(label):
    assert refused(Categorical, ["a"], invalid="category", invalid_label=label) == "invalid_label"


def test_a_label_without_its_policy_is_refused():
    assert refused(Categorical, ["a"], invalid_label="x") == "invalid_label"


# Whole numbers


@pytest.mark.parametrize(
    ("edges", "labels"),
    [
        ([0, 5, 10, 15, 19], ("0-4", "5-9", "10-14", "15-19")),
        ([0, 1, 5, 7, 8], ("0", "1-4", "5-6", "7-8")),
        ([7, 8], ("7-8",)),
        ([-5, -1, 0, 3], ("-5 to -2", "-1", "0 to 3")),
    ],
)
def test_integer_bin_labels(edges, labels):
    assert Integer(edges[0], edges[-1], bins=edges).key_labels == labels


@given(st.sets(st.integers(-60, 60), min_size=2, max_size=8), st.data())
def test_integer_bins_follow_numpy(edges, data):
    edges = sorted(edges)
    labels = Integer(edges[0], edges[-1], bins=edges).labels
    value = data.draw(st.integers(edges[0], edges[-1]))
    bin_of_numpy = int(np.histogram([value], bins=edges)[0].argmax())
    low, _, high = labels[bin_of_numpy].partition(" to " if edges[0] < 0 else "-")
    assert int(low) <= value <= int(high or low)
    assert len(set(labels)) == len(edges) - 1


def test_integer_without_bins():
    assert Integer(-1, 2).key_labels == (-1, 0, 1, 2)
    assert Integer(5, 5).key_labels == (5,)
    wide = Integer(0, 2**53 - 1)
    assert not wide.is_key
    assert refused(lambda: wide.key_labels) == "bins"
    assert Integer(1, 100_000).is_key
    assert not Integer(0, 100_000).is_key
    assert Integer(np.int64(1), np.uint8(3)).key_labels == (1, 2, 3)


@pytest.mark.parametrize(
    ("arguments", "argument"),
    [
        ((3, 2), "upper"),
        ((0, 2**53), "upper"),
        ((-(2**53), 0), "lower"),
        ((0, 10**5000), "upper"),
        ((0.0, 2), "lower"),
        ((0, float("nan")), "upper"),
        ((0, float("inf")), "upper"),
        ((True, 2), "lower"),
        (("0", 2), "lower"),
        ((None, 2), "lower"),
        ((0, 9, [0, 9, 9]), "bins.2"),
        ((0, 9, [0, 5, 4, 9]), "bins.2"),
        ((0, 9, [1, 9]), "bins.0"),
        ((0, 9, [0, 5]), "bins.1"),
        ((0, 9, [0]), "bins"),
        ((0, 9, []), "bins"),
        ((0, 9, 3), "bins"),
        ((0, 9, "09"), "bins"),
        ((0, 9, [0, 4.5, 9]), "bins.1"),
        ((0, 9, [0, True, 9]), "bins.1"),
        ((0, 9, [0, None, 9]), "bins.1"),
    ],
)
def test_bad_integers(arguments, argument):
    lower, upper, *bins = arguments
    assert refused(Integer, lower, upper, bins=bins[0] if bins else None) == argument


# Fixed-point numbers


def test_numeric_is_exact():
    dose = Numeric("-0.3", 0.7, resolution=0.1, bins=["-0.3", 0, 0.5, "7/10"])
    assert (dose.lower, dose.upper, dose.resolution) == (Fraction(-3, 10), Fraction(7, 10), Fraction(1, 10))
    assert dose.key_labels == ("[-0.3, 0)", "[0, 0.5)", "[0.5, 0.7]")
    assert (dose.lower_units, dose.upper_units, dose.bin_units) == (-3, 7, (-3, 0, 5, 7))
    assert dose.to_dict() == {
        "type": "numeric",
        "lower": "-0.3",
        "upper": "0.7",
        "resolution": "0.1",
        "bins": ["-0.3", 0, "0.5", "0.7"],
        "invalid": "drop",
    }


def test_numeric_without_bins_is_no_key():
    dose = Numeric(0, 1, resolution="1/3")
    assert not dose.is_key
    assert refused(lambda: dose.key_labels) == "bins"
    assert dose.bin_units is None


@given(st.fractions(min_value=Fraction(1, 1000), max_value=1000, max_denominator=1000), st.data())
def test_numeric_bins_follow_numpy(resolution, data):
    units = sorted(data.draw(st.sets(st.integers(-50, 50), min_size=2, max_size=6)))
    number = Numeric(
        units[0] * resolution, units[-1] * resolution, resolution=resolution, bins=[u * resolution for u in units]
    )
    assert number.bin_units == tuple(units)
    assert len(set(number.labels)) == len(units) - 1
    value = data.draw(st.integers(units[0], units[-1]))
    place = min(bisect_right(units, value) - 1, len(units) - 2)
    low, high = number.labels[place][1:-1].split(", ")
    assert Fraction(low) <= value * resolution <= Fraction(high)
    assert (number.labels[place][-1] == "]") == (place == len(units) - 2)


@pytest.mark.parametrize(
    ("arguments", "argument"),
    [
        ((0, 1, 0), "resolution"),
        ((0, 1, -1), "resolution"),
        ((0, 1, float("nan")), "resolution"),
        ((0, 1, "x"), "resolution"),
        ((0, 1, Fraction(1, 2**53)), "resolution"),
        ((0, 1, 2**53), "resolution"),
        ((0, 1, None), "resolution"),
        ((0, 1, True), "resolution"),
        (("0.05", 1, "0.1"), "lower"),
        ((0, "1.05", "0.1"), "upper"),
        ((float("-inf"), 1, 1), "lower"),
        ((float("nan"), 1, 1), "lower"),
        ((0, "nan", 1), "upper"),
        ((0, 2**53, 1), "upper"),
        ((0, 10**5000, 1), "upper"),
        ((1 - 2**53, 1, 1), "resolution"),
        ((2, 1, 1), "upper"),
        ((0, 9, 1, [0, "4.5", 9]), "bins.1"),
        ((0, 9, 1, [0, float("nan"), 9]), "bins.1"),
        ((0, 9, 1, [0, 9, 9]), "bins.2"),
        ((0, 9, 1, [0, 8]), "bins.1"),
    ],
)
def test_bad_numerics(arguments, argument):
    lower, upper, resolution, *bins = arguments
    assert refused(Numeric, lower, upper, resolution=resolution, bins=bins[0] if bins else None) == argument


def test_large_grids_stay_in_64_bits_on_paper():
    large = Numeric(0, 2**104, resolution=2**52)
    assert large.upper_units == 2**52
    assert large.to_dict()["upper"] == str(2**104)


# Values


@pytest.mark.parametrize(
    "attribute",
    [
        Categorical(["a", "b"], hierarchy={"all": {"x": ["a", "b"]}}),
        Integer(0, 9, bins=[0, 5, 9], invalid="category"),
        Numeric(0, 1, resolution="0.1", bins=["0", "0.5", 1], invalid="clamp"),
    ],
)
def test_attributes_are_values(attribute):
    assert isinstance(attribute, get_args(Attribute))
    assert replace(attribute) == attribute
    assert hash(replace(attribute)) == hash(attribute)
    assert copy.deepcopy(attribute) == pickle.loads(pickle.dumps(attribute)) == attribute  # noqa: S301
    names = {value.__name__: value for value in (Fraction, Hierarchy, *get_args(Attribute))}
    assert eval(repr(attribute), names) == attribute  # noqa: S307  our own text
    with pytest.raises((FrozenInstanceError, AttributeError)):
        attribute.invalid = "error"
    with pytest.raises((FrozenInstanceError, AttributeError, TypeError)):
        attribute.other = 1


@given(st.integers(-10, 10), st.integers(-10, 10), st.sampled_from(["drop", "error", "category", "clamp"]))
def test_replace_checks_again(lower, upper, invalid):
    assume(lower > upper)
    assert refused(replace, Integer(-10, 10, invalid=invalid), lower=lower, upper=upper) == "upper"
