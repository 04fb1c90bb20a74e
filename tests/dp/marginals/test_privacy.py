"""The loss by enumeration: every neighbour of a small table, every Rényi divergence summed from the laws themselves.

The mechanism's output is a function of the noisy whole-number contrasts, whose noises are independent; the divergence
of two data sets is therefore the sum over contrasts of that of two shifted discrete Gaussians.
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from itertools import combinations_with_replacement, product

import numpy as np
import pytest

import pets
from pets.dp.marginals import ResidualPlanner, YearlyTotals, loss
from pets.dp.marginals import measure as measure_module
from pets.dp.marginals import plan as plan_module
from pets.dp.marginals import residual as residual_module
from pets.dp.marginals.measure import whole_contrasts
from pets.dp.marginals.yearly import toeplitz
from pets.privacy_unit import PrivacyUnit
from tests.dp.marginals.support import Recorded, domain_of, tally_of

ORDERS = (1.25, 2.0, 8.0)


@lru_cache(maxsize=100_000)
def divergence(shift: int, sigma2: Fraction, order: float) -> float:
    """Rényi divergence of a discrete Gaussian and its shift, by summation over the integers."""
    if shift == 0:
        return 0.0
    s2 = float(sigma2)
    reach = int(abs(shift) * (order + 1) + 14 * s2**0.5) + 3
    k = np.arange(-reach, reach + 1, dtype=np.float64)
    first, second = -(k**2) / (2 * s2), -((k - shift) ** 2) / (2 * s2)
    norm = np.log(np.exp(first).sum())
    exponent = order * first + (1 - order) * second
    top = exponent.max()
    return float((top + np.log(np.exp(exponent - top).sum()) - norm) / (order - 1))


def contributions(query: pets.query.BoundQuery, shape: tuple[int, ...], rows: int):
    """Yield what one unit can add to each block: tables of its rows, some of them dropped."""
    places = [*product(*(range(n) for n in shape)), None]
    for size in range(rows + 1):
        for chosen in combinations_with_replacement(places, size):
            joint = np.zeros(shape, dtype=np.int64)
            for place in chosen:
                if place is not None:
                    joint[place] += 1
            yield joint, chosen.count(None)


def worst_divergence(mechanism, query, shape, order):
    """Return the largest divergence over all differences that one unit can make."""
    unit = query.domain.unit
    plan = mechanism.plan(query)
    names = [axis.name for axis in plan.workload.axes]
    sigma2 = dict(plan.design.sigma2)
    units = list(contributions(query, shape, unit.max_rows * unit.max_sites))
    pairs = [(u, units[0]) for u in units] if unit.neighbours == "add_remove" else list(product(units, units))
    differences = {((a - b).tobytes(), abs(i - j)): a - b for (a, i), (b, j) in pairs}
    worst = 0.0
    for (_, out), difference_of_joint in differences.items():
        total = 0.0
        for subset, _ in plan.workload.sources:
            axes = tuple(i for i, name in enumerate(names) if name not in [names[j] for j in subset])
            difference = difference_of_joint.sum(axis=axes)
            trees = [plan.design.trees[i] for i in subset]
            shifts = whole_contrasts(np.asarray(difference), trees)
            for levels in product(*(range(1, tree.depth + 1) for tree in trees)):
                chosen = dict(zip(subset, levels, strict=True))
                key = tuple(chosen.get(i, 0) for i in range(len(names)))
                place = tuple(tree.slices[i - 1] for tree, i in zip(trees, levels, strict=True))
                total += sum(divergence(abs(int(d)), sigma2[key], order) for d in np.ravel(shifts[place]))
        total += sum(divergence(out, s, order) for _, s in plan.dropped)
        worst = max(worst, total)
    return worst


CASES = [
    (sizes, tables, relation, rows, settings)
    for sizes, tables in [
        ((2,), [["a0"]]),
        ((3, 2), [["a0", "a1"]]),
        ((3, 2), [["a0", "a1"], ["a0"], []]),
        ((3, 2), [["a0", "a1"], ["a0"]]),
        ((3, 2), [["a0"], ["a1"]]),
        ((2, 2, 2), [["a0", "a1"], ["a1", "a2"], ["a0", "a2"]]),
    ]
    for relation in ("add_remove", "replace_one")
    for rows in (1, 2)
    for settings in ({}, {"objective": "max"})
    if not (settings and rows == 2)
]


def bound_query(sizes, tables, relation, rows):
    unit = PrivacyUnit(id="patient_id", max_rows=rows, neighbours=relation)
    # The attributes that all tables have leave out rows, the others none: the tables count the same rows.
    common = [all(f"a{i}" in by for by in tables) for i in range(len(sizes))]
    invalid = ["drop" if shared else "error" for shared in common]
    return pets.Marginals(tables).bind(domain_of(sizes, invalid, unit=unit))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_loss_of_every_neighbour_is_within_rho(case):
    sizes, tables, relation, rows, settings = case
    query = bound_query(sizes, tables, relation, rows)
    mechanism = ResidualPlanner(rho="0.4", **settings)
    orders = ORDERS if rows == 1 else ORDERS[1:2]
    found = {order: worst_divergence(mechanism, query, sizes, order) for order in orders}
    for order, most in found.items():
        assert most <= 0.4 * order * (1 + 1e-9)
    if relation == "add_remove":  # and it is spent in full: nothing is wasted
        assert found[2.0] >= 0.4 * 2 * (1 - 1e-5)


@pytest.mark.parametrize("relation", ["add_remove", "replace_one"])
def test_loss_with_uneven_groups_and_ranges_is_within_rho(relation):
    hierarchy = {"group": {"I": ["a", "b", "c"], "II": ["d"]}}
    domain = pets.Domain(
        site=pets.Categorical(["a", "b", "c", "d"], hierarchy=hierarchy, invalid="error"),
        year=["1", "2", "3", "4", "5"],
        unit=PrivacyUnit(neighbours=relation),
    )
    query = pets.Marginals([["site", "year"], ["year"]]).bind(domain)
    mechanism = ResidualPlanner(rho="0.4", hierarchies={"site": ["group"]}, ranges=["year"])
    assert 0.5 * 0.8 < worst_divergence(mechanism, query, (4, 5), 2.0) <= 0.8 * (1 + 1e-9)


def test_small_noise_is_judged_too():
    """Where sigma is below 1 the discrete law is far from a Gaussian."""
    query = bound_query((2,), [["a0"]], "add_remove", 1)
    assert worst_divergence(ResidualPlanner(rho=5), query, (2,), 2.0) <= 10 * (1 + 1e-9)


@pytest.mark.parametrize("relation", ["add_remove", "replace_one"])
def test_yearly_totals_cost_rho_whichever_years_a_unit_is_in(relation):
    years, rows = 4, 2
    unit = PrivacyUnit(id="patient_id", max_rows=rows, neighbours=relation)
    query = pets.Count(by=["a0"]).bind(domain_of((2,), unit=unit))
    sigma2 = YearlyTotals(rho="0.4", years=years, rows_over_all_years=rows).sigma2(query)
    column = toeplitz(years)
    matrix = np.array([[column[i - j] if i >= j else 0 for j in range(years)] for i in range(years)], dtype=object)
    places = list(product(range(years), range(3)))
    units = [
        np.bincount([3 * y + c for y, c in chosen], minlength=3 * years).reshape(years, 3)
        for size in range(rows + 1)
        for chosen in combinations_with_replacement(places, size)
    ]
    pairs = [(u, units[0]) for u in units] if relation == "add_remove" else list(product(units, units))
    worst = max(sum(int(v) ** 2 for v in np.ravel(matrix @ (a - b).astype(object))) for a, b in pairs)
    assert Fraction(worst) / (2 * sigma2) <= Fraction("0.4")
    if relation == "add_remove":
        assert Fraction(worst) / (2 * sigma2) == Fraction("0.4")


def yearly_loss(mechanism, query, change):
    """Exact loss of a change of each year's tally, shape (years, cells)."""
    column, years = toeplitz(mechanism.years), mechanism.years
    matrix = np.array([[column[i - j] if i >= j else 0 for j in range(years)] for i in range(years)], dtype=object)
    return sum(int(v) ** 2 for v in np.ravel(matrix @ np.asarray(change).astype(object))) / (
        2 * mechanism.sigma2(query)
    )


@pytest.mark.parametrize("rows", [1, 2])
@pytest.mark.parametrize("relation", ["add_remove", "replace_one"])
def test_a_patient_with_rows_in_every_year_costs_what_is_charged(relation, rows):
    """Each yearly tally bounds the rows of its own year only: ten rows of one patient get through."""
    unit = PrivacyUnit(id="pid", max_rows=rows, neighbours=relation)
    query = pets.Count(by=["a0"]).bind(domain_of((2,), unit=unit))
    mechanism = YearlyTotals(rho=1, years=10)
    change = np.zeros((10, query.size), dtype=int)
    change[:, 0] = rows
    if relation == "add_remove":
        assert yearly_loss(mechanism, query, change) == 1  # and nothing is given away
        promised = YearlyTotals(rho=1, years=10, rows_over_all_years=rows)
        assert yearly_loss(promised, query, change) > 37  # who breaks that promise
    change[:, 1] = -rows
    assert yearly_loss(mechanism, query, change) <= (2 if relation == "add_remove" else 1)


@pytest.mark.parametrize(("rows", "in_all"), [(1, 1), (1, 2), (1, 3), (2, 2), (2, 3), (2, 5), (3, 4)])
def test_no_spread_of_a_units_rows_over_the_years_costs_more_than_rho(rows, in_all):
    query = pets.Count(by=["a0"]).bind(domain_of((1,), "error", unit=PrivacyUnit(id="pid", max_rows=rows)))
    mechanism = YearlyTotals(rho="0.4", years=5, rows_over_all_years=in_all)
    spreads = [u for u in product(range(rows + 1), repeat=5) if sum(u) <= in_all]
    worst = max(yearly_loss(mechanism, query, np.array(u)[:, None]) for u in spreads)
    assert Fraction("0.2") < worst <= Fraction("0.4")
    if in_all % rows == 0:
        assert worst == Fraction("0.4")


def test_a_unit_that_is_a_row_is_in_one_year():
    query = pets.Count(by=["a0"]).bind(domain_of((2,)))
    change = np.zeros((10, query.size), dtype=int)
    change[0, 0] = 1
    assert yearly_loss(YearlyTotals(rho=1, years=10), query, change) == 1


# Planted bugs: each must turn the check above red.


def fresh_plans(patch):
    patch.setattr(residual_module, "cached_plan", plan_module.cached_plan.__wrapped__)


@pytest.mark.parametrize("factor", [Fraction(1, 2), Fraction(99, 100)])
def test_planted_wrong_sensitivity_of_a_residual_is_seen(monkeypatch, factor):
    fresh_plans(monkeypatch)
    right = loss.one_cell

    def wrong(trees, levels):
        return right(trees, levels) * (factor if any(levels) else 1)

    monkeypatch.setattr(loss, "one_cell", wrong)
    query = bound_query((3, 2), [["a0", "a1"]], "add_remove", 1)
    assert worst_divergence(ResidualPlanner(rho="0.4"), query, (3, 2), 2.0) > 0.8 * (1 + 1e-6)


def test_planted_replace_one_taken_for_add_remove_is_seen(monkeypatch):
    fresh_plans(monkeypatch)
    monkeypatch.setattr(loss, "patterns", lambda trees, used: iter(()))
    query = bound_query((3, 2), [["a0", "a1"]], "replace_one", 1)
    assert worst_divergence(ResidualPlanner(rho="0.4"), query, (3, 2), 2.0) > 0.8 * (1 + 1e-3)


def test_planted_forgotten_rows_of_a_unit_are_seen(monkeypatch):
    fresh_plans(monkeypatch)
    for module in (loss, plan_module):
        monkeypatch.setattr(module, "rows", lambda unit: 1)
    query = bound_query((3,), [["a0"]], "add_remove", 2)
    assert worst_divergence(ResidualPlanner(rho="0.4"), query, (3,), 2.0) > 0.8 * 3


# What is drawn must be what the plan says: the components' noises, one by one, and none used twice.


def draws_of(mechanism, query, sizes, seed=None):
    engine = Recorded(seed)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(residual_module, "engine", lambda name: engine)
        tally = tally_of(query, np.zeros(sizes, dtype=np.int64), [f"a{i}" for i in range(len(sizes))])
        release = mechanism.release(tally, query)
    return engine, release


def test_every_component_is_drawn_once_with_its_own_noise():
    query = bound_query((3, 2), [["a0", "a1"], ["a0"]], "add_remove", 1)
    mechanism = ResidualPlanner(rho="0.4")
    plan = mechanism.plan(query)
    engine, _ = draws_of(mechanism, query, (3, 2))
    sizes = [int(np.prod([n for n, i in zip((3, 2), levels, strict=True) if i])) for levels, _ in plan.design.sigma2]
    expected = sorted([(s, n) for (_, s), n in zip(plan.design.sigma2, sizes, strict=True)] + [(plan.dropped[0][1], 1)])
    assert sorted(engine.asked) == expected


def spread_of_releases(mechanism, query, sizes, times=2_000):
    names = [f"a{i}" for i in range(len(sizes))]
    tally = tally_of(query, np.full(sizes, 3), names)
    values = np.array([
        np.concatenate([part.values for part in mechanism.release(tally, query).parts]) for _ in range(times)
    ])  # fmt: skip
    return values, tally.values


def covariance_of(mechanism, query):
    """Closed-form covariance matrix of all published cells of all tables."""
    design = mechanism.plan(query).design
    cells = []
    for block in query.blocks:
        for place in product(*(range(n) for n in block.shape)):
            rows = zip(block.axes, place, strict=True)
            cells.append({axis.name: np.eye(len(axis))[i] for axis, i in rows})
    return np.array([[design.covariance(a, b) for b in cells] for a in cells])


def covariance_is_wrong(mechanism, query, sizes):
    """Whether the covariance that is seen in releases differs from the closed form by more than chance."""
    values, truth = spread_of_releases(mechanism, query, sizes)
    errors = values - truth
    keep = np.concatenate([np.arange(block.size) < block.cells for block in query.blocks])
    seen = errors[:, keep].T @ errors[:, keep] / len(values)
    stated = covariance_of(mechanism, query)
    deviation = np.sqrt((np.outer(np.diag(stated), np.diag(stated)) + stated**2) / len(values))
    return bool((np.abs(seen - stated) > 5.5 * deviation).any())


SMALL = ((3, 2), [["a0", "a1"], ["a0"], ["a1"], []])


def test_covariance_of_releases_is_the_closed_form():
    assert not covariance_is_wrong(ResidualPlanner(rho="0.4"), bound_query(*SMALL, "add_remove", 1), SMALL[0])


class Reusing(Recorded):
    """The bug: each draw begins with the same numbers, scaled."""

    def discrete_gaussian(self, variance, size):
        if not hasattr(self, "kept"):
            self.kept = np.random.default_rng(self.seed).normal(size=64)
        return np.rint(self.kept[:size] * float(variance) ** 0.5).astype(np.int64)


def test_planted_noise_reused_between_margins_is_seen(monkeypatch):
    count = iter(range(10**6))

    def engine(name):
        found = Reusing(None)
        found.seed = next(count)
        return found

    monkeypatch.setattr(residual_module, "engine", engine)
    assert covariance_is_wrong(ResidualPlanner(rho="0.4"), bound_query(*SMALL, "add_remove", 1), SMALL[0])


def test_planted_total_without_noise_is_seen(monkeypatch):
    right = measure_module._noise
    monkeypatch.setattr(measure_module, "_noise", lambda subset, d, s: right(subset, d, s) * (1 if subset else 0))
    assert covariance_is_wrong(ResidualPlanner(rho="0.4"), bound_query(*SMALL, "add_remove", 1), SMALL[0])


def test_planted_swapped_weights_are_seen(monkeypatch):
    """Noise of one component given to another: the plan's own loss and the draws no longer agree."""
    right = dict

    def swapped(pairs):
        found = right(pairs)
        keys = sorted(found)
        return right(zip(keys, [found[k] for k in reversed(keys)], strict=True))

    monkeypatch.setattr(
        measure_module, "dict", lambda p: swapped(p) if isinstance(p, tuple) else right(p), raising=False
    )
    assert covariance_is_wrong(ResidualPlanner(rho="0.4"), bound_query(*SMALL, "add_remove", 1), SMALL[0])


@pytest.mark.parametrize("largest", [2**40, 2**58])
def test_contrasts_of_huge_counts_do_not_wrap_around(largest):
    trees = [pets.query.trees.flat(7), pets.query.trees.flat(5)]
    table = np.random.default_rng(1).integers(0, largest, (7, 5))
    exact = table.astype(object)
    exact = 7 * exact - exact.sum(axis=0, keepdims=True)
    exact = 5 * exact - exact.sum(axis=1, keepdims=True)
    wanted = np.clip(exact, -(2**61), 2**61).astype(np.int64)
    np.testing.assert_array_equal(whole_contrasts(table, trees), wanted)
