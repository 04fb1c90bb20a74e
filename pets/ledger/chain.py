"""What is read from and appended to the entries, inside a transaction of the store."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NamedTuple

from pets.errors import LedgerTampered
from pets.guarantee import Composition
from pets.ledger.arguments import Limit
from pets.ledger.entry import GENESIS, Fields, Row, read_guarantee, read_spent, seal, sound

BATCH = 1_000
"""Entries read in one transaction: enough to be quick, few enough to hold up no checkpoint."""

_INSERT = "INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"  # in the order of Row


class State(NamedTuple):
    """Where the chain ends, and the limit in force as canonical JSON."""

    entries: int
    head: str
    allowed: str

    @property
    def limit(self) -> Limit:
        """The limit in force."""
        limit = read_guarantee(self.allowed)
        if not isinstance(limit, Limit):
            raise LedgerTampered("the limit in the ledger cannot be understood. Run verify().")
        return limit


def start(connection: sqlite3.Connection, allowed: str, note: str) -> None:
    """Write the first entry, the limit, into an empty ledger."""
    connection.execute("INSERT INTO state VALUES (1, 0, ?, ?)", (GENESIS, allowed))
    append(connection, "limit", guarantee=allowed, note=note)


def state(connection: sqlite3.Connection) -> State:
    """Return where the chain ends, after checking that the last entry is the one that was written last.

    Whoever deletes the newest answer would otherwise get another one, with other noise, for the same charge.
    """
    end = written(connection)
    found = connection.execute("SELECT * FROM entries ORDER BY sequence DESC LIMIT 1").fetchone()
    last = (0, GENESIS) if found is None else (found[0], sound(Row(*found)).hash)
    if last != (end.entries, end.head):
        raise LedgerTampered(
            "the newest entries are missing or were changed. Run verify().", min(last[0], end.entries) + 1
        )
    return end


def require_unbroken(connection: sqlite3.Connection, since: Row) -> None:
    """Refuse a chain in which an entry after `since` is missing or was changed.

    Asked before a charged request gets its first answer: that it has none must not be because it was taken away.
    """
    last = since
    for fields in rows(connection, since.sequence, state(connection).entries):
        row = sound(Row(*fields))
        if (row.sequence, row.previous) != (last.sequence + 1, last.hash):
            raise LedgerTampered(f"entry {last.sequence + 1} is missing. Run verify().", last.sequence + 1)
        last = row


def written(connection: sqlite3.Connection) -> State:
    """Return where the chain ends by what was noted when it was written, not compared with the entries."""
    found = connection.execute("SELECT entries, head, allowed FROM state").fetchone()
    if found is None or tuple(map(type, found)) != (int, str, str):
        raise LedgerTampered("the ledger's state is missing or damaged. Restore a copy and verify it.")
    return State(*found)


def append(
    connection: sqlite3.Connection,
    kind: str,
    dataset: str = "",
    unit: str = "",
    guarantee: str | None = None,
    note: str = "",
    request: str | None = None,
    spent: str | None = None,
    exact_releases: int | None = None,
    answer: str | None = None,
) -> Row:
    """Add an entry to the end of the chain and return it."""
    last = state(connection)
    time = datetime.now(UTC).isoformat(timespec="microseconds")
    open_row = Row(
        last.entries + 1, kind, time, dataset, unit, guarantee, note, request, spent, exact_releases, answer, last.head
    )  # fmt: skip
    row = open_row._replace(hash=seal(open_row))
    connection.execute(_INSERT, row)
    allowed = guarantee if kind == "limit" else last.allowed
    connection.execute("UPDATE state SET entries = ?, head = ?, allowed = ?", (row.sequence, row.hash, allowed))
    return row


def totals(connection: sqlite3.Connection, dataset: str, unit: str) -> tuple[Composition, int]:
    """Return what an account has spent and how many exact releases it has seen."""
    found = connection.execute(
        "SELECT * FROM entries WHERE dataset = ? AND unit = ? AND spent IS NOT NULL ORDER BY sequence DESC LIMIT 1",
        (dataset, unit),
    ).fetchone()
    if found is None:
        return Composition(), 0
    last = sound(Row(*found))
    return read_spent(last.spent or ""), last.exact_releases or 0


def charged(connection: sqlite3.Connection, dataset: str, unit: str, request: str) -> Row | None:
    """Return the entry that paid for a request."""
    found = connection.execute(
        "SELECT * FROM entries WHERE dataset = ? AND unit = ? AND request = ? AND spent IS NOT NULL",
        (dataset, unit, request),
    ).fetchone()
    return None if found is None else sound(Row(*found))


def answered(connection: sqlite3.Connection, dataset: str, unit: str, request: str) -> Row | None:
    """Return the entry that holds the answer to a request."""
    found = connection.execute(
        "SELECT * FROM entries WHERE dataset = ? AND unit = ? AND request = ? AND answer IS NOT NULL",
        (dataset, unit, request),
    ).fetchone()
    return None if found is None else sound(Row(*found))


def accounts(connection: sqlite3.Connection) -> Iterator[tuple[str, str]]:
    """Yield each (dataset, unit) once, in order, by skipping through the index."""
    skip = (
        "SELECT dataset, unit FROM entries WHERE spent IS NOT NULL AND (dataset, unit) > (?, ?) ORDER BY 1, 2 LIMIT 1"
    )
    last = ("", "")
    while found := connection.execute(skip, last).fetchone():
        last = found
        yield last


def rows(connection: sqlite3.Connection, after: int, until: int) -> Iterator[Fields]:
    """Yield the fields of entries with ``after < sequence <= until``, one by one since answers may be large."""
    return connection.execute(
        "SELECT * FROM entries WHERE sequence > ? AND sequence <= ? ORDER BY sequence", (after, until)
    )
