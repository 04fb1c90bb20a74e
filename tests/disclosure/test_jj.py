from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pets.disclosure.build import sheet_of_counts
from pets.disclosure.dimension import Dimension
from pets.disclosure.jj import read_jj, write_jj
from pets.disclosure.rules import MinimumFrequency
from pets.errors import InvalidArgument

DATA = Path(__file__).parent / "data"
FILES = sorted(DATA.glob("*.jj"))
FIELDS = ("values", "cost", "lower", "upper", "lower_protection", "upper_protection", "sliding_protection")
FLAGS = ("primary", "frozen", "forced")


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem)
def test_shipped_files_agree_with_the_list_of_optima_and_round_trip(path, tmp_path):
    codes = path.with_suffix(".codes.csv")
    table = read_jj(path, codes if codes.exists() else None)
    with (DATA / "optima.csv").open() as file:
        listed = {row["instance"]: row for row in csv.DictReader(file)}[path.stem]
    assert (table.cells, table.primary.sum()) == (int(listed["cells"]), int(listed["primaries"]))
    assert table.integral and not (table.frozen & (table.values > 0)).any()
    write_jj(table, tmp_path / "again.jj", tmp_path / "again.csv" if table.codes else None)
    assert (tmp_path / "again.jj").read_text() == path.read_text()
    if table.codes:
        assert (tmp_path / "again.csv").read_text() == codes.read_text()


def test_published_example():
    table = read_jj(DATA / "fs_toy_3x3.jj")
    assert np.flatnonzero(table.primary).tolist() == [11] and table.values[11] == 22
    assert table.lower_protection[11] == table.upper_protection[11] == 5


GOOD = ["0", "3", "0 9 9 s 0 9 0 0 0", "1 2 2 u 0 9 1 1 0", "2 7 7 s 0 9 0 0 0", "1", "0 3 : 0 (-1) 1 (1) 2 (1)"]


@pytest.mark.parametrize(
    ("line", "text", "says"),
    [
        (0, "1", "line 1"),
        (1, "three", "line 2"),
        (1, "-3", "line 2"),
        (1, "999999999999", "line 2"),
        (2, "0 9 9 s 0 9 0 0", "line 3 must have nine fields"),
        (3, "0 2 2 u 0 9 1 1 0", "line 4 must begin with a number"),
        (3, "7 2 2 u 0 9 1 1 0", "line 4 must begin with a number"),
        (3, "1 2 2 x 0 9 1 1 0", "line 4 must have the status"),
        (3, "1 two 2 u 0 9 1 1 0", "line 4 has a field that is no number"),
        (3, "1 nan 2 u 0 9 1 1 0", "missing or infinite"),
        (3, "1 -2 2 u 0 9 1 1 0", "negative"),
        (5, "x", "line 6"),
        (6, "0 3 : 0 (-1) 1 (1)", "line 7"),
        (6, "0 3 : 0 (-1) 1 (1) 2 (3)", "signs"),
        (6, "0 3 : 0 (-1) 1 (1) 9 (1)", "beyond"),
        (6, "0 3 : 0 (-1) 1 (1) 1 (1)", "twice"),
        (6, "1 3 : 0 (-1) 1 (1) 2 (1)", "not the sum"),
        (6, "nonsense", "line 7"),
        (6, "0 3 : 0 (-1) 1 (1) 2 (1)\nmore", "after the last relation"),
        (6, "", "too early"),
    ],
)
def test_bad_files(tmp_path, line, text, says):
    path = tmp_path / "bad.jj"
    path.write_text("\n".join(GOOD))
    assert read_jj(path).cells == 3
    path.write_text("\n".join([*GOOD[:line], text, *GOOD[line + 1 :]]))
    with pytest.raises(InvalidArgument, match=says):
        read_jj(path)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"0\n"])
def test_no_jj_file_at_all(tmp_path, content):
    (tmp_path / "x.jj").write_bytes(content)
    with pytest.raises(InvalidArgument):
        read_jj(tmp_path / "x.jj")
    with pytest.raises(InvalidArgument):
        read_jj(tmp_path / "absent.jj")


@pytest.mark.parametrize(
    "text", ["", "x,site\n0,a\n", "cell,site\n0,a\n1,b\n", "cell,site\n0,a\n1,b\n1,c\n", "cell,site\n0,a\n1\n2,c\n"]
)
def test_bad_codes(tmp_path, text):
    (tmp_path / "x.jj").write_text("\n".join(GOOD))
    (tmp_path / "x.csv").write_text(text)
    with pytest.raises(InvalidArgument) as error:
        read_jj(tmp_path / "x.jj", tmp_path / "x.csv")
    assert error.value.argument == "codes"


@given(st.lists(st.integers(0, 40), min_size=12, max_size=12), st.integers(2, 9))
def test_random_tables_round_trip(tmp_path_factory, counts, minimum):
    path = tmp_path_factory.mktemp("jj")
    site = Dimension.from_parents("site, of tumour", {"Ia": "I", "Ib": "I", "II": "", 'II"I': ""})
    sheet = sheet_of_counts([site, ("age", ["0-4", "5-9", "10-14"])], np.array(counts).reshape(4, 3))
    table = sheet.table(MinimumFrequency(minimum))
    write_jj(table, path / "t.jj", path / "t.csv")
    again = read_jj(path / "t.jj", path / "t.csv")
    for name in (*FIELDS, *FLAGS):
        if name != "upper":  # unbounded becomes the sum of all cells
            assert getattr(again, name).tolist() == getattr(table, name).tolist(), name
    assert again.dimensions == table.dimensions
    assert all((a == b).all() for a, b in zip(again.codes, table.codes, strict=True))
    assert again.relations.matrix().toarray().tolist() == table.relations.matrix().toarray().tolist()


def test_cells_in_any_order_and_coefficients_with_decimals(tmp_path):
    lines = [*GOOD[:2], GOOD[4], GOOD[2], GOOD[3], GOOD[5], "0.0 3 : 0 (-1.0) 1 (1) 2 (+1)"]
    (tmp_path / "x.jj").write_text("\n".join(lines))
    assert read_jj(tmp_path / "x.jj").values.tolist() == [9, 2, 7]


def test_values_that_were_rounded(tmp_path):
    (tmp_path / "x.jj").write_text("\n".join(["0", "3", "0 10 9 s 0 19 0 0 0", "1 2 2 U 0 9 1 1 0", *GOOD[4:]]))
    with pytest.raises(InvalidArgument, match="not the sum"):
        read_jj(tmp_path / "x.jj")
    with pytest.raises(InvalidArgument, match="not the sum"):
        read_jj(tmp_path / "x.jj", rounding=0.25)
    table = read_jj(tmp_path / "x.jj", rounding=0.5)
    assert table.relations.constants.tolist() == [-1] and table.primary.tolist() == [False, True, False]
    for bad in (-1.0, float("nan"), float("inf")):
        with pytest.raises(InvalidArgument, match="rounding"):
            read_jj(tmp_path / "x.jj", rounding=bad)
