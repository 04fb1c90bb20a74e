"""The folder that `pets synth` writes to: nothing of an earlier run beside the new one, and nothing that is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

import pets
from pets import cli_synth, cli_synth_parts
from pets.errors import InvalidArgument
from tests.synthetic.cohorts import cohort

pytestmark = pytest.mark.filterwarnings("ignore::pets.errors.UnrecordedReleaseWarning")

FEW = pets.Domain(site=["bone", "brain", "kidney"], sex=["f", "m"])


@pytest.fixture
def files(tmp_path: Path) -> Path:
    cohort(900)[["site", "sex"]].to_csv(tmp_path / "rows.csv", index=False)
    (tmp_path / "domain.toml").write_text(FEW.declared("a test").to_toml(), encoding="utf-8")
    return tmp_path


def run(files: Path, *options: str, file: str = "rows.csv", out: str = "out") -> Any:
    app = typer.Typer()
    app.command()(cli_synth.synth)
    usual = [str(files / file), "--domain", str(files / "domain.toml"), "-o", str(files / out)]
    return CliRunner().invoke(app, [*usual, *options])


def found(files: Path, out: str = "out") -> list[str]:
    return sorted(path.name for path in (files / out).iterdir())


FIT = ("-e", "2", "--mechanism", "independent", "--rows", "900")


def test_what_an_earlier_run_left_goes_and_nothing_else(files: Path):
    assert run(files, *FIT).exit_code == 0 and "INTERNAL.html" in found(files)
    first = (files / "out" / "synthetic.csv").read_text()
    (files / "out" / "notes.txt").write_text("mine")
    (files / "out" / "synthetic-old.csv").write_text("mine too")
    assert run(files, *FIT, "--no-evaluate").exit_code == 0
    assert found(files) == ["model.pets", "notes.txt", "report.html", "synthetic-old.csv", "synthetic.csv"]
    assert (files / "out" / "synthetic.csv").read_text() != first


def test_a_sweep_leaves_what_was_fitted(files: Path):
    assert run(files, *FIT, "--no-evaluate").exit_code == 0
    before = {name: (files / "out" / name).read_bytes() for name in found(files)}
    assert run(files, "--sweep", "1", "--fits", "1", "--mechanism", "independent", "--rows", "900").exit_code == 0
    assert found(files) == sorted([*before, "INTERNAL-sweep.csv", "INTERNAL-sweep.html"])
    assert all((files / "out" / name).read_bytes() == content for name, content in before.items())


def test_tables_of_an_earlier_linked_run_go_too(files: Path):
    patients = pd.DataFrame({"patient_id": range(300), "sex": ["f", "m"] * 150})
    tumours = pd.DataFrame({"patient_id": range(300), "site": ["bone", "brain"] * 150})
    domains = {
        "patients": pets.Domain(sex=["f", "m"], unit=pets.PrivacyUnit(id="patient_id")),
        "x/../../tumours": pets.Domain(site=["bone", "brain"]), "tumours": pets.Domain(site=["bone", "brain"]),
    }  # fmt: skip
    children = [pets.synthetic.Child(name, "patients", most=1) for name in ("tumours", "x/../../tumours")]
    plan = pets.synthetic.Linked(rho=1, kind="independent", children=children)
    (files / "out" / "synthetic-x").mkdir(parents=True)  # through which a crafted name would lead out of the folder
    plan.fit(dict(zip(domains, (patients, tumours, tumours), strict=True)), domains).save(files / "out" / "model.pets")
    for name in ("out/synthetic-patients.csv", "out/synthetic-tumours.csv", "tumours.csv", "synthetic-tumours.csv"):
        (files / name).write_text("x")
    assert run(files, *FIT, "--no-evaluate").exit_code == 0
    assert found(files) == ["model.pets", "report.html", "synthetic-x", "synthetic.csv"]
    assert (files / "tumours.csv").exists() and (files / "synthetic-tumours.csv").exists()


def test_a_file_that_is_read_is_never_replaced(files: Path):
    (files / "rows.csv").rename(files / "synthetic.csv")
    content = (files / "synthetic.csv").read_bytes()
    with pets.Ledger(files / "l.sqlite", limit=pets.ApproxDP(4, "1e-6")):
        pass
    done = run(files, *FIT, "--ledger", str(files / "l.sqlite"), file="synthetic.csv", out=".")
    assert isinstance(done.exception, InvalidArgument) and "which is read" in str(done.exception)
    assert (files / "synthetic.csv").read_bytes() == content
    with pets.Ledger(files / "l.sqlite") as ledger:
        assert ledger.spent().epsilon == 0


def test_an_earlier_run_stays_whole_if_the_new_one_fails(files: Path, monkeypatch: pytest.MonkeyPatch):
    assert run(files, *FIT).exit_code == 0
    before = {name: (files / "out" / name).read_bytes() for name in found(files)}

    def full(path: Path) -> None:
        path.write_text("half of it")
        raise OSError(28, "No space left on device")

    with pytest.raises(InvalidArgument, match="No space left"):
        cli_synth_parts.write_together(
            files / "out", {"synthetic.csv": lambda path: path.write_text("new"), "model.pets": full}, before
        )
    assert {name: (files / "out" / name).read_bytes() for name in found(files)} == before
    refused = run(files, "-e", "0.00001", "--rows", "900")
    assert isinstance(refused.exception, InvalidArgument)
    assert {name: (files / "out" / name).read_bytes() for name in found(files)} == before
