"""Contrasts of columns that are split twice: still one for each row, and what one split hides the other shows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pets
from pets.synthetic import MST
from pets.synthetic.across import Arrangement
from pets.synthetic.across.contrasts import (
    Contrasts,
    contrast_of_codes,
    contrast_of_table,
    halves,
    plan_across,
    splits,
)
from pets.synthetic.encoding import Encoding
from pets.synthetic.tables import count

EVERY = [(0, 1, i, j) for i in (0, 1) for j in (0, 1)]


@given(st.lists(st.floats(0, 1000), min_size=1, max_size=12), st.booleans())
def test_splits_are_signs_and_the_first_is_that_of_halves(mass: list[float], ordered: bool):
    found = splits(np.array(mass), ordered=ordered)
    assert found.shape == (2, len(mass)) and set(np.unique(found)) <= {-1, 1}
    np.testing.assert_array_equal(found[0], halves(np.array(mass), ordered=ordered))


def test_the_second_split_parts_the_ends_from_the_middle_or_each_half_again():
    even = np.ones(8)
    assert splits(even, ordered=True)[1].tolist() == [1, 1, -1, -1, -1, -1, 1, 1]
    first, second = splits(even, ordered=False)
    assert first.sum() == second.sum() == (first * second).sum() == 0, "quarters"


def test_a_row_moves_every_contrast_by_one_and_tables_agree():
    random = np.random.default_rng(0)
    codes = random.integers(0, 6, (2, 200))
    signs = [splits(np.bincount(column, minlength=6).astype(float), ordered=bool(i)) for i, column in enumerate(codes)]
    whole = contrast_of_codes(codes, EVERY, signs)
    table = count(codes, (6, 6), (0, 1))
    assert whole.tolist() == [contrast_of_table(table, (0, 1), name, signs) for name in EVERY]
    for row in random.integers(0, 6, (30, 2, 1)):
        moved = contrast_of_codes(np.hstack([codes, row]), EVERY, signs) - whole
        assert (np.abs(moved) == 1).all()


def test_columns_that_say_the_same_are_seen_where_halves_hide_it():
    """The second column folds the first: high where it is far from the middle. Halves of both are independent."""
    first = np.tile(np.arange(8), 50)
    codes = np.stack([first, np.array([2, 3, 0, 1, 0, 1, 2, 3])[first]])
    sizes = (8, 4)
    signs = [splits(np.bincount(c, minlength=s).astype(float), ordered=True) for c, s in zip(codes, sizes, strict=True)]
    values = contrast_of_codes(codes, EVERY, signs).tolist()
    assert values[0] == 0, "one split alone sees nothing"
    found = Contrasts(dict(zip(EVERY, values, strict=True)), 1.0, signs)
    independent = np.full(sizes, 400 / 32)
    one = Contrasts({EVERY[0]: 0}, 1.0, signs)
    assert found._misfit((0, 1), independent, [], sizes) > 200 > one._misfit((0, 1), independent, [], sizes)


@pytest.mark.parametrize(("codes", "asked"), [(2, 1), (3, 4)])
def test_a_plan_pays_for_every_contrast_that_it_asks(codes: int, asked: int):
    """Two codes can be split in one way, and a second number about them would be paid for nothing."""
    encoding = Encoding.of(pets.Domain(a=list(range(codes)), b=list(range(codes)), c=["x", "y"]))
    made = MST(rho=1, rows=1000, workload=[["a", "b"], ["b", "c"]])
    place = Arrangement.of(encoding, pets.mpc.MaskedSum(), ("north", "south", "west"), "sites", 0, None)
    plan = plan_across(made, encoding, made.budget, 1000, place)
    names = [name for name, _ in plan.contrasts]
    assert sum(name[:2] == (0, 1) for name in names) == asked and len(set(names)) == len(names)
    steps = [step for step in plan.steps if step.kind == "contrast"]
    assert sum(step.times for step in steps) == len(names)
    assert sum(step.share * step.times for step in plan.steps) == 1
