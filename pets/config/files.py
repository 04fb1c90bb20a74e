"""Configuration files on disk."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path
from typing import Any

from pets.config.text import MAX_BYTES, parse_json, parse_toml
from pets.errors import ConfigError, InvalidArgument

FORMATS = {".toml": parse_toml, ".json": parse_json}


def read_file(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return the plain data of a ``.toml`` or ``.json`` file.

    Raises
    ------
    ConfigError
        The file cannot be read (``argument`` is ``path``) or understood (see
        :func:`~pets.config.parse_toml` and :func:`~pets.config.parse_json`).
    """
    file = as_path(path)
    parse = FORMATS.get(file.suffix.lower())
    if parse is None:
        raise ConfigError("path", "must end in .toml or .json")
    try:
        with file.open("rb") as stream:
            # One byte more than is allowed is enough for the parser to see that it is too large.
            content = stream.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise ConfigError("path", f"{file.name!r} cannot be read: {_reason(error)}", "Check the path.") from None
    return parse(content)


def write_atomic(path: str | os.PathLike[str], text: str) -> None:
    """Write `text` as UTF-8, so that a reader sees the old file or the new one and never a part.

    The text is on the disk when this returns. An existing file keeps its permissions, and a symbolic
    link keeps pointing to the file that is replaced.

    Raises
    ------
    InvalidArgument
        The file cannot be written; what was there before is untouched.
    """
    file = as_path(path)
    try:
        content = text.encode("utf-8")
        target = Path(os.path.realpath(file))
        draft = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
        try:
            _write_draft(draft, target, content)
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)
        _sync_directory(target.parent)
    except (OSError, ValueError) as error:
        raise InvalidArgument("path", f"cannot be written: {_reason(error)}") from None


def as_path(path: object) -> Path:
    """Return `path` as a :class:`~pathlib.Path`."""
    if not isinstance(path, str | os.PathLike) or not isinstance(os.fspath(path), str):
        raise InvalidArgument("path", f"must be the path of a file, not {type(path).__name__}")
    return Path(path)


def _write_draft(draft: Path, target: Path, content: bytes) -> None:
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    with os.fdopen(handle, "wb") as stream:
        stream.write(content)
        stream.flush()
        os.fsync(stream.fileno())
    if target.exists():
        draft.chmod(stat.S_IMODE(target.stat().st_mode))


def _sync_directory(folder: Path) -> None:
    """Make the renaming durable; a system that cannot open folders does it by itself."""
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or type(error).__name__
