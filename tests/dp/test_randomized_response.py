"""Randomised response: its law bit for bit, its estimates, and where it promises nothing."""

from __future__ import annotations

import itertools
import json
import math
import subprocess
import sys
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

import pets
from pets.csprng import InsecureRandom
from pets.dp import randomized_response
from pets.dp.randomized_response import RandomizedResponse, Responses, respond
from pets.errors import (
    BudgetExceeded,
    ConfigError,
    IncompatibleTallies,
    InvalidArgument,
    PairingRefused,
    UnrecordedReleaseWarning,
)

LIE = Fraction(2, 5)  # exp(-epsilon)


def query(k: int, **unit):
    unit = pets.PrivacyUnit(**{"neighbours": "replace_one", **unit})
    cells = pets.Categorical([f"c{i}" for i in range(k)], invalid="error")
    return pets.Count(by=["cell"]).bind(pets.Domain({"cell": cells}, unit=unit))


def law(monkeypatch, truth: int, k: int, chance=None):
    """Return the exact law of one response, from what the code accepts of each proposal."""
    weight = {}
    for proposal in range(k):
        rounds = iter([proposal])

        def toss(epsilon, gaps, source):
            assert epsilon == 1
            weight[proposal] = LIE ** int(gaps[0])  # noqa: B023
            return np.ones(1, dtype=bool)

        propose = lambda n, size, source, rounds=rounds: np.array([next(rounds)])  # noqa: E731
        monkeypatch.setattr(randomized_response, "uniform", propose)
        monkeypatch.setattr(randomized_response, "toss", toss)
        assert respond(np.array([truth]), k, Fraction(1), None)[0] == proposal
    monkeypatch.undo()
    return {i: w / sum(weight.values()) for i, w in weight.items()}


@pytest.mark.parametrize("k", range(2, 30))
def test_responses_are_exactly_epsilon_private_and_optimal(monkeypatch, k):
    laws = [law(monkeypatch, truth, k) for truth in range(k)]
    ratios = [p[i] / q[i] for p, q in itertools.permutations(laws, 2) for i in range(k)]
    assert max(ratios) == 1 / LIE
    assert laws[0][0] == 1 / (1 + (k - 1) * LIE)  # the most truth that epsilon allows (Kairouz et al. 2016)


def test_draws_follow_the_law_and_a_wrong_epsilon_is_seen():
    truth, k = np.full(60_000, 2), 5
    for epsilon, fits in ((Fraction(1), True), (Fraction(11, 10), False)):
        given = respond(truth, k, epsilon, InsecureRandom(insecure_seed=7))
        expected = np.where(np.arange(k) == 2, 1.0, math.exp(-1))
        observed = np.bincount(given, minlength=k)
        assert (stats.chisquare(observed, expected / expected.sum() * len(truth)).pvalue > 1e-6) == fits


def test_estimates_are_unbiased_and_intervals_cover():
    asked = query(4)
    truth = np.array([700, 200, 100, 0])
    total = pets.Tally(truth, asked.signature)
    values, covered, widths = [], [], []
    for _ in range(300):
        columns = RandomizedResponse("1.5").release(total, asked).columns(0.9)
        values.append(columns["value"])
        covered.append((columns["ci_low"] <= truth) & (truth <= columns["ci_high"]))
        widths.append(columns["stderr"])
    stderr = np.mean(widths, axis=0)
    assert np.all(np.abs(np.mean(values, axis=0) - truth) < 5 * stderr / math.sqrt(300))
    assert np.std(values, axis=0) == pytest.approx(stderr, rel=0.2)
    assert np.mean(covered, axis=0).min() >= 0.88
    assert np.sum(values[0]) == pytest.approx(1000)


def test_result_explains_itself():
    asked = query(2)
    found = RandomizedResponse(1).release(pets.Tally(np.array([5, 6]), asked.signature), asked)
    assert isinstance(found, Responses)
    assert sum(found.counts) == 11
    assert found.guarantee == pets.PureDP(1, unit=asked.domain.unit)
    assert "73.1" in found.explain()[1]
    empty = Responses(asked, RandomizedResponse(1), (0, 0)).columns()
    assert empty["value"].tolist() == [0, 0]


def test_dropped_rows_are_a_category_of_their_own():
    unit = pets.PrivacyUnit(neighbours="replace_one")
    domain = pets.Domain({"cell": pets.Categorical(["a", "b"], invalid="drop")}, unit=unit)
    asked = pets.Count(by=["cell"]).bind(domain)
    assert asked.size == 3
    found = RandomizedResponse(1).release(pets.Tally(np.array([0, 0, 3000]), asked.signature), asked)
    assert min(found.counts) > 300  # a row in no cell must be able to come out in one, and the other way round


@pytest.mark.parametrize("unit", [{"neighbours": "add_remove"}, {"id": "who", "max_rows": 2}, {"id": "who"}])
def test_units_whose_number_of_responses_tells_something_are_refused(unit):
    with pytest.raises(PairingRefused):
        RandomizedResponse(1).guarantee(query(3, **unit))


def test_what_does_not_fit_is_refused():
    with pytest.raises(InvalidArgument):
        RandomizedResponse(0)
    with pytest.raises(PairingRefused):
        RandomizedResponse(1).guarantee(pets.Count().bind(query(3).domain))
    with pytest.raises(IncompatibleTallies):
        RandomizedResponse(1).release(pets.Tally(np.array([1, 2]), query(2).signature), query(3))


# ------------------------------------------------------------------------------- kept in a ledger

PUBLISH = """
import sys
import numpy as np
import pets
unit = pets.PrivacyUnit(neighbours="replace_one")
cells = pets.Categorical(["c0", "c1", "c2"], invalid="error")
asked = pets.Count(by=["cell"]).bind(pets.Domain({"cell": cells}, unit=unit))
total = pets.Tally(np.array([500, 300, 200]), asked.signature)
with pets.Ledger(sys.argv[1]) as ledger:
    print(pets.dp.RandomizedResponse(1).publish(total, asked, ledger=ledger).counts)
"""


def test_everybody_responds_once(tmp_path):
    asked = query(3)
    total = pets.Tally(np.array([500, 300, 200]), asked.signature)
    with pets.Ledger(tmp_path / "book.sqlite", limit=pets.PureDP("2.5")) as ledger:
        first = RandomizedResponse(1).publish(total, asked, ledger=ledger)
        assert all(RandomizedResponse(1).publish(total, asked, ledger=ledger) == first for _ in range(3))
        assert ledger.spent().epsilon == 1
        assert RandomizedResponse(1).publish(total, asked, ledger=ledger, repeat="2") != first
        with pytest.raises(BudgetExceeded):
            RandomizedResponse(1).publish(total, asked, ledger=ledger, repeat="3")
        with pytest.raises(IncompatibleTallies):
            RandomizedResponse(1).publish(pets.Tally(np.array([1, 2]), query(2).signature), asked, ledger=ledger)
        assert ledger.spent().epsilon == 2
    printed = [
        subprocess.run(
            [sys.executable, "-c", PUBLISH, str(tmp_path / "book.sqlite")], check=True, capture_output=True, text=True
        ).stdout.strip()
        for _ in range(2)
    ]
    assert printed == [str(first.counts)] * 2
    with pytest.warns(UnrecordedReleaseWarning):
        RandomizedResponse(1).publish(total, asked)


def test_responses_survive_their_document():
    asked = query(3)
    found = RandomizedResponse("0.5").release(pets.Tally(np.array([5, 6, 7]), asked.signature), asked)
    assert Responses.from_json(found.to_json()) == found
    document = json.loads(found.to_json())
    for change in (
        {"format": "x"}, {"counts": 3}, {"counts": [1, 2]}, {"counts": [1, 2, -3]}, {"mechanism": {"epsilon": 0}},
        {"query": {"type": "count", "by": []}}, {"mechanism": 3},
    ):  # fmt: skip
        with pytest.raises((ConfigError, InvalidArgument, PairingRefused)):
            Responses.from_json(json.dumps(document | change))
    with pytest.raises(ConfigError):
        Responses.from_json("[")


@pytest.mark.parametrize("epsilon", ["1e-12", "1e-9", "0.001"])
def test_a_tiny_epsilon_gives_finite_estimates(epsilon):
    """The two chances differ by less than a double can tell from 1; their difference does not."""
    columns = Responses(query(3), RandomizedResponse(epsilon), (340, 330, 330)).columns()
    assert all(np.isfinite(columns[name]).all() for name in ("value", "stderr", "ci_low", "ci_high"))
    expected = (340 - 1000 / 3) * 3 / float(Fraction(epsilon))
    assert columns["value"][0] == pytest.approx(expected, rel=0.03)
    assert columns["ci_low"].tolist() == [0, 0, 0] and columns["ci_high"].tolist() == [1000, 1000, 1000]


def test_an_epsilon_that_says_nothing_is_refused():
    with pytest.raises(InvalidArgument, match="at least"):
        RandomizedResponse("1e-20")


@pytest.mark.parametrize("level", [0, 1, 2, -1, "x", None, math.nan, True, 1 - Fraction(1, 10**30)])
def test_levels_out_of_range_are_refused(level):
    found = Responses(query(3), RandomizedResponse(1), (5, 4, 3, 0)[: query(3).size])
    with pytest.raises(InvalidArgument) as caught:
        found.columns(level)
    assert caught.value.argument == "level"
    assert np.array_equal(found.columns("0.9")["ci_low"], found.columns(0.9)["ci_low"])


def test_arguments_of_another_kind_are_refused():
    asked = query(3)
    total = pets.Tally(np.zeros(asked.size, dtype=np.int64), asked.signature)
    for argument, call in {
        "ledger": lambda: RandomizedResponse(1).publish(total, asked, ledger="book.sqlite"),
        "query": lambda: RandomizedResponse(1).publish(total, "q"),
        "tally": lambda: RandomizedResponse(1).publish(3, asked),
        "dataset": lambda: RandomizedResponse(1).publish(total, asked, dataset=3),
    }.items():
        with pytest.raises(InvalidArgument) as caught:
            call()
        assert caught.value.argument == argument
