"""The command, as a new user would try it."""

from __future__ import annotations

import re

import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

import pets
from pets.cli_synth import synth
from pets.errors import BudgetExceeded, InvalidArgument, PetsError
from pets.identity import Identity, Roster, StudySetup, run_setups
from pets.session import InProcess
from pets.session.record import Record
from pets.session.tcp import PURPOSE
from pets.synthetic.draws import Draws
from tests.synthetic.cohorts import DOMAIN, cohort
from tests.synthetic.support import Recorder

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
    assert "off by at most" in report and "Kaplan" not in report and "://" not in report
    internal = (files / "out" / "INTERNAL.html").read_text()
    assert "Kaplan-Meier" in internal and "Internal" in internal
    model = pets.synthetic.Model.load(files / "out" / "model.pets") if hasattr(pets, "synthetic") else None
    assert model is None or len(model.sample(5)) == 5
    assert "donotpasson" in "".join(done.output.split())


@pytest.mark.parametrize("options", [("-n", "0"), ("--mechanism", "mst")])
def test_what_was_paid_for_is_told_even_if_it_cannot_be_compared(files, options):
    """One row is nothing to compare with, nor are none; the model is written and its warning shown all the same."""
    rows = cohort(900) if "-n" in options else cohort(900)[:1]
    rows.to_csv(files / "rows.csv", index=False)
    done = run(files, "--epsilon", "1", *options)
    assert isinstance(done.exception, PetsError)
    assert {path.name for path in (files / "out").iterdir()} == {"synthetic.csv", "model.pets", "report.html"}
    shown = "".join(done.output.split())  # a long path is broken anywhere
    assert "model.pets" in shown and "INTERNAL" not in shown
    assert "-n" in options or "Do not release" in " ".join(done.output.split())


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
        (["-e", "1", "-n", "-4"], "--n"),
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


FEW = pets.Domain(site=["bone", "brain", "kidney"], sex=["f", "m"])


@pytest.fixture
def few(tmp_path):
    cohort(900)[["site", "sex"]].to_csv(tmp_path / "rows.csv", index=False)
    (tmp_path / "domain.toml").write_text(FEW.declared("a test").to_toml(), encoding="utf-8")
    return tmp_path


def test_a_sweep_is_one_call_and_one_page_that_needs_nothing_else(few):
    done = run(few, "--sweep", "0.00001, 0.1,3", "--fits", "2", "--mechanism", "mst", "--rows", "900")
    assert done.exit_code == 0, done.output + repr(done.exception)
    page = (few / "out" / "INTERNAL-sweep.html").read_text(encoding="utf-8")
    assert "<svg" in page and "epsilon 0.1" in page and "Internal" in page and "epsilon = 1e-05 is too small" in page
    assert "src=" not in page and "<script" not in page and set(re.findall(r'href="(.)', page)) <= {"#"}
    table = pd.read_csv(few / "out" / "INTERNAL-sweep.csv")
    assert set(table.epsilon) == {0.1, 3} and (table.fits == 2).all()
    assert table.metric.str.contains("propensity").any()
    assert sorted(path.name for path in (few / "out").iterdir()) == ["INTERNAL-sweep.csv", "INTERNAL-sweep.html"]


@pytest.mark.parametrize(
    ("options", "word"),
    [(["--sweep", "1", "-e", "1"], "--epsilon"), (["--sweep", "1", "--mechanism", "cart"], "epsilon"),
     (["--sweep", "1", "--ledger", "l.sqlite"], "--ledger"), (["--sweep", "1", "-n", "5"], "--n"),
     (["--sweep", "1", "--allow-exact"], "--allow-exact"), (["--sweep", "a,b"], "epsilons"),
     (["--sweep", "1,1e400"], "epsilons"), (["--sweep", ""], "epsilons"),
     (["-e", "1", "--roster", "r.toml"], "--roster")],
)  # fmt: skip
def test_a_sweep_that_makes_no_sense(few, options, word):
    done = run(few, *options)
    assert isinstance(done.exception, InvalidArgument) and word in str(done.exception)


@pytest.fixture
def release(few):
    with pets.Ledger(few / "joint.sqlite", limit=pets.ZeroConcentratedDP(1)) as ledger:
        plan = pets.Pipeline(
            pets.Marginals([["site", "sex"]]), FEW, mechanism=pets.dp.DiscreteGaussian(rho="0.5"), ledger=ledger,
            aggregator=pets.mpc.MaskedSum(), noise_at="sites",
        )  # fmt: skip
        rows = pd.read_csv(few / "rows.csv")
        made = plan.run({"FR": rows[::3], "UK": rows[1::3], "US": rows[2::3]})
    (few / "release.json").write_text(made.to_json(), encoding="utf-8")
    return few / "release.json"


def joint(release, *options):
    app = typer.Typer()
    app.command()(synth)
    out = release.parent / "joint"
    return CliRunner().invoke(app, ["--from-release", str(release), "-o", str(out), *options]), out


def test_rows_of_several_registries_come_out_of_their_release(release):
    done, out = joint(release)
    assert done.exit_code == 0, done.output + repr(done.exception)
    made, real = pd.read_csv(out / "synthetic.csv"), pd.read_csv(release.parent / "rows.csv")
    assert abs(len(made) - 900) < 40
    gap = made.value_counts(["site", "sex"]).sub(real.value_counts(["site", "sex"]), fill_value=0)
    assert gap.abs().max() < 60
    assert "off by at most" in (out / "report.html").read_text(encoding="utf-8")
    assert pets.synthetic.Model.load(out / "model.pets").guarantee.rho == pets.ZeroConcentratedDP("0.5").rho
    assert "not checked" in done.output and not (out / "INTERNAL.html").exists()
    done, out = joint(release, "--rows", "900", "-n", "12")
    assert done.exit_code == 0 and len(pd.read_csv(out / "synthetic.csv")) == 12


def test_what_a_release_has_no_use_for_and_what_is_no_release(release):
    for options in (
        ["-e", "1"],
        ["--mechanism", "mst"],
        ["--only-declared"],
        ["--domain", "d.toml"],
        ["rows.csv"],
        ["--dataset", "d"],
        ["--allow-exact"],
    ):
        done, _ = joint(release, *options)
        assert isinstance(done.exception, InvalidArgument) and "--from-release" in str(done.exception)
    done, _ = joint(release.parent / "nowhere.json")
    assert isinstance(done.exception, InvalidArgument)
    done, _ = joint(release.parent / "rows.csv")
    assert isinstance(done.exception, PetsError)
    done, _ = joint(release, "--roster", "roster.toml")
    assert isinstance(done.exception, InvalidArgument) and "transcript.json" in str(done.exception)


@pytest.fixture
def signed(few):
    """A release with the record of its session and the roster, as 'pets collect' leaves them."""
    names = ("server", "FR", "UK", "US")
    identities = {name: Identity.new(name) for name in names}
    roster = Roster(one.public for one in identities.values())
    study = run_setups({name: StudySetup(one, roster, purpose=PURPOSE, epoch=1) for name, one in identities.items()})
    rows = pd.read_csv(few / "rows.csv")
    with pets.Ledger(few / "signed.sqlite", limit=pets.ZeroConcentratedDP(9)) as ledger:
        plan = pets.Pipeline(
            pets.Marginals([["site", "sex"]]), FEW, mechanism=pets.dp.DiscreteGaussian(rho="0.5"), ledger=ledger,
            aggregator=pets.mpc.MaskedSum(), noise_at="sites",
        )  # fmt: skip
        spec = plan.spec(names[1:], roster=roster.digest.hex())
        values = {name: plan.at_site(rows[i::3], spec, name) for i, name in enumerate(names[1:])}
        keys = {name: part.session(1, spec.id) for name, part in study.items()}
        run = InProcess(plan.aggregator, spec, values, keys).run()
        document = plan.publish(run.outcome, spec).to_json()
    record = Record.sign(identities["server"], run.transcripts["server"], PURPOSE, 1, document.encode())
    roster.to_file(few / "roster.toml")
    (few / "signed.json").write_text(document, encoding="utf-8")
    (few / "signed.transcript.json").write_text(record.to_json(), encoding="utf-8")
    return few / "signed.json"


def test_signatures_are_checked_before_a_release_is_used(signed):
    roster = ("--roster", str(signed.parent / "roster.toml"))
    done, out = joint(signed, *roster)
    assert done.exit_code == 0, done.output + repr(done.exception)
    assert "signed by FR, UK, US" in done.output and len(pd.read_csv(out / "synthetic.csv")) > 800
    signed.write_text(signed.read_text(encoding="utf-8").replace("FR", "DE", 1), encoding="utf-8")
    done, _ = joint(signed, *roster)
    assert isinstance(done.exception, PetsError) and not isinstance(done.exception, InvalidArgument)


def artefacts(folder, rows, monkeypatch, out):
    """Everything that a run leaves, when all questions to the rows get the same answers."""
    rows.to_csv(folder / "rows.csv", index=False)
    with monkeypatch.context() as patched:
        patched.setattr(Draws, "secure", classmethod(lambda cls: Recorder(3)))
        patched.setattr("pets.synthetic.model.secrets.randbits", lambda bits: 7)
        done = run(folder, "-e", "1", "--mechanism", "mst", "--no-evaluate", *CLOCKS, out=out)
    assert done.exit_code == 0, done.output + repr(done.exception)
    files = {path.name: path.read_bytes() for path in (folder / out).iterdir()}
    return files, done.output.replace(out, "")


def neighbour(rows):
    """One child more, the only one of its site, and the only one whose stage nobody knows."""
    return pd.concat([rows, rows.iloc[[0]].assign(site="brain", stage=None)], ignore_index=True)


def test_what_a_run_leaves_does_not_tell_neighbours_apart(files, monkeypatch, caplog):
    """File names, sizes, contents and all that is said: equal to the last byte, but for what goes through the noise."""
    rows = cohort(300)
    rows = rows[(rows.site != "brain") & rows.stage.notna()].reset_index(drop=True)
    first = artefacts(files, rows, monkeypatch, "first")
    assert first == artefacts(files, neighbour(rows), monkeypatch, "other")
    assert set(first[0]) == {"synthetic.csv", "model.pets", "report.html"} and not caplog.records


def test_planted_a_number_of_rows_in_the_log(files, monkeypatch):
    honest = pets.synthetic.MST.fit

    def talking(self, frame, *arguments, **more):
        typer.echo(f"read {len(frame)} rows")
        return honest(self, frame, *arguments, **more)

    rows = cohort(300)
    monkeypatch.setattr(pets.synthetic.MST, "fit", talking)
    assert artefacts(files, rows, monkeypatch, "first") != artefacts(files, rows[1:], monkeypatch, "other")
