"""Running totals: unbiased, covered, of the stated variance, one year after the other."""

from __future__ import annotations

import numpy as np
import pytest

import pets
from pets.dp.marginals import YearlyTotals
from pets.dp.marginals.yearly import recovery, toeplitz
from pets.errors import InvalidArgument, PairingRefused
from pets.tally import Tally
from tests.dp.marginals.support import domain_of

QUERY = pets.Count(by="a0").bind(domain_of((2_000,)))


def run(mechanism, history):
    stream = mechanism.begin(QUERY)
    for year in range(len(history)):
        table, stream = stream.publish(history[: year + 1])
        yield table


@pytest.mark.parametrize("rho", ["0.5", "30"])
def test_totals_are_unbiased_and_covered(rho):
    rng = np.random.default_rng(1)
    history = [Tally(rng.poisson(3, QUERY.size), QUERY.signature) for _ in range(6)]
    totals = np.cumsum([tally.values for tally in history], axis=0)
    for table, truth in zip(run(YearlyTotals(rho=rho, years=6), history), totals, strict=True):
        (columns,) = table.to_columns()
        error = columns["value"] - truth[:-1]
        stderr = columns["stderr"][0]
        assert abs(error.mean()) < 5 * stderr / len(error) ** 0.5
        assert error.std() == pytest.approx(stderr, rel=0.1)
        covered = np.mean((columns["ci_low"] <= truth[:-1]) & (truth[:-1] <= columns["ci_high"]))
        assert abs(covered - 0.95) < 5 * (0.95 * 0.05 / len(error)) ** 0.5


@pytest.mark.parametrize("years", [1, 2, 7, 40])
def test_the_two_factors_make_running_sums(years):
    column = np.array(toeplitz(years)) / 2**20
    c = np.array([[column[i - j] if i >= j else 0 for j in range(years)] for i in range(years)])
    np.testing.assert_allclose(recovery(years) @ c, np.tri(years), atol=1e-12)
    np.testing.assert_allclose(c @ c, np.tri(years), atol=1e-4)  # the square root, up to the rounding


def test_it_beats_a_noise_a_year_and_the_binary_tree():
    rho, years = 0.5, 10
    ours = max(YearlyTotals(rho=rho, years=years).law(QUERY, year).variance for year in range(1, years + 1))
    yearly = years * 1 / (2 * rho)
    tree = max(bin(year).count("1") for year in range(1, years + 1)) * years.bit_length() / (2 * rho)
    assert ours < yearly / 3 and ours < tree / 3


def test_a_year_is_drawn_once():
    """Many draws of one year under one charge would average out its noise."""
    tally = Tally(np.zeros(QUERY.size, dtype=np.int64), QUERY.signature)
    stream = YearlyTotals(rho=1, years=3).begin(QUERY)
    _, after = stream.publish([tally])
    with pytest.raises(InvalidArgument, match="before"):
        stream.publish([tally])
    after.publish([tally, tally])


def test_misuse_is_refused():
    for settings in (
        {"rho": 0, "years": 3},
        {"rho": 1, "years": 0},
        {"rho": 1, "years": 300},
        {"rho": 1, "years": True},
    ):
        with pytest.raises(InvalidArgument):
            YearlyTotals(**settings)
    mechanism = YearlyTotals(rho=1, years=1)
    tally = Tally(np.zeros(QUERY.size, dtype=np.int64), QUERY.signature)
    with pytest.raises(InvalidArgument):
        mechanism.begin(QUERY).publish([])
    _, stream = mechanism.begin(QUERY).publish([tally])
    with pytest.raises(InvalidArgument, match="budget is used up"):
        stream.publish([tally, tally])
    with pytest.raises(PairingRefused):
        mechanism.begin(pets.Mean("age").bind(pets.Domain(age=pets.Integer(0, 9))))
