"""The best of several runs: its intervals hold whatever the score, and it never hides that it was selected."""

from __future__ import annotations

import json
import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import pets
from pets.best_of import BestOf
from pets.csprng import InsecureRandom
from pets.dp.selection import Candidate, PrivateTuning
from pets.epi.survival import EventCounts
from pets.errors import ConfigError, InvalidArgument, PairingRefused
from pets.release import Release

DOMAIN = pets.Domain(sex=["f", "m"])
QUERY = pets.Count(by=["sex"]).bind(DOMAIN)
TOTAL = pets.Tally(np.array([40, 7, 0]), QUERY.signature)


def law(stop: float, runs: str) -> np.ndarray[Any, Any]:
    k = np.arange(1, 200_000)
    weight = np.exp(k * math.log1p(-stop)) / (k if runs == "logarithmic" else 1)
    return np.asarray(weight / weight.sum())


@pytest.mark.parametrize("runs", ["logarithmic", "geometric"])
@pytest.mark.parametrize("stop", ["0.001", "0.05", "0.5", "0.9"])
@pytest.mark.parametrize("level", [0.5, 0.95, 0.999])
def test_the_level_of_each_run_is_the_one_at_which_any_miss_has_the_chance_allowed(
    stop: str, runs: Any, level: float
) -> None:
    """Against the sum over all numbers of runs: 1 - sum P(K = k) (1 - a)^k."""
    how = BestOf(Fraction(stop), runs, "score")
    chance = law(float(stop), runs)
    k = np.arange(1, len(chance) + 1)
    any_miss = 1 - float(chance @ np.exp(k * math.log(how.level_of_each(level))))
    assert any_miss == pytest.approx(1 - level, rel=1e-6) and any_miss <= (1 - level) * (1 + 1e-9)
    assert how.expected_runs == pytest.approx(float(chance @ k), rel=1e-6)


def adversarial(release: Release) -> int:
    """A score that likes much noise: the largest first cell wins."""
    return int(release.parts[0].values[0])


def miss_share(runs: Any, *, widened: bool, n: int = 400) -> tuple[float, float]:
    """Return how often the first cell's interval misses, and the mean square of its error in stated variances."""
    options = [Candidate(pets.dp.DiscreteLaplace("0.5"), QUERY, TOTAL)]
    misses, squares, source = 0, [], InsecureRandom(insecure_seed=5)
    for _ in range(n):
        release = PrivateTuning("0.05", runs)._best(options, adversarial, "largest", source)
        assert release is not None
        if not widened:
            release = Release(release.query, release.parts, release.guarantees)
        columns = release.to_columns()
        misses += int(not columns["ci_low"][0] <= 40 <= columns["ci_high"][0])
        squares.append((columns["value"][0] - 40) ** 2 / columns["stderr"][0] ** 2)
    return misses / n, float(np.mean(squares))


@pytest.mark.parametrize("runs", ["logarithmic", "geometric"])
def test_intervals_of_the_winner_cover_under_a_score_that_likes_noise(runs: Any) -> None:
    misses, square = miss_share(runs, widened=True)
    assert misses <= 0.05 + 4 * math.sqrt(0.05 * 0.95 / 400)
    assert square <= 1.0  # the stated standard error bounds the root mean square error


def test_planted_intervals_of_a_single_run_miss() -> None:
    misses, square = miss_share("geometric", widened=False)
    assert misses > 0.15 and square > 2


def winner() -> Release:
    options = [Candidate(pets.dp.DiscreteLaplace(1), QUERY, TOTAL), Candidate(pets.dp.DiscreteLaplace(2), QUERY, TOTAL)]
    with pytest.warns(pets.errors.UnrecordedReleaseWarning):
        return PrivateTuning("0.1").run(options, adversarial, name="largest")


def test_a_tuned_release_says_so_everywhere() -> None:
    release = winner()
    assert release.best_of == BestOf(Fraction(1, 10), "logarithmic", "largest")
    assert "best, by the score 'largest'" in " ".join(release.explain())
    assert "best, by the score" in release._repr_html_()
    again = Release.from_json(release.to_json())
    assert again == release and again.best_of == release.best_of
    assert release.provenance.mechanism["type"] == "discrete_laplace"
    assert release.provenance.mechanism["epsilon"] in ("1", "2")
    single = Release(release.query, release.parts, release.guarantees)
    wide, narrow = release.margin(["sex"]), single.margin(["sex"])
    assert (wide["ci_high"] - wide["ci_low"] > narrow["ci_high"] - narrow["ci_low"]).all()
    assert (wide["stderr"] > narrow["stderr"]).all()


def test_estimates_that_need_unbiased_counts_refuse_a_selected_release() -> None:
    with pytest.raises(PairingRefused):
        pets.pool([winner()])
    domain = pets.Domain(time=pets.Integer(0, 9), status=["censored", "dead"])
    question = pets.EventTable("time", "status").bind(domain)
    plain = pets.dp.DiscreteLaplace(1).release(
        pets.Tally(np.ones(question.size, np.int64), question.signature), question
    )
    EventCounts.of(plain)
    with pytest.raises(PairingRefused, match="best of several"):
        EventCounts.of(Release(question, plain.parts, plain.guarantees, best_of=winner().best_of))


def test_sums_of_a_selected_release_are_wide_too() -> None:
    query = pets.Marginals([["sex"], []]).bind(pets.Domain(sex=pets.Categorical(["f", "m"], invalid="error")))
    plain = pets.dp.ResidualPlanner(rho=1).release(pets.Tally(np.full(query.size, 40), query.signature), query)
    selected = Release(query, plain.parts, plain.guarantees, best_of=winner().best_of)
    one, best = pets.dp.total_of(plain, {"sex": ["f"]}), pets.dp.total_of(selected, {"sex": ["f"]})
    assert best.stderr > one.stderr and best.ci_high - best.ci_low > one.ci_high - one.ci_low


@pytest.mark.parametrize("bad", [None, [], {"stop": "0.1"}, {"stop": "2", "runs": "geometric", "score": "x"},
                                 {"stop": "0.1", "runs": "fixed", "score": "x"},
                                 {"stop": "0.1", "runs": "geometric", "score": 3}])  # fmt: skip
def test_documents_that_are_no_selection_are_refused(bad: Any) -> None:
    document = json.loads(winner().to_json()) | {"best_of": bad}
    with pytest.raises(ConfigError):
        Release.from_json(json.dumps(document))


def test_levels_out_of_range_are_refused() -> None:
    how = BestOf(Fraction(1, 10**6), "geometric", "x")
    for level in (0, 1, True, "0.9", 1 - 1e-16):
        with pytest.raises(InvalidArgument):
            how.level_of_each(level)  # type: ignore[arg-type]


def test_the_chance_to_stop_is_exact() -> None:
    for stop in ("1/2", 0.5, Fraction(1, 2)):
        how = BestOf(stop, "geometric", "x")  # type: ignore[arg-type]
        assert type(how.stop) is Fraction and how == BestOf.from_dict(how.to_dict())
    wrong: list[tuple[Any, Any, Any]] = [
        ("x", "geometric", "x"), (0, "geometric", "x"), (None, "geometric", "x"), ("0.5", [], "x"),
        ("0.5", "geometric", 3),
    ]  # fmt: skip
    for bad in wrong:
        with pytest.raises(InvalidArgument):
            BestOf(*bad)
