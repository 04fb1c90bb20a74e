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
