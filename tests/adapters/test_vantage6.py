"""Through vantage6's own decorators and mock client (version 4); runs where it is installed (scripts/platforms.sh)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pets.guards import AuditLog

mock = pytest.importorskip("vantage6.algorithm.tools.mock_client")

ALGORITHM = "pets.adapters.vantage6.algorithm"
NAMES = {10: "FR", 11: "UK", 12: "US"}


@pytest.fixture
def client(world: Any, site_files: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> Any:
    for number, name in NAMES.items():
        (world.folder / str(number)).symlink_to(site_files[name].parent)
    monkeypatch.setenv("PETS_SITE", str(world.folder / "{organization}" / "party.toml"))
    monkeypatch.setenv("PETS_COLLECTOR", str(site_files["server"]))
    datasets = [[{"database": world.frames[name]}] for name in NAMES.values()]
    return mock.MockAlgorithmClient(datasets=datasets, organization_ids=list(NAMES), module=ALGORITHM)


def ask(client: Any, asked: dict[str, Any]) -> Any:
    task = client.task.create(input_={"method": "central", "kwargs": {"asked": asked}}, organizations=[10])
    (answer,) = client.wait_for_results(task_id=task["id"])
    return answer


def test_a_cross_table_over_three_organizations(client: Any, world: Any, site_files: dict[str, Path]) -> None:
    answer = ask(client, {"ask": "crosstab", "by": ["sex"], "epsilon": 2, "purpose": "a test"})
    truth = world.pooled().sex.value_counts()
    for row in answer["result"]:
        assert abs(row["value"] - truth[row["sex"]]) < 60 * row["stderr"]
    assert answer["sites"] == list(NAMES.values())
    for name in NAMES.values():
        log = AuditLog(site_files[name].parent / "audit.jsonl")
        assert [entry.verdict for entry in log.entries()] == ["answered", "finished"]
        assert log.verify(answer["audit"][name]) == 2
    json.dumps(answer)


def test_an_organization_that_refuses_says_so(client: Any, site_files: dict[str, Path]) -> None:
    ask(client, {"ask": "count", "epsilon": 4})
    with pytest.raises(Exception, match="sites are left") as caught:
        ask(client, {"ask": "count", "epsilon": 4})  # the limit is 5
    assert any("budget" in note for note in caught.value.__notes__)


def test_settings_may_come_one_by_one(world: Any, site_files: dict[str, Path]) -> None:
    from pets.adapters import Parcel
    from pets.adapters.vantage6 import answer_at_site

    home = site_files["FR"].parent
    environment = {
        "PETS_KEY": str(home / "party.key"), "PETS_ROSTER": str(home / "roster.toml"), "PETS_STATE": str(home / "s"),
        "PETS_DOMAIN": str(home / "registry.toml"), "PETS_POLICY": str(home / "policy.toml"),
        "PETS_AUDIT": str(home / "a.jsonl"), "PETS_LEDGER": str(home / "b.sqlite"),
        "PETS_LIMIT": '{"type": "pure_dp", "epsilon": "1"}', "PETS_DATASET": "registry",
    }  # fmt: skip
    reply = answer_at_site(world.frames["FR"], Parcel("hello").to_dict(), environment=environment)
    assert reply["head"]["name"] == "FR"
