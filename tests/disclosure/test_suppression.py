"""Cell suppression in a pipeline, against a reader who tries every table that fits what is published."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

import pets
from pets.errors import InvalidArgument, PairingRefused


def release(counts: dict[str, int], **rule: object) -> pd.DataFrame:
    domain = pets.Domain(cell=list(counts))
    rows = pd.DataFrame({"cell": [cell for cell, n in counts.items() for _ in range(n)]}, dtype=object)
    mechanism = pets.disclosure.SuppressCells(**rule)  # type: ignore[arg-type]
    return (
        pets.Pipeline(pets.Count(by=["cell"]), domain, mechanism=mechanism)
        .run({"A": rows})
        .to_frame()
        .set_index("cell")
    )


COUNTS = {"none": 0, "one": 1, "four": 4, "five": 5, "many": 70}


def test_exactly_the_counts_from_one_to_four_are_hidden():
    frame = release(COUNTS, minimum=5)
    assert frame["status"].to_dict() == {
        "none": "published", "one": "suppressed", "four": "suppressed", "five": "published", "many": "published",
    }  # fmt: skip
    assert np.isnan(frame.loc["four", "value"])
    assert frame.loc["four", ["ci_low", "ci_high"]].tolist() == [1, 4]
    assert frame.loc["five", ["value", "ci_low", "ci_high", "stderr"]].tolist() == [5, 5, 5, 0]


def test_zeros_can_be_hidden_too():
    frame = release(COUNTS, minimum=5, zeros="suppress")
    assert frame.loc["none", "status"] == "suppressed"
    assert frame.loc["one", ["ci_low", "ci_high"]].tolist() == [0, 5]  # 0 + 1 + 4 is known from the total


@pytest.mark.parametrize("minimum", [1, 0, -3, 2.5, "5", True, None])
def test_a_minimum_that_hides_nothing_is_refused(minimum):
    with pytest.raises(InvalidArgument) as caught:
        pets.disclosure.SuppressCells(minimum=minimum)
    assert caught.value.argument == "minimum"


def test_the_number_of_dropped_rows_obeys_the_rule():
    domain = pets.Domain(cell=["a"])
    rows = pd.DataFrame({"cell": ["a"] * 9 + ["?"] * 3})
    plan = pets.Pipeline(pets.Count(by=["cell"]), domain, mechanism=pets.disclosure.SuppressCells(minimum=5))
    assert plan.run({"A": rows}).dropped() is None
    assert plan.run({"A": pd.concat([rows, rows])}).dropped() == (6, 6, 6)


def possible_tables(shown, hidden, sums):
    """Every table of whole numbers that agrees with the shown cells and sums, and has no empty hidden cell."""
    most, places = max(6, *(total for _, total in sums)), np.flatnonzero(hidden)
    tables = np.tile(np.where(hidden, 0, shown).reshape(-1), (most ** len(places), 1)).astype(np.int8)
    tables[:, places] = np.indices((most,) * len(places), dtype=np.int8).reshape(len(places), -1).T + 1
    for mask, total in sums:
        tables = tables[tables[:, mask.reshape(-1)].sum(axis=1) == total]
    return tables.reshape(-1, *shown.shape)


@st.composite
def small_tables(draw):
    return np.array(draw(st.lists(st.integers(0, 7), min_size=6, max_size=6))).reshape(2, 3)


@given(small_tables())
@settings(max_examples=40, deadline=None)
def test_a_reader_who_tries_all_tables_finds_no_small_cell(counts):
    """With every total that the release does not hold back in hand."""
    assume(counts.sum() <= 24)
    domain = pets.Domain(row=["a", "b"], column=["x", "y", "z"])
    where = [(r, c) for r in range(2) for c in range(3) for _ in range(counts[r, c])]
    rows = pd.DataFrame({"row": ["ab"[r] for r, _ in where], "column": ["xyz"[c] for _, c in where]}, dtype=object)
    out = pets.Pipeline(
        pets.Count(by=["row", "column"]), domain, mechanism=pets.disclosure.SuppressCells(minimum=4)
    ).run({"A": rows})
    hidden = (out.to_frame()["status"] == "suppressed").to_numpy().reshape(2, 3)
    names = {f"row {r}": np.arange(6).reshape(2, 3) // 3 == i for i, r in enumerate("ab")}
    names |= {f"column {c}": np.arange(6).reshape(2, 3) % 3 == i for i, c in enumerate("xyz")}
    names["everybody"] = np.ones((2, 3), dtype=bool)
    known = [name for name in names if name not in out.guarantee.withheld]
    sums = [(names[name], int(counts[names[name]].sum())) for name in known]
    assume(sums and 0 < hidden.sum() <= 4)  # else there are too many tables to try
    tables = possible_tables(counts, hidden, sums)
    small = (counts >= 1) & (counts <= 3)
    assert (tables == counts).all(axis=(1, 2)).any()
    assert (np.ptp(tables, axis=0)[small] >= 2).all()


def test_what_a_reader_can_tell_is_stated_for_each_hidden_cell():
    frame = release({"a": 2, "b": 3, "c": 9, "d": 0}, minimum=5)
    assert frame["status"].tolist() == ["suppressed", "suppressed", "published", "published"]
    assert frame.loc[["a", "b"], ["ci_low", "ci_high"]].to_numpy().tolist() == [[1, 4], [1, 4]]


def test_a_lone_small_cell_takes_another_one_with_it():
    frame = release({"a": 2, "b": 6, "c": 9}, minimum=5)
    assert frame["status"].tolist() == ["suppressed", "suppressed", "published"]
    assert (
        release({"a": 2, "b": 6, "c": 9}, minimum=5, complementary="none")["status"].tolist().count("suppressed") == 1
    )
    assert release({"a": 2, "b": 6, "c": 9}, minimum=5, margins="none")["status"].tolist().count("suppressed") == 1


def linked(**rule):
    counts = {("a", "x", "m"): 9, ("a", "x", "f"): 8, ("a", "y", "m"): 2, ("a", "y", "f"): 9, ("b", "x", "m"): 7,
              ("b", "x", "f"): 12, ("b", "y", "m"): 11, ("b", "y", "f"): 10}  # fmt: skip
    rows = pd.DataFrame(
        [key for key, n in counts.items() for _ in range(n)], columns=["dx", "age", "sex"], dtype=object
    )
    domain = pets.Domain(dx=["a", "b"], age=["x", "y"], sex=["m", "f"])
    query = pets.Marginals([["dx", "age", "sex"], ["dx", "age"], ["sex"]])
    return pets.Pipeline(query, domain, mechanism=pets.disclosure.SuppressCells(minimum=5, **rule)).run({"A": rows})


def test_tables_of_one_release_are_protected_together():
    """The total of dx a, age y is printed: the small cell is not the only one hidden under it."""
    frame = linked().to_frame().fillna({"dx": "", "age": "", "sex": ""})
    cube = frame[frame["table"] == "dx x age x sex"].set_index(["dx", "age", "sex"])["status"]
    pair = frame[frame["table"] == "dx x age"].set_index(["dx", "age"])["status"]
    assert cube["a", "y", "m"] == "suppressed"
    assert cube["a", "y", "f"] == "suppressed" or pair["a", "y"] == "suppressed"


def dropped(missing, complementary="optimal", margins="printed"):
    """Two tables that differ, in the margin they share, by `missing` rows whose sex is unknown."""
    rows = pd.DataFrame(
        {"dx": ["a"] * 14 + ["b"] * 9,
         "sex": ["m"] * 3 + ["f"] * (11 - missing) + ["?"] * missing + ["m"] * 2 + ["f"] * 7},
        dtype=object,
    )  # fmt: skip
    domain = pets.Domain(dx=["a", "b"], sex=["m", "f"])
    mechanism = pets.disclosure.SuppressCells(minimum=5, margins=margins, complementary=complementary)
    return pets.Pipeline(pets.Marginals([["dx"], ["dx", "sex"]]), domain, mechanism=mechanism).run({"A": rows})


@pytest.mark.parametrize("margins", ["printed", "none"])
@pytest.mark.parametrize("complementary", ["optimal", "fast"])
def test_rows_that_fit_one_table_only_are_protected_too(margins, complementary):
    """How many rows have no sex is a small count like any other: it may not follow from what is released."""
    for missing in (1, 2, 3, 4):
        out = dropped(missing, complementary, margins)
        frame = out.to_frame().iloc[2:4]  # dx a by sex; with those of no sex they are 14
        assert out.parts[1].dropped(0.95) is None
        assert frame["ci_high"].sum() - frame["ci_low"].sum() >= 2


def test_totals_of_two_tables_do_not_give_away_who_is_in_one_only():
    rows = pd.DataFrame({"dx": ["a"] * 12 + ["b"] * 9 + ["?"] * 3, "sex": ["m", "f"] * 12}, dtype=object)
    domain = pets.Domain(dx=["a", "b"], sex=["m", "f"])
    plan = pets.Pipeline(pets.Marginals([["dx"], ["sex"]]), domain, mechanism=pets.disclosure.SuppressCells(minimum=5))
    frame = plan.run({"A": rows}).to_frame()
    assert frame["value"].isna().any()  # else the sum by sex less the sum by dx is 3


def test_three_tables_are_margins_of_one():
    """No two of the tables share the margin that gives a small cell away, all of them together do."""
    counts = np.array(
        [[[0, 0, 0], [1, 0, 0], [0, 0, 0]], [[6, 0, 0], [0, 0, 0], [0, 1, 0]], [[0, 0, 0], [0, 5, 4], [7, 0, 0]]]
    )
    cells = [cell for cell, n in np.ndenumerate(counts) for _ in range(n)]
    rows = pd.DataFrame(
        [[f"{name}{i}" for name, i in zip("abc", cell, strict=True)] for cell in cells], columns=[*"abc"]
    )
    domain = pets.Domain(**{name: [f"{name}{i}" for i in range(3)] for name in "abc"})
    query = pets.Marginals([["a", "b"], ["b", "c"], ["a", "c"], ["a"], ["b"], ["c"]])
    out = pets.Pipeline(query, domain, mechanism=pets.disclosure.SuppressCells(minimum=5)).run({"A": rows})
    # an attacker of the test's own: the joint table by linear programs
    matrix, low, high, small = [], [], [], []
    for part, names in zip(out.parts, query.tables, strict=True):
        for place in np.ndindex(*part.block.shape):
            fixed = dict(zip(names, place, strict=True))
            mask = np.ones((3, 3, 3), dtype=bool)
            for axis, name in enumerate("abc"):
                if name in fixed:
                    mask &= np.indices((3, 3, 3))[axis] == fixed[name]
            at = int(np.ravel_multi_index(place, part.block.shape))
            hidden = bool(part.suppressed[at])
            matrix.append(mask.ravel().astype(float))
            low.append(1 if hidden else int(part.values[at]))
            high.append(np.inf if hidden else int(part.values[at]))
            if hidden and int(counts[mask].sum()) <= 4:
                small.append(mask.ravel().astype(float))
    ranges = [
        [linprog(sign * cell, A_ub=np.vstack([-np.array(matrix), np.array(matrix)[np.isfinite(high)]]),
                 b_ub=np.concatenate([-np.array(low), np.array(high)[np.isfinite(high)]])).fun for sign in (1, -1)]
        for cell in small
    ]  # fmt: skip
    assert small and all(-most - least > 1 for least, most in ranges)


def test_a_category_may_be_called_all_or_total():
    frame = release({"rare": 2, "all": 12, "Total": 9}, minimum=5)
    assert frame.loc["rare", "status"] == "suppressed"


def test_tables_too_large_to_protect_together_are_refused_beforehand():
    domain = pets.Domain(**{name: [f"{name}{i}" for i in range(30)] for name in "abcd"})
    query = pets.Marginals([["a"], ["b"], ["c"], ["d"]])
    plan = pets.Pipeline(query, domain, mechanism=pets.disclosure.SuppressCells(minimum=5))
    rows = pd.DataFrame({name: [f"{name}1"] * 3 for name in "abcd"})
    with pytest.raises(InvalidArgument, match="joint table"):
        plan.run({"A": rows})


def test_known_margins_may_leave_no_way_and_the_error_names_no_cell():
    rows = pd.DataFrame({"dx": ["rare"] * 2 + ["common"] * 18, "sex": ["m"] * 11 + ["f"] * 9}, dtype=object)
    domain = pets.Domain(dx=["rare", "common"], sex=["m", "f"])
    plan = pets.Pipeline(
        pets.Count(by=["dx", "sex"]), domain, mechanism=pets.disclosure.SuppressCells(minimum=5, margins="known")
    )
    with pytest.raises(InvalidArgument) as caught:
        plan.run({"A": rows})
    assert caught.value.argument == "margins" and "rare" not in str(caught.value)


def test_the_totals_to_hold_back_are_named_in_the_release_and_survive_a_file():
    out = pets.Pipeline(
        pets.Count(by=["cell"]), pets.Domain(cell=["a", "b"]), mechanism=pets.disclosure.SuppressCells(minimum=5)
    ).run({"A": pd.DataFrame({"cell": ["a"] * 3}, dtype=object)})
    assert out.guarantee.withheld == ("everybody",)
    assert "nobody prints the total of everybody" in out.guarantee.explain()
    again = pets.Release.from_json(out.to_json())
    assert again.to_json() == out.to_json() and again.guarantee == out.guarantee
    assert again.to_frame()["ci_high"].tolist() == out.to_frame()["ci_high"].tolist()


def test_the_guarantee_of_primaries_alone_says_that_margins_can_undo_it():
    mechanism = pets.disclosure.SuppressCells(complementary="none")
    plan = pets.Pipeline(pets.Count(by=["cell"]), pets.Domain(cell=["a"]), mechanism=mechanism)
    assert "subtract" in plan.preview().guarantee.explain()


@pytest.mark.parametrize(
    ("argument", "value"),
    [("complementary", "best"), ("margins", "some"), ("time_limit", 0), ("time_limit", True), ("zeros", "hide")],
)
def test_settings_out_of_range_are_refused(argument, value):
    with pytest.raises(InvalidArgument) as caught:
        pets.disclosure.SuppressCells(**{argument: value})
    assert caught.value.argument == argument


def test_a_sum_that_never_opens_small_cells_leaves_nothing_to_complement():
    def plan(**rule):
        return pets.Pipeline(
            pets.Count(by=["cell"]), pets.Domain(cell=["a"]), aggregator=pets.mpc.VerifyBeforeOpen(minimum=5),
            mechanism=pets.disclosure.SuppressCells(minimum=5, **rule),
        )  # fmt: skip

    with pytest.raises(PairingRefused, match="complementary='none'"):
        plan()
    plan(complementary="none")
