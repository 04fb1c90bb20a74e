"""Reading text files, and saying which line of which file is wrong without quoting it."""

from __future__ import annotations

from pathlib import Path

from pets.errors import InvalidArgument


def read_lines(path: str | Path, argument: str = "path") -> list[str]:
    """Return the lines of a text file; UTF-8, or Latin-1 as tau-ARGUS writes on Windows.

    Raises
    ------
    InvalidArgument
        The file cannot be read.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise InvalidArgument(argument, f"cannot read {str(path)!r}: {reason}", "Check the name of the file.") from None
    if b"\x00" in content:
        raise InvalidArgument(argument, f"{str(path)!r} is no text file", "Check the name of the file.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    return text.splitlines()


def wrong_line(path: str | Path, number: int, problem: str, remedy: str = "") -> InvalidArgument:
    """Return an error about line `number`, counted from 1."""
    return InvalidArgument("path", f"{path}: line {number} {problem}", remedy)
