from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pets.disclosure.relations import Relations
from pets.disclosure.table import Table
from pets.errors import InvalidArgument, RangeOverflow

SUM = Relations.from_rows([([0, 1, 2], [-1, 1, 1], 0)])


def table(values=(9, 2, 7), **changes):
    return Table(list(values), SUM, **changes)


def test_defaults():
    found = table(primary=[False, True, False])
    assert found.integral and found.cost.tolist() == [9, 2, 7] and found.sliding_protection.tolist() == [0, 1, 0]
    assert found.lower.tolist() == [0, 0, 0] and np.isinf(found.upper).all() and found.contributors is None
    magnitude = table([9.5, 2.0, 7.5], primary=[False, True, False])
    assert not magnitude.integral and magnitude.sliding_protection.tolist() == pytest.approx([0, 0.2, 0])


@pytest.mark.parametrize(
    ("values", "changes", "argument"),
    [
        ((9, 2, 6), {}, "relations"),
        ((1, -1, 2), {}, "values"),
        ((9, np.nan, 7), {}, "values"),
        ((9, np.inf, 7), {}, "values"),
        ((9, "two", 7), {}, "values"),
        ((9, 2), {}, "relations"),
        ((), {}, "values"),
        ((9.5, 2, 7.5), {"integral": True}, "values"),
        ((9, 2, 7), {"primary": [True, False]}, "primary"),
        ((9, 2, 7), {"primary": [1, 0, 0]}, "primary"),
        ((9, 2, 7), {"primary": [False, True, False], "frozen": [False, True, False]}, "frozen"),
        ((9, 2, 7), {"forced": [False, True, False], "frozen": [False, True, False]}, "frozen"),
        ((9, 2, 7), {"cost": [1, -1, 1]}, "cost"),
        ((9, 2, 7), {"lower_protection": [0, np.nan, 0]}, "lower_protection"),
        ((9, 2, 7), {"upper": [9, 1, 7]}, "values"),
        ((9, 2, 7), {"lower": [0, 3, 0]}, "values"),
        ((9, 2, 7), {"contributors": [1, -2, 3]}, "contributors"),
        ((9, 2, 7), {"contributors": [1.0, 2.0, 3.0]}, "contributors"),
        ((9, 2, 7), {"dimensions": ["x"]}, "dimensions"),
        ((9, 2, 7), {"dimensions": ["x"], "codes": [["T", "a", "a"]]}, "codes"),
        ((9, 2, 7), {"dimensions": ["x"], "codes": [["T", "a"]]}, "codes.0"),
        ((9, 2, 7), {"primary_range": (4, 1)}, "primary_range"),
    ],
)
def test_bad_input_is_named(values, changes, argument):
    with pytest.raises(InvalidArgument) as error:
        Table(list(values), SUM, **changes)
    assert error.value.argument == argument


def test_errors_hold_no_value():
    with pytest.raises(InvalidArgument) as error:
        Table([7919, 2, 6], SUM, dimensions=["site"], codes=[["T", "a", "b"]])
    assert "7919" not in str(error.value) and "site=T" in str(error.value)
    assert "7919" not in repr(table([7919, 19, 7900]))


def test_overflow():
    with pytest.raises(RangeOverflow):
        Table([2.0**54, 0, 2.0**54], SUM)
    with pytest.raises(RangeOverflow):
        Table([2.0**53, 2.0**52, 2.0**52], SUM)


def test_margins_of_counts_are_exact_and_those_of_magnitudes_allow_rounding():
    Table([0.3, 0.1, 0.2], SUM)
    with pytest.raises(InvalidArgument):
        Table([0.3001, 0.1, 0.2], SUM)
    big = 2.0**52
    with pytest.raises(InvalidArgument):
        Table([big, 1, big - 2], SUM)


def test_frozen_all_the_way():
    found = table()
    with pytest.raises(ValueError, match="read-only"):
        found.values[0] = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.values = np.zeros(3)
    again = dataclasses.replace(found, primary=np.array([False, True, False]))
    assert again.primary.tolist() == [False, True, False] and again.values.tolist() == found.values.tolist()


def test_where_and_name():
    found = table(dimensions=["site"], codes=[["T", "a", "b"]])
    assert found.where({"site": ["a", "b"]}).tolist() == [False, True, True] and found.name(2) == "site=b"
    with pytest.raises(InvalidArgument, match="Did you mean 'site'"):
        found.where({"sit": "a"})
    with pytest.raises(InvalidArgument, match="no code"):
        found.where({"site": "c"})


@pytest.mark.parametrize(
    "parts",
    [
        ([0, 2], [0, 1], [1, 1, 1]),
        ([1, 2], [0, 1], [1, 1]),
        ([0, 2], [0, 0], [1, -1]),
        ([0, 2], [0, 1], [1, 2]),
        ([0, 0, 2], [0, 1], [1, 1]),
        ([0, 2], [0, -1], [1, 1]),
        ([0, 2], [0, 1], [1, 1], [np.nan]),
        ([0.0, 2.0], [0, 1], [1, 1]),
    ],
)
def test_relations_refuse_what_does_not_fit(parts):
    with pytest.raises(InvalidArgument):
        Relations(*parts)


@given(
    st.integers(0, 20).flatmap(
        lambda m: st.lists(
            st.tuples(
                st.lists(st.integers(0, 9), min_size=1, max_size=6, unique=True), st.integers(-5, 5), st.integers(0, 63)
            ),
            min_size=m,
            max_size=m,
        )
    ),
    st.lists(st.integers(-100, 100), min_size=10, max_size=10),
)
def test_residuals_are_those_of_the_dense_matrix(rows, values):
    signed = [(cells, [1 if bits >> i & 1 else -1 for i in range(len(cells))], float(c)) for cells, c, bits in rows]
    found = Relations.from_rows(signed)
    dense = np.zeros((len(rows), 10))
    for i, (cells, signs, _) in enumerate(signed):
        dense[i, cells] = signs
    expected = dense @ np.array(values, dtype=float) - [c for _, _, c in signed]
    assert found.residuals(np.array(values, dtype=float)).tolist() == expected.tolist()
    assert (found.matrix(10).toarray() == dense).all() and found.count == len(rows)
