"""Crosswalk files: those that are shipped, one's own, and wrong ones."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dask.dataframe as dd
import duckdb
import pandas as pd
import polars as pl
import pytest

from pets.epi.harmonise import FIELDS, Crosswalk, harmonise, shipped_text
from pets.epi.harmonise.crosswalk import SHIPPED
from pets.epi.harmonise.naaccr import ITEMS
from pets.errors import ConfigError, DataError, InvalidArgument

MINE = """
name = "a registry of our own"
[columns]
patient = "case"
topography = "site"
morphology = "form"
sex = ["sex", "gender"]
diagnosis_date = "diagnosed"
death_date = "died"
last_contact_date = "seen"
age = "months"
region = "canton"
stage = "extent"
[values.sex]
w = "female"
m = "male"
[values.stage]
lokal = "localised"
fern = "metastatic"
[values.region]
BE = "Bern"
[unknown]
stage = ["?"]
[keep]
kind = ["primary"]
[dates]
order = "dmy"
[units]
age = "months"
"""
ROWS = pd.DataFrame(
    [
        ["a", "C22.0", "8970/3", "w", "", "24.12.2014", "", "24.12.2019", "30", "BE", "lokal", "primary"],
        ["b", "C74.9", "9500/3", "", "m", "1.2.2015", "1.2.2016", "", "11", "BE", "fern", "primary"],
        ["b", "C74.9", "9500/3", "", "m", "1.2.2015", "1.2.2016", "", "11", "BE", "fern", "recurrence"],
        ["c", "C71.6", "9470/3", "x", "", "03.2016", "", "31.3.2016", "", "ZH", "?", "primary"],
    ],
    columns=[
        "Case",
        "site",
        "form",
        "sex",
        "gender",
        "diagnosed",
        "died",
        "seen",
        "months",
        "canton",
        "extent",
        "kind",
    ],
)


@pytest.fixture
def mine(tmp_path: Path) -> Crosswalk:
    (tmp_path / "mine.toml").write_text(MINE)
    return Crosswalk.from_file(tmp_path / "mine.toml")


def listed(frame: pd.DataFrame) -> dict[str, list[Any]]:
    return frame.astype(object).where(frame.notna(), None).to_dict("list")


def csv(folder: Path, separator: str) -> Path:
    path = folder / "rows.csv"
    ROWS.to_csv(path, index=False, sep=separator)
    return path


def parquet(folder: Path) -> Path:
    ROWS.to_parquet(folder / "rows.parquet")
    return folder / "rows.parquet"


SOURCES: dict[str, Any] = {
    "pandas": lambda _: ROWS,
    "polars lazy": lambda _: pl.from_pandas(ROWS).lazy(),
    "pyarrow": lambda _: pl.from_pandas(ROWS).to_arrow(),
    "dask": lambda _: dd.from_pandas(ROWS, npartitions=2),
    "duckdb": lambda _: duckdb.from_arrow(pl.from_pandas(ROWS).to_arrow()),
    "csv": lambda folder: csv(folder, ","),
    "semicolons": lambda folder: csv(folder, ";"),
    "parquet": parquet,
}


@pytest.mark.parametrize("source", SOURCES)
def test_columns_codes_units_and_dates(mine: Crosswalk, tmp_path: Path, source: str):
    found = harmonise(SOURCES[source](tmp_path), mine)
    assert listed(found.frame) == {
        "patient": ["a", "b", "c"], "tumour": [1, 1, 1], "group": ["VII", "IV", "III"],
        "diagnosis": ["VIIa", "IVa", "IIIc"], "age": [2, 0, None], "sex": ["female", "male", None],
        "year": [2014, 2015, 2016], "region": ["Bern", "Bern", None], "stage": ["localised", "metastatic", None],
        "time": [1826, 365, 15], "event": ["alive", "dead", "alive"],
    }  # fmt: skip
    assert {(item.column, item.code) for item in found.report.unmapped} == {("sex", "x"), ("region", "ZH")}
    assert found.report.notes["records left out, because the crosswalk keeps others"] == 1


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_ones_are_read_and_speak_of_known_columns(name: str):
    crosswalk = Crosswalk.shipped(name)
    assert set(crosswalk.columns) <= set(FIELDS) and crosswalk.name in shipped_text(name)
    if name == "naaccr":
        assert set(crosswalk.needed) <= set(ITEMS)
    if name == "pcornet":
        numbers = {number for number, _ in ITEMS.values()}
        assert {int(column.rpartition("_N")[2]) for column in crosswalk.needed if column != "PATID"} <= numbers


def test_osiris_pivot_files(tmp_path: Path):
    (tmp_path / "OSIRIS_pivot_Patient.csv").write_text(
        "Patient_id,Instance_Id,Patient_Gender,Patient_Ethnicity,Patient_BirthDate,Patient_DeathDate,"
        "Patient_ProviderCenterId,Patient_LastNewsDate,Patient_LastNewsStatus\n"
        "7,1,HL7:F,,2010-05-05,,75 001,2020-05-05,UMLS:C2584946\n"
        "8,1,UMLS:C0439673,,2012-01-31,2016-02-01,75 001,2016-02-01,UMLS:C1546956\n"
    )
    (tmp_path / "OSIRIS_pivot_TumorPathologyEvent.csv").write_text(
        "Patient_Id,Instance_Id,TumorPathologyEvent_Type,TumorPathologyEvent_StartDate,"
        "TumorPathologyEvent_DiagnosisDate,TumorPathologyEvent_TopographyCode,TumorPathologyEvent_MorphologyCode\n"
        "7,1,UMLS:C0677930,2014-01-01,2014-02-01,C64.9,8960/3\n"
        "7,2,UMLS:C2939419,2016-01-01,2016-02-01,C34.9,8960/6\n"
        "8,1,UMLS:C0677930,2014-01-31,,C71.5,9390-3\n"
        "9,1,UMLS:C0677930,2014-01-31,,UMLS:C0439673,9390/3\n"
    )
    found = harmonise(tmp_path, Crosswalk.shipped("osiris"))
    columns = listed(found.frame)
    assert columns["patient"] == ["7", "8", "9"] and columns["diagnosis"] == ["VIa", "IIIa", None]
    assert columns["age"] == [3, 2, None] and columns["sex"] == ["female", None, None]
    assert columns["event"] == ["alive", "dead", None] and columns["time"] == [2285, 731, None]
    assert [(item.column, item.code) for item in found.report.unmapped] == [("diagnosis", "- 9390/3 -")]
    frames = {path.name: pl.read_csv(path, infer_schema=False).lazy() for path in tmp_path.glob("*.csv")}
    lazily = harmonise(frames, Crosswalk.shipped("osiris")).frame.sort_values("patient", ignore_index=True)
    pd.testing.assert_frame_equal(lazily, found.frame)  # a join keeps no order


def test_pcornet_tumor_table(tmp_path: Path):
    (tmp_path / "tumor.csv").write_text(
        "PATID|PRIMARY_SITE_N400|HISTOLOGIC_TYPE_ICD_O3_N522|BEHAVIOR_CODE_ICD_O3_N523|SEX_N220|DATE_OF_DIAGNOSIS_N390|"
        "DATE_OF_LAST_CONTACT_N1750|VITAL_STATUS_N1760|AGE_AT_DIAGNOSIS_N230|ADDR_AT_DX_STATE_N80\n"
        "p|C220|8170|3|1|20150101|20160101|0|012|KS\n"
    )
    found = harmonise(tmp_path / "tumor.csv", Crosswalk.shipped("pcornet"))
    assert listed(found.frame) == {
        "patient": ["p"], "tumour": [1], "group": ["VII"], "diagnosis": ["VIIb"], "age": [12], "sex": ["male"],
        "year": [2015], "region": ["KS"], "stage": [None], "time": [365], "event": ["dead"],
    }  # fmt: skip


def test_a_source_that_has_classified_itself():
    data = {
        "name": "classified", "columns": {"patient": "id", "diagnosis": "iccc", "year": "year", "time": "months"},
        "values": {"diagnosis": {"71": "VIIa", "7": "VII"}}, "units": {"time": "months"},
    }  # fmt: skip
    rows = pd.DataFrame({"id": [1, 2, 3], "iccc": [71, 7, 99], "year": [2015, 2016, 2017.0], "months": [12, 0.5, None]})
    found = harmonise(rows, Crosswalk.from_dict(data))
    columns = listed(found.frame)
    assert columns["diagnosis"] == ["VIIa", None, None] and columns["group"] == ["VII", "VII", None]
    assert columns["year"] == [2015, 2016, 2017] and columns["time"] == [365, 15, None]
    assert [(item.column, item.code) for item in found.report.unmapped] == [("diagnosis", "99")]


WRONG = {
    "columns.patiant": ("patient =", "patiant ="),
    "columns.patient": ('patient = "case"\n', ""),
    "columns": ('morphology = "form"\n', ""),
    "values.sex.w": ('w = "female"', 'w = "woman"'),
    "values.stage.fern": ('"metastatic"', '"distant"'),
    "values.age": ("[values.region]", "[values.age]\n1 = '2'\n[values.region]"),
    "unknown.time": ("[unknown]", '[unknown]\ntime = ["9"]'),
    "dates.order": ('"dmy"', '"ydm"'),
    "units.age": ('[units]\nage = "months"', '[units]\nage = "weeks"'),
    "colums": ("[columns]", "[colums]\na = 'b'\n[columns]"),
    "tables.0.file": ("[columns]", '[[tables]]\nfile = "../secret.csv"\n[columns]'),
    "tables": ("[columns]", '[[tables]]\nfile = "a.csv"\n[[tables]]\nfile = "b.csv"\n[columns]'),
}


@pytest.mark.parametrize("key", WRONG)
def test_wrong_files_name_the_key(tmp_path: Path, key: str):
    before, after = WRONG[key]
    path = tmp_path / "wrong.toml"
    assert before in MINE
    path.write_text(MINE.replace(before, after, 1))
    with pytest.raises(ConfigError) as caught:
        Crosswalk.from_file(path)
    assert caught.value.argument == key


def test_sources_that_do_not_serve(mine: Crosswalk, tmp_path: Path):
    with pytest.raises(DataError, match="form"):
        harmonise(ROWS.drop(columns="form"), mine)
    with pytest.raises(DataError, match="kind"):
        harmonise(ROWS.drop(columns="kind"), mine)
    with pytest.raises(DataError, match="twice"):
        harmonise(ROWS.assign(case="x"), mine)
    for source in (3, tmp_path / "no.csv", tmp_path / "no.parquet", tmp_path):
        with pytest.raises(InvalidArgument):
            harmonise(source, mine)
    with pytest.raises(InvalidArgument, match="crosswalk"):
        harmonise(ROWS, MINE)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="folder"):
        harmonise(tmp_path / "nowhere", Crosswalk.shipped("osiris"))
    with pytest.raises(InvalidArgument, match="shipped"):
        Crosswalk.shipped("redcap")
    without_region = harmonise(ROWS.drop(columns=["canton", "extent"]), mine)
    assert without_region.frame["region"].isna().all() and without_region.frame["stage"].isna().all()


@pytest.mark.parametrize("separator", [",", ";", "|", "\t"])
def test_a_first_row_with_too_many_fields_does_not_shift_the_columns(tmp_path: Path, separator: str):
    """Read as pandas likes it, the patients' numbers became an index, and every column its neighbour's."""
    path = tmp_path / "cases.csv"
    lines = ["patient,topography,morphology,year", "1,C22.0,8970/3,2015,stray", "2,C22.0,8970/3,2015"]
    crosswalk = Crosswalk.from_dict(
        {"name": "x", "columns": {n: n for n in ("patient", "topography", "morphology", "year")}}
    )
    path.write_text("\n".join(line.replace(",", separator) for line in lines), encoding="utf-8")
    with pytest.raises(InvalidArgument, match="more fields than the first"):
        harmonise(path, crosswalk)
    path.write_text("\n".join(line.replace(",", separator) for line in (lines[0], lines[2])), encoding="utf-8")
    assert harmonise(path, crosswalk).frame["diagnosis"].tolist() == ["VIIa"]
