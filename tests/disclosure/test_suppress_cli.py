"""``pets suppress`` as a user meets it."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from pets.cli_suppress import suppress
from pets.errors import DataError, InvalidArgument, PetsError

DATA = Path(__file__).parent / "data"
app = typer.Typer(rich_markup_mode="markdown")
app.command()(suppress)


def pets(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments], env={"COLUMNS": "200", "TERM": "dumb"})


def refused(*arguments):
    """Return the error that the command ends with; nothing of a table is printed before it."""
    result = pets(*arguments)
    assert result.exit_code != 0 and result.stdout == ""
    assert isinstance(result.exception, PetsError), result.exception
    return result.exception


@pytest.fixture
def cases(tmp_path):
    rng = np.random.default_rng(11)
    frame = pd.DataFrame(
        {
            "site": rng.choice(["Ia", "Ib", "II", "IIIa"], 160, p=[0.5, 0.3, 0.15, 0.05]),
            "age": rng.choice(["0-4", "5-9", "10-14"], 160),
            "clinic": rng.choice(["007", "08", "9"], 160),
        }
    )
    frame.to_csv(tmp_path / "cases.csv", index=False)
    (tmp_path / "iccc.hrc").write_text("I\n@Ia\n@Ib\nII\nIII\n@IIIa\n")
    (tmp_path / "iccc.csv").write_text("code,parent\nIa,I\nIb,I\nII,\nIIIa,III\n")
    return tmp_path


def table_of(text, count="count"):
    rows = list(csv.DictReader(io.StringIO(text)))
    return {tuple(v for k, v in row.items() if k != count): row[count] for row in rows}


def truth(cases, key, names=("site", "age")):
    frame = pd.read_csv(cases / "cases.csv", dtype=str)
    groups = {"I": ["Ia", "Ib"], "III": ["IIIa"]}
    for name, code in zip(names, key, strict=True):
        if code != "Total":
            frame = frame[frame[name].isin(groups.get(code, [code]))]
    return len(frame)


@pytest.mark.parametrize("hierarchy", ["iccc.hrc", "iccc.csv"])
def test_rows_with_a_hierarchy(cases, hierarchy):
    result = pets(
        cases / "cases.csv", "--by", "site,age", "--hierarchy", f"site={cases / hierarchy}", "-o", cases / "out.csv"
    )
    assert result.exit_code == 0, result.output
    found = table_of((cases / "out.csv").read_text())
    assert len(found) == 7 * 4 and "*" in found.values()
    for key, value in found.items():
        number = truth(cases, key)
        assert value in ("*", str(number))
        assert value == "*" or number == 0 or number >= 5
    assert "cells are hidden" in result.stderr and "Audited" in result.stderr and "proven best" in result.stderr


def test_what_is_hidden_cannot_be_worked_out(cases):
    """A plain attacker of our own: shown cells, sums, whole numbers, printed zeros; every small cell stays open."""
    from scipy.optimize import Bounds, LinearConstraint, milp

    result = pets(cases / "cases.csv", "--by", "site", "--by", "age", "--fast")
    found = table_of(result.stdout)
    keys = list(found)
    place = {key: i for i, key in enumerate(keys)}
    sites, ages = (sorted({key[d] for key in keys} - {"Total"}) for d in (0, 1))
    rows = [{("Total", a): -1} | {(s, a): 1 for s in sites} for a in (*ages, "Total")]
    rows += [{(s, "Total"): -1} | {(s, a): 1 for a in ages} for s in (*sites, "Total")]
    matrix = np.zeros((len(rows), len(keys)))
    for i, row in enumerate(rows):
        for key, sign in row.items():
            matrix[i, place[key]] = sign
    shown = np.array([value != "*" for value in found.values()])
    low = np.array([1.0 if value == "*" else float(value) for value in found.values()])
    high = np.where(shown, low, 1e6)
    small = [key for key in keys if found[key] == "*" and truth(cases, key) < 5]
    assert small
    for key in small:
        ends = []
        for sign in (1, -1):
            cost = np.zeros(len(keys))
            cost[place[key]] = sign
            answer = milp(cost, constraints=LinearConstraint(matrix, 0, 0), bounds=Bounds(low, high), integrality=1)
            ends.append(sign * answer.fun)
        assert ends[1] - ends[0] >= 2, key


def test_a_finished_table_with_other_names(cases):
    frame = pd.read_csv(cases / "cases.csv", dtype=str)
    table = pd.crosstab(frame.site, frame.age, margins=True, margins_name="All").stack().rename("n").reset_index()
    table.to_csv(cases / "table.csv", index=False, sep=";")
    options = ("--by", "site", "--by", "age", "--count", "n", "--total-label", "All")
    result = pets(cases / "table.csv", *options, "--symbol", "x")
    assert result.exit_code == 0, result.output
    found = table_of(result.stdout, "n")
    assert ("All", "All") in found and "x" in found.values()
    table.loc[0, "n"] += 1
    table.to_csv(cases / "table.csv", index=False)
    error = refused(cases / "table.csv", *options)
    assert "not the sum of its parts" in str(error)


def test_codes_stay_text(cases):
    found = table_of(pets(cases / "cases.csv", "--by", "clinic").stdout)
    assert set(found) == {("Total",), ("007",), ("08",), ("9",)}


def test_minimum_preset_and_margins(cases):
    small = table_of(pets(cases / "cases.csv", "--by", "site,age", "--minimum", "2").stdout)
    large = table_of(pets(cases / "cases.csv", "--by", "site,age", "--preset", "us-cancer-statistics").stdout)
    assert sum(v == "*" for v in small.values()) < sum(v == "*" for v in large.values())
    inner = table_of(pets(cases / "cases.csv", "--by", "site,age", "--margins", "none").stdout)
    assert len(inner) == 12 and not any("Total" in key for key in inner)
    note = pets(cases / "cases.csv", "--by", "site,age", "--preset", "opensafely", "--no-rounding").stderr
    assert "does not round" in note
    shown = pets("--presets").stdout
    assert "cms" in shown and "Checked:" in shown


def test_nothing_to_hide(cases):
    result = pets(cases / "cases.csv", "--by", "clinic")
    assert result.exit_code == 0 and "Nothing to hide" in result.stderr and "*" not in result.stdout


def test_jj(tmp_path):
    for name in ("reg2d_site12_reg16_n3000.jj", "reg2d_site12_reg16_n3000.codes.csv"):
        (tmp_path / name).write_bytes((DATA / name).read_bytes())
    file = tmp_path / "reg2d_site12_reg16_n3000.jj"
    result = pets(file, "--attacker", "classic", "-o", tmp_path / "out.csv", "--json")
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    assert (summary["cells"], summary["small"], summary["cost"], summary["optimal"]) == (273, 55, 127, True)
    found = table_of((tmp_path / "out.csv").read_text())
    assert found["T", "T"] == "3000" and sum(v == "*" for v in found.values()) == summary["hidden"]
    assert isinstance(refused(file, "--by", "site"), InvalidArgument)


def test_nothing_true_is_written_of_a_hidden_cell(cases):
    """Two tables that differ in their small cells only give the same file."""
    base = pd.DataFrame({"a": list("xxyy"), "b": list("uvuv"), "n": [3, 40, 50, 60]})
    other = base.assign(n=[4, 39, 49, 61])
    texts = []
    for frame in (base, other):
        frame.to_csv(cases / "t.csv", index=False)
        result = pets(cases / "t.csv", "--by", "a,b", "--count", "n", "-o", cases / "o.csv")
        assert result.exit_code == 0, result.output
        texts.append((cases / "o.csv").read_text())
    assert texts[0] == texts[1] and texts[0].count("*") == 4


@pytest.mark.parametrize(
    ("arguments", "kind", "says"),
    [
        (("absent.csv", "--by", "x"), InvalidArgument, "does not exist"),
        (("cases.csv",), InvalidArgument, "The file has: site, age, clinic"),
        (("cases.csv", "--by", "sites"), DataError, "Did you mean 'site'"),
        (("cases.csv", "--by", "site", "--count", "site"), InvalidArgument, "--by names too"),
        (("cases.csv", "--by", "site", "--count", "clinic"), PetsError, ""),
        (("cases.csv", "--by", "site", "--count", "age"), DataError, "no number"),
        (("cases.csv", "--by", "site", "--hierarchy", "site"), InvalidArgument, "COLUMN=FILE"),
        (("cases.csv", "--by", "site", "--hierarchy", "age=x.hrc"), InvalidArgument, "--by does not name"),
        (("cases.csv", "--by", "site", "--hierarchy", "site=x.hrc"), InvalidArgument, "x.hrc"),
        (("cases.csv", "--by", "site", "--minimum", "5", "--preset", "cms"), InvalidArgument, "both"),
        (("cases.csv", "--by", "site", "--preset", "cmss"), InvalidArgument, "Did you mean 'cms'"),
        (("cases.csv", "--by", "site", "--preset", "ema-0070"), InvalidArgument, "about records"),
        (("cases.csv", "--by", "site", "--zeros", "eat"), InvalidArgument, "--zeros"),
        (("cases.csv", "--by", "site", "--margins", "eat"), InvalidArgument, "--margins"),
        (("cases.csv", "--by", "site", "--attacker", "clasic"), InvalidArgument, "Did you mean"),
        (("cases.csv", "--by", "site", "--symbol", "0"), InvalidArgument, "looks like a number"),
        (("cases.csv", "--by", "site", "--symbol", "nan"), InvalidArgument, "looks like a number"),
        (("cases.csv", "--by", "site", "--time-limit", "0"), InvalidArgument, "--time-limit"),
        (("cases.csv", "--by", "site", "--json"), InvalidArgument, "--output"),
        (("cases.csv", "--by", "site", "-o", "cases.csv"), InvalidArgument, "input file"),
        (("cases.csv", "--by", "site", "-o", "nowhere/out.csv"), InvalidArgument, "folder"),
        (("cases.csv", "--by", "site", "--codes", "iccc.csv"), InvalidArgument, ".jj"),
        (("cases.csv", "--by", "site", "--total-label", "II"), InvalidArgument, "--count"),
        (("iccc.csv", "--by", "code,parent"), DataError, "missing values"),
    ],
)
def test_bad_usage(cases, monkeypatch, arguments, kind, says):
    monkeypatch.chdir(cases)
    error = refused(*arguments)
    assert isinstance(error, kind) and says in str(error), error


@pytest.mark.parametrize(
    "text",
    ["code,group\nIa,I\n", "code,parent\nIa,I\nIa,II\n", "code,parent\nIa,I\nI,Ia\n", "code,parent\n,I\n", ""],
)
def test_bad_hierarchies(cases, text):
    (cases / "bad.csv").write_text(text)
    assert isinstance(
        refused(cases / "cases.csv", "--by", "site", "--hierarchy", f"site={cases / 'bad.csv'}"), InvalidArgument
    )


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "cannot be read"),
        (b"a,n\n", "no rows"),
        (bytes(range(256)), "UTF-8"),
        ("a,n\nGen\xe8ve,9\n".encode("latin-1"), "UTF-8"),
        (b"a,n\nx,1,2\ny,20\n", "more fields than the first"),
        (b"a,n\ny,20\nx,1,2\n", "more fields than the first"),
        (b" a,a ,n\nx,y,1\n", "column name twice"),
        (b'a,n\n"x,1\ny,20\n', "cannot be read"),
        (b"a,n\nx,-3\ny,20\n", "negative"),
        (b"a,n\nx,inf\ny,20\n", "infinite"),
        (b"a,n\nx,\ny,20\n", "missing"),
        (b"a,n\nx,2.5\ny,20\n", "parts of units"),
        (b'a,n\nx,"1,234"\ny,20\n', "no number"),
        (b"a,n\nx,99999999999999999\ny,20\n", "2**53"),
        (b"a,n\nx,3\nx,20\n", "two rows"),
        (b"a,n\nTotal,20\n", "no labels"),
    ],
)
def test_bad_files(cases, content, says):
    (cases / "f.csv").write_bytes(content)
    assert says in str(refused(cases / "f.csv", "--by", "a", "--count", "n"))


@pytest.mark.parametrize("content", ["\ufeffa,n\r\nx,1\r\ny,20\r\n", "a;n\nx;1\ny;20\n", " a\t n\nx \t1\ny\t20.0\n"])
def test_dialects_of_csv(cases, content):
    (cases / "f.csv").write_bytes(content.encode())
    assert table_of(pets(cases / "f.csv", "--by", "a", "--count", "n").stdout, "n") == {
        ("Total",): "21", ("x",): "*", ("y",): "*",
    }  # fmt: skip


def test_help_teaches(cases):
    text = " ".join(pets("--help").stdout.split())
    for words in ("--by site,age,region --minimum 5", "--hierarchy", "tau-ARGUS", "pets audit", "no true count"):
        assert words in text, words


REGIONS = "region,n\nNorth,12\nSouth,3\nEast,20\n{},35\n"


@pytest.mark.parametrize("word", ["All", "Gesamt", "Zzz"])
def test_totals_under_another_name_are_not_counted_again(cases, word):
    (cases / "t.csv").write_text(REGIONS.format(word))
    error = refused(cases / "t.csv", "--by", "region", "--count", "n")
    assert f"{word} in region" in str(error) and f"Add --total-label {word}." in str(error)
    if word == "Zzz":
        assert "is the sum of East, North and South" in str(error)
        result = pets(cases / "t.csv", "--by", "region", "--count", "n", "--no-totals")
        assert result.exit_code == 0 and ("Total",) in table_of(result.stdout, "n")
    found = table_of(pets(cases / "t.csv", "--by", "region", "--count", "n", "--total-label", word).stdout, "n")
    assert set(found) == {("North",), ("South",), ("East",), (word,)}


def test_a_total_of_one_dimension_of_several(cases):
    text = "region,sex,n\nN,f,9\nN,m,8\nS,f,3\nS,m,7\nZ,f,12\nZ,m,15\n"
    (cases / "t.csv").write_text(text)
    assert "Z in region is the sum of N and S" in str(refused(cases / "t.csv", "--by", "region,sex", "--count", "n"))
    (cases / "t.csv").write_text(text.replace("15", "16"))
    assert pets(cases / "t.csv", "--by", "region,sex", "--count", "n").exit_code == 0


def test_two_words_for_totals(cases):
    (cases / "t.csv").write_text(REGIONS.format("Gesamt") + "Total,35\n")
    assert "one word" in str(refused(cases / "t.csv", "--by", "region", "--count", "n"))


def test_the_leukaemia_all_is_no_total(cases):
    (cases / "t.csv").write_text("site,n\nALL,40\nAML,12\nMDS,3\n")
    assert pets(cases / "t.csv", "--by", "site", "--count", "n").exit_code == 0


def test_a_column_that_looks_like_counts(cases):
    (cases / "t.csv").write_text("region,cases\nNorth,12\nSouth,3\n")
    error = refused(cases / "t.csv", "--by", "region")
    assert "column cases looks like counts" in str(error) and "Add --count cases" in str(error)
    assert table_of(pets(cases / "t.csv", "--by", "region", "--rows").stdout)["Total",] == "*"
    (cases / "t.csv").write_text("region,x\nNorth,12\nGesamt,3\n")
    assert "has rows for 'Gesamt'" in str(refused(cases / "t.csv", "--by", "region"))


def test_cases_are_counted_once(cases):
    result = pets(cases / "cases.csv", "--by", "site,age,clinic", "-o", cases / "out.csv", "--json", "--fast")
    summary = json.loads(result.stdout)
    found = table_of((cases / "out.csv").read_text())
    hidden = [key for key, value in found.items() if value == "*" and "Total" not in key]
    expected = sum(truth(cases, key, ("site", "age", "clinic")) for key in hidden)
    assert (summary["cases"], summary["cases_hidden"]) == (160, expected)
    words = " ".join(result.stderr.split())
    assert f"{expected} of 160 cases are in hidden inner cells" in words and "at a cost of" not in words


def test_groups_are_not_counted_as_cases(cases):
    options = ("--by", "site,age", "--hierarchy", f"site={cases / 'iccc.hrc'}", "-o", cases / "out.csv", "--json")
    assert json.loads(pets(cases / "cases.csv", *options).stdout)["cases"] == 160


def test_a_wide_gap_is_called_one():
    from pets.cli_suppress import _how_good

    far = {"optimal": False, "bound": 50.0, "gap": 0.5}
    assert "far from the best: take fewer columns" in _how_good(far)
    assert "far from" not in _how_good(far | {"gap": 0.1})


def test_headings_that_look_like_data(cases):
    for first in ("2012-05-06,A", "12.5.2012,A", "A,3.5"):
        (cases / "t.csv").write_text(f"{first}\nx,y\n")
        error = refused(cases / "t.csv", "--by", "region")
        assert "looks like data, not column names" in str(error) and "2012" not in str(error)


def test_a_preset_that_rounds_is_refused(cases):
    error = refused(cases / "cases.csv", "--by", "site,age", "--preset", "nhs-hes")
    assert "--no-rounding" in str(error) and "rounds" in str(error)
    assert "goes with" in str(refused(cases / "cases.csv", "--by", "site", "--no-rounding"))


@pytest.mark.parametrize("symbol", ["<5", "1-4", ">=1", "hush", "**?"])
def test_symbols_that_tell_or_that_no_audit_reads(cases, symbol):
    assert "--symbol" in str(refused(cases / "cases.csv", "--by", "site", "--symbol", symbol))


def test_lines_without_a_code(cases):
    (cases / "t.csv").write_text("site,age\n" + "A,1\n" * 9 + "A,\n" * 6 + ",1\n" * 7)
    assert "missing values in 7 lines" in str(refused(cases / "t.csv", "--by", "site,age"))
    result = pets(cases / "t.csv", "--by", "site,age", "--missing", "unknown")
    assert "13 lines without a code were given 'unknown'" in " ".join(result.stderr.split())
    found = table_of(result.stdout)
    assert found["unknown", "1"] == "7" and found["A", "unknown"] == "6" and found["Total", "Total"] == "22"


def test_audit_reads_what_suppress_writes(cases):
    from pets.cli_audit import audit

    other = typer.Typer()
    other.command()(audit)
    for symbol in ("*", "x", "..", "-"):
        pets(cases / "cases.csv", "--by", "site,age", "--symbol", symbol, "-o", cases / "o.csv")
        assert CliRunner().invoke(other, [str(cases / "o.csv")]).exit_code == 0
