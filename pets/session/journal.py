"""What a party must not forget: a sealed, append-only record from which a killed process goes on."""

from __future__ import annotations

import hmac
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from pets.csprng import random_bytes
from pets.errors import InvalidArgument, JournalError
from pets.session.keys import derive

START, KEEP, RECEIVED, TIMEOUT = b"S", b"K", b"R", b"T"
_MAGIC = b"pets-journal-2\x00\x00"
_LENGTH = struct.Struct("<I")
_CHECK = 8
_NONCE = 12
_KEY = 32


class Journal(Protocol):
    """Where a session writes what happened, before it acts on it."""

    def append(self, kind: bytes, *fields: bytes) -> None:
        """Record an event; it is durable when this returns."""
        ...

    def events(self) -> Iterator[tuple[bytes, ...]]:
        """Return what was recorded before this process started."""
        ...


class NoJournal:
    """Remembers nothing: for tests and laptops, where a killed session is simply run again."""

    def append(self, kind: bytes, *fields: bytes) -> None:
        """Forget."""

    def events(self) -> Iterator[tuple[bytes, ...]]:
        """Return nothing."""
        return iter(())


class SealedJournal:
    """A file of records, each encrypted and bound to its place and to the file.

    A record that was torn by a crash at the very end is dropped: what it described had not yet been acted on.
    Anything else that does not verify is an error.

    Parameters
    ----------
    path
        The file; made with mode 0600 when it is not there.
    key
        32 bytes, kept elsewhere.

    Raises
    ------
    JournalError
        The file is no journal, was made under another key, was altered, or is in use by another process.

    Notes
    -----
    A file that was cut between two records cannot be told from one whose process was killed there. So never restore
    a journal from a backup: a site that forgot what it had answered could be asked again.
    """

    def __init__(self, path: str | os.PathLike[str], key: bytes) -> None:
        self.path = Path(path)
        if len(key) != _KEY:
            raise InvalidArgument("key", f"must be {_KEY} bytes")
        self._cipher, self._length_key = ChaCha20Poly1305(key), derive(key, "journal length")
        self._past: list[tuple[bytes, ...]] = []
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_CLOEXEC", 0)
        try:
            self._file = os.open(self.path, flags, 0o600)
        except OSError as error:
            raise JournalError(f"{self.path.name} cannot be opened: {error.strerror}") from None
        self._salt, self._count = b"", 0
        try:
            _lock(self._file, self.path.name)
            self._load()
        except JournalError:
            os.close(self._file)
            raise

    def _load(self) -> None:
        data = self.path.read_bytes()
        if not data.startswith(_MAGIC[: len(data)]):
            raise JournalError(f"{self.path.name} is not a journal of a session")
        if len(data) < len(_MAGIC) + 16:
            os.ftruncate(self._file, 0)
            self._salt = random_bytes(16)
            self._write(_MAGIC + self._salt)
            _sync_folder(self.path.parent)
            return
        self._salt = data[len(_MAGIC) : len(_MAGIC) + 16]
        offset = len(_MAGIC) + 16
        while offset < len(data):
            record = self._read(data, offset)
            if record is None:
                os.ftruncate(self._file, offset)
                os.fsync(self._file)
                return
            fields, offset = record
            self._past.append(fields)

    def _read(self, data: bytes, offset: int) -> tuple[tuple[bytes, ...], int] | None:
        start = offset + _LENGTH.size + _CHECK
        if start > len(data):
            return None
        (length,) = _LENGTH.unpack_from(data, offset)
        if not hmac.compare_digest(data[offset:start], self._head(length)):
            raise self._altered()  # a length that was changed could make all later records look like a torn one
        end = start + length
        if end > len(data):
            return None
        sealed = data[start:end]
        try:
            plain = self._cipher.decrypt(sealed[:_NONCE], sealed[_NONCE:], self._place())
        except (InvalidTag, ValueError):
            if end == len(data):
                return None
            raise self._altered() from None
        self._count += 1
        return _split(plain), end

    def _altered(self) -> JournalError:
        return JournalError(f"{self.path.name} was altered, or belongs to another key")

    def _head(self, length: int) -> bytes:
        """Return the length of the record that comes next, authentic by itself: it is needed before all is there."""
        packed = _LENGTH.pack(length)
        return packed + hmac.digest(self._length_key, self._place() + packed, "sha256")[:_CHECK]

    def _place(self) -> bytes:
        return self._salt + self._count.to_bytes(8, "little")

    def append(self, kind: bytes, *fields: bytes) -> None:
        """Record an event; it is on disk when this returns."""
        plain = b"".join(_LENGTH.pack(len(field)) + field for field in (kind, *fields))
        nonce = random_bytes(_NONCE)
        sealed = nonce + self._cipher.encrypt(nonce, plain, self._place())
        self._write(self._head(len(sealed)) + sealed)
        self._count += 1

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._file, view) :]
            os.fsync(self._file)
        except OSError as error:
            raise JournalError(f"{self.path.name} cannot be written: {error.strerror}") from None

    def events(self) -> Iterator[tuple[bytes, ...]]:
        """Return what was recorded before this process started."""
        return iter(self._past)

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def _lock(handle: int, name: str) -> None:
    """Keep a second process out: two that go on from one journal could give two different answers."""
    try:
        import fcntl
    except ImportError:  # pragma: no cover - Windows
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise JournalError(f"{name} is in use by another process") from None


def _split(plain: bytes) -> tuple[bytes, ...]:
    fields, offset = [], 0
    while offset < len(plain):
        (length,) = _LENGTH.unpack_from(plain, offset)
        offset += _LENGTH.size + length
        fields.append(plain[offset - length : offset])
    return tuple(fields)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
