"""Planted privacy bugs: is each of them found by the tests that are there to find it?

``catalogue.toml`` lists the bugs as changes of the source. Each is planted in a copy of the package in a temporary
folder, and the tests that it names are run on the copy: they must fail, and they must have passed on the clean copy.
All of them take some ten minutes (``make mutants``); the quick ones run with every other test.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
MUTANTS: list[dict[str, Any]] = tomllib.loads(Path(__file__).with_name("catalogue.toml").read_text())["mutant"]
QUICK = [mutant for mutant in MUTANTS if mutant.get("quick")]
SECONDS = 300
PASSED, FAILED = 0, 1

PUBLISHED = [  # by the study of other libraries
    "OpenDP #2949", "OpenDP #2945", "OpenDP #2941", "OpenDP #2638", "OpenDP #2708", "IBM #19 and #94", "opacus #616",
    "cross-media-measurement #1357", "smartnoise-core #242", "google #12", "#105, #104, #34", "smartnoise-sdk #622",
    "smartnoise-sdk #472", "smartnoise-core #356", "smartnoise-sdk #568", "OpenDP #2749", "#405", "google #274",
    "smartnoise-sdk #621", "openmed #2457", "arXiv 2207.10635", "arXiv 2412.05164",
]  # fmt: skip


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("planted")
    ignored = shutil.ignore_patterns("__pycache__", ".*", "mutants")
    for name in ("pets", "tests", "docs"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for path in [ROOT / "pyproject.toml", ROOT / "conftest.py", *ROOT.glob("*.md")]:
        shutil.copy(path, folder / path.name)
    return folder


@pytest.fixture
def planted(copy: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """The copy with one bug in it; taken out again afterwards."""
    mutant = request.param
    path = copy / mutant["file"]
    clean = path.read_text(encoding="utf-8")
    assert clean.count(mutant["original"]) == 1
    path.write_text(clean.replace(mutant["original"], mutant["mutated"]), encoding="utf-8")
    yield copy
    path.write_text(clean, encoding="utf-8")


def run(folder: Path, tests: list[str]) -> subprocess.CompletedProcess[str]:
    """Run some tests on the package in `folder`, up to the first failure."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "COV"))}
    # The copy comes first on the path, before the package that is installed. No stale bytecode of an earlier bug.
    environment |= {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "-p", "no:cacheprovider", *tests]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
    )


def name_of(mutant: dict[str, Any]) -> str:
    return str(mutant["name"]).replace(" ", "-")


def must_be_found(mutant: dict[str, Any], folder: Path) -> None:
    result = run(folder, mutant["tests"])
    assert result.returncode == FAILED, f"{mutant['name']}: not found\n{result.stdout[-3000:]}{result.stderr[-1000:]}"
    assert " failed" in result.stdout


@pytest.mark.parametrize("planted", QUICK, ids=name_of, indirect=True)
def test_a_quick_mutant_is_found(planted: Path, request: pytest.FixtureRequest) -> None:
    must_be_found(request.node.callspec.params["planted"], planted)


@pytest.mark.slow
@pytest.mark.parametrize("planted", [mutant for mutant in MUTANTS if mutant not in QUICK], ids=name_of, indirect=True)
def test_a_mutant_is_found(planted: Path, request: pytest.FixtureRequest) -> None:
    must_be_found(request.node.callspec.params["planted"], planted)


@pytest.mark.slow
def test_without_a_bug_the_same_tests_pass(copy: Path) -> None:
    tests = sorted({test for mutant in MUTANTS for test in mutant["tests"]})
    for start in range(0, len(tests), 12):
        result = run(copy, tests[start : start + 12])
        assert result.returncode == PASSED, result.stdout[-3000:]


def test_the_copy_is_what_is_tested(copy: Path) -> None:
    code = "import pets; print(pets.__file__)"
    environment = os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-c", code]
    found = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=True)
    assert Path(found.stdout.strip()).is_relative_to(copy)


@pytest.mark.parametrize("mutant", MUTANTS, ids=name_of)
def test_the_catalogue_fits_the_source(mutant: dict[str, Any]) -> None:
    """Whoever changes a line that a bug is planted in must move the bug along."""
    assert (ROOT / mutant["file"]).read_text(encoding="utf-8").count(mutant["original"]) == 1
    assert mutant["original"] != mutant["mutated"]
    assert mutant["tests"] and all((ROOT / test.split("::")[0]).exists() for test in mutant["tests"])


def test_the_catalogue_is_large_enough_and_has_every_published_bug() -> None:
    names = [mutant["name"] for mutant in MUTANTS]
    assert len(names) == len(set(names)) >= 60
    sources = " ".join(mutant["source"] for mutant in MUTANTS)
    assert [bug for bug in PUBLISHED if bug not in sources] == []
