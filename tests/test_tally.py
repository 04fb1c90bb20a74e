"""Tallies add when they answer the same question, never wrap, and do not show themselves."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pets
from pets.errors import IncompatibleTallies, InvalidArgument, PetsError, RangeOverflow

A, B = "a" * 64, "b" * 64
INT64 = st.integers(-(2**63), 2**63 - 1)


@given(st.lists(st.tuples(INT64, INT64), max_size=6))
def test_addition_is_exact_or_refused(pairs):
    left, right = (pets.Tally(np.array([pair[i] for pair in pairs], dtype=np.int64), A) for i in (0, 1))
    exact = [x + y for x, y in pairs]
    if all(-(2**63) <= total < 2**63 for total in exact):
        assert (left + right).values.tolist() == exact
    else:
        with pytest.raises(RangeOverflow):
            left + right


def test_tallies_of_different_questions_do_not_add():
    with pytest.raises(IncompatibleTallies):
        pets.Tally(np.array([1]), A) + pets.Tally(np.array([1]), B)
    with pytest.raises(IncompatibleTallies):
        pets.Tally(np.array([1]), A) + pets.Tally(np.array([1, 2]), A)
    with pytest.raises(TypeError):
        pets.Tally(np.array([1]), A) + 3


@pytest.mark.parametrize("bad", [[1.0], [np.nan], [True], ["1"], [[1]], None, 3, [2**70]])
def test_only_vectors_of_integers(bad):
    with pytest.raises(PetsError):
        pets.Tally(np.array(bad), A)


def test_unsigned_values_beyond_int64_are_refused():
    with pytest.raises(RangeOverflow):
        pets.Tally(np.array([2**63], dtype=np.uint64), A)


def test_it_keeps_its_own_read_only_copy():
    values = np.array([1, 2])
    tally = pets.Tally(values, A)
    values[0] = 9
    assert tally.values.tolist() == [1, 2]
    with pytest.raises(ValueError, match="read-only"):
        tally.values[0] = 5


@given(st.lists(INT64, max_size=9))
def test_bytes_round_trip(values):
    tally = pets.Tally(np.array(values, dtype=np.int64), A)
    assert pets.Tally.from_bytes(tally.to_bytes()) == tally


@given(st.binary(max_size=120), st.integers(0, 60), st.integers(0, 255))
def test_hostile_bytes_raise_only_our_errors(noise, position, byte):
    good = bytearray(pets.Tally(np.arange(3), A).to_bytes())
    good[position % len(good)] = byte
    for data in (noise, bytes(good), bytes(good[:position])):
        try:
            pets.Tally.from_bytes(data)
        except PetsError:
            continue


@pytest.mark.parametrize("signature", ["", "xyz", "A" * 64, 3, None])
def test_signature_form(signature):
    with pytest.raises(InvalidArgument) as caught:
        pets.Tally(np.array([1]), signature)
    assert caught.value.argument == "signature"
