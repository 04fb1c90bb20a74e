"""Equal to dense generalised least squares: values, variances, covariances, and the optimum."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pets
from pets.dp.marginals import ResidualPlanner, total_of
from pets.dp.marginals import residual as residual_module
from pets.dp.marginals.allocation import least_maximum, least_sum
from pets.noise import DiscreteGaussianLaw
from pets.query.trees import Tree, balanced, flat
from tests.dp.marginals.support import (
    Recorded,
    all_tables,
    dense_axis,
    dense_component,
    dense_margin,
    domain_of,
    tally_of,
)

UNEVEN = pets.Categorical(
    ["a", "b", "c", "d", "e", "f"],
    hierarchy={
        "group": {"I": ["a", "d", "f"], "II": ["b"], "III": ["c", "e"]},
        "half": {"x": ["I", "II"], "y": ["III"]},
    },
    invalid="error",
)
TREED = pets.Domain(
    site=UNEVEN,
    year=pets.Categorical([str(y) for y in range(9)], invalid="error"),
    sex=pets.Categorical(["f", "m"], invalid="error"),
)
TREES = {"hierarchies": {"site": ["group", "half"]}, "ranges": ["year"]}


@st.composite
def workloads(draw: st.DrawFn) -> tuple[pets.query.BoundQuery, tuple[int, ...], ResidualPlanner]:
    sizes = tuple(draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)))
    domain = domain_of(sizes, "error")
    tables = draw(st.lists(st.sampled_from(all_tables(domain.names, 3)), min_size=1, max_size=4, unique_by=tuple))
    weights = draw(st.lists(st.integers(1, 9), min_size=len(tables), max_size=len(tables)))
    objective = draw(st.sampled_from(["mean", "max"]))
    query = pets.Marginals(tables).bind(domain)
    return query, sizes, ResidualPlanner(rho="0.3", weights=weights, objective=objective)


def least_squares(design, noisy):
    """Return the estimate of the joint table and the pseudo-inverse of the information, all dense."""
    size = int(np.prod([tree.leaves for tree in design.trees]))
    information, right = np.zeros((size, size)), np.zeros(size)
    for levels, _ in design.sigma2:
        matrix, variance = dense_component(design, levels), design.variances[levels]
        information += matrix.T @ matrix / variance
        right += matrix.T @ noisy[levels] / variance
    inverse = np.linalg.pinv(information, rcond=1e-11, hermitian=True)
    return inverse @ right, inverse


def noisy_components(mechanism, query, joint, seed, monkeypatch=None):
    """Return what each component was measured as, from the mechanism's own draws."""
    plan = mechanism.plan(query)
    engine = Recorded(seed)
    measured = {}
    for subset, _ in plan.workload.sources:
        margin = joint.sum(axis=tuple(i for i in range(joint.ndim) if i not in subset))
        trees = [plan.design.trees[i] for i in subset]
        exact = margin
        for tree in trees:
            exact = tree.forward(np.moveaxis(exact, 0, -1))
        for levels in product(*(range(1, tree.depth + 1) for tree in trees)):
            chosen = dict(zip(subset, levels, strict=True))
            key = tuple(chosen.get(i, 0) for i in range(joint.ndim))
            place = tuple(tree.slices[level - 1] for tree, level in zip(trees, levels, strict=True))
            block = exact[place]
            noise = engine.discrete_gaussian(dict(plan.design.sigma2)[key], block.size).reshape(block.shape)
            measured[key] = (block + noise).reshape(-1) / plan.design.scale(key)
    return plan.design, measured


def check_against_dense(query, joint, mechanism, seed):
    names = list(query.query.needs())
    design, measured = noisy_components(mechanism, query, joint, seed)
    estimate, inverse = least_squares(design, measured)
    tally = tally_of(query, joint, names)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(residual_module, "engine", lambda name: Recorded(seed))
        release = mechanism.release(tally, query)
    for part in release.parts:
        places = sorted(names.index(name) for name in part.names)
        margin = dense_margin(design, places)
        order = [places.index(names.index(name)) for name in part.names]
        shape = [design.trees[i].leaves for i in places]
        wanted = (margin @ estimate).reshape(shape).transpose(order).reshape(-1)
        variance = np.diag(margin @ inverse @ margin.T).reshape(shape).transpose(order).reshape(-1)
        scale = max(1.0, np.abs(wanted).max())
        np.testing.assert_allclose(part.values[: part.block.cells] / scale, wanted / scale, atol=1e-9)
        np.testing.assert_allclose(part.variance, variance, rtol=1e-8)
        laws, index = design.laws(part.names)
        np.testing.assert_allclose([laws[i].variance for i in index.reshape(-1)], variance, rtol=1e-8)


@settings(max_examples=40)
@given(workloads(), st.integers(0, 2**20))
def test_equals_dense_least_squares(case, seed):
    query, sizes, mechanism = case
    names = query.query.needs()
    used = [sizes[int(name[1:])] for name in names]
    joint = np.random.default_rng(seed).poisson(5, used)
    check_against_dense(query, joint, mechanism, seed)


def test_equals_dense_least_squares_with_hierarchies_and_ranges():
    query = pets.Marginals([["site", "year", "sex"], ["sex", "site"], ["year"], []]).bind(TREED)
    joint = np.random.default_rng(5).poisson(2, (6, 9, 2))
    check_against_dense(query, joint, ResidualPlanner(rho=1, **TREES), 7)


def test_whole_number_contrasts_are_the_definition():
    for tree in (flat(5), balanced(7, 2), balanced(9, 4), Tree(((0, 0), (0, 1, 1, 1, 0)))):
        counts = np.random.default_rng(1).integers(0, 9, tree.leaves)
        exact = tree.forward(counts)
        for level, part in zip(range(1, tree.depth + 1), tree.slices, strict=True):
            scale = tree.levels[level - 1].scale
            np.testing.assert_allclose(exact[part], scale * dense_axis(tree, level) @ counts, atol=1e-9)
        contrasts = tree.project(exact.astype(float))
        np.testing.assert_allclose(tree.rebuild(np.array([float(counts.sum())]), contrasts), counts, atol=1e-9)


def test_variance_and_covariance_of_any_sum_are_dense():
    query = pets.Count(by=["site", "year", "sex"]).bind(TREED)
    design = ResidualPlanner(rho=1, **TREES).plan(query).design
    _, inverse = least_squares(
        design, {levels: np.zeros(len(dense_component(design, levels))) for levels, _ in design.sigma2}
    )
    rng = np.random.default_rng(3)
    first = {"site": rng.normal(size=6), "year": rng.normal(size=9)}
    second = {"year": rng.normal(size=9), "sex": rng.normal(size=2)}
    one = np.kron(np.kron(first["site"], first["year"]), np.ones(2))
    two = np.kron(np.kron(np.ones(6), second["year"]), second["sex"])
    assert design.variance(first) == pytest.approx(one @ inverse @ one, rel=1e-8)
    assert design.covariance(first, second) == pytest.approx(one @ inverse @ two, rel=1e-8, abs=1e-10)


def test_total_of_groups_has_the_variance_of_the_sum():
    query = pets.Count(by=["site", "year"]).bind(TREED)
    mechanism = ResidualPlanner(rho=1, **TREES)
    joint = np.random.default_rng(5).poisson(2, (6, 9))
    release = mechanism.release(tally_of(query, joint, ["site", "year"]), query)
    found = total_of(release, {"site": ["a", "d", "f"], "year": ["2", "3", "4"]})
    design = mechanism.plan(query).design
    w = {"site": np.array([1.0, 0, 0, 1, 0, 1]), "year": np.array([0, 0, 1.0, 1, 1, 0, 0, 0, 0])}
    assert found.stderr == pytest.approx(design.variance(w) ** 0.5)
    cells = release.parts[0].counts()
    assert found.value == pytest.approx(cells[np.ix_([0, 3, 5], [2, 3, 4])].sum())
    assert found.ci_high - found.value == pytest.approx(1.96 * found.stderr, rel=0.02)


@pytest.mark.parametrize("objective", ["mean", "max"])
def test_no_other_allocation_has_less_error(objective):
    """Perturb each component's variance, keep the loss: the objective must not fall."""
    query = pets.Marginals(all_tables(["a0", "a1", "a2"], 3)).bind(domain_of((5, 3, 2), "error"))
    plan = ResidualPlanner(rho="0.5", objective=objective).plan(query)
    reads = plan.workload.table_reads()
    components = [levels for levels, _ in plan.workload.components()]
    x = np.array([plan.design.variances[levels] for levels in components])
    losses = np.array(
        [np.prod([1 - 1 / t.leaves for t, i in zip(plan.design.trees, c, strict=True) if i]) for c in components]
    )
    judge = np.max if objective == "max" else np.mean
    assert (losses / x).sum() == pytest.approx(1.0, rel=1e-9)
    best = judge(reads @ x)
    rng = np.random.default_rng(4)
    for size in (0.3, 0.03, 0.003):
        for _ in range(300):
            other = x * np.exp(size * rng.normal(size=len(x)))
            other *= (losses / other).sum()
            assert judge(reads @ other) >= best * (1 - 1e-6)


def test_least_maximum_is_that_of_a_general_solver():
    from scipy.optimize import minimize

    rng = np.random.default_rng(2)
    losses, tables = rng.uniform(0.2, 1, 6), rng.uniform(0, 1, (4, 6)) * (rng.uniform(size=(4, 6)) > 0.3) + 0.01
    ours = (tables @ least_maximum(losses, tables)).max()
    start = np.append(np.log(np.full(6, losses.sum() * 2)), 20.0)
    theirs = minimize(
        lambda z: z[-1],
        start,
        method="SLSQP",
        constraints=[
            {"type": "ineq", "fun": lambda z: z[-1] - tables @ np.exp(z[:-1])},
            {"type": "ineq", "fun": lambda z: 1 - (losses / np.exp(z[:-1])).sum()},
        ],
        options={"maxiter": 2000, "ftol": 1e-13},
    )
    assert ours == pytest.approx(theirs.x[-1], rel=1e-5)
    assert (losses / least_sum(losses, tables.sum(axis=0))).sum() == pytest.approx(1)


def test_predicted_variances_are_those_of_the_release():
    query = pets.Marginals([["a0", "a1"], ["a1"], []]).bind(domain_of((4, 3), "error"))
    mechanism = ResidualPlanner(rho="0.5")
    predicted = mechanism.plan(query).table_variances()
    release = mechanism.release(tally_of(query, np.ones((4, 3), dtype=int), ["a0", "a1"]), query)
    assert predicted == pytest.approx([part.variance.mean() for part in release.parts])
    assert mechanism.error(query).stderr() == pytest.approx([v**0.5 for v in predicted])


def test_margins_add_up_and_beat_one_noise_per_table():
    names = ["a0", "a1", "a2"]
    query = pets.Marginals(all_tables(names, 3)).bind(domain_of((6, 5, 4), "error"))
    mechanism = ResidualPlanner(rho="0.5")
    release = mechanism.release(tally_of(query, np.ones((6, 5, 4), dtype=int), names), query)
    joint = release.parts[-1].counts()
    for part in release.parts:
        others = tuple(i for i, name in enumerate(names) if name not in part.names)
        np.testing.assert_allclose(joint.sum(axis=others), part.counts(), atol=1e-8)
    separate = pets.dp.DiscreteGaussian(rho="0.5").error(query).laws[0].variance
    assert max(mechanism.plan(query).table_variances()) < separate


def test_one_table_alone_is_the_gaussian_mechanism():
    query = pets.Count(by=["a0"]).bind(domain_of((12,)))
    (variance,) = ResidualPlanner(rho="0.02").plan(query).table_variances()
    assert variance == pytest.approx(DiscreteGaussianLaw(Fraction(25)).variance, rel=1e-6)


def test_sub_margins_of_one_count_are_accurate_when_asked_for():
    query = pets.Count(by=["a0", "a1"]).bind(domain_of((20, 10)))
    plain, all_margins = (ResidualPlanner(rho="0.5", margins=m).plan(query).design for m in ("none", "all"))
    for name in ("a0", "a1"):
        assert all_margins.table_variance([name]).max() < 0.5 * plain.table_variance([name]).max()
