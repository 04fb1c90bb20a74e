"""The demo's ledger is a real one, and a second run costs nothing."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import pytest

from pets import Ledger, PureDP, ZeroConcentratedDP
from pets.demo import DemoFiles, run_demo
from pets.demo.plan import JOINT_ACCOUNT
from pets.demo.run import LEDGER
from pets.errors import LedgerError, LedgerTampered


def test_every_release_with_noise_is_charged(files: DemoFiles) -> None:
    with Ledger(files.ledger) as ledger:
        charges = [entry for entry in ledger.entries() if entry.kind == "charge"]
        assert len(charges) == 6 * (1 + 21) == files.study.account.charges
        assert {entry.dataset for entry in charges} == {JOINT_ACCOUNT, *files.study.exact.tables}
        for account in ledger.accounts():
            assert account.spent.epsilon == Fraction("8.85")  # type: ignore[union-attr]
            assert account.remaining.epsilon == 0  # type: ignore[union-attr]
            assert account.exact_releases == 0
        assert ledger.verify().entries == files.study.account.entries
    assert files.study.account.joint == files.study.account.registry == 8.85


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[DemoFiles, list[bytes]]]:
    """Three runs into one folder, the last with a wider grid, each with the bytes of its page and results."""
    folder = tmp_path_factory.mktemp("history")
    runs = []
    for grid in ([1], [1], ["1", 2]):
        made = run_demo(folder, grid)
        runs.append((made, [made.report.read_bytes(), made.results.read_bytes()]))
    return runs


def test_a_second_run_gives_the_same_page_at_no_cost(history: list[tuple[DemoFiles, list[bytes]]]) -> None:
    (first, page), (second, again), _ = history
    assert again == page
    assert second.study.account == first.study.account


def test_another_grid_in_the_same_folder_pays_only_for_what_is_new(
    history: list[tuple[DemoFiles, list[bytes]]],
) -> None:
    first, third = history[0][0].study, history[2][0]
    assert third.study.at(1, "joint") == first.at(1, "joint")
    assert third.study.at(1, "registry") == first.at(1, "registry")
    assert third.study.account.charges == 2 * first.account.charges
    assert third.study.account.joint == 3
    with Ledger(third.ledger) as ledger:
        assert [entry.guarantee for entry in ledger.entries() if entry.kind == "limit"] == [PureDP(1), PureDP(3)]


def test_a_new_folder_gives_new_noise(files: DemoFiles, folder: Path) -> None:
    again, first = run_demo(folder, [0.1]).study, files.study
    assert [c.value for c in again.at(0.1, "registry").cells] != [c.value for c in first.at(0.1, "registry").cells]


def test_a_file_that_is_no_ledger_is_refused_and_left_alone(folder: Path) -> None:
    folder.mkdir()
    (folder / LEDGER).write_text("notes of somebody else")
    with pytest.raises(LedgerError, match="not a budget ledger"):
        run_demo(folder, [1])
    assert (folder / LEDGER).read_text() == "notes of somebody else"
    assert sorted(path.name for path in folder.iterdir()) == [LEDGER]


def test_a_ledger_of_another_currency_is_refused(folder: Path) -> None:
    folder.mkdir()
    Ledger(folder / LEDGER, limit=ZeroConcentratedDP(1)).close()
    with pytest.raises(LedgerError, match="another kind of budget"):
        run_demo(folder, [1])


def test_an_edited_ledger_is_noticed(folder: Path) -> None:
    ledger = run_demo(folder, [1]).ledger
    with closing(sqlite3.connect(ledger)) as connection:
        triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("UPDATE entries SET note = 'never happened' WHERE sequence = 2")
        for _, statement in triggers:
            connection.execute(statement)
        connection.commit()
    with pytest.raises(LedgerTampered):
        run_demo(folder, [1])
