"""P-tables: bit-equal with the published look-ups, exact moments, and files."""

from __future__ import annotations

import csv
import gzip
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize

from pets.disclosure.cell_key import PTable, make_ptable, read_ptable, write_ptable
from pets.errors import InvalidArgument

FILE = Path(__file__).parents[1] / "data" / "ptable_10_5_rule.csv.gz"


def lookups() -> np.ndarray:
    with gzip.open(FILE, "rt") as stream:
        return np.array([[int(x) for x in line] for line in list(csv.reader(stream))[1:]])


def published_change(count: int, key: int, known: dict[tuple[int, int], int]) -> int:
    """The rule of the Office for National Statistics, from its description: 751 reads row 501, 1,000 row 750."""
    row = count if count <= 750 else (count - 1) % 250 + 501
    return known.get((row, key), 0)


def test_all_192000_published_look_ups_are_reproduced_bit_by_bit():
    known = lookups()
    assert known.shape == (192_000, 3)
    table = read_ptable(FILE)
    assert np.array_equal(table.change(known[:, 0], known[:, 1]), known[:, 2])
    assert np.array_equal(table.apply(known[:, 0], known[:, 1]), known[:, 0] + known[:, 2])


def test_larger_counts_reuse_rows_501_to_750():
    known = {(c, k): change for c, k, change in lookups().tolist()}
    table = read_ptable(FILE)
    counts = np.arange(0, 3000)
    for key in (0, 17, 255):
        expected = [published_change(int(c), key, known) for c in counts]
        assert table.change(counts, np.full(len(counts), key)).tolist() == expected
    assert table.keys == 256 and table.largest == 9


def test_the_published_rule_rounds_to_fives_and_hides_what_is_below_ten():
    table = read_ptable(FILE)
    for count in range(1, 40):
        (published,) = {count + change for change in table.law(count)}
        assert published == (0 if count < 10 else 5 * round(count / 5))
    assert table.possible(0) == tuple(range(10)) and table.possible(10) == (10, 11, 12)


@pytest.mark.parametrize(
    ("variance", "deviation", "blocked", "keys"),
    [(2, 5, 0, 256), (3, 5, 2, 256), (1, 3, 0, 256), (1.5, 4, 1, 4096), (4, 8, 0, 1024), (0.5, 2, 0, 64)],
)
def test_moments_are_exact(variance, deviation, blocked, keys):
    table = make_ptable(variance, deviation, blocked=blocked, keys=keys)
    for count in range(3 * deviation):
        law = table.law(count)
        assert sum(law.values()) == 1
        assert table.bias(count) == 0
        assert all(abs(change) <= deviation and count + change >= 0 for change in law)
        assert all(count + change == 0 or count + change > blocked for change in law)
        if count == 0:
            assert law == {0: Fraction(1)}
        elif count >= deviation + blocked + 1:
            assert table.variance(count) == Fraction(variance)
            assert law == {-change: share for change, share in law.items()}
        else:
            assert abs(table.variance(count) - Fraction(variance)) <= Fraction(4, keys)


def test_a_variance_that_keys_cannot_hold_is_met_to_one_key():
    table = make_ptable(0.7, 3)
    assert abs(table.variance(10) - Fraction(7, 10)) <= Fraction(1, 128)


def test_what_a_small_count_cannot_have_is_as_near_as_possible():
    # one case loses itself or gains at most 5: with mean 0, no variance above 5; next to blocked 1 and 2, none below 2
    assert make_ptable(20, 5, keys=1024).variance(1) > Fraction(49, 10)
    assert abs(make_ptable(1, 5, blocked=2, keys=1024).variance(1) - 2) < Fraction(1, 50)


@pytest.mark.parametrize(("count", "blocked"), [(1, 0), (2, 1), (9, 0), (4, 2)])
def test_the_law_is_the_one_of_largest_entropy(count, blocked):
    """Against a general constrained optimiser that does not know the form of the solution."""
    variance, deviation, keys = 2.0, 4, 2**16
    table = make_ptable(variance, deviation, blocked=blocked, keys=keys)
    allowed = [v for v in range(-deviation, deviation + 1) if count + v == 0 or count + v > blocked]
    v = np.array(allowed, dtype=float)
    found = minimize(
        lambda p: float((p * np.log(np.maximum(p, 1e-300))).sum()),
        np.full(len(v), 1 / len(v)),
        bounds=[(1e-12, 1)] * len(v),
        constraints=[
            {"type": "eq", "fun": lambda p: p.sum() - 1},
            {"type": "eq", "fun": lambda p: p @ v},
            {"type": "eq", "fun": lambda p: p @ v**2 - variance},
        ],
        method="SLSQP",
        options={"maxiter": 500, "ftol": 1e-14},
    )
    law = table.law(count)
    assert [float(law.get(change, 0)) for change in allowed] == pytest.approx(found.x.tolist(), abs=2e-4)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("variance", {"variance": 0}), ("variance", {"variance": 26}), ("variance", {"variance": True}),
        ("deviation", {"deviation": 0}), ("deviation", {"deviation": 2.0}), ("deviation", {"blocked": 7}),
        ("blocked", {"blocked": -1}), ("keys", {"keys": 100}), ("keys", {"keys": 2**17}), ("keys", {"keys": 2}),
        ("keys", {"variance": 0.01}),
    ],
)  # fmt: skip
def test_wrong_designs_are_named(name, wrong):
    with pytest.raises(InvalidArgument) as caught:
        make_ptable(**({"variance": 2, "deviation": 5} | wrong))
    assert caught.value.argument == name


def test_a_table_survives_its_file(tmp_path):
    table = make_ptable(2, 4)
    write_ptable(table, tmp_path / "p.csv")
    again = read_ptable(tmp_path / "p.csv")
    assert again == table and hash(again) == hash(table)
    with gzip.open(tmp_path / "p.csv.gz", "wt") as stream:
        stream.write((tmp_path / "p.csv").read_text())
    assert read_ptable(tmp_path / "p.csv.gz") == table
    assert read_ptable(tmp_path / "p.csv", repeat=2) != table


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "no column"), ("pcv,ckey\n1,0\n", "no column"), ("pcv,ckey,pvalue\n", "no look-up"),
        ("pcv,ckey,pvalue\n1,0,x\n", "line 2"), ("pcv,ckey,pvalue\n1,0\n", "line 2"),
        ("pcv,ckey,pvalue\n1,0,0\n1,0,0\n1,1,0\n", "more than one line"),
        ("pcv,ckey,pvalue\n1,0,0\n1,1,0\n2,0,0\n", "no line for the count 2 and the key 1"),
        ("pcv,ckey,pvalue\n-1,0,0\n", "negative"), ("pcv,ckey,pvalue\n1,99999999,0\n", "too large"),
        ("pcv,ckey,pvalue\n1,0,99999999999999999999\n", "too large"),
        ("pcv,ckey,pvalue\n1,0,-2\n1,1,0\n", "makes a count negative"),
        ("pcv,ckey,pvalue\n0,0,1\n0,1,0\n1,0,0\n1,1,0\n", "empty cells"),
    ],
)  # fmt: skip
def test_broken_files_say_where(tmp_path, content, problem):
    path = tmp_path / "p.csv"
    path.write_text(content)
    with pytest.raises(InvalidArgument, match=problem):
        read_ptable(path)


def test_files_that_cannot_be_read(tmp_path):
    (tmp_path / "p.csv.gz").write_text("no gzip")
    (tmp_path / "q.csv").write_bytes(b"\xff\xfe\xff")
    for name in ("p.csv.gz", "q.csv", "missing.csv"):
        with pytest.raises(InvalidArgument):
            read_ptable(tmp_path / name)


@pytest.mark.parametrize(
    "changes", [[[0, 0]], [[0], [1]], [[0.0, 0], [1, 0]], "x", [[0, 0], [-2, 0]], [[1, 0], [0, 0]]]
)
def test_arrays_that_are_no_ptable(changes):
    with pytest.raises(InvalidArgument):
        PTable(changes)


def test_keys_beyond_the_table_are_refused():
    table = PTable([[0, 0], [-1, 1]])
    for keys in ([2], [-1], [0, 1], [0.5]):
        with pytest.raises(InvalidArgument):
            table.apply([1], keys)
