"""The search for small groups, against brute force over all small statements."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pets.errors import QueryRefused
from pets.guards import differencing
from pets.guards.differencing import check_together


def mask(cells: int, *chosen: int) -> np.ndarray:
    found = np.zeros(cells, dtype=bool)
    found[list(chosen)] = True
    return found


def refused(cohorts: list[np.ndarray], expected: np.ndarray, minimum: float) -> bool:
    try:
        check_together(cohorts, expected, minimum)
    except QueryRefused as error:
        return error.code == "overlap"
    return False


def rank(rows: list[list[Fraction]]) -> int:
    """Gauss over exact fractions, written apart from the code under test."""
    rows, found = [list(row) for row in rows], 0
    for column in range(len(rows[0]) if rows else 0):
        place = next((i for i in range(found, len(rows)) if rows[i][column]), None)
        if place is None:
            continue
        rows[found], rows[place] = rows[place], rows[found]
        for i in range(len(rows)):
            if i != found and rows[i][column]:
                factor = rows[i][column] / rows[found][column]
                rows[i] = [a - factor * b for a, b in zip(rows[i], rows[found], strict=True)]
        found += 1
    return found


def small_statement_exists(cohorts: list[np.ndarray], expected: np.ndarray, minimum: float) -> bool:
    """Try every set of cells that expects less than the minimum: is a nonzero vector of the row space inside it?"""
    cells = len(expected)
    rows = [[Fraction(int(v)) for v in row] for row in cohorts]
    whole = rank(rows)
    for size in range(1, cells + 1):
        for inside in combinations(range(cells), size):
            if expected[list(inside)].sum() >= minimum:
                continue
            outside = [c for c in range(cells) if c not in inside]
            # dim(row space within `inside`) = rank - rank of what is left outside
            if whole > (rank([[row[c] for c in outside] for row in rows]) if outside else 0):
                return True
    return False


class TestPairs:
    def test_a_cohort_that_leaves_out_a_few_is_refused(self) -> None:
        expected = np.array([100.0, 100.0, 3.0])
        with pytest.raises(QueryRefused, match="fewer than 20"):
            check_together([mask(3, 0, 1, 2), mask(3, 0, 1)], expected, 20)

    def test_two_cohorts_that_are_not_nested_may_differ_by_a_few_as_well(self) -> None:
        assert refused([mask(3, 0, 1), mask(3, 0, 2)], np.array([100.0, 9.0, 9.0]), 20)
        assert not refused([mask(3, 0, 1), mask(3, 0, 2)], np.array([100.0, 9.0, 12.0]), 20)

    def test_the_same_cohort_again_and_one_that_differs_by_enough_pass(self) -> None:
        assert not refused([mask(3, 0, 1), mask(3, 0, 1), mask(3, 0)], np.array([100.0, 100.0, 3.0]), 20)

    def test_cells_in_which_nobody_is_expected_are_a_difference(self) -> None:
        assert refused([mask(2, 0), mask(2, 0, 1)], np.array([100.0, 0.0]), 1)


class TestCombinations:
    def test_disjoint_parts_leave_a_small_rest(self) -> None:
        """No two of the four differ by little, and yet all - a - b is the rest."""
        expected = np.array([100.0, 100.0, 3.0, 100.0])
        everyone, a, b = mask(4, 0, 1, 2), mask(4, 0), mask(4, 1)
        for pair in ([everyone, a], [everyone, b], [a, b]):
            assert not refused(pair, expected, 20)
        assert refused([everyone, a, b], expected, 20)

    def test_inclusion_and_exclusion_is_found(self) -> None:
        """|A or B| = |A| + |B| - |A and B|: three answers give the fourth, here a small one."""
        expected = np.array([50.0, 50.0, 5.0])
        union, a, b = mask(3, 0, 1, 2), mask(3, 0, 2), mask(3, 1, 2)
        assert not refused([a, b], expected, 20)
        assert refused([a, b, union], expected, 20)

    def test_half_a_sum_is_a_statement_too(self) -> None:
        """A + B + C of the three pairs is twice everybody: coefficients need not be whole."""
        expected = np.array([4.0, 40.0, 40.0])
        pairs = [mask(3, 0, 1), mask(3, 0, 2), mask(3, 1, 2)]
        assert refused(pairs, expected, 20)  # (A + B - C) / 2 is the first cell alone

    def test_many_small_cells_in_large_cohorts_are_no_small_group(self) -> None:
        expected = np.full(40, 2.0)
        cohorts = [mask(40, *range(40)), mask(40, *range(20)), mask(40, *range(10, 30))]
        assert not refused(cohorts, expected, 20)
        assert refused([*cohorts, mask(40, *range(15))], expected, 20)

    def test_a_search_that_takes_too_long_refuses(self, monkeypatch: pytest.MonkeyPatch) -> None:
        expected = np.full(3, 15.0)
        cohorts = [mask(3, 0, 1), mask(3, 1, 2)]
        assert not refused(cohorts, expected, 20)
        monkeypatch.setattr(differencing, "MAX_WORK", 20)
        with pytest.raises(QueryRefused, match="could not be shown to be harmless"):
            check_together(cohorts, expected, 20)

    @pytest.mark.parametrize(
        ("number", "cells", "each"), [(20, 200, 1.0), (64, 400, 3.0), (64, 2000, 0.5), (256, 4000, 1.0)]
    )
    def test_a_crafted_question_keeps_a_site_busy_for_a_bounded_work(
        self, number: int, cells: int, each: float, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Many cohorts at random over cells that expect a few: without a bound half a minute and more each."""
        done = []
        eliminate = differencing._eliminate

        def counting(row: list[int], pivot: list[int], column: int) -> list[int]:
            if row[column]:
                done.append(len(row))
            return eliminate(row, pivot, column)

        monkeypatch.setattr(differencing, "_eliminate", counting)
        rng = np.random.default_rng(0)
        with pytest.raises(QueryRefused, match="could not be shown to be harmless") as caught:
            check_together([rng.random(cells) < 0.5 for _ in range(number)], np.full(cells, each), 20)
        assert caught.value.code == "overlap"
        assert sum(done) <= differencing.MAX_WORK

    def test_questions_by_ordinary_filters_are_far_below_that(self) -> None:
        """Sixty-four cohorts by four attributes with thousands of cells, each large enough."""
        rng, shape, cohorts = np.random.default_rng(1), (47, 3, 6, 5), []
        for _ in range(64):
            chosen = np.ones(shape, dtype=bool)
            for axis, length in enumerate(shape):
                if rng.random() < 0.4:
                    keep = np.zeros(length, dtype=bool)
                    keep[rng.choice(length, rng.integers(1, length + 1), replace=False)] = True
                    chosen &= keep.reshape([-1 if i == axis else 1 for i in range(4)])
            cohorts.append(chosen.reshape(-1))
        check_together(cohorts, np.full(chosen.size, 30.0), 20)

    @settings(max_examples=120, deadline=None)
    @given(st.data())
    def test_agrees_with_brute_force(self, data: st.DataObject) -> None:
        cells = data.draw(st.integers(2, 6))
        expected = np.array(data.draw(st.lists(st.sampled_from([0.0, 1.0, 2.0, 6.0, 11.0]), min_size=cells,
                                               max_size=cells)))  # fmt: skip
        sets = st.lists(st.booleans(), min_size=cells, max_size=cells).filter(any)
        cohorts = [np.array(row) for row in data.draw(st.lists(sets, min_size=1, max_size=4))]
        minimum = data.draw(st.sampled_from([1.0, 5.0, 12.0]))
        assert refused(cohorts, expected, minimum) == small_statement_exists(cohorts, expected, minimum)
