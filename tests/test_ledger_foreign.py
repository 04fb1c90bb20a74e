"""What is no ledger, or no longer one, is refused and left as it is."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pets.errors import LedgerError, LedgerTampered
from pets.guarantee import PureDP
from pets.ledger import Ledger


def contents(folder: Path) -> dict[str, tuple[bytes | None, int]]:
    return {
        str(p.relative_to(folder)): (p.read_bytes() if p.is_file() else None, p.lstat().st_mode)
        for p in sorted(folder.rglob("*"))
    }


def other_database(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE t (x)")
    connection.close()


NOT_LEDGERS: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.touch(),
    "text": lambda path: path.write_text("hello\n" * 1000),
    "short text": lambda path: path.write_text("hi"),
    "directory": lambda path: path.mkdir(),
    "pipe": os.mkfifo,
    "device": lambda path: path.symlink_to("/dev/zero"),
    "database": other_database,
    "bytes": lambda path: path.write_bytes(os.urandom(8192)),
    "header only": lambda path: path.write_bytes(b"SQLite format 3\0" + bytes(52) + b"pets"),
}


@pytest.mark.parametrize("kind", NOT_LEDGERS)
@pytest.mark.parametrize("limit", [None, PureDP(1)])
def test_what_is_no_ledger_is_refused_and_left_alone(tmp_path: Path, kind: str, limit: PureDP | None) -> None:
    path = tmp_path / "l"
    NOT_LEDGERS[kind](path)
    before = contents(tmp_path)
    with pytest.raises(LedgerError):
        Ledger(path, limit)
    assert contents(tmp_path) == before


def test_a_database_with_a_log_is_not_even_recovered(tmp_path: Path) -> None:
    other_database(tmp_path / "busy")
    connection = sqlite3.connect(tmp_path / "busy")
    connection.execute("INSERT INTO t VALUES (1)")
    connection.commit()
    for name in ("busy", "busy-wal"):
        shutil.copy(tmp_path / name, tmp_path / name.replace("busy", "left"))
    connection.close()
    before = contents(tmp_path)
    with pytest.raises(LedgerError, match="not a budget ledger"):
        Ledger(tmp_path / "left")
    assert contents(tmp_path) == before


def test_a_newer_format_is_refused_and_left_alone(tmp_path: Path) -> None:
    Ledger(tmp_path / "l", PureDP(1)).close()
    connection = sqlite3.connect(tmp_path / "l")
    connection.execute("PRAGMA user_version = 2")
    connection.close()
    before = contents(tmp_path)
    with pytest.raises(LedgerError, match="Upgrade pets"):
        Ledger(tmp_path / "l")
    assert contents(tmp_path) == before


@pytest.fixture(scope="module")
def whole_ledger(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path: Path = tmp_path_factory.mktemp("whole") / "l"
    Ledger(path, PureDP(1)).close()
    return path.read_bytes()


@given(content=st.binary(max_size=400), keep=st.integers(0, 100))
@settings(max_examples=60)
def test_any_bytes_after_a_ledgers_header_are_refused(
    whole_ledger: bytes, tmp_path_factory: Any, content: bytes, keep: int
) -> None:
    folder = tmp_path_factory.mktemp("bytes")
    path = folder / "damaged"
    path.write_bytes(whole_ledger[:keep] + content)
    with pytest.raises(LedgerError):
        Ledger(path)


@pytest.mark.parametrize("pages", [1, 2, 3, 5])
def test_a_truncated_ledger_is_found(tmp_path: Path, pages: int) -> None:
    with Ledger(tmp_path / "l", PureDP(1)) as ledger:
        for number in range(20):
            ledger.charge(PureDP("0.01"), note="x" * 1000, request=str(number))
    os.truncate(tmp_path / "l", 4096 * pages)
    with pytest.raises(LedgerTampered), Ledger(tmp_path / "l") as ledger:
        ledger.verify()


def test_a_ledger_replaced_or_removed_while_in_use_is_noticed(tmp_path: Path) -> None:
    """Charges to a file without a name would be charges that nobody can see."""
    Ledger(tmp_path / "older copy", PureDP(1)).close()
    with Ledger(tmp_path / "l", PureDP(1)) as ledger:
        ledger.charge(PureDP("0.1"))
        (tmp_path / "l").rename(tmp_path / "moved")
        with pytest.raises(LedgerError, match="No such file"):
            ledger.charge(PureDP("0.1"))
        (tmp_path / "older copy").rename(tmp_path / "l")
        with pytest.raises(LedgerError, match="replaced"):
            ledger.charge(PureDP("0.1"))
        (tmp_path / "l").unlink()
        (tmp_path / "moved").rename(tmp_path / "l")
        ledger.charge(PureDP("0.1"))
        assert ledger.verify().entries == 3
