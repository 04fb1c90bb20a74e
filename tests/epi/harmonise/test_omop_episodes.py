"""EPISODE and EPISODE_EVENT: the day of diagnosis and the extent at it, from every place where tables can be."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import polars as pl
import pytest

from pets.epi.harmonise import harmonise_omop
from pets.errors import InvalidArgument
from tests.epi.harmonise.oncology import EPISODE, EVENT, LIST, ONCOLOGY, WIDER, listed

if TYPE_CHECKING:
    import pandas as pd


def tables() -> dict[str, pd.DataFrame]:
    """The small oncology database, with no measurement that points to the tumours of interest."""
    kept = ONCOLOGY["MEASUREMENT"].query("measurement_event_id == 10")
    return {**ONCOLOGY, "MEASUREMENT": kept, "EPISODE": EPISODE, "EPISODE_EVENT": EVENT}


def folder(tmp_path: Path, frames: Mapping[str, pd.DataFrame]) -> Path:
    for name, frame in frames.items():
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
    return tmp_path


def duckdb_file(tmp_path: Path, frames: Mapping[str, pd.DataFrame]) -> Path:
    path = tmp_path / "cdm.duckdb"
    with duckdb.connect(str(path)) as connection:
        for name, frame in frames.items():
            connection.register("arriving", frame)
            dated = [column for column in frame.columns if column.endswith("_date")]
            casts = ", ".join(f"cast({column} as date) as {column}" for column in dated)
            connection.execute(f"create table {name} as select * {f'replace ({casts})' if dated else ''} from arriving")
    return path


def sqlite(tmp_path: Path, frames: Mapping[str, pd.DataFrame]) -> Any:
    connection = sqlite3.connect(tmp_path / "cdm.sqlite")
    for name, frame in frames.items():
        frame.to_sql(name.lower(), connection, index=False)
    return connection


PLACES = {
    "pandas": lambda _, frames: frames,
    "polars": lambda _, frames: {name: pl.from_pandas(frame) for name, frame in frames.items()},
    "folder of csv": folder,
    "duckdb file": duckdb_file,
    "database": sqlite,
}


@pytest.fixture
def lists(tmp_path: Path) -> dict[str, Path]:
    inside = tmp_path / "lists"
    inside.mkdir()
    (inside / "concepts.csv").write_text(LIST)
    (inside / "stages.csv").write_text(WIDER)
    return {"concepts": inside / "concepts.csv", "stages": inside / "stages.csv"}


@pytest.mark.parametrize("place", PLACES)
def test_an_episode_says_when_and_how_far(place: str, tmp_path: Path, lists: dict[str, Path]):
    found = harmonise_omop(PLACES[place](tmp_path, tables()), **lists)
    columns = listed(found.frame)
    assert columns["patient"] == ["1", "1", "2", "3", "4"]
    assert columns["diagnosis"] == ["VIIa", "IIIc", "VIIb", "IIIc", "IVa"]
    assert columns["year"] == [2014, 2015, 2016, 2020, 2019]
    # dead on 2016-01-01: counted from the episodes, 2014-02-20 and 2015-01-09
    assert columns["time"][:2] == [680, 357]
    assert columns["stage"] == ["localised", "locoregional", None, "metastatic", None]
    assert found.report.notes["diagnosis_date by an episode of another day than the first condition"] == 2


def test_without_the_tables_the_first_condition_counts(tmp_path: Path, lists: dict[str, Path]):
    for left_out in (["EPISODE"], ["EPISODE_EVENT"], ["EPISODE", "EPISODE_EVENT"]):
        frames = {name: frame for name, frame in tables().items() if name not in left_out}
        inside = tmp_path / "-".join(left_out)
        inside.mkdir()
        for make in (lambda _, frames: frames, sqlite):
            found = harmonise_omop(make(inside, frames), **lists)
            assert listed(found.frame)["year"] == [2013, 2015, 2016, 2020, 2019]
            assert not found.report.notes["diagnosis_date by an episode of another day than the first condition"]


def test_measurements_count_before_episodes(lists: dict[str, Path]):
    frames = {**tables(), "MEASUREMENT": ONCOLOGY["MEASUREMENT"]}
    assert listed(harmonise_omop(frames, **lists).frame)["stage"][1] == "metastatic"


def test_extents_serve_where_no_measurements_are(lists: dict[str, Path]):
    frames = {name: frame for name, frame in tables().items() if name != "MEASUREMENT"}
    found = listed(harmonise_omop(frames, **lists).frame)
    assert found["stage"] == [None, "locoregional", None, "metastatic", None]
    del frames["EPISODE"]
    with pytest.raises(InvalidArgument, match="EPISODE"):
        harmonise_omop(frames, **lists)


def test_an_episode_can_change_which_tumour_comes_first(lists: dict[str, Path]):
    """The order of the tumours is that of the diagnoses, after episodes have moved them."""
    moved = EPISODE.assign(episode_start_date=EPISODE["episode_start_date"].replace("2015-01-09", "2013-01-09"))
    found = listed(harmonise_omop({**tables(), "EPISODE": moved}, **lists).frame)
    assert found["diagnosis"][:2] == ["IIIc", "VIIa"]
    assert found["tumour"][:2] == [1, 2]
