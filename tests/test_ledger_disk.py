"""When the disk is full, read-only or busy: a ledger error, and no charge lost that was acknowledged."""

from __future__ import annotations

import os
import resource
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pets.errors import LedgerError
from pets.guarantee import PureDP
from pets.ledger import Entry, Ledger


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond `size`, which to a program looks like a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def fill(ledger: Ledger, acknowledged: list[Entry]) -> None:
    while len(acknowledged) < 1000:
        acknowledged.append(ledger.charge(PureDP("0.01"), note="x" * 3000, request=str(len(acknowledged))))


def test_a_full_disk_loses_no_charge_that_was_acknowledged(tmp_path: Path) -> None:
    acknowledged: list[Entry] = []
    with Ledger(tmp_path / "l", PureDP(100)) as ledger:
        with file_size_limit(200_000), pytest.raises(LedgerError, match="disk"):
            fill(ledger, acknowledged)
        assert len(acknowledged) > 5
        assert ledger.entries()[1:] == tuple(acknowledged)
        ledger.verify()
        ledger.charge(PureDP("0.1"))
    with Ledger(tmp_path / "l") as ledger:
        assert ledger.entries()[1:-1] == tuple(acknowledged)
        ledger.verify()


def test_a_disk_that_fills_while_the_ledger_is_made_leaves_nothing(tmp_path: Path) -> None:
    with file_size_limit(10_000), pytest.raises(LedgerError):
        Ledger(tmp_path / "l", PureDP(1))
    assert list(tmp_path.iterdir()) == []


def test_a_full_database_is_a_ledger_error(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l", PureDP(100)) as ledger:
        with ledger._store.read() as connection:
            connection.execute("PRAGMA max_page_count = 20")
        with pytest.raises(LedgerError, match="Free some space"):
            fill(ledger, [])
        ledger.verify()


@contextmanager
def without_privileges(folder: Path) -> Iterator[None]:
    """Act as a user whom file modes bind; root is not bound by them."""
    if os.geteuid():
        yield
        return
    for path in (folder, *folder.iterdir()):
        os.chown(path, 65534, 65534)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Yield a folder that other users can reach."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)
        Path(name).chmod(0o755)


def test_a_read_only_ledger_can_be_read_and_not_charged(open_folder: Path) -> None:
    path = open_folder / "l"
    with Ledger(path, PureDP(1)) as ledger:
        ledger.charge(PureDP("0.1"))
    path.chmod(0o400)
    with without_privileges(open_folder), Ledger(path) as ledger:
        assert ledger.spent() == PureDP("0.1")
        ledger.verify()
        with pytest.raises(LedgerError, match="cannot be written"):
            ledger.charge(PureDP("0.1"))


@pytest.mark.parametrize(("mode", "folder_mode"), [(0o000, 0o755), (0o400, 0o555), (0o600, 0o000)])
def test_a_ledger_that_cannot_be_opened_is_a_ledger_error(open_folder: Path, mode: int, folder_mode: int) -> None:
    path = open_folder / "l"
    Ledger(path, PureDP(1)).close()
    path.chmod(mode)
    with without_privileges(open_folder):
        open_folder.chmod(folder_mode)
        with pytest.raises(LedgerError):
            Ledger(path).charge(PureDP("0.1"))


def test_a_folder_that_cannot_be_written_is_a_ledger_error(open_folder: Path) -> None:
    with without_privileges(open_folder):
        open_folder.chmod(0o555)
        with pytest.raises(LedgerError):
            Ledger(open_folder / "l", PureDP(1))
    assert list(open_folder.iterdir()) == []


def test_a_ledger_that_another_process_holds_is_a_ledger_error(tmp_path: Path) -> None:
    with Ledger(tmp_path / "l", PureDP(1), timeout=0.05) as ledger:
        other = sqlite3.connect(tmp_path / "l", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerError, match="longer timeout"):
            ledger.charge(PureDP("0.1"))
        assert ledger.spent() == PureDP(0)
        other.close()
        ledger.charge(PureDP("0.1"))


def test_an_interrupted_charge_leaves_the_ledger_usable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(row: object) -> str:
        raise KeyboardInterrupt

    with Ledger(tmp_path / "l", PureDP(1)) as ledger:
        with monkeypatch.context() as patch:
            patch.setattr("pets.ledger.chain.seal", interrupt)
            with pytest.raises(KeyboardInterrupt):
                ledger.charge(PureDP("0.1"))
        assert ledger.charge(PureDP("0.1")).sequence == 2
