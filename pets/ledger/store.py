"""The SQLite file under a ledger: durable transactions from many processes, threads and forks.

Three choices carry the weight.

*A commit is on the disk before it returns*: write-ahead log with ``synchronous=FULL``, one fsync each.

*A ledger appears whole or not at all*: it is built in a folder of its own and then linked to its name,
which exactly one of several creators can do. No process ever sees a half-made ledger.

*A connection never crosses a fork*: SQLite forbids it. Before a fork the ledgers of this process finish
what they are doing and close; parent and child each connect again when they next need to.
"""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from tempfile import TemporaryDirectory
from typing import Literal
from urllib.parse import quote
from weakref import WeakSet

from pets.errors import LedgerError, LedgerTampered
from pets.ledger.schema import APPLICATION, FORMAT, PRAGMAS, SCHEMA, structure

_WAL_BYTES = 8 << 20


class Store:
    """One ledger file. Each transaction takes the store's lock, so threads share one connection.

    Parameters
    ----------
    path
        The file, with symbolic links resolved.
    timeout
        Seconds to wait for other processes.
    """

    def __init__(self, path: str, timeout: float) -> None:
        self._connection: sqlite3.Connection | None = None
        self._identity: tuple[int, int] | None = None
        self._closed = False
        self._lock = threading.RLock()
        self.timeout = timeout
        self.path = path
        with _registry_lock:
            _stores.add(self)

    @contextmanager
    def read(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection that sees one moment of the ledger. Keep it short: it delays checkpoints."""
        with self._transaction("DEFERRED") as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection that nobody else writes beside; all of it is on the disk afterwards, or nothing."""
        # IMMEDIATE takes the write lock before the first read, so what is read is still true when it is written.
        with self._transaction("IMMEDIATE") as connection:
            yield connection

    @contextmanager
    def _transaction(self, mode: Literal["DEFERRED", "IMMEDIATE"]) -> Iterator[sqlite3.Connection]:
        with self._lock, translated(self.path):
            connection = self._connected()
            if mode == "IMMEDIATE":
                self._checkpoint(connection)
            connection.execute(f"BEGIN {mode}")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                with suppress(sqlite3.Error):
                    connection.execute("ROLLBACK")
                raise

    def _connected(self) -> sqlite3.Connection:
        if self._closed:
            raise LedgerError(f"the ledger {self.path!r} was closed. Open it again with Ledger(path).")
        found = os.stat(self.path)
        if (found.st_dev, found.st_ino) != (self._identity or (found.st_dev, found.st_ino)):
            raise LedgerError(f"the ledger {self.path!r} was replaced while in use. Open it again with Ledger(path).")
        if self._connection is None:
            self._connection = _connect(self.path, self.timeout)
            self._identity = (found.st_dev, found.st_ino)
        return self._connection

    def _checkpoint(self, connection: sqlite3.Connection) -> None:
        """Move a grown log into the file. Not left to SQLite, whose automatic checkpoint runs beside writers.

        Up to version 3.51.2 that can lose commits when a writer restarts the log at the wrong instant
        (sqlite.org/wal.html#walresetbug). Here a second connection copies the log while this one keeps
        all writers out; it waits for no reader, and the next writer restarts the log.
        """
        with suppress(OSError, sqlite3.Error):  # a checkpoint that fails costs space, nothing else
            if os.stat(f"{self.path}-wal").st_size <= _WAL_BYTES:
                return
            with closing(_connect(self.path, self.timeout)) as second:
                connection.execute("BEGIN IMMEDIATE")
                try:
                    second.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
                finally:
                    connection.execute("ROLLBACK")

    def close(self) -> None:
        """Close for good. Closing twice is fine."""
        with self._lock:
            self._closed = True
            self.disconnect()
        with _registry_lock:
            _stores.discard(self)

    def __del__(self) -> None:
        self.disconnect()

    def disconnect(self) -> None:
        """Drop the connection; the next transaction opens another."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(sqlite3.Error):
                connection.close()

    def hold(self) -> Callable[[], None]:
        """Wait until no transaction runs, drop the connection, keep others out; return what lets them in."""
        self._lock.acquire()
        self.disconnect()
        return self._lock.release


def find(path: str) -> bool:
    """Return True if `path` is a ledger, False if nothing is there.

    Raises
    ------
    LedgerError
        Something else is there. It was only looked at.
    """
    with translated(path), _registry_lock:
        if any(store.path == path for store in _stores):
            return True
        try:
            found = os.stat(path)
        except FileNotFoundError:
            _refuse_orphan(path)
            return False
        if not stat.S_ISREG(found.st_mode):
            raise LedgerError(f"{path!r} is not a file. Name a file for the ledger.")
        header = _header(path)
    application, version = header[68:72], int.from_bytes(header[60:64], "big")
    if not header.startswith(b"SQLite format 3\0") or application != APPLICATION:
        raise LedgerError(f"{path!r} is not a budget ledger. It was not changed. Name another file.")
    if version != FORMAT:
        raise LedgerError(f"{path!r} has ledger format {version}, this version of pets reads {FORMAT}. Upgrade pets.")
    return True


def _header(path: str) -> bytes:
    """Read the start of a file that no store of this process uses.

    Otherwise closing the file would drop the locks that SQLite holds on it for this process (POSIX).
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))
    try:
        return os.read(descriptor, 100)
    finally:
        os.close(descriptor)


def create(path: str, fill: Callable[[sqlite3.Connection], None]) -> None:
    """Make a ledger at `path` whose first rows `fill` writes; do nothing if another process was faster."""
    folder = os.path.dirname(path)
    with translated(path):
        if not os.path.isdir(folder):
            raise LedgerError(f"the folder of the ledger, {folder!r}, does not exist. Create it first.")
        with TemporaryDirectory(prefix=".pets-ledger-", dir=folder) as draft_folder:
            draft = os.path.join(draft_folder, "draft")
            os.close(os.open(draft, os.O_CREAT | os.O_EXCL, 0o600))
            connection = _connect(draft, 0.0)
            try:
                connection.executescript(SCHEMA)
                connection.execute("BEGIN IMMEDIATE")
                fill(connection)
                connection.execute("COMMIT")
            finally:
                connection.close()
            with suppress(FileExistsError):
                os.link(draft, path)
        _sync_folder(folder)


def check_structure(connection: sqlite3.Connection) -> None:
    """Raise `LedgerTampered` unless tables, indexes and triggers are the ones this library makes."""
    found = connection.execute("SELECT sql FROM sqlite_master WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'")
    if sorted(sql for (sql,) in found) != structure():
        raise LedgerTampered("the ledger's tables, indexes or triggers were altered. Restore a copy and verify it.")


def _connect(path: str, timeout: float) -> sqlite3.Connection:
    uri = f"file:{quote(os.fsencode(path))}?mode=rw"
    connection = sqlite3.connect(uri, timeout=timeout, uri=True, isolation_level=None, check_same_thread=False)
    try:
        for pragma in PRAGMAS:
            connection.execute(f"PRAGMA {pragma}").fetchall()
    except BaseException:
        connection.close()
        raise
    return connection


def _refuse_orphan(path: str) -> None:
    """A log whose ledger is gone would be replayed into a new ledger of the same name."""
    logs = [path + suffix for suffix in ("-wal", "-journal") if os.path.exists(path + suffix)]
    if logs and not os.path.exists(path):
        raise LedgerError(
            f"{path!r} is missing but its log {logs[0]!r} is there. Restore the ledger, or remove the log."
        )


def _sync_folder(folder: str) -> None:
    """Make a new name durable, where the platform lets a folder be opened."""
    with suppress(PermissionError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


_REMEDIES = {
    "SQLITE_BUSY": "other processes held it for longer than the timeout. Try again, or give a longer timeout",
    "SQLITE_PROTOCOL": "other processes held it for longer than the timeout. Try again, or give a longer timeout",
    "SQLITE_FULL": "the disk is full. Free some space",
    "SQLITE_READONLY": "it cannot be written. Give write permission on the file and its folder",
    "SQLITE_CANTOPEN": "it cannot be opened. Check that the file and its folder can be read and written",
    "SQLITE_PERM": "it cannot be opened. Check that the file and its folder can be read and written",
    "SQLITE_IOERR": "the disk reported an error. Check the disk and its free space",
}


@contextmanager
def translated(path: str) -> Iterator[None]:
    """Turn what SQLite and the operating system raise into ledger errors."""
    try:
        yield
    except sqlite3.Error as error:
        raise _explained(path, error) from error
    except UnicodeDecodeError as error:  # SQLite's own words about a damaged table quote the damage
        raise _damaged(path, "its tables cannot be read") from error
    except OSError as error:
        raise LedgerError(f"the ledger {path!r} cannot be used: {error.strerror}. Nothing was charged.") from error


def _explained(path: str, error: sqlite3.Error) -> LedgerError:
    name = getattr(error, "sqlite_errorname", "")
    for code, remedy in _REMEDIES.items():
        if name.startswith(code):
            return LedgerError(f"the ledger {path!r} cannot be used: {remedy}. Nothing was charged.")
    if isinstance(error, sqlite3.ProgrammingError):
        return LedgerError(
            f"the ledger {path!r} was closed or forked in the middle of a transaction. Nothing was charged."
        )
    # What is left are damaged pages, broken constraints and text that is not Unicode.
    return _damaged(path, str(error))


def _damaged(path: str, how: str) -> LedgerTampered:
    return LedgerTampered(f"the ledger {path!r} is damaged ({how}). Restore a copy and verify it.")


_stores: WeakSet[Store] = WeakSet()
_registry_lock = threading.Lock()
_held: list[Callable[[], None]] = []


def _before_fork() -> None:
    _registry_lock.acquire()
    _held.extend([store.hold() for store in list(_stores)])


def _after_fork() -> None:
    while _held:
        _held.pop()()
    _registry_lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
