"""Rounding of single counts: ties, exact laws, and what is refused."""

from __future__ import annotations

from decimal import ROUND_HALF_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from pets.disclosure.rounding import round_nearest, round_randomly
from pets.disclosure.rounding.single import uniform_below
from pets.errors import InvalidArgument, RangeOverflow

DECIMAL = {"up": ROUND_HALF_UP, "down": ROUND_HALF_DOWN, "even": ROUND_HALF_EVEN}


class Words:
    """A source that gives the words it was told to."""

    secure = False

    def __init__(self, *words: int) -> None:
        self.left = list(words)

    def words(self, count, dtype=np.uint64):
        drawn, self.left = self.left[:count], self.left[count:]
        assert len(drawn) == count
        return np.array(drawn, dtype=dtype)


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=20), st.integers(2, 60), st.sampled_from(sorted(DECIMAL)))
def test_nearest_agrees_with_decimal_arithmetic(counts, base, ties):
    expected = [int((Decimal(c) / base).quantize(Decimal(1), DECIMAL[ties])) * base for c in counts]
    # a quotient that decimals cut off is never a tie: 28 digits are plenty for counts below 10**9
    assert round_nearest(counts, base, ties).tolist() == expected


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=20), st.integers(2, 1000))
def test_random_rounding_goes_to_a_neighbour_and_leaves_multiples(counts, base):
    rounded = round_randomly(counts, base)
    assert (rounded % base == 0).all()
    assert (np.abs(rounded - counts) < base).all()
    still = np.array(counts) % base == 0
    assert (rounded[still] == np.array(counts)[still]).all()


@pytest.mark.parametrize("base", [2, 3, 5, 10])
def test_random_rounding_is_exactly_unbiased(base, monkeypatch):
    """Over all equally likely words the results add up to the count times their number."""
    for count in range(3 * base):
        monkeypatch.setattr("pets.disclosure.rounding.single.random_source", lambda _: Words(*range(base)))
        assert round_randomly([count] * base, base).sum() == count * base


def test_random_rounding_follows_its_law():
    base, draws = 5, 100_000
    for rest in range(base):
        up = (round_randomly(np.full(draws, 15 + rest), base, insecure_seed=rest) == 20).sum()
        if rest == 0:
            assert up == 0
        else:
            expected = np.array([draws * rest, draws * (base - rest)]) / base
            assert chisquare([up, draws - up], expected).pvalue > 1e-4


def test_uniform_below_is_uniform_and_refuses_the_incomplete_last_round():
    # 2**64 = 3 * 6148914691236517205 + 1: the last word belongs to no complete round
    assert uniform_below(3, (4,), Words(2**64 - 1, 2**64 - 2, 0, 7, 2**64 - 1, 4)).tolist() == [1, 2, 0, 1]
    assert uniform_below(2, (1,), Words(2**64 - 1)).tolist() == [1]


def test_two_roundings_differ():
    counts = np.full(200, 2)
    assert not np.array_equal(round_randomly(counts, 5), round_randomly(counts, 5))


def test_shapes_are_kept():
    assert round_randomly(np.arange(24).reshape(2, 3, 4), 5).shape == (2, 3, 4)
    assert round_nearest(7, 5).shape == ()


@pytest.mark.parametrize("values", [[-1], [1.5], [np.nan], [np.inf], ["a"], [None], [True], [[1], [2, 3]]])
@pytest.mark.parametrize("rule", [round_nearest, round_randomly])
def test_what_are_no_counts_is_refused(rule, values):
    with pytest.raises(InvalidArgument) as caught:
        rule(values, 5)
    assert caught.value.argument == "values"


@pytest.mark.parametrize("base", [1, 0, -5, 2.5, "5", True, None, 10**7])
@pytest.mark.parametrize("rule", [round_nearest, round_randomly])
def test_a_base_that_rounds_nothing_is_refused(rule, base):
    with pytest.raises(InvalidArgument) as caught:
        rule([1], base)
    assert caught.value.argument == "base"


def test_counts_beyond_exact_floating_point_are_refused():
    with pytest.raises(RangeOverflow):
        round_nearest([2**60], 5)


def test_unknown_ties_are_refused():
    with pytest.raises(InvalidArgument):
        round_nearest([1], 4, "odd")
