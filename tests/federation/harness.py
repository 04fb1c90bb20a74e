"""The parties of a study, each a process forked from here, with a folder and a ledger of its own."""

from __future__ import annotations

import os
import signal
import socket
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pets
from pets.errors import PetsError
from pets.federation import StudyTranscript, SyntheticStudy, collect_study, join_study
from pets.identity import Identity, Roster
from pets.session.tcp import Store, member
from pets.synthetic import Model

if TYPE_CHECKING:
    import pandas as pd

SITES = ("FR", "UK", "US")
LIMIT = pets.ApproxDP(5, "1e-4")


@dataclass
class Parties:
    """Who takes part, and what each of them has."""

    folder: Path
    identities: dict[str, Identity]
    synthesizer: Any
    domain: pets.Domain
    rows: dict[str, pd.DataFrame]
    wait: float = 60.0
    deadline: float = 60.0
    patience: float = 60.0
    aggregator: Any = field(default_factory=pets.mpc.MaskedSum)
    others: tuple[str, ...] = SITES
    limits: dict[str, Any] = field(default_factory=dict)
    pids: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.roster = Roster(self.identities[name].public for name in ("server", *self.others))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.address = free.getsockname()

    def ledger(self, name: str) -> pets.Ledger:
        return pets.Ledger(self.folder / f"{name}.sqlite", limit=self.limits.get(name, LIMIT))

    def charges(self, name: str) -> list[Any]:
        """What was paid; the entries of rounds cost nothing."""
        with self.ledger(name) as book:
            found = [entry.guarantee for entry in book.entries() if entry.kind == "charge"]
        return [cost for cost in found if cost not in (pets.ApproxDP(0, 0), pets.ZeroConcentratedDP(0))]

    def study(self, ledger: pets.Ledger | None = None, **changes: Any) -> SyntheticStudy:
        return SyntheticStudy(self.synthesizer, self.domain, self.aggregator, ledger, **changes)

    def store(self, name: str) -> Store:
        return Store(self.folder / name, self.identities[name], self.roster)

    # ---------------------------------------------------------------------------------- processes

    def start(self, name: str, prepare: Callable[[], None] = lambda: None, **changes: Any) -> None:
        """Start a party; `prepare` is called in its process first."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons warn of forks in threaded processes
            pid = os.fork()
        if pid:
            self.pids[name] = pid
            return
        status = 70
        try:
            member.FIRST_WAIT = 0.02
            signal.signal(signal.SIGINT, signal.default_int_handler)
            prepare()
            status = self._run(name, **changes)
        except BaseException:  # noqa: BLE001 - a forked child must not return into pytest
            self.say(name, traceback.format_exc())
        finally:
            os._exit(status)

    def start_all(self, **prepare: Callable[[], None]) -> None:
        for name in ("server", *self.others):
            if name not in self.pids:
                self.start(name, prepare.get(name, lambda: None))

    def end(self, name: str, seconds: float = 120.0) -> int:
        """Return the exit status; negative for a signal."""
        until, pid = time.monotonic() + seconds, self.pids.pop(name)
        while time.monotonic() < until:
            found, status = os.waitpid(pid, os.WNOHANG)
            if found:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.01)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise AssertionError(f"{name} did not end:\n{self.log(name)}\n--- server\n{self.log('server')}")

    def end_all(self) -> dict[str, int]:
        return {name: self.end(name) for name in list(self.pids)}

    def kill(self, name: str) -> None:
        os.kill(self.pids[name], signal.SIGKILL)
        assert self.end(name) == -signal.SIGKILL

    def kill_all(self) -> None:
        for pid in self.pids.values():
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        self.pids.clear()

    def say(self, name: str, text: str) -> None:
        with (self.folder / f"{name}.log").open("a") as log:
            log.write(text + "\n")

    def log(self, name: str) -> str:
        path = self.folder / f"{name}.log"
        return path.read_text() if path.exists() else ""

    def model(self, name: str) -> bytes:
        return (self.folder / f"{name}.model").read_bytes()

    def transcript(self) -> StudyTranscript:
        return StudyTranscript.from_json((self.folder / "transcript.json").read_text())

    # ---------------------------------------------------------------------------------- inside the processes

    def _run(self, name: str, **changes: Any) -> int:
        try:
            with self.ledger(name) as book:
                model = (self._collect if name == "server" else self._join)(name, book, **changes)
        except PetsError as error:
            self.say(name, " ".join([f"{type(error).__name__}: {error}", *getattr(error, "__notes__", [])]))
            return 1
        self._write(name, model)
        return 0

    def _write(self, name: str, found: Any) -> None:
        (self.folder / f"{name}.model").write_bytes(found.to_bytes())

    def _collect(self, name: str, book: pets.Ledger, **changes: Any) -> Model:
        store = self.store(name)
        with store.locked():
            return collect_study(
                self.study(book, **changes), SITES, store, self._deliver,
                address=self.address, deadline=self.deadline, wait=self.wait, say=lambda text: self.say(name, text),
            )  # fmt: skip

    def _deliver(self, model: Model, transcript: StudyTranscript) -> None:
        (self.folder / "transcript.json").write_text(transcript.to_json())

    def _join(self, name: str, book: pets.Ledger, **changes: Any) -> Model:
        store = self.store(name)

        def agree(joint: Any, contract: Any, begun: bool) -> Any:
            self.say(name, "goes on" if begun else "agrees")
            return self.rows.get(name)

        with store.locked():
            return join_study(
                self.study(book, **changes), store, agree,
                address=self.address, patience=self.patience, say=lambda text: self.say(name, text),
            )  # fmt: skip
