"""A log of every question that came to a site and what became of it: one JSON line each, tied by hashes.

A line's hash is the SHA-256 of its canonical JSON (:func:`pets.config.canonical_json`) without the key ``hash``; the
hash of the line before is inside. So a changed, missing or moved line is found. That the newest lines were cut off, or
the whole file rewritten, is found only by who has kept a later :attr:`AuditLog.head` elsewhere: each answer carries it.

A line holds public facts alone: the question, the contract, the verdict and its code. No count, no row, no message.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

from pets.config import canonical_json, parse_json
from pets.errors import JournalError, LedgerError, LedgerTampered, PetsError

Verdict = Literal["answered", "refused", "failed", "finished"]
"""``answered``: a first message left for the total. ``failed``: it was stopped by a fault. ``finished``: it is over."""

GENESIS = "0" * 64
"""The previous hash of the first line."""

_MAX_LINE = 2**20
_KEYS = {"sequence", "time", "verdict", "code", "dataset", "session", "question", "previous", "hash"}


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the log.

    Parameters
    ----------
    sequence
        1 for the first line.
    time
        By that machine's clock, UTC.
    verdict, code
        What became of the question; the code of a refusal.
    dataset
        The data it was asked about.
    session
        The contract's id, hexadecimal; empty if there was none.
    question
        The question as plain data; ``None`` if it could not be understood.
    previous, hash
        The chain.
    """

    sequence: int
    time: str
    verdict: Verdict
    code: str
    dataset: str
    session: str
    question: Mapping[str, Any] | None
    previous: str
    hash: str


class AuditLog:
    """An append-only file of entries; each is on the disk before its answer leaves.

    Parameters
    ----------
    path
        The file, made with mode 0600 when the first entry is written.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)

    def append(
        self, verdict: Verdict, *, code: str = "", dataset: str = "", session: str = "",
        question: Mapping[str, Any] | None = None,
    ) -> Entry:  # fmt: skip
        """Write an entry and return it.

        Parameters
        ----------
        verdict, code, dataset, session, question
            See :class:`Entry`. Public facts only.

        Raises
        ------
        LedgerTampered
            The end of the file is no entry of this log.
        LedgerError
            The file cannot be written.
        """
        with self._opened() as handle:
            last = self._last(handle)
            body: dict[str, Any] = {
                "sequence": 1 if last is None else last.sequence + 1,
                "time": datetime.now(UTC).isoformat(timespec="microseconds"),
                "verdict": verdict, "code": code, "dataset": dataset, "session": session,
                "question": None if question is None else dict(question),
                "previous": GENESIS if last is None else last.hash,
            }  # fmt: skip
            entry = Entry(**body, hash=_seal(body))
            line = canonical_json({**body, "hash": entry.hash}).encode() + b"\n"
            if len(line) > _MAX_LINE:
                raise LedgerError("the question is too long for the audit log.")
            _write(handle, line)
        return entry

    def entries(self) -> Iterator[Entry]:
        """Yield the entries in order, each after its hash and place were checked.

        Raises
        ------
        LedgerTampered
            A line was changed, moved or removed. ``sequence`` is the first that fails.
        """
        if not self.path.exists():
            return
        previous, sequence = GENESIS, 0
        with self.path.open("rb") as file:
            for line in file:
                sequence += 1
                entry = _read(line, sequence)
                if (entry.sequence, entry.previous) != (sequence, previous):
                    raise LedgerTampered(f"line {sequence} of the audit log does not follow the one before.", sequence)
                previous = entry.hash
                yield entry

    @property
    def head(self) -> str:
        """Hash of the newest entry; keep it elsewhere."""
        last = GENESIS
        for entry in self.entries():
            last = entry.hash
        return last

    def verify(self, head: str | None = None) -> int:
        """Check the whole chain and return its length.

        Parameters
        ----------
        head
            A hash that was kept elsewhere; it must occur.

        Raises
        ------
        LedgerTampered
            The chain is broken, or does not hold `head`.
        """
        seen, count = head in (None, GENESIS), 0
        for entry in self.entries():
            count += 1
            seen = seen or entry.hash == head
        if not seen:
            raise LedgerTampered("the hash kept elsewhere is not in this audit log: it was cut or rewritten.")
        return count

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Keep all others from deciding by this log, in this process and in others; the lock dies with its process.

        Raises
        ------
        JournalError
            Somebody else does.
        LedgerError
            The folder of the log cannot be written.
        """
        path = self.path.with_name(f"{self.path.name}.lock")
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        except OSError as error:
            raise LedgerError(f"the audit log cannot be locked: {error.strerror}.") from None
        try:
            _lock(handle, wait=False)
            yield
        finally:
            os.close(handle)

    @contextmanager
    def _opened(self) -> Iterator[int]:
        try:
            handle = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0), 0o600)
        except OSError as error:
            raise LedgerError(f"the audit log cannot be opened: {error.strerror}.") from None
        try:
            _lock(handle)
            yield handle
        finally:
            os.close(handle)

    def _last(self, handle: int) -> Entry | None:
        """Return the newest entry; a line that a crash tore is cut off, since nothing had left for it."""
        size = os.fstat(handle).st_size
        start = max(0, size - 2 * _MAX_LINE)
        tail = os.pread(handle, size - start, start)
        whole = tail[: tail.rfind(b"\n") + 1]
        if len(whole) < len(tail):
            os.ftruncate(handle, start + len(whole))
        if not whole:
            return None
        line = whole[whole.rfind(b"\n", 0, -1) + 1 :]
        return _read(line, None)


def _write(handle: int, line: bytes) -> None:
    try:
        view = memoryview(line)
        while view:
            view = view[os.write(handle, view) :]
        os.fsync(handle)
    except OSError as error:
        raise LedgerError(f"the audit log cannot be written: {error.strerror}.") from None


def _seal(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical_json(body).encode()).hexdigest()


def _read(line: bytes, sequence: int | None) -> Entry:
    try:
        data = parse_json(line, max_bytes=_MAX_LINE)
        body = {key: value for key, value in data.items() if key != "hash"}
        sound = set(data) == _KEYS and data["hash"] == _seal(body) and data["verdict"] in get_args(Verdict)
    except PetsError:
        sound = False
    if not sound or not line.endswith(b"\n"):
        where = "the newest line" if sequence is None else f"line {sequence}"
        raise LedgerTampered(f"{where} of the audit log was changed.", sequence)
    return Entry(**data)


def _lock(handle: int, *, wait: bool = True) -> None:
    try:
        import fcntl
    except ImportError:  # pragma: no cover - Windows
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise JournalError("another message is being answered by this audit log. Ask again.") from None
