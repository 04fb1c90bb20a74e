"""Bytes without ambiguity: what is hashed, signed or sealed has exactly one reading."""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata

from pets.errors import ConfigError, InvalidArgument

_NAME = re.compile(r"\w[^/\\:*?\"<>|]{0,62}[^/\\:*?\"<>|\s.]|\w")


def frame(label: str, *parts: bytes | str | int) -> bytes:
    """Return `label` and `parts`, each behind its length in four bytes.

    No two different lists give the same bytes, so a digest or a signature of them speaks about one list only.
    Texts are UTF-8, whole numbers eight bytes, big-endian.
    """
    encoded = (_part(part) for part in (label, *parts))
    return b"".join(len(part).to_bytes(4, "big") + part for part in encoded)


def _part(part: bytes | str | int) -> bytes:
    if isinstance(part, str):
        return part.encode()
    return part.to_bytes(8, "big") if isinstance(part, int) else part


def check_name(name: object, argument: str = "name") -> str:
    """Return `name` if a party may be called so: 1 to 64 printable characters that can also name a file.

    Raises
    ------
    InvalidArgument
        It is no text, too long, not printable, not in Unicode's normal form C, or not fit for a file name.
    """
    if not isinstance(name, str):
        raise InvalidArgument(argument, f"must be a text, not {type(name).__name__}")
    if not _NAME.fullmatch(name) or not name.isprintable() or unicodedata.normalize("NFC", name) != name:
        raise InvalidArgument(
            argument,
            "is not a name for a party",
            "Use 1 to 64 letters, digits, spaces and signs such as - _ . that begin with a letter or digit.",
        )
    return name


def check_bytes(value: object, size: int | None, argument: str) -> bytes:
    """Return `value` as bytes of the right size.

    Raises
    ------
    InvalidArgument
        It is neither bytes nor a bytearray, or has another size.
    """
    if not isinstance(value, bytes | bytearray | memoryview):
        raise InvalidArgument(argument, f"must be bytes, not {type(value).__name__}")
    content = bytes(value)
    if size is not None and len(content) != size:
        raise InvalidArgument(argument, f"must be {size} bytes, not {len(content)}")
    return content


def to_base64(content: bytes) -> str:
    """Return the Base64 text of `content`."""
    return base64.b64encode(content).decode("ascii")


def from_base64(text: object, size: int, key: str) -> bytes:
    """Return the bytes of a Base64 text of which there is exactly one spelling.

    Raises
    ------
    ConfigError
        It is no such text, or not `size` bytes.
    """
    if not isinstance(text, str):
        raise ConfigError(key, "must be a text in Base64")
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ConfigError(key, "is not Base64", "Copy the file again.") from None
    if to_base64(content) != text:
        raise ConfigError(key, "is not Base64 in its one canonical spelling", "Copy the file again.")
    if len(content) != size:
        raise ConfigError(key, f"must be {size} bytes, not {len(content)}", "Copy the file again.")
    return content
