"""Conversions against independent implementations and against exact truths; never below either truth."""

import math
from fractions import Fraction

import dp_accounting
import mpmath
import pytest
from dp_accounting import rdp
from hypothesis import given, settings
from hypothesis import strategies as st

from pets.guarantee import ApproxDP, PureDP, RenyiDP, ZeroConcentratedDP, rho_for
from pets.guarantee.conversion import best_order

mpmath.mp.dps = 80
RHOS = [1e-6, 0.001, 0.05, 0.5, 3, 40]
DELTAS = [0.1, 1e-3, 1e-6, 1e-12]
ORDERS = [1.25, 1.5, 2, 3, 4, 8, 16, 32, 64, 128]


def real(x: Fraction) -> mpmath.mpf:
    return mpmath.mpf(x.numerator) / x.denominator


def implied_delta(rho: mpmath.mpf, epsilon: mpmath.mpf, order: mpmath.mpf) -> mpmath.mpf:
    """The delta of Canonne, Kamath and Steinke 2020, section 2.3, at one order, in their own form."""
    tail = mpmath.exp((order - 1) * (order * rho - epsilon)) / (order - 1)
    return tail * (1 - 1 / order) ** order


def gaussian_delta(rho: mpmath.mpf, epsilon: mpmath.mpf) -> mpmath.mpf:
    """The exact delta of Gaussian noise (Balle and Wang 2018, Theorem 8)."""
    mu = mpmath.sqrt(2 * rho)
    return mpmath.ncdf(mu / 2 - epsilon / mu) - mpmath.exp(epsilon) * mpmath.ncdf(-mu / 2 - epsilon / mu)


def two_point_divergence(epsilon: mpmath.mpf, order: mpmath.mpf) -> mpmath.mpf:
    """The Rényi divergence of randomised response, from its definition."""
    p = mpmath.exp(epsilon) / (1 + mpmath.exp(epsilon))
    q = 1 - p
    return mpmath.log(p**order * q ** (1 - order) + q**order * p ** (1 - order)) / (order - 1)


# ------------------------------------------------------------------------------------- zCDP to approximate DP


def test_the_tight_conversion_not_the_textbook_one() -> None:
    converted = ZeroConcentratedDP(0.05).to_approx(1e-6)
    assert converted.delta == Fraction(1, 10**6)
    assert float(converted.epsilon) == pytest.approx(1.4715948, abs=5e-8)


@pytest.mark.parametrize("rho", RHOS)
@pytest.mark.parametrize("delta", DELTAS)
def test_zcdp_to_approx_is_the_infimum_over_all_orders(rho: float, delta: float) -> None:
    epsilon = real(ZeroConcentratedDP(rho).to_approx(delta).epsilon)
    r, d = mpmath.mpf(str(rho)), mpmath.mpf(str(delta))
    order = real(best_order(Fraction(str(rho)), Fraction(str(delta))))
    assert implied_delta(r, epsilon, order) <= d
    if epsilon > 0:
        tighter = epsilon * (1 - mpmath.mpf("1e-16"))
        around = [1 + (order - 1) * mpmath.mpf(2) ** (mpmath.mpf(k) / 200) for k in range(-600, 601)]
        assert min(implied_delta(r, tighter, other) for other in around) > d


@pytest.mark.parametrize("rho", RHOS)
@pytest.mark.parametrize("delta", DELTAS)
def test_zcdp_to_approx_covers_gaussian_noise(rho: float, delta: float) -> None:
    epsilon = real(ZeroConcentratedDP(rho).to_approx(delta).epsilon)
    assert gaussian_delta(mpmath.mpf(str(rho)), epsilon) <= mpmath.mpf(str(delta))


@pytest.mark.parametrize("rho", [0.001, 0.05, 0.5, 3])
def test_zcdp_to_approx_agrees_with_opendp(rho: float) -> None:
    dp = pytest.importorskip("opendp.prelude")
    dp.enable_features("contrib")
    space = dp.atom_domain(T=float, nan=False), dp.absolute_distance(T=float)
    noise = dp.m.make_gaussian(*space, scale=1 / math.sqrt(2 * rho))
    profile = dp.c.make_zCDP_to_approxDP(noise).map(1.0)
    for delta in DELTAS:
        ours = float(ZeroConcentratedDP(rho).to_approx(delta).epsilon)
        assert ours == pytest.approx(profile.epsilon(delta), rel=1e-8)


@given(st.floats(1e-9, 1e6), st.floats(1e-100, 0.999))
def test_zcdp_conversion_holds_at_every_size(rho: float, delta: float) -> None:
    converted = ZeroConcentratedDP(rho).to_approx(delta)
    r, d = Fraction(repr(rho)), Fraction(repr(delta))
    order = real(best_order(r, d))
    assert implied_delta(real(r), real(converted.epsilon), order) <= real(d)
    textbook = rho + 2 * math.sqrt(rho * math.log(1 / delta))
    assert float(converted.epsilon) <= textbook * (1 + 1e-12)


@given(st.floats(1e-6, 100), st.floats(1e-6, 100), st.floats(1e-12, 0.5))
def test_more_rho_is_never_less_epsilon(first: float, second: float, delta: float) -> None:
    low, high = sorted((first, second))
    assert ZeroConcentratedDP(low).to_approx(delta).epsilon <= ZeroConcentratedDP(high).to_approx(delta).epsilon


def test_nothing_spent_needs_no_delta() -> None:
    assert ZeroConcentratedDP(0).to_approx(0) == ApproxDP(0, 0)


# -------------------------------------------------------------------------------------------------- inverse


@given(st.floats(1e-3, 100), st.floats(1e-12, 0.5))
def test_rho_for_is_the_inverse(epsilon: float, delta: float) -> None:
    rho = rho_for(epsilon, delta)
    assert ZeroConcentratedDP(rho).to_approx(delta).epsilon <= Fraction(repr(epsilon))
    more = ZeroConcentratedDP(rho * (1 + Fraction(1, 10**12))).to_approx(delta)
    assert more.epsilon > Fraction(repr(epsilon))


@pytest.mark.parametrize("epsilon", [0.1, 1, 8])
def test_rho_for_agrees_with_opendp(epsilon: float) -> None:
    dp = pytest.importorskip("opendp.prelude")
    dp.enable_features("contrib")
    space = dp.atom_domain(T=float, nan=False), dp.absolute_distance(T=float)
    noise = dp.m.make_gaussian(*space, scale=1 / math.sqrt(2 * float(rho_for(epsilon, 1e-6))))
    assert dp.c.make_zCDP_to_approxDP(noise).map(1.0).epsilon(1e-6) == pytest.approx(epsilon, rel=1e-8)


def test_rho_for_at_the_edges() -> None:
    assert rho_for(5, 0) == 0
    assert rho_for(0, 1e-6) > 0  # delta alone pays for a little
    assert rho_for("1/3", "1/7") > 0


# ----------------------------------------------------------------------------------------- pure to the others


@pytest.mark.parametrize("epsilon", ["1e-12", "0.001", "0.1", "1", "5", "60", "3000"])
@pytest.mark.parametrize("order", ORDERS)
def test_pure_to_renyi_is_randomised_response(epsilon: str, order: float) -> None:
    bound = real(PureDP(epsilon).to_renyi([order]).epsilon_at(order))
    with mpmath.workdps(3000):
        truth = two_point_divergence(mpmath.mpf(epsilon), mpmath.mpf(str(order)))
    assert truth <= bound <= truth * (1 + mpmath.mpf("1e-15"))


def test_pure_to_renyi_agrees_with_dp_accounting() -> None:
    flip = 0.4  # reports the truth with probability 1 - flip / 2
    accountant = rdp.RdpAccountant(ORDERS, dp_accounting.NeighboringRelation.REPLACE_ONE)
    accountant.compose(dp_accounting.RandomizedResponseDpEvent(flip, 2))
    epsilon = math.log((1 - flip / 2) / (flip / 2))
    for order, theirs in zip(ORDERS, accountant._rdp, strict=True):
        assert float(PureDP(epsilon).to_renyi([order]).epsilon_at(order)) == pytest.approx(theirs, rel=1e-9)


@given(st.floats(1e-6, 1e3), st.sampled_from(ORDERS))
def test_pure_to_zcdp_covers_the_worst_pure_mechanism(epsilon: float, order: float) -> None:
    exact = PureDP(epsilon)
    assert exact.to_zcdp().rho == exact.epsilon**2 / 2
    assert exact.to_renyi([order]).epsilon_at(order) <= exact.to_zcdp().to_renyi([order]).epsilon_at(order)


def test_pure_to_zcdp_agrees_with_opendp() -> None:
    dp = pytest.importorskip("opendp.prelude")
    dp.enable_features("contrib")
    space = dp.atom_domain(T=float, nan=False), dp.absolute_distance(T=float)
    laplace = dp.c.make_pureDP_to_zCDP(dp.m.make_laplace(*space, scale=2.0))
    assert float(PureDP(0.5).to_zcdp().rho) == pytest.approx(laplace.map(1.0), rel=1e-12)


def test_pure_needs_no_delta() -> None:
    assert PureDP(0.7).to_approx(1e-6) == PureDP(0.7).to_approx() == ApproxDP(0.7, 0)


# ---------------------------------------------------------------------------------------------------- Rényi


@pytest.mark.parametrize("delta", DELTAS)
def test_renyi_to_approx_agrees_with_dp_accounting(delta: float) -> None:
    curve = {order: 0.03 * order + 0.001 * order**1.5 for order in ORDERS}
    theirs, _ = rdp.compute_epsilon(ORDERS, list(curve.values()), delta)
    ours = RenyiDP(curve).to_approx(delta)
    assert float(ours.epsilon) == pytest.approx(theirs, rel=1e-12, abs=1e-15)


def test_renyi_orders_are_joined_by_monotonicity() -> None:
    curve = RenyiDP({2: 1, 4: 0.5, 8: 3})
    assert curve.epsilon_at(2) == Fraction(1, 2)
    assert curve.epsilon_at("4.5") == 3
    assert curve.to_renyi([3, 8]) == RenyiDP({3: 0.5, 8: 3})


def test_zcdp_to_renyi_is_the_definition() -> None:
    assert ZeroConcentratedDP(0.05).to_renyi([2, "5/2"]) == RenyiDP({2: 0.1, "5/2": 0.125})


def test_dense_renyi_curve_approaches_the_zcdp_conversion() -> None:
    zcdp = ZeroConcentratedDP(0.05)
    dense = zcdp.to_renyi([1 + Fraction(k, 50) for k in range(1, 3000)])
    best, coarse = zcdp.to_approx(1e-6).epsilon, dense.to_approx(1e-6).epsilon
    assert best <= coarse <= best * (1 + Fraction(1, 10**6))


# ---------------------------------------------------------------------------------------------------- groups


def test_group_privacy_of_pure_and_zcdp_is_exact() -> None:
    assert PureDP(0.1).group(3) == PureDP("0.3")
    assert ZeroConcentratedDP(0.01).group(3) == ZeroConcentratedDP(0.09)


@given(st.just(0.0) | st.floats(1e-9, 3), st.floats(1e-12, 1e-5), st.integers(1, 4))
def test_group_privacy_of_approximate_dp_is_the_hybrid_sum(epsilon: float, delta: float, k: int) -> None:
    grouped = ApproxDP(epsilon, delta).group(k)
    e, d = mpmath.mpf(repr(epsilon)), mpmath.mpf(repr(delta))
    truth = d * mpmath.fsum(mpmath.exp(i * e) for i in range(k))
    assert grouped.epsilon == k * Fraction(repr(epsilon))
    assert truth * (1 - mpmath.mpf("1e-60")) <= real(grouped.delta) <= truth * (1 + mpmath.mpf("1e-15"))


def test_group_privacy_of_a_tiny_epsilon_does_not_cancel() -> None:
    assert float(ApproxDP("1e-30", 1e-6).group(3).delta) == pytest.approx(3e-6, rel=1e-12)
    assert ApproxDP(0, 1e-6).group(4).delta == Fraction(4, 10**6)


@pytest.mark.parametrize("k", [2, 3, 4])
def test_group_privacy_of_a_renyi_curve_covers_laplace_noise(k: int) -> None:
    single, several = rdp.RdpAccountant(ORDERS), rdp.RdpAccountant(ORDERS)
    single.compose(dp_accounting.LaplaceDpEvent(5))
    several.compose(dp_accounting.LaplaceDpEvent(5 / k))
    truth = dict(zip(ORDERS, several._rdp, strict=True))
    grouped = RenyiDP({order: float(e) for order, e in zip(ORDERS, single._rdp, strict=True)}).group(k)
    assert len(grouped.curve) >= 4
    for order, bound in grouped.curve:
        if float(order) in truth:
            assert truth[float(order)] <= float(bound) * (1 + 1e-9)


def test_group_privacy_of_a_renyi_curve_is_the_theorem() -> None:
    """Mironov 2017, Proposition 2: order a >= 2^(c+1) becomes a / 2^c, epsilon becomes 3^c epsilon."""
    curve = RenyiDP({2: 0.5, 3: 0.7, 4: 1, 16: 2})
    assert curve.group(2) == RenyiDP({2: 3, 8: 6})
    assert curve.group(3) == curve.group(4) == RenyiDP({4: 18})


def test_a_group_of_one_is_the_guarantee_itself() -> None:
    for guarantee in (PureDP(1), ApproxDP(1, 1e-6), ZeroConcentratedDP(1), RenyiDP({"3/2": 1})):
        assert guarantee.group(1) == guarantee


# ----------------------------------------------------------------------------------------------- robustness


@settings(max_examples=100)
@given(st.fractions(0, 10**20), st.fractions(0, 1), st.fractions("1.0001", 10**20))
def test_no_parameters_break_the_arithmetic(amount: Fraction, delta: Fraction, order: Fraction) -> None:
    if 0 < delta < 1:
        assert ZeroConcentratedDP(amount).to_approx(delta).epsilon >= 0
        assert rho_for(amount, delta) >= 0
        assert RenyiDP({order: amount}).to_approx(delta).epsilon >= 0
    assert PureDP(amount).to_renyi([order]).epsilon_at(order) <= amount * (1 + Fraction(1, 10**16))
