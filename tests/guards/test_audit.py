"""The log finds what was changed, and holds nothing but public facts."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from pets.errors import LedgerTampered
from pets.guards import AuditLog


@pytest.fixture
def log(tmp_path: Path) -> AuditLog:
    log = AuditLog(tmp_path / "audit.jsonl")
    log.append("answered", dataset="d", session="ab", question={"query": {"type": "count"}})
    log.append("refused", code="cohort", dataset="d")
    log.append("finished", dataset="d", session="ab")
    return log


def test_entries_are_chained_by_hashes_that_anybody_can_recompute(log: AuditLog) -> None:
    previous = "0" * 64
    for number, line in enumerate(log.path.read_text().splitlines(), start=1):
        data = json.loads(line)
        claimed = data.pop("hash")
        text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
        assert hashlib.sha256(text.encode()).hexdigest() == claimed
        assert (data["sequence"], data["previous"]) == (number, previous)
        previous = claimed
    assert log.head == previous
    assert log.verify(previous) == 3
    assert log.path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("old", "new"), [("cohort", "cohorT"), ('"sequence":2', '"sequence":4'), ("refused", "answered"), ("}\n", "},\n")]
)
def test_a_changed_line_is_found(log: AuditLog, old: str, new: str) -> None:
    log.path.write_text(log.path.read_text().replace(old, new, 1))
    with pytest.raises(LedgerTampered):
        log.verify()


def test_a_line_that_was_changed_with_its_hash_is_found_by_the_next_one(log: AuditLog) -> None:
    lines = log.path.read_text().splitlines()
    data = json.loads(lines[1])
    del data["hash"]
    data["code"] = "columns"
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    data["hash"] = hashlib.sha256(text.encode()).hexdigest()
    lines[1] = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    log.path.write_text("\n".join(lines) + "\n")
    with pytest.raises(LedgerTampered, match="line 3"):
        log.verify()


@pytest.mark.parametrize("order", [(1, 0, 2), (0, 2), (1, 2), (0, 0, 1, 2)])
def test_a_missing_moved_or_doubled_line_is_found(log: AuditLog, order: tuple[int, ...]) -> None:
    lines = log.path.read_text().splitlines(keepends=True)
    log.path.write_text("".join(lines[i] for i in order))
    with pytest.raises(LedgerTampered):
        log.verify()


def test_a_cut_end_is_found_by_who_kept_the_head(log: AuditLog) -> None:
    head = log.head
    log.path.write_text("".join(log.path.read_text().splitlines(keepends=True)[:-1]))
    assert log.verify() == 2
    with pytest.raises(LedgerTampered, match="kept elsewhere"):
        log.verify(head)


def test_a_line_torn_by_a_crash_is_dropped_and_a_changed_last_one_is_not(log: AuditLog) -> None:
    whole = log.path.read_bytes()
    log.path.write_bytes(whole + b'{"code":"')
    assert log.append("failed").sequence == 4
    assert log.verify() == 4
    log.path.write_bytes(whole.replace(b"finished", b"finishes"))
    with pytest.raises(LedgerTampered):
        log.append("failed")


def test_processes_that_write_at_once_make_one_chain(tmp_path: Path) -> None:
    path = tmp_path / "audit.jsonl"
    script = f"from pets.guards import AuditLog\nfor _ in range(10): AuditLog({str(path)!r}).append('refused')"
    running = [subprocess.Popen([sys.executable, "-c", script]) for _ in range(3)]
    assert [process.wait() for process in running] == [0, 0, 0]
    assert AuditLog(path).verify() == 30


def test_an_empty_log_verifies(tmp_path: Path) -> None:
    assert AuditLog(tmp_path / "none").verify() == 0
