"""A log that forgot an answer is noticed: the ledger knows the newest line that something left for."""

from __future__ import annotations

from pathlib import Path

import pytest

import pets
from pets.errors import LedgerError, LedgerTampered
from pets.guards import AuditLog
from pets.guards.anchor import anchor, check_memory, newest_anchor


@pytest.fixture
def ledger(tmp_path: Path) -> pets.Ledger:
    return pets.Ledger(tmp_path / "budget.sqlite", limit=pets.PureDP(100))


@pytest.fixture
def log(tmp_path: Path) -> AuditLog:
    return AuditLog(tmp_path / "audit.jsonl")


def answered(ledger: pets.Ledger, log: AuditLog, number: int, dataset: str = "registry") -> str:
    """Answer a question as a site does, and return the hash of its line."""
    charge = ledger.charge(pets.PureDP("0.1"), dataset=dataset, request=f"draw {number}")
    line = log.append("answered", dataset=dataset)
    anchor(ledger, charge, line)
    return line.hash


def test_a_log_that_holds_every_answer_passes(ledger: pets.Ledger, log: AuditLog):
    check_memory(log, ledger, "registry")
    for number in range(3):
        answered(ledger, log, number)
        log.append("refused", code="cohort", dataset="registry")
        check_memory(log, ledger, "registry")


def test_a_log_that_was_deleted_is_missed_until_it_is_back(ledger: pets.Ledger, log: AuditLog):
    hashes = [answered(ledger, log, number) for number in range(2)]
    kept = log.path.rename(log.path.with_suffix(".away"))
    with pytest.raises(LedgerTampered, match=hashes[-1]):
        check_memory(log, ledger, "registry")
    log.append("refused", code="failed", dataset="registry")  # a log begun anew is another one
    with pytest.raises(LedgerTampered, match="history of answered cohorts"):
        check_memory(log, ledger, "registry")
    kept.replace(log.path)
    check_memory(log, ledger, "registry")


def test_a_log_whose_end_was_cut_off_is_missed(ledger: pets.Ledger, log: AuditLog):
    for number in range(3):
        answered(ledger, log, number)
    lines = log.path.read_bytes().splitlines(keepends=True)
    log.path.write_bytes(b"".join(lines[:-1]))
    assert log.verify() == 2  # the chain itself cannot know
    with pytest.raises(LedgerTampered):
        check_memory(log, ledger, "registry")


def test_an_operator_may_confirm_the_loss_of_just_that_line(ledger: pets.Ledger, log: AuditLog):
    first, lost = (answered(ledger, log, number) for number in range(2))
    log.path.unlink()
    with pytest.raises(LedgerTampered):
        check_memory(log, ledger, "registry", forgotten=first)
    check_memory(log, ledger, "registry", forgotten=lost)
    answered(ledger, log, 2)
    check_memory(log, ledger, "registry")
    log.path.unlink()  # the word was about another loss
    with pytest.raises(LedgerTampered):
        check_memory(log, ledger, "registry", forgotten=lost)


def test_each_data_set_has_a_history_of_its_own(ledger: pets.Ledger, log: AuditLog, tmp_path: Path):
    answered(ledger, log, 1, "one")
    other = AuditLog(tmp_path / "other.jsonl")
    line = answered(ledger, other, 2, "two")
    assert newest_anchor(ledger, "two") == line
    check_memory(log, ledger, "one")
    check_memory(other, ledger, "two")
    check_memory(log, ledger, "three")
    with pytest.raises(LedgerTampered):
        check_memory(log, ledger, "two")


def test_the_newest_line_is_found_under_many_other_entries(ledger: pets.Ledger, log: AuditLog):
    """Other work on the same ledger: answers of its own, and more entries than are looked at in one go."""
    line = answered(ledger, log, 0)
    charge = ledger.charge(pets.PureDP("0.1"), dataset="registry", request="a release")
    ledger.store_answer(charge, "a release and no hash")
    for number in range(150):
        ledger.charge(pets.PureDP("0.01"), dataset="registry", request=f"more {number}")
    assert newest_anchor(ledger, "registry") == line


def test_without_a_place_in_the_ledger_nothing_may_leave(ledger: pets.Ledger, log: AuditLog):
    charge = ledger.charge(pets.PureDP("0.1"), dataset="registry")  # a charge without a request has no answer
    with pytest.raises((LedgerError, pets.errors.InvalidArgument)):
        anchor(ledger, charge, log.append("answered", dataset="registry"))
