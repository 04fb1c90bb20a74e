"""Perturbed tables from frames and from counts: consistent, described, and free of true counts and keys."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl
import pytest

import pets
from pets.disclosure.cell_key import CellKeySecret, Perturbed, make_ptable, perturb_frame, perturb_table, read_ptable
from pets.disclosure.grids import grid_table, with_margins
from pets.errors import DataError, InvalidArgument

KEYS = CellKeySecret(bytes(32)).project("atlas")
PTABLE = make_ptable(2, 5)


def rows(n=400, seed=0) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "site": generator.choice(["liver", "kidney", "eye"], n, p=[0.6, 0.3, 0.1]),
            "age": generator.choice(["0-4", "5-9", "10-14"], n),
            "year": generator.choice([2020, 2021], n),
            "patient": np.arange(n),
        }
    )


def by_hand(frame: pd.DataFrame, by: list[str]) -> pd.Series:
    """Counts, key sums and look-ups with pandas, cell by cell, margins through whole groups."""
    frame = frame.assign(key=KEYS.of(frame["patient"].tolist()))
    found = {}
    for mask in range(2 ** len(by)):
        kept = [name for i, name in enumerate(by) if mask >> i & 1]
        groups = frame.groupby(kept)["key"] if kept else [((), frame["key"])]
        for labels, keys in groups:
            named = dict(zip(kept, labels if isinstance(labels, tuple) else (labels,), strict=True))
            count = len(keys)
            change = int(PTABLE.changes[min(count, len(PTABLE.changes) - 1), int(keys.sum()) % 256])
            found[tuple(str(named.get(name, "Total")) for name in by)] = count + change
    return pd.Series(found)


def test_a_frame_is_perturbed_as_by_hand():
    frame, by = rows(), ["site", "age", "year"]
    published = perturb_frame(frame, by, "patient", KEYS, PTABLE).to_frame().set_index(by)["value"]
    expected = by_hand(frame, by)
    assert published.loc[expected.index].tolist() == expected.tolist()
    assert (published.drop(expected.index) == 0).all()


def test_the_same_patients_give_the_same_number_in_another_table_and_order():
    frame = rows()
    whole = perturb_frame(frame, ["site", "age"], "patient", KEYS, PTABLE).to_frame()
    shuffled = perturb_frame(frame.sample(frac=1, random_state=1), ["age", "site"], "patient", KEYS, PTABLE).to_frame()
    merged = whole.merge(shuffled, on=["site", "age"])
    assert len(merged) == len(whole) and (merged["value_x"] == merged["value_y"]).all()
    eye = perturb_frame(frame[frame["site"] == "eye"], ["age"], "patient", KEYS, PTABLE).to_frame()
    assert eye["value"].tolist() == whole[whole["site"] == "eye"]["value"].tolist()


def test_another_engine_gives_the_same_table():
    frame = rows()
    first = perturb_frame(frame, ["site", "year"], "patient", KEYS, PTABLE)
    second = perturb_frame(pl.DataFrame(frame.to_dict("list")), ["site", "year"], "patient", KEYS, PTABLE)
    assert np.array_equal(first.values, second.values)


def test_declared_categories_appear_without_rows():
    domain = pets.Domain(site=["eye", "kidney", "liver", "bone"], age=["0-4", "5-9", "10-14"])
    published = perturb_frame(rows(), ["site", "age"], "patient", KEYS, PTABLE, domain=domain).to_frame()
    assert (published[published["site"] == "bone"]["value"] == 0).all() and len(published) == 5 * 4
    with pytest.raises(DataError) as caught:
        perturb_frame(rows().replace("eye", "nose"), ["site"], "patient", KEYS, PTABLE, domain=domain)
    assert caught.value.column == "site" and "nose" not in str(caught.value)


def test_what_does_not_add_up_is_reported():
    published = perturb_frame(rows(), ["site", "age"], "patient", KEYS, PTABLE)
    grid = published.values.reshape(4, 4)
    gaps = [*(grid[:3].sum(axis=0) - grid[3]), *(grid[:, :3].sum(axis=1) - grid[:, 3])]
    assert published.broken == sum(gap != 0 for gap in gaps) > 0
    assert sorted(published.gaps.tolist()) == sorted(int(gap) for gap in gaps)
    assert f"{published.broken:,} of 8 totals differ" in published.explain()


def test_over_many_projects_the_noise_has_the_mean_and_variance_of_the_table():
    frame, secret = rows(60), CellKeySecret(bytes(32))
    truth = len(frame)
    changes = np.array(
        [
            perturb_frame(frame, ["year"], "patient", secret.project(f"p{i}"), PTABLE).values[-1] - truth
            for i in range(600)
        ]
    )
    assert abs(changes.mean()) < 5 * (2 / 600) ** 0.5
    assert changes.var() == pytest.approx(float(PTABLE.variance(truth)), rel=0.3)


def test_the_result_holds_neither_true_counts_nor_keys():
    frame = rows()
    published = perturb_frame(frame, ["site"], "patient", KEYS, PTABLE)
    true = with_margins(frame.groupby("site").size().to_numpy())
    assert set(Perturbed.__dataclass_fields__) == {"values", "ptable", "relations", "dimensions", "codes"}
    assert not np.array_equal(published.values, true)
    assert list(published.to_frame()) == ["site", "value"]
    assert "sums broken" in repr(published) and "<table" in published._repr_html_()


def test_a_table_with_keys_of_its_own():
    counts, keys = np.array([[3, 8], [0, 12]]), np.array([[200, 100], [0, 17]])
    table = grid_table(counts, ["a", "b"], [["x", "y"], ["u", "v"]])
    sums = with_margins(keys).reshape(-1) % 256
    published = perturb_table(table, sums, PTABLE)
    assert np.array_equal(published.values, PTABLE.apply(table.values, sums))
    sums[4] = (sums[4] + 1) % 256
    with pytest.raises(InvalidArgument, match="do not add up"):
        perturb_table(table, sums, PTABLE)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"frame": 1}, InvalidArgument), ({"by": []}, InvalidArgument), ({"by": ["nothing"]}, DataError),
        ({"id": "nobody"}, DataError), ({"record_keys": 3}, InvalidArgument), ({"ptable": "x"}, InvalidArgument),
        ({"ptable": make_ptable(1, 2, keys=64)}, InvalidArgument), ({"frame": rows().iloc[:0]}, InvalidArgument),
        ({"frame": rows().replace("eye", None)}, DataError), ({"frame": rows().replace("eye", "Total")}, DataError),
        ({"frame": rows().assign(patient=np.nan)}, DataError),
    ],
)  # fmt: skip
def test_wrong_arguments(change, error):
    given = {"frame": rows(), "by": ["site"], "id": "patient", "record_keys": KEYS, "ptable": PTABLE} | change
    with pytest.raises(error):
        perturb_frame(**given)


def test_the_published_rule_on_a_frame():
    from pathlib import Path

    table = read_ptable(Path(__file__).parents[1] / "data" / "ptable_10_5_rule.csv.gz")
    published = perturb_frame(rows(), ["site", "age", "year"], "patient", KEYS, table)
    assert (published.values % 5 == 0).all() and (published.values[published.values > 0] >= 10).all()
