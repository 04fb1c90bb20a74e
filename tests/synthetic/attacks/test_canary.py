"""The canary audit: finds the claim where it is kept, and every planted way of breaking it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import pets
from pets.dp.distributed import concentrated_shares
from pets.errors import InvalidArgument, PairingRefused
from pets.synthetic import AIM, MST, Independent
from pets.synthetic.attacks import audit_fit
from pets.synthetic.attacks.canary import judge
from pets.synthetic.engine.factors import Axes

CLAIM = pets.ApproxDP(8, "1e-5")
MU = 1.6665


def draws(mu, n=4000, seed=0):
    rng = np.random.default_rng(seed)
    return rng.normal(0, 3, n), rng.normal(3 * mu, 3, n)


def test_the_claimed_mu_is_that_of_an_independent_accountant():
    dp_event = pytest.importorskip("dp_accounting").dp_event
    from dp_accounting import pld

    accountant = pld.PLDAccountant().compose(dp_event.GaussianDpEvent(1 / judge(CLAIM, *draws(1)).mu_claimed))
    assert accountant.get_epsilon(1e-5) == pytest.approx(8, rel=1e-3)
    assert judge(pets.ZeroConcentratedDP("0.5"), *draws(1)).mu_claimed == 1


def test_a_kept_claim_is_found_nearly_whole():
    found = judge(CLAIM, *draws(MU))
    assert found.kept and found.tight and found.mu_low < MU < found.mu_high
    assert 0 < found.epsilon_proven < found.epsilon_found < 8.5


@pytest.mark.parametrize("factor", [2, 2**0.5, 1.15])
def test_less_noise_than_claimed_is_noticed(factor):
    found = judge(CLAIM, *draws(MU * factor))
    assert not found.kept and "BROKEN" in str(found)


def test_what_proves_needs_no_law():
    """Randomised response with epsilon 3 at delta 1e-5: the proven bound comes near and stays below."""
    rng, keep = np.random.default_rng(1), np.exp(3) / (1 + np.exp(3))
    sides = [np.where(rng.random(20_000) < keep, truth, 1.0 - truth) for truth in (0.0, 1.0)]
    noise = [side + rng.uniform(-0.1, 0.1, 20_000) for side in sides]
    assert 2.7 < judge(CLAIM, *noise).epsilon_proven <= 3


@pytest.mark.slow
@pytest.mark.parametrize("kind", [Independent, MST, AIM])
def test_whole_fits_lose_what_they_claim(kind):
    found = audit_fit(kind(epsilon=8, delta="1e-5", rows=400), fits=1000)
    assert found.kept and found.mu_high / found.mu_claimed >= 0.9, str(found)


@dataclass(frozen=True)
class Across:
    """Fits over three sites with the noise inside the sum, none of whom tells his share."""

    made: Any

    def fit(self, frame, domain):
        sites = {"FR": frame, "UK": frame[:0], "US": frame[:0]}
        return self.made.fit_across(sites, domain, pets.mpc.MaskedSum(), colluding_sites=0)


@pytest.mark.slow
def test_noise_inside_the_sum_loses_what_it_claims():
    found = audit_fit(Across(Independent(epsilon=8, delta="1e-5", rows=400)), fits=1000)
    assert found.kept and found.mu_high / found.mu_claimed >= 0.9, str(found)


@pytest.mark.slow
def test_planted_a_share_that_one_site_forgets(monkeypatch):
    monkeypatch.setattr(
        "pets.synthetic.across.spending.concentrated_shares", lambda s, h: concentrated_shares(s / 2, h)
    )
    found = audit_fit(Across(Independent(epsilon=8, delta="1e-5", rows=400)), fits=200)
    assert not found.kept, str(found)


def test_a_whole_fit_is_audited():
    found = audit_fit(Independent(epsilon=8, delta="1e-5", rows=200), fits=40, rows=200)
    assert found.fits == 40 and 0.4 < found.share < 1.8  # so few fits say little more


@dataclass(frozen=True)
class Table:
    axes: Axes
    values: Any
    sigma2: float
    grouped: bool = False


@dataclass(frozen=True)
class Released:
    """Counts of each column with Gaussian noise of the claimed size, or not."""

    tables: tuple[Table, ...]
    guarantee: Any = CLAIM

    @classmethod
    def of(cls, frame, rng, sigma, times=1):
        counts = [np.array([(frame[c] == v).sum() for v in ("a", "b")]) for c in frame.columns]
        return cls(
            tuple(
                Table((i,), c + rng.normal(0, sigma, 2), sigma**2) for _ in range(times) for i, c in enumerate(counts)
            )
        )


class Planted:
    """A synthesizer of four tables with a mistake: half the noise, no composition, or a second run."""

    def __init__(self, factor=1.0, times=1):
        self.rng, self.sigma, self.times = np.random.default_rng(1), factor * 2 / MU, times

    def fit(self, frame, domain):
        return Released.of(frame, self.rng, self.sigma, self.times)


def test_the_honest_one_passes():
    found = audit_fit(Planted(), fits=1500, rows=20)
    assert found.kept and found.tight


@pytest.mark.parametrize("mistake", [{"factor": 0.5}, {"times": 2}])
def test_planted_mistakes_are_caught(mistake):
    """Sensitivity halved; four tables each with the whole budget; run again when sampled."""
    assert not audit_fit(Planted(**mistake), fits=300, rows=20).kept


def test_what_cannot_be_audited_is_refused():
    class NoTables:
        def fit(self, frame, domain):
            return Released(())

    with pytest.raises(PairingRefused, match="noisy tables"):
        audit_fit(NoTables(), fits=20)
    with pytest.raises(PairingRefused):
        judge(pets.NoFormalGuarantee("a test"), *draws(1))
    with pytest.raises(InvalidArgument):
        audit_fit(Planted(), fits=3)
    with pytest.raises(InvalidArgument, match="one label"):
        audit_fit(Planted(), pets.Domain(a=["x"], b=["x", "y"]))
    with pytest.raises(InvalidArgument, match="unit"):
        audit_fit(Planted(), pets.Domain(a=["x", "y"], unit=pets.PrivacyUnit(neighbours="replace_one")))


def test_evidence_is_what_the_canary_adds_to_the_tables_whichever_they_are():
    from itertools import combinations

    from pets.synthetic.attacks.canary import _neighbours, evidence
    from pets.synthetic.encoding import Encoding
    from pets.synthetic.tables import count

    domain = pets.Domain({f"c{i}": ["a", "b"] for i in range(4)})
    frames, canary = _neighbours(domain, 30)
    encoding = Encoding.of(domain)
    every = [axes for size in (1, 2, 3) for axes in combinations(range(4), size)]
    signs = []
    for axes in every:
        found = []
        for frame in frames:
            codes = encoding.encode(frame)
            found.append(evidence(Released((Table(axes, count(codes, encoding.sizes, axes), 4.0),)), canary))
        assert found[0][0] == 0 and found[1][0] == 0.25
        if len(axes) == 2:
            signs.append(found[0][1])
    assert sorted(signs) == [-1, -1, -1, 1, 1, 1], "of the pairs, half look better and half look worse"
