import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pets.disclosure.attacker import Attacker
from pets.disclosure.intervals import feasible_intervals
from pets.disclosure.reading import Reading
from pets.disclosure.system import System
from pets.errors import InvalidArgument
from tests.disclosure.small_tables import all_tables, cube_table

SHAPES = [(2, 2), (2, 3), (3, 2), (2, 2, 2)]


@st.composite
def patterns(draw):
    shape = draw(st.sampled_from(SHAPES))
    inner = np.array(draw(st.lists(st.integers(0, 4), min_size=int(np.prod(shape)), max_size=int(np.prod(shape)))))
    table = cube_table(inner.reshape(shape), upper_room=draw(st.sampled_from([1.0, 2.0])))
    hidden = np.array(draw(st.lists(st.booleans(), min_size=table.cells, max_size=table.cells)))
    zeros = draw(st.booleans())
    if draw(st.booleans()):
        hidden &= table.values > 0
    attacker = Attacker(zeros_known=zeros, symbols_differ=draw(st.booleans()))
    return shape, table, hidden, attacker


@settings(max_examples=150, deadline=None)
@given(patterns(), st.booleans())
def test_ends_are_those_of_all_tables_that_fit(case, told):
    shape, table, hidden, attacker = case
    lower, upper = attacker.bounds(table, hidden)
    fitting = np.array(list(all_tables(shape, table.values, hidden, lower, upper)))
    reading = Reading.of(table, hidden, attacker)
    found = feasible_intervals(reading.system, table.values[hidden] if told else None)
    assert np.array_equal(found.low, fitting.min(axis=0)[hidden])
    assert np.array_equal(found.high, fitting.max(axis=0)[hidden])
    assert found.settled.all()


@settings(max_examples=60, deadline=None)
@given(patterns())
def test_real_ends_are_those_of_linear_programs(case):
    from scipy.optimize import linprog

    _, table, hidden, _ = case
    attacker = Attacker.CLASSIC
    lower, upper = attacker.bounds(table, hidden)
    found = feasible_intervals(Reading.of(table, hidden, attacker).system)
    matrix = table.relations.matrix(table.cells).toarray()
    for place, cell in enumerate(np.flatnonzero(hidden)):
        for sign, end in ((1, found.low[place]), (-1, found.high[place])):
            cost = np.zeros(table.cells)
            cost[cell] = sign
            theirs = linprog(cost, A_eq=matrix, b_eq=np.zeros(len(matrix)), bounds=list(zip(lower, upper, strict=True)))
            assert sign * theirs.fun == pytest.approx(end, abs=1e-6)


def test_whole_ends_lie_inside_real_ones_where_three_dimensions_are_tied():
    # the parity polytope of 2 x 2 x 2 x ... : real tables fit that no whole one reaches
    from scipy.sparse import csr_array

    odd_cycle = csr_array(np.array([[1.0, 1, 0], [0, 1, 1], [1, 0, 1]]))
    system = System(odd_cycle, np.array([2.0, 2, 2]), np.zeros(3), np.full(3, 2.0), integral=True)
    found = feasible_intervals(system)
    assert found.low.tolist() == found.high.tolist() == [1, 1, 1]
    half = System(odd_cycle, np.array([1.0, 1, 1]), np.zeros(3), np.ones(3), integral=False)
    assert feasible_intervals(half).low.tolist() == [0.5, 0.5, 0.5]
    whole = System(odd_cycle, np.array([1.0, 1, 1]), np.zeros(3), np.ones(3), integral=True)
    with pytest.raises(InvalidArgument, match="no table fits"):
        feasible_intervals(whole)


def test_integer_programs_go_where_rounded_linear_ends_are_not_attained():
    from scipy.sparse import csr_array

    # 2a + 2b + 2c + d = 3, so that d is odd; linear programs say 0 to 3
    matrix = csr_array(np.array([[2.0, 2, 2, 1]]))
    system = System(matrix, np.array([3.0]), np.zeros(4), np.full(4, 9.0), integral=True)
    found = feasible_intervals(system)
    assert found.low.tolist() == [0, 0, 0, 1]
    assert found.high.tolist() == [1, 1, 1, 3]
    assert found.settled.all()


def test_cells_without_an_upper_end_are_unbounded():
    table = cube_table([[3, 4], [5, 6]], upper_room=np.inf)
    hidden = np.zeros(table.cells, dtype=bool)
    hidden[[0, 1, 3, 4]] = True
    found = feasible_intervals(Reading.of(table, hidden, Attacker()).system)
    assert found.high.tolist() == [np.inf] * 4
    assert found.settled.all()


def test_only_upper_ends_may_be_left_out():
    table = cube_table(np.arange(1, 10).reshape(3, 3), upper_room=50.0)
    hidden = table.values < 9
    both = feasible_intervals(Reading.of(table, hidden, Attacker()).system)
    low_only = feasible_intervals(Reading.of(table, hidden, Attacker()).system, highs=False)
    assert np.array_equal(both.low, low_only.low)


def test_time_that_is_up_leaves_bounds_that_hold_and_are_marked():
    rng = np.random.default_rng(3)
    table = cube_table(rng.poisson(2.0, (12, 15)), upper_room=1e6)
    hidden = table.values < 9
    system = Reading.of(table, hidden, Attacker(zeros_known=False)).system
    full = feasible_intervals(system)
    cut = feasible_intervals(system, seconds=0.0)
    assert not cut.settled.all()
    assert np.all(cut.low <= full.low) and np.all(cut.high >= full.high)


def test_enough_stops_early_but_what_was_seen_is_true():
    rng = np.random.default_rng(4)
    table = cube_table(rng.poisson(2.0, (8, 9)), upper_room=1e6)
    hidden = table.values < 9
    system = Reading.of(table, hidden, Attacker(zeros_known=False)).system
    full = feasible_intervals(system)
    quick = feasible_intervals(system, table.values[hidden], lambda low, high: high - low >= 1)
    wide = full.high > full.low
    assert np.all((quick.seen_high - quick.seen_low)[wide] >= 1)
    assert np.all(quick.seen_low >= full.low) and np.all(quick.seen_high <= full.high)
    assert np.array_equal(quick.low[~wide], full.low[~wide])
