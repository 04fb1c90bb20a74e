"""Composition and parallel composition against dp_accounting, and what they refuse."""

import itertools
import math
from fractions import Fraction

import dp_accounting
import pytest
from dp_accounting import pld, rdp
from hypothesis import given
from hypothesis import strategies as st

from pets.errors import IncompatibleGuarantees, InvalidArgument
from pets.guarantee import (
    ApproxDP,
    DPGuarantee,
    InputPrivacy,
    NoFormalGuarantee,
    PureDP,
    RenyiDP,
    SuppressionRule,
    ZeroConcentratedDP,
    common_unit,
    compose,
    parallel,
)
from pets.privacy_unit import PrivacyUnit

PATIENT, FAMILY = PrivacyUnit("patient_id", max_rows=3), PrivacyUnit("family_id", max_rows=9)
ORDERS = [1.5, 2, 4, 8, 16, 32, 64]
amounts = st.fractions(0, 5, max_denominator=10**6)
pure = amounts.map(PureDP)
zcdp = amounts.map(ZeroConcentratedDP)
approx = st.builds(ApproxDP, amounts, st.fractions(0, Fraction(1, 100)))
renyi = st.dictionaries(st.sampled_from(ORDERS), amounts, min_size=1).map(RenyiDP)


def test_pure_and_approximate_dp_add_up() -> None:
    assert compose(*[PureDP(0.1)] * 10) == PureDP(1)
    assert compose(PureDP(0.1), ApproxDP(0.2, 1e-6), ApproxDP(0.3, 2e-6)) == ApproxDP(0.6, 3e-6)
    assert compose(ApproxDP(0.1, 0), PureDP(0.1)) == PureDP(0.2)


def test_gaussian_composition_agrees_with_dp_accounting() -> None:
    sigmas = [2, 3.5, 10, 25]
    accountant = rdp.RdpAccountant([1 + k / 500 for k in range(1, 10_000)])
    exact = pld.PLDAccountant()
    for sigma in sigmas:
        accountant.compose(dp_accounting.GaussianDpEvent(sigma))
        exact.compose(dp_accounting.GaussianDpEvent(sigma))
    ours = float(compose(*(ZeroConcentratedDP(1 / (2 * Fraction(s) ** 2)) for s in sigmas)).to_approx(1e-6).epsilon)
    assert ours == pytest.approx(accountant.get_epsilon(1e-6), rel=1e-6)
    assert exact.get_epsilon(1e-6) < ours


def test_mixed_renyi_composition_agrees_with_dp_accounting() -> None:
    flip = 0.8
    epsilon = randomised_response(flip)
    accountant = rdp.RdpAccountant(ORDERS, dp_accounting.NeighboringRelation.REPLACE_ONE)
    accountant.compose(dp_accounting.RandomizedResponseDpEvent(flip, 2), 3)
    accountant.compose(dp_accounting.GaussianDpEvent(4), 2)
    gaussian = ZeroConcentratedDP(Fraction(1, 32)).to_renyi(ORDERS)
    ours = compose(*[PureDP(epsilon)] * 3, gaussian, ZeroConcentratedDP(Fraction(1, 32)))
    assert isinstance(ours, RenyiDP)
    for order, theirs in zip(ORDERS, accountant._rdp, strict=True):
        assert float(ours.epsilon_at(order)) == pytest.approx(theirs, rel=1e-9)
    assert float(ours.to_approx(1e-5).epsilon) == pytest.approx(accountant.get_epsilon(1e-5), rel=1e-9)


def randomised_response(flip: float) -> float:
    """Epsilon of reporting the truth with probability 1 - flip / 2."""
    return math.log((1 - flip / 2) / (flip / 2))


def test_pure_composition_covers_the_exact_privacy_loss() -> None:
    accountant = pld.PLDAccountant()
    accountant.compose(dp_accounting.LaplaceDpEvent(4), 3)
    accountant.compose(dp_accounting.GaussianDpEvent(3), 2)
    ours = compose(*[PureDP(0.25)] * 3, *[ZeroConcentratedDP(Fraction(1, 18))] * 2)
    assert ours == ZeroConcentratedDP(Fraction(3, 32) + Fraction(1, 9))
    assert accountant.get_epsilon(1e-6) < float(ours.to_approx(1e-6).epsilon)


@given(
    st.one_of(st.lists(st.one_of(pure, zcdp, renyi), min_size=1, max_size=5), st.lists(approx, min_size=1, max_size=5))
)
def test_order_never_matters(members: list[DPGuarantee]) -> None:
    for join in (compose, parallel):
        expected = join(*members)
        assert all(join(*order) == expected for order in itertools.islice(itertools.permutations(members), 6))


@given(st.lists(st.one_of(pure, zcdp), min_size=1, max_size=5))
def test_one_more_release_never_promises_more(members: list[DPGuarantee]) -> None:
    concentrated = [member.to_zcdp() for member in members]
    whole, part = compose(*concentrated), compose(*concentrated[1:], PureDP(0))
    assert whole.to_zcdp().rho >= part.to_zcdp().rho
    assert whole.to_zcdp().rho >= parallel(*concentrated).to_zcdp().rho


def test_renyi_orders_meet_where_all_know_something() -> None:
    together = compose(RenyiDP({2: 0.1, 8: 0.5}), RenyiDP({1.5: 0.1, 4: 0.2}))
    assert together == RenyiDP({1.5: 0.2, 2: 0.3, 4: 0.7})


def test_disjoint_parts_promise_what_the_weakest_does() -> None:
    assert parallel(PureDP(0.1), PureDP(0.3)) == PureDP(0.3)
    assert parallel(PureDP(1), ZeroConcentratedDP(0.3)) == ZeroConcentratedDP(0.5)
    assert parallel(ApproxDP(1, 1e-6), PureDP(2)) == ApproxDP(2, 1e-6)
    assert parallel(RenyiDP({2: 0.1, 8: 0.9}), RenyiDP({2: 0.4, 8: 0.5})) == RenyiDP({2: 0.4, 8: 0.9})


def test_an_exchanged_unit_may_touch_two_parts() -> None:
    unit = PrivacyUnit("patient_id", neighbours="replace_one")
    with pytest.raises(IncompatibleGuarantees, match="replace_one"):
        parallel(PureDP(1, unit=unit), PureDP(1))
    assert compose(PureDP(1, unit=unit), PureDP(1)) == PureDP(2, unit=unit)


def test_units_must_agree_and_none_agrees_with_every_unit() -> None:
    assert compose(PureDP(1, unit=PATIENT), PureDP(1)).unit == PATIENT
    assert common_unit(PureDP(1), NoFormalGuarantee("x")) is None
    with pytest.raises(IncompatibleGuarantees, match="one family"):
        compose(PureDP(1, unit=PATIENT), PureDP(1), ZeroConcentratedDP(1, unit=FAMILY))


@pytest.mark.parametrize(
    "named",
    [
        PureDP(1, unit=PATIENT),
        ApproxDP(1, 1e-6, unit=PATIENT),
        ZeroConcentratedDP(1, unit=PATIENT),
        RenyiDP({8: 1}, unit=PATIENT),
    ],
    ids=str,
)
def test_the_unit_is_never_lost(named: DPGuarantee) -> None:
    results = [
        compose(named),
        compose(named, PureDP(1)),
        parallel(PureDP(1), named),
        named.group(2),
        named.to_approx(1e-6),
    ]
    if isinstance(named, PureDP | ZeroConcentratedDP):
        results.append(named.to_zcdp())
    if not isinstance(named, ApproxDP):
        results.append(named.to_renyi([4]))
    assert [result.unit for result in results] == [PATIENT] * len(results)


@pytest.mark.parametrize(
    "other",
    [SuppressionRule(5, "publish"), NoFormalGuarantee("no noise"), InputPrivacy("sum", ("the server",), "nothing")],
    ids=str,
)
def test_no_sum_of_noise_and_rules(other: object) -> None:
    for join in (compose, parallel):
        with pytest.raises(IncompatibleGuarantees, match="no bound"):
            join(PureDP(1), other)  # type: ignore[arg-type]


def test_a_delta_meets_no_concentrated_guarantee() -> None:
    for other in (ZeroConcentratedDP(0.1), RenyiDP({2: 1})):
        with pytest.raises(IncompatibleGuarantees, match="to_approx"):
            compose(ApproxDP(1, 1e-6), other)
    with pytest.raises(IncompatibleGuarantees, match="reach 1"):
        compose(*[ApproxDP(1, 0.5)] * 2)
    assert compose(ApproxDP(1, 0), ZeroConcentratedDP(0.1)) == ZeroConcentratedDP(0.6)


def test_nothing_and_nonsense_are_refused() -> None:
    with pytest.raises(InvalidArgument):
        compose()
    with pytest.raises(InvalidArgument):
        compose(PureDP(1), 1)  # type: ignore[arg-type]
