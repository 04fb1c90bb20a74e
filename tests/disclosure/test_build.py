from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pets.disclosure.build import sheet_of_cells, sheet_of_counts, sheet_of_rows, table_of_counts
from pets.disclosure.jj import read_jj
from pets.disclosure.rules import Dominance, MinimumFrequency
from pets.disclosure.sheet import Fate
from pets.domain import Hierarchy
from pets.errors import DataError, InvalidArgument, RangeOverflow

DATA = Path(__file__).parent / "data"
ICCC = {"Ia": "I", "Ib": "I", "II": "", "IIIa": "III"}
ROWS = pd.DataFrame(
    {
        "site": ["Ia"] * 7 + ["Ib"] * 2 + ["II"] * 9 + ["IIIa"],
        "age": ["0-4", "5-9", "10-14"] * 6 + ["0-4"],
        "dose": np.arange(1.0, 20.0),
    }
)


def by_code(sheet, values=None):
    values = sheet.contributions.values if values is None else values
    return dict(zip(zip(*(c.tolist() for c in sheet.codes), strict=True), values.tolist(), strict=True))


def test_shipped_table_is_rebuilt_from_its_inner_cells():
    name = "reg3d_site12_age4_reg4_n3000"
    truth = read_jj(DATA / f"{name}.jj", DATA / f"{name}.codes.csv")
    frame = pd.DataFrame(dict(zip(truth.dimensions, truth.codes, strict=True))).assign(n=truth.values)
    inner = frame[(frame[list(truth.dimensions)] != "T").all(axis=1)]
    found = sheet_of_cells(inner, list(truth.dimensions), "n", total="T").table(MinimumFrequency(5))
    cell = {key: i for i, key in enumerate(zip(*truth.codes, strict=True))}
    order = np.array([cell[key] for key in zip(*found.codes, strict=True)])
    assert (found.cells, found.relations.count) == (truth.cells, truth.relations.count)
    for field in ("values", "primary", "frozen"):
        assert (getattr(found, field) == getattr(truth, field)[order]).all(), field
    assert found.primary_range == (1, 4)


def test_two_dimensional_hierarchy_agrees_with_the_shipped_table():
    name = "reg2d_site12_reg16_n3000"
    truth = read_jj(DATA / f"{name}.jj", DATA / f"{name}.codes.csv")
    regions = {c: c[:2] if len(c) > 2 else "" for c in np.unique(truth.codes[1]) if c != "T"}
    frame = pd.DataFrame(dict(zip(truth.dimensions, truth.codes, strict=True))).assign(n=truth.values)
    found = sheet_of_cells(frame, ["site", "reg"], "n", total="T", hierarchies={"reg": regions})
    assert found.relations.count == truth.relations.count and found.cells == truth.cells


def test_rows_and_counts_and_cells_give_the_same_table():
    sheet = sheet_of_rows(ROWS, ["site", "age"], hierarchies={"site": ICCC})
    counted = ROWS.groupby(["site", "age"]).size()
    ages = ["0-4", "5-9", "10-14"]
    array = np.array([[counted.get((s, a), 0) for a in ages] for s in ("Ia", "Ib", "II", "IIIa")])
    assert by_code(sheet) == by_code(sheet_of_counts([("site", ()), ("age", ages)], array, hierarchies={"site": ICCC}))
    cells = counted.rename("n").reset_index()
    assert by_code(sheet) == by_code(sheet_of_cells(cells, ["site", "age"], "n", hierarchies={"site": ICCC}))
    assert list(dict.fromkeys(sheet.codes[1].tolist())) == ["Total", *ages]  # by number, not by letter
    assert by_code(sheet)["I", "Total"] == 9 and by_code(sheet)["III", "0-4"] == 1


@pytest.mark.parametrize("engine", ["polars", "lazy", "pyarrow", "duckdb"])
def test_any_engine(engine):
    if engine == "pyarrow":
        frame = pytest.importorskip("pyarrow").Table.from_pandas(ROWS)
    elif engine == "duckdb":
        frame = pytest.importorskip("duckdb").from_df(ROWS)
    else:
        pl = pytest.importorskip("polars")
        frame = pl.DataFrame({name: ROWS[name].tolist() for name in ROWS})
        frame = frame.lazy() if engine == "lazy" else frame
    options = {"hierarchies": {"site": ICCC}, "value": "dose"}
    assert by_code(sheet_of_rows(frame, ["site", "age"], **options)) == by_code(
        sheet_of_rows(ROWS, ["site", "age"], **options)
    )


def test_hierarchy_of_the_domain_and_declared_categories():
    groups = Hierarchy({"main": {"I": ["Ia", "Ib"], "II+": ["II", "IIIa", "IIIb"]}})
    sheet = sheet_of_rows(ROWS, "site", hierarchies={"site": groups})
    assert by_code(sheet)["II+",] == 10 and by_code(sheet)["IIIb",] == 0
    flat = sheet_of_rows(ROWS, "site", categories={"site": ["Ia", "Ib", "II", "IIIa", "IV"]})
    assert by_code(flat)["IV",] == 0
    with pytest.raises(InvalidArgument, match="level is missing"):
        sheet_of_rows(ROWS, "site", categories={"site": ["Ia", "Ib"]})
    with pytest.raises(InvalidArgument, match="level is missing"):
        sheet_of_rows(ROWS, "site", hierarchies={"site": {"Ia": "I", "Ib": "I"}})


def test_codes_that_are_numbers():
    frame = pd.DataFrame({"year": [2018, 2019, np.nan, 2018], "n": [1, 2, 3, 4]})
    with pytest.raises(DataError, match="missing values"):
        sheet_of_rows(frame, "year")
    sheet = sheet_of_rows(frame.dropna(), "year")
    assert by_code(sheet) == {("Total",): 3, ("2018",): 2, ("2019",): 1}


def test_zeros():
    counts = [[9, 0], [2, 8]]
    shown = table_of_counts([("a", ["x", "y"]), ("b", ["u", "v"])], counts)
    assert [shown.name(i) for i in np.flatnonzero(shown.frozen)] == ["a=x, b=v"]
    hidden = table_of_counts([("a", ["x", "y"]), ("b", ["u", "v"])], counts, MinimumFrequency(5, "suppress"))
    assert hidden.primary.sum() == 2 and not hidden.frozen.any() and hidden.primary_range == (0, 4)
    allowed = table_of_counts([("a", ["x", "y"]), ("b", ["u", "v"])], counts, MinimumFrequency(5, "allow"))
    assert allowed.primary.sum() == 1 and not allowed.frozen.any()
    impossible = np.array([[False, True], [False, False]])
    for zeros in ("publish", "suppress", "allow"):
        table = table_of_counts(
            [("a", ["x", "y"]), ("b", ["u", "v"])], counts, MinimumFrequency(5, zeros), structural=impossible
        )
        cell = int(np.flatnonzero(table.where({"a": "x", "b": "v"}))[0])
        assert table.frozen[cell] and table.upper[cell] == 0 and not table.primary[cell], zeros


def test_impossible_cells_and_margins():
    sheet = sheet_of_counts(
        [("a", ["x", "y"]), ("b", ["u", "v"]), ("c", ["p", "q"])], [[[9, 2], [0, 0]], [[7, 8], [0, 0]]]
    )
    marked = sheet.impossible({"b": "v", "a": "x"}).impossible({"b": "v", "a": "y"})
    names = {", ".join(k) for k, s in zip(zip(*marked.codes, strict=True), marked.structural, strict=True) if s}
    assert names == {f"{a}, v, {c}" for a in ("x", "y", "Total") for c in ("p", "q", "Total")}
    table = marked.table(MinimumFrequency(5, "suppress"))
    assert not table.primary[marked.structural].any() and not table.upper[marked.structural].any()
    with pytest.raises(InvalidArgument, match="not empty"):
        sheet.impossible({"b": "u"})


def test_margins():
    dims = [("a", ["x", "y"]), ("b", ["u", "v"])]
    counts = [[9, 2], [1, 1]]
    printed = table_of_counts(dims, counts)
    assert printed.cells == 9 and not printed.frozen.any() and printed.primary.sum() == 5
    known = table_of_counts(dims, counts, margins="known")
    assert {known.name(i) for i in np.flatnonzero(known.frozen)} == {
        "a=Total, b=Total", "a=Total, b=u", "a=x, b=Total",
    }  # fmt: skip
    assert {known.name(i) for i in np.flatnonzero(known.forced)} == {"a=Total, b=v", "a=y, b=Total"}
    assert known.primary.sum() == 3 and known.cost[known.forced].sum() == 0
    none = table_of_counts(dims, counts, margins="none")
    assert none.cells == 4 and none.relations.count == 0 and none.values.tolist() == [9, 2, 1, 1]
    with pytest.raises(InvalidArgument, match="margins"):
        table_of_counts(dims, counts, margins="maybe")


def test_cells_with_margins_are_compared():
    frame = pd.DataFrame({"a": ["x", "y", "Total"], "n": [3, 4, 7]})
    assert by_code(sheet_of_cells(frame, "a", "n"))["Total",] == 7
    frame.loc[2, "n"] = 8
    with pytest.raises(InvalidArgument, match="a=Total is not the sum"):
        sheet_of_cells(frame, "a", "n")


@pytest.mark.parametrize(
    ("frame", "error", "says"),
    [
        ({"a": ["x", "x"], "n": [1, 2]}, InvalidArgument, "two rows for the cell a=x"),
        ({"a": ["x", "y"], "n": [1, -2]}, InvalidArgument, "negative"),
        ({"a": ["x", "y"], "n": [1, 2.5]}, DataError, "parts of units"),
        ({"a": ["x", "y"], "n": [1, np.nan]}, DataError, "missing"),
        ({"a": ["x", "y"], "n": ["one", "two"]}, DataError, "numbers"),
        ({"a": ["x", None], "n": [1, 2]}, DataError, "missing values"),
        ({"b": ["x", "y"], "n": [1, 2]}, DataError, "is missing"),
        ({"a": [], "n": []}, InvalidArgument, "no rows"),
        ({"a": ["x", "y"], "n": [2.0**53, 2.0**52]}, RangeOverflow, "2\\*\\*53"),
    ],
)
def test_bad_cells(frame, error, says):
    with pytest.raises(error, match=says):
        sheet_of_cells(pd.DataFrame(frame), "a", "n")


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: sheet_of_rows(ROWS, []), "by"),
        (lambda: sheet_of_rows(ROWS, ["site", "site"]), "by"),
        (lambda: sheet_of_rows(ROWS, "site", hierarchies={"sight": {}}), "Did you mean|Use one"),
        (lambda: sheet_of_rows("no frame", "site"), "frame"),
        (lambda: sheet_of_rows(ROWS, "site", total="Ia"), "stands for the total"),
        (lambda: sheet_of_counts([("a", ["x"])], [1.5]), "whole numbers"),
        (lambda: sheet_of_counts([("a", ["x"])], [1, 2]), "shape"),
        (lambda: sheet_of_counts([("a", ["x"])], [-1]), "negative"),
        (lambda: sheet_of_counts([("a", ["x"])], [1], structural=[True]), "not empty"),
        (lambda: sheet_of_rows(ROWS, "site").table(), "rules"),
        (lambda: sheet_of_rows(ROWS, "site").table(5), "must be rules"),
        (lambda: sheet_of_rows(ROWS, "site").with_fate([True], Fate.HIDDEN), "each of the 5"),
        (lambda: sheet_of_rows(ROWS, "site").with_fate([9], Fate.HIDDEN), "from 0 to 4"),
        (lambda: sheet_of_rows(ROWS, "site").at("years", "all", "all"), "total of the larger"),
        (lambda: sheet_of_counts(["ab"], [1]), "pairs of a name"),
        (lambda: sheet_of_counts([("a", "xy")], [1, 2]), "no labels"),
        (lambda: sheet_of_rows(ROWS, "site").table(MinimumFrequency(5), cost="free"), "cost"),
    ],
)
def test_bad_arguments(call, says):
    with pytest.raises(InvalidArgument, match=says):
        call()


def test_overflow_of_counts():
    with pytest.raises(RangeOverflow):
        sheet_of_counts([("a", ["x", "y"])], np.array([2**53, 1]))
    with pytest.raises(RangeOverflow):
        sheet_of_counts([("a", ["x", "y"])], np.array([2**62, 2**62]))


def test_costs():
    sheet = sheet_of_rows(ROWS, ["site", "age"], value="dose")
    rule = Dominance(1, 90)
    assert sheet.table(rule).cost.max() == 190 and sheet.table(rule, cost="records").cost.max() == 19
    cells = sheet.table(rule, cost="cells")
    assert set(cells.cost[~cells.frozen]) == {1.0} and not cells.integral and cells.primary_range is None


def test_insee_tables_with_hierarchies_and_largest_contributions():
    turnover = pd.read_csv(DATA / "turnover_nuts_size.csv")
    groups = dict(pd.read_csv(DATA / "nuts23_fr_corr_table.csv")[["NUTS3", "NUTS2"]].to_numpy().tolist())
    sheet = sheet_of_cells(
        turnover, ["NUTS", "SIZE"], "TOT", records="N_OBS", largest=["MAX"], hierarchies={"NUTS": groups}
    )
    table = sheet.table(MinimumFrequency(3), Dominance(1, 85))
    listed = turnover[((turnover.N_OBS < 3) & (turnover.N_OBS > 0)) | (turnover.MAX > 0.85 * turnover.TOT)]
    names = {f"NUTS={r.NUTS}, SIZE={r.SIZE}" for r in listed.itertuples()}
    found = {table.name(i) for i in np.flatnonzero(table.primary)}
    assert names <= found and all("NUTS=Total" in name for name in found - names)
    inner = turnover[turnover.SIZE != "Total"]
    with pytest.raises(InvalidArgument, match="unknown for some margin"):
        sheet_of_cells(inner, ["NUTS", "SIZE"], "TOT", records="N_OBS", hierarchies={"NUTS": groups})


@settings(max_examples=25)
@given(
    st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xy"), st.sampled_from("pqr")), min_size=1, max_size=60)
)
def test_margins_are_those_of_pandas(rows):
    frame = pd.DataFrame(rows, columns=["i", "j", "k"])
    found = by_code(sheet_of_rows(frame, ["i", "j", "k"]))
    for keys, value in found.items():
        mask = np.ones(len(frame), dtype=bool)
        for name, code in zip("ijk", keys, strict=True):
            mask &= (frame[name] == code) | (code == "Total")
        assert value == mask.sum()


def test_fates():
    sheet = sheet_of_rows(ROWS, ["site", "age"])
    assert (sheet.without_printing({"age": "5-9"}).fate[sheet.where({"age": "5-9"})] == Fate.DERIVED).all()
    assert "Sheet(site x age: 20 cells" in repr(sheet)
