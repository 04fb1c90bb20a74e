"""`pets simulate`: files that the other commands read."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from typer.testing import CliRunner

import pets
from pets.cli import app


def test_it_writes_registries_with_their_domain(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    arguments = ["simulate", "-o", str(folder), "--sites", "3", "-n", "500", "--like", "europe", "--insecure-seed", "1"]
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0 and str(folder) in done.output.replace("\n", "")
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["domain.toml", "person-years.csv", "registry-1.csv", "registry-2.csv", "registry-3.csv"]
    domain = pets.Domain.from_file(folder / "domain.toml")
    frames = [pd.read_csv(folder / name) for name in names[2:]]
    assert 380 < sum(map(len, frames)) < 620
    question = pets.Count(by=["group", "sex"]).bind(domain)
    assert sum(int(question.tally(frame).values.sum()) for frame in frames) == sum(map(len, frames))
    again = CliRunner().invoke(app, arguments)
    assert again.exit_code != 0 and isinstance(again.exception, pets.errors.InvalidArgument)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = CliRunner().invoke(app, ["simulate", "-o", str(tmp_path / "file" / "x"), "-n", "10"])
    assert "--output" in str(done.exception) and "Name a new folder" in str(done.exception)
    assert isinstance(done.exception, pets.errors.InvalidArgument) and "cannot be written" in str(done.exception)


def test_a_wrong_profile_is_refused(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["simulate", "-o", str(tmp_path / "x"), "--like", "mars"])
    assert isinstance(done.exception, pets.errors.InvalidArgument)
