"""Intervals of the benchmarks, against SciPy and by counting; and the reference numbers of closed forms."""

from __future__ import annotations

import math
import sys
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binomtest

import pets
from benchmarks.harness import points
from benchmarks.harness.running import Amount
from benchmarks.harness.techniques import FAMILIES, TECHNIQUES
from benchmarks.suites.attacks import BOUND, SUCCESS, _median, _years, best_guess, bound, read_messages
from benchmarks.suites.many_tables import run as many_tables
from benchmarks.suites.material import EPSILONS, gaussian, ireland, liver, one_cell
from benchmarks.suites.peers import NotRun, ask
from benchmarks.suites.rare_cells import relative_error, smallest_usable
from benchmarks.suites.who_adds_noise import response
from pets import plan_file
from pets.csprng import InsecureRandom
from pets.dp.randomized_response import respond


@pytest.mark.parametrize(("successes", "trials"), [(0, 200), (1, 200), (117, 400), (200, 200), (9_990, 10_000)])
def test_wilsons_interval_is_scipys(successes: int, trials: int) -> None:
    other = binomtest(successes, trials).proportion_ci(0.95, method="wilson")
    assert points.wilson(successes, trials) == pytest.approx((other.low, other.high), abs=1e-12)


def test_means_have_the_normal_interval_and_roots_its_ends() -> None:
    values = np.random.default_rng(1).exponential(2, 500)
    found = points.mean("x", "q", values)
    half = 1.959963984540054 * values.std(ddof=1) / math.sqrt(500)
    assert (found.value, found.low, found.high) == pytest.approx(
        (values.mean(), values.mean() - half, values.mean() + half)
    )
    root = points.root_mean("x", "q", values)
    assert (root.low**2, root.high**2) == pytest.approx((found.low, found.high))


def test_too_few_replicates_are_refused() -> None:
    with pytest.raises(ValueError, match="fewer than 200"):
        points.share("x", "q", 10, 199)
    assert points.few("x", "q", [1.0, 3.0]).basis == "few"


def test_the_rule_of_16_cases_becomes_18_22_32_and_66() -> None:
    found = [
        smallest_usable(pets.dp.DiscreteLaplace(epsilon=str(e)).laws(one_cell())[0].variance)
        for e in (1, 0.5, 0.25, 0.1)
    ]
    assert found == [18, 22, 32, 66]
    for variance in (0.0, 0.4, 1.8, 7.8, 200.0):  # by search, not by the root of the equation
        slow = next(n for n in range(1, 10_000) if relative_error(n, variance) <= 0.25 + 1e-12)
        assert smallest_usable(variance) == slow


def test_gaussian_noise_pays_from_nine_cells_of_one_patient_on() -> None:
    made = [
        p for p in many_tables(Amount(full=False)).points if p.setting == "cells of one patient" and p.epsilon == 1.0
    ]
    by = {name: {p.n: p.value for p in made if p.technique == name} for name in ("DiscreteLaplace", "DiscreteGaussian")}
    assert min(n for n in by["DiscreteLaplace"] if by["DiscreteGaussian"][n] < by["DiscreteLaplace"][n]) == 9


@pytest.mark.parametrize("epsilon", [0.25, 1.0, 5.0])
def test_the_gaussian_noise_that_is_compared_has_the_epsilon_it_is_compared_at(epsilon: float) -> None:
    from dp_accounting.pld.privacy_loss_distribution import from_discrete_gaussian_mechanism

    sigma = float(gaussian(epsilon).laws(one_cell())[0].sigma2) ** 0.5
    other = from_discrete_gaussian_mechanism(sigma, value_discretization_interval=1e-4).get_epsilon_for_delta(1e-6)
    assert other <= epsilon * 1.05  # a discrete law is a little different from the continuous one, for small sigma
    assert other >= epsilon * 0.9


@pytest.mark.parametrize("epsilon", [0.1, 0.5, 1.0, 3.0])
def test_the_best_guess_by_counting(epsilon: float) -> None:
    law = pets.dp.DiscreteLaplace(epsilon=str(epsilon)).laws(one_cell())[0]
    apart = sum(abs(law.pmf(k) - law.pmf(k - 1)) for k in range(-2000, 2000)) / 2
    assert best_guess(law) == pytest.approx((1 + apart) / 2, abs=1e-9)
    assert best_guess(law) <= bound(epsilon) + 1e-12


@pytest.mark.parametrize("game", [_median, _years])
def test_games_of_a_choice_and_of_years_tell_something_and_no_more_than_is_proven(game: object) -> None:
    made = list(game(5.0, Amount(full=False)))  # type: ignore[operator]
    (success,), (proven,) = ([p for p in made if p.quantity == what] for what in (SUCCESS, BOUND))
    spread = 0.5 / math.sqrt(success.replicates)
    assert success.value <= proven.value + 5 * spread
    assert success.value > 0.5 + 2 * spread  # 0.7 at this epsilon: seven standard errors above chance and more


def test_a_peer_that_does_not_finish_says_how_long_it_computed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "busy.py").write_text("while True:\n    pass\n", encoding="utf-8")
    monkeypatch.setattr("benchmarks.suites.peers.SCRIPTS", tmp_path)
    monkeypatch.setattr("benchmarks.suites.peers.interpreter", lambda *_: Path(sys.executable))
    with pytest.raises(NotRun, match=r"did not finish in \d+ CPU s \(1 s\)"):
        ask("phe", None, "busy", limit=1.0)


def test_the_variance_of_randomised_responses() -> None:
    persons, categories, count, epsilon = 2000, 4, 100, 1
    truth = np.repeat([0, 1, 2, 3], [count, 900, 600, 400])
    source, keep = InsecureRandom(insecure_seed=1), math.e / (math.e + 3)
    other = 1 / (math.e + 3)
    seen = [np.sum(respond(truth, categories, Fraction(epsilon), source) == 0) for _ in range(400)]
    estimates = (np.array(seen) - persons * other) / (keep - other)
    assert np.var(estimates) == pytest.approx(response(epsilon, persons, categories, count), rel=0.4)
    assert abs(estimates.mean() - count) < 5 * np.std(estimates) / 20


def test_the_reader_of_messages_reads_what_is_open_and_nothing_else() -> None:
    secret = np.random.default_rng(2).integers(0, 2, 1000)
    right, tried = read_messages((secret * 1000).astype("<i8").tobytes(), secret)
    assert right == tried
    right, tried = read_messages(np.random.default_rng(3).bytes(8000), secret)
    assert abs(right / tried - 0.5) < 5 * 0.5 / math.sqrt(tried)


def test_the_tables_are_those_of_the_data() -> None:
    study, (cells, years) = ireland(), liver()
    assert study.counts.sum() == len(study.frame) == 934
    assert cells.shape == (21, 6) and cells.sum() == 294
    frame = pets.datasets.ci5_children()
    chosen = frame[(frame.site == "Liver") & frame.registry.isin(pets.datasets.EUROPE_21)]
    girls = chosen[(chosen.sex == "female") & (chosen.age_group == "5-9")]
    assert cells[:, 1].sum() == girls.cases.sum() and years[1] == girls.person_years.sum()


def test_every_technique_is_measured() -> None:
    """Whatever a plan file, or the package of synthesizers, can name has a line."""
    named = {make.__name__ for make in (*plan_file.MECHANISMS.values(), *plan_file.AGGREGATORS.values())} - {"Plain"}
    named |= {
        name for name in pets.synthetic.__all__ if name in {"AIM", "CART", "MST", "SDV", "Adaptive", "Independent"}
    }
    named |= {name for name in pets.dp.__all__ if isinstance(getattr(pets.dp, name), type)
              and issubclass(getattr(pets.dp, name), pets.dp.Selector)} - {"Selector", "PrivateTuning"}  # fmt: skip
    assert named - TECHNIQUES.keys() == set()
    assert {technique.family for technique in TECHNIQUES.values()} == set(FAMILIES) - {"peer"}
    assert len(EPSILONS) >= 5
