"""The certified roundings are on the right side of the truth, and close to it."""

import math
from fractions import Fraction

import mpmath
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pets.errors import InvalidArgument
from pets.guarantee import bounds
from pets.guarantee.bounds import GRID

mpmath.mp.dps = 100
positive = st.fractions(min_value=Fraction(1, 10**12), max_value=10**6)


def real(x: Fraction) -> mpmath.mpf:
    return mpmath.mpf(x.numerator) / x.denominator


@given(st.fractions(min_value=-150, max_value=300))
def test_exponentials_enclose_the_truth(x: Fraction) -> None:
    truth = mpmath.exp(real(x))
    assert real(bounds.exp_down(x)) <= truth <= real(bounds.exp_up(x))
    assert bounds.exp_up(x) - bounds.exp_down(x) <= bounds.exp_up(x) / 10**56


@given(positive)
def test_logarithms_enclose_the_truth(x: Fraction) -> None:
    truth = mpmath.log(real(x))
    assert real(bounds.log_down(x)) <= truth <= real(bounds.log_up(x))
    assert bounds.log_up(x) - bounds.log_down(x) <= Fraction(1, 10**55)


@pytest.mark.parametrize("x", [-151, -(10**9), -(10**30)])
def test_far_exponentials_stay_bounds_without_giant_numbers(x: int) -> None:
    assert bounds.exp_down(Fraction(x)) == 0
    assert mpmath.exp(x) <= real(bounds.exp_up(Fraction(x))) < mpmath.mpf("1e-65")


@given(positive, st.integers(3, 30))
def test_rounding_to_digits_goes_the_named_way(x: Fraction, digits: int) -> None:
    down, up = bounds.round_down(x, digits), bounds.round_up(x, digits)
    assert down <= x <= up
    assert up - down <= x * Fraction(10, 10**digits)


@given(positive)
def test_rounding_to_the_grid_goes_the_named_way(x: Fraction) -> None:
    down, up = bounds.grid_down(x), bounds.grid_up(x)
    assert down <= x <= up
    assert up - down in (0, Fraction(1, GRID))
    assert GRID % up.denominator == 0


@given(st.integers(1, 5000), st.integers(0, 30), st.integers(0, 10**9))
def test_shares_of_decimals_are_booked_exactly(share: int, places: int, numerator: int) -> None:
    amount = Fraction(numerator, 10**places * share)
    if amount.denominator // math.gcd(amount.denominator, GRID) <= 5000:
        assert bounds.settle(amount) == amount


@given(st.fractions(min_value=0, max_value=100))
def test_booked_amounts_are_never_below_the_charge(amount: Fraction) -> None:
    assert 0 <= bounds.settle(amount) - amount < Fraction(1, GRID)


def test_odd_denominators_go_up_to_the_grid() -> None:
    assert bounds.settle(Fraction(1, 10**40 + 1)) == Fraction(1, GRID)


@pytest.mark.parametrize(
    "value", [-1, "-0.1", float("nan"), float("inf"), True, None, [], "x", 10**31, "1/0", Fraction(1, 3**400)]
)
def test_bad_parameters_are_refused_by_name(value: object) -> None:
    with pytest.raises(InvalidArgument) as caught:
        bounds.parameter(value, "epsilon")
    assert caught.value.argument == "epsilon"
