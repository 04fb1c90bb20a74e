import numpy as np
import pytest

from pets.disclosure.printed import parse_mark, read_groups, read_printed
from pets.errors import InvalidArgument


@pytest.mark.parametrize(
    ("text", "hidden", "low", "high"),
    [
        ("12", False, 12, 12), (" 1,234 ", False, 1234, 1234), ("3.5", False, 3.5, 3.5), ("<5", True, 0, 4),
        ("< 11", True, 0, 10), ("<=5", True, 0, 5), ("≤4", True, 0, 4), ("1-4", True, 1, 4), ("1 to 4", True, 1, 4),
        (">=5", True, 5, np.inf), ("*", True, 0, np.inf), ("", True, 0, np.inf), ("..", True, 0, np.inf),
        ("NA", True, 0, np.inf),
    ],
)  # fmt: skip
def test_marks(text, hidden, low, high):
    mark = parse_mark(text)
    assert (mark.hidden, mark.low, mark.high) == (hidden, low, high)


@pytest.mark.parametrize("text", ["female", "1,23", "5 cases", "<five", "1e3"])
def test_other_words_are_no_marks(text):
    assert parse_mark(text) is None


def test_a_long_table(tmp_path):
    file = tmp_path / "t.csv"
    file.write_text("sex;year;n\nf;2018;3\nf;Total;<5\nAll;2018;0\n", encoding="utf-8")
    found = read_printed(file)
    assert found.dimensions == ("sex", "year") and found.totals == ("All", "Total")
    assert found.hidden.tolist() == [False, True, False]
    assert found.prints_zeros and found.whole
    assert read_printed(file, one_symbol=True).high[1] == np.inf


def test_a_crosstab(tmp_path):
    file = tmp_path / "t.csv"
    file.write_text("site,2018,2019,Total\nA,10,*,22\nTotal,10,12,22\n", encoding="utf-8")
    found = read_printed(file)
    assert found.dimensions == ("site", "column") and len(found.hidden) == 6
    assert found.codes[1].tolist() == ["2018", "2019", "Total"] * 2


def test_the_column_of_numbers_may_be_named(tmp_path):
    file = tmp_path / "t.csv"
    file.write_text("sex,x,year\nf,3,2018\nm,*,2018\n", encoding="utf-8")
    assert read_printed(file, value="x").dimensions == ("sex", "year")
    with pytest.raises(InvalidArgument, match="there is no column"):
        read_printed(file, value="y")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,n\n", "has no rows"),
        ("a,n\nx\n", "line 2 has 1 fields"),
        ("a,n\nx,three\n", "line 2 has neither"),
        ("a,n\nx,-3\n", "line 2 has a negative"),
        ("a,n\nx,3\nx,4\n", "line 3 has the same codes as line 2"),
    ],
)
def test_bad_files_are_refused_by_line(tmp_path, text, said):
    file = tmp_path / "t.csv"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidArgument, match=said):
        read_printed(file)


def test_files_that_are_no_text(tmp_path):
    file = tmp_path / "t.csv"
    file.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidArgument, match="UTF-8"):
        read_printed(file)
    with pytest.raises(InvalidArgument, match="cannot be read"):
        read_printed(tmp_path / "none.csv")


def test_groups_may_overlap(tmp_path):
    file = tmp_path / "g.csv"
    file.write_text("code,parent\n0-4,0-9\n5-9,0-9\n5-9,5-14\n10-14,5-14\n0-9,\n", encoding="utf-8")
    assert read_groups(file) == {"0-9": ("0-4", "5-9"), "5-14": ("5-9", "10-14")}
    file.write_text("code,group\n0-4,0-9\n", encoding="utf-8")
    with pytest.raises(InvalidArgument, match="code and parent"):
        read_groups(file)
