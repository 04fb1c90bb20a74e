"""Standardised incidence ratios against the exact Poisson limits, and their coverage under noise."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2

from pets.dp.samplers import discrete_laplace
from pets.epi import standardised_incidence_ratio
from pets.errors import InvalidArgument


@pytest.mark.parametrize("observed", [0, 1, 4, 25, 400])
def test_limits_are_those_of_garwood(observed):
    found = standardised_incidence_ratio(observed, 12.5, level=0.9)
    low = chi2.ppf(0.05, 2 * observed) / 2 if observed else 0.0
    assert (found.low, found.high) == pytest.approx((low / 12.5, chi2.ppf(0.95, 2 * observed + 2) / 2 / 12.5))
    assert found.value == observed / 12.5


def test_strata_add_up():
    parts, whole = standardised_incidence_ratio([3, 5], [1.5, 4]), standardised_incidence_ratio(8, 5.5)
    assert str(parts) == str(whole)


def test_intervals_cover_with_noise():
    """2,000 draws: the standard error of a coverage of 95 % is half a point."""
    rng, expected, ratio, scale = np.random.default_rng(1), np.array([9.0, 14.0]), 1.4, 2
    noise = discrete_laplace(scale, 4000).reshape(2000, 2)
    variance = 2 * np.exp(1 / scale) / (np.exp(1 / scale) - 1) ** 2
    covered = 0
    for drawn in noise:
        seen = rng.poisson(ratio * expected) + drawn
        found = standardised_incidence_ratio(seen, expected, noise_variance=variance)
        covered += found.low <= ratio <= found.high
    assert 0.935 < covered / 2000 < 0.975


@pytest.mark.parametrize(
    ("argument", "values"),
    [
        ("observed", {"observed": [-1, 2]}), ("observed", {"observed": "ten"}), ("expected", {"expected": [0, 1]}),
        ("expected", {"expected": [1]}), ("noise_variance", {"noise_variance": -1}), ("level", {"level": 95}),
    ],
)  # fmt: skip
def test_bad_input_names_the_argument(argument, values):
    with pytest.raises(InvalidArgument) as caught:
        standardised_incidence_ratio(**({"observed": [1, 2], "expected": [1, 1]} | values))
    assert caught.value.argument == argument


def test_a_length_that_differs_is_told_in_the_names_of_this_function():
    with pytest.raises(InvalidArgument, match="1 strata where observed has 2"):
        standardised_incidence_ratio([1, 2], [1])
