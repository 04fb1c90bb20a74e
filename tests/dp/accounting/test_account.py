"""The interface: what is asked, what is refused, what is said about the answer."""

from __future__ import annotations

from fractions import Fraction

import pytest

from pets.dp.accounting import (
    Account,
    ApproxLoss,
    Composed,
    DiscreteGaussianLoss,
    DiscreteLaplaceLoss,
    ExponentialMechanismLoss,
    GaussianLoss,
    InParallel,
    LaplaceLoss,
    PureLoss,
    RandomizedResponseLoss,
    RenyiLoss,
    Repeated,
    Subsampled,
    ZCDPLoss,
    account,
    loss_of,
)
from pets.errors import IncompatibleGuarantees, InvalidArgument
from pets.guarantee import ApproxDP, NoFormalGuarantee, PureDP, RenyiDP, ZeroConcentratedDP
from pets.privacy_unit import PrivacyUnit

LOSSES = [
    GaussianLoss(3), DiscreteGaussianLoss(9, 2), LaplaceLoss(2), DiscreteLaplaceLoss(3, 4), PureLoss("0.3"),
    RandomizedResponseLoss("0.5", 4), ExponentialMechanismLoss("0.4"), ApproxLoss("0.2", "1e-9"), ZCDPLoss("0.01"),
    RenyiLoss(RenyiDP({2: "0.01", 16: "0.1", 64: "0.5"})), Subsampled(GaussianLoss(2), "0.1"),
]  # fmt: skip


@pytest.mark.parametrize("loss", LOSSES, ids=lambda x: type(x).__name__)
def test_order_and_grouping_do_not_matter(loss):
    other = LaplaceLoss(5)
    ways = [[loss, loss, other], [other, Repeated(loss, 2)], Composed([Repeated(Composed([loss]), 2), other])]
    found = {account(way, delta="1e-6").epsilon for way in ways}
    assert max(found) - min(found) < max(found) * Fraction(1, 10**9)


@pytest.mark.parametrize("loss", LOSSES, ids=lambda x: type(x).__name__)
def test_epsilon_and_delta_are_inverse(loss):
    there = account(loss, delta="1e-5")
    back = account(loss, epsilon=there.epsilon)
    assert back.delta <= Fraction("1.001e-5")


@pytest.mark.parametrize("loss", LOSSES, ids=lambda x: type(x).__name__)
def test_a_group_never_loses_less(loss):
    assert loss.group(1) == loss
    if not isinstance(loss, RenyiLoss):
        assert account(loss.group(3), delta="1e-4").epsilon >= account(loss, delta="1e-4").epsilon


@pytest.mark.parametrize("loss", LOSSES, ids=lambda x: type(x).__name__)
def test_more_can_only_cost_more(loss):
    alone = account(loss, delta="1e-5").epsilon
    assert account([loss, PureLoss("0.01")], delta="1e-5").epsilon >= alone * (1 - Fraction(1, 10**9))


@pytest.mark.parametrize("rate", ["0.01", "0.5"])
def test_sampling_helps(rate):
    assert (
        account(Subsampled(GaussianLoss(2), rate), delta="1e-5").epsilon
        < account(GaussianLoss(2), delta="1e-5").epsilon
    )
    full = account(Subsampled(LaplaceLoss(2), 1), delta="1e-5").epsilon
    assert full == account(LaplaceLoss(2), delta="1e-5").epsilon


def test_pure_losses_at_delta_zero_add_up_exactly():
    found = account([PureLoss("0.1")] * 10, delta=0)
    assert found.guarantee == ApproxDP(1, 0)
    assert found.bound == "basic"
    with pytest.raises(IncompatibleGuarantees):
        account([PureLoss("0.1"), GaussianLoss(1)], delta=0)
    with pytest.raises(IncompatibleGuarantees):
        account(ApproxLoss("0.1", "1e-3"), delta="1e-4")


def test_bounds_by_name_and_in_words():
    losses = [PureLoss("0.1")] * 50
    found = {
        name: account(losses, delta="1e-6", bound=name) for name in ("loss distribution", "renyi", "zcdp", "basic")
    }
    assert found["loss distribution"].epsilon < found["renyi"].epsilon <= found["zcdp"].epsilon < found["basic"].epsilon
    best = account(losses, delta="1e-6")
    assert isinstance(best, Account)
    assert best.bound == "loss distribution"
    assert "integrated with a certified error" in best.explain()
    assert best.candidates[0][0] == best.bound
    with pytest.raises(IncompatibleGuarantees):
        account(losses, delta="1e-6", bound="gaussian")


def test_groups_over_parallel_parts():
    parts = InParallel([GaussianLoss(2), GaussianLoss(5), LaplaceLoss(1)])
    together = account(parts.group(2), delta="1e-5").epsilon
    assert together >= max(
        account(way, delta="1e-5").epsilon
        for way in (GaussianLoss(2).group(2), LaplaceLoss(1).group(2), [GaussianLoss(2), LaplaceLoss(1)])
    )
    with pytest.raises(InvalidArgument, match="k"):
        parts.group(30)


def test_the_relation_must_fit():
    unit = PrivacyUnit(neighbours="replace_one")
    assert account(GaussianLoss(3), delta="1e-6", unit=unit).guarantee.unit == unit
    for loss in (
        Subsampled(GaussianLoss(3), "0.1"),
        InParallel([PureLoss(1)]),
        Repeated(Composed([InParallel([PureLoss(1)])]), 2),
    ):
        with pytest.raises(IncompatibleGuarantees, match="add_remove"):
            account(loss, delta="1e-6", unit=unit)


def test_losses_of_guarantees():
    assert loss_of(PureDP("0.2")) == PureLoss("0.2")
    assert loss_of(ApproxDP("0.2", "1e-6")) == ApproxLoss("0.2", "1e-6")
    assert loss_of(ZeroConcentratedDP("0.2")) == ZCDPLoss("0.2")
    assert loss_of(RenyiDP({2: 1})) == RenyiLoss(RenyiDP({2: 1}))
    with pytest.raises(IncompatibleGuarantees):
        loss_of(NoFormalGuarantee("nothing was done"))


@pytest.mark.parametrize(
    "bad",
    [
        lambda: GaussianLoss(0), lambda: GaussianLoss(-1), lambda: GaussianLoss("nan"),
        lambda: GaussianLoss(float("inf")),
        lambda: GaussianLoss("1e-30"), lambda: LaplaceLoss(1, 0), lambda: DiscreteLaplaceLoss(1, 0),
        lambda: DiscreteLaplaceLoss(1, 1.5), lambda: DiscreteGaussianLoss(1, True), lambda: PureLoss(0),
        lambda: PureLoss("x"), lambda: RandomizedResponseLoss(1, 1), lambda: ApproxLoss(1, 1), lambda: ZCDPLoss(-1),
        lambda: Subsampled(GaussianLoss(1), 0), lambda: Subsampled(GaussianLoss(1), "1.01"),
        lambda: Subsampled(ZCDPLoss(1), "0.1"), lambda: Subsampled(Composed([GaussianLoss(1)]), "0.1"),
        lambda: Repeated(GaussianLoss(1), 0), lambda: Repeated(GaussianLoss(1), True), lambda: Repeated(1, 1),
        lambda: Composed([]), lambda: Composed([PureDP(1)]), lambda: Composed("ab"), lambda: RenyiLoss(PureDP(1)),
        lambda: account([], delta="1e-6"), lambda: account(GaussianLoss(1)), lambda: account([1], delta="1e-6"),
        lambda: account(GaussianLoss(1), delta="1e-6", epsilon=1), lambda: account(GaussianLoss(1), delta=1),
        lambda: account(GaussianLoss(1), delta=-1), lambda: account(GaussianLoss(1), epsilon="nan"),
        lambda: account(GaussianLoss(1), delta="1e-6", bound="pld"),
        lambda: account(GaussianLoss(1), delta="1e-6", unit=3),
        lambda: GaussianLoss(1).group(0), lambda: PureLoss(1).group(1.5), lambda: InParallel([]),
    ],
)  # fmt: skip
def test_bad_input_is_refused_with_a_typed_error(bad):
    with pytest.raises(InvalidArgument):
        bad()


@pytest.mark.parametrize("delta", ["1e-12", "1e-100", "0.5", "0.999"])
@pytest.mark.parametrize(
    "losses",
    [
        [PureLoss(20), *[LaplaceLoss(1000 + i) for i in range(50)]],
        [GaussianLoss("0.001"), PureLoss("1e-6")],
        [GaussianLoss(1_000_000), LaplaceLoss(1_000_000)],
        [Repeated(LaplaceLoss(1000), 100_000)],
        [ExponentialMechanismLoss("1e-6")],
        [DiscreteGaussianLoss("1e6"), DiscreteGaussianLoss("0.01")],
        [Subsampled(LaplaceLoss(1), "1e-6")],
        [Subsampled(GaussianLoss("0.3"), "0.999")],
        [Subsampled(DiscreteLaplaceLoss(2, 5), "0.2"), GaussianLoss(4)],
        [Subsampled(ExponentialMechanismLoss(2), "0.2"), RandomizedResponseLoss(2, 3)],
    ],
)
def test_extremes_give_consistent_answers(losses, delta):
    found = account(losses, delta=delta)
    assert found.epsilon >= 0
    assert found.delta <= Fraction(delta)
    assert all(found.epsilon <= value for _, value in found.candidates)
    if found.epsilon > 0 and found.bound == "loss distribution" and Fraction(delta) < Fraction(9, 10):
        lower = account(losses, epsilon=found.epsilon * Fraction(99, 100))
        assert lower.delta >= Fraction(delta) * Fraction(999, 1000)
