"""Groups of codes: made from noise alone, never across a rule, a main group or missing values."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pets
from pets.csprng import random_source
from pets.synthetic import AIM, MST
from pets.synthetic.coarsening import each, grouped, nonnegative, shrunk
from pets.synthetic.draws import Draws
from pets.synthetic.encoding import Encoding
from pets.synthetic.refinement import Refinement, expanded
from tests.synthetic.support import SURVIVAL, small_domain, small_rows


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=30), st.floats(1, 2000), st.booleans(), st.integers(1, 4))
def test_groups_are_a_partition_that_keeps_kinds_and_order(mass: list[float], least: float, ordered: bool, number: int):
    kinds = np.arange(len(mass)) * number // len(mass)
    found = grouped(np.array(mass), least, kinds, ordered=ordered)
    assert set(found.group) == set(range(found.size))
    for group in range(found.size):
        assert len(set(kinds[found.codes_in(group)])) == 1
    if ordered:
        assert (np.diff(found.group) >= 0).all()
    for code, rows in enumerate(mass):  # what stands out by itself stays by itself, among categories
        if rows >= least and not ordered:
            assert len(found.codes_in(found.group[code])) == 1


@given(st.lists(st.floats(-100, 1000), min_size=1, max_size=30), st.floats(1, 5000))
def test_the_projection_is_the_closest_point_of_the_simplex(noisy: list[float], total: float):
    values = np.array(noisy)
    found = nonnegative(values, total)
    assert found.sum() == pytest.approx(total) and (found >= 0).all()
    gap = values - found  # optimality: equal where positive, no larger where zero
    level = gap[found > 0].max()
    assert np.allclose(gap[found > 1e-9], level, atol=1e-6) and (gap <= level + 1e-6).all()


def test_noise_is_averaged_within_groups_and_signal_kept():
    random = np.random.default_rng(1)
    flat, steep = np.full((40, 1), 50.0), np.arange(40.0)[:, None] * 40
    one = grouped(np.zeros(40), 1.0, np.zeros(40, dtype=np.int64), ordered=True)
    noise = random.normal(size=(40, 1)) * 20
    assert shrunk(flat + noise, 400.0, one).std() < 6
    assert np.abs(shrunk(steep + noise, 400.0, one) - steep).mean() < 20


def test_rare_subgroups_join_others_of_their_main_group_only():
    codes = [f"{main}{sub}" for main in "AB" for sub in "abcd"]
    levels = {"main": {main: [code for code in codes if code[0] == main] for main in "AB"}}
    domain = pets.Domain(iccc=pets.Categorical(codes, hierarchy=levels), sex=["f", "m"])
    rows = np.array([0] * 300 + [4] * 300 + [1, 2, 3, 5, 6, 7] * 3)
    encoding = Encoding.of(domain)
    model = MST(epsilon=1, rows=len(rows))._drawn(encoding, np.array([rows, rows % 2]), Draws.insecure(1))
    group = model.refinements[0].grouping.group
    assert group.max() < 7
    for number in range(group.max() + 1):
        assert len({codes[code][0] for code in np.flatnonzero(group == number)}) == 1


def test_groups_respect_rules_and_missing_values_in_a_real_fit():
    encoding = Encoding.of(small_domain(), SURVIVAL)
    made = MST(epsilon="0.2", survival=SURVIVAL)._drawn(encoding, encoding.encode(small_rows(60)), Draws.insecure(2))
    site = made.refinements[0].grouping.group
    assert site[0] not in site[1:] and site[3] not in site[:3]


def test_codes_come_back_from_groups_in_proportion():
    grouping = grouped(np.array([1.0, 1.0, 50.0]), 10, np.zeros(3, dtype=np.int64), ordered=False)
    one = Refinement.of(grouping, -1, np.array([[1.0], [3.0], [50.0]]))
    groups = np.repeat(grouping.group[[0, 2]], [4000, 10])
    codes = one.draw(groups, groups, random_source(1))
    assert np.bincount(codes, minlength=3).tolist() == [1000, 3000, 10]
    np.testing.assert_allclose(one.likelihood(np.array([1]))[grouping.group[0]], 0.75)
    assert set(one.only(np.array([1])).draw(groups[:10], groups[:10], random_source(1))) == {1}


def test_a_time_is_refined_by_its_event():
    grouping = each(2)
    table = np.array([[1.0, 2.0], [3.0, 4.0]])
    merged = grouped(np.zeros(3), 1.0, np.zeros(3, dtype=np.int64), ordered=True)
    time = Refinement.of(merged, 1, np.array([[1.0, 0.0], [1.0, 1.0], [2.0, 3.0]]))
    event = Refinement.of(grouping, -1, np.ones((2, 1)))
    found = expanded(table[:1], (0, 1), (0, 1), (time, event))
    np.testing.assert_allclose(found, [[0.25, 0], [0.25, 0.5], [0.5, 1.5]])
    np.testing.assert_allclose(expanded(table[:1], (0, 1), (0,), (time, event)), [0.25, 0.75, 2.0])


def test_a_workload_of_pairs_keeps_more_groups_than_one_of_triples():
    """Tables of two columns have fewer cells, so the same noise leaves more of each column visible."""
    random = np.random.default_rng(0)
    site = random.choice(24, 2000, p=(w := np.linspace(2, 0.2, 24)) / w.sum())
    frame = pd.DataFrame({"site": site, "age": (site + random.integers(0, 9, 2000)) % 18, "sex": site % 2})
    domain = pets.Domain(site=list(range(24)), age=pets.Integer(0, 17), sex=[0, 1])
    encoding = Encoding.of(domain)
    pairs, triples = (
        [
            one.grouping.size
            for one in AIM(epsilon=1, delta="1e-6", rows=2000, workload=workload)
            ._drawn(encoding, encoding.encode(frame), Draws.insecure(1))
            .refinements
        ]
        for workload in (None, [["site", "age", "sex"]])
    )
    assert sum(pairs) > sum(triples) and all(a >= b for a, b in zip(pairs, triples, strict=True)), (pairs, triples)
