"""Plain data: what TOML and JSON have in common, and its one canonical spelling."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

from pets.config.paths import dotted
from pets.errors import ConfigError

MAX_DEPTH = 32
"""Deepest nesting of tables and lists; no format of ours comes near it."""

_INT64 = 2**63


def as_plain(value: object, path: str = "") -> Any:
    """Return `value` as new dicts, lists, texts, numbers, booleans and ``None``.

    Parameters
    ----------
    value
        Nested mappings, lists and tuples of scalars.
    path
        Dotted path of `value`, for errors.

    Raises
    ------
    ConfigError
        Something else is inside, nested too deeply, not finite, beyond 64 bits, or not valid Unicode.
    """
    return _plain(value, (path,) if path else ())


def canonical_json(data: object) -> str:
    """Return the one JSON text of `data`: keys sorted, no spaces, ASCII only.

    Raises
    ------
    ConfigError
        `data` is not plain (see :func:`as_plain`).
    """
    return json.dumps(as_plain(data), sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def digest(data: object) -> str:
    """Return the SHA-256 of :func:`canonical_json` as 64 hexadecimal digits."""
    return hashlib.sha256(canonical_json(data).encode("ascii")).hexdigest()


def _plain(value: object, path: tuple[object, ...]) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value, path)
    if isinstance(value, int):
        return _whole(value, path)
    if isinstance(value, float):
        return _finite(value, path)
    if len(path) > MAX_DEPTH:
        raise ConfigError(dotted(*path[:4]), f"is nested more than {MAX_DEPTH} levels deep")
    if isinstance(value, Mapping):
        return {_key(key, path): _plain(item, (*path, key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, (*path, i)) for i, item in enumerate(value)]
    kind = type(value).__name__
    raise ConfigError(
        dotted(*path),
        f"must be text, a number, true or false, a list or a table, not {kind}",
        "Write a date in quotes." if kind in ("date", "datetime", "time") else "",
    )


def _text(value: str, path: tuple[object, ...]) -> str:
    if not value.isascii() and any("\ud800" <= c <= "\udfff" for c in value):
        raise ConfigError(dotted(*path), "contains half of a surrogate pair, which is not text")
    return value


def _whole(value: int, path: tuple[object, ...]) -> int:
    if not -_INT64 <= value < _INT64:
        raise ConfigError(dotted(*path), "is a whole number beyond 64 bits")
    return value


def _finite(value: float, path: tuple[object, ...]) -> float:
    if not math.isfinite(value):
        raise ConfigError(dotted(*path), "must be a finite number", "NaN and infinity are not allowed.")
    return value


def _key(key: object, path: tuple[object, ...]) -> str:
    if not isinstance(key, str):
        raise ConfigError(dotted(*path, "key"), f"must be text, not {type(key).__name__}")
    return _text(key, path)
