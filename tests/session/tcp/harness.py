"""Real processes that talk over loopback and die of SIGKILL, forked from here so that none has to import anything."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import time
import traceback
import warnings
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pets.errors import PetsError
from pets.identity import Identity, Roster
from pets.mpc import MaskedSum
from pets.session import Spec
from pets.session.journal import SealedJournal
from pets.session.tcp import Collector, Contract, Member, Store, ask, frames, link, member
from pets.session.wire import HEADER, read_fields

SIZE = 12
SITES = ("FR", "UK", "US")
VALUES = {name: np.arange(SIZE, dtype=np.int64) * (place + 2) % 97 for place, name in enumerate((*SITES, "DE", "IT"))}


@dataclass
class Kill:
    """Die before or after a journal event of this process, or a frame it writes, counted from 1."""

    number: int
    after: bool = False
    frames: bool = False
    torn: bool = False


@dataclass
class Study:
    """Everything the parties of one test share; each party is a process."""

    folder: Path
    identities: dict[str, Identity]
    names: tuple[str, ...]
    aggregator: object = field(default_factory=MaskedSum)
    deadline: float = 8.0
    wait: float = 8.0
    patience: float = 15.0
    number: int = 1
    sites: tuple[str, ...] = SITES
    pids: dict[str, int] = field(default_factory=dict)

    def __post_init__(self):
        self.roster = Roster(self.identities[name].public for name in self.names)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]

    @property
    def address(self):
        return "127.0.0.1", self.port

    def contract(self, **changes):
        settings = {
            "signature": "ab" * 32, "size": SIZE, "sites": self.sites, "bound": 1000, "lower": 0, "number": self.number,
            "roster": self.roster.digest.hex(), "aggregator": self.aggregator.to_dict(),
        }  # fmt: skip
        return Contract(Spec(**settings | changes), {}, self.deadline)

    def store(self, name):
        return Store(self.folder / name, self.identities[name], self.roster)

    # ---------------------------------------------------------------------------------- processes

    def start(self, name, kill=None, **options):
        work = self._collect if name == "server" else self._take_part
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # newer Pythons warn of forks in threaded processes
            pid = os.fork()
        if pid:
            self.pids[name] = pid
            return
        status = 70
        try:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            self._prepare(name, kill)
            status = work(name, **options)
        except BaseException:  # noqa: BLE001 - a forked child must not return into pytest
            self.say(name, traceback.format_exc())
        finally:
            os._exit(status)

    def start_all(self):
        for name in ("server", *self.names):
            if name not in self.pids:
                self.start(name)

    def wait_for(self, name, seconds=90.0):
        """Return the exit status; negative for a signal."""
        until = time.monotonic() + seconds
        pid = self.pids.pop(name)
        while time.monotonic() < until:
            found, status = os.waitpid(pid, os.WNOHANG)
            if found:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.005)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise AssertionError(f"{name} did not end:\n{self.log(name)}\n--- server\n{self.log('server')}")

    def wait_or_kill(self, name):
        """Kill a process unless it has ended; return its exit status."""
        os.kill(self.pids[name], signal.SIGKILL)
        return self.wait_for(name)

    def end(self):
        for pid in self.pids.values():
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    def say(self, name, text):
        with (self.folder / f"{name}.log").open("a") as log:
            log.write(text + "\n")

    def log(self, name):
        path = self.folder / f"{name}.log"
        return path.read_text() if path.exists() else ""

    def wait_for_line(self, name, text, seconds=60.0):
        until = time.monotonic() + seconds
        while text not in self.log(name):
            assert time.monotonic() < until, f"no {text!r} in the log of {name}:\n{self.log(name)}"
            time.sleep(0.005)

    def total(self):
        return json.loads((self.folder / "total.json").read_text())

    # ---------------------------------------------------------------------------------- inside the processes

    def _collect(self, name, **options):
        collector = Collector(
            self.store(name), self.aggregator, self.contract(),
            lambda outcome: json.dumps([outcome.total.tolist(), list(outcome.survivors), os.urandom(8).hex()]).encode(),
            self._deliver, lambda text: self.say(name, text), wait=self.wait,
        )  # fmt: skip
        return self._finish(name, collector.run(*self.address))

    def _deliver(self, finished):
        (self.folder / "total.json").write_bytes(finished.release)

    def _take_part(self, name, values=None):
        store = self.store(name)

        async def work():
            contract = await ask(self.address, store, self.patience, lambda text: None)
            brings = VALUES.get(name) if values is None else values
            contribute = (lambda: brings) if name in self.sites else None
            party = Member(
                store, self.aggregator, contract, contribute, self.address, self.patience,
                lambda text: self.say(name, text),
            )  # fmt: skip
            return await party.run()

        return self._finish(name, work())

    def _finish(self, name, work):
        try:
            asyncio.run(work)
        except PetsError as error:
            self.say(name, f"{type(error).__name__}: {error}")
            return 1
        return 0

    def _prepare(self, name, kill):
        member.FIRST_WAIT = 0.02
        self._record_messages(name)
        if kill is None:
            return
        count = 0

        def strike(do, torn=lambda: None):
            nonlocal count
            count += 1
            if count == kill.number and not kill.after:
                torn()
                os.kill(os.getpid(), signal.SIGKILL)
            do()
            if count == kill.number and kill.after:
                os.kill(os.getpid(), signal.SIGKILL)

        if kill.frames:
            put = link.Link.send
            link.Link.send = lambda self, *parts: strike(lambda: put(self, *parts))
        else:
            append, write = SealedJournal.append, SealedJournal._write

            def journal_append(self, *fields):
                def tear():
                    if kill.torn:
                        self._write = lambda data: write(self, data[: len(data) // 2])
                        append(self, *fields)

                strike(lambda: append(self, *fields), tear)

            SealedJournal.append = journal_append

    def _record_messages(self, name):
        """Write each message that this process sends to a file, before it is sent."""
        put = link.Link.send
        record = os.open(self.folder / f"{name}.sent", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

        def send(self, kind, *parts):
            if kind == frames.Kind.MESSAGE:
                os.write(record, b"".join(parts).hex().encode() + b"\n")
            put(self, kind, *parts)

        link.Link.send = send

    def assert_nothing_said_twice(self):
        """In one place of one session every process ever sent one message only: no seed served two of them."""
        for path in self.folder.glob("*.sent"):
            places = defaultdict(set)
            for line in path.read_text().split():
                header = read_fields(bytes.fromhex(line))
                assert len(line) == 2 * (HEADER + header.length)
                places[header.session, header.sender, header.recipient, header.sequence].add(line)
            assert all(len(said) == 1 for said in places.values()), path.name


def expected(*names):
    return sum(VALUES[name] for name in names).tolist()
