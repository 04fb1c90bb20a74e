"""Kill processes that use one ledger, and look for a broken promise afterwards.

Run by ``test_ledger_kill.py`` in a process of its own: small, so that it forks fast, and free to fork.

``random``: eight workers charge, answer and "release" (append a line to a log of their own) as fast as they can,
and are killed with SIGKILL at random instants. ``steps``: one worker is killed at every line, or
every byte-code instruction, of the ledger's code, each in a fresh ledger.

Prints what it found as JSON; ``violations`` must be empty.
"""

from __future__ import annotations

import argparse
import json
import mmap
import os
import random
import signal
import sqlite3
import struct
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pets.ledger
from pets.errors import BudgetExceeded, PetsError
from pets.guarantee import PureDP
from pets.ledger import Entry, Ledger, chain, store
from pets.ledger.entry import GENESIS
from pets.ledger.store import Store, translated

# A killed process leaves what it wrote, wherever that is; in memory there are more writes between two kills.
MEMORY = Path("/dev/shm")  # noqa: S108
CHARGES_PER_DATASET = 20
REQUESTS_PER_DATASET = 12
LEDGER_CODE = str(Path(pets.ledger.__file__).parent)


def workspace() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(dir=MEMORY if os.access(MEMORY, os.W_OK) else None)


class Log:
    """Lines that survive the death of their writer, as a release that has left the house does."""

    def __init__(self, path: Path) -> None:
        self._descriptor = os.open(path, os.O_CREAT | os.O_APPEND | os.O_WRONLY, 0o600)

    def write(self, *words: object) -> None:
        os.write(self._descriptor, (json.dumps(words) + "\n").encode())


def work(path: Path, log: Log, round_: mmap.mmap, rng: random.Random) -> None:
    """Charge, answer and release for ever, in one data set after the other; a data set is done when it is refused."""
    with Ledger(path) as ledger:
        while True:
            (number,) = struct.unpack("q", round_[:8])
            dataset = f"d{number}"
            try:
                release(ledger, log, dataset, rng)
            except BudgetExceeded:
                round_[:8] = struct.pack("q", number + 1)


def release(ledger: Ledger, log: Log, dataset: str, rng: random.Random) -> None:
    if rng.random() < 0.5:
        release_plain(ledger, log, dataset)
        return
    request = f"r{rng.randrange(REQUESTS_PER_DATASET)}"
    ledger.charge(PureDP(1), dataset=dataset, request=request)
    kept = ledger.store_answer(request, f"noise {rng.random()}", dataset=dataset)
    log.write("answer", dataset, request, kept)


def release_plain(ledger: Ledger, log: Log, dataset: str) -> None:
    token = os.urandom(8).hex()
    ledger.charge(PureDP(1), dataset=dataset, note=token)
    log.write("charge", token)


def kill_at_random(folder: Path, kills: int, workers: int, pause: float, seed: int) -> dict[str, Any]:
    """Keep `workers` processes busy and kill one of them at a time."""
    path, rng = folder / "ledger.sqlite", random.Random(seed)
    Ledger(path, PureDP(CHARGES_PER_DATASET)).close()
    round_ = mmap.mmap(-1, 8)
    born = 0

    def spawn() -> int:
        nonlocal born
        born += 1
        child = os.fork()
        if child:
            return child
        log = Log(folder / f"worker-{born % 64}.log")
        try:
            work(path, log, round_, random.Random(f"{seed} {born}"))
        except Exception as error:  # noqa: BLE001  # whatever it is, it is a finding
            log.write("error", repr(error), repr(error.__cause__))
        os._exit(1)

    started = time.monotonic()
    alive = [spawn() for _ in range(workers)]
    for _ in range(kills):
        time.sleep(rng.uniform(0, 2 * pause))
        victim = rng.randrange(workers)
        os.kill(alive[victim], signal.SIGKILL)
        os.waitpid(alive[victim], 0)
        alive[victim] = spawn()
    for child in alive:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    seconds = time.monotonic() - started
    (rounds,) = struct.unpack("q", round_[:8])
    return judge(path, read_logs(folder), rounds, kills + workers) | {"seconds": round(seconds, 1)}


def read_logs(folder: Path) -> list[list[Any]]:
    return [json.loads(line) for log in sorted(folder.glob("worker-*.log")) for line in log.read_text().splitlines()]


def judge(path: Path, released: list[list[Any]], rounds: int, kills: int) -> dict[str, Any]:
    """Compare what was released with what the ledger says."""
    violations = [f"a worker failed: {line[1:]}" for line in released if line[0] == "error"]
    entries: tuple[Entry, ...] = ()
    with Ledger(path) as ledger:
        try:
            ledger.verify()
            entries = ledger.entries()
            violations += compare(ledger, entries, released, rounds, kills)
        except PetsError as error:
            violations.append(f"does not verify: {error}")
    counts = Counter(entry.kind for entry in entries)
    return {"kills": kills, "violations": violations, "entries": counts, "releases": len(released), "rounds": rounds}


def compare(
    ledger: Ledger, entries: tuple[Entry, ...], released: list[list[Any]], rounds: int, kills: int
) -> list[str]:
    violations = []
    charged = {e.note or e.hash for e in entries if e.kind == "charge"}
    requests = Counter((e.dataset, e.request) for e in entries if e.kind == "charge" and e.request)
    answers: dict[tuple[str, str], set[str]] = defaultdict(set)
    for kind, *words in released:
        if kind == "charge" and words[0] not in charged:
            violations.append(f"released without a recorded charge: {words[0]}")
        if kind == "answer":
            answers[words[0], words[1]].add(words[2])
    for (dataset, request), given in answers.items():
        if not requests[dataset, request]:
            violations.append(f"answered without a recorded charge: {dataset} {request}")
        if given != {ledger.answer(request, dataset=dataset)}:
            violations.append(f"{len(given)} answers left for {dataset} {request}")
    violations += [f"charged {n} times: {request}" for request, n in requests.items() if n > 1]
    spent = Counter(e.dataset for e in entries if e.kind == "charge")
    violations += [f"overspent: {d} paid {n}" for d, n in spent.items() if n > CHARGES_PER_DATASET]
    refused_early = [f"d{i}" for i in range(rounds) if spent[f"d{i}"] < CHARGES_PER_DATASET]
    violations += [f"refused although budget was left: {dataset}" for dataset in refused_early]
    plain = sum(kind == "charge" for kind, *_ in released)
    wasted = len(charged) - plain - len(answers)
    if wasted > kills:
        violations.append(f"{wasted} charges without a release, more than the {kills} kills explain")
    return violations


def kill_at_steps(instructions: bool, stride: int) -> dict[str, Any]:
    """Kill a worker at every `stride`-th step of the ledger's code, from making the file to keeping an answer."""
    step, violations = 0, []
    while True:
        step += stride
        with workspace() as name:
            folder = Path(name)
            finished = run_until(folder, step, instructions)
            violations += [f"step {step}: {violation}" for violation in resume(folder)]
        if finished:
            return {"steps": step // stride, "violations": violations}


def script(folder: Path) -> None:
    """Do everything a ledger does for one release with a request and one without."""
    log = Log(folder / "worker-0.log")
    with Ledger(folder / "ledger.sqlite", PureDP(2)) as ledger:
        ledger.charge(PureDP(1), request="r")
        log.write("answer", "default", "r", ledger.store_answer("r", f"noise {os.getpid()}"))
        if ledger.remaining() == PureDP(1):
            release_plain(ledger, log, "default")


def run_until(folder: Path, step: int, instructions: bool) -> bool:
    """Run the script in a child that dies at a given step; return whether it ended before."""
    child = os.fork()
    if not child:
        sys.settrace(assassin(step, instructions))
        script(folder)
        sys.settrace(None)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFEXITED(status)


def assassin(step: int, instructions: bool) -> Callable[[FrameType, str, object], Any]:
    left = step

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        nonlocal left
        if not frame.f_code.co_filename.startswith(LEDGER_CODE):
            return None
        frame.f_trace_opcodes = instructions
        left -= 1
        if left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return trace

    return trace


def resume(folder: Path) -> list[str]:
    """Do the whole script again after the crash, as a user would, and judge both runs together."""
    try:
        script(folder)
        with Ledger(folder / "ledger.sqlite") as ledger:
            spent = ledger.spent()
    except PetsError as error:
        return [repr(error)]
    violations = [] if spent == PureDP(2) else [f"{spent} after a crash and a retry"]
    return [*violations, *judge(folder / "ledger.sqlite", read_logs(folder), 0, 2)["violations"]]


def release_first(ledger: Ledger, log: Log, dataset: str) -> None:
    token = os.urandom(8).hex()
    log.write("charge", token)
    ledger.charge(PureDP(1), dataset=dataset, note=token)


@contextmanager
def no_transaction(self: Store) -> Iterator[sqlite3.Connection]:
    with translated(self.path):
        yield self._connected()


def plant(bug: str) -> None:
    """Break the ledger or its user, to see that the harness notices."""
    state, this = chain.state, sys.modules[__name__]
    bugs: dict[str, tuple[object, str, object]] = {
        "release first": (this, "release_plain", release_first),
        "own answer": (Ledger, "store_answer", lambda self, request, answer, **account: answer),
        "deferred transaction": (Store, "write", Store.read),
        "no transaction": (Store, "write", no_transaction),
        "no previous hash": (chain, "state", lambda connection: state(connection)._replace(head=GENESIS)),
    }
    setattr(*bugs[bug])


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("mode", choices=["random", "steps"])
    arguments.add_argument("--kills", type=int, default=300)
    arguments.add_argument("--workers", type=int, default=8)
    arguments.add_argument("--pause", type=float, default=0.003, help="mean seconds between two kills")
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--instructions", action="store_true", help="steps are byte-code instructions, not lines")
    arguments.add_argument("--stride", type=int, default=1)
    arguments.add_argument("--bug", help="plant this one, to see it found")
    options = arguments.parse_args()
    store._WAL_BYTES = 100_000  # so that processes are killed during checkpoints, too
    if options.bug:
        plant(options.bug)
    if options.mode == "steps":
        found = kill_at_steps(options.instructions, options.stride)
    else:
        with workspace() as name:
            found = kill_at_random(Path(name), options.kills, options.workers, options.pause, options.seed)
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main()
