"""The averaging attack: it finds counts, follows the central limit, and stops where it must."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from pets.disclosure.cell_key import PTable, averaging_attack, make_ptable, queries_that_suffice
from pets.disclosure.cell_key import threshold_that_stops_splits as stops
from pets.errors import InvalidArgument

PTABLE = make_ptable(2, 5)


def test_averages_of_many_answers_give_the_count_away():
    attack = averaging_attack(PTABLE, 40, queries=500, repeats=300, insecure_seed=1)
    assert attack.found[0] < 0.4 and attack.found[-1] > 0.98
    assert 40 < attack.needed() < 150
    assert attack.answered == 1
    assert (attack.low <= attack.found).all() and (attack.found <= attack.high).all()


@pytest.mark.parametrize("strategy", ["split", "subtract"])
def test_success_is_what_the_central_limit_says(strategy):
    """Each answer has the variance 2 V: P(|mean| < 1/2) = 2 Phi(sqrt(q / (8 V))) - 1 for q answers."""
    attack = averaging_attack(PTABLE, 60, strategy=strategy, queries=60, repeats=2000, insecure_seed=2)
    for queries in (20, 60):
        place = int(np.searchsorted(attack.queries, queries))
        q = int(attack.queries[place])
        expected = 2 * norm.cdf(0.5 / np.sqrt(4 / q)) - 1
        assert attack.found[place] == pytest.approx(expected, abs=0.06)


def test_more_noise_needs_more_answers():
    few = averaging_attack(make_ptable(1, 3), 40, queries=800, insecure_seed=3).needed()
    many = averaging_attack(make_ptable(8, 8), 40, queries=800, insecure_seed=3).needed()
    assert few < many / 4


def test_a_threshold_stops_splits_but_not_subtractions():
    threshold = stops(PTABLE, 20)
    assert threshold == 16
    split = averaging_attack(PTABLE, 20, threshold=threshold, queries=300, insecure_seed=4)
    assert split.answered == 0 and split.needed() is None and "No question" in split.explain()
    below = averaging_attack(PTABLE, 20, threshold=4, queries=300, insecure_seed=4)
    assert below.answered > 0.9
    other = averaging_attack(PTABLE, 20, strategy="subtract", threshold=1000, queries=300, insecure_seed=4)
    assert other.answered == 1 and other.needed() is not None


def test_hoeffding_is_never_too_optimistic():
    enough = queries_that_suffice(PTABLE, 2, 0.05)
    assert enough == int(np.ceil(8 * 100 * np.log(2 / 0.05)))
    attack = averaging_attack(PTABLE, 30, queries=enough, repeats=100, insecure_seed=5)
    assert attack.found[-1] >= 0.95


def test_a_biased_table_is_not_averaged_to_the_truth():
    shifted = PTable([[0, 0], [0, 0], [0, 0], [2, 2]])
    attack = averaging_attack(shifted, 20, queries=50, repeats=50, insecure_seed=6)
    assert attack.found[-1] == 0 and "at most 0 of 100" in attack.explain()


def test_without_noise_one_answer_is_enough():
    assert averaging_attack(PTable([[0, 0], [0, 0]]), 300, parts=3, queries=3, repeats=100).needed() == 1


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("ptable", {"ptable": 1}), ("count", {"count": 0}), ("strategy", {"strategy": "guess"}),
        ("parts", {"parts": 1}),
        ("threshold", {"threshold": -1}), ("queries", {"queries": 0}), ("repeats", {"repeats": 3}),
    ],
)  # fmt: skip
def test_wrong_arguments_are_named(name, wrong):
    with pytest.raises(InvalidArgument) as caught:
        averaging_attack(**({"ptable": PTABLE, "count": 5} | wrong))
    assert caught.value.argument == name
    with pytest.raises(InvalidArgument):
        queries_that_suffice(PTABLE, failure=0.0)
