"""What a reader learns from rounded numbers, against an enumeration of everything that fits."""

from __future__ import annotations

from itertools import combinations, product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pets.disclosure.grids import grid_table, with_margins
from pets.disclosure.jj import read_jj
from pets.disclosure.relations import Relations
from pets.disclosure.rounding import Rounded, controlled_rounding, round_table
from pets.disclosure.rounding.learned import learned_intervals, propagate

DATA = Path(__file__).parents[1] / "data"


def table_of(counts):
    counts = np.asarray(counts, dtype=np.int64)
    return grid_table(
        counts, [f"d{i}" for i in range(counts.ndim)], [[f"c{j}" for j in range(n)] for n in counts.shape]
    )


def enumerate_intervals(rounded: Rounded, shape) -> tuple[np.ndarray, np.ndarray]:
    """Return the range of each cell over all tables of whole numbers that fit, inner cells enumerated."""
    low, high = (bound.reshape([n + 1 for n in shape]) for bound in rounded.rule_intervals())
    inner = tuple(slice(n) for n in shape)
    ranges = [range(a, b + 1) for a, b in zip(low[inner].reshape(-1), high[inner].reshape(-1), strict=True)]
    fitting = []
    for values in product(*ranges):
        full = with_margins(np.array(values).reshape(shape))
        if ((full >= low) & (full <= high)).all():
            fitting.append(full.reshape(-1))
    return np.min(fitting, axis=0), np.max(fitting, axis=0)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_intervals_are_those_of_an_enumeration(data):
    shape = data.draw(st.sampled_from([(3,), (2, 2)]))
    base = data.draw(st.integers(2, 3))
    size = int(np.prod(shape))
    counts = np.array(data.draw(st.lists(st.integers(0, 7), min_size=size, max_size=size))).reshape(shape)
    rule = data.draw(st.sampled_from(["controlled", "random", "nearest"]))
    table = table_of(counts)
    if rule == "controlled":
        rounded = controlled_rounding(table, base)
    else:
        rounded = round_table(table, base, rule, ties=data.draw(st.sampled_from(["up", "down", "even"])))
    low, high = rounded.intervals()
    assert (low <= table.values).all() and (table.values <= high).all()
    expected = enumerate_intervals(rounded, shape)
    assert low.tolist() == expected[0].tolist() and high.tolist() == expected[1].tolist()


def test_a_rounded_table_can_give_a_count_away():
    """Two counts of 1 shown as 3 with a total of 0 to 2: each must be what the total leaves."""
    table = table_of([1, 1])
    rounded = Rounded(np.array([3, 3, 0]), 3, "random", table.relations)
    low, high = rounded.intervals()
    assert low.tolist() == [1, 1, 2] and high.tolist() == [1, 1, 2]


@pytest.mark.parametrize("ties", ["up", "down", "even"])
@pytest.mark.parametrize("base", [2, 3, 4, 5, 10])
def test_the_interval_of_one_count_holds_exactly_what_rounds_to_it(base, ties):
    table = table_of(np.arange(40))
    rounded = round_table(table, base, "nearest", ties=ties)
    low, high = rounded.rule_intervals()
    from pets.disclosure.rounding import round_nearest

    for published, least, most in zip(rounded.values[:-1], low, high, strict=False):
        fitting = [c for c in range(200) if round_nearest(c, base, ties) == published]
        assert (least, most) == (fitting[0], fitting[-1])


def test_propagation_never_loses_the_truth_and_is_never_narrower_than_the_exact_intervals():
    table = read_jj(DATA / "reg3d_site12_age4_reg4_n3000.jj")
    for rounded in (controlled_rounding(table, 5), round_table(table, 5, insecure_seed=1)):
        outer = propagate(*rounded.rule_intervals(), table.relations)
        low, high = rounded.intervals()
        assert (outer[0] <= low).all() and (high <= outer[1]).all()
        assert (low <= table.values).all() and (table.values <= high).all()


def test_what_is_published_holds_no_true_count():
    table = read_jj(DATA / "reg2d_site12_reg16_n3000.jj", DATA / "reg2d_site12_reg16_n3000.codes.csv")
    rounded = controlled_rounding(table, 5)
    for name in Rounded.__dataclass_fields__:
        value = getattr(rounded, name)
        assert not (isinstance(value, np.ndarray) and value.dtype != object and np.array_equal(value, table.values))
    frame = rounded.to_frame(intervals=True)
    assert list(frame) == ["site", "reg", "value", "low", "high"]
    assert (frame["value"] % 5 == 0).all()
    assert "273 cells" in repr(rounded) and "multiple of 5" in rounded._repr_html_()


def test_where_linear_programs_are_too_wide_the_ends_are_those_of_whole_numbers():
    """Four counts of 0 or 1 of which no two are 1: one in all, while halves would make it two."""
    pairs = list(combinations(range(4), 2))
    rows = [([4 + i, a, b], [-1, 1, 1], 0.0) for i, (a, b) in enumerate(pairs)]
    rows.append(([10, 0, 1, 2, 3], [-1, 1, 1, 1, 1], 0.0))
    low, high = np.zeros(11, dtype=np.int64), np.array([1] * 10 + [4])
    below, above = learned_intervals(low, high, Relations.from_rows(rows))
    assert below.tolist() == [0] * 11 and above.tolist() == [1] * 11
    assert propagate(low, high, Relations.from_rows(rows))[1][10] == 4


def test_without_time_the_intervals_are_wide_and_a_warning_says_so():
    table = read_jj(DATA / "reg2d_site12_reg16_n3000.jj")
    rounded = controlled_rounding(table, 5)
    with pytest.warns(UserWarning, match="ends of intervals are not proven"):
        low, high = rounded.intervals(seconds=0.0)
    assert (low <= table.values).all() and (table.values <= high).all()
