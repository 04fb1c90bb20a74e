"""Exact numbers: what users type is what is charged."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pets.errors import InvalidArgument, PetsError
from pets.exact import as_text, exact, float_up, isqrt_up, non_negative, positive


def test_a_float_is_read_as_the_decimal_that_was_typed():
    assert exact(0.1, "x") == Fraction(1, 10)
    assert exact(0.1, "x", decimal=False) == Fraction(0.1) != Fraction(1, 10)
    assert exact("1/3", "x") * 3 == 1
    assert exact(np.int64(7), "x") == exact(np.float64(7), "x") == 7


@pytest.mark.parametrize(
    "bad", [None, True, np.True_, b"1", "", "x", "1/0", "1e999999999", "nan", float("inf"), [], 1j, "9" * 500, "1e٣"]
)
def test_what_is_no_number_is_refused_by_name(bad):
    with pytest.raises(InvalidArgument) as caught:
        exact(bad, "epsilon")
    assert caught.value.argument == "epsilon"


@given(st.text(max_size=30) | st.floats() | st.binary(max_size=5) | st.complex_numbers())
def test_nothing_else_escapes(value):
    try:
        exact(value, "x")
    except PetsError:
        return


@given(st.fractions())
def test_text_round_trip(number):
    assert exact(as_text(number), "x") == number


@given(st.fractions())
def test_float_up_is_never_below(number):
    assert Fraction(float_up(number)) >= number
    assert Fraction(math.nextafter(float_up(number), -math.inf)) < number


@given(st.fractions(min_value=0, max_value=10**30))
def test_root_is_a_tight_upper_bound(number):
    root = isqrt_up(number)
    assert root**2 >= number
    assert number == 0 or root**2 / number < 1 + Fraction(1, 2**60)
    assert isqrt_up(number**2) == number


def test_signs():
    with pytest.raises(InvalidArgument):
        positive(0, "x")
    with pytest.raises(InvalidArgument):
        non_negative(-1, "x")
    assert non_negative(0, "x") == 0
