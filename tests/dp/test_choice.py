"""The mechanism with the least error, and the least budget for an error."""

from __future__ import annotations

from fractions import Fraction

import pytest

import pets
from pets.dp.choice import choose, plan
from pets.dp.marginals import ResidualPlanner
from pets.errors import InvalidArgument
from pets.guarantee import ApproxDP, PureDP, RenyiDP, ZeroConcentratedDP

DOMAIN = pets.Domain(a=["x", "y", "z"], b=["u", "v"], c=[str(i) for i in range(20)])
MANY = pets.Marginals([["a", "b", "c"], ["a", "b"], ["a", "c"], ["b", "c"], ["a"], ["b"], ["c"], []])


def names(choices):
    return [type(choice.mechanism).__name__ for choice in choices]


def test_many_tables_are_for_the_residual_planner():
    found = choose(MANY, DOMAIN, ZeroConcentratedDP("0.1"))
    assert names(found) == ["ResidualPlanner", "DiscreteGaussian", "DiscreteLaplace"]
    assert found[0].relative_variance == 1
    assert all(choice.why.endswith(".") for choice in found)


def test_one_table_under_approximate_dp_is_for_laplace_noise():
    assert names(choose(pets.Count(by="a"), DOMAIN, ApproxDP(1, "1e-9")))[0] == "DiscreteLaplace"


def test_pure_dp_admits_laplace_noise_only():
    assert names(choose(MANY, DOMAIN, PureDP(1))) == ["DiscreteLaplace"]
    assert names(choose(MANY.bind(DOMAIN), None, ApproxDP(1, 0))) == ["DiscreteLaplace"]


@pytest.mark.parametrize("guarantee", [PureDP("0.7"), ApproxDP(1, "1e-6"), ZeroConcentratedDP("0.3")], ids=str)
def test_every_choice_keeps_the_guarantee(guarantee):
    for choice in choose(MANY, DOMAIN, guarantee):
        cost = choice.mechanism.guarantee(MANY.bind(DOMAIN))
        if isinstance(guarantee, ApproxDP):
            assert cost.to_approx(guarantee.delta).epsilon <= guarantee.epsilon
            assert cost.to_approx(guarantee.delta).epsilon >= guarantee.epsilon * Fraction(999, 1000)
        elif isinstance(guarantee, ZeroConcentratedDP):
            assert Fraction(99, 100) * guarantee.rho <= cost.to_zcdp().rho <= guarantee.rho
        else:
            assert cost.epsilon == guarantee.epsilon


def test_planned_budget_is_the_least():
    found = plan("counts within 3 patients at 95 %")
    assert isinstance(found.guarantee, PureDP)
    epsilon = found.guarantee.epsilon
    # P(abs(Z) > 3) = 2 a^4 / (1 + a) with a = exp(-epsilon), in closed form
    from math import exp

    def missed(e):
        return 2 * exp(-4 * e) / (1 + exp(-e))

    assert missed(float(epsilon)) <= 0.05 < missed(float(epsilon) - 1e-4)


@pytest.mark.parametrize(("within", "delta"), [(5, None), (25, None), (25, "1e-6")])
def test_planned_mechanism_reaches_the_target_and_less_does_not(delta, within):
    query = MANY.bind(DOMAIN)
    found = plan(query=query, within=within, level=0.9, delta=delta)
    assert max(found.mechanism.error(query).half_width(0.9)) == found.half_width <= within
    assert found.mechanism.guarantee(query).to_approx(delta or 0).epsilon <= found.guarantee.epsilon
    if delta is None:
        less = pets.dp.DiscreteLaplace(found.guarantee.epsilon * Fraction(998, 1000))
        assert max(less.error(query).half_width(0.9)) > within
    else:
        assert isinstance(found.mechanism, ResidualPlanner)


def test_words_are_understood():
    for text in ("within 3", "counts within 3 patients at 95 %", "Within 3 patients with 95%.", "within 3 at 95%"):
        assert plan(text).guarantee == plan(within=3).guarantee
    assert plan("within 3 at 99 %").guarantee.epsilon > plan("within 3").guarantee.epsilon


@pytest.mark.parametrize(
    "arguments",
    [
        {}, {"target": "near"}, {"target": "within 3", "within": 3}, {"within": 0}, {"within": 3, "level": 1},
        {"target": "within 3 at 100 %"}, {"within": 3, "query": pets.Count(by="a")}, {"within": 3, "delta": 0},
    ],
)  # fmt: skip
def test_what_cannot_be_planned_is_refused(arguments):
    with pytest.raises(InvalidArgument):
        plan(**arguments)


def test_a_renyi_curve_is_refused():
    with pytest.raises(InvalidArgument):
        choose(MANY, DOMAIN, RenyiDP({2: 1}))
