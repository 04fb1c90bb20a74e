"""`pets collect`, `pets site` and `pets transcript` as a user runs them."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pets.cli import _exit_code, app
from pets.errors import BadSignature, TranscriptInvalid
from pets.identity import Identity, Roster
from pets.release import Release

SITES = ("FR", "UK", "US")
COUNTS = {"FR": (20, 7), "UK": (11, 30), "US": (50, 12)}
PLAN = """
schema = 1
domain = "registry.toml"
dataset = "registry-2017"
{options}
[query]
type = "count"
by = ["sex"]
[mechanism]
{mechanism}
[aggregator]
type = "masked_sum"
"""
EXACT = 'type = "suppress_cells"\nminimum = 5'
NOISY = 'type = "discrete_laplace"\nepsilon = "1"'
DOMAIN = """
schema = 1
name = "childhood cancers"
[unit]
id = "patient_id"
max_rows = 1
[attributes.sex]
type = "categorical"
categories = ["female", "male"]
"""
PETS = (sys.executable, "-m", "pets")


class Federation:
    """A folder with keys, roster, plan and data, and processes in it."""

    def __init__(self, folder, options="", mechanism=EXACT):
        self.folder, self.running = folder, {}
        identities = {name: Identity.new(name) for name in ("server", *SITES)}
        for name, identity in identities.items():
            identity.save(folder / f"{name}.key")
        Roster(identity.public for identity in identities.values()).to_file(folder / "roster.toml")
        (folder / "plan.toml").write_text(PLAN.format(options=options, mechanism=mechanism))
        (folder / "registry.toml").write_text(DOMAIN)
        for name, (girls, boys) in COUNTS.items():
            rows = [f"{name}{i},{'female' if i < girls else 'male'}" for i in range(girls + boys)]
            (folder / f"{name}.csv").write_text("\n".join(["patient_id,sex", *rows]) + "\n")

    def run(self, name, *arguments, stdin=subprocess.DEVNULL):
        self.running[name] = subprocess.Popen(
            [*PETS, *arguments],
            cwd=self.folder, stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": str(Path.cwd()), "COLUMNS": "200"},
        )  # fmt: skip
        return self.running[name]

    def common(self, name):
        return "--roster", "roster.toml", "--key", f"{name}.key", "--state", f"state-{name}"

    def collect(self, *options, port=0):
        found = self.run(
            "server", "collect", "plan.toml", *self.common("server"), "--out", "release.json",
            "--listen", f"127.0.0.1:{port}", *options,
        )  # fmt: skip
        lines = []
        while True:
            lines.append(found.stderr.readline())
            assert lines[-1], "".join(lines)
            listening = re.search(r"listening on 127.0.0.1:(\d+)", lines[-1])
            if listening:
                self.port = int(listening[1])
                return found

    def site(self, name, *options, plan="plan.toml", data=True, yes=True, stdin=subprocess.DEVNULL):
        arguments = ["site", plan, *([f"{name}.csv"] if data else []), "--me", name, *self.common(name)]
        arguments += ["--connect", f"127.0.0.1:{self.port}", "--patience", "30", *(["--yes"] if yes else [])]
        return self.run(name, *arguments, *options, stdin=stdin)

    def end(self, name, seconds=120):
        process = self.running.pop(name)
        out, err = process.communicate(timeout=seconds)
        return process.returncode, out, err

    def kill(self):
        for process in self.running.values():
            process.kill()
            process.communicate()


@pytest.fixture
def federation(tmp_path):
    made = []

    def make(**options):
        made.append(Federation(tmp_path, **options))
        return made[-1]

    yield make
    for each in made:
        each.kill()


def test_three_registries_in_three_processes(federation):
    run = federation()
    run.collect("--deadline", "30", "--purpose", "a test")
    for name in SITES:
        run.site(name)
    ends = {name: run.end(name) for name in ("server", *SITES)}
    assert {name: code for name, (code, _, _) in ends.items()} == dict.fromkeys(ends, 0), ends
    release = Release.from_json((run.folder / "release.json").read_text())
    assert release.parts[0].counts().tolist() == [
        sum(c[0] for c in COUNTS.values()),
        sum(c[1] for c in COUNTS.values()),
    ]
    assert release.provenance.sites == SITES
    _, _, said = ends["FR"]
    for text in (
        "FR, a site with data",
        "a test",
        "Who learns what",
        "server",
        "what is promised",
        "the collector says",
    ):
        assert text in said, said
    # A third party checks the record, and sees every change of it.
    record = run.folder / "release.transcript.json"
    check = [str(record), "--roster", str(run.folder / "roster.toml"), "--release", str(run.folder / "release.json")]
    found = CliRunner().invoke(app, ["transcript", "verify", *check])
    assert found.exit_code == 0 and "Signed by FR, UK, US and the collector" in found.output
    text = record.read_text()
    for change in (
        text.replace('"epoch":1', '"epoch":2'),
        text.replace('"number":1', '"number":2'),
        text[:-9] + text[-2:],
    ):
        assert change != text
        record.write_text(change)
        error = CliRunner().invoke(app, ["transcript", "verify", *check]).exception
        assert isinstance(error, TranscriptInvalid | BadSignature) and _exit_code(error) == 4


def test_a_plan_that_differs_is_refused_with_what_differs(federation):
    run = federation(mechanism=NOISY)
    run.collect("--wait", "120")
    text = (run.folder / "plan.toml").read_text()
    (run.folder / "other.toml").write_text(text.replace('epsilon = "1"', 'epsilon = "9"').replace("-2017", "-2018"))
    run.site("FR", plan="other.toml")
    code, _, said = run.end("FR")
    assert code == 6
    assert "the name of the data set; how the total is published" in said
    assert not list((run.folder / "state-FR").glob("*.*"))


def test_nobody_takes_part_without_agreeing(federation):
    run = federation()
    run.collect("--wait", "120")
    run.site("FR", yes=False, stdin=subprocess.PIPE)
    run.running["FR"].stdin.write("n\n")
    run.running["FR"].stdin.flush()
    run.site("UK", yes=False)
    for name in ("FR", "UK"):
        code, _, said = run.end(name)
        assert code == 6 and "Take part?" in said and "nothing was sent" in said
    run.site("US", data=False)
    code, _, said = run.end("US")
    assert code == 1 and "'US' is asked for data" in said


def test_ctrl_c_and_a_polite_kill_end_without_a_trace_and_the_session_goes_on(federation):
    run = federation()
    server = run.collect("--deadline", "30")
    site = run.site("FR")
    while "FR is here" not in server.stderr.readline():
        pass
    server.send_signal(signal.SIGINT)
    site.send_signal(signal.SIGTERM)
    for name in ("server", "FR"):
        code, _, said = run.end(name)
        assert code == 130 and "run the same command again" in said and "Traceback" not in said
    run.collect("--deadline", "30", port=run.port)
    for name in SITES:
        run.site(name)
    for name in ("server", *SITES):
        assert run.end(name)[0] == 0


@pytest.mark.slow
def test_noise_at_the_sites_is_charged_to_each_site(federation):
    options = 'noise_at = "sites"'
    run = federation(options=options, mechanism=NOISY)
    plan = (run.folder / "plan.toml").read_text()
    for name in SITES:
        ledger = f'\n[ledger]\npath = "budget-{name}.sqlite"\nlimit = {{ type = "pure_dp", epsilon = "1" }}\n'
        (run.folder / f"plan-{name}.toml").write_text(plan + ledger)
    for session in (1, 2):
        run.collect("--deadline", "30", "--wait", "30")
        for name in SITES:
            run.site(name, plan=f"plan-{name}.toml")
        codes = {name: run.end(name)[0] for name in SITES}
        if session == 1:
            assert codes == dict.fromkeys(SITES, 0)
            assert run.end("server")[0] == 0
            release = json.loads((run.folder / "release.json").read_text())
            assert release["parts"][0]["law"]["type"] != "none"
        else:  # epsilon is used up
            assert codes == dict.fromkeys(SITES, 3)
            assert run.end("server")[0] == 5


def test_wrong_files_are_told_apart(tmp_path):
    Federation(tmp_path)
    base = [
        "site",
        str(tmp_path / "plan.toml"),
        "--roster",
        str(tmp_path / "roster.toml"),
        "--state",
        str(tmp_path / "s"),
    ]
    for extra, words in (
        (["--me", "UK", "--key", str(tmp_path / "FR.key")], "holds the keys of 'FR'"),
        (["--me", "FR", "--key", str(tmp_path / "FR.key"), "--connect", "nowhere"], "HOST:PORT"),
        (
            ["--me", "FR", "--key", str(tmp_path / "FR.key"), "--connect", "127.0.0.1:1", "--patience", "1"],
            "nobody answers",
        ),
    ):
        found = CliRunner().invoke(app, [*base, *extra])
        assert found.exit_code == 1 and words in str(found.exception)
    Identity.new("FR").save(tmp_path / "new.key")
    found = CliRunner().invoke(app, [*base, "--me", "FR", "--key", str(tmp_path / "new.key")])
    assert "does not hold 'FR' with the keys" in str(found.exception)
