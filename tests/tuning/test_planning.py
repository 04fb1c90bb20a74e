"""Planning files: what is read, added up, and refused with words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import pets
from pets.errors import DataError, InvalidArgument, PetsError
from pets.tuning import Axis, Given, load, read_planning, to_toml
from pets.tuning.planning import Planning

SITES = Axis("site", ("liver", "kidney"))
SEXES = Axis("sex", ("f", "m"))


def file(folder: Path, text: str, name: str = "counts.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def read(folder: Path, text: str) -> Planning:
    return read_planning(file(folder, text))


FULL = "site,sex,count\nliver,f,3\nliver,m,0\nkidney,f,7\nkidney,m,9\n"


def test_counts_come_in_the_order_of_the_axes(tmp_path: Path) -> None:
    found = read(tmp_path, FULL)
    assert found.table([SITES, SEXES]) == ((3, 0, 7, 9), None)
    assert found.table([SEXES, SITES]) == ((3, 7, 0, 9), None)
    assert found.table([SITES]) == ((3, 16), None)
    assert found.table([]) == ((19,), None)
    assert found.kind == "published"


@pytest.mark.parametrize("head", ["cases", "N", " Count "])
@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_headings_and_delimiters(tmp_path: Path, head: str, mark: str) -> None:
    text = f"site{mark}{head}\r\nliver{mark}3\r\nkidney{mark}4\r\n\r\n"
    assert read(tmp_path, "\ufeff" + text).table([SITES])[0] == (3, 4)


def test_expected_counts_need_not_be_whole(tmp_path: Path) -> None:
    found = read(tmp_path, "site,expected\nliver,2.7\nkidney,0.31\n")
    assert (found.table([SITES])[0], found.kind) == ((2.7, 0.31), "expected")


def test_rates_times_population_are_expected_counts(tmp_path: Path) -> None:
    found = read(tmp_path, "site,rate_per_million,person_years\nliver,1.5,4000000\nkidney,9,4000000\n")
    assert found.table([SITES]) == ((6, 36), (4e6, 4e6))
    assert found.kind == "expected"


def test_people_at_risk_are_added_over_sex_and_not_over_diagnosis(tmp_path: Path) -> None:
    text = "site,sex,count,person_years\nliver,f,1,100\nliver,m,2,110\nkidney,f,3,100\nkidney,m,4,110\n"
    found = read(tmp_path, text)
    assert found.table([SITES])[1] == (210, 210)
    assert found.table([SEXES])[1] == (100, 110)
    assert found.table([SITES, SEXES])[1] == (100, 110, 100, 110)
    assert found.table([])[1] == (210,)


def test_people_at_risk_of_a_cell_without_a_line(tmp_path: Path) -> None:
    text = "site,sex,count,person_years\nliver,f,1,100\nliver,m,2,110\nkidney,m,4,110\n"
    counts, years = read(tmp_path, text).table([SITES, SEXES], "zero")
    assert (counts, years) == ((1, 2, 0, 4), (100, 110, 100, 110))


def test_missing_cells_are_refused_or_empty(tmp_path: Path) -> None:
    found = read(tmp_path, "site,sex,count\nliver,f,3\nkidney,m,9\n")
    with pytest.raises(DataError, match=r"missing for 2 of 4 cells.*--missing zero"):
        found.table([SITES, SEXES])
    assert found.table([SITES, SEXES], "zero")[0] == (3, 0, 0, 9)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("site,count\nliver,-1\n", "negative in line 2"),
        ("site,count\nliver,<5\n", "expected count"),
        ("site,count\nliver,\n", "no number in line 2"),
        ("site,count\nliver,nan\n", "no number"),
        ("site,count\nliver,inf\n", "no number"),
        ("site,count\nliver,2.5\n", "no whole number in line 2.*expected"),
        ("site,count\nliver,1\nliver,2\n", "twice.*line 3"),
        ("site,count\nliver,1,2\n", "3 fields"),
        ("site,count\n,1\n", "empty in line 2"),
        ("site\nliver\n", "'count'"),
        ("site,count,expected\nliver,1,1\n", "2 columns of counts"),
        ("site,rate_per_million\nliver,1\n", "person_years"),
        ("count\n3\n", "no attribute"),
        ("site,site,count\nliver,x,3\n", "twice"),
        ("site,count\n", "no line"),
        ("", "no line"),
        ('site,count\n"liver,3\n', "no CSV"),
        ("patient_id,site\n1,liver\n", "identifies patients"),
        ("site,count\nliver,3\nTotal,3\n", "lines of totals"),
    ],
)
def test_strange_tables_are_refused_with_words(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(PetsError, match=f"(?s){words}"):
        read(tmp_path, text)


def test_a_table_of_one_cell_may_call_it_all(tmp_path: Path) -> None:
    found = read(tmp_path, "sex,site,count\nall,liver,7\nall,kidney,3\n")
    assert found.labels("sex") == ("all",)
    assert [n for n, _ in found.cells.values()] == [7, 3]


def test_the_line_that_a_spreadsheet_writes_for_itself_is_passed_over(tmp_path: Path) -> None:
    assert read(tmp_path, "\ufeffsep=;\r\nsite;count\r\nliver;3\r\n;\r\n").table([Axis("site", ("liver",))]) == (
        (3,),
        None,
    )
    with pytest.raises(DataError, match="line 4"):
        read(tmp_path, "sep=,\nsite,count\nliver,3\nkidney,x\n")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("site,count\n,\n,\n", "no line of counts"),
        ("site,site,count\nliver,liver,3\n", "--planning: names a column twice"),
        ("count\n3\n", "--planning: has no attribute"),
        ('site,count\nliver,"1,234"\n', "nothing for thousands"),
        ("site,count,person_years\nliver,3,0\n", "person_years.*line 2"),
    ],
)
def test_files_that_say_nothing_or_two_things(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(PetsError, match=f"(?s){words}"):
        read(tmp_path, text)


def test_rows_of_patients_are_refused_by_the_plan_s_own_column(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="identifies patients"):
        read_planning(file(tmp_path, "case_no,site,count\n1,liver,1\n"), unit_id="case_no")


def test_no_count_is_quoted_in_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path, "site,count\nliver,-987654\n")
    assert "987654" not in str(caught.value)


def test_other_bytes_and_no_file(tmp_path: Path) -> None:
    path = tmp_path / "latin.csv"
    path.write_bytes("site,count\nfoie d'été,3\n".encode("latin-1"))
    with pytest.raises(InvalidArgument, match="UTF-8"):
        read_planning(path)
    with pytest.raises(InvalidArgument, match="cannot be read"):
        read_planning(tmp_path / "nothing.csv")


def test_unknown_categories_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="'lung'"):
        read(tmp_path, "site,count\nliver,1\nkidney,2\nlung,3\n").table([SITES])
    with pytest.raises(DataError, match="The file has: site"):
        read(tmp_path, "site,count\nliver,1\n").table([SEXES])


LABELS = ["<script>alert(1)</script>", 'say "no"', "naïve \u202e ☢ 😀", "x" * 500, "a\\nb", "]]>", "</script>"]


@pytest.mark.parametrize("label", LABELS)
def test_odd_labels_survive_the_way_to_the_plan_and_back(tmp_path: Path, label: str) -> None:
    import csv

    path = tmp_path / "odd.csv"
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream).writerows([["site", "count"], [label, 3], ["other", 0]])
    plan = load(None, path, Given(source="made up", built="2026-01-01"))
    assert plan.tables[0].axes[0].labels[0] == label
    again = tmp_path / "plan.toml"
    again.write_text(to_toml(plan), encoding="utf-8")
    assert load(again) == plan


@pytest.mark.parametrize("counts", [[0], [1], [0, 0, 0], list(range(2000))])
def test_zero_cells_one_cell_and_two_thousand(tmp_path: Path, counts: list[int]) -> None:
    lines = "".join(f"c{i},{n}\n" for i, n in enumerate(counts))
    plan = load(None, file(tmp_path, "cell,count\n" + lines), Given(source="made up"))
    assert plan.tables[0].counts == tuple(counts)


def test_an_earlier_release_is_a_source_that_names_itself(tmp_path: Path) -> None:
    import pandas as pd

    domain = pets.Domain(site=["liver", "kidney"])
    pipeline = pets.Pipeline(
        pets.Count(by=["site"]), domain, mechanism=pets.dp.DiscreteLaplace(0.5), ledger=pets.Ledger(
            tmp_path / "b.sqlite", limit=pets.PureDP(1)
        ),
    )  # fmt: skip
    release = pipeline.run({"FR": pd.DataFrame({"site": ["liver"] * 2})})
    document = json.loads(release.to_json())
    document["parts"][0]["values"][:2] = [7, -2]  # as noise may have it
    drawn = pets.Release.from_json(json.dumps(document))
    path = file(tmp_path, drawn.to_json(), "release.json")
    plan = load(None, path)
    assert plan.source.kind == "release"
    assert drawn.digest[:16] in plan.source.text
    assert plan.tables[0].counts == (7, 0)


@pytest.mark.parametrize(("mark", "number"), [(";", "12,5"), ("\t", "12,5"), (";", "12.5"), (",", "12.5")])
def test_decimals_are_written_as_spreadsheets_write_them(tmp_path: Path, mark: str, number: str) -> None:
    name = "a" if mark == "," else "a, b"
    found = read(tmp_path, f"diagnosis{mark}expected\n{name}{mark}{number}\nc{mark}3\n")
    assert sorted(count for count, _ in found.cells.values()) == [3, 12.5]
    assert (name,) in found.cells


def test_points_and_commas_in_one_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="point and numbers with a comma"):
        read(tmp_path, "d;expected\na;1.200\nb;12,5\n")


def test_a_file_without_a_column_of_counts_is_told_what_it_has(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="The file has: Diagnose, erwartet"):
        read(tmp_path, "Diagnose;erwartet\na;12\n")


def test_a_pipeline_s_own_assumption_about_colluders_is_kept(tmp_path: Path) -> None:
    domain = '[unit]\nid = "p"\n[attributes.d]\ntype = "categorical"\ncategories = ["a", "b"]\n'
    (tmp_path / "domain.toml").write_text(f"schema = 1\n{domain}", encoding="utf-8")
    plan = (
        'schema = 1\ndomain = "domain.toml"\nnoise_at = "sites"\ncolluding_sites = {n}\n[query]\ntype = "count"\n'
        'by = ["d"]\n[mechanism]\ntype = "discrete_laplace"\nepsilon = "1"\n[aggregator]\ntype = "masked_sum"\n'
    )
    counts = file(tmp_path, "d,count\na,5\nb,60\n")
    for colluding, honest in ((6, 8), (0, 14)):
        path = tmp_path / "plan.toml"
        path.write_text(plan.format(n=colluding), encoding="utf-8")
        found = load(path, counts, Given(sites=21))
        assert found.adders == (21, honest)
        assert "noise_at" not in found.assumed
        assert "aggregator" not in found.assumed
        again = tmp_path / "again.toml"
        again.write_text(to_toml(found), encoding="utf-8")
        assert load(again) == found
    assert load(path, counts).sites == 3  # the fewest that a secure sum has, and marked as assumed
    assert "sites" in load(path, counts).assumed
    path.write_text(plan.format(n=6), encoding="utf-8")
    with pytest.raises(InvalidArgument, match="--sites"):
        load(path, counts)
