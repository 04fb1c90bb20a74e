"""Kill -9 at any instant: no release without a charge, no charge lost, no budget overspent, no chain broken."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HARNESS = Path(__file__).with_name("ledger_kill_harness.py")


def harness(*arguments: object) -> dict[str, Any]:
    environment = os.environ | {"PYTHONPATH": str(HARNESS.parent.parent), "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, str(HARNESS), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def assert_kept(found: dict[str, Any]) -> None:
    assert found["violations"] == []


def test_eight_writers_under_random_kills() -> None:
    found = harness("random", "--kills", 200)
    assert_kept(found)
    assert found["releases"] > 200
    assert found["rounds"] > 5  # budgets were used up, so overspending was possible


def test_a_kill_at_any_line() -> None:
    found = harness("steps", "--stride", 37)
    assert_kept(found)
    assert found["steps"] > 20


BUGS = ["release first", "own answer", "deferred transaction", "no transaction", "no previous hash"]


@pytest.mark.parametrize("bug", BUGS)
def test_the_harness_finds_a_planted_bug(bug: str) -> None:
    assert harness("random", "--kills", 40, "--bug", bug)["violations"]


@pytest.mark.slow
def test_eight_writers_under_ten_thousand_random_kills() -> None:
    found = harness("random", "--kills", 10_000, "--seed", 2)
    assert_kept(found)
    assert found["releases"] > 10_000


@pytest.mark.slow
def test_a_kill_at_every_line() -> None:
    found = harness("steps")
    assert_kept(found)
    assert found["steps"] > 1000


@pytest.mark.slow
def test_a_kill_at_every_seventh_instruction() -> None:
    found = harness("steps", "--instructions", "--stride", 7)
    assert_kept(found)
    assert found["steps"] > 700


@pytest.mark.slow
@pytest.mark.parametrize("bug", ["release first", "own answer", "no transaction", "no previous hash"])
def test_the_step_by_step_harness_finds_a_planted_bug(bug: str) -> None:
    assert harness("steps", "--bug", bug, "--stride", 3)["violations"]
