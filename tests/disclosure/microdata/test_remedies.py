"""Local suppression and recoding: the target is reached, little is lost, and the optimum is one."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pets.disclosure import microdata
from pets.errors import DataError, InvalidArgument

cells = st.sampled_from(["a", "b", "c", None])
tables = st.lists(st.tuples(cells, cells, cells), min_size=4, max_size=16)


def frame_of(rows: list[tuple]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=list("xyz"), dtype=object)


def least_alike(rows: list[tuple], missing: str) -> int:
    def alike(a, b):
        return all(p == q or (missing == "matches_all" and None in (p, q)) for p, q in zip(a, b, strict=True))

    return min(sum(alike(a, b) for b in rows) for a in rows)


def as_rows(frame: pd.DataFrame) -> list[tuple]:
    return [tuple(None if pd.isna(v) else v for v in row) for row in frame.itertuples(index=False)]


# ------------------------------------------------------------------------------------ local suppression


@settings(max_examples=50, deadline=None)
@given(tables, st.sampled_from(["value", "matches_all"]), st.integers(2, 4))
def test_suppression_reaches_k_and_only_blanks(rows, missing, k):
    found = microdata.suppress_to_k(frame_of(rows), list("xyz"), k, missing=missing)
    published = as_rows(found.frame)
    assert least_alike(published, missing) == found.reached >= k
    for before, after, blanked in zip(rows, published, found.cells, strict=True):
        for old, new, gone in zip(before, after, blanked, strict=True):
            assert new == (None if gone else old)
            assert not (gone and old is None)
    assert sum(found.blanked.values()) == found.total


@settings(max_examples=40, deadline=None)
@given(tables)
def test_the_strict_reading_also_holds_under_the_other(rows):
    found = microdata.suppress_to_k(frame_of(rows), list("xyz"), 3)
    assert least_alike(as_rows(found.frame), "matches_all") >= 3


@settings(max_examples=50, deadline=None)
@given(tables, st.sampled_from(["value", "matches_all"]))
def test_nothing_is_blanked_without_need(rows, missing):
    thrice = frame_of(rows * 3)
    assert microdata.suppress_to_k(thrice, list("xyz"), 3, missing=missing).total == 0


def slow_fewest(rows: list[tuple], k: int, missing: str) -> int:
    choices = [
        [tuple(None if g else v for v, g in zip(row, gone, strict=True)) for gone in product((0, 1), repeat=len(row))]
        for row in rows
    ]
    blanks = [[sum(gone) for gone in product((0, 1), repeat=len(row))] for row in rows]
    best = 10**9
    for picked in product(*(range(len(c)) for c in choices)):
        cost = sum(b[i] for b, i in zip(blanks, picked, strict=True))
        if cost < best and least_alike([c[i] for c, i in zip(choices, picked, strict=True)], missing) >= k:
            best = cost
    return best


@pytest.mark.parametrize("missing", ["value", "matches_all"])
def test_suppression_is_near_the_optimum_of_tiny_tables(missing):
    rng = np.random.default_rng(3)
    ours = best = 0
    for _ in range(12):
        rows = [tuple(rng.choice(list("ab"), 2)) for _ in range(5)]
        ours += microdata.suppress_to_k(pd.DataFrame(rows, columns=["x", "y"]), ["x", "y"], 2, missing=missing).total
        best += slow_fewest(rows, 2, missing)
    assert best <= ours <= 1.75 * best  # greedy: worst on tables as tiny as these


def test_the_worked_example_needs_two_blanks():
    """sdcMicro proves that 2 is the least for keys 2 to 4 of its example and k = 2, blanks standing for anything."""
    rows = pd.DataFrame({"b": [2, 2, 2, 3, 3, 3, 2, 2], "c": [5, 1, 1, 1, 1, 1, 1, 5], "d": [1, 1, 1, 5, 4, 1, 5, 1]})
    found = microdata.suppress_to_k(rows, ["b", "c", "d"], 2, missing="matches_all")
    assert found.total == 2 and found.reached >= 2
    assert microdata.k_anonymity(found.frame, ["b", "c", "d"], missing="matches_all") == found.reached


def test_dear_keys_are_spared(make):
    rng = np.random.default_rng(5)
    rows = {"x": rng.choice(list("abcdef"), 200).tolist(), "y": rng.choice(list("abcdef"), 200).tolist()}
    spared = microdata.suppress_to_k(make(rows), ["x", "y"], 8, importance={"x": 10.0})
    other = microdata.suppress_to_k(make(rows), ["x", "y"], 8, importance={"y": 10.0})
    assert spared.blanked["x"] < other.blanked["x"] and spared.blanked["y"] > other.blanked["y"]
    assert microdata.k_anonymity(spared.frame, ["x", "y"]) >= 8


def test_suppression_keeps_the_kind_of_frame_and_other_columns():
    rows = {"x": [1, 1, 2], "y": [True, True, False], "other": ["p", "q", "r"]}
    pandas = microdata.suppress_to_k(pd.DataFrame(rows, index=[7, 8, 9]), ["x", "y"], 3).frame
    assert list(pandas.index) == [7, 8, 9] and pandas["other"].tolist() == ["p", "q", "r"]
    assert isinstance(microdata.suppress_to_k(pl.DataFrame(rows), ["x", "y"], 3).frame, pl.DataFrame)
    assert microdata.suppress_to_k(pl.DataFrame(rows).to_arrow(), ["x"], 3).frame["x"].null_count == 3


# ------------------------------------------------------------------------------------ recoding


HIERARCHIES = {
    "x": {"pair": {"ab": ["a", "b"], "cd": ["c", "d"]}},
    "y": {"pair": {"12": [1, 2], "34": [3, 4]}},
}
GROUPS = {
    "x": [lambda v: v, lambda v: None if v is None else ("ab" if v in "ab" else "cd"), lambda v: "*"],
    "y": [lambda v: v, lambda v: None if v is None else ("12" if v < 3 else "34"), lambda v: "*"],
    "z": [lambda v: v, lambda v: "*"],
}
LOSS = {"x": (0, 1 / 3, 1), "y": (0, 1 / 3, 1), "z": (0, 1)}

recodables = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c", "d", None]), st.sampled_from([1, 2, 3, 4, None]), st.sampled_from([0, 1])
    ),
    min_size=5,
    max_size=25,
)


def slow_optimum(rows: list[tuple], k: int, most: int) -> float:
    best = 2.0
    for node in product(range(3), range(3), range(2)):
        recoded = [tuple(GROUPS[key][level](v) for key, level, v in zip("xyz", node, row, strict=True)) for row in rows]
        lone = [recoded.count(row) < k for row in recoded]
        if sum(lone) > most:
            continue

        def lost(row, node=node):
            return (
                sum(
                    (1.0 if level == len(LOSS[key]) - 1 else 0.0) if v is None else LOSS[key][level]
                    for key, level, v in zip("xyz", node, row, strict=True)
                )
                / 3
            )

        best = min(best, sum(1.0 if alone else lost(row) for row, alone in zip(rows, lone, strict=True)) / len(rows))
    return best


@settings(max_examples=60, deadline=None)
@given(recodables, st.integers(2, 5), st.sampled_from([0.0, 0.1, 0.4, 1.0]))
def test_recoding_is_the_optimum_of_all_nodes(rows, k, share):
    frame = pd.DataFrame(rows, columns=list("xyz")).astype({"x": object, "y": "Int64"})
    found = microdata.recode_to_k(frame, list("xyz"), k, HIERARCHIES, most_left_out=share)
    distinct_z = len({row[2] for row in rows})
    if distinct_z == 2:  # with one value only, a key loses nothing at its top
        assert found.loss == pytest.approx(slow_optimum(rows, k, int(share * len(rows) + 1e-9)))
    assert found.left_out <= share * len(rows) + 1e-9
    if len(found.frame):
        assert microdata.k_anonymity(found.frame, list("xyz")) == found.reached >= k
    assert len(found.frame) == found.kept.sum() == len(rows) - found.left_out


def test_recoded_frames_hold_the_labels_of_the_levels(make):
    rows = {"x": ["a", "b", "c", "d"] * 3, "y": [1, 2, 3, 4] * 3, "z": [0] * 12, "other": list(range(12))}
    found = microdata.recode_to_k(make(rows), ["x", "y"], 6, HIERARCHIES)
    assert found.levels == {"x": "pair", "y": "pair"} and found.reached == 6
    import narwhals as nw

    published = nw.from_native(found.frame)
    assert published["x"].to_list()[:4] == ["ab", "ab", "cd", "cd"]
    assert published["y"].to_list()[:4] == ["12", "12", "34", "34"]
    assert published["other"].to_list() == list(range(12))
    assert found.loss == pytest.approx(1 / 3)


def test_important_keys_stay_finer():
    rng = np.random.default_rng(8)
    frame = pd.DataFrame({"x": rng.choice(list("abcd"), 60), "y": rng.integers(1, 5, 60), "z": 0})
    for dear, cheap in (("x", "y"), ("y", "x")):
        found = microdata.recode_to_k(frame, ["x", "y"], 8, HIERARCHIES, importance={dear: 20.0})
        assert found.losses[dear] <= found.losses[cheap]


def test_few_nodes_are_counted():
    rng = np.random.default_rng(9)
    ladder = {
        "four": {str(i): list(range(4 * i, 4 * i + 4)) for i in range(4)},
        "half": {"l": ["0", "1"], "h": ["2", "3"]},
    }
    frame = pd.DataFrame({name: rng.integers(0, 16, 5000) for name in "abcdef"})
    found = microdata.recode_to_k(frame, list("abcdef"), 5, dict.fromkeys("abcdef", ladder))
    assert found.nodes == 4**6 and found.checked < 400


# ------------------------------------------------------------------------------------ bad input


SECRET = "Ada-Lovelace-1815"


@pytest.mark.parametrize(("call", "argument"), [
    (lambda f: microdata.suppress_to_k(f, ["x"], 1), "k"),
    (lambda f: microdata.suppress_to_k(f, ["x"], 9), "k"),
    (lambda f: microdata.suppress_to_k(f, ["x"], 2, missing="no"), "missing"),
    (lambda f: microdata.suppress_to_k(f, ["x"], 2, importance={"y": 1}), "importance"),
    (lambda f: microdata.suppress_to_k(f, ["x"], 2, importance={"x": 0}), "importance"),
    (lambda f: microdata.recode_to_k(f, ["x"], 2.5, {}), "k"),
    (lambda f: microdata.recode_to_k(f, ["x"], 9, {}), "k"),
    (lambda f: microdata.recode_to_k(f, ["x"], 2, {"y": {}}), "hierarchies"),
    (lambda f: microdata.recode_to_k(f, ["x"], 2, [1]), "hierarchies"),
    (lambda f: microdata.recode_to_k(f, ["x"], 2, {"x": 3}), "hierarchy.x"),
    (lambda f: microdata.recode_to_k(f, ["x"], 2, {}, most_left_out=2), "most_left_out"),
    (lambda f: microdata.recode_to_k(f, ["x"], 2, {"x": {
        "one": {"p": ["a", "b"], "q": ["c"]}, "two": {"r": ["a"], "s": ["b", "c"]}}}), "hierarchy.x"),
])  # fmt: skip
def test_bad_arguments_are_named(call, argument):
    with pytest.raises(InvalidArgument) as caught:
        call(pd.DataFrame({"x": [SECRET, "b", "c"]}))
    assert caught.value.argument == argument and SECRET not in str(caught.value)


def test_a_value_that_the_hierarchy_leaves_out_is_not_shown():
    with pytest.raises(DataError) as caught:
        microdata.recode_to_k(pd.DataFrame({"x": [SECRET, "a"]}), ["x"], 2, {"x": {"g": {"all": ["a", "b"]}}})
    assert caught.value.column == "x" and SECRET not in str(caught.value)


def test_no_report_shows_a_value():
    frame = pd.DataFrame({"x": [SECRET] * 3 + ["b"], "y": [SECRET] * 4})
    shown = [
        microdata.suppress_to_k(frame, ["x", "y"], 2), microdata.recode_to_k(frame, ["x", "y"], 2, {}),
        microdata.equivalence_classes(frame, ["x"]), microdata.special_uniques(frame, ["x", "y"]),
        microdata.assess(frame, ["x"], sensitive="y"),
    ]  # fmt: skip
    assert all(SECRET not in repr(found) for found in shown)
