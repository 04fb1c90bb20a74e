"""Accounts against exact laws: never below the truth, and hardly above it."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pets.dp.accounting import (
    ApproxLoss,
    DiscreteGaussianLoss,
    DiscreteLaplaceLoss,
    ExponentialMechanismLoss,
    GaussianLoss,
    LaplaceLoss,
    PureLoss,
    RandomizedResponseLoss,
    Repeated,
    Subsampled,
    account,
    bounds,
)
from pets.dp.accounting.model import Model


def check(truth, found: Fraction, exact, tight: float) -> None:
    value = truth.number(found)
    assert value >= exact
    assert value <= exact * (1 + tight) + 1e-12


@pytest.mark.parametrize(
    ("n", "epsilon", "delta"),
    [
        (1, "1", "1e-6"), (1, "1", "0.01"), (2, "1", "1e-3"), (2, "1", "0.3"), (10, "1", "1e-3"), (10, "0.5", "1e-6"),
        (30, "1", "0.01"), (20, "5", "1e-6"), (100, "0.1", "1e-12"), (1000, "0.01", "1e-6"), (1000, "0.01", "1e-100"),
        (1000, "1e-6", "1e-6"), (1000, "1", "1e-6"), (3, "50", "1e-9"), (2000, "0.02", "1e-12"),
    ],
)  # fmt: skip
def test_pure_losses_against_the_binomial_closed_form(truth, n, epsilon, delta):
    law = truth.power(truth.two_points(epsilon), n)
    check(truth, account(Repeated(PureLoss(epsilon), n), delta=delta).epsilon, truth.epsilon(law, delta), 2e-8)


@pytest.mark.slow
def test_a_hundred_thousand_pure_losses(truth):
    law = truth.power(truth.two_points("0.001"), 100_000)
    near = {loss: p for loss, p in law.items() if abs(loss) < 6}
    lost = 1 - sum(near.values())
    assert lost < 1e-30
    exact = truth.epsilon({**near, max(near): near[max(near)] + lost}, "1e-6")
    check(truth, account(Repeated(PureLoss("0.001"), 100_000), delta="1e-6").epsilon, exact, 1e-8)


@pytest.mark.parametrize("delta", ["0.02", "0.0101", "1e-2"])
def test_approximate_losses_with_deltas_of_their_own(truth, delta):
    law = truth.power(truth.two_points("0.3", delta="0.001"), 10)
    exact = 1 - (1 - truth.number("0.001")) ** 10
    assert truth.number(delta) > exact
    check(truth, account([ApproxLoss("0.3", "0.001")] * 10, delta=delta).epsilon, truth.epsilon(law, delta), 1e-5)


MIXES = [
    ("1e-6", [("rr", "0.5", 2), ("rr", "0.3", 5), ("dl", "4", 3), ("dl", "2", 1)]),
    ("1e-3", [("dl", "10", 7), ("dl", "3", 2), ("rr", "0.2", 3)]),
    ("1e-2", [("dg", "2", 1), ("dg", "1/3", 1), ("rr", "0.4", 2)]),
    ("1e-9", [("dg", "4", 2), ("dl", "5", 2)]),
    ("1e-5", [("dg", "0.04", 1), ("dg", "9", 3)]),
    ("1e-12", [("dg", "25", 1)]),
    ("1e-4", [("rr", "6", 2), ("rr", "0.01", 2), ("rr", "0.02", 2), ("rr", "0.03", 2), ("dl", "50", 1)]),
]
KINDS = {"rr": RandomizedResponseLoss, "dl": DiscreteLaplaceLoss, "dg": DiscreteGaussianLoss}


@pytest.mark.parametrize(("delta", "mix"), MIXES)
def test_mixes_against_enumeration(truth, delta, mix):
    laws = {"rr": truth.two_points, "dl": truth.discrete_laplace, "dg": truth.discrete_gaussian}
    law = truth.compose(*(laws[kind](a, b) for kind, a, b in mix))
    losses = [KINDS[kind](a, b) for kind, a, b in mix]
    exact = truth.epsilon(law, delta)
    found = account(losses, delta=delta).epsilon
    check(truth, found, exact, 1e-3)
    for factor in ("0.3", "0.9", "1"):
        level = found * Fraction(factor)
        assert truth.number(account(losses, epsilon=level).delta) >= truth.delta(law, level)


@settings(max_examples=20)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("rr"), st.fractions(Fraction(1, 1000), 4), st.integers(2, 4)),
            st.tuples(st.just("dl"), st.fractions(Fraction(1, 4), 300), st.integers(1, 3)),
        ),
        min_size=1,
        max_size=4,
    ),
    st.integers(1, 14),
    st.integers(0, 100),
)
def test_random_small_mixes_are_never_below_the_truth(truth, mix, digits, percent):
    laws = {"rr": truth.two_points, "dl": truth.discrete_laplace}
    law = truth.compose(*(laws[kind](a, b) for kind, a, b in mix))
    losses = [KINDS[kind](a, b) for kind, a, b in mix]
    delta = Fraction(1, 10**digits)
    check(truth, account(losses, delta=delta).epsilon, truth.epsilon(law, delta), 2e-3)
    level = Fraction(str(float(max(law)))) * percent / 100
    found = truth.number(account(losses, epsilon=level).delta)
    assert found >= truth.delta(law, level)


@pytest.mark.parametrize("delta", ["1e-12", "1e-6", "0.01", "0.4"])
@pytest.mark.parametrize("sigma", ["0.001", "0.03", "1", "100", "10000", "1000000"])
@pytest.mark.parametrize("n", [1, 1000, 100_000])
def test_gaussians_against_their_profile_with_sixty_digits(truth, sigma, n, delta):
    mu = truth.mp.sqrt(n) / truth.number(sigma)
    exact = truth.gaussian_epsilon(mu, delta)
    found = truth.number(account(Repeated(GaussianLoss(sigma), n), delta=delta).epsilon)
    assert exact <= found <= exact * (1 + 1e-7) + 1e-15


def test_distinct_gaussians_add_up_exactly(truth):
    sigmas = [60 + Fraction(i, 13) for i in range(1000)]
    mu = truth.mp.sqrt(truth.mp.fsum(1 / truth.number(s) ** 2 for s in sigmas))
    found = account([GaussianLoss(s) for s in sigmas], delta="1e-6")
    assert found.bound == "gaussian"
    check(truth, found.epsilon, truth.gaussian_epsilon(mu, "1e-6"), 1e-9)
    check(
        truth,
        account([GaussianLoss(s) for s in sigmas], epsilon="1").delta,
        truth.gaussian_delta(mu, truth.mp.mpf(1)),
        1e-9,
    )


@pytest.mark.parametrize("epsilon", ["0", "0.2", "0.7", "0.999", "1"])
def test_one_laplace_and_one_bounded_range(truth, epsilon):
    e, mp = truth.number(epsilon), truth.mp
    laplace = account(LaplaceLoss(1), epsilon=epsilon).delta
    assert truth.number(laplace) >= 1 - mp.exp((e - 1) / 2)
    ranged = account(ExponentialMechanismLoss(1), epsilon=epsilon).delta
    # the largest over t of the two-point losses of range 1, searched and not solved
    losses = [mp.mpf(i) / 2000 for i in range(2001)]
    worst = max((mp.e - mp.exp(t)) / (mp.e - 1) * max(-mp.expm1(e - t), 0) for t in losses)
    assert truth.number(ranged) >= worst
    if epsilon not in {"1", "0.999"}:
        assert truth.number(laplace) <= (1 - mp.exp((e - 1) / 2)) * 1.00001
        assert truth.number(ranged) <= worst * 1.001


@pytest.mark.parametrize("rate", ["0.01", "0.3", "0.9", "1"])
@pytest.mark.parametrize(("n", "epsilon", "delta"), [(1, "1", "0.01"), (30, "1", "1e-4"), (300, "0.5", "1e-6")])
def test_sampled_pure_losses_against_the_binomial_form_in_both_directions(truth, rate, n, epsilon, delta):
    exact = max(
        truth.epsilon(truth.power(truth.sampled(truth.two_points(epsilon), rate, way), n), delta)
        for way in ("remove", "add")
    )
    found = account(Repeated(Subsampled(PureLoss(epsilon), rate), n), delta=delta).epsilon
    check(truth, found, exact, 1e-2 if n == 1 else 1e-3)


@pytest.mark.parametrize("way", ["remove", "add"])
def test_each_direction_by_itself(truth, monkeypatch, way):
    monkeypatch.setattr(bounds, "models", lambda terms: [Model(terms, way)])
    exact = truth.epsilon(truth.power(truth.sampled(truth.two_points("0.5"), "0.1", way), 300), "1e-6")
    check(truth, account(Repeated(Subsampled(PureLoss("0.5"), "0.1"), 300), delta="1e-6").epsilon, exact, 1e-3)


@pytest.mark.parametrize("law", ["dl", "dg"])
def test_sampled_discrete_losses(truth, law):
    loss = DiscreteLaplaceLoss(2, 3) if law == "dl" else DiscreteGaussianLoss(2, 1)
    base = truth.discrete_laplace(2, 3) if law == "dl" else truth.discrete_gaussian(2, 1)
    exact = max(
        truth.epsilon(truth.compose(*[truth.sampled(base, "0.2", way)] * 2), "1e-3") for way in ("remove", "add")
    )
    check(truth, account([Subsampled(loss, "0.2")] * 2, delta="1e-3").epsilon, exact, 5e-3)
