"""The running totals against a limit: exact, monotone, bounded in size, and sound against an adaptive analyst."""

import itertools
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from pets.errors import IncompatibleGuarantees, InvalidArgument
from pets.guarantee import (
    ApproxDP,
    Composition,
    DPGuarantee,
    NoFormalGuarantee,
    PureDP,
    RenyiDP,
    ZeroConcentratedDP,
    compose,
    rho_for,
)
from pets.privacy_unit import PrivacyUnit

PATIENT = PrivacyUnit("patient_id")
STEP = Fraction(1, 10**30)
amounts = st.fractions(0, 3, max_denominator=10**6)
pure = amounts.map(PureDP)
zcdp = amounts.map(ZeroConcentratedDP)
approx = st.builds(ApproxDP, amounts, st.fractions(Fraction(1, 10**9), Fraction(1, 100)))
charges = st.lists(st.one_of(pure, zcdp), max_size=6) | st.lists(st.one_of(pure, approx), max_size=6)
limits = st.one_of(zcdp, st.builds(ApproxDP, amounts, st.fractions(Fraction(1, 10**9), Fraction(1, 10))))


def totals(charged: list[DPGuarantee]) -> Composition:
    total = Composition()
    for charge in charged:
        total = total.add(charge)
    return total


def counts_in(limit: DPGuarantee, charged: list[DPGuarantee]) -> bool:
    return not (isinstance(limit, ZeroConcentratedDP) and any(isinstance(c, ApproxDP) for c in charged))


# ------------------------------------------------------------------------------------------------- exactness


def test_a_limit_of_1_takes_exactly_ten_tenths() -> None:
    total = totals([PureDP(0.1)] * 10)
    assert total.fits(PureDP(1))
    assert total.spent(PureDP(1)) == PureDP(1)
    assert total.remaining(PureDP(1)) == PureDP(0)
    assert not total.add(PureDP("1e-30")).fits(PureDP(1))


@pytest.mark.parametrize("shares", [3, 7, 12, 127, 365, 1009, 4999])
def test_a_limit_shared_equally_is_used_up_exactly(shares: int) -> None:
    epsilon = Fraction("0.7")
    total = Composition(pure=(shares - 1) * epsilon / shares)
    assert total.add(PureDP(epsilon / shares)).remaining(PureDP("0.7")) == PureDP(0)


def test_totals_are_kept_apart_by_currency() -> None:
    total = totals([PureDP(0.2), ApproxDP(0.4, 0), ApproxDP(0.3, 1e-7), ZeroConcentratedDP(0.05)])
    assert total == Composition(
        pure=Fraction("0.6"),
        pure_as_rho=Fraction("0.1"),
        approx_epsilon=Fraction("0.3"),
        approx_delta=Fraction(1, 10**7),
        rho=Fraction("0.05"),
    )


def test_results_are_in_the_currency_and_unit_of_the_limit() -> None:
    total = totals([PureDP(0.2)])
    assert total.spent(ZeroConcentratedDP(1, unit=PATIENT)) == ZeroConcentratedDP(0.02, unit=PATIENT)
    assert total.remaining(ZeroConcentratedDP(1, unit=PATIENT)) == ZeroConcentratedDP(0.98, unit=PATIENT)
    assert total.spent(ApproxDP(1, 1e-6)) == ApproxDP(0.2, 0)
    assert total.add(PureDP(5)).remaining(PureDP(1)) == PureDP(0)


@settings(max_examples=30)
@given(st.lists(st.integers(1, 10**9), min_size=20, max_size=40))
def test_odd_denominators_do_not_blow_up(parts: list[int]) -> None:
    epsilons = [Fraction(1, part) for part in parts]
    total = totals([PureDP(epsilon) for epsilon in epsilons])
    assert max(t.denominator.bit_length() for t in (total.pure, total.pure_as_rho)) < 8000
    assert 0 <= total.pure - sum(epsilons) < len(epsilons) * STEP
    assert total.fits(PureDP(total.spent(PureDP(1000)).to_approx(0).epsilon))


def test_very_many_odd_charges_stay_writable() -> None:
    total = totals([PureDP(Fraction(1, n)) for n in range(1, 5001)])
    assert Composition.from_dict(total.to_dict()) == total
    assert total.spent(PureDP(10)).epsilon >= total.pure
    left = total.remaining(PureDP(10))
    assert total.add(left).fits(PureDP(10))
    assert not total.add(PureDP(left.epsilon + 2 * STEP)).fits(PureDP(10))


# ------------------------------------------------------------------------------------------------ properties


@given(charges, limits)
def test_order_never_matters(charged: list[DPGuarantee], limit: DPGuarantee) -> None:
    expected = totals(charged)
    assert all(totals(list(order)) == expected for order in itertools.islice(itertools.permutations(charged), 6))


@given(charges, limits)
def test_one_more_charge_never_makes_room(charged: list[DPGuarantee], limit: DPGuarantee) -> None:
    assume(counts_in(limit, charged))
    fitting = [totals(charged[:n]).fits(limit) for n in range(len(charged) + 1)]
    assert fitting == sorted(fitting, reverse=True)
    assert fitting[0]


@given(charges, limits)
def test_spent_remaining_and_fits_agree(charged: list[DPGuarantee], limit: DPGuarantee) -> None:
    assume(counts_in(limit, charged))
    total = totals(charged)
    spent, left = total.spent(limit), total.remaining(limit)
    assert type(spent) is type(left) is type(limit)
    if isinstance(limit, ZeroConcentratedDP):
        assert total.fits(limit) == (spent.rho <= limit.rho)
        assert abs(left.rho - max(limit.rho - spent.rho, 0)) < STEP
    else:
        assert total.fits(limit) == (spent.epsilon <= limit.epsilon and spent.delta <= limit.delta)
        assert abs(left.epsilon - max(limit.epsilon - spent.epsilon, 0)) < STEP
        assert abs(left.delta - max(limit.delta - spent.delta, 0)) < STEP
    if total.fits(limit):
        assert total.add(left).fits(limit)


@given(charges)
def test_round_trip(charged: list[DPGuarantee]) -> None:
    total = totals(charged)
    assert Composition.from_dict(total.to_dict()) == total
    assert hash(Composition.from_dict(total.to_dict())) == hash(total)


@given(
    st.lists(st.one_of(pure, zcdp), min_size=1, max_size=6), st.fractions(1, 60), st.sampled_from([1e-9, 1e-6, 1e-3])
)
def test_what_fits_was_promised_by_ordinary_composition_too(
    charged: list[DPGuarantee], epsilon: Fraction, delta: float
) -> None:
    """The rule may refuse more than a fixed sequence would need, and must never accept more."""
    limit = ApproxDP(epsilon, delta)
    if totals(charged).fits(limit):
        concentrated = [c for c in charged if isinstance(c, ZeroConcentratedDP) and c.rho]
        loss = sum(c.epsilon for c in charged if isinstance(c, PureDP))
        if concentrated:
            loss += compose(*concentrated).to_approx(delta).epsilon
        assert loss <= epsilon


@given(st.fractions("0.01", 50, max_denominator=10**6), st.sampled_from([1e-12, 1e-9, 1e-6, 1e-3, 0.5]))
def test_concentrated_charges_alone_may_use_rho_for(epsilon: Fraction, delta: float) -> None:
    limit, rho = ApproxDP(epsilon, delta), rho_for(epsilon, delta)
    half = totals([ZeroConcentratedDP(rho / 2)])
    assert half.fits(limit)
    assert totals([ZeroConcentratedDP(rho)]).fits(limit)
    assert not totals([ZeroConcentratedDP(rho * (1 + Fraction(1, 10**12)))]).fits(limit)


@given(st.fractions("0.01", 50, max_denominator=100), st.sampled_from([1e-9, 1e-6, 1e-3]), st.integers(1, 99))
def test_concentrated_charges_are_paid_at_one_tariff(epsilon: Fraction, delta: float, percent: int) -> None:
    """Several tariffs to choose from on the way would need a delta each."""
    limit, rho = ApproxDP(epsilon, delta), rho_for(epsilon, delta)

    def paid(part: Fraction) -> Fraction:
        return totals([ZeroConcentratedDP(rho * part)]).spent(limit).epsilon

    low, part = Fraction(1, 1000), Fraction(percent, 100)
    on_the_line = paid(low) + (part - low) / (1 - low) * (paid(Fraction(1)) - paid(low))
    assert abs(paid(part) - on_the_line) < Fraction(1, 10**25)


def test_a_large_delta_pays_for_concentrated_charges_only() -> None:
    limit = ApproxDP(0.01, 0.1)
    overdrawn = totals([PureDP(0.02)])
    assert not overdrawn.fits(limit)
    assert not overdrawn.add(ZeroConcentratedDP(1e-9)).fits(limit)


def test_pure_charges_alone_may_use_all_of_epsilon() -> None:
    assert totals([PureDP(0.5), PureDP(0.5)]).fits(ApproxDP(1, 1e-6))
    assert totals([ApproxDP(0.5, 5e-7), ApproxDP(0.5, 5e-7)]).fits(ApproxDP(1, 1e-6))
    assert not totals([ApproxDP(0.5, 5e-7), ApproxDP(0.5, 6e-7)]).fits(ApproxDP(1, 1e-6))


# ------------------------------------------------------------------------------------------------- refusals


@pytest.mark.parametrize(
    ("charged", "limit"),
    [
        ([ZeroConcentratedDP(0.1)], PureDP(9)),
        ([ApproxDP(0.1, 1e-9)], PureDP(9)),
        ([ApproxDP(0.1, 1e-9)], ZeroConcentratedDP(9)),
        ([ZeroConcentratedDP(0.1)], ApproxDP(9, 0)),
        ([ApproxDP(0.1, 1e-9)], ApproxDP(9, 0)),
        ([ApproxDP(0.1, 1e-9), ZeroConcentratedDP(0.1)], ApproxDP(9, 1e-6)),
        ([PureDP(0.1)], RenyiDP({2: 9})),
        ([PureDP(0.1)], NoFormalGuarantee("x")),
    ],
)
def test_charges_without_a_common_currency_are_refused(charged: list[DPGuarantee], limit: DPGuarantee) -> None:
    for ask in (Composition.spent, Composition.remaining, Composition.fits):
        with pytest.raises(IncompatibleGuarantees):
            ask(totals(charged), limit)


def test_renyi_and_informal_charges_are_refused() -> None:
    with pytest.raises(IncompatibleGuarantees, match="to_approx"):
        Composition().add(RenyiDP({2: 1}))
    with pytest.raises(IncompatibleGuarantees, match="no bound"):
        Composition().add(NoFormalGuarantee("x"))  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument):
        Composition().add(1)  # type: ignore[arg-type]
    with pytest.raises(IncompatibleGuarantees, match="reach 1"):
        totals([ApproxDP(1, 0.6)] * 2).spent(ApproxDP(5, 0.1))
    with pytest.raises(InvalidArgument, match="pure"):
        Composition(pure=Fraction(-1))


# ------------------------------------------------------------------------------------ the adaptive analyst

Remaining = Callable[[Fraction, Fraction], float]
STAGES, SLICES, CELL = 24, 4, 0.025


def delta_of_the_best_analyst(limit: ApproxDP, remaining: Remaining) -> float:
    """Return the true delta at the limit's epsilon when an analyst plays the rule as well as possible.

    Dynamic programming over the privacy loss z (a lattice of width `CELL`). At each point the analyst has seen all
    releases, hence z, and may stop, ask for more Gaussian noise (the next of `STAGES` values of rho), or ask
    for randomised response with a quarter of epsilon or with everything that `remaining(rho, pure)` allows.
    """
    epsilon = float(limit.epsilon)
    z = CELL * np.arange(round(-(2 * epsilon + 3) / CELL), round((2 * epsilon + 6) / CELL))
    top = rho_for(limit.epsilon, limit.delta)
    rhos = [Fraction(0), *(top * Fraction(float(x)) for x in np.geomspace(0.01, 1, STAGES))]

    def gain(loss: np.ndarray) -> np.ndarray:
        return -np.expm1(np.minimum(0.0, epsilon - loss))  # (1 - e^(epsilon - loss))+

    def later(loss: np.ndarray) -> np.ndarray:
        return np.interp(loss, z, value[stage, used + 1])

    slice_ = limit.epsilon / SLICES
    value: dict[tuple[int, int], np.ndarray] = {}
    for stage, used in itertools.product(range(STAGES, -1, -1), range(SLICES, -1, -1)):
        left = remaining(rhos[stage], used * slice_)
        if left < 0:
            continue
        options = [gain(z), randomised_response(gain, z, left)]
        if (stage, used + 1) in value:
            options.append(randomised_response(later, z, float(slice_)))
        if (stage + 1, used) in value:
            options.append(gaussian(value[stage + 1, used], float(rhos[stage + 1] - rhos[stage])))
        value[stage, used] = np.max(options, axis=0)
    return float(value[0, 0][np.argmin(np.abs(z))])


def randomised_response(then: Callable[[np.ndarray], np.ndarray], z: np.ndarray, epsilon: float) -> np.ndarray:
    """Expected value after randomised response: its privacy loss is epsilon or, rarely, -epsilon."""
    right = 1 / (1 + np.exp(-epsilon))
    return right * then(z + epsilon) + (1 - right) * then(z - epsilon)


def gaussian(value: np.ndarray, rho: float) -> np.ndarray:
    """Expected value after Gaussian noise: its privacy loss is normal with mean rho and variance 2 rho."""
    reach = int(np.ceil((rho + 8 * np.sqrt(2 * rho)) / CELL)) + 1
    edges = (np.arange(-reach, reach + 2) - 0.5) * CELL
    weights = np.diff(norm.cdf((edges - rho) / np.sqrt(2 * rho)))
    return np.convolve(np.pad(value, reach, mode="edge"), weights[::-1], mode="valid")


LIMITS = [ApproxDP(3, 1e-6), ApproxDP(10, 1e-6), ApproxDP(10, 1e-9)]


@pytest.mark.parametrize("limit", LIMITS, ids=str)
def test_no_adaptive_analyst_exceeds_the_limit(limit: ApproxDP) -> None:
    def ours(rho: Fraction, spent: Fraction) -> float:
        total = Composition(pure=spent, rho=rho)
        return float(total.remaining(limit).epsilon) if total.fits(limit) else -1.0

    assert delta_of_the_best_analyst(limit, ours) <= float(limit.delta)


@pytest.mark.parametrize("limit", LIMITS, ids=str)
def test_converting_at_the_best_order_so_far_would_exceed_it(limit: ApproxDP) -> None:
    """Why the rule is not simply pure + to_approx(rho): the analyst stops when the noise is unlucky."""

    def tempting(rho: Fraction, spent: Fraction) -> float:
        converted = ZeroConcentratedDP(rho).to_approx(limit.delta).epsilon
        return float(limit.epsilon - spent - converted)

    assert delta_of_the_best_analyst(limit, tempting) > 2 * float(limit.delta)


def test_the_analyst_is_computed_right_where_the_answer_is_known() -> None:
    """Only Gaussian noise, no choice: the exact delta of Balle and Wang 2018, Theorem 8."""
    limit = ApproxDP(3, 1e-6)
    top = rho_for(3, 1e-6)
    got = delta_of_the_best_analyst(limit, lambda rho, spent: 0.0 if spent == 0 else -1.0)
    mu = np.sqrt(2 * float(top))
    exact = norm.cdf(mu / 2 - 3 / mu) - np.exp(3) * norm.cdf(-mu / 2 - 3 / mu)
    assert exact <= got <= 1.1 * exact
