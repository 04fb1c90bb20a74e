"""`pets collect`, `pets site` and `pets transcript` with a study in rounds, as pilots run them."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

import pets
from pets.cli import _exit_code, app
from pets.errors import PetsError, TranscriptInvalid
from pets.identity import Identity, Roster
from pets.synthetic import Model

SITES = ("FR", "UK", "US")
DOMAIN = """
schema = 1
[unit]
id = "patient_id"
max_rows = 1
[attributes.site]
type = "categorical"
categories = ["bone", "brain", "liver"]
[attributes.stage]
type = "categorical"
categories = ["I", "II"]
"""
PLAN = """
schema = 1
domain = "registry.toml"
dataset = "registry-2017"
{study}
[aggregator]
type = "masked_sum"
[ledger]
path = "budget-{name}.sqlite"
limit = {{ type = "approx_dp", epsilon = "5", delta = "1e-5" }}
"""


ROWS = """site_bound = 1000
[synthesizer]
type = "mst"
epsilon = "4"
delta = "1e-6"
rows = 300
"""
REGRESSION = """[training]
type = "logistic"
outcome = "stage"
covariates = ["site"]
rho = "0.4"
"""


class Pilots:
    """A folder in which each party has its plan, key and rows, and runs the commands in a process of its own."""

    def __init__(self, folder: Path, study: str) -> None:
        self.folder, self.pids = folder, {}
        identities = {name: Identity.new(name) for name in ("server", *SITES)}
        for name, identity in identities.items():
            identity.save(folder / f"{name}.key")
            (folder / f"{name}.toml").write_text(PLAN.format(name=name, study=study))
        Roster(identity.public for identity in identities.values()).to_file(folder / "roster.toml")
        (folder / "registry.toml").write_text(DOMAIN)
        for place, name in enumerate(SITES):
            rows = {"site": [("bone", "brain", "liver")[i % (2 + place % 2)] for i in range(100)]}
            rows |= {"stage": ["I", "II", "II", "I"] * 25, "patient_id": [f"{name}{i}" for i in range(100)]}
            pd.DataFrame(rows | {"remark": ["not declared"] * 100}).to_csv(folder / f"{name}.csv", index=False)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.at = f"127.0.0.1:{free.getsockname()[1]}"

    def common(self, name: str) -> list[str]:
        files = {"--roster": "roster.toml", "--key": f"{name}.key", "--state": f"state-{name}"}
        return [part for option, file in files.items() for part in (option, str(self.folder / file))]

    def collect(self, *more: str) -> None:
        arguments = ["collect", str(self.folder / "server.toml"), *self.common("server"), "--listen", self.at]
        self.run("server", [*arguments, "--out", str(self.folder / "out"), *more])

    def site(self, name: str, *more: str, yes: bool = True, data: bool = True) -> None:
        rows = [str(self.folder / f"{name}.csv")] if data else []
        arguments = ["site", str(self.folder / f"{name}.toml"), *rows, "--me", name, *self.common(name)]
        self.run(name, [*arguments, "--connect", self.at, *(["--yes"] if yes else []), *more])

    def run(self, name: str, arguments: list[str]) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
        if pid:
            self.pids[name] = pid
            return
        status = 70
        try:
            log = os.open(self.folder / f"{name}.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            for stream in (1, 2):
                os.dup2(log, stream)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            sys.stdin, sys.stdout, sys.stderr = (os.fdopen(i, "w" if i else "r") for i in range(3))
            os.environ["COLUMNS"] = "200"
            status = self.status(arguments)
            sys.stderr.flush()
            sys.stdout.flush()
        finally:
            os._exit(status)

    def status(self, arguments: list[str]) -> int:
        try:
            return int(app(arguments, standalone_mode=False) or 0)
        except PetsError as error:
            sys.stderr.write(" ".join([str(error), *getattr(error, "__notes__", [])]))
            return _exit_code(error)
        except BaseException:  # noqa: BLE001 - a forked child must not return into pytest
            sys.stderr.write(traceback.format_exc())
            return 70

    def end(self, name: str, seconds: float = 60.0) -> tuple[int, str]:
        until, pid = time.monotonic() + seconds, self.pids.pop(name)
        while time.monotonic() < until:
            found, status = os.waitpid(pid, os.WNOHANG)
            if found:
                return os.waitstatus_to_exitcode(status), (self.folder / f"{name}.log").read_text()
            time.sleep(0.01)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise AssertionError(f"{name} did not end: {(self.folder / f'{name}.log').read_text()}")

    def kill(self) -> None:
        for pid in self.pids.values():
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


@pytest.fixture
def pilots(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Pilots]:
    made = Pilots(tmp_path, getattr(request, "param", ROWS))
    yield made
    made.kill()


def test_three_registries_make_artificial_rows_in_three_processes(pilots: Pilots):
    pilots.collect("--purpose", "a test")
    pilots.site("FR", yes=False)  # nobody there to agree
    code, said = pilots.end("FR")
    assert code == 6 and "Take part?" in said and "nothing was sent" in said
    for words in ("FR, a site with data", "by MST", "a test", "epsilon = 4", "once for all rounds", "never a row"):
        assert words in said, words
    pilots.site("UK", data=False)
    assert pilots.end("UK")[0] == 1
    for name in SITES:
        pilots.site(name)
    ends = {name: pilots.end(name) for name in ("server", *SITES)}
    assert {name: code for name, (code, _) in ends.items()} == dict.fromkeys(ends, 0), ends
    assert "the study is over" in ends["US"][1] and "of 4 rounds" in ends["server"][1]
    out = pilots.folder / "out"
    assert {path.name for path in out.iterdir()} == {"synthetic.csv", "model.pets", "report.html", "transcript.json"}
    model, rows = Model.load(out / "model.pets"), pd.read_csv(out / "synthetic.csv")
    assert len(rows) == 300 and list(rows.columns) == ["site", "stage"]
    assert abs((rows.stage == "I").mean() - 0.5) < 0.2
    for name in ("server", *SITES):
        with pets.Ledger(pilots.folder / f"budget-{name}.sqlite") as book:
            paid = [entry.guarantee for entry in book.entries("registry-2017") if entry.kind == "charge"]
        free = pets.ApproxDP(0, 0)  # each of the four rounds leaves its name
        assert paid == ([] if name == "server" else [model.guarantee, *[free] * 4])
    checked(pilots, out)


def checked(pilots: Pilots, out: Path) -> None:
    """Anybody checks the record, and sees a change of it, or a model that is another one."""
    arguments = ["transcript", "verify", str(out / "transcript.json"), "--roster", str(pilots.folder / "roster.toml")]
    found = CliRunner().invoke(app, [*arguments, "--release", str(out / "model.pets")])
    assert found.exit_code == 0 and "Every round is signed by FR, UK, US and the collector" in found.output
    text = (out / "transcript.json").read_text()
    (out / "transcript.json").write_text(text.replace('\\"round\\":2', '\\"round\\":3'))
    error: Any = CliRunner().invoke(app, arguments).exception
    assert isinstance(error, TranscriptInvalid) and _exit_code(error) == 4


@pytest.mark.slow
@pytest.mark.parametrize("pilots", [REGRESSION], indirect=True, ids=["training"])
def test_three_registries_train_one_regression_in_three_processes(pilots: Pilots):
    pilots.collect()
    for name in SITES:
        pilots.site(name)
    ends = {name: pilots.end(name) for name in ("server", *SITES)}
    assert {name: code for name, (code, _) in ends.items()} == dict.fromkeys(ends, 0), ends
    out = pilots.folder / "out"
    assert {path.name for path in out.iterdir()} == {"coefficients.csv", "report.html", "transcript.json"}
    shown = pd.read_csv(out / "coefficients.csv")
    assert shown.term[0] == "intercept" and len(shown) == 3 and (shown.ratio_low < shown.ratio_high).all()
    assert "a logistic regression of stage on site" in ends["FR"][1] and "of 11 rounds" in ends["server"][1]
    check = ["transcript", "verify", str(out / "transcript.json"), "--roster", str(pilots.folder / "roster.toml")]
    found = CliRunner().invoke(app, check)
    assert found.exit_code == 0 and "Every round is signed by FR, UK, US and the collector" in found.output
    found = CliRunner().invoke(app, [*check, "--release", str(out / "coefficients.csv")])
    assert found.exit_code == 1 and "made none" in str(found.exception)


def test_a_study_counts_its_own_sessions(pilots: Pilots):
    pilots.collect("--number", "7")
    code, said = pilots.end("server")
    assert code == 1 and "a study counts its own" in said
