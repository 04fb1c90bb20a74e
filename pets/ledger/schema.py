"""The tables of a ledger file."""

from __future__ import annotations

APPLICATION = b"pets"
"""Bytes 68 to 71 of every ledger file, which tell it from other SQLite databases."""

FORMAT = 1
"""Raised when the tables or the hashing change; an older library refuses a newer file."""

PRAGMAS = (
    "journal_mode=WAL",
    "synchronous=FULL",  # fsync the log at every commit
    "fullfsync=ON",  # on macOS, where fsync alone stops at the drive's cache
    "checkpoint_fullfsync=ON",
    "wal_autocheckpoint=0",  # see Store._checkpoint
    "journal_size_limit=0",  # the log shrinks when it is restarted
    "trusted_schema=OFF",
)

_STATEMENTS = (
    """CREATE TABLE entries (
    sequence INTEGER PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('limit', 'charge', 'exact', 'answer')),
    time TEXT NOT NULL,
    dataset TEXT NOT NULL,
    unit TEXT NOT NULL,
    guarantee TEXT,
    note TEXT NOT NULL,
    request TEXT,
    spent TEXT,
    exact_releases INTEGER,
    answer TEXT,
    previous TEXT NOT NULL,
    hash TEXT NOT NULL
)""",
    # The last entry of an account holds its running total.
    "CREATE INDEX account ON entries (dataset, unit) WHERE spent IS NOT NULL",
    """CREATE UNIQUE INDEX charged_once ON entries (dataset, unit, request)
    WHERE request IS NOT NULL AND spent IS NOT NULL""",
    "CREATE UNIQUE INDEX answered_once ON entries (dataset, unit, request) WHERE answer IS NOT NULL",
    # One row: where the chain ends, kept apart so that a missing last entry is noticed, and the limit in force.
    """CREATE TABLE state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    entries INTEGER NOT NULL,
    head TEXT NOT NULL,
    allowed TEXT NOT NULL
)""",
    # Against accidents only: whoever can write the file can drop a trigger, and is found by the hashes.
    "CREATE TRIGGER entries_final BEFORE UPDATE ON entries BEGIN SELECT RAISE(ABORT, 'ledger entries are final'); END",
    "CREATE TRIGGER entries_stay BEFORE DELETE ON entries BEGIN SELECT RAISE(ABORT, 'ledger entries are final'); END",
    "CREATE TRIGGER state_stays BEFORE DELETE ON state BEGIN SELECT RAISE(ABORT, 'the ledger state stays'); END",
)

SCHEMA = f"PRAGMA application_id={int.from_bytes(APPLICATION, 'big')};PRAGMA user_version={FORMAT};" + "".join(
    f"{s};" for s in _STATEMENTS
)


def structure() -> list[str]:
    """Return what ``sqlite_master`` says of an unaltered ledger, sorted."""
    return sorted(_STATEMENTS)
