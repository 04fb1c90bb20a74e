"""The rules of the notebooks, the environments of the peers, and the commands that pages name."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import jupytext
import pandas as pd
import pytest

from benchmarks.__main__ import main
from benchmarks.harness import figures
from benchmarks.harness.environments import PEERS, requirements, state
from benchmarks.harness.notebooks import NOTEBOOKS
from benchmarks.harness.running import SUITES
from benchmarks.harness.scores import PROMISES, protection, verdict
from benchmarks.harness.techniques import TECHNIQUES
from benchmarks.suites import peers

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "benchmarks" / "notebooks"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), ROOT / "benchmarks" / "README.md"])
COMMAND = re.compile(r"python -m (benchmarks[\w.]*)((?: [\w./=-]+)*)")
SCRIPT = re.compile(r"\bsh (scripts/[\w.]+)")


def name(path: Path) -> str:
    return path.stem


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_a_notebook_asks_one_question_and_ends_with_an_answer_that_is_asserted(path: Path) -> None:
    cells = jupytext.read(path).cells
    code = [cell.source for cell in cells if cell.cell_type == "code"]
    assert cells[0].cell_type == "markdown" and re.match(r"# .+\?$", cells[0].source.splitlines()[0])
    assert cells[-1].cell_type == "code" and "assert " in code[-1] and "figures.answer(" in code[-1]
    assert len(code) <= 12 and max(len(cell.splitlines()) for cell in code) <= 15
    assert all("outputs" not in cell or not cell.outputs for cell in cells)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=name)
def test_a_notebook_only_reads_results(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    modules |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    assert modules <= {"benchmarks.harness", "benchmarks.harness.results", "benchmarks.harness.scores", "pandas"}
    assert not re.search(r"^\s*[!%]|https?://", path.read_text(encoding="utf-8"), re.MULTILINE)


def test_every_notebook_is_listed_and_no_output_is_kept() -> None:
    assert {path.stem for path in FOLDER.glob("*.py")} == {path.stem for path in NOTEBOOKS}
    assert len(NOTEBOOKS) == 11 and list((ROOT / "benchmarks").rglob("*.ipynb")) == []
    ignored = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    assert {"/benchmarks/results/", "/.venv-*/"} <= set(ignored)


def test_every_suite_says_its_question(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == sorted(SUITES)
    assert all(line.endswith("?") for line in lines)
    assert {path.stem for path in (ROOT / "benchmarks" / "suites").glob("*.py")} == {*SUITES, "__init__", "material"}


def test_unknown_names_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["run", "nothing"], ["notebooks", "nothing"], ["peers", "nothing"]):
        assert main(arguments) == 2
        assert "nothing" in capsys.readouterr().err


@pytest.mark.parametrize("peer", PEERS)
def test_every_peer_has_pinned_requirements(peer: str) -> None:
    lines = requirements(peer).read_text(encoding="utf-8").split()
    assert lines and all(re.fullmatch(r"[\w.-]+(\[\w+\])?==[\w.]+", line) for line in lines)
    assert "torch==2.13.0" in lines or not any(line.startswith("torch") for line in lines)


def test_a_peer_that_is_not_there_is_shown_with_the_reason(tmp_path: Path) -> None:
    absent = [peer for peer in PEERS if find_spec(PEERS[peer].module) is None]
    assert absent
    assert all("peers --make" in state(peer, tmp_path) for peer in absent)
    (tmp_path / f"{absent[0]}.log").write_text("collecting\nERROR: no such version\n")
    assert "could not be installed: ERROR: no such version" in state(absent[0], tmp_path)


def commands() -> list[tuple[str, str, str]]:
    found = []
    for page in PAGES:
        for module, rest in COMMAND.findall(page.read_text(encoding="utf-8")):
            found.append((str(page.relative_to(ROOT)), module, rest.strip()))
    return found


def exists(module: str, rest: str) -> bool:
    """Return whether a module, and the suites, notebooks or peers that it is given, exist."""
    if module != "benchmarks":
        return find_spec(module) is not None
    words = [word for word in rest.split() if not word.startswith("-")]
    known = {"run": set(SUITES), "notebooks": {path.stem for path in NOTEBOOKS}, "peers": set(PEERS), "list": set()}
    return not words or (words[0] in known and set(words[1:]) <= known[words[0]])


def test_every_command_that_a_page_names_exists() -> None:
    named = commands()
    assert len(named) > 30
    assert [found for found in named if not exists(*found[1:])] == []
    for page in PAGES:
        for script in SCRIPT.findall(page.read_text(encoding="utf-8")):
            assert (ROOT / script).is_file(), f"{page}: {script}"


def test_a_command_that_does_not_exist_is_noticed() -> None:
    assert not exists("benchmarks.nothing", "") and not exists("benchmarks", "run nothing")
    assert exists("benchmarks", "run peers --full") and exists("benchmarks.samplers", "--quick")


def test_the_readme_has_a_command_for_every_script_and_suite() -> None:
    text = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")
    for script in (ROOT / "benchmarks").glob("[a-z]*.py"):
        if "__main__" in script.read_text(encoding="utf-8"):
            assert re.search(rf"benchmarks\.{script.stem}\b|scripts/bench_\w+\.sh.*{script.stem}", text), script.name
    assert all(f"`{suite}`" in text for suite in SUITES)


def test_every_script_starts() -> None:
    help_ = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--help"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "two minutes" in help_.stdout or "two cores" in help_.stdout


def test_the_scoreboard_has_a_line_for_every_technique() -> None:
    assert set(PROMISES) == set(TECHNIQUES)
    assert [verdict(x) for x in (1.0, 2.0, 0.5)] == ["a draw", "we win, 2x", "we lose, 2x"]
    assert verdict(1.3, 0.4, 2.1) == "undecided" and verdict(1.3, 1.1, 1.6) == "we win, 1.3x"


def test_every_peer_of_the_ratios_says_whether_it_protects_as_much() -> None:
    named = [*(name for _, name, _ in peers.SUMS), "opendp", "python-dp", "diffprivlib", "pipelinedp", "pytauargus OPT"]
    assert all(protection(name) for name in [*named, "acro", "mbi (all pairs)", "dpmm-mst", "dpmm-aim", "SDV copula"])
    assert protection("another library") == ""
    assert peers._like("TenSEAL CKKS 8192 (NVFlare)", "a") == "he.CKKS" and peers._like("phe", "a") == "he.BFV"


def test_figures_have_the_order_of_the_techniques_and_mark_few_replicates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(figures.FOLDER, str(tmp_path))
    names = ["MST", "a peer", "DiscreteLaplace", "no protection"]
    bases = ["few", "timing", "exact", "exact"]
    data = pd.DataFrame({"technique": names, "value": [3.0, 1.0, 4.0, 2.0], "basis": bases, "replicates": [8, 3, 0, 0]})
    shown = figures.bars(
        data.assign(low=data.value, high=data.value), "order", caption="A caption.", xlabel="cases"
    ).html
    places = [float(re.search(rf'y="([\d.]+)"[^>]*>{name}</text>', shown).group(1)) for name in names]  # type: ignore[union-attr]
    assert places[3] < places[2] < places[0] < places[1]  # from the top: baselines, dp, synthetic, peers
    assert "Hollow marks: fewer than 200 replicates (8 at least)." in shown
    certain = figures.bars(data[1:].assign(low=0.0, high=5.0), "certain", caption="A caption.", xlabel="cases").html
    assert "Hollow" not in certain
