"""The planner against an enumeration of all recodings, and what it says of them."""

from __future__ import annotations

import csv
from itertools import product

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pets
from pets.disclosure.grids import with_margins
from pets.disclosure.recoding import plan_recoding, pool
from pets.errors import DataError, InvalidArgument

STAGES = {"tier 1": {"local": ["L"], "metastatic": ["M1", "M2"]}}
SITES = {"main": {"I": ["Ia", "Ib", "Ic"], "II": ["IIa", "IIb"]}}
YEARS = {"by 2": pool([2019, 2020, 2021, 2022], 2), "by 3": pool([2019, 2020, 2021, 2022], 3)}
LEVELS = {"site": SITES, "stage": STAGES, "year": YEARS}
LEAVES = {"site": ["Ia", "Ib", "Ic", "IIa", "IIb"], "stage": ["L", "M1", "M2"], "year": [2019, 2020, 2021, 2022]}


def frame_of(counts: np.ndarray, by: list[str]) -> pd.DataFrame:
    grid = np.meshgrid(*(np.array(LEAVES[name], dtype=object) for name in by), indexing="ij")
    return pd.DataFrame({n: g.reshape(-1) for n, g in zip(by, grid, strict=True)} | {"n": counts.reshape(-1)})


def groupings(name: str) -> dict[str, dict]:
    """Each level of a dimension as a mapping of leaf to group, from the definitions above."""
    found = {"as is": {leaf: str(leaf) for leaf in LEAVES[name]}, "*": dict.fromkeys(LEAVES[name], "*")}
    for level, groups in LEVELS[name].items():
        found[level] = {leaf: group for group, members in groups.items() for leaf in members}
    return found


def entropy_lost(frame: pd.DataFrame, by: list[str], mapping: dict[str, dict], hidden=()) -> float:
    """Conditional entropy of the fine cell given the class, with logarithms of probabilities."""
    total = frame["n"].sum()
    coarse = frame.assign(**{name: frame[name].map(mapping[name]) for name in by})
    keys = [tuple(row) for row in coarse[by].to_numpy().tolist()]
    classes = pd.Series(["hidden" if key in hidden else str(key) for key in keys])
    size = frame["n"].reset_index(drop=True).groupby(classes).transform("sum")
    p, q = frame["n"].to_numpy() / total, size.to_numpy() / total
    return float(sum(-a * np.log2(a / b) for a, b in zip(p, q, strict=True) if a > 0))


def recoded(frame: pd.DataFrame, by: list[str], mapping: dict[str, dict]) -> pd.Series:
    return frame.assign(**{name: frame[name].map(mapping[name]) for name in by}).groupby(by)["n"].sum()


def enumerate_plans(frame, by, minimum, small_cells=0):
    options = []
    for names in product(*(groupings(name) for name in by)):
        mapping = {name: groupings(name)[level] for name, level in zip(by, names, strict=True)}
        counts = recoded(frame, by, mapping)
        if ((counts > 0) & (counts < minimum)).sum() <= small_cells:
            options.append((entropy_lost(frame, by, mapping), dict(zip(by, names, strict=True))))
    return sorted(options, key=lambda option: option[0])


@settings(max_examples=30, deadline=None)
@given(st.data())
def test_no_recoding_of_the_lattice_loses_less(data):
    by = data.draw(st.sampled_from([["site"], ["stage", "year"], ["site", "stage"], ["site", "stage", "year"]]))
    shape = [len(LEAVES[name]) for name in by]
    size = int(np.prod(shape))
    counts = np.array(data.draw(st.lists(st.integers(0, 12), min_size=size, max_size=size))).reshape(shape)
    minimum, small = data.draw(st.integers(2, 12)), data.draw(st.integers(0, 3))
    if counts.sum() == 0:
        return
    frame = frame_of(counts, by)
    options = enumerate_plans(frame, by, minimum, small)
    given_levels = {name: LEVELS[name] for name in by}
    if not options:
        with pytest.raises(InvalidArgument):
            plan_recoding(frame, by, count="n", levels=given_levels, minimum=minimum, small_cells=small)
        return
    plan = plan_recoding(frame, by, count="n", levels=given_levels, minimum=minimum, small_cells=small)
    assert plan.loss == pytest.approx(options[0][0], abs=1e-9)
    assert plan.levels in [levels for loss, levels in options if loss < options[0][0] + 1e-9]
    small_left = ((plan.counts > 0) & (plan.counts < minimum)).sum()
    assert small_left <= small and plan.counts.sum() == counts.sum()
    assert 0 <= plan.share <= 1


def example() -> tuple[pd.DataFrame, list[str]]:
    by = ["site", "stage", "year"]
    counts = np.random.default_rng(3).poisson(6, [len(LEAVES[name]) for name in by])
    return frame_of(counts, by), by


def test_alternatives_are_the_minimal_ones_in_order():
    frame, by = example()
    plan = plan_recoding(frame, by, count="n", levels=LEVELS, minimum=9, alternatives=50)
    options = enumerate_plans(frame, by, 9)

    def merges(fine, coarse):  # every group of `fine` lies within one of `coarse`, in all dimensions
        return all(
            len({(groupings(n)[fine[n]][x], groupings(n)[coarse[n]][x]) for x in LEAVES[n]})
            == len(set(groupings(n)[fine[n]].values()))
            for n in by
        )

    minimal = [
        (loss, levels) for loss, levels in options if not any(o != levels and merges(o, levels) for _, o in options)
    ]
    assert [c.loss for c in (plan.choice, *plan.alternatives)] == pytest.approx([loss for loss, _ in minimal])
    assert len(plan.alternatives) >= 1


def test_table_mapping_and_file(tmp_path):
    frame, by = example()
    plan = plan_recoding(frame, by, count="n", levels=LEVELS, minimum=9)
    again = frame.assign(**{name: frame[name].map(lambda x, n=name: plan.mapping()[n][str(x)]) for name in by})
    expected = again.groupby(by)["n"].sum()
    shown = plan.to_frame().set_index(by)["count"]
    assert shown.loc[expected.index].tolist() == expected.tolist()
    assert np.array_equal(plan.table().values, with_margins(plan.counts).reshape(-1)) and not plan.table().primary.any()
    plan.write_mapping(tmp_path / "mapping.csv")
    with (tmp_path / "mapping.csv").open() as stream:
        lines = list(csv.DictReader(stream))
    assert len(lines) == 12 and {line["dimension"] for line in lines} == set(by)
    assert all(plan.mapping()[line["dimension"]][line["category"]] == line["group"] for line in lines)
    text = " ".join(plan.explain())
    assert "bits" in text and "60 cells become" in text and "%" in repr(plan) and "<table" in plan._repr_html_()


def test_rows_and_counts_and_engines_give_the_same_plan():
    frame, by = example()
    rows = frame.loc[frame.index.repeat(frame["n"])][by]
    plans = [
        plan_recoding(frame, by, count="n", levels=LEVELS, minimum=9),
        plan_recoding(rows, by, levels=LEVELS, minimum=9),
        plan_recoding(pl.DataFrame(frame.to_dict("list")), by, count="n", levels=LEVELS, minimum=9),
    ]
    assert len({str(plan.levels) for plan in plans}) == 1


def test_hierarchies_come_from_the_domain():
    frame, by = example()
    domain = pets.Domain(
        site=pets.Categorical(LEAVES["site"], hierarchy=SITES),
        stage=pets.Categorical(LEAVES["stage"], hierarchy=STAGES),
        year=pets.Categorical(LEAVES["year"], hierarchy=YEARS),
    )  # fmt: skip
    assert (
        plan_recoding(frame, by, count="n", domain=domain, minimum=9).levels
        == plan_recoding(frame, by, count="n", levels=LEVELS, minimum=9).levels
    )


def test_nothing_is_merged_where_nothing_is_small():
    plan = plan_recoding(frame_of(np.full(5, 7), ["site"]), ["site"], count="n", levels={"site": SITES})
    assert plan.levels == {"site": "as is"} and plan.loss == 0 and "Nothing is merged." in plan.explain()


def test_empty_cells_may_count_as_small():
    counts = np.array([0, 9, 9, 9, 9])
    assert plan_recoding(frame_of(counts, ["site"]), ["site"], count="n", levels={"site": SITES}).loss == 0
    plan = plan_recoding(frame_of(counts, ["site"]), ["site"], count="n", levels={"site": SITES}, zeros="suppress")
    assert plan.levels == {"site": "main"}


def test_fixed_dimensions_stay():
    frame, by = example()
    plan = plan_recoding(frame, by, count="n", levels=LEVELS, minimum=30, fixed=["year"])
    assert plan.levels["year"] == "as is"
    with pytest.raises(InvalidArgument) as caught:
        plan_recoding(frame, by, count="n", levels=LEVELS, minimum=30, fixed=by)
    assert caught.value.argument == "minimum"
    with pytest.raises(InvalidArgument):
        plan_recoding(frame, by, count="n", levels=LEVELS, minimum=10**6)


def primaries_only(table):
    return table.primary.copy()


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 9), min_size=15, max_size=15).filter(sum), st.integers(2, 8))
def test_hiding_and_recoding_are_weighed_on_one_scale(numbers, minimum):
    by = ["site", "stage"]
    frame = frame_of(np.array(numbers).reshape(5, 3), by)
    plan = plan_recoding(
        frame, by, count="n", levels={n: LEVELS[n] for n in by}, minimum=minimum, suppression=primaries_only
    )
    losses = []
    for names in product(*(groupings(name) for name in by)):
        mapping = {name: groupings(name)[level] for name, level in zip(by, names, strict=True)}
        counts = recoded(frame, by, mapping)
        hidden = {key for key, n in counts.items() if 0 < n < minimum}
        losses.append(entropy_lost(frame, by, mapping, hidden))
    assert plan.loss == pytest.approx(min(losses), abs=1e-9)
    assert plan.hiding_only is not None and plan.hiding_only.loss == pytest.approx(losses[0], abs=1e-9)
    assert (plan.counts[plan.hidden] == 0).all()
    assert plan.to_frame()["count"].isna().sum() == plan.hidden.sum()


def test_a_table_that_cannot_be_hidden_in_is_recoded():
    def refuse(table):
        raise InvalidArgument("table", "cannot be protected")

    frame, by = example()
    plan = plan_recoding(frame, by, count="n", levels=LEVELS, minimum=9, suppression=refuse)
    assert plan.levels == plan_recoding(frame, by, count="n", levels=LEVELS, minimum=9).levels
    assert plan.hiding_only is None

    def expose(table):
        return np.zeros(table.cells, dtype=bool)

    with pytest.raises(InvalidArgument, match="all primaries"):
        plan_recoding(frame, by, count="n", levels=LEVELS, minimum=9, suppression=expose)


def test_progress_is_reported():
    frame, by = example()
    seen = []
    plan_recoding(
        frame, by, count="n", levels=LEVELS, minimum=9, progress=lambda done, total: seen.append((done, total))
    )
    assert seen[-1] == (36, 36) and all(0 < done <= total for done, total in seen)


def test_pools_of_neighbours():
    assert pool(["0-4", "5-9", "10-14"], 2) == {"0-4-5-9": ["0-4", "5-9"], "10-14": ["10-14"]}
    for wrong in (([], 2), ([1], 0), ([1], True)):
        with pytest.raises(InvalidArgument):
            pool(*wrong)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"frame": 3}, InvalidArgument), ({"by": ["nothing"], "levels": {}}, DataError),
        ({"count": "nothing"}, DataError),
        ({"minimum": 1}, InvalidArgument), ({"minimum": True}, InvalidArgument), ({"zeros": "hide"}, InvalidArgument),
        ({"levels": {"nothing": SITES}}, InvalidArgument), ({"levels": {"site": 3}}, InvalidArgument),
        ({"levels": 3}, InvalidArgument), ({"fixed": ["nothing"]}, InvalidArgument),
        ({"small_cells": -1}, InvalidArgument), ({"alternatives": -1}, InvalidArgument),
        ({"levels": {"site": {"*": {"I": LEAVES["site"]}}}}, InvalidArgument),
        ({"levels": {"site": {"main": {"I": ["Ia", "Ib"]}}}}, DataError),
        ({"domain": pets.Domain(site=["Ia"])}, DataError), ({"domain": pets.Domain(other=["Ia"])}, InvalidArgument),
    ],
)  # fmt: skip
def test_wrong_arguments(change, error):
    frame = frame_of(np.full(5, 7), ["site"])
    with pytest.raises(error):
        plan_recoding(**({"frame": frame, "by": ["site"], "count": "n", "levels": {"site": SITES}} | change))


@pytest.mark.parametrize("counts", [[7, 7, 7, 7, -1], [7, 7, 7, 7, 0.5], [0] * 5])
def test_counts_that_are_none(counts):
    with pytest.raises(InvalidArgument):
        plan_recoding(frame_of(np.array(counts), ["site"]), ["site"], count="n", levels={"site": SITES})
