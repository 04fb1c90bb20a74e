"""Through the mock network of vantage6 5, which needs Python 3.13; runs where it is installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

network = pytest.importorskip("vantage6.algorithm.mock.network")

NAMES = {1: "FR", 2: "UK", 3: "US"}


def test_a_cross_table_over_three_organizations(
    world: Any, site_files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, name in NAMES.items():
        (world.folder / str(number)).symlink_to(site_files[name].parent)
    monkeypatch.setenv("PETS_SITE", str(world.folder / "{organization}" / "party.toml"))
    monkeypatch.setenv("PETS_COLLECTOR", str(site_files["server"]))
    datasets = [{"rows": {"database": world.frames[name], "db_type": "csv"}} for name in NAMES.values()]
    client = network.MockNetwork(module_name="pets.adapters.vantage6.algorithm", datasets=datasets).user_client
    task = client.task.create(
        method="central", organizations=[1], arguments={"asked": {"ask": "crosstab", "by": ["sex"], "epsilon": 2}},
        databases=[{"type": "dataframe", "dataframe_id": 1, "label": "rows"}],
    )  # fmt: skip
    (answer,) = client.result.from_task(task["id"])
    truth = world.pooled().sex.value_counts()
    assert answer["sites"] == list(NAMES.values())
    for row in answer["result"]:
        assert abs(row["value"] - truth[row["sex"]]) < 60 * row["stderr"]
