"""Coverage, type I error and accuracy under noise; and planted bugs that these very checks must find."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import pets
from pets.epi.survival import EventCounts, delta, fit, kaplan_meier, log_rank, logrank

BINS, WIDTH = 12, 60


def cohort(rng: np.random.Generator, patients: int, early: bool = False, strata: int = 1) -> EventCounts:
    """Return exact counts of Weibull survival (scale 420 days, shape 1.3); `early` censors the last stratum early."""
    group = rng.integers(0, strata, patients)
    death = 420 * rng.exponential(size=patients) ** (1 / 1.3)
    left = rng.uniform(200, 1300, patients)
    left = np.where(early & (group == strata - 1), rng.uniform(50, 500, patients), left)
    end, died = np.minimum(death, left), (death <= left).astype(int)
    bin_ = np.minimum((end / WIDTH).astype(int), BINS)
    cells = np.bincount((group * (BINS + 1) + bin_) * 2 + died, minlength=strata * (BINS + 1) * 2)
    table = cells.reshape(strata, BINS + 1, 2).astype(float)
    return EventCounts(
        strata=tuple((g,) for g in range(strata)), by=("group",), causes=("dead",), start=0.0,
        times=np.arange(1, BINS + 1) * float(WIDTH), step=0.0, lost=np.full(BINS, 0.5),
        events=table[:, :BINS, 1:], events_variance=np.zeros((strata, BINS, 1)),
        censored=table[:, :BINS, 0], censored_variance=np.zeros((strata, BINS)),
        beyond=table[:, BINS].sum(axis=1), beyond_variance=np.zeros(strata),
    )  # fmt: skip


def coverage(noisy: Any, patients: int, epsilon: float, repetitions: int, seed: int) -> float:
    rng, hits, seen = np.random.default_rng(seed), 0, 0
    for _ in range(repetitions):
        curve = kaplan_meier(noisy(cohort(rng, patients), epsilon, rng)).curves[0]
        truth = np.exp(-((curve.times / 420) ** 1.3))
        hits += int((curve.reliable & (curve.low <= truth) & (truth <= curve.high)).sum())
        seen += int(curve.reliable.sum())
    return hits / seen


def rejected(noisy: Any, patients: int, epsilon: float, repetitions: int, seed: int, **scene: Any) -> float:
    rng = np.random.default_rng(seed)
    found = [log_rank(noisy(cohort(rng, patients, **scene), epsilon, rng)).p_value < 0.05 for _ in range(repetitions)]
    return float(np.mean(found))


@pytest.mark.parametrize(("patients", "epsilon"), [(228, 1.0), (1000, 0.5)])
def test_bands_cover(noisy: Any, patients: int, epsilon: float) -> None:
    assert 0.93 <= coverage(noisy, patients, epsilon, 250, seed=5) <= 0.97


@pytest.mark.slow
@pytest.mark.parametrize("patients", [228, 1000, 10_000])
@pytest.mark.parametrize("epsilon", [10.0, 2.0, 1.0, 0.5])
def test_bands_cover_at_length(noisy: Any, patients: int, epsilon: float) -> None:
    assert 0.93 <= coverage(noisy, patients, epsilon, 1500, seed=6) <= 0.97


@pytest.mark.slow
@pytest.mark.parametrize("scene", [{"strata": 2}, {"strata": 2, "early": True}, {"strata": 4, "early": True}])
@pytest.mark.parametrize("epsilon", [10.0, 1.0, 0.5, 0.2])
def test_type_one_error_at_length(noisy: Any, scene: dict[str, Any], epsilon: float) -> None:
    assert rejected(noisy, 400, epsilon, 4000, seed=8, **scene) <= 0.06


def test_type_one_error_where_strata_are_censored_differently(noisy: Any) -> None:
    assert rejected(noisy, 400, 1.0, 600, seed=7, strata=2, early=True) <= 0.06


# Each check is a statement about the code as it stands. With the bug planted it must turn false.


def covers(noisy: Any) -> bool:
    return 0.93 <= coverage(noisy, 228, 0.5, 120, seed=9) <= 0.97


def at_risk_is_right() -> bool:
    counts = cohort(np.random.default_rng(1), 500)
    followed = 500 - np.cumsum(np.concatenate([[0], (counts.events[0, :, 0] + counts.censored[0])[:-1]]))
    return bool(np.allclose(kaplan_meier(counts).curves[0].at_risk, followed))


def unbiased() -> bool:
    counts = cohort(np.random.default_rng(2), 400_000)
    curve = kaplan_meier(counts).curves[0]
    return bool(np.abs(curve.value - np.exp(-((curve.times / 420) ** 1.3))).max() < 0.006)


def strata_cost_epsilon_once() -> bool:
    """A patient is in one stratum: cells have the noise of epsilon itself, however many strata there are."""
    strata = [str(number) for number in range(8)]
    domain = pets.Domain(time=pets.Integer(0, 99), status=["censored", "dead"], centre=strata)
    mechanism = pets.dp.DiscreteLaplace(epsilon=1)
    whole = pets.EventTable("time", "status", bins=[0, 50, 99]).bind(domain)
    split = pets.EventTable("time", "status", by=["centre"], bins=[0, 50, 99]).bind(domain)
    laws = mechanism.laws(whole) == mechanism.laws(split)
    release = mechanism.release(pets.Tally(np.zeros(split.size, dtype=np.int64), split.signature), split)
    stated = set(np.unique(EventCounts.of(release).events_variance))
    return (
        laws and release.guarantee == pets.PureDP(1, unit=domain.unit) and stated == {mechanism.laws(whole)[0].variance}
    )


def test_the_checks_pass_on_the_code(noisy: Any) -> None:
    assert covers(noisy) and at_risk_is_right() and unbiased() and strata_cost_epsilon_once()


def test_planted_at_risk_off_by_one_bin(monkeypatch: pytest.MonkeyPatch) -> None:
    right = fit.from_here
    monkeypatch.setattr(fit, "from_here", lambda per_bin: np.concatenate([right(per_bin)[1:], [0.0]]))
    assert not at_risk_is_right() and not unbiased()


def test_planted_censored_counted_as_events(monkeypatch: pytest.MonkeyPatch) -> None:
    right = EventCounts.single

    def wrong(counts: EventCounts, event: Any = None) -> EventCounts:
        found = right(counts, event)
        return replace(found, events=found.events + found.censored[:, :, None], censored=0 * found.censored)

    monkeypatch.setattr(EventCounts, "single", wrong)
    assert not unbiased()


def test_planted_noise_left_out_of_the_bands(monkeypatch: pytest.MonkeyPatch, noisy: Any) -> None:
    monkeypatch.setattr(delta, "_noise", lambda _, slopes: np.zeros(len(slopes)))
    assert not covers(noisy)


def test_planted_noise_of_numbers_at_risk_forgotten(monkeypatch: pytest.MonkeyPatch, noisy: Any) -> None:
    """Only the noise in a bin's own events: the sums of all later cells enter each number at risk too."""

    def wrong(table: Any, slopes: Any) -> Any:
        return ((slopes / table.at_risk[:, None]) ** 2 * table.events_variance).sum(axis=(1, 2)) * 0.25

    monkeypatch.setattr(delta, "_noise", wrong)
    assert not covers(noisy)


def test_planted_strata_budget_counted_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    right = pets.query.BoundQuery.sensitivities.func  # type: ignore[attr-defined]

    def wrong(bound: Any) -> Any:
        strata = int(np.prod([len(axis) for axis in bound.blocks[0].axes[:-2]], initial=1))
        return tuple(replace(one, l1=one.l1 * strata) for one in right(bound))

    monkeypatch.setattr(pets.query.BoundQuery, "sensitivities", property(wrong))
    assert not strata_cost_epsilon_once()


def test_planted_log_rank_without_noise(monkeypatch: pytest.MonkeyPatch, noisy: Any) -> None:
    monkeypatch.setattr(logrank, "_noise", lambda raw, scale: np.zeros((len(raw.events),) * 2))
    assert rejected(noisy, 200, 0.5, 150, seed=7, strata=2) > 0.15


def test_the_goal_on_the_lung_study() -> None:
    """RMSE over 24 bins at most 0.03 at epsilon 1 and 0.005 at epsilon 10, from releases with the real mechanism."""
    lung = pets.datasets.lung()
    domain = pets.Domain(time=pets.Integer(0, 1080), status=["censored", "dead"])
    fine = pets.EventTable("time", "status").bind(domain)
    coarse = pets.EventTable("time", "status", bins=range(0, 1081, 45)).bind(domain)
    exact = kaplan_meier(EventCounts.exact(fine, fine.tally(lung))).curves[0]
    tally = coarse.tally(lung)
    for epsilon, goal in ((1, 0.03), (10, 0.005)):
        mechanism, squares = pets.dp.DiscreteLaplace(epsilon=epsilon), []
        for _ in range(200):
            curve = kaplan_meier(mechanism.release(tally, coarse)).curves[0]
            squares.append((curve.value - np.interp(curve.times, exact.times, exact.value)) ** 2)
        assert np.mean(squares) ** 0.5 <= goal
