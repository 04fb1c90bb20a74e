"""Files that hold secrets: only the owner reads them, they appear whole or not at all, and survive a power cut."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from pets.errors import KeyFileError

MAX_BYTES = 2**20
"""Largest secret file that is read."""

OWNER_ONLY = 0o600


def create(path: str | os.PathLike[str], content: bytes, mode: int = OWNER_ONLY) -> None:
    """Write a new file. When this returns it is on the disk; if it does not, no file of that name was made.

    Raises
    ------
    KeyFileError
        A file of that name exists, or the folder cannot be written.
    """
    target = file_name(path)
    with _translated(target):
        # A name of its own: of several who create the same file at once, exactly one link succeeds.
        draft = f"{_beside(target)}.{secrets.token_hex(8)}.tmp"
        try:
            _write(draft, content, mode)
            _link(draft, target)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(draft)
        _sync_folder(target)


def replace(path: str | os.PathLike[str], content: bytes) -> None:
    """Put new content in the place of a file's old one. The caller holds :func:`locked`.

    Raises
    ------
    KeyFileError
        The folder cannot be written; the old content is still there.
    """
    target = file_name(path)
    with _translated(target):
        # Always the same draft: what a killed process left behind is overwritten, not forgotten on the disk.
        draft = f"{_beside(target)}.tmp"
        with suppress(FileNotFoundError):
            os.unlink(draft)
        _write(draft, content, OWNER_ONLY)
        os.replace(draft, target)
        _sync_folder(target)


def read_secret(path: str | os.PathLike[str]) -> bytes:
    """Return the content of a file that nobody but its owner can read.

    Raises
    ------
    KeyFileError
        It is missing, no regular file, larger than 1 MiB, or open to others.
    """
    target = file_name(path)
    with _translated(target):
        handle = os.open(target, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0))
        with os.fdopen(handle, "rb") as stream:
            found = os.fstat(handle)
            if not stat.S_ISREG(found.st_mode):
                raise KeyFileError(target, "is not a regular file", "Check the path.")
            if os.name == "posix" and found.st_mode & 0o077:
                raise KeyFileError(
                    target,
                    f"can be used by others than its owner (mode {stat.S_IMODE(found.st_mode):04o})",
                    "Others may know the keys. If nobody else had access: chmod 600. Otherwise make new keys.",
                )
            content = stream.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise KeyFileError(target, "is too large to hold keys", "Check the path.")
    return content


@contextmanager
def locked(path: str | os.PathLike[str]) -> Iterator[None]:
    """Keep other processes that use the file ``path`` out. The lock dies with its process.

    Raises
    ------
    KeyFileError
        The lock file beside `path` cannot be made.
    """
    target = file_name(path)
    with _translated(target):
        handle = os.open(f"{target}.lock", os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), OWNER_ONLY)
    try:
        with _translated(target):
            _acquire(handle)
        yield
    finally:
        os.close(handle)


def file_name(path: object) -> str:
    """Return `path` as text.

    Raises
    ------
    KeyFileError
        It is no path.
    """
    if not isinstance(path, str | os.PathLike) or not isinstance(os.fspath(path), str) or "\0" in os.fspath(path):
        raise KeyFileError("path", f"must be the path of a file, not {type(path).__name__}")
    return str(os.fspath(path))


def absolute(path: object) -> str:
    """Return `path` as text that stays right when the process changes its folder.

    Raises
    ------
    KeyFileError
        It is no path.
    """
    return os.path.abspath(file_name(path))


def _lock_call() -> Callable[[int], None]:
    if os.name == "nt":
        import msvcrt

        def acquire(handle: int) -> None:
            msvcrt.locking(handle, msvcrt.LK_LOCK, 1)  # type: ignore[attr-defined,unused-ignore]
    else:
        import fcntl

        def acquire(handle: int) -> None:
            fcntl.flock(handle, fcntl.LOCK_EX)

    return acquire


_acquire = _lock_call()


def _beside(target: str) -> str:
    folder, name = os.path.split(target)
    return os.path.join(folder, f".{name}")


def _write(draft: str, content: bytes, mode: int) -> None:
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), mode)
    with os.fdopen(handle, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(handle)


def _link(draft: str, target: str) -> None:
    """Give the finished draft its name, unless a file has it."""
    try:
        os.link(draft, target)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links; two creators at the same instant are not told apart
        if os.path.lexists(target):
            raise FileExistsError from None
        os.rename(draft, target)


def _sync_folder(target: str) -> None:
    if os.name != "posix":
        return
    handle = os.open(os.path.dirname(target) or ".", os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def _translated(target: str) -> Iterator[None]:
    try:
        yield
    except FileExistsError:
        raise KeyFileError(target, "exists already", "Keys are never overwritten: choose another name.") from None
    except FileNotFoundError:
        raise KeyFileError(target, "does not exist, or its folder does not", "Check the path.") from None
    except OSError as error:
        raise KeyFileError(target, f"cannot be used: {error.strerror or type(error).__name__}") from None
