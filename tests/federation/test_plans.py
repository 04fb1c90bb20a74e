"""Plan files of studies: what they say, what `pets preview` prints of them, and how wrong ones are refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import pets
from pets.cli import app
from pets.errors import ConfigError, InvalidArgument, PairingRefused
from pets.federation import SyntheticStudy, plan_from_file
from pets.pipeline import Pipeline
from pets.synthetic import MST, Survival

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "three-registries-synthetic"
DOMAIN = {"schema": 1, "attributes": {"site": {"type": "categorical", "categories": ["bone", "brain"]}}}
DOMAIN["attributes"] |= {"stage": {"type": "categorical", "categories": ["I", "II", "III"]}}
PLAN: dict[str, Any] = {
    "schema": 1, "domain": DOMAIN, "synthesizer": {"type": "mst", "epsilon": "1", "rows": 500},
    "aggregator": {"type": "masked_sum"},
}  # fmt: skip


def written(folder: Path, **changes: Any) -> Path:
    path = folder / "plan.json"
    path.write_text(json.dumps({key: value for key, value in (PLAN | changes).items() if value is not None}))
    return path


def test_a_plan_with_a_synthesizer_is_a_study(tmp_path: Path):
    study = plan_from_file(written(tmp_path))
    assert isinstance(study, SyntheticStudy) and study.synthesizer == MST(epsilon=1, rows=500)
    assert study.cost == pets.ApproxDP(1, "1e-9", unit=study.domain.unit) and study.ledger is None
    assert study.joint(["a", "b", "c"]).fit.arrangement.inside
    question = {"type": "count", "by": ["site"]}
    other = written(tmp_path, synthesizer=None, query=question, mechanism={"type": "discrete_laplace", "epsilon": "1"})
    assert isinstance(plan_from_file(other), Pipeline)


def test_the_example_is_one(tmp_path: Path):
    for name in ("plan.toml", "registry.toml"):
        (tmp_path / name).write_text((EXAMPLE / name).read_text(encoding="utf-8"), encoding="utf-8")
    study = plan_from_file(tmp_path / "plan.toml")
    assert isinstance(study, SyntheticStudy) and study.synthesizer.kind == "aim"
    assert study.synthesizer.survival == (Survival("time", "status", by=["histology"]),)
    assert study.ledger is not None and study.ledger.limit == pets.ApproxDP(3, "1e-5")
    study.ledger.close()
    said = CliRunner().invoke(
        app, ["preview", str(tmp_path / "plan.toml"), "--site", "a", "--site", "b", "--site", "c"]
    )
    assert said.exit_code == 0, said.output
    for words in ("by AIM", "once for all rounds", "typically", "any 2 are", "never the exact one", "Who learns what"):
        assert words in " ".join(said.output.split()), words
    shown = CliRunner().invoke(app, ["preview", str(tmp_path / "plan.toml"), "--json"])
    assert json.loads(shown.output)["Budget"][0] == ["cost", f"{study.cost}, once for all rounds"]


WRONG: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "a key": ({"mechanism": {"type": "discrete_laplace"}}, ConfigError, "mechanism"),
    "schema": ({"schema": 2}, ConfigError, "schema"),
    "exact totals": ({"noise_at": "curator"}, PairingRefused, "inside the sums"),
    "no table": ({"synthesizer": "mst"}, ConfigError, "synthesizer"),
    "a kind": ({"synthesizer": {"type": "gan", "epsilon": 1}}, ConfigError, "type"),
    "an epsilon": ({"synthesizer": {"type": "mst", "epsilon": -1}}, ConfigError, "synthesizer.epsilon"),
    "a survival": ({"synthesizer": {"type": "mst", "epsilon": 1, "survival": ["t"]}}, ConfigError, "survival"),
    "its key": (
        {"synthesizer": {"type": "mst", "epsilon": 1, "survival": [{"time": "t", "evnt": "e"}]}}, ConfigError, "event",
    ),
    "half of it": (
        {"synthesizer": {"type": "mst", "epsilon": 1, "survival": [{"time": "t"}]}}, ConfigError, "0.event",
    ),
    "its column": (
        {"synthesizer": {"type": "mst", "epsilon": 1, "survival": [{"time": "t", "event": "e"}]}}, ConfigError, "t",
    ),
    "a workload": ({"synthesizer": {"type": "mst", "epsilon": 1, "workload": [["age"]]}}, ConfigError, "age"),
    "a data set": ({"dataset": ""}, ConfigError, "dataset"),
    "a repeat": ({"repeat": 2}, ConfigError, "repeat"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_plan_is_refused_by_the_name_of_the_key_and_makes_no_ledger(case: str, tmp_path: Path):
    changes, error, words = WRONG[case]
    book = {"path": "budget.sqlite", "limit": {"type": "approx_dp", "epsilon": "3", "delta": "1e-5"}}
    with pytest.raises(error, match=words):
        plan_from_file(written(tmp_path, **{"ledger": book} | changes))
    assert not (tmp_path / "budget.sqlite").exists()


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"aggregator": {"type": "plain"}}, PairingRefused, "secure sum"),
        ({"synthesizer": {"type": "mst", "epsilon": "0.001", "rows": 50}}, InvalidArgument, "too small for 50 rows"),
        ({"colluding_sites": 7}, InvalidArgument, "colluding_sites"),
    ],
)
def test_what_cannot_be_held_is_refused_when_the_sites_are_known(
    changes: dict[str, Any], error: type[Exception], words: str, tmp_path: Path
):
    study = plan_from_file(written(tmp_path, **changes))
    with pytest.raises(error, match=words):
        study.preview(["a", "b", "c"])


def test_one_table_has_a_command_of_its_own(tmp_path: Path):
    (tmp_path / "a.csv").write_text("site,stage\nbone,I\n")
    found = CliRunner().invoke(app, ["run", str(written(tmp_path)), "--site", f"a={tmp_path / 'a.csv'}"])
    assert found.exit_code == 1 and "pets synth" in str(found.exception)
