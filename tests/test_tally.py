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


@pytest.mark.parametrize("values", [[2**63], [2**64, 1], [-(2**63) - 1], [10**400]])
def test_whole_numbers_beyond_int64_are_refused(values):
    with pytest.raises(RangeOverflow):
        pets.Tally(values, A)


@pytest.mark.parametrize("values", [[[1], [1, 2]], [1, None], [1, "2"], ["a"], {"a": 1}, [2**70, 0.5], object()])
def test_what_is_no_vector_of_integers(values):
    with pytest.raises(InvalidArgument) as caught:
        pets.Tally(values, A)
    assert caught.value.argument == "values"


def test_the_format_is_fixed():
    """Sites of different versions exchange these bytes: they must never change by accident."""
    encoded = pets.Tally([1, -1], "0f" * 32).to_bytes()
    assert encoded.hex() == (
        "706574732d74616c6c792d3100" + "0f" * 32 + "0200000000000000" + "0100000000000000" + "ff" * 8
    )
    assert pets.Tally.from_bytes(bytearray(encoded)).values.tolist() == [1, -1]


def test_a_cut_or_extended_message_is_refused():
    encoded = pets.Tally([1, -1], A).to_bytes()
    for data in [encoded[:n] for n in range(len(encoded))] + [encoded + b"x", encoded + encoded, "text", None, 5]:
        with pytest.raises(InvalidArgument):
            pets.Tally.from_bytes(data)
    assert pets.Tally.from_bytes(pets.Tally(np.array([], dtype=np.int64), A).to_bytes()).values.size == 0


def test_nothing_is_shown():
    assert "123456" not in repr(pets.Tally([123456], A))
    assert pets.Tally([1], A) != pets.Tally([1], B)
    assert pets.Tally([1], A) != [1]
    with pytest.raises(TypeError):
        hash(pets.Tally([1], A))


def test_it_keeps_its_own_read_only_copy():
    values = np.array([1, 2])
    tally = pets.Tally(values, A)
    values[0] = 9
    assert tally.values.tolist() == [1, 2]
    with pytest.raises(ValueError, match="read-only"):
        tally.values[0] = 5
    with pytest.raises(ValueError, match="WRITEABLE"):
        tally.values.flags.writeable = True
    with pytest.raises(AttributeError):
        tally.values = values


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
