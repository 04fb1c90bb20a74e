"""Recomputing a ledger: its hashes, running totals, limits, answers and tables."""

from __future__ import annotations

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass

from pets.errors import LedgerTampered
from pets.ledger import chain
from pets.ledger.chain import BATCH, State
from pets.ledger.replay import Replay
from pets.ledger.store import Store, check_structure

_ORPHAN = """
SELECT MIN(a.sequence) FROM entries a WHERE a.answer IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM entries c
    WHERE c.dataset = a.dataset AND c.unit = a.unit AND c.request = a.request AND c.spent IS NOT NULL
    AND c.sequence < a.sequence
)
"""


@dataclass(frozen=True, slots=True)
class Verification:
    """A ledger that holds together.

    Attributes
    ----------
    entries, accounts, answers
        How many were recomputed.
    head
        Hash of the last of them.
    anchored
        The hash from elsewhere that was found in the chain, or None if none was given. Without one, a
        ledger that was rewritten as a whole, or replaced by an older copy, verifies too.
    """

    entries: int
    accounts: int
    answers: int
    head: str
    anchored: str | None

    def __str__(self) -> str:
        counted = f"{self.entries:,} entries hold together (accounts: {self.accounts:,}, answers: {self.answers:,})"
        if self.anchored is None:
            return f"{counted}. Not compared with any hash kept elsewhere."
        return f"{counted}, and the hash kept elsewhere is one of theirs."


def verify(store: Store, head: str | None) -> Verification:
    """Return what was recomputed, or raise `LedgerTampered` with the first entry that fails.

    Entries are final, so they are read in short transactions while writers go on; what these add meanwhile is
    left for the next time.
    """
    with store.read() as connection:
        check_structure(connection)
        end = chain.written(connection)
        _check_ends(connection, end)
    replay = Replay(wanted=head)
    # SQLite looks through the file meanwhile, on another core.
    with ThreadPoolExecutor(1) as pool, closing(Store(store.path, store.timeout)) as second:
        file = pool.submit(_check_file, second)
        while replay.count < end.entries:
            _play(store, replay, min(end.entries, replay.count + BATCH))
        replay.finish(end)
        file.result()
    if head is not None and not replay.met:
        raise LedgerTampered(
            "the hash kept elsewhere is not in this ledger: it was rewritten, cut, or replaced by a copy."
        )
    return Verification(end.entries, len(replay.accounts), replay.answers, end.head, head)


def _play(store: Store, replay: Replay, until: int) -> None:
    try:
        with store.read() as connection:
            replay.batch(chain.rows(connection, replay.count, until), until)
    except LedgerTampered as damage:
        if damage.sequence is not None:
            raise
        # Perhaps text that is not Unicode. Read in this way, it spoils only the hash of its entry.
        with store.read() as connection:
            connection.text_factory = lambda text: text.decode(errors="surrogateescape")
            try:
                replay.batch(chain.rows(connection, replay.count, until), until)
            finally:
                connection.text_factory = str


def _check_ends(connection: sqlite3.Connection, end: State) -> None:
    first, last = connection.execute("SELECT MIN(sequence), MAX(sequence) FROM entries").fetchone()
    if first != 1:
        raise LedgerTampered("entry 1 is not the first.", 1)
    if last != end.entries:
        raise LedgerTampered(f"there are {last} entries and {end.entries} were written.", min(last, end.entries) + 1)


def _check_file(store: Store) -> None:
    """Let SQLite compare the entries with the indexes, through which totals and answers are found."""
    with store.read() as connection:
        (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        (orphan,) = connection.execute(_ORPHAN).fetchone()
    if verdict != "ok":
        raise LedgerTampered(f"the file is damaged: {verdict}.")
    if orphan is not None:
        raise LedgerTampered(f"entry {orphan} answers a request that was not charged before.", orphan)
