"""The command `pets demo`."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pets import cli
from pets.demo import run_demo
from pets.errors import InvalidArgument


@pytest.fixture
def runner() -> CliRunner:
    return CliRunner(env={"COLUMNS": "120", "NO_COLOR": "1", "TERM": "dumb"})


def test_the_command_writes_three_files_and_a_headline(runner: CliRunner, folder: Path) -> None:
    result = runner.invoke(cli.app, ["demo", "--output", str(folder), "-e", "1", "-e", "0.5"])
    assert result.exit_code == 0, result.output
    assert {"report.html", "results.json", "demo-ledger.sqlite"} <= {path.name for path in folder.iterdir()}
    for expected in ("294 liver cancers", "90 (30.6", "195 (66.3", "±3.3 (1.1", "±15.2 (5.2"):
        assert expected in result.stdout
    assert "report.html" in result.stderr
    assert [n["epsilon"] for n in json.loads((folder / "results.json").read_text())["noise"]] == [0.5, 0.5, 1, 1]


def test_json_goes_to_stdout_alone(runner: CliRunner, folder: Path) -> None:
    result = runner.invoke(cli.app, ["demo", "-o", str(folder), "-e", "1", "--json"])
    assert result.exit_code == 0
    assert json.loads(result.stdout) == json.loads((folder / "results.json").read_text())


def test_help_teaches(runner: CliRunner) -> None:
    result = runner.invoke(cli.app, ["demo", "--help"])
    assert result.exit_code == 0
    for expected in ("masking", "one noise in the joint total", "a noise at each registry", "report.html", "--epsilon"):
        assert expected in result.stdout


@pytest.mark.parametrize("epsilon", ["0", "-1", "nan", "1e9", "inf"])
def test_a_bad_epsilon_is_refused_before_anything_is_written(runner: CliRunner, folder: Path, epsilon: str) -> None:
    result = runner.invoke(cli.app, ["demo", "-o", str(folder), f"--epsilon={epsilon}"])
    assert result.exit_code == 1
    assert isinstance(result.exception, InvalidArgument)
    assert not folder.exists()


def test_a_word_for_epsilon_is_wrong_usage(runner: CliRunner, folder: Path) -> None:
    assert runner.invoke(cli.app, ["demo", "-o", str(folder), "-e", "one"]).exit_code == 2


def bad_folders(tmp_path: Path) -> dict[str, Path]:
    (tmp_path / "file").write_text("here already")
    return {"a file": tmp_path / "file", "below a file": tmp_path / "file" / "below", "a null": tmp_path / "\0"}


@pytest.mark.parametrize("kind", ["a file", "below a file", "a null"])
def test_a_bad_folder_is_a_typed_error(tmp_path: Path, kind: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        run_demo(bad_folders(tmp_path)[kind], [1])
    assert caught.value.argument == "output"
    assert caught.value.remedy


def test_a_bad_folder_is_one_friendly_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["pets", "demo", "--output", str(bad_folders(tmp_path)["a file"])])
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code == 1
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "output" in captured.err
    assert "Traceback" not in captured.err


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_a_typed_error(tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    with pytest.raises(InvalidArgument):
        run_demo(locked / "report", [1])


def test_a_report_that_cannot_be_replaced_is_a_typed_error(folder: Path) -> None:
    (folder / "report.html").mkdir(parents=True)
    with pytest.raises(InvalidArgument):
        run_demo(folder, [1])
