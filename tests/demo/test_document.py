"""results.json: plain, complete, and equal to what was computed."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from pets.demo import DemoFiles
from pets.demo.document import SCHEMA


@pytest.fixture(scope="module")
def results(files: DemoFiles) -> dict[str, Any]:
    def refuse(constant: str) -> float:
        raise AssertionError(f"{constant} is no JSON")

    found = json.loads(files.results.read_text(encoding="utf-8"), parse_constant=refuse)
    assert isinstance(found, dict)
    return found


def test_the_schema(results: dict[str, Any]) -> None:
    assert results["schema"] == SCHEMA == "pets-demo/1"
    assert list(results) == [
        "schema", "source", "versions", "question", "exact", "masked", "noise", "epsilon", "ledger",
    ]  # fmt: skip
    assert "IARC CancerBase No. 19" in results["source"]["citation"]
    assert len(results["source"]["registries"]) == 21
    assert set(results["versions"]) >= {"pets", "python", "numpy", "matplotlib"}
    assert results["question"]["privacy_unit"] == "one row added or removed"
    assert results["question"]["cells"][0] == {"sex": "male", "age_group": "0-4"}
    assert results["question"]["standard_population"] == "World (Segi 1960)"


def test_the_known_answers(results: dict[str, Any]) -> None:
    assert results["exact"]["total"] == sum(results["exact"]["cells"]) == 294
    assert [(m["minimum"], m["where"], m["lost"]) for m in results["masked"]] == [
        (5, "each registry", 90), (11, "each registry", 195), (16, "each registry", 195),
        (5, "joint total", 0), (11, "joint total", 7), (16, "joint total", 7),
    ]  # fmt: skip
    assert results["masked"][0]["lost_share"] == pytest.approx(0.306, abs=5e-4)
    at_one = {n["where"]: n["stderr_share"] for n in results["noise"] if n["epsilon"] == 1}
    # six cells of variance 1 / (2 sinh(1/2)^2), once or 21 times
    law = math.sqrt(6 / (2 * math.sinh(0.5) ** 2)) / 294
    assert at_one == {"joint total": pytest.approx(law), "each registry": pytest.approx(law * math.sqrt(21))}


def test_every_release_is_there_with_its_uncertainty(files: DemoFiles, results: dict[str, Any]) -> None:
    assert len(results["noise"]) == 12
    for entry in results["noise"]:
        place = "joint" if entry["where"] == "joint total" else "registry"
        release = files.study.at(entry["epsilon"], place)  # type: ignore[arg-type]
        assert entry["total"] == {
            "value": release.total.value, "stderr": release.total.stderr,
            "ci_low": release.total.low, "ci_high": release.total.high,
        }  # fmt: skip
        assert len(entry["cells"]) == 6
        assert entry["rate"]["ci_low"] <= max(entry["rate"]["value"], 0) <= entry["rate"]["ci_high"]
        assert entry["rate"]["per"] == 1_000_000
        assert entry["lost"] == 0


def test_the_best_guess(results: dict[str, Any]) -> None:
    guesses = {e["epsilon"]: e["best_guess_of_100"] for e in results["epsilon"]}
    assert guesses[1] == pytest.approx(100 * math.e / (1 + math.e))


def test_the_file_is_small_and_ends_with_a_newline(files: DemoFiles) -> None:
    text = files.results.read_text(encoding="utf-8")
    assert text.endswith("}\n")
    assert len(text) < 50_000
