"""Controlled rounding: additivity, optima by enumeration, and tables for which no strict rounding exists."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pets.disclosure.grids import grid_table, margin_relations, with_margins
from pets.disclosure.jj import read_jj
from pets.disclosure.relations import Relations
from pets.disclosure.rounding import controlled_rounding, round_table
from pets.disclosure.rounding.program import Answer, Program, _steps, cumulative
from pets.disclosure.table import Table
from pets.errors import InvalidArgument

DATA = Path(__file__).parents[1] / "data"
REGISTRY = ("fs_toy_3x3", "reg2d_site12_reg16_n3000", "reg2d_site47_reg16_n3000", "reg3d_site12_age4_reg4_n3000")

# Every way of rounding its margins to even numbers contradicts another.
NO_STRICT = np.array([[[1, 1], [1, 0]], [[1, 0], [0, 0]]])


def cube(counts) -> Table:
    counts = np.asarray(counts, dtype=np.int64)
    return grid_table(
        counts, [f"d{i}" for i in range(counts.ndim)], [[f"c{j}" for j in range(n)] for n in counts.shape]
    )


def cheapest(counts, base, steps):
    """Return the least distance over all additive tables of multiples, by enumeration of the inner cells."""
    counts = np.asarray(counts)
    table = with_margins(counts)
    floor = counts - counts % base
    choices = []
    for low, count in zip(floor.reshape(-1), counts.reshape(-1), strict=True):
        if steps == 1:
            choices.append([low] if low == count else [low, low + base])
        else:
            reach = [low + k * base for k in range(1 - steps, steps + 1)]
            choices.append([value for value in reach if value >= 0] if count else [0])
    best = None
    for values in product(*choices):
        inner = np.array(values).reshape(counts.shape)
        rounded = with_margins(inner)
        if (np.abs(rounded - table) >= steps * base).any() or (rounded[table == 0] != 0).any():
            continue
        if steps == 1 and (rounded[table % base == 0] != table[table % base == 0]).any():
            continue
        distance = int(np.abs(rounded - table).sum())
        best = distance if best is None else min(best, distance)
    return best


def check(table: Table, rounded) -> None:
    values, counts = rounded.values, table.values.astype(np.int64)
    assert values.dtype == np.int64
    assert (values >= 0).all() and (values % rounded.base == 0).all()
    assert (values[counts == 0] == 0).all()
    assert (np.abs(values - counts) < rounded.steps * rounded.base).all()
    sums = np.zeros(table.relations.count, dtype=np.int64)
    np.add.at(sums, table.relations.rows, table.relations.signs * values[table.relations.indices])
    assert (sums == table.relations.constants).all()
    assert rounded.additive and rounded.broken == 0
    assert rounded.bound <= rounded.cost + 1e-6


@pytest.mark.parametrize("name", REGISTRY)
@pytest.mark.parametrize("base", [3, 5, 10])
@pytest.mark.parametrize("objective", ["nearest", "random"])
def test_registry_tables_add_up_with_every_cell_at_a_neighbour(name, base, objective):
    table = read_jj(DATA / f"{name}.jj")
    rounded = controlled_rounding(table, base, objective=objective)
    check(table, rounded)
    assert rounded.steps == 1 and rounded.optimal
    still = table.values % base == 0
    assert (rounded.values[still] == table.values[still]).all()


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_tables_of_any_shape_add_up(data):
    shape = data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=4))
    base = data.draw(st.integers(2, 12))
    size = int(np.prod(shape))
    counts = np.array(data.draw(st.lists(st.integers(0, 40), min_size=size, max_size=size))).reshape(shape)
    table = cube(counts)
    rounded = controlled_rounding(table, base, objective=data.draw(st.sampled_from(["nearest", "random"])))
    check(table, rounded)
    if len(shape) <= 2:
        assert rounded.steps == 1  # always possible, Causey, Cox and Ernst 1985


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_small_tables_reach_the_optimum_of_an_enumeration(data):
    shape = data.draw(st.sampled_from([(3,), (2, 2), (2, 3), (2, 2, 2), (3, 3)]))
    base = data.draw(st.integers(2, 6))
    size = int(np.prod(shape))
    counts = np.array(data.draw(st.lists(st.integers(0, 12), min_size=size, max_size=size))).reshape(shape)
    expected = cheapest(counts, base, 1)
    rounded = controlled_rounding(cube(counts), base)
    if expected is None:
        assert rounded.steps > 1
    else:
        assert rounded.steps == 1 and rounded.distance == rounded.cost == expected
        assert rounded.bound == pytest.approx(expected)


def test_without_a_strict_rounding_the_nearest_other_one_is_found():
    table = cube(NO_STRICT)
    assert cheapest(NO_STRICT, 2, 1) is None
    rounded = controlled_rounding(table, 2)
    check(table, rounded)
    assert rounded.steps == 2
    assert rounded.distance == cheapest(NO_STRICT, 2, 2)
    assert np.array_equal(controlled_rounding(table, 2, steps=2).values, rounded.values)
    with pytest.raises(InvalidArgument) as caught:
        controlled_rounding(table, 2, steps=1)
    assert caught.value.argument == "steps"


def test_several_tables_without_a_strict_rounding():
    generator, found = np.random.default_rng(5), 0
    while found < 3:
        counts = generator.integers(0, 4, (2, 2, 2))
        if cheapest(counts, 2, 1) is None:
            found += 1
            rounded = controlled_rounding(cube(counts), 2)
            check(cube(counts), rounded)
            assert rounded.distance == cheapest(counts, 2, 2)


def test_the_random_objective_is_nearly_unbiased_and_varies():
    counts = np.array([[1, 2, 4], [3, 1, 0], [2, 2, 2]])
    table = cube(counts)
    drawn = np.array([controlled_rounding(table, 5, objective="random").values for _ in range(300)])
    assert len(np.unique(drawn, axis=0)) > 20
    inner = drawn.reshape(300, 4, 4)[:, :3, :3]
    assert np.abs(inner.mean(axis=0) - counts).max() < 1.2
    assert np.abs((inner.mean(axis=0) - counts).mean()) < 0.4


def test_a_random_draw_can_be_repeated_in_tests():
    table = read_jj(DATA / "reg2d_site12_reg16_n3000.jj")
    first, second = (controlled_rounding(table, 5, objective="random", insecure_seed=3).values for _ in range(2))
    assert np.array_equal(first, second)


def test_a_constant_that_the_base_does_not_divide_is_named():
    rows = Relations([0, 2], [0, 1], [1, 1], [7.0])
    with pytest.raises(InvalidArgument) as caught:
        controlled_rounding(Table([3, 4], rows), 5)
    assert caught.value.argument == "base" and "relation 0" in caught.value.problem
    rounded = controlled_rounding(Table([3, 4], rows), 7)
    assert rounded.values.sum() == 7


def test_magnitudes_are_refused():
    rows = margin_relations((2,))
    with pytest.raises(InvalidArgument):
        controlled_rounding(Table([1.5, 2.5, 4.0], rows), 5)


@pytest.mark.parametrize(
    "wrong",
    [{"time_limit": 0}, {"time_limit": "x"}, {"gap": -1}, {"gap": 2}, {"objective": "best"}, {"base": 1}, {"steps": 0}],
)
def test_wrong_arguments_are_named(wrong):
    with pytest.raises(InvalidArgument) as caught:
        controlled_rounding(cube([[1, 2]]), **wrong)
    assert caught.value.argument == next(iter(wrong))


def test_many_equal_cells_are_no_trouble():
    """A solver's search for duplicate columns is quadratic; ours must not wait for it."""
    table = cube(np.ones(20_000, dtype=np.int64))
    rounded = controlled_rounding(table, 5, time_limit=30)
    check(table, rounded)
    assert rounded.optimal


def test_cell_by_cell_rounding_of_a_table_says_what_breaks():
    table = read_jj(DATA / "reg2d_site12_reg16_n3000.jj")
    near = round_table(table, 5, "nearest")
    assert near.broken > 0 and not near.additive
    assert "differ" in near.explain()
    residuals = table.relations.residuals(near.values.astype(float))
    assert near.broken == int((residuals != 0).sum())
    assert near.distance == int(np.abs(near.values - table.values).sum())
    with pytest.raises(InvalidArgument):
        round_table(table, 5, "controlled")


def test_zeros_stay_even_where_moving_them_would_be_nearer():
    counts = np.array([[[1, 0], [0, 1]], [[0, 1], [1, 0]]])  # 18 would do if an empty cell might be shown as 2
    rounded = controlled_rounding(cube(counts), 2)
    check(cube(counts), rounded)
    assert rounded.steps == 2 and rounded.distance == cheapest(counts, 2, 2) == 20


@pytest.mark.parametrize("further", [0, 1, 3])
@pytest.mark.parametrize("base", [2, 5])
def test_the_cost_of_steps_is_the_distance(base, further):
    """Of all ways to reach a multiple by steps, the cheapest costs what the distance says; none leads below 0."""
    counts = np.arange(4 * base)
    floor, rest = np.divmod(counts, base)
    for target in (rest, np.where(rest > 0, base, 0), np.zeros_like(rest)):
        relations = Relations([0, len(counts)], np.arange(len(counts)), np.ones(len(counts)), [float(counts.sum())])
        variables = _steps(Program(floor, rest, target, relations, base, further))
        for cell in range(len(counts)):
            own = np.flatnonzero(variables.cells == cell)
            reached: dict[int, float] = {}
            for taken in product(*(range(variables.most[i] + 1) for i in own)):
                place = int(floor[cell] + sum(n * variables.direction[i] for n, i in zip(taken, own, strict=True)))
                price = sum(n * variables.cost[i] for n, i in zip(taken, own, strict=True))
                reached[place] = min(price, reached.get(place, np.inf))
            low, high = floor[cell] - further, floor[cell] + (rest[cell] > 0) + further
            expected = {m for m in range(low, high + 1) if m >= 0} if counts[cell] else {0}
            assert set(reached) == expected
            for multiple, price in reached.items():
                distance = abs(base * (multiple - floor[cell]) - target[cell])
                assert price == distance - target[cell]


def test_a_rounding_that_adds_up_is_there_at_once():
    for name in REGISTRY:
        table = read_jj(DATA / f"{name}.jj")
        floor, rest = np.divmod(table.values.astype(np.int64), 5)
        program = Program(floor, rest, rest, table.relations, 5)
        found = cumulative(program)
        assert (table.relations.residuals(5.0 * found) == 0).all() and (found >= 0).all()
        assert (found[table.values == 0] == 0).all()
        assert abs(5 * found[0] - table.values[0]) < 5  # the total of everything goes to a neighbour
    other = Relations.from_rows([([0, 1, 2], [1, -1, -1], 0.0)])  # names no single sum
    assert cumulative(Program(np.array([1, 0, 0]), np.array([2, 3, 4]), np.array([2, 3, 4]), other, 5)) is None
    fixed = Relations.from_rows([([0, 1], [1, 1], 10.0)])
    assert cumulative(Program(np.array([1, 0]), np.array([2, 3]), np.array([2, 3]), fixed, 5)) is None


def test_when_the_solver_has_no_time_the_first_one_is_given(monkeypatch):
    table = cube(np.random.default_rng(0).integers(0, 9, (4, 3, 2)))
    monkeypatch.setattr("pets.disclosure.rounding.program._run", lambda *_, **__: Answer(None))
    rounded = controlled_rounding(table, 5, time_limit=0.1)
    check(table, rounded)
    assert not rounded.optimal and rounded.bound == 0
    assert rounded.steps == 1 + np.abs(rounded.values - table.values).max() // 5
    with pytest.raises(InvalidArgument) as caught:
        controlled_rounding(table, 5, steps=2, time_limit=0.1)
    assert caught.value.argument == "time_limit"
