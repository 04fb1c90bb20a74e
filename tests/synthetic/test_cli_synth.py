"""The command, as a new user would try it."""

from __future__ import annotations

import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

import pets
from pets.cli_synth import synth
from pets.errors import BudgetExceeded, InvalidArgument
from tests.synthetic.cohorts import DOMAIN, cohort

pytestmark = pytest.mark.filterwarnings("ignore::pets.errors.UnrecordedReleaseWarning")

CLOCKS = ["--survival", "relapse_time:relapse", "--survival", "death_time:dead:relapse_time"]


@pytest.fixture
def files(tmp_path):
    cohort(900).to_csv(tmp_path / "rows.csv", index=False)
    (tmp_path / "domain.toml").write_text(DOMAIN.declared("a test").to_toml(), encoding="utf-8")
    return tmp_path


def run(files, *options, out="out"):
    app = typer.Typer()
    app.command()(synth)
    arguments = [str(files / "rows.csv"), "--domain", str(files / "domain.toml"), "-o", str(files / out), *options]
    return CliRunner().invoke(app, arguments)


def test_rows_model_and_reports_are_written(files):
    done = run(files, "--epsilon", "3", "--mechanism", "mst", *CLOCKS)
    assert done.exit_code == 0, done.output + repr(done.exception)
    made = pd.read_csv(files / "out" / "synthetic.csv")
    assert list(made.columns) == list(DOMAIN.names) and 700 < len(made) < 1100
    assert (made.death_time >= made.relapse_time).all()
    report = (files / "out" / "report.html").read_text()
    assert "off by at most" in report and "Kaplan" not in report and "http" not in report
    internal = (files / "out" / "INTERNAL.html").read_text()
    assert "Kaplan-Meier" in internal and "Internal" in internal
    model = pets.synthetic.Model.load(files / "out" / "model.pets") if hasattr(pets, "synthetic") else None
    assert model is None or len(model.sample(5)) == 5
    assert "do not pass on" in done.output


def test_a_ledger_is_charged_and_refuses(files):
    with pets.Ledger(files / "l.sqlite", limit=pets.ApproxDP(1, "1e-6")):
        pass
    options = [
        "-e",
        "1",
        "--mechanism",
        "independent",
        "--rows",
        "900",
        "--no-evaluate",
        "--ledger",
        str(files / "l.sqlite"),
    ]
    assert run(files, *options).exit_code == 0
    first = (files / "out" / "synthetic.csv").read_text()
    assert len(first.splitlines()) == 901 and not (files / "out" / "INTERNAL.html").exists()
    refused = run(files, *options[:-2], "--ledger", options[-1], "--mechanism", "mst")
    assert isinstance(refused.exception, BudgetExceeded)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ([], "--epsilon"),
        (["-e", "1", "--mechanism", "aimm"], "Did you mean 'aim'"),
        (["--mechanism", "cart"], "--allow-exact"),
        (["--mechanism", "cart", "-e", "1", "--allow-exact"], "no noise"),
        (["-e", "1", "--allow-exact"], "has a proof"),
        (["-e", "1", "--survival", "time"], "TIME:EVENT"),
        (["-e", "-1"], "epsilon"),
        (["-e", "0.001", "--rows", "50"], "epsilon"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_written(files, options, word):
    done = run(files, *options)
    assert isinstance(done.exception, InvalidArgument) and word in str(done.exception)
    assert not (files / "out" / "synthetic.csv").exists()


def test_columns_that_nobody_declared(files):
    frame = pd.read_csv(files / "rows.csv", keep_default_na=False, na_values=[""]).assign(name="x")
    frame.to_csv(files / "rows.csv", index=False)
    options = ["-e", "2", "--mechanism", "independent", "--no-evaluate"]
    refused = run(files, *options)
    assert isinstance(refused.exception, InvalidArgument) and "--only-declared" in str(refused.exception)
    assert run(files, *options, "--only-declared").exit_code == 0


def test_without_a_proof(files):
    pytest.importorskip("sklearn")
    done = run(files, "--mechanism", "cart", "--allow-exact", "--no-evaluate", "-n", "50", *CLOCKS)
    assert done.exit_code == 0, repr(done.exception)
    assert len(pd.read_csv(files / "out" / "synthetic.csv")) == 50
    assert "Nothing is proven" in (files / "out" / "report.html").read_text()


def test_help_teaches():
    app = typer.Typer(rich_markup_mode="markdown")
    app.command()(synth)
    text = CliRunner().invoke(app, ["--help"]).output
    for word in ("suggest-domain", "epsilon", "INTERNAL.html", "without any"):
        assert word.lower() in text.lower()


def test_other_separators_are_read(files):
    cohort(900).to_csv(files / "rows.csv", index=False, sep=";")
    done = run(files, "-e", "3", "--mechanism", "independent", "--rows", "900", "--no-evaluate")
    assert done.exit_code == 0, repr(done.exception)
