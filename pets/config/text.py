"""TOML and JSON texts to plain data, hostile texts included."""

from __future__ import annotations

import json
import re
import string
import tomllib
from typing import Any

from pets.config.paths import WHOLE, dotted, printable
from pets.config.plain import as_plain
from pets.errors import ConfigError

MAX_BYTES = 8 * 2**20
"""Largest document that is read."""

MAX_KEY_PARTS = 10
"""Most parts of a dotted TOML key: the parser's time and memory grow with their square."""

# Every string and comment of a TOML document. Possessive quantifiers keep the search linear; up to two
# quotes before the closing three belong to a multi-line string.
_TOML_STRING = re.compile(
    r'"""(?:[^"\\]++|\\.|"{1,2}(?!"))*+"{3,5}'
    r"|'''(?:[^']++|'{1,2}(?!'))*+'{3,5}"
    r'|"(?:[^"\\\n]++|\\.)*+"'
    r"|'[^'\n]*+'"
    r"|\#[^\n]*+",
    re.DOTALL,
)
_WORD = str.maketrans("", "", string.ascii_letters + string.digits + "_- \t")


def parse_toml(text: str | bytes, *, max_bytes: int = MAX_BYTES) -> dict[str, Any]:
    """Return the tables of a TOML document as plain data.

    Parameters
    ----------
    text
        The document; bytes must be UTF-8.
    max_bytes
        Largest size that is accepted (of a text: in characters).

    Raises
    ------
    ConfigError
        It is too large, malformed, repeats a key, nests too deeply, or holds a date, a number that is
        not finite or an integer beyond 64 bits.
    """
    document = _decode(text, max_bytes)
    _refuse_long_keys(document)
    try:
        data = tomllib.loads(document)
    except RecursionError:
        raise ConfigError(WHOLE, "is nested too deeply") from None
    except ValueError as error:
        raise ConfigError(WHOLE, f"is not valid TOML: {printable(str(error))}") from None
    plain: dict[str, Any] = as_plain(data)
    return plain


def parse_json(text: str | bytes, *, max_bytes: int = MAX_BYTES) -> dict[str, Any]:
    """Return a JSON object as plain data.

    Parameters
    ----------
    text
        The document; bytes must be UTF-8.
    max_bytes
        Largest size that is accepted (of a text: in characters).

    Raises
    ------
    ConfigError
        It is too large, malformed, no object, repeats a key, nests too deeply, or holds NaN, an
        infinity or an integer beyond 64 bits.
    """
    document = _decode(text, max_bytes)
    try:
        data = json.loads(document, object_pairs_hook=_without_repeats)
    except RecursionError:
        raise ConfigError(WHOLE, "is nested too deeply") from None
    except ConfigError:
        raise
    except ValueError as error:
        raise ConfigError(WHOLE, f"is not valid JSON: {printable(str(error))}") from None
    if not isinstance(data, dict):
        raise ConfigError(WHOLE, "must be a JSON object", "Begin it with '{'.")
    plain: dict[str, Any] = as_plain(data)
    return plain


def _decode(text: object, most: int) -> str:
    if isinstance(text, bytes | bytearray):
        _refuse_size(len(text), most)
        try:
            return bytes(text).decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise ConfigError(WHOLE, f"is not UTF-8 (byte {error.start})", "Save it as UTF-8.") from None
    if not isinstance(text, str):
        raise ConfigError(WHOLE, f"must be text, not {type(text).__name__}")
    _refuse_size(len(text), most)
    return text.removeprefix("\ufeff")


def _refuse_size(size: int, most: int) -> None:
    if size > most:
        raise ConfigError(WHOLE, f"is larger than {most:,} bytes")


def _refuse_long_keys(document: str) -> None:
    """Refuse keys such as ``a.a.a...`` before the parser sees them."""
    dots = "." * MAX_KEY_PARTS
    if dots not in document.translate(_WORD).replace('"', "").replace("'", ""):
        return
    # Dots inside strings and comments are harmless, and only now worth telling apart.
    if dots in _TOML_STRING.sub("", document).translate(_WORD):
        raise ConfigError(WHOLE, f"has a key of more than {MAX_KEY_PARTS} parts")


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        seen: set[str] = set()
        repeated = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ConfigError(dotted(repeated), "appears twice in one table", "Keep one of the two.")
    return table
