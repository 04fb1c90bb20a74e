"""Sparse vector: the exact law of its answers over all neighbours, and the published variants that leak.

All probabilities are sums of products of positive doubles (tails in closed form, nothing is subtracted), so each is
right to a part in 10^12; bars beyond +/- 300 have a mass below 10^-50.
"""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from functools import cache

import numpy as np
import pytest
from scipy import stats

import pets
from pets.csprng import InsecureRandom
from pets.dp.selection import AboveThreshold, Candidates
from pets.dp.selection.sparse_vector import crossings
from pets.errors import InvalidArgument
from tests.dp.selection.support import RELATIONS, count_query, neighbours

BARS = np.arange(-300, 301)
SURE = 1e-9


def pmf(scale: float) -> np.ndarray:
    a = math.exp(-1 / scale)
    return (1 - a) / (1 + a) * a ** np.abs(BARS)


def at_least(k: np.ndarray, scale: float) -> np.ndarray:
    """P(Z >= k) for discrete Laplace noise, in closed form on either side."""
    a = math.exp(-1 / scale)
    return np.where(k > 0, a ** np.maximum(k, 0) / (1 + a), 1 - a ** np.maximum(1 - k, 1) / (1 + a))


def below(k: np.ndarray, scale: float) -> np.ndarray:
    return at_least(1 - k, scale)  # the law is symmetric


def answers(scores, threshold, bar_scale, each_scale, limit) -> dict:
    """Return the law of (positive answers, number answered), with the limit of the code."""
    prior = pmf(bar_scale)
    need = [threshold + BARS - q for q in scores]
    yes, no = [at_least(m, each_scale) for m in need], [below(m, each_scale) for m in need]
    law = {}
    for pattern in itertools.product([False, True], repeat=len(scores)):
        above, seen = crossings(np.array(pattern, dtype=np.int64), 1, np.zeros(len(scores), dtype=np.int64), limit)
        if (above, seen) in law:
            continue
        given = prior.copy()
        for i in range(seen):
            given = given * (yes[i] if i in above else no[i])
        law[above, seen] = float(given.sum())
    return law


def chance_of(scores, above, threshold, bar_scale, each_scale) -> float:
    """Return the chance that exactly these of the scores are answered with yes, where nothing stops it."""
    given = pmf(bar_scale)
    for i, q in enumerate(scores):
        need = threshold + BARS - q
        given = given * (at_least(need, each_scale) if i in above else below(need, each_scale))
    return float(given.sum())


def worst_loss(law_of, tables, rows, relation) -> float:
    known = cache(law_of)
    return max(
        abs(math.log(known(values)[o] / known(other)[o]))
        for values in tables
        for other in neighbours(values, rows, relation)
        for o in known(values)
    )


def test_answers_are_epsilon_private_at_a_thousand_parameter_sets():
    sets, closest = 0, 0.0
    tables = [*itertools.product(range(3), repeat=3)][::2]
    for rows, relation, limit, epsilon in itertools.product((1, 2), RELATIONS, (1, 2, 3), (Fraction(1, 2), 1, 2)):
        query = count_query(3, rows, relation)
        for threshold in (0, 2, 4):
            mechanism = AboveThreshold(threshold, epsilon, limit)
            bar, each = (float(law.scale) for law in mechanism.laws(query))
            sets += len(tables)
            loss = worst_loss(
                lambda v, t=threshold, b=bar, e=each, c=limit: answers(v, t, b, e, c), tables, rows, relation
            )
            assert loss <= float(epsilon) + SURE
            closest = max(closest, loss / float(epsilon))
    assert sets >= 1000
    assert closest > 0.5


def test_law_sums_to_one_and_is_that_of_the_code():
    query = count_query(4, 1, "add_remove")
    scores, mechanism = np.array([0, 3, 1, 4]), AboveThreshold(3, 1, 2)
    bar, each = (float(law.scale) for law in mechanism.laws(query))
    law = answers(tuple(scores), 3, bar, each, 2)
    assert sum(law.values()) == pytest.approx(1, abs=1e-12)
    source, drawn = InsecureRandom(insecure_seed=11), {}
    n = 20_000
    for _ in range(n):
        above, notes = mechanism.choose(scores, query, source)
        drawn[above, notes["answered"]] = drawn.get((above, notes["answered"]), 0) + 1
    assert set(drawn) <= set(law)
    keys = sorted(law, key=law.get)
    rare = [k for k in keys if law[k] * n < 10]
    common = [k for k in keys if k not in rare]
    observed = [sum(drawn.get(k, 0) for k in rare), *(drawn.get(k, 0) for k in common)]
    expected = [n * sum(law[k] for k in rare), *(n * law[k] for k in common)]
    keep = slice(0 if rare else 1, None)
    assert stats.chisquare(observed[keep], np.array(expected[keep]) * sum(observed) / sum(expected[keep])).pvalue > 1e-6


# The wrong variants of Lyu, Su and Li 2017, figure 1. Delta is 1, every score may move.


def test_planted_algorithm_3_publishes_the_noisy_score():
    """With the noise of each score scaled by the limit, publishing the score itself tells the threshold's noise."""
    epsilon = 1.0
    bar, each = 2 / epsilon, 2 / epsilon  # Lap(Delta/e1), Lap(c Delta/e2), c = 1

    def law(scores):
        # n - 1 negatives and a published value v: the bar lies at or below v, and above all other noisy scores.
        found, prior = {}, pmf(bar)
        for v in range(-30, 31):
            given = prior * np.less_equal(BARS, v)
            for q in scores[:-1]:
                given = given * below(BARS - q, each)
            a = math.exp(-1 / each)
            found[v] = float(given.sum()) * (1 - a) / (1 + a) * a ** abs(v - scores[-1])
        return found

    first, second = law((0,) * 40 + (0,)), law((1,) * 40 + (-1,))
    assert max(abs(math.log(first[v] / second[v])) for v in first) > epsilon + 0.5


def test_planted_algorithm_4_does_not_scale_the_noise_with_the_limit():
    limit, epsilon = 6, 1.0
    bar, each = 4 / epsilon, 4 / (3 * epsilon)  # e1 = e/4, e2 = 3e/4, Lap(Delta/e2) whatever the limit
    first, second = (0,) * 12, (1,) * 6 + (-1,) * 6
    laws = [answers(s, 0, bar, each, limit) for s in (first, second)]
    assert max(abs(math.log(laws[0][o] / laws[1][o])) for o in laws[0]) > 2 * epsilon


def test_planted_algorithm_5_adds_no_noise_to_the_scores():
    """Outcomes that one table can give and its neighbour cannot: no epsilon at all."""
    prior = pmf(2.0)

    def chance(scores, pattern):
        fits = np.ones(len(BARS), dtype=bool)
        for q, yes in zip(scores, pattern, strict=True):
            fits &= (q >= BARS) == yes
        return float(prior[fits].sum())

    assert chance((0, 1), (False, True)) > 0.1
    assert chance((1, 0), (False, True)) == 0.0


def test_planted_algorithm_6_has_no_limit():
    """The loss of unlimited positive answers grows with their number."""
    losses = []
    for n in (2, 5, 9):
        tables = (0,) * 2 * n, (1,) * n + (-1,) * n
        first, second = (chance_of(scores, range(n), 0, 2.0, 2.0) for scores in tables)
        losses.append(abs(math.log(first / second)))
    assert losses[0] < losses[1] < losses[2]
    assert losses[2] > 3.0  # claimed: 1


def test_correct_noise_holds_where_algorithms_4_and_6_fail():
    limit, epsilon = 6, 1
    query = count_query(12, 1, "replace_one")  # scores may move in both directions
    bar, each = (float(law.scale) for law in AboveThreshold(0, epsilon, limit).laws(query))
    laws = [answers(s, 0, bar, each, limit) for s in ((0,) * 12, (1,) * 6 + (-1,) * 6)]
    assert max(abs(math.log(laws[0][o] / laws[1][o])) for o in laws[0]) <= epsilon + SURE


def test_planted_monotone_noise_under_replace_one_is_seen():
    """Mutant: the scale of monotone scores where one exchange moves scores both ways."""
    query = count_query(2, 1, "replace_one")
    assert Candidates(query).spread == 2
    share = Fraction(1, 50)
    mechanism = AboveThreshold(3, 1, 1, share)
    bar, each = (float(law.scale) for law in mechanism.laws(query))
    tables = [*itertools.product(range(7), repeat=2)]
    assert worst_loss(lambda v: answers(v, 3, bar, each, 1), tables, 1, "replace_one") <= 1 + SURE
    assert worst_loss(lambda v: answers(v, 3, bar, each / 2, 1), tables, 1, "replace_one") > 1 + SURE


def test_planted_extra_answer_is_seen():
    """Mutant: it stops one positive answer late. A unit is in many tables, but not in those that come out above."""
    query, epsilon = count_query(4, 1, "add_remove"), 4
    bar, each = (float(law.scale) for law in AboveThreshold(6, epsilon, 1).laws(query))
    losses = []
    for positive in (1, 2):
        tables = (6,) * 12 + (-9,) * positive, (7,) * 12 + (-9,) * positive
        first, second = (chance_of(t, range(12, 12 + positive), 6, bar, each) for t in tables)
        losses.append(abs(math.log(first / second)))
    assert losses[0] <= epsilon + SURE < losses[1]


def test_it_stops_and_says_how_many_were_answered():
    assert crossings(np.array([0, 9, 9, 9]), 5, np.zeros(4, dtype=np.int64), 2) == ((1, 2), 3)
    assert crossings(np.array([0, 0, 9]), 5, np.zeros(3, dtype=np.int64), 2) == ((2,), 3)
    assert crossings(np.array([5]), 5, np.zeros(1, dtype=np.int64), 1) == ((0,), 1)


def test_monotone_scores_get_half_the_noise():
    add, replace = (AboveThreshold(1, 1, 3, "0.25").laws(count_query(5, 1, r))[1].scale for r in RELATIONS)
    assert (add, replace) == (4, 8)


@pytest.mark.parametrize("bad", [{"threshold": 1.5}, {"limit": 0}, {"epsilon": 0}, {"share": 1}, {"threshold": True}])
def test_arguments_are_checked(bad):
    with pytest.raises(InvalidArgument):
        AboveThreshold(**{"threshold": 1, "epsilon": 1, **bad})


def test_stated_margin_holds():
    query = count_query(30, 1, "add_remove")
    mechanism = AboveThreshold(50, 2, 3)
    margin = mechanism.shortfall(query, 0.9)
    scores = np.full(30, 50 - margin)
    scores[[4, 9, 20]] = 50 + margin
    source = InsecureRandom(insecure_seed=5)
    right = sum(mechanism.choose(scores, query, source)[0] == (4, 9, 20) for _ in range(1000))
    assert right >= 880


def test_first_year_with_many_cases_is_found():
    domain = pets.Domain(year=pets.Integer(2000, 2019))
    query = pets.Count(by=["year"]).bind(domain)
    values = np.zeros(query.size, dtype=np.int64)
    values[10:20] = 500
    found = AboveThreshold(250, 1).release(pets.Tally(values, query.signature), query)
    assert found.labels == ({"year": 2010},)
    assert found.notes == {"answered": 11}
