from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pets.disclosure.build import sheet_of_counts, sheet_of_rows
from pets.disclosure.dimension import Dimension
from pets.disclosure.rules import Dominance, MinimumFrequency
from pets.disclosure.tau_argus import (
    Metadata,
    Variable,
    read_hrc,
    read_microdata,
    read_outcome,
    read_rda,
    read_tab,
    write_hrc,
    write_outcome,
    write_rda,
    write_tab,
)
from pets.errors import InvalidArgument

DATA = Path(__file__).parent / "data"

# Written after the samples that tau-ARGUS ships, with numbers of our own.
REGIONS = "North\n@ 1\n@ 2\nEast \n@ 4\n@@4a\n@@4b\nWest\n"
TABULAR = """   <SEPARATOR> ";"
Size "99"
    <RECODEABLE>
    <TOTCODE> "Total"
Region "99"
    <RECODABLE>
    <TOTCODE> "Total"
    <DISTANCE> 2 4 4 4 4
    <CODELIST> "REGION.CDL"
    <HIERARCHICAL>
    <HIERCODELIST> "C:\\data\\region.hrc"
    <HIERLEADSTRING> "@"
Var2
    <NUMERIC>
    <DECIMALS> 2
FreqVar
    <FREQUENCY>
Var2_Cost
    <NUMERIC> <COSTVAR>
Top1
    <MAXSCORE>
StatusVar
    <STATUS>
LowerProtLevel
    <NUMERIC> <LOWERPL>
UpperProtLevel
    <NUMERIC> <UPPERPL>
"""


def test_hrc(tmp_path):
    (tmp_path / "r.hrc").write_text(REGIONS)
    found = read_hrc(tmp_path / "r.hrc", "region")
    assert found.codes == ("Total", "North", "1", "2", "East", "4", "4a", "4b", "West")
    assert found.leaves == ("1", "2", "4a", "4b", "West")  # unequal depth
    write_hrc(found, tmp_path / "again.hrc")
    assert (tmp_path / "again.hrc").read_text() == "North\n@1\n@2\nEast\n@4\n@@4a\n@@4b\nWest\n"
    write_hrc(found, tmp_path / "dots.hrc", lead="..")
    assert read_hrc(tmp_path / "dots.hrc", "region", lead="..").codes == found.codes


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("\n \n", "empty"),
        ("@a\n", "line 1 .* level is missing"),
        ("a\n@@b\n", "line 2 .* level is missing"),
        ("a\n@b\n@b\n", "line 3 .* stands elsewhere"),
        ("a\nTotal\n", "is the total"),
        ("a\n@\n", "line 2 has no code"),
    ],
)
def test_bad_hrc(tmp_path, text, says):
    (tmp_path / "r.hrc").write_text(text)
    with pytest.raises(InvalidArgument, match=says):
        read_hrc(tmp_path / "r.hrc", "region")


def test_hrc_that_cannot_be_written(tmp_path):
    two_ways = Dimension("d", ("T", "a", "b", "x", "y"), ((0, (1, 2)), (0, (3, 4)), (3, (1,)), (4, (2,))))
    with pytest.raises(InvalidArgument, match="two ways"):
        write_hrc(two_ways, tmp_path / "x.hrc")
    with pytest.raises(InvalidArgument, match="would change"):
        write_hrc(Dimension.flat("d", ["@a"]), tmp_path / "x.hrc")
    with pytest.raises(InvalidArgument, match="lead"):
        read_hrc(tmp_path / "x.hrc", "d", lead="")
    with pytest.raises(InvalidArgument, match="cannot read"):
        read_hrc(tmp_path / "absent.hrc", "d")


@settings(max_examples=30)
@given(st.data())
def test_random_hierarchies_round_trip(tmp_path_factory, data):
    size = data.draw(st.integers(1, 15))
    parents = {f"c{i}": data.draw(st.sampled_from(["", *(f"c{j}" for j in range(i))])) for i in range(size)}
    found, path = Dimension.from_parents("d", parents), tmp_path_factory.mktemp("hrc") / "x.hrc"
    write_hrc(found, path)
    again = read_hrc(path, "d")
    assert again.codes == found.codes and set(again.sums) == set(found.sums)


def test_rda_of_a_table(tmp_path):
    (tmp_path / "t.rda").write_text(TABULAR)
    found = read_rda(tmp_path / "t.rda")
    assert found.separator == ";" and [v.name for v in found.with_role("category")] == ["Size", "Region"]
    region = found["region"]
    assert region.hierarchy_file.endswith("region.hrc") and region.lead == "@" and region.missing == ("99",)
    roles = {v.name: v.role for v in found.variables}
    assert (
        roles["Var2"] == "response" and roles["Var2_Cost"] == "cost" and roles["UpperProtLevel"] == "upper_protection"
    )
    write_rda(found, tmp_path / "again.rda")
    assert read_rda(tmp_path / "again.rda") == found
    with pytest.raises(InvalidArgument, match="Did you mean 'Size'"):
        found["Siz"]


def test_fixed_positions(tmp_path):
    (tmp_path / "m.rda").write_text(
        "NACE 1  6  \n  <RECODEABLE>\n  <HIERARCHICAL>\n  <HIERLEVELS>  3 1 1 1 0 0\nSize 8  2\n  <RECODEABLE>\n"
        'Region 11 1 "9"\n  <RECODEABLE>\n  <HIERARCHICAL>\n  <HIERCODELIST> "Region.hrc"\n  <HIERLEADSTRING> "@"\n'
        "Value 12 10\n  <NUMERIC>\n  <DECIMALS> 1\nWeight 23 4\n  <WEIGHT>\nFirm 28 2\n  <HOLDING>\n"
    )
    (tmp_path / "Region.hrc").write_text("A\n@1\n@2\nB\n@3\n")
    (tmp_path / "m.asc").write_text(
        "310112  4 1      12.5  2.0 f1\n310113  4 2       7,5  1.0 f1\n31012   6 3     100.0  1.5 f2\n\n"
        "45      6 9       1.0  1.0 f3\n"
    )
    found = read_microdata(tmp_path / "m.asc", tmp_path / "m.rda")
    assert found.columns["Value"].tolist() == [12.5, 7.5, 100, 1] and found.columns["NACE"].tolist()[2] == "31012"
    nace = found.metadata["NACE"].dimension(found.columns["NACE"].tolist())
    assert nace.codes == ("Total", "310", "3101", "31011", "310112", "310113", "31012", "45")  # codes of unequal length
    sheet = found.sheet(["NACE", "Region"], "Value")
    assert sheet.contributions.values.max() == 2 * 12.5 + 7.5 + 150 + 1
    at = {key: i for i, key in enumerate(zip(*sheet.codes, strict=True))}
    assert sheet.contributions.contributors[at["31011", "A"]] == 1  # both records are of firm f1
    assert ("Total", "9") in at  # the missing code stands beside the groups
    write_rda(found.metadata, tmp_path / "again.rda")
    assert read_rda(tmp_path / "again.rda") == found.metadata


def test_free_format_with_holdings_and_requests(tmp_path):
    lines = (DATA / "microdata.csv").read_text().splitlines()
    (tmp_path / "m.rda").write_text(
        '<SEPARATOR> ","\nsymbol 1\n<RECODEABLE>\nsbi 4\n<RECODEABLE>\n<HIERARCHICAL>\n<HIERLEVELS> 2 1 1\ngk 2\n'
        '<REQUEST> "20"\nregio 12\n<RECODEABLE>\nincome 8\n<NUMERIC>\n<DECIMALS> 2\n'
        "profit 8\n<NUMERIC>\nholding 2\n<HOLDING>\n"
    )
    (tmp_path / "m.csv").write_text("\n".join(lines))
    found = read_microdata(tmp_path / "m.csv", tmp_path / "m.rda", header=True)
    sheet = found.sheet(["sbi", "regio"], "income")
    frame = pd.read_csv(DATA / "microdata.csv", skipinitialspace=True).astype({"sbi": str})
    parents = {c: c[:3] for c in frame.sbi.unique()} | {c[:3]: c[:2] for c in frame.sbi.unique()}
    plain = sheet_of_rows(frame, ["sbi", "regio"], hierarchies={"sbi": parents}, value="income", holding="holding")
    value = lambda s: dict(zip(zip(*s.codes, strict=True), s.contributions.values.round(6), strict=True))  # noqa: E731
    assert value(sheet) == value(plain)
    assert sheet.contributions.requested.max() == 1.0  # all but one record asked (gk 20)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "no variable"),
        ("<RECODEABLE>\n", "line 1 has a tag before any variable"),
        ('<SEPARATOR> ";"\nx\n<WONDER>\n', "line 3 has the tag <WONDER>"),
        ("x 1\n", "line 1 must give"),
        ('<SEPARATOR> ";"\nx\n<TOTCODE>\n', "line 3"),
        ('<SEPARATOR> ";"\nx\n<HIERLEVELS> 2 b\n', "line 3"),
        ('<SEPARATOR> ";"\nx "a\n', "line 2 has a quotation mark"),
        ("<SEPARATOR>\nx\n", "line 1"),
    ],
)
def test_bad_rda(tmp_path, text, says):
    (tmp_path / "m.rda").write_text(text)
    with pytest.raises(InvalidArgument, match=says):
        read_rda(tmp_path / "m.rda")


def test_bad_microdata(tmp_path):
    free = Metadata((Variable("x", "category"), Variable("v", "response")), separator=";")
    for text, says in (
        ("a;1\nb\n", "line 2 must have 2 fields"),
        ("a;one\n", "line 1 has no number"),
        ("", "no records"),
    ):
        (tmp_path / "m.csv").write_text(text)
        with pytest.raises(InvalidArgument, match=says) as error:
            read_microdata(tmp_path / "m.csv", free)
        assert "one" not in str(error.value)
    fixed = Metadata((Variable("x", "category", start=1, width=2), Variable("v", "response", start=4, width=3)))
    (tmp_path / "m.asc").write_text("ab 12\na\n")
    with pytest.raises(InvalidArgument, match="line 2 is too short"):
        read_microdata(tmp_path / "m.asc", fixed)


TAB = Metadata(
    (
        Variable("activity", "category"),
        Variable("size", "category"),
        Variable("val", "response"),
        Variable("n_obs", "frequency"),
        Variable("max", "largest"),
    ),
    separator=",",
)


def test_piargus_tables():
    table = read_tab(DATA / "tabledata.csv", TAB, MinimumFrequency(4), Dominance(1, 80), header=True)
    assert {table.name(i) for i in np.flatnonzero(table.primary)} == {
        "activity=02, size=tr1",  # two contributors
        "activity=06, size=tr2",  # one brings 38 of 40
    }
    with_status = Metadata((*TAB.variables, Variable("status", "status")), separator=",")
    status = read_tab(DATA / "tabledata_status.csv", with_status, header=True)
    assert [status.name(i) for i in np.flatnonzero(status.primary)] == ["activity=02, size=tr2"]
    assert status.contributors.tolist() == table.contributors.tolist() and not status.integral
    with pytest.raises(InvalidArgument, match="no status column"):
        read_tab(DATA / "tabledata.csv", TAB, header=True)
    with pytest.raises(InvalidArgument, match="no number"):
        read_tab(DATA / "tabledata.csv", TAB, MinimumFrequency(4))


def test_tab_with_decimal_commas_levels_and_quotes(tmp_path):
    (tmp_path / "t.rda").write_text(TABULAR)
    (tmp_path / "region.hrc").write_text("N\n@ 1\n@ 2\nE\n")
    values = {(" 2", " 1"): 5.5, (" 2", " 2"): 0, (" 2", "E"): 20, ("4", " 1"): 30, ("4", " 2"): 4, ("4", "E"): 2.25}
    lines = []
    for size in ("Total", " 2", "4"):
        for region, parts in {
            "Total": (" 1", " 2", "E"), "N": (" 1", " 2"), " 1": (" 1",), " 2": (" 2",), "E": ("E",), "99": ()
        }.items():  # fmt: skip
            value = sum(v for (s, r), v in values.items() if r in parts and size in ("Total", s))
            status = "E" if not value else "U" if value == 2.25 else "P" if value == 5.5 else "S"
            number = f"{value:.2f}".replace(".", ",")
            lines.append(f'"{size}";"{region}";{number};{9 if value else 0};{number};{number};{status};0,75;1,50')
    (tmp_path / "t.tab").write_text("\n".join(lines))
    table = read_tab(tmp_path / "t.tab", tmp_path / "t.rda")
    assert [table.name(i) for i in np.flatnonzero(table.primary)] == ["Size=4, Region=E"]
    cell = int(np.flatnonzero(table.primary)[0])
    assert (table.values[cell], table.lower_protection[cell], table.upper_protection[cell]) == (2.25, 0.75, 1.5)
    shown = {table.name(i) for i in np.flatnonzero(table.frozen & (table.values > 0))}
    assert "Size=2, Region=1" in shown and not any(name.startswith("Size=4") for name in shown)
    (tmp_path / "t.tab").write_text("\n".join(lines).replace("30,00;9", "31,00;9"))
    with pytest.raises(InvalidArgument, match="is not the sum of its parts"):
        read_tab(tmp_path / "t.tab", tmp_path / "t.rda")


@settings(max_examples=15)
@given(st.lists(st.integers(0, 30), min_size=8, max_size=8), st.integers(2, 6))
def test_tables_round_trip_as_tab(tmp_path_factory, counts, minimum):
    path = tmp_path_factory.mktemp("tab") / "t.tab"
    site = Dimension.from_parents("site", {"Ia": "I", "Ib": "I", "II": "", "IIIa": "III"})
    table = sheet_of_counts([site, ("sex", ["f", "m"])], np.array(counts).reshape(4, 2)).table(
        MinimumFrequency(minimum)
    )
    write_tab(table, path, {"site": site})
    again = read_tab(path, path.with_suffix(".rda"))
    for name in ("values", "primary", "cost", "contributors"):
        assert getattr(again, name).tolist() == getattr(table, name).tolist(), name
    assert again.lower_protection.tolist() == again.upper_protection.tolist() == table.primary.astype(float).tolist()
    assert (again.frozen == table.frozen).all()
    assert [c.tolist() for c in again.codes] == [c.tolist() for c in table.codes]


@pytest.fixture
def table():
    return sheet_of_counts([("site", ["Ia", "II"]), ("sex", ["f", "m"])], [[3, 19], [17, 0]]).table(MinimumFrequency(5))


@pytest.mark.parametrize("layout", ["code-value", "sbs"])
@pytest.mark.parametrize("statuses", [False, True])
def test_outcome_round_trip(tmp_path, table, layout, statuses):
    hidden = table.primary | table.where({"site": "II", "sex": "f"}) | table.where({"site": "Ia", "sex": "m"})
    hidden |= table.where({"sex": ["f", "m"], "site": "Total"})
    write_outcome(table, hidden, tmp_path / "o.csv", layout, statuses=statuses)
    assert (read_outcome(tmp_path / "o.csv", table, layout) == hidden).all()
    text = (tmp_path / "o.csv").read_text()
    shown = {str(int(v)) for v in table.values[~hidden]}
    for value in table.values[hidden]:  # no hidden count is in the file
        assert str(int(value)) in shown or f",{int(value)}," not in text
    primary = {"code-value": "Ia,f,x,5", "sbs": "Ia,f,x,x,A"}[layout]
    assert (primary in text) is statuses  # one symbol unless asked otherwise


def test_outcome_of_somebody_else(tmp_path, table):
    lines = ["site,sex,Freq,Status", '"Ia","f",x,5', "Ia, m,x,11", "II,f,17,1", "II,m,-,14", "Total,f,20,10"]
    (tmp_path / "o.csv").write_text("\n".join(lines))
    assert {table.name(i) for i in np.flatnonzero(read_outcome(tmp_path / "o.csv", table))} == {
        "site=Ia, sex=f", "site=Ia, sex=m",
    }  # fmt: skip
    for bad in (["Ia,f,x,5", "Ia,f,x,5"], ["Ia,f,x,99"], ["Ia,f,x,1", "Ia,d,3,1"], ["Ia,f,x,1", "Ia"]):
        (tmp_path / "o.csv").write_text("\n".join(bad))
        with pytest.raises(InvalidArgument):
            read_outcome(tmp_path / "o.csv", table)
    with pytest.raises(InvalidArgument, match="each of the 9 cells"):
        write_outcome(table, [True], tmp_path / "o.csv")
    with pytest.raises(InvalidArgument, match="layout"):
        write_outcome(table, table.primary, tmp_path / "o.csv", "excel")
