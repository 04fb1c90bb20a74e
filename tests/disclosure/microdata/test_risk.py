"""Uniques, special uniques and individual risks against published figures, other libraries and plain enumeration."""

from __future__ import annotations

from itertools import combinations
from math import factorial

import mpmath
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pets.disclosure import microdata
from pets.disclosure.microdata import population
from pets.disclosure.microdata.individual_risk import risk_of
from pets.disclosure.microdata.suda import dis_scores
from pets.errors import DataError, InvalidArgument

GUIDE = pd.DataFrame(
    [
        ("Urban", "Female", "Secondary incomplete", "Employed"),
        ("Urban", "Female", "Secondary incomplete", "Employed"),
        ("Urban", "Female", "Primary incomplete", "Non-LF"),
        ("Urban", "Male", "Secondary complete", "Employed"),
        ("Rural", "Female", "Secondary complete", "Unemployed"),
        ("Urban", "Male", "Secondary complete", "Employed"),
        ("Urban", "Female", "Primary complete", "Non-LF"),
        ("Urban", "Male", "Post-secondary", "Unemployed"),
        ("Urban", "Female", "Secondary incomplete", "Non-LF"),
        ("Urban", "Female", "Secondary incomplete", "Non-LF"),
    ],
    columns=["residence", "gender", "education", "labour"],
)
"""Table 4.5 of 'Statistical Disclosure Control for Microdata: A Practice Guide' (IHSN), as in sdcMicro issue #227."""


# ------------------------------------------------------------------------------------ special uniques


def test_suda_scores_of_the_practice_guide():
    found = microdata.special_uniques(GUIDE, list(GUIDE))
    assert found.scores.tolist() == [0, 0, 6, 0, 12, 0, 6, 10, 0, 0]
    assert found.sizes[4].tolist() == [1, 3, 0, 0]
    assert (found.uniques, found.pairs) == (4, 6)


def test_suda_scores_of_the_first_implementations():
    found = microdata.special_uniques(GUIDE, list(GUIDE), scoring="share")
    assert found.scores.tolist() == [0, 0, 1.75, 0, 3.25, 0, 1.75, 2.75, 0, 0]


def test_dis_scores_published_with_another_implementation():
    """The test of the Java library SUDA2 (F. Prasser, R. Bild), whose figures have eight digits."""
    scores = np.array([7, 0, 0, 1.75, 0, 3.25, 0, 1.75, 2.75, 0, 0])
    expected = [0.028038903, 0, 0, 0.005435918, 0, 0.011357785, 0, 0.005435918, 0.009313862, 0, 0]
    assert dis_scores(scores, 5, 6, 4, 0.01) == pytest.approx(expected, abs=1e-8)


def test_contributions_of_issue_275():
    frame = pd.DataFrame({"a": [2, 1, 1], "b": [0, 3, 0], "c": [0, 6, 0]})
    found = microdata.special_uniques(frame, ["a", "b", "c"])
    assert found.contributions == {"a": 0.5, "b": 0.375, "c": 0.375}


def test_scores_of_the_textbook_of_templ():
    """Issue #263: the example of 'Statistical Disclosure Control for Microdata', Springer 2017."""
    frame = pd.DataFrame({
        "age": ["20s"] * 7 + ["60s"],
        "gender": ["male"] * 4 + ["female"] * 3 + ["male"],
        "income": ["50k+"] * 2 + ["50k-"] * 6,
        "education": ["highschool"] * 4 + ["university", "highschool", "middleschool", "university"],
    })  # fmt: skip
    assert microdata.special_uniques(frame, list(frame)).scores.tolist() == [0, 0, 0, 0, 4, 2, 6, 8]


def slow_minimal_sets(rows: list[tuple], missing: str, most: int) -> list[list[tuple]]:
    def unique(i, keys):
        def alike(a, b):
            return a == b or (missing == "matches_all" and None in (a, b))

        return not any(j != i and all(alike(rows[i][k], rows[j][k]) for k in keys) for j in range(len(rows)))

    number = range(len(rows[0]))
    sets = [keys for size in range(1, most + 1) for keys in combinations(number, size)]
    found = []
    for i in range(len(rows)):
        mine = [keys for keys in sets if unique(i, keys)]
        found.append([keys for keys in mine if not any(set(other) < set(keys) for other in mine)])
    return found


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(*[st.sampled_from([0, 1, 2, None])] * 4), min_size=1, max_size=9),
    st.sampled_from(["value", "matches_all"]),
    st.integers(1, 4),
)
def test_minimal_sample_uniques_by_enumeration(rows, missing, most):
    frame = pd.DataFrame(rows, columns=list("abcd")).astype("Int64")
    found = microdata.special_uniques(frame, list("abcd"), max_size=most, missing=missing)
    expected = slow_minimal_sets(rows, missing, most)
    counts = [[sum(len(keys) == size for keys in sets) for size in range(1, most + 1)] for sets in expected]
    assert found.sizes.tolist() == counts
    scale = [factorial(4 - size) / factorial(4 - min(most, 3)) if size < 4 else 1 for size in range(1, most + 1)]
    assert found.scores == pytest.approx([float(np.dot(c, scale)) for c in counts])


def test_too_many_sets_of_keys_are_refused():
    frame = pd.DataFrame({f"k{i}": [1, 2] for i in range(30)})
    with pytest.raises(InvalidArgument) as caught:
        microdata.special_uniques(frame, list(frame))
    assert caught.value.argument == "max_size"
    assert microdata.special_uniques(frame, list(frame), max_size=2).scores[0] > 0


# ------------------------------------------------------------------------------------ individual risk


FRANC = pd.DataFrame({
    "key1": [1, 1, 1, 3, 4, 4, 6, 1],
    "key2": [2, 2, 2, 3, 3, 3, 2, 2],
    "key3": [5, 1, 1, 1, 1, 1, 1, 5],
    "key4": [1, 1, 1, 5, 4, 1, 5, 1],
    "w": [18, 45.5, 39, 17, 541, 8, 5, 92],
})  # fmt: skip
"""The worked example of Capobianchi, Polettini, Lucarelli (CASC deliverable 12-D1); figures as printed for sdcMicro."""

FRANC_KEYS = ["key1", "key2", "key3", "key4"]


@pytest.mark.parametrize("method", ["exact", "approximate"])
def test_risks_of_the_worked_example(method):
    found = microdata.individual_risk(FRANC, FRANC_KEYS, "w", method=method)
    assert found.frequencies.tolist() == [2, 2, 2, 1, 1, 1, 1, 2]
    assert found.population.tolist() == [110, 84.5, 84.5, 17, 541, 8, 5, 110]
    printed = [0.01714426, 0.02204233, 0.02204233, 0.17707583, 0.01165448, 0.29706308, 0.40235948, 0.01714426]
    assert found.risks == pytest.approx(printed, abs=5e-9)


def test_missing_values_of_the_worked_example_match_all():
    rows = FRANC.astype(dict.fromkeys(FRANC_KEYS, "Int64"))
    for row, key in ((2, "key3"), (3, "key1"), (3, "key2"), (4, "key4"), (5, "key1")):
        rows.loc[row, key] = pd.NA
    found = microdata.individual_risk(rows, FRANC_KEYS, "w")
    assert found.frequencies.tolist() == [3, 2, 4, 3, 3, 2, 2, 3]
    assert found.population.tolist() == [149, 84.5, 194.5, 563, 566, 549, 22, 149]


@pytest.mark.parametrize(("method", "expected"), [("approximate", 0.01369863), ("exact", 0.01355297)])
def test_three_records_for_108_people(method, expected):
    assert risk_of(np.array([3]), np.array([108.0]), method)[0] == pytest.approx(expected, abs=5e-9)


@pytest.mark.parametrize("f", [1, 2, 3, 7, 19, 20, 21, 50, 1000])
@pytest.mark.parametrize("p", [1e-6, 0.001, 0.3, 0.99, 0.999999])
def test_the_risk_is_the_expectation_of_one_over_the_population(f, p):
    """E[1/F | f] = integral over t of t^(f-1) (p / (1 - (1-p) t))^f, in 40 digits."""
    with mpmath.workdps(40):
        exact = mpmath.mpf(p) ** f / f * mpmath.hyp2f1(f, f, f + 1, 1 - mpmath.mpf(p))
    assert risk_of(np.array([f]), np.array([f / p]))[0] == pytest.approx(float(exact), rel=1e-7)


def test_a_census_has_the_risk_one_over_k():
    frame = FRANC.assign(w=1)
    assert microdata.individual_risk(frame, FRANC_KEYS, "w").risks.tolist() == [0.5, 0.5, 0.5, 1, 1, 1, 1, 0.5]


@pytest.mark.parametrize("bad", [0.5, -1, float("nan"), float("inf")])
def test_impossible_weights_are_refused(bad):
    with pytest.raises(DataError) as caught:
        microdata.individual_risk(FRANC.assign(w=[*FRANC.w[:-1], bad]), FRANC_KEYS, "w")
    assert caught.value.column == "w"


# ------------------------------------------------------------------------------------ population uniques


def pitman_sizes(theta: float, alpha: float, people: int, rng) -> np.ndarray:
    """Draw classes by Pitman's prediction rule."""
    sizes: list[int] = []
    labels = []
    for i in range(people):
        if rng.random() < (theta + alpha * len(sizes)) / (theta + i):
            labels.append(len(sizes))
            sizes.append(1)
        else:  # an old class in proportion to its size less alpha
            while True:
                label = labels[rng.integers(len(labels))]
                if rng.random() < 1 - alpha / sizes[label]:
                    break
            labels.append(label)
            sizes[label] += 1
    return np.array(labels)


def test_the_expected_uniques_by_dynamic_programming():
    """P(class of the first person stays alone) and all others, summed exactly for a small population."""
    theta, alpha, people = 1.7, 0.3, 12
    expected = 0.0  # a class founded by person i + 1 stays of size 1 until the end
    new = np.zeros(people + 1)
    new[0] = 1.0  # distribution of the number of classes
    for i in range(people):
        founds = sum(new[u] * (theta + alpha * u) / (theta + i) for u in range(i + 1))
        stays = np.prod([1 - (1 - alpha) / (theta + j) for j in range(i + 1, people)])
        expected += founds * stays
        grown = np.zeros(people + 1)
        for u in range(i + 1):
            share = (theta + alpha * u) / (theta + i)
            grown[u + 1] += new[u] * share
            grown[u] += new[u] * (1 - share)
        new = grown
    assert population.expected_uniques(theta, alpha, people) == pytest.approx(expected)


def test_the_fit_is_the_maximum_of_the_sampling_formula():
    sizes = np.bincount(pitman_sizes(5.0, 0.5, 3000, np.random.default_rng(4)))
    theta, alpha = population.fit_pitman(sizes)
    best = population.pitman_log_likelihood(sizes, theta, alpha)

    def slow(t, a):  # the formula as a product, Hoshino 2001 eq. (2)
        new = sum(np.log(t + i * a) for i in range(1, len(sizes)))
        joined = sum(np.log(j - a) for s in sizes for j in range(1, s))
        return new + joined - sum(np.log(t + i) for i in range(1, int(sizes.sum())))

    assert best == pytest.approx(slow(theta, alpha))
    grid = [
        population.pitman_log_likelihood(sizes, t, a)
        for t in np.linspace(0.1, 40, 60)
        for a in np.linspace(0.02, 0.98, 60)
    ]
    assert best >= max(grid)
    assert alpha == pytest.approx(0.5, abs=0.1)


def test_the_estimate_finds_the_population_uniques_of_its_model():
    rng = np.random.default_rng(11)
    estimated, true = np.zeros(3), np.zeros(3)
    for _ in range(6):
        labels = pitman_sizes(20.0, 0.6, 10_000, rng)
        rng.shuffle(labels)
        everybody, seen = np.bincount(labels), np.bincount(labels[:3000], minlength=labels.max() + 1)
        found = population.uniques_of_sizes(seen[seen > 0], 10_000)
        ones = found.sample_uniques
        estimated += found.population_uniques, found.both, ones / found.match_is_correct
        # Skinner and Elliot: of all who match exactly one record, the sample uniques are the right ones
        true += (everybody == 1).sum(), ((seen == 1) & (everybody == 1)).sum(), everybody[seen == 1].sum()
    assert estimated == pytest.approx(true, rel=0.1)


def test_zayatz_by_hand():
    """Four classes of 1 and one of 2 among 6 records of 12 people: hypergeometric chances 1/2 and 6/11."""
    found = population.uniques_of_sizes(np.array([1, 1, 1, 1, 2]), 12, "zayatz")
    share = 4 * 0.5 / (4 * 0.5 + 6 / 11)
    assert found.both == pytest.approx(4 * share)
    assert found.population_uniques == pytest.approx(8 * share)
    assert found.match_is_correct == pytest.approx(4 * 0.5 / (4 * 0.5 + 2 * 1 * 0.5))


def test_a_registry_of_everybody_is_its_own_population():
    found = microdata.population_uniques(FRANC, FRANC_KEYS, 8)
    assert (found.sample_uniques, found.both, found.share) == (4, 4.0, 1.0)


@pytest.mark.parametrize(("people", "method", "argument"), [(7, "pitman", "population"), (100, "best", "method")])
def test_bad_populations_are_refused(people, method, argument):
    with pytest.raises(InvalidArgument) as caught:
        microdata.population_uniques(FRANC, FRANC_KEYS, people, method=method)
    assert caught.value.argument == argument
