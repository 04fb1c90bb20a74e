"""Filters and odometers against the worst analyst, found by dynamic programming over all adaptive strategies."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache

import pytest

from pets.dp.accounting import (
    ApproxLoss,
    GaussianLoss,
    Odometer,
    PureLoss,
    RenyiFilter,
    RenyiSpent,
    Subsampled,
    ZCDPLoss,
    account,
    odometer,
)
from pets.errors import BudgetExceeded, IncompatibleGuarantees, InvalidArgument
from pets.guarantee import ApproxDP, InputPrivacy, PureDP, RenyiDP, ZeroConcentratedDP

STEPS = {1: PureLoss("0.1"), 4: PureLoss("0.4")}  # in tenths


def worst_delta(limit: ApproxDP) -> float:
    """Return the largest hockey-stick divergence at the limit's epsilon over all strategies the filter admits."""
    level = float(limit.epsilon)
    filters = {(0, 0): RenyiFilter(limit)}

    def after(small: int, large: int, step: int) -> tuple[int, int] | None:
        key = (small + (step == 1), large + (step == 4))
        if key not in filters:
            try:
                filters[key] = filters[small, large].charge(STEPS[step])
            except BudgetExceeded:
                filters[key] = None
        return key if filters[key] is not None else None

    @cache
    def value(small: int, large: int, tenths: int) -> float:
        best = max(-math.expm1(level - tenths / 10), 0.0)
        for step in STEPS:
            key = after(small, large, step)
            if key is not None:
                up = 1 / (1 + math.exp(-step / 10))
                best = max(best, up * value(*key, tenths + step) + (1 - up) * value(*key, tenths - step))
        return best

    return value(0, 0, 0)


@pytest.mark.parametrize(("epsilon", "delta"), [("1.5", "0.05"), ("2", "0.01")])
def test_no_adaptive_analyst_beats_the_filter(epsilon, delta):
    limit = ApproxDP(epsilon, delta)
    worst = worst_delta(limit)
    assert 0 < worst <= float(limit.delta)


def test_the_search_would_see_a_filter_that_is_too_generous(monkeypatch):
    monkeypatch.setattr(odometer, "toll", lambda order, delta: Fraction(0))
    assert worst_delta(ApproxDP("1.5", "0.01")) > 0.01


def exceeds(delta: str, steps: int) -> float:
    """Return the chance that the loss of randomised response ever exceeds the odometer's bound of its time."""
    bound = [Odometer(delta)]
    for _ in range(steps):
        bound.append(bound[-1].add(PureLoss("0.2")))
    up = 1 / (1 + math.exp(-0.2))
    alive, gone = {0: 1.0}, 0.0
    for t in range(1, steps + 1):
        moved: dict[int, float] = {}
        for level, p in alive.items():
            moved[level + 1] = moved.get(level + 1, 0) + up * p
            moved[level - 1] = moved.get(level - 1, 0) + (1 - up) * p
        limit = float(bound[t].epsilon())
        gone += sum(p for level, p in moved.items() if level * 0.2 > limit)
        alive = {level: p for level, p in moved.items() if level * 0.2 <= limit}
    return gone


def test_the_odometer_holds_at_all_times_at_once():
    assert exceeds("0.05", 200) <= 0.05


def test_the_odometer_test_has_power(monkeypatch):
    monkeypatch.setattr(odometer, "_share", lambda delta, orders: Fraction(1, 2))
    assert exceeds("0.05", 200) > 0.05


def test_the_odometer_shares_delta_among_its_orders():
    """The bound holds at the best order at each time, so a union bound over the orders is needed."""
    spent = Odometer("1e-6").add(PureLoss("0.2")).spent
    bounds = [
        float(total) + math.log(len(spent.orders) / 1e-6) / float(order - 1)
        for order, total in zip(spent.orders, spent.totals, strict=True)
        if total is not None
    ]
    assert float(Odometer("1e-6", spent).epsilon()) == pytest.approx(min(bounds), rel=1e-9)


def test_the_odometer_is_tighter_than_adding_epsilons_and_looser_than_one_account():
    meter = Odometer("1e-6")
    assert meter.epsilon() == 0
    for _ in range(300):
        meter = meter.add(PureLoss("0.05"))
    alone = account([PureLoss("0.05")] * 300, delta="1e-6").epsilon
    assert alone < meter.epsilon() < Fraction(15)


def test_curves_of_losses_and_guarantees_agree():
    orders = (Fraction(2), Fraction(8))
    for loss, guarantee in ((PureLoss("0.3"), PureDP("0.3")), (ZCDPLoss("0.1"), ZeroConcentratedDP("0.1"))):
        ours, theirs = RenyiSpent(orders).add(loss).totals, guarantee.to_renyi(orders)
        for order, total in zip(orders, ours, strict=True):
            assert float(total) == pytest.approx(float(theirs.epsilon_at(order)), rel=1e-9)
            assert total >= theirs.epsilon_at(order) * (1 - Fraction(1, 10**15))
    assert RenyiSpent(orders).add(GaussianLoss(2)).totals[0] >= Fraction(1, 4)
    partial = RenyiSpent((Fraction(2), Fraction(8))).add(RenyiDP({4: "0.5"}))
    assert partial.totals == (pytest.approx(0.5), None)


def test_sampled_losses_pay_less():
    full = RenyiSpent().add(GaussianLoss(1)).totals
    part = RenyiSpent().add(Subsampled(GaussianLoss(1), "0.01")).totals
    assert all(p < f for p, f in zip(part, full, strict=True))


def test_what_has_no_curve_is_refused():
    with pytest.raises(IncompatibleGuarantees, match="delta of its own"):
        Odometer("1e-6").add(ApproxDP(1, "1e-9"))
    with pytest.raises(IncompatibleGuarantees, match="delta of its own"):
        Odometer("1e-6").add(ApproxLoss(1, "1e-9"))
    with pytest.raises(IncompatibleGuarantees, match="lower orders"):
        Odometer("1e-6").add(RenyiDP({"1.1": 1}))
    with pytest.raises(InvalidArgument, match="charge"):
        Odometer("1e-6").add(InputPrivacy("s", ("x",), "y"))
    for bad in (0, 1, "1e-30", "nan"):
        with pytest.raises(InvalidArgument, match="delta"):
            Odometer(bad)
    with pytest.raises(InvalidArgument):
        RenyiFilter(PureDP(1))
    with pytest.raises(BudgetExceeded):
        RenyiFilter(ApproxDP("0.1", "1e-6")).charge(GaussianLoss(1))
