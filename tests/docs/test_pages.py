"""What the pages show is what the library does: examples, plans, commands and links are tried."""

from __future__ import annotations

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
FENCE = r"^```{language}\n(.*?)^```$"
FILE = re.compile(r'^```\w+ title="([\w.-]+)"\n(.*?)^```$', re.MULTILINE | re.DOTALL)
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT)}
ROWS = "patient_id,diagnosis,sex,age\n1,leukaemia,female,3\n2,lymphoma,male,11\n3,something else,male,19\n"


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def fenced(text: str, language: str) -> str:
    """Return all blocks of one language as one text, since a page is read from top to bottom."""
    return "\n".join(re.findall(FENCE.format(language=language), text, re.MULTILINE | re.DOTALL))


def failures(source: str, name: str) -> int:
    test = doctest.DocTestParser().get_doctest(source, {}, name, name, 0)
    return doctest.DocTestRunner(optionflags=OPTIONS).run(test).failed


@pytest.mark.parametrize("path", PAGES, ids=relative)
def test_examples_of_a_page_hold(path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)  # an example may open a ledger
    text = path.read_text(encoding="utf-8")
    assert failures(fenced(text, "pycon"), path.name) == 0
    exec(compile(fenced(text, "python"), path.name, "exec"), {"__name__": path.stem})  # noqa: S102


def test_a_wrong_example_is_found() -> None:
    assert failures(fenced("```pycon\n>>> 1 + 1\n3\n```\n", "pycon"), "planted") == 1


def test_the_plan_of_the_plan_page_runs(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "plan-files.md").read_text(encoding="utf-8")
    for name, text in FILE.findall(page):
        (tmp_path / name).write_text(text, encoding="utf-8")
    commands = [line.removeprefix("$ pets ").split() for line in fenced(page, "console").splitlines()]
    assert {"preview", "run", "ledger"} <= {command[0] for command in commands}
    for site in re.findall(r"--site \w+=([\w.]+)", page):
        (tmp_path / site).write_text(ROWS, encoding="utf-8")
    for command in commands:
        subprocess.run([sys.executable, "-m", "pets", *command], cwd=tmp_path, env=ENVIRONMENT, check=True)
    assert (tmp_path / "release.json").is_file()


@pytest.mark.parametrize("path", PAGES, ids=relative)
def test_make_targets_that_a_page_names_exist(path: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = set(re.findall(r"(?:^|`|\$ )make ([a-z]+)", path.read_text(encoding="utf-8"), re.MULTILINE))
    assert named <= targets


@pytest.mark.parametrize("path", PAGES, ids=relative)
def test_files_that_a_page_links_to_exist(path: Path) -> None:
    links = re.findall(r"\]\(([^)#:\s]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
    assert [link for link in links if not (path.parent / link).exists()] == []
