"""The engine against sums over every row of a small domain, and against mbi."""

from __future__ import annotations

import json
from itertools import combinations
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pets.errors import InvalidArgument
from pets.synthetic.engine import Factor, GraphicalModel, JunctionTree, Measurement, cells_of, estimate, triangulate
from pets.synthetic.engine.factors import aligned, log_sum, summed
from pets.synthetic.engine.graphical_model import closed_form

GOLDEN: dict[str, Any] = json.loads((Path(__file__).parents[1] / "data" / "mbi_golden.json").read_text())


def joint(sizes: tuple[int, ...], factors: tuple[Factor, ...]) -> np.ndarray:
    """The weight of every row, one by one: no clique, no message."""
    whole = np.zeros(sizes)
    for factor in factors:
        whole = whole + aligned(factor.logs, factor.axes, tuple(range(len(sizes))))
    return np.exp(whole)


def onto(table: np.ndarray, axes: tuple[int, ...]) -> np.ndarray:
    return np.asarray(table.sum(axis=tuple(i for i in range(table.ndim) if i not in axes)))


def random_model(sizes: tuple[int, ...], scopes: list[tuple[int, ...]], seed: int, spread: float = 3) -> GraphicalModel:
    random = np.random.default_rng(seed)
    return GraphicalModel(sizes, tuple(Factor(s, random.normal(size=[sizes[a] for a in s]) * spread) for s in scopes))


@st.composite
def models(draw: st.DrawFn) -> GraphicalModel:
    sizes = tuple(draw(st.lists(st.integers(1, 4), min_size=2, max_size=6)))
    axes = st.lists(st.integers(0, len(sizes) - 1), min_size=1, max_size=3, unique=True).map(lambda s: tuple(sorted(s)))
    scopes = draw(st.lists(axes, min_size=1, max_size=6))
    model = random_model(sizes, scopes, draw(st.integers(0, 1000)), draw(st.sampled_from([0.1, 3, 200])))
    if draw(st.booleans()):
        model.factors[0].logs.flat[0] = -np.inf
    return model


@settings(max_examples=60)
@given(models())
def test_marginals_are_sums_over_all_rows(model: GraphicalModel):
    logs = np.zeros(model.sizes)
    for factor in model.factors:
        logs = logs + aligned(factor.logs, factor.axes, tuple(range(len(model.sizes))))
    most = logs.max()
    if not np.isfinite(most):
        assert model.log_total == -np.inf
        return
    weights = np.exp(logs - most)
    assert model.log_total == pytest.approx(most + np.log(weights.sum()), abs=1e-9)
    for size in range(1, len(model.sizes) + 1):
        for axes in combinations(range(len(model.sizes)), size):
            np.testing.assert_allclose(model.marginal(axes), onto(weights, axes) / weights.sum(), atol=1e-12)


@settings(max_examples=60)
@given(models())
def test_each_scope_and_attribute_is_in_a_clique_and_cliques_join(model: GraphicalModel):
    tree = model.tree
    for factor in model.factors:
        assert any(set(factor.axes) <= set(clique) for clique in tree.cliques)
    assert set().union(*tree.cliques) == set(range(len(model.sizes)))
    for axis in range(len(model.sizes)):  # the running-intersection property
        holding = {i for i, clique in enumerate(tree.cliques) if axis in clique}
        tops = [i for i in holding if tree.parents[i] not in holding]
        assert len(tops) == 1
    assert tree.cells == sum(prod(model.sizes[a] for a in clique) for clique in tree.cliques)


def test_conditioning_is_exact():
    model = random_model((3, 4, 2, 3), [(0, 1), (1, 2), (2, 3)], 1)
    whole = joint(model.sizes, model.factors)
    some = whole[:, [1, 3]]
    found = model.given({1: np.array([1, 3])}).marginal((0, 3))
    np.testing.assert_allclose(found, some.sum(axis=(1, 2)) / some.sum(), atol=1e-12)


def test_a_tree_of_consistent_margins_has_a_closed_form():
    model = random_model((3, 4, 2, 5), [(0, 1), (1, 2), (1, 3)], 2)
    margins = {axes: model.marginal(axes) for axes in [(0, 1), (1, 2), (1, 3)]}
    found = closed_form(model.sizes, margins)
    np.testing.assert_allclose(found.marginal((0, 2, 3)), model.marginal((0, 2, 3)), atol=1e-12)
    with pytest.raises(InvalidArgument):
        closed_form(model.sizes, {axes: model.marginal(axes) for axes in [(0, 1), (1, 2), (0, 2)]})


def test_what_is_forbidden_has_no_mass_and_all_forbidden_is_said():
    never = Factor((0,), np.array([0.0, -np.inf]))
    model = GraphicalModel((2, 2), (never, Factor((0, 1), np.zeros((2, 2)))))
    assert model.marginal((0, 1))[1].sum() == 0
    nothing = GraphicalModel((2, 2), (never, Factor((0,), np.array([-np.inf, 0.0]))))
    assert nothing.log_total == -np.inf


def test_too_large_a_table_is_refused():
    with pytest.raises(InvalidArgument, match="fewer columns"):
        GraphicalModel((1000, 1000, 1000), ()).marginal((0, 1, 2))


def test_min_fill_keeps_chains_and_cycles_small():
    assert cells_of((10,) * 5, triangulate((10,) * 5, frozenset({(0, 1), (1, 2), (2, 3), (3, 4)}))) == 400
    cycle = frozenset({(0, 1), (1, 2), (2, 3), (3, 4), (0, 4)})
    assert cells_of((10,) * 5, triangulate((10,) * 5, cycle)) == 3000
    assert JunctionTree.over((2, 2), []).cells == 4


def test_sums_do_not_depend_on_the_order_of_axes():
    table = np.random.default_rng(0).random((3, 4, 5, 2))
    for axes in [(0,), (3,), (1, 2), (0, 3), (0, 1, 2, 3)]:
        np.testing.assert_allclose(summed(table, axes), table.sum(axis=axes))
    np.testing.assert_allclose(log_sum(np.log(table), (1, 3)), np.log(table.sum(axis=(1, 3))))


@pytest.mark.parametrize("case", sorted(GOLDEN["exact"]))
def test_marginals_equal_those_of_mbi(case: str):
    golden = GOLDEN["exact"][case]
    sizes = tuple(golden["sizes"])
    factors = [Factor(tuple(s), np.array(t)) for s, t in zip(golden["scopes"], golden["logs"], strict=True)]
    model = GraphicalModel(sizes, tuple(factors))
    for axes, table in zip(golden["wanted"], golden["marginals"], strict=True):
        np.testing.assert_allclose(model.marginal(axes) * 1000, table, atol=1e-6)


@pytest.mark.parametrize("case", sorted(GOLDEN["fitted"]))
def test_the_best_fit_is_at_least_as_good_as_that_of_mbi(case: str):
    golden = GOLDEN["fitted"][case]
    sizes, scopes = tuple(golden["sizes"]), [tuple(s) for s in golden["scopes"]]
    noisy = [np.array(t) for t in golden["noisy"]]
    given_ = [Measurement(s, t, np.full(t.shape, 400.0)) for s, t in zip(scopes, noisy, strict=True)]
    model = None
    for entropy in (1e-2, 1e-3, 2e-4):  # the smaller it is the stiffer, so from one to the next
        model = estimate(sizes, given_, 5000, entropy=entropy, iterations=2000, start=model)
    assert model is not None
    ours = [model.marginal(s) * 5000 for s in scopes]
    theirs = [np.array(t) for t in golden["fitted"]]
    losses = [sum(((a - b) ** 2).sum() for a, b in zip(found, noisy, strict=True)) for found in (ours, theirs)]
    assert losses[0] <= losses[1] * (1 + 1e-5)
    for a, b in zip(ours, theirs, strict=True):  # the fit is unique: where mbi has converged, the two agree
        np.testing.assert_allclose(a / 5000, b / 5000, atol=5e-6)


def test_consistent_tables_are_recovered_and_zeros_kept():
    sizes, scopes = (3, 4, 2), [(0, 1), (1, 2), (0, 2)]
    truth = random_model(sizes, scopes, 3, 1.0)
    zero = Factor((0, 1), np.where(np.arange(12).reshape(3, 4) == 5, -np.inf, 0.0))
    truth = GraphicalModel(sizes, (*truth.factors, zero))
    given_ = [Measurement(s, truth.marginal(s) * 1000, np.ones([sizes[a] for a in s])) for s in scopes]
    model = estimate(sizes, given_, 1000, zeros=[zero], entropy=1e-9, iterations=2000)
    np.testing.assert_allclose(model.marginal((0, 1, 2)), truth.marginal((0, 1, 2)), atol=1e-4)
    assert model.marginal((0, 1))[1, 1] == 0


def test_a_table_measured_twice_counts_by_its_precision():
    from pets.synthetic.engine.estimation import merged

    tables = [
        Measurement((0,), np.array([10.0]), np.array([4.0])),
        Measurement((0,), np.array([20.0]), np.array([1.0])),
    ]
    (one,) = merged(tables)
    assert one.values[0] == pytest.approx(18) and one.variance[0] == pytest.approx(0.8)
