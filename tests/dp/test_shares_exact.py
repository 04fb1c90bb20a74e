"""Noise shares, by enumeration: what `honest` shares together promise, from the very tables that are drawn from."""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from scipy import special, stats

from pets.csprng import InsecureRandom
from pets.domain import Domain
from pets.dp import DiscreteGaussian, DiscreteLaplace
from pets.dp.distributed import GaussianShares, SkellamShares, concentrated_shares
from pets.dp.samplers import PolyaShare, SkellamShare
from pets.dp.samplers.enclosure import tail_bounds
from pets.dp.skellam import is_concentrated, skellam_variance
from pets.errors import InvalidArgument
from pets.guarantee import ZeroConcentratedDP
from pets.query import Count

BITS = 160


def certified(law) -> list[int]:
    """Return P(k) in units of 2**-BITS, k = -n..n, right to some units."""
    low, high = tail_bounds(law, BITS, zeros=1)
    tails = [(a + b) // 2 for a, b in zip(low[::-1], high[::-1], strict=True)]
    positive = [a - b for a, b in zip(tails, [*tails[1:], 0], strict=True)]  # P(1), P(2), ...
    zero = (1 << BITS) - 2 * tails[0]
    return [*positive[::-1], zero, *positive]


def convolved(pmf: list[int], times: int) -> list[int]:
    """Return the law of a sum, by multiplying polynomials packed into long integers: no rounding but the last."""
    width = 2 * BITS + 32
    total = pmf
    for _ in range(times - 1):
        packed = sum(p << (width * i) for i, p in enumerate(total)) * sum(p << (width * i) for i, p in enumerate(pmf))
        mask = (1 << width) - 1
        total = [(packed >> (width * i) & mask) >> BITS for i in range(len(total) + len(pmf) - 1)]
    return total


def largest_loss(pmf: list[int]) -> float:
    """Return the largest loss of a shift by one, where probabilities are known to a part in 10^12."""
    known = [p for p in pmf if p > 1 << 60]
    return max(abs(math.log(Fraction(a, b))) for a, b in pairwise(known))


@pytest.mark.parametrize(("scale", "honest"), [(Fraction(1), 2), (Fraction(3, 2), 3), (Fraction(2), 5)])
def test_honest_polya_shares_are_exactly_epsilon_private(scale, honest):
    total = convolved(certified(PolyaShare(scale, Fraction(1, honest))), honest)
    assert largest_loss(total) <= float(1 / scale) + 1e-12
    middle = len(total) // 2
    for k in range(20):
        closed = math.tanh(0.5 / float(scale)) * math.exp(-k / float(scale))
        assert total[middle + k] / 2**BITS == pytest.approx(closed, rel=1e-13)


def test_more_shares_cost_no_more_and_fewer_cost_more():
    share = certified(PolyaShare(Fraction(1), Fraction(1, 3)))
    assert largest_loss(convolved(share, 4)) <= 1 + 1e-12
    assert largest_loss(convolved(share, 2)) > 1.1  # planted: shares for 3 sites of which only 2 are honest


def renyi(pmf: np.ndarray, order: float) -> float:
    """Return the Rényi divergence between the law shifted by one and the law."""
    p, q = np.log(pmf[:-1]), np.log(pmf[1:])
    return float(special.logsumexp(order * p + (1 - order) * q)) / (order - 1)


ORDERS = 1 + np.geomspace(1e-4, 60, 80)


@pytest.mark.parametrize("sigma2", [Fraction(1, 10), Fraction(1, 2), Fraction(1), Fraction(3), Fraction(20)], ids=str)
def test_skellam_noise_is_as_concentrated_as_claimed(sigma2):
    """scipy's law, all orders to 61; and a sixteenth less noise would not do near sigma2 = 1."""
    variance = float(skellam_variance(sigma2))
    k = np.arange(-int(8 * variance + 40), int(8 * variance + 41))
    log_p = np.log(special.ive(np.abs(k), variance))
    kept = log_p > -600
    worst = max(renyi(np.exp(log_p[kept]), a) / a for a in ORDERS)
    assert worst <= 1 / (2 * float(sigma2))
    assert worst >= 0.85 / (2 * float(sigma2)) or sigma2 <= Fraction(1, 2)  # not wasteful either


def test_the_certificate_refuses_what_is_false():
    assert is_concentrated(1.0, 0.530)
    assert not is_concentrated(1.0, 0.526)  # Kullback-Leibler divergence 0.52630
    assert not is_concentrated(200.0, 0.0025)
    assert not is_concentrated(2.0, 0.2543)
    assert is_concentrated(2.0, 0.2545)


@pytest.mark.parametrize("variance", [0.0625, 0.3, 1.0, 6.0, 50.0, 700.0])
def test_the_certificate_never_claims_less_than_the_divergence(variance):
    k = np.arange(-int(6 * variance + 60), int(6 * variance + 61))
    log_p = np.log(np.maximum(special.ive(np.abs(k), variance), 1e-300))
    pmf = np.exp(log_p[log_p > -600])
    worst = max(renyi(pmf, a) / a for a in ORDERS)
    assert not is_concentrated(variance, worst * 0.9999)


@pytest.mark.parametrize(("variance", "honest"), [(Fraction(1), 3), (Fraction(5, 2), 4)])
def test_honest_skellam_shares_have_the_skellam_law_exactly(variance, honest):
    total = convolved(certified(SkellamShare(variance / honest)), honest)
    middle = len(total) // 2
    for k in range(12):
        expected = special.ive(k, float(variance))
        assert total[middle + k] / 2**BITS == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("copies", [2, 5])
def test_gaussian_shares_are_as_near_a_discrete_gaussian_as_the_theorem_says(copies):
    """Kairouz, Liu, Steinke 2021: |ln ratio| <= tau. Seen at a small variance, where tau is not lost in rounding."""
    sigma2 = 1.0
    k = np.arange(-40, 41)
    weights = np.exp(-(k**2) / (2 * sigma2))
    share = weights / weights.sum()
    total = share
    for _ in range(copies - 1):
        total = np.convolve(total, share)
    j = np.arange(total.size) - total.size // 2
    smooth = np.exp(-(j**2) / (2 * sigma2 * copies))
    smooth /= smooth.sum()
    near = np.abs(j) <= 8
    seen = np.abs(np.log(total[near] / smooth[near])).max()
    tau = 10 * sum(math.exp(-2 * math.pi**2 * sigma2 * n / (n + 1)) for n in range(1, copies))
    assert 1e-6 < seen <= tau


def test_wide_noise_is_made_of_gaussians_and_narrow_noise_of_skellams():
    assert isinstance(concentrated_shares(Fraction(79), 10), SkellamShares)
    wide = concentrated_shares(Fraction(80), 10)
    assert isinstance(wide, GaussianShares)
    tau = 10 * 9 * math.exp(-(math.pi**2) * 8)
    assert (1 / (10 * wide.sigma2) ** 0.5 + tau) ** 2 / 2 <= 1 / 160 * (1 + 1e-15)
    assert 10 * wide.sigma2 > 80


def query(cells: int = 50):
    return Count(by=["cell"]).bind(Domain(cell=[f"c{i}" for i in range(cells)]))


@pytest.mark.parametrize("rho", ["0.5", "0.1"])
def test_dp_accounting_agrees_on_skellam_noise(rho):
    """The exact epsilon of the released law, by an independent accountant, is below what the zCDP claim implies."""
    pld = pytest.importorskip("dp_accounting.pld.privacy_loss_distribution")
    law = DiscreteGaussian(rho).distributed_error(query(), 4, 4).laws[0]
    k = range(-60, 61)
    pmf = stats.skellam.logpmf(list(k), law.variance / 2, law.variance / 2)
    log_p = {i: float(p) for i, p in zip(k, pmf, strict=True)}
    moved = {i + 1: p for i, p in log_p.items()}
    exact = pld.from_two_probability_mass_functions(
        log_p, moved, pessimistic_estimate=True, value_discretization_interval=1e-4
    )
    for delta in (1e-2, 1e-4, 1e-6):
        claim = float(ZeroConcentratedDP(rho).to_approx(delta).epsilon)
        assert 0.3 * claim < exact.get_epsilon_for_delta(delta) <= claim  # its tails lose less than a Gaussian's


# ------------------------------------------------------------------------------ bounds and arguments


@pytest.mark.parametrize("mechanism", [DiscreteLaplace(1), DiscreteLaplace("0.1"), DiscreteGaussian("0.5")])
@pytest.mark.parametrize(("sites", "honest"), [(4, 4), (10, 4), (100, 60)])
def test_the_bound_of_the_noise_holds_with_the_exact_law_and_is_not_wasteful(mechanism, sites, honest):
    bound = mechanism.noise_bound(query(), sites, honest)
    law = mechanism.distributed_error(query(), sites, honest).laws[0]
    outside = 2 * law.cdf(-bound - 1) * query().size
    assert outside <= 2.0**-64
    assert 2 * law.cdf(-int(0.8 * bound) - 1) * query().size > 2.0**-64


def test_the_bound_of_gaussian_shares_holds():
    bound = DiscreteGaussian("0.0005").noise_bound(query(), 6, 4)
    sigma = (1000 * 6 / 4) ** 0.5
    assert 2 * 50 * stats.norm.sf(bound / sigma) <= 2.0**-64 < 2 * 50 * stats.norm.sf(0.9 * bound / sigma)


@pytest.mark.parametrize("bad", [0, -1, 1.5, True, "4", 2**16 + 1, None])
def test_bad_numbers_of_sites_are_refused(bad):
    for call in ("noise_share", "distributed_error", "noise_bound", "share_bound"):
        with pytest.raises(InvalidArgument):
            getattr(DiscreteLaplace(1), call)(query(), bad, 1)
        with pytest.raises(InvalidArgument):
            getattr(DiscreteLaplace(1), call)(query(), 10, bad)


def test_more_honest_sites_than_sites_are_refused():
    with pytest.raises(InvalidArgument, match="honest"):
        DiscreteLaplace(1).noise_share(query(), 3, 4)


def test_an_engine_without_shares_is_refused():
    pytest.importorskip("opendp")
    with pytest.raises(InvalidArgument, match="engine"):
        DiscreteLaplace(1, engine="opendp").noise_share(query(), 3, 3)


def test_structural_zeros_get_no_share():
    domain = Domain(sex=["female", "male"], site=["liver", "ovary"], impossible=[{"sex": "male", "site": "ovary"}])
    bound = Count(by=["sex", "site"]).bind(domain)
    shares = [DiscreteLaplace("0.01").noise_share(bound, 3, 2).values for _ in range(40)]
    free = bound.blocks[0].free()
    assert all(not share[~free].any() for share in shares)
    assert np.any(np.array(shares)[:, free])


def test_a_given_stream_gives_the_same_share_again():
    first, second = (
        DiscreteLaplace(1).noise_share(query(), 5, 3, source=InsecureRandom(insecure_seed=3)) for _ in range(2)
    )
    assert first == second
    assert first != DiscreteLaplace(1).noise_share(query(), 5, 3)
