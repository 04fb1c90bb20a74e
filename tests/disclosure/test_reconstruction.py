from itertools import combinations_with_replacement, product

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pets.disclosure.reconstruction import MarginalTable, reconstruct, tables_of
from pets.errors import DataError, InvalidArgument


def brute(frame, by, tables, hide_below):
    """Records in every multiset of records that gives the same printed tables."""
    values = [sorted(set(frame[name])) for name in by]
    cells = list(product(*values))

    def printed(records):
        out = []
        for table in tables:
            places = [by.index(name) for name in table]
            count = {}
            for record in records:
                key = tuple(record[place] for place in places)
                count[key] = count.get(key, 0) + 1
            small = hide_below or 0
            out.append({key: "small" if n < small else n for key, n in count.items()})
        return out

    own = [tuple(row) for row in frame[list(by)].itertuples(index=False)]
    target = printed(own)
    least = None
    for records in combinations_with_replacement(cells, len(own)):
        if printed(records) == target:
            counts = np.array([records.count(cell) for cell in cells])
            least = counts if least is None else np.minimum(least, counts)
    return least


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xyz"), st.sampled_from("mf")), min_size=1, max_size=5),
    st.sampled_from([1, 2]),
    st.sampled_from([None, 3]),
)
def test_proven_records_are_those_of_every_solution(records, ways, hide_below):
    frame = pd.DataFrame(records, columns=["one", "two", "three"])
    labels, tables, counts = tables_of(frame, ["one", "two", "three"], ways, hide_below=hide_below)
    found = reconstruct(labels, tables)
    if hide_below is None:  # with ranges only, the number of records is open too
        names = [table.by for table in tables]
        assert found.at_least.tolist() == brute(frame, ["one", "two", "three"], names, None).tolist()
        assert found.records == len(records)
    assert np.all(found.at_least <= counts.reshape(-1))
    assert found.decided
    assert found.compared(counts).true_matches <= len(records)


def registry(n, shape, seed=1):
    rng = np.random.default_rng(seed)
    weights = [rng.dirichlet(np.full(size, 2.0)) for size in shape]
    return pd.DataFrame(
        {
            f"v{i}": [f"c{k}" for k in rng.choice(size, n, p=w)]
            for i, (size, w) in enumerate(zip(shape, weights, strict=True))
        }
    )


def test_a_hundred_patients_follow_from_their_three_way_tables():
    frame = registry(100, (12, 4, 2, 4, 5))
    labels, tables, counts = tables_of(frame, list(frame.columns), 3)
    found = reconstruct(labels, tables)
    assert found.decided and found.proven >= 90
    assert np.all(found.at_least <= counts.reshape(-1))
    proven = found.proven_records()
    assert proven["records"].sum() == found.proven
    assert list(proven.columns) == ["v0", "v1", "v2", "v3", "v4", "records"]
    hidden_labels, hidden, _ = tables_of(frame, list(frame.columns), 3, hide_below=5)
    assert reconstruct(hidden_labels, hidden).proven < found.proven
    assert "are proven" in str(found)


def test_a_solution_fits_and_uses_no_true_record():
    frame = registry(60, (6, 4, 4, 3))
    labels, tables, counts = tables_of(frame, list(frame.columns), 2)
    found = reconstruct(labels, tables)
    guess = found.solution.reshape(counts.shape)
    for table in tables:
        axes = tuple(i for i, name in enumerate(labels) if name not in table.by)
        assert np.array_equal(guess.sum(axis=axes), table.low)
    assert found.compared(counts).true_matches < 60  # it is a guess
    assert found.one_solution()["records"].sum() == 60


def test_the_clock_leaves_the_rest_undecided():
    frame = registry(300, (12, 4, 2, 4, 5))
    labels, tables, counts = tables_of(frame, list(frame.columns), 3)
    found = reconstruct(labels, tables, time_limit=0.0)
    assert found.undecided > 0 and not found.decided
    assert np.all(found.at_least <= counts.reshape(-1))


def test_bad_tables_are_refused():
    one = np.ones((2,))
    with pytest.raises(InvalidArgument, match="tables"):
        reconstruct({"a": ["x", "y"]}, [])
    with pytest.raises(InvalidArgument, match="no labels"):
        reconstruct({"a": ["x", "y"]}, [MarginalTable(("b",), one, one)])
    with pytest.raises(InvalidArgument, match="shape"):
        reconstruct({"a": ["x", "y", "z"]}, [MarginalTable(("a",), one, one)])
    with pytest.raises(InvalidArgument, match="no table fits"):
        reconstruct({"a": ["x", "y"]}, [MarginalTable(("a",), one, one), MarginalTable(("a",), one * 2, one * 2)])
    with pytest.raises(InvalidArgument, match="combinations"):
        reconstruct({"a": range(2000), "b": range(2000)}, [MarginalTable(("a",), one, one)])
    frame = pd.DataFrame({"a": ["x"]})
    with pytest.raises(DataError):
        tables_of(frame, ["b"])
    with pytest.raises(InvalidArgument, match="from 1 to 1"):
        tables_of(frame, ["a"], 2)
    with pytest.raises(InvalidArgument, match="no attribute"):
        tables_of(frame, ["a"], [["c"]])
