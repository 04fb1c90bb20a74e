"""Rounding keeps every expectation and misses each count by less than one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from pets.csprng import random_source
from pets.synthetic.engine import Factor, GraphicalModel
from pets.synthetic.engine.sampling import sample, systematic


def chain(seed: int = 0) -> GraphicalModel:
    random = np.random.default_rng(seed)
    shapes = {(0, 1): (3, 4), (1, 2): (4, 2), (2, 3): (2, 5)}
    return GraphicalModel((3, 4, 2, 5), tuple(Factor(a, random.normal(size=s)) for a, s in shapes.items()))


@settings(max_examples=80)
@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=8).filter(lambda w: sum(w) > 1e-6),
    st.integers(1, 200),
    st.integers(0, 99),
)
def test_counts_are_the_expected_ones_rounded_up_or_down(weights: list[float], rows: int, seed: int):
    shares = np.array([weights]) / sum(weights)
    codes = systematic(np.array([weights]), np.zeros(rows, dtype=np.int64), random_source(seed))
    counts = np.bincount(codes, minlength=len(weights))
    assert np.all(np.abs(counts - rows * shares[0]) < 1 + 1e-6)
    assert np.all(counts[np.array(weights) == 0] == 0)


def test_each_row_has_exactly_the_law_of_its_group():
    """Mean counts of many draws against the expectation, group by group (chi-square at one in a million)."""
    weights = np.array([[0.2, 0.5, 0.3], [0.7, 0.0, 0.3]])
    group = np.array([0, 0, 0, 1, 1])
    source, repeats = random_source(7), 4000
    found = np.zeros((5, 3))
    for _ in range(repeats):
        found[np.arange(5), systematic(weights, group, source)] += 1
    expected = repeats * weights[group]
    possible = expected > 0
    statistic = ((found - expected)[possible] ** 2 / expected[possible]).sum()
    assert statistic < chi2.ppf(1 - 1e-6, 5 * 2 - 2)
    assert found[~possible].sum() == 0


def test_a_sample_has_the_models_margins_to_rounding_and_its_dependence():
    model, rows = chain(), 20_000
    codes = sample(model, rows, random_source(1))
    for axes in [(0,), (3,), (0, 1), (2, 3), (0, 3)]:
        table = np.zeros([model.sizes[a] for a in axes])
        np.add.at(table, tuple(codes[list(axes)]), 1)
        assert np.abs(table / rows - model.marginal(axes)).max() < 0.004


def test_rounding_is_much_closer_than_independent_draws():
    model, rows = chain(), 2000
    expected = rows * model.marginal((0,))
    counts = [np.bincount(sample(model, rows, random_source(seed))[0], minlength=3) for seed in range(20)]
    errors = [np.abs(found - expected).max() for found in counts]
    assert max(errors) < 3 < np.sqrt(rows) / 4


def test_planted_a_remainder_that_always_rounds_down_is_seen(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("pets.synthetic.engine.sampling.uniform", lambda size, source: np.zeros(size))
    with pytest.raises(AssertionError):
        test_each_row_has_exactly_the_law_of_its_group()


def test_rules_hold_given_what_the_model_thinks_impossible():
    """Given are codes of column 0 that it never has, and never can column 1 and 2 both be 1."""
    never = Factor((0,), np.array([0.0, -np.inf]))
    rule = Factor((1, 2), np.array([[0.0, 0.0], [0.0, -np.inf]]))
    ties = [Factor(axes, np.zeros((2,) * len(axes))) for axes in [(0, 3), (0, 1, 2), (0, 1, 3)]]
    model = GraphicalModel((2, 2, 2, 2), (never, *ties, rule), (0, 3))
    codes = sample(model, 4000, random_source(1), {0: np.ones(4000, dtype=np.int64)})
    assert (codes[0] == 1).all() and len(np.unique(codes[1:3], axis=1).T) == 3
    assert not ((codes[1] == 1) & (codes[2] == 1)).any()


def test_forbidden_codes_never_appear_even_at_the_ends():
    logs = np.array([-np.inf, 0.0, -np.inf, -30.0, -np.inf])
    codes = sample(GraphicalModel((5,), (Factor((0,), logs),)), 100_000, random_source(2))
    assert set(np.unique(codes)) <= {1, 3}
    assert sample(chain(), 0, random_source(1)).shape == (4, 0)
