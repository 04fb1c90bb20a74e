"""The command line as a person meets it: what it prints, what it refuses before charging, exit codes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import pets

DOMAIN = """
schema = 1
[attributes.site]
type = "categorical"
categories = ["liver", "kidney"]
"""
PLAN = """
schema = 1
domain = "registry.toml"
[query]
type = "count"
by = ["site"]
[mechanism]
type = "discrete_laplace"
epsilon = "1"
[ledger]
path = "budget.sqlite"
limit = { type = "pure_dp", epsilon = "2" }
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "registry.toml").write_text(DOMAIN)
    (tmp_path / "plan.toml").write_text(PLAN)
    (tmp_path / "fr.csv").write_text("site\nliver\nliver\nlung\n")
    (tmp_path / "uk.csv").write_text("site\nkidney\n")
    return tmp_path


def command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-m", "pets", *arguments]
    here = {"PYTHONPATH": str(Path(pets.__file__).parents[1]), "COLUMNS": "100"}
    return subprocess.run(
        program, cwd=folder, env=os.environ | here, capture_output=True, text=True, check=False, timeout=120
    )


def spent(folder: Path) -> object:
    with pets.Ledger(folder / "budget.sqlite") as ledger:
        return sum(entry.kind == "charge" for entry in ledger.entries())


def test_run_says_what_it_cost_and_then_that_it_remembered(folder):
    first = command(folder, "run", "plan.toml", "--site", "FR=fr.csv", "--site", "UK=uk.csv", "-o", "out.json")
    assert first.returncode == 0, first.stderr
    assert "charged: epsilon = 1" in first.stderr
    assert "Rows left out" in first.stdout
    assert "exact table of every site" in " ".join(first.stdout.split())
    assert pets.Release.from_json((folder / "out.json").read_text()).provenance.sites == ("FR", "UK")
    again = command(folder, "run", "plan.toml", "--site", "FR=fr.csv", "--site", "UK=uk.csv")
    assert "nothing was charged" in " ".join(again.stderr.split())
    assert again.stdout == first.stdout
    assert spent(folder) == 1


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--site", "FR=fr.csv", "--site", "FR=uk.csv"], "twice"),
        (["--site", "fr.csv"], "NAME=FILE"),
        (["--site", "FR=missing.csv"], "does not exist"),
        (["--site", "FR=fr.csv", "-o", "nowhere/out.json"], "folder that does not exist"),
        (["--site", "FR=fr.csv", "--level", "95"], "level"),
    ],
)
def test_mistakes_are_one_sentence_and_cost_nothing(folder, arguments, word):
    done = command(folder, "run", "plan.toml", *arguments)
    assert done.returncode == 1
    assert word in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    assert not (folder / "budget.sqlite").exists() or spent(folder) == 0


def test_over_budget_has_its_own_exit_code(folder):
    codes = [
        command(folder, "run", "plan.toml", "--site", "FR=fr.csv", "--repeat", draw).returncode
        for draw in ("a", "b", "c")
    ]
    assert codes == [0, 0, 3]


def test_preview_reads_no_data(folder):
    done = command(folder, "preview", "plan.toml")
    assert done.returncode == 0
    assert "within 3 of the truth" in " ".join(done.stdout.split())
    missing = command(folder, "preview", "nope.toml")
    assert missing.returncode == 1
    assert "nope.toml" in missing.stderr


def test_suggested_domain_must_be_declared_by_a_person(folder):
    done = command(folder, "suggest-domain", "fr.csv")
    assert done.returncode == 0
    with pytest.raises(pets.errors.ConfigError):
        pets.Domain.from_toml(done.stdout)
