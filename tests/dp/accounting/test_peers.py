"""Accounts against dp-accounting: between its optimistic and a hair above its pessimistic privacy loss distribution."""

from __future__ import annotations

import math

import pytest

from pets.dp.accounting import (
    DiscreteGaussianLoss,
    DiscreteLaplaceLoss,
    GaussianLoss,
    InParallel,
    LaplaceLoss,
    PureLoss,
    RandomizedResponseLoss,
    Repeated,
    Subsampled,
    ZCDPLoss,
    account,
)

pld = pytest.importorskip("dp_accounting.pld.privacy_loss_distribution")
rdp = pytest.importorskip("dp_accounting.rdp")
events = pytest.importorskip("dp_accounting")


def peer(make, times: int, delta: float, grid: float = 5e-4) -> tuple[float, float]:
    """Return dp-accounting's lower and upper estimate of epsilon."""
    low, high = (
        make(pessimistic_estimate=way, value_discretization_interval=grid)
        .self_compose(times)
        .get_epsilon_for_delta(delta)
        for way in (False, True)
    )
    return low, high


SINGLE = [
    (GaussianLoss(20), lambda **k: pld.from_gaussian_mechanism(20, **k)),
    (LaplaceLoss(20), lambda **k: pld.from_laplace_mechanism(20, **k)),
    (LaplaceLoss(2), lambda **k: pld.from_laplace_mechanism(2, **k)),
    (DiscreteLaplaceLoss(10, 3), lambda **k: pld.from_discrete_laplace_mechanism(0.1, sensitivity=3, **k)),
    (DiscreteGaussianLoss(16, 1), lambda **k: pld.from_discrete_gaussian_mechanism(4, **k)),
    (DiscreteGaussianLoss(1, 1), lambda **k: pld.from_discrete_gaussian_mechanism(1, **k)),
    (RandomizedResponseLoss("0.2", 4), lambda **k: pld.from_randomized_response(4 / (math.exp(0.2) + 3), 4, **k)),
    (Subsampled(GaussianLoss(1), "0.01"), lambda **k: pld.from_gaussian_mechanism(1, sampling_prob=0.01, **k)),
    (Subsampled(GaussianLoss("0.7"), "0.2"), lambda **k: pld.from_gaussian_mechanism(0.7, sampling_prob=0.2, **k)),
    (Subsampled(LaplaceLoss(1), "0.1"), lambda **k: pld.from_laplace_mechanism(1, sampling_prob=0.1, **k)),
    (
        Subsampled(DiscreteGaussianLoss(4), "0.1"),
        lambda **k: pld.from_discrete_gaussian_mechanism(2, sampling_prob=0.1, **k),
    ),
]  # fmt: skip


@pytest.mark.parametrize("times", [1, 300])
@pytest.mark.parametrize(("loss", "make"), SINGLE)
def test_identical_losses(loss, make, times):
    low, high = peer(make, times, 1e-6)
    found = float(account(Repeated(loss, times), delta="1e-6").epsilon)
    assert found >= low * (1 - 1e-9)
    assert found <= high * (1 + 1e-3) + 2e-3 * (times == 1)


def test_a_mix_of_distinct_losses():
    mixed = []
    total = {True: None, False: None}
    for i in range(8):
        s = 6 + i
        mixed += [
            GaussianLoss(s),
            LaplaceLoss(s + 1),
            DiscreteLaplaceLoss(s, 2),
            DiscreteGaussianLoss(s * s),
            PureLoss(f"0.{i}1"),
        ]
        for way in (True, False):
            k = {"pessimistic_estimate": way, "value_discretization_interval": 1e-4}
            for part in (
                pld.from_gaussian_mechanism(s, **k), pld.from_laplace_mechanism(s + 1, **k),
                pld.from_discrete_laplace_mechanism(1 / s, sensitivity=2, **k),
                pld.from_discrete_gaussian_mechanism(s, **k),
                pld.from_randomized_response(2 / (math.exp(i / 10 + 0.01) + 1), 2, **k),
            ):  # fmt: skip
                total[way] = part if total[way] is None else total[way].compose(part)
    for delta in ("1e-9", "1e-6", "0.01"):
        found = float(account(mixed, delta=delta).epsilon)
        assert total[False].get_epsilon_for_delta(float(delta)) <= found
        assert found <= total[True].get_epsilon_for_delta(float(delta)) * 1.0005


def test_renyi_bound_is_no_worse_than_theirs():
    ours = account([Repeated(GaussianLoss(100), 1000)], delta="1e-6", bound="renyi").epsilon
    accountant = rdp.RdpAccountant()
    accountant.compose(events.SelfComposedDpEvent(events.GaussianDpEvent(100), 1000))
    assert float(ours) <= accountant.get_epsilon(1e-6) + 1e-9
    assert float(ours) == pytest.approx(1.4715948, abs=1e-6)


def test_known_pitfall_the_textbook_conversion_of_zcdp():
    losses = [GaussianLoss(100)] * 1000
    found = account(losses, delta="1e-6")
    assert (found.bound, round(float(found.epsilon), 4)) == ("gaussian", 1.3676)
    assert float(account(losses, delta="1e-6", bound="zcdp").epsilon) == pytest.approx(1.4715948, abs=1e-6)
    rho = 1000 / (2 * 100**2)
    assert rho + 2 * math.sqrt(rho * math.log(1e6)) == pytest.approx(1.7122581, abs=1e-6)


def test_only_what_is_known_is_used():
    mixed = account([GaussianLoss(10), ZCDPLoss("0.01"), PureLoss("0.1")], delta="1e-6")
    assert mixed.bound == "renyi"
    known = account([GaussianLoss(10), GaussianLoss(str(50**0.5)), PureLoss("0.1")], delta="1e-6")
    assert known.epsilon < mixed.epsilon


def test_parallel_parts_cost_as_much_as_the_worst():
    parts = [GaussianLoss(5), LaplaceLoss(3), PureLoss("0.01"), LaplaceLoss(4)]
    together = account([InParallel(parts), GaussianLoss(20)], delta="1e-6").epsilon
    alone = [account([part, GaussianLoss(20)], delta="1e-6").epsilon for part in parts]
    assert together == max(alone)
