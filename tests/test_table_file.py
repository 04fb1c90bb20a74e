"""One reader of tables for commands, sites and adapters: any separator, a byte-order mark, decimal commas."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

import pets
from pets.cli_tables import read_records
from pets.declared_rows import read_rows
from pets.errors import InvalidArgument
from pets.table_file import Heading, looks_like_data, read_names, read_table

ROWS = [["patient", "code", "dose", "note"], ["1", "007", "1.5", "a b"], ["2", "", "-3", "Ä"], ["3", "NA", "12", "x"]]


def written(path: Path, separator: str = ",", mark: str = "", before: str = "", end: str = "\n") -> Path:
    path.write_bytes((mark + before + "".join(separator.join(row) + end for row in ROWS)).encode())
    return path


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "marked"])
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["unix", "windows"])
def test_every_dialect_gives_the_same_texts(tmp_path: Path, separator: str, mark: str, end: str):
    path = written(tmp_path / "rows.csv", separator, mark, end=end)
    assert read_names(path) == ROWS[0]
    frame = read_table(path)
    assert list(frame.columns) == ROWS[0]
    assert frame.astype(object).where(frame.notna(), "").values.tolist() == ROWS[1:]
    assert frame["code"].isna().tolist() == [False, True, False]  # NA is a code, an empty field is missing


@pytest.mark.parametrize("announced", ["sep=;\n", '"sep=;"\r\n', "SEP=;\n"])
def test_the_line_that_spreadsheets_write_is_passed_over(tmp_path: Path, announced: str):
    path = written(tmp_path / "rows.csv", ";", "\ufeff", announced)
    assert read_names(path) == ROWS[0]
    assert len(read_table(path)) == 3


def test_names_are_stripped_and_quoted_names_read(tmp_path: Path):
    path = tmp_path / "rows.csv"
    path.write_text('patient ;"a;b"; sex\n1;x;f\n', encoding="utf-8")
    assert read_names(path) == ["patient", "a;b", "sex"] == list(read_table(path).columns)


def test_decimal_commas_are_read_where_semicolons_separate(tmp_path: Path):
    """Before, 3,5 was no number, so a whole column of a German file was missing without a word."""
    domain = pets.Domain(dose=pets.Numeric(0, 10, resolution="0.1"), grade=[1, 2])
    (tmp_path / "a.csv").write_text("dose;grade\n3,5;1\n4.25;2\n1.000,5;x\n7;1\n", encoding="utf-8")
    (tmp_path / "b.csv").write_text('dose,grade\n"3,5",1\n4.25,2\nodd,x\n7,1\n', encoding="utf-8")
    assert read_rows(tmp_path / "a.csv", domain)["dose"].tolist() == pytest.approx(
        [3.5, 4.25, float("nan"), 7], nan_ok=True
    )
    assert read_rows(tmp_path / "b.csv", domain)["dose"].isna().tolist() == [True, False, True, False]
    (tmp_path / "c.csv").write_text("dose;n\n3,5;1\n4,25;2\n", encoding="utf-8")
    guessed = read_records(tmp_path / "c.csv")
    assert guessed["dose"].tolist() == [3.5, 4.25]
    assert pd.api.types.is_integer_dtype(guessed["n"])


def test_a_line_with_too_many_fields_is_refused_wherever_it_stands(tmp_path: Path):
    """Where it is the first one, pandas would move all columns by one, or cut the field off."""
    path = tmp_path / "rows.csv"
    for lines in ("1,2,3\n4,5\n", "1,2\n3,4,5\n", "1,2,3\n4,5,6\n"):
        path.write_text("a,b\n" + lines, encoding="utf-8")
        with pytest.raises(InvalidArgument, match="more fields than the first") as caught:
            read_table(path)
        assert "3" not in caught.value.problem.replace(path.name, "")


@pytest.mark.parametrize("last", ['p9,"a, b"', 'p9,"b ""c"""', 'p9,"over\n\ntwo lines"'])
def test_an_open_quotation_mark_takes_in_no_other_row(tmp_path: Path, last: str):
    """Before, the rows up to the next quotation mark became one cell, and eight patients one."""
    path = tmp_path / "rows.csv"
    rows = [f"p{i},x" for i in range(8)]
    for first in ('p10,"open', '"p10', 'p10,"', 'p10,"a ""b'):
        path.write_text("\n".join(["id,note", first, *rows, last, ""]), encoding="utf-8")
        with pytest.raises(InvalidArgument) as caught:
            read_table(path)
        assert "p10" not in str(caught.value) and "open" not in caught.value.problem
        with pytest.raises(InvalidArgument, match=r"rows become one|more fields"):  # for readers of their own
            Heading.of(path).check_width(path)
    path.write_text("\n".join(["id,note", "", 'p10,5" wide', *rows, 'p9,"a, ""b"""', ""]), encoding="utf-8")
    Heading.of(path).check_width(path)
    assert len(read_table(path)) == 10


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_blank_lines_are_no_rows_and_missing_values_are(tmp_path: Path, separator: str, end: str):
    lines = [separator.join("ab"), "", separator.join("12"), "", separator, separator.join(["", "2"]), ""]
    path = tmp_path / "rows.csv"
    path.write_bytes(end.join(lines).encode())
    assert read_table(path).isna().to_numpy().tolist() == [[False, False], [True, True], [True, False]]
    path.write_bytes(end.join([*lines, "  ", " "]).encode())
    assert len(read_table(path)) == 3
    path.write_bytes("\r".join(lines).encode())  # pandas would lose a row and move a cell
    with pytest.raises(InvalidArgument, match="rows become one"):
        read_table(path)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"a,b\n1,\xff\n", "not in UTF-8"),
        (b"\xff\xfe", "not in UTF-8"),
        (b"a,a\n1,2\n", "column name twice"),
        (b"a, a\n1,2\n", "column name twice"),
        (b"17,2001-05-06\n18,2001-05-07\n", "no heading"),
        (b'a,b\n"1,2\n', "cannot be read"),
    ],
    ids=["Latin-1", "UTF-16", "twice", "twice but for a blank", "no heading", "open quote"],
)
def test_what_is_no_table_is_refused(tmp_path: Path, content: bytes, problem: str):
    path = tmp_path / "rows.csv"
    path.write_bytes(content)
    with pytest.raises(InvalidArgument, match=problem):
        read_table(path)


def test_a_file_that_is_not_there(tmp_path: Path):
    for read in (read_table, read_names):
        for name in ("none.csv", "none.parquet"):
            with pytest.raises(InvalidArgument, match="does not exist"):
                read(tmp_path / name)


def test_parquet_keeps_its_types(tmp_path: Path):
    frame = pd.DataFrame({"a": [1, 2], "b": ["x", None]})
    frame.to_parquet(tmp_path / "t.parquet")
    assert read_names(tmp_path / "t.parquet") == ["a", "b"]
    pd.testing.assert_frame_equal(read_table(tmp_path / "t.parquet"), frame)
    frame.set_index("a").to_parquet(tmp_path / "i.parquet")
    with pytest.raises(InvalidArgument, match="index"):
        read_table(tmp_path / "i.parquet")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    for read in (read_table, read_names):
        with pytest.raises(InvalidArgument, match="cannot be read"):
            read(tmp_path / "broken.parquet")


@pytest.mark.parametrize("kind", ["int64", "uint64"])
def test_a_missing_number_in_a_parquet_file_leaves_the_others_as_they_are(tmp_path: Path, kind: str):
    """Before, one row without an id turned all ids to floats, and of 40 patients 22 were left."""
    import pyarrow as pa
    from pyarrow.parquet import write_table

    domain = pets.Domain(grade=pets.Integer(1, 3), unit=pets.PrivacyUnit(id="id"))
    ids, tallies = [2**53 + i for i in range(40)], []
    for more in ([], [None]):
        grades = [1] * 40 + more
        table = pa.table({"id": pa.array(ids + more, kind), "grade": pa.array(grades, kind)})
        write_table(table, tmp_path / "rows.parquet")
        frame = read_rows(tmp_path / "rows.parquet", domain)
        assert frame["id"].dropna().tolist() == ids
        tallies.append(pets.Count(by=["grade"]).bind(domain).tally(frame).values.tolist())
    assert tallies == [[40, 0, 0, 0], [40, 0, 0, 1]]


def test_headings_that_are_data():
    assert all(map(looks_like_data, ["17", "1,5", "2001-05-06", "5.6.2001", " 3 "]))
    assert not any(map(looks_like_data, ["age", "0-4", "2001", ""][:2]))


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_site_on_a_platform_reads_what_the_commands_read(tmp_path: Path, separator: str):
    domain = pets.Domain(code=["007", "NA"], dose=pets.Integer(-5, 20, bins=[-5, 0, 20]))
    marked, plain = (written(tmp_path / f"{i}.csv", separator, mark) for i, mark in enumerate(["\ufeff", ""]))
    pd.testing.assert_frame_equal(read_rows(marked, domain), read_rows(plain, domain))
    assert read_rows(plain, domain)["dose"].tolist() == ([1.5, -3, 12])
