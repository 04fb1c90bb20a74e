"""``pets ledger show`` and ``pets ledger verify``."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from pets.cli_ledger import app
from pets.guarantee import PureDP, SuppressionRule
from pets.ledger import Ledger


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "budget.sqlite"
    with Ledger(path, PureDP(1)) as ledger:
        ledger.charge(PureDP("0.25"), note="[bold]incidence[/bold] by age", unit="one patient", request="r")
        ledger.store_answer("r", "1, 2, 3", unit="one patient")
        ledger.charge(PureDP("0.5"), dataset="UK")
        ledger.charge(SuppressionRule(5, "publish"), dataset="UK", allow_exact=True, note="line\nbreak")
    return path


def pets(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(a) for a in arguments], env={"COLUMNS": "200", "TERM": "dumb"})


def test_show_says_what_is_spent_and_left(path: Path) -> None:
    shown = pets("show", path)
    assert shown.exit_code == 0
    assert "Each account may spend at most epsilon = 1 (pure DP)." in shown.stdout
    expected = [
        "one patient",
        "[#####...............]",
        "epsilon = 0.75 (pure DP)",
        "1 EXACT RELEASE",
        "WARNING: 1 exact",
        "[bold]incidence[/bold] by age",
        r"line\nbreak",
        "answer kept for default",
    ]
    for words in expected:
        assert words in shown.stdout, words
    with Ledger(path) as ledger:
        assert f"Newest entry: {ledger.head}" in shown.stdout


def test_show_for_programs(path: Path) -> None:
    shown = json.loads(pets("show", path, "--json", "--entries", 2).stdout)
    assert shown["limit"] == {"type": "pure_dp", "epsilon": "1"}
    assert [(a["dataset"], a["spent"]["epsilon"], a["exact_releases"]) for a in shown["accounts"]] == [
        ("UK", "0.5", 1),
        ("default", "0.25", 0),
    ]
    assert [e["sequence"] for e in shown["entries"]] == [4, 5]
    assert shown["head"] == shown["entries"][-1]["hash"]
    assert "1, 2, 3" not in json.dumps(shown)


def test_show_without_entries(path: Path) -> None:
    assert "Newest entries" not in pets("show", path, "--entries", 0).stdout
    assert pets("show", path, "--entries", -1).exit_code == 2


def test_verify_a_good_ledger(path: Path) -> None:
    with Ledger(path) as ledger:
        head, early = ledger.head, ledger.entries()[1].hash
    checked = pets("verify", path)
    assert checked.exit_code == 0
    assert checked.stdout.startswith("OK. 5 entries hold together (accounts: 2, answers: 1).")
    assert head in checked.stdout
    assert pets("verify", path, "--head", early).exit_code == 0
    assert json.loads(pets("verify", path, "--head", early, "--json").stdout) == {
        "ok": True, "entries": 5, "accounts": 2, "answers": 1, "head": head, "anchored": early,
    }  # fmt: skip


def test_verify_a_tampered_ledger(path: Path) -> None:
    connection = sqlite3.connect(path)
    (trigger,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'entries_final'").fetchone()
    connection.execute("DROP TRIGGER entries_final")
    connection.execute("UPDATE entries SET note = 'x' WHERE sequence = 4")
    connection.execute(trigger)
    connection.commit()
    connection.close()
    checked = pets("verify", path)
    assert checked.exit_code == 4
    assert "TAMPERED OR DAMAGED: entry 4 was changed" in checked.stderr
    told = pets("verify", path, "--json")
    assert told.exit_code == 4
    assert json.loads(told.stdout) == {"ok": False, "tampered": True, "error": "entry 4 was changed.", "entry": 4}


def test_verify_against_a_foreign_head(path: Path) -> None:
    assert pets("verify", path, "--head", "0" * 64).exit_code == 4


@pytest.mark.parametrize("command", ["show", "verify"])
def test_other_failures(tmp_path: Path, command: str) -> None:
    missing = pets(command, tmp_path / "none")
    assert missing.exit_code == 1
    assert "there is no ledger" in missing.stderr
    (tmp_path / "text").write_text("hello")
    assert "not a budget ledger" in pets(command, tmp_path / "text").stderr
    assert [p.name for p in tmp_path.iterdir()] == ["text"]


def test_a_malformed_head_is_no_tampering(path: Path) -> None:
    assert pets("verify", path, "--head", "abc").exit_code == 1


@pytest.mark.parametrize(
    ("command", "words"), [((), "verify"), (("show",), "exact releases"), (("verify",), "Exit code")]
)
def test_help_teaches(command: tuple[str, ...], words: str) -> None:
    helped = pets(*command, "--help")
    assert helped.exit_code == 0
    assert words.lower() in helped.stdout.lower()
