"""What administrators write is read strictly, and mistakes are named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import pets
from pets.adapters.site_file import party_from_environment, party_from_file, site_from_environment, site_from_file
from pets.errors import ConfigError, DataError, KeyFileError


def edit(path: Path, old: str, new: str) -> Path:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return path


def test_a_site_and_the_collector_are_read(site_files: dict[str, Path], world: Any) -> None:
    site = site_from_file(site_files["UK"])
    assert (site.name, site.dataset) == ("UK", "registry")
    assert len(site.rows()) == len(world.frames["UK"])  # type: ignore[arg-type]
    assert party_from_file(site_files["server"]).store.identity.name == "server"
    assert site_from_environment({"PETS_SITE": str(site_files["UK"])}).name == "UK"
    assert party_from_environment({"PETS_COLLECTOR": str(site_files["server"])}).dataset == "registry"


def test_parquet_is_read_as_well(site_files: dict[str, Path], world: Any) -> None:
    pytest.importorskip("pyarrow")
    world.frames["UK"].to_parquet(site_files["UK"].parent / "rows.parquet")
    site = site_from_file(edit(site_files["UK"], "rows.csv", "rows.parquet"))
    assert isinstance(site.rows(), pd.DataFrame)


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("schema = 1", "schema = 2", "schema"),
        ('dataset = "registry"', 'datasett = "registry"', "datasett"),
        ('roster = "roster.toml"', "", "roster"),
        ('data = "rows.csv"', 'data = "none.csv"', "data"),
        ('path = "budget.sqlite"', "path = 3", "ledger"),
    ],
)
def test_a_mistake_is_named(site_files: dict[str, Path], old: str, new: str, key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        site_from_file(edit(site_files["FR"], old, new))
    assert caught.value.argument == key


def test_an_operator_can_confirm_that_a_log_is_lost(site_files: dict[str, Path]) -> None:
    assert site_from_file(site_files["FR"]).forgotten is None
    path = edit(site_files["FR"], 'data = "rows.csv"', 'data = "rows.csv"\nforgotten = "4f1c"')
    assert site_from_file(path).forgotten == "4f1c"


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_rows_with_any_separator_are_read(site_files: dict[str, Path], world: Any, separator: str) -> None:
    """As the commands read them: a site on a platform took commas only."""
    rows = site_files["FR"].parent / "rows.csv"
    world.frames["FR"].to_csv(rows, index=False, sep=separator, encoding="utf-8-sig")
    site = site_from_file(site_files["FR"])
    bound = pets.Count(by=["sex", "age_group"]).bind(world.domain)
    assert bound.tally(site.rows()).values.tolist() == bound.tally(world.frames["FR"]).values.tolist()


def test_a_missing_column_is_found_before_anybody_asks(site_files: dict[str, Path], world: Any) -> None:
    world.frames["FR"].drop(columns="status").to_csv(site_files["FR"].parent / "rows.csv", index=False)
    with pytest.raises(DataError, match="'status'"):
        site_from_file(site_files["FR"])
    with pytest.raises(DataError, match="'status'"):
        site_from_file(site_files["FR"], frame=world.frames["FR"].drop(columns="status"))


def test_a_missing_column_does_not_tell_of_others(site_files: dict[str, Path], world: Any) -> None:
    """What a site says when it cannot start may travel: a platform sends on what an app raises."""
    frame = world.frames["FR"].rename(columns={"status": "status_hiv"})
    with pytest.raises(DataError) as caught:
        site_from_file(site_files["FR"], frame=frame)
    assert "hiv" not in str(caught.value)


def test_a_key_that_is_not_there_is_said(site_files: dict[str, Path]) -> None:
    with pytest.raises(KeyFileError):
        site_from_file(edit(site_files["FR"], "party.key", "other.key"))
