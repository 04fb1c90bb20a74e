"""The file under a ledger: making it, opening it, sharing it, and what happens when the disk says no."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from pets.errors import BudgetExceeded, InvalidArgument, LedgerError
from pets.guarantee import PureDP
from pets.ledger import Ledger, store

ROOT = Path(__file__).resolve().parent.parent


def run(code: str, *arguments: object, prefix: tuple[str, ...] = ()) -> str:
    """Run a small program in a process that is free to fork, and return what it printed."""
    command = [*prefix, sys.executable, "-c", code, *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


# -------------------------------------------------------------------------------------------------- making


def test_a_new_ledger_is_for_its_owner_only_and_leaves_nothing_else(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        with Ledger(tmp_path / "l", PureDP(1)) as ledger:
            ledger.charge(PureDP("0.1"))
            modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in tmp_path.iterdir()}
    finally:
        os.umask(old)
    assert modes == {"l": 0o600, "l-wal": 0o600, "l-shm": 0o600}
    assert [p.name for p in tmp_path.iterdir()] == ["l"]


def test_the_first_limit_must_be_given(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="limit="):
        Ledger(tmp_path / "l")
    assert list(tmp_path.iterdir()) == []


def test_the_folder_must_exist(tmp_path: Path) -> None:
    with pytest.raises(LedgerError, match="Create it first"):
        Ledger(tmp_path / "nowhere" / "l", PureDP(1))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("path", ["", "a\0b", None, 7, ["l"], ":memory:", "\ud800"])
def test_bad_paths_are_refused(path: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InvalidArgument, match="path"):
        Ledger(path, PureDP(1))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "name", ["a?b#c%41&mode=memory", "Grüße \u202e.sqlite", "-", "'; DROP TABLE entries", "x" * 250]
)
def test_any_file_name_will_do(tmp_path: Path, name: str) -> None:
    with Ledger(tmp_path / name, PureDP(1)) as ledger:
        ledger.charge(PureDP("0.1"))
    assert [p.name for p in tmp_path.iterdir()] == [name]
    with Ledger(os.fsencode(tmp_path / name)) as ledger:  # type: ignore[arg-type]
        assert ledger.spent() == PureDP("0.1")


def test_a_name_that_is_too_long_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LedgerError):
        Ledger(tmp_path / ("x" * 300), PureDP(1))
    assert list(tmp_path.iterdir()) == []


def test_all_names_of_a_ledger_lead_to_one_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real" / "l")
    monkeypatch.chdir(tmp_path)
    with Ledger("link", PureDP(1)) as one, Ledger("real/../real/l") as two:
        one.charge(PureDP("0.6"))
        with pytest.raises(BudgetExceeded):
            two.charge(PureDP("0.6"))
    assert [p.name for p in (tmp_path / "real").iterdir()] == ["l"]


def test_a_log_without_its_ledger_is_not_replayed_into_a_new_one(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l", PureDP(1)) as ledger:
        ledger.charge(PureDP(1))
        shutil.copy(tmp_path / "l-wal", tmp_path / "copy-wal")
    with pytest.raises(LedgerError, match="Restore"):
        Ledger(tmp_path / "copy", PureDP(1))
    assert not (tmp_path / "copy").exists()


def test_a_file_system_without_links_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*names: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(LedgerError, match="Operation not permitted"):
        Ledger(tmp_path / "l", PureDP(1))
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------------------------------------ durability


def test_commits_are_synced(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l", PureDP(1)) as ledger, ledger._store.read() as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
        assert connection.execute("PRAGMA fullfsync").fetchone() == (1,)
        assert connection.execute("PRAGMA wal_autocheckpoint").fetchone() == (0,)


CHARGE_AND_RELEASE = """
import os, sys
from pets.guarantee import PureDP
from pets.ledger import Ledger
ledger = Ledger(sys.argv[1], PureDP(1))
log = os.open(sys.argv[2], os.O_CREAT | os.O_WRONLY)
for number in range(3):
    ledger.charge(PureDP("0.1"), request=str(number))
    os.write(log, b"charged")
    ledger.store_answer(str(number), "A")
    os.write(log, b"answered")
"""


def strace() -> tuple[str, ...]:
    """Return how to trace system calls, or skip where that is not possible."""
    command = ("strace", "-f", "-y", "-e", "trace=write,pwrite64,fsync,fdatasync")
    if not shutil.which("strace") or subprocess.run(["strace", "true"], capture_output=True, check=False).returncode:
        pytest.skip("needs strace")
    return command


def test_the_log_is_on_the_disk_before_anything_is_released(tmp_path: Path) -> None:
    """A power failure is not a kill: only the order of system calls can show that a charge survives it."""
    trace = tmp_path / "trace"
    run(CHARGE_AND_RELEASE, tmp_path / "l", tmp_path / "releases", prefix=(*strace(), "-o", str(trace)))
    dirty, synced, releases = False, 0, 0
    for line in trace.read_text().splitlines():
        call = re.search(r"(\w+)\(\d+<([^>]*)>", line)
        name, file = call.groups() if call else ("", "")
        if file.endswith("l-wal"):
            dirty = name in ("write", "pwrite64")
            synced += not dirty
        if file.endswith("releases"):
            releases += 1
            assert not dirty
            assert synced >= releases
    assert releases == 6


def test_whatever_is_left_of_the_log_is_a_shorter_ledger(tmp_path: Path) -> None:
    """After a power failure the end of the log may be missing or torn."""
    with Ledger(tmp_path / "l", PureDP(1)) as ledger:
        for number in range(3):
            ledger.charge(PureDP("0.1"), request=str(number))
            ledger.store_answer(str(number), f"answer {number}")
        whole = ledger.entries()
        log, base = (tmp_path / "l-wal").read_bytes(), (tmp_path / "l").read_bytes()
    seen = set()
    for length in (*range(0, len(log), 2048), len(log)):
        for tail in (b"", b"\xa5" * 512):
            (tmp_path / "copy").write_bytes(base)
            (tmp_path / "copy-wal").write_bytes(log[:length] + tail)
            with Ledger(tmp_path / "copy") as ledger:
                ledger.verify()
                entries = ledger.entries()
                assert entries == whole[: len(entries)]
                seen.add(len(entries))
    assert seen == set(range(1, len(whole) + 1))


def test_a_grown_log_is_moved_into_the_file_and_shrinks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_WAL_BYTES", 100_000)
    sizes = []
    with Ledger(tmp_path / "l", PureDP(1)) as ledger, Ledger(tmp_path / "l") as other:
        for number in range(60):
            (ledger, other)[number % 2].charge(PureDP("0.01"), note="x" * 5000)
            sizes.append((tmp_path / "l-wal").stat().st_size)
        assert max(sizes) < 200_000
        assert sum(after < before for before, after in pairwise(sizes)) >= 3
        other.verify()
    assert (tmp_path / "l").stat().st_size > 60 * 5000


def test_an_idle_reader_does_not_stop_checkpoints_or_charges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_WAL_BYTES", 50_000)
    with Ledger(tmp_path / "l", PureDP(1), timeout=5) as ledger:
        reader = sqlite3.connect(tmp_path / "l", isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM state").fetchall()
        for _ in range(40):
            ledger.charge(PureDP("0.01"), note="x" * 5000)
        reader.close()
        assert ledger.spent() == PureDP("0.4")
        ledger.verify()


# ---------------------------------------------------------------------------------- threads, forks, processes


def test_threads_share_a_ledger(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l", PureDP(1)) as ledger:

        def charge(number: int) -> str:
            try:
                ledger.charge(PureDP("0.01"), request=str(number % 150))
            except BudgetExceeded:
                return "refused"
            return ledger.store_answer(str(number % 150), f"draft of {threading.get_ident()} {number}")

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(charge, range(300)))
        assert ledger.spent() == PureDP(1)
        kept = {ledger.answer(str(number)) for number in range(150)} - {None}
        assert len(kept) == 100
        assert set(answers) - {"refused"} <= kept
        ledger.verify()


OPEN_AT_ONCE = """
import os, sys, time
from pets.guarantee import PureDP
from pets.ledger import Ledger
path, rounds = sys.argv[1], int(sys.argv[2])
for number in range(rounds):
    start = time.monotonic() + 0.02
    children = []
    for child in range(8):
        children.append(os.fork())
        if not children[-1]:
            while time.monotonic() < start:
                pass
            with Ledger(f"{path}-{number}", PureDP(8)) as ledger:
                ledger.charge(PureDP(1))
            os._exit(0)
    assert not any(os.waitpid(child, 0)[1] for child in children)
    with Ledger(f"{path}-{number}") as ledger:
        assert ledger.verify().entries == 9 and ledger.spent() == PureDP(8)
print(sorted(os.listdir(os.path.dirname(path))))
"""


def test_eight_processes_may_make_the_same_ledger_at_once(tmp_path: Path) -> None:
    assert run(OPEN_AT_ONCE, tmp_path / "l", 6) == f"{[f'l-{n}' for n in range(6)]}\n"


FORK = """
import json, os, sys, threading
from pets.guarantee import PureDP
from pets.ledger import Ledger

ledger = Ledger(sys.argv[1], PureDP(10**6))
ledger.charge(PureDP(1))
stop = threading.Event()

def charge():
    while not stop.wait(0.001):
        ledger.charge(PureDP(1))

threads = [threading.Thread(target=charge) for _ in range(3)]
for thread in threads:
    thread.start()
for _ in range(6):
    child = os.fork()
    if not child:
        assert ledger._store._connection is None, "a connection crossed the fork"
        ledger.charge(PureDP(1), note="child")
        if not os.fork():
            ledger.charge(PureDP(1), note="grandchild")
            sys.exit(0)
        assert os.wait()[1] == 0
        sys.exit(0)  # with finalizers, which must not disturb the parent
    assert os.waitpid(child, 0)[1] == 0
stop.set()
for thread in threads:
    thread.join()
notes = [entry.note for entry in ledger.entries()]
ledger.verify()
print(json.dumps([notes.count("child"), notes.count("grandchild"), len(notes)]))
"""


def test_a_ledger_survives_forks_while_threads_use_it(tmp_path: Path) -> None:
    children, grandchildren, entries = json.loads(run(FORK, tmp_path / "l"))
    assert (children, grandchildren) == (6, 6)
    assert entries > 14


def test_opening_a_ledger_again_does_not_drop_the_locks_of_this_process(tmp_path: Path) -> None:
    """POSIX drops all locks of a process on a file as soon as it closes any descriptor of that file.

    Another process would then take itself for the last user and remove the log while this one still writes to it.
    """
    visit = "import sys; from pets.ledger import Ledger; print(Ledger(sys.argv[1]).spent().epsilon)"
    with Ledger(tmp_path / "l", PureDP(1)) as ledger:
        ledger.charge(PureDP("0.25"))
        with Ledger(tmp_path / "l") as again:
            assert again.spent() == PureDP("0.25")
        assert run(visit, tmp_path / "l") == "1/4\n"
        ledger.charge(PureDP("0.5"))
        assert run(visit, tmp_path / "l") == "3/4\n"


def test_an_abandoned_ledger_is_closed(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "l", PureDP(1))
    ledger.charge(PureDP("0.1"))
    del ledger
    assert [p.name for p in tmp_path.iterdir()] == ["l"]
    with suppress(LedgerError):
        Ledger(tmp_path / "l", PureDP(2))
    assert [p.name for p in tmp_path.iterdir()] == ["l"]
