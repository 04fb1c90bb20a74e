from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pets.errors import IncompatibleTallies, InvalidArgument, PetsError, RangeOverflow
from pets.session import SERVER, Spec, contribution
from pets.session.spec import MAX_SITES
from pets.tally import Tally

SIGNATURE = "ab" * 32


def spec(**changed) -> Spec:
    settings = {"signature": SIGNATURE, "size": 3, "sites": ("a", "b", "c"), "bound": 10, "lower": 0} | changed
    return Spec(**settings)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("sites", ()),
        ("sites", ("a", "a")),
        ("sites", ("a", "")),
        ("sites", ("a", "  ")),
        ("sites", ("a", SERVER)),
        ("sites", ("a", 1)),
        ("sites", tuple(f"s{i}" for i in range(MAX_SITES + 1))),
        ("size", -1),
        ("size", True),
        ("size", 2.0),
        ("noise_bound", -1),
        ("scale", 0),
        ("number", 0),
        ("number", "1"),
        ("weights", (1, 2)),
        ("weights", (1, 0, 1)),
        ("weights", (1, True, 1)),
        ("bound", -1),
        ("bound", 1.5),
        ("lower", 11),
        ("lower", "x"),
    ],
)
def test_a_contract_without_sense_is_refused_by_name(argument, value):
    with pytest.raises(InvalidArgument) as caught:
        spec(**{argument: value})
    assert caught.value.argument == argument


@pytest.mark.parametrize(
    "changed",
    [
        {"bound": 2**62},
        {"bound": 2**61, "lower": 0},
        {"bound": 1, "lower": -(2**61)},
        {"noise_bound": 2**62},
        {"noise_bound": 2**62 - 1, "bound": 1},
        {"weights": (2**60, 1, 1)},
    ],
)
def test_a_total_that_could_leave_63_bits_is_refused(changed):
    with pytest.raises((RangeOverflow, InvalidArgument)):
        spec(**changed)


def test_bounds_left_out_use_what_63_bits_carry():
    wide = spec(bound=None, lower=None)
    assert wide.lower == -wide.bound and wide.bound == 2**62 // 3
    noisy = spec(bound=None, lower=None, noise_bound=1000, weights=(1, 2, 3))
    assert noisy.highest_total <= 2**62 and noisy.highest_total + 6 > 2**62 - 6


@given(
    st.integers(0, 2**40),
    st.integers(0, 2**40),
    st.integers(0, 2**20),
    st.lists(st.integers(1, 50), min_size=3, max_size=3),
    st.data(),
)
def test_every_possible_total_of_every_subset_decodes_to_itself(bound, below, noise_bound, weights, data):
    contract = spec(bound=bound, lower=-below, noise_bound=noise_bound, weights=tuple(weights), size=1)
    for chosen in itertools.product((False, True), repeat=3):
        values = [data.draw(st.integers(-below, bound)) * w for w, c in zip(weights, chosen, strict=True) if c]
        total = sum(values) + data.draw(st.integers(-noise_bound, noise_bound))
        residue = np.array([total % 2**contract.ring_bits], dtype=np.uint64)
        assert contract.decode(residue).tolist() == [total]
    assert 2 ** (contract.ring_bits - 1) <= max(contract.highest_total - contract.lowest_total, 1)


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Spec)])
def test_each_field_is_part_of_the_identity(name):
    other = {
        "signature": "cd" * 32, "size": 4, "sites": ("a", "c", "b"), "bound": 9, "lower": -1, "noise_bound": 1,
        "weights": (1, 1, 2), "scale": 2, "aggregator": {"x": 1}, "noise": {"x": 1}, "number": 2, "roster": "00",
        "purpose": "z",
    }  # fmt: skip
    assert spec().id != spec(**{name: other[name]}).id
    assert len(spec().id) == 32 and spec().id == spec().id


def test_plain_data_and_back():
    original = spec(aggregator={"type": "masked_sum"}, weights=(1, 2, 3), noise={"rho": 0.5})
    again = Spec.from_dict(original.to_dict())
    assert again.id == original.id and again == original


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d.pop("size"),
        lambda d: d.update(extra=1),
        lambda d: d.update(sites="abc"),
        lambda d: d.update(weights=None),
        lambda d: d.update(purpose=7),
        lambda d: d.update(signature=b"x"),
        lambda d: d.update(size="3"),
        lambda d: d.update(sites=[1, 2]),
        lambda d: d.update(sites=[["a"], ["b"]]),
        lambda d: d.update(bound=[1]),
        lambda d: d.update(bound=float("nan")),
        lambda d: d.update(number=-5),
    ],
)
def test_hostile_plain_data_is_refused(change):
    data = spec().to_dict()
    change(data)
    with pytest.raises(PetsError):
        Spec.from_dict(data)


@pytest.mark.parametrize("data", [None, [], "spec", 7])
def test_what_is_no_mapping_is_refused(data):
    with pytest.raises(InvalidArgument):
        Spec.from_dict(data)


def tally(*values, signature=SIGNATURE) -> Tally:
    return Tally(np.array(values, dtype=np.int64), signature)


def test_contributions_are_weighted_and_take_noise_unweighted():
    contract = spec(weights=(1, 5, 2), noise_bound=100)
    assert contribution(contract, "b", tally(1, 0, 10)).tolist() == [5, 0, 50]
    assert contribution(contract, "b", tally(1, 0, 10), tally(-7, 1, 0)).tolist() == [-2, 1, 50]
    assert contract.weight("b") == 5 and spec().weight("b") == 1


def test_contributions_that_are_refused():
    with pytest.raises(InvalidArgument):
        contribution(spec(), "nobody", tally(0, 0, 0))
    for values in ((0, 0, 11), (-1, 0, 0)):
        with pytest.raises(RangeOverflow, match="'a'"):
            contribution(spec(), "a", tally(*values))
    for wrong in (tally(0, 0), tally(0, 0, 0, signature="cd" * 32)):
        with pytest.raises(IncompatibleTallies):
            contribution(spec(), "a", wrong)
        with pytest.raises(IncompatibleTallies):
            contribution(spec(), "a", tally(0, 0, 0), wrong)
    assert contribution(spec(size=0), "a", tally()).tolist() == []
