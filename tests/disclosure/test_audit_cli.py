import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from pets.cli_audit import audit
from pets.errors import InvalidArgument

DATA = Path(__file__).parent / "data"

app = typer.Typer()
app.command()(audit)


def run(*words):
    found = CliRunner().invoke(app, [str(word) for word in words], catch_exceptions=True)
    if isinstance(found.exception, InvalidArgument):
        raise found.exception
    assert found.exit_code in (0, 2, 4), found.output
    return found


@pytest.fixture
def leaky(tmp_path):
    file = tmp_path / "table.csv"
    file.write_text("site,R1,R2,Total\nA,10,3,13\nB,*,7,9\nC,3,4,7\nTotal,15,14,29\n", encoding="utf-8")
    return file


def test_a_leak_is_shown_with_its_sum_and_an_exit_code_for_scripts(leaky):
    found = run(leaky)
    assert found.exit_code == 4
    assert "B x R1 is 2: " in found.stdout
    assert "B x Total - B x R2 = 2" in found.stdout


def test_no_leak_exits_with_0(tmp_path):
    file = tmp_path / "table.csv"
    file.write_text("site,R1,R2,Total\nA,*,*,13\nB,*,*,9\nTotal,15,7,22\n", encoding="utf-8")
    found = run(file, "--json")
    assert found.exit_code == 0
    document = json.loads(found.stdout)
    assert document["no_leak"] and document["hidden"] == 4 and document["leaks"] == []


def test_the_help_teaches():
    text = run("--help").stdout
    for word in ("--nested", "--rows", "Exit code", "2018-21", "T x R1 - A x R1"):
        assert word in text.replace("\n", " ") or word in text


@pytest.mark.parametrize("suffix", ["html", "csv", "json"])
def test_reports(leaky, tmp_path, suffix):
    report = tmp_path / f"report.{suffix}"
    assert run(leaky, "-o", report).exit_code == 4
    text = report.read_text(encoding="utf-8")
    assert "B x R1" in text
    if suffix != "csv":
        assert "B x Total - B x R2 = 2" in text


def test_releases_that_grow(tmp_path):
    (tmp_path / "one.csv").write_text("site,n\nA,10\nB,20\nTotal,30\n", encoding="utf-8")
    (tmp_path / "two.csv").write_text("site,n\nA,13\nB,40\nTotal,53\n", encoding="utf-8")
    found = run(tmp_path / "one.csv", tmp_path / "two.csv", "--nested")
    assert found.exit_code == 4
    assert "two: A minus one: A is 3: two: A - one: A = 3" in found.stdout
    with pytest.raises(InvalidArgument, match="contradict"):
        run(tmp_path / "one.csv", tmp_path / "two.csv")


def test_a_jj_file_with_any_pattern(tmp_path):
    name = "reg2d_site12_reg16_n3000"
    for suffix in (".jj", ".codes.csv"):
        shutil.copy(DATA / f"{name}{suffix}", tmp_path)
    naive = run(tmp_path / f"{name}.jj", "--json", "--zeros-hidden")
    assert naive.exit_code == 4
    assert sum(leak["kind"] == "exact" for leak in json.loads(naive.stdout)["leaks"]) == 20
    everything = tmp_path / "all.txt"
    everything.write_text("cell\n" + "\n".join(map(str, range(1, 273))), encoding="utf-8")
    assert run(tmp_path / f"{name}.jj", "--pattern", everything, "--attacker", "classic").exit_code == 0
    codes = pd.read_csv(tmp_path / f"{name}.codes.csv", dtype=str)
    codes.drop(columns="cell").assign(count=np.where(codes.index < 200, "*", "9")).to_csv(
        tmp_path / "marks.csv", index=False
    )
    marks = json.loads(run(tmp_path / f"{name}.jj", "--pattern", tmp_path / "marks.csv", "--json").stdout)
    assert marks["hidden"] == 200
    assert {leak["kind"] for leak in marks["leaks"]} >= {"shown"}


def test_a_pattern_that_names_no_cell_is_refused(tmp_path):
    jj = DATA / "fs_toy_3x3.jj"
    (tmp_path / "p.txt").write_text("3\n16\n", encoding="utf-8")
    with pytest.raises(InvalidArgument, match="beyond the 16"):
        run(jj, "--pattern", tmp_path / "p.txt")
    (tmp_path / "p.csv").write_text("cell,n\n99,*\n", encoding="utf-8")
    with pytest.raises(InvalidArgument, match="no cell"):
        run(jj, "--pattern", tmp_path / "p.csv")


def test_records_are_told_what_tables_of_them_would_give_away(tmp_path):
    rng = np.random.default_rng(5)
    frame = pd.DataFrame({name: rng.integers(0, 5, 60) for name in ("site", "age", "sex", "region")})
    frame.to_csv(tmp_path / "cases.csv", index=False)
    found = run("--rows", tmp_path / "cases.csv", "--by", "site,age,sex,region")
    assert found.exit_code == 4 and "records are proven" in found.stdout and "mere guess" in found.stdout
    weaker = json.loads(
        run("--rows", tmp_path / "cases.csv", "--by", "site,age,sex,region", "--tables", "site*age,sex*region",
            "--hide-below", "5", "--json").stdout
    )  # fmt: skip
    assert weaker["proven"] == 0 and weaker["undecided"] == 0


def test_hierarchies(tmp_path):
    (tmp_path / "t.csv").write_text("site,n\nTotal,30\nI,12\nIa,*\nIb,9\nII,18\n", encoding="utf-8")
    (tmp_path / "g.csv").write_text("code,parent\nIa,I\nIb,I\nI,\nII,\n", encoding="utf-8")
    found = run(tmp_path / "t.csv", "--hierarchy", f"site={tmp_path / 'g.csv'}")
    assert "Ia is 3: I - Ib = 3" in found.stdout
    (tmp_path / "g.hrc").write_text("I\n@Ia\n@Ib\nII\n", encoding="utf-8")
    assert "Ia is 3: I - Ib = 3" in run(tmp_path / "t.csv", "--hierarchy", f"site={tmp_path / 'g.hrc'}").stdout
    with pytest.raises(InvalidArgument, match="COLUMN=FILE"):
        run(tmp_path / "t.csv", "--hierarchy", "site")


def test_wrong_usage(leaky, tmp_path):
    for words, said in (
        ([tmp_path / "none.csv"], "does not exist"),
        (["--rows", leaky], "--by"),
        ([leaky, "-o", tmp_path / "x.pdf"], "--output"),
        ([leaky, "--pattern", leaky], "--pattern"),
        ([leaky, "--attacker", "strong"], "attacker"),
        (["--rows", leaky, leaky, "--by", "site"], "one file"),
        ([DATA / "fs_toy_3x3.jj", leaky], "one .jj file"),
    ):
        with pytest.raises(InvalidArgument, match=said):
            run(*words)


def written(tmp_path, text, name="t.csv"):
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    return file


RATES = "site,cases,rate\nA,*,0.3\nB,12,1.2\nTotal,15,0.75\n"


@pytest.mark.parametrize("words", [(), ("--count", "cases")])
def test_a_rate_that_was_taken_for_a_code_is_not_judged(tmp_path, words):
    file = written(tmp_path, RATES)
    found = run(file, *words)
    assert found.exit_code == 4
    assert "Cannot judge: A x 0.3 is in no sum. Is rate a code? Name the code columns with --by." in found.stdout
    assert "No sensitive value follows" not in found.stdout
    assert json.loads(run(file, *words, "--json").stdout)["no_leak"] is False


def test_the_columns_of_codes_can_be_named(tmp_path):
    found = run(written(tmp_path, RATES), "--by", "site")
    assert found.exit_code == 4 and "A is 3: Total - B = 3" in found.stdout
    assert "codes in site; numbers in cases; totals: site='Total'; 1 hidden of 3 cells" in found.stdout
    assert "Not read: rate" in found.stdout and "1 hidden cell;" in found.stdout
    with pytest.raises(InvalidArgument, match="Did you mean 'site'"):
        run(written(tmp_path, RATES), "--by", "sites")


def test_populations_and_rates_that_happen_to_equal_a_total(tmp_path):
    for text in ("site,cases,pop\nA,*,100\nB,12,200\nTotal,15,300\n", RATES.replace("0.75", "0.3")):
        assert "Cannot judge" in run(written(tmp_path, text)).stdout


@pytest.mark.parametrize("word", ["Summe", "Ensemble", "Gesamt", "Totaal"])
def test_totals_in_other_languages(tmp_path, word):
    file = written(tmp_path, f"site,F,M,{word}\nA,<5,8,11\nB,10,4,14\n{word},13,12,25\n")
    found = run(file)
    assert found.exit_code == 4 and "A x F is 3" in found.stdout


def test_a_total_that_nobody_knows_is_asked_for(tmp_path):
    file = written(tmp_path, "site,F,M,Zzz\nA,<5,8,11\nB,10,4,14\nZzz,13,12,25\n")
    found = run(file)
    assert found.exit_code == 4 and "Cannot judge: Zzz in site is the sum of the others" in found.stdout
    assert "No total was recognised in site and column" in found.stdout
    assert "A x F is 3" in run(file, "--total-label", "Zzz").stdout
    with pytest.raises(InvalidArgument, match="no code of the table"):
        run(file, "--total-label", "Yyy")


def test_a_publication_without_totals_can_be_declared(tmp_path):
    file = written(tmp_path, "site,n\nA,*\nB,12\n")
    assert run(file).exit_code == 4 and run(file, "--no-totals").exit_code == 0


def test_an_unknown_mark_in_a_crosstab_is_an_error(tmp_path):
    text = "site,F,M,Total\nA,{},8,11\nB,10,4,14\nTotal,13,12,25\n"
    with pytest.raises(InvalidArgument, match="line 2 has neither"):
        run(written(tmp_path, text.format("n<5")))
    assert "A x F is 3" in run(written(tmp_path, text.format("."))).stdout


def test_bands_of_ages_are_codes_and_no_ranges_of_counts(tmp_path):
    text = "sex,age,found\nf,0-4,*\nm,0-4,9\nTotal,0-4,12\n"
    assert "f x 0-4 is 3" in run(written(tmp_path, text)).stdout


def test_a_clean_file_of_records_is_told_how_to_be_read(tmp_path):
    for text in ("site,sex\nA,f\nB,m\n", "site,n\nA,3\nA,3\n"):
        with pytest.raises(InvalidArgument, match="use --rows --by") as caught:
            run(written(tmp_path, text))
        assert "--value" not in str(caught.value)


def test_files_without_a_heading(tmp_path):
    for text in ("2012-05-06,A,3\n2013-05-06,B,4\n", "A,12\nB,*\n", "A,F,<5\nB,F,9\n"):
        with pytest.raises(InvalidArgument, match="looks like data, not column names") as caught:
            run(written(tmp_path, text), "--count", "n")
        assert "2012" not in str(caught.value) and "12" not in str(caught.value)


def test_releases_in_the_wrong_order_or_without_the_flag(tmp_path):
    old = written(tmp_path, "site,n\nA,10\nB,20\nTotal,30\n", "r2020.csv")
    new = written(tmp_path, "site,n\nA,13\nB,40\nTotal,53\n", "r2021.csv")
    with pytest.raises(InvalidArgument, match=r"r2021 is larger than r2020.*older file first"):
        run(new, old, "--nested")
    with pytest.raises(InvalidArgument, match=r"growing window.*--nested"):
        run(old, new)


def test_groups_without_a_hierarchy_are_explained(tmp_path):
    with pytest.raises(InvalidArgument, match="use --hierarchy"):
        run(written(tmp_path, "site,n\nTotal,30\nI,12\nIa,*\nIb,9\nII,18\n"))


def test_only_the_owner_can_read_a_report(leaky, tmp_path):
    report = tmp_path / "report.html"
    report.write_text("before", encoding="utf-8")
    report.chmod(0o644)
    run(leaky, "-o", report)
    assert report.stat().st_mode & 0o777 == 0o600


def test_the_help_shows_the_stars_of_tables():
    found = typer.Typer(rich_markup_mode="markdown")
    found.command()(audit)
    text = CliRunner().invoke(found, ["--help"], env={"COLUMNS": "300"}).stdout
    assert "age*sex,age*region" in text


def test_a_total_that_is_recognised_in_one_direction_only(tmp_path):
    file = written(tmp_path, "site,F,M,Zzz\nA,*,8,11\nB,*,4,14\nTotal,13,12,25\n")
    found = run(file)
    assert found.exit_code == 4 and "Zzz in column is the sum of the others" in found.stdout
    assert "A x F is 3" in run(file, "--total-label", "Zzz").stdout


def test_whole_percentages_are_no_codes_even_if_one_comes_twice(tmp_path):
    file = written(tmp_path, "site,cases,percent\nA,*,50\nB,12,80\nTotal,15,50\n")
    found = run(file)
    assert found.exit_code == 4 and "Is percent a code?" in found.stdout
