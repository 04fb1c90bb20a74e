"""Dotted paths of configuration keys, and errors that carry them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import islice

from pets.errors import ConfigError, InvalidArgument, did_you_mean

WHOLE = "document"
"""How an error names the document itself, when no single key is to blame."""

_MAX_SHOWN = 80


def printable(text: str) -> str:
    """Return `text` fit for an error message: short, on one line, without surrogates or control characters."""
    shown = text if text.isprintable() else ascii(text)[1:-1]
    return shown if len(shown) <= _MAX_SHOWN else shown[: _MAX_SHOWN - 3] + "..."


def dotted(*parts: object) -> str:
    """Return ``a.b.0`` for ``("a", "b", 0)``; empty parts are left out and an empty path is the document."""
    return ".".join(printable(str(part)) for part in parts if part != "") or WHOLE


def hint(name: object, known: Iterable[object]) -> str:
    """Return :func:`~pets.errors.did_you_mean` at a cost that a hostile document cannot choose."""
    return did_you_mean(printable(str(name)), (printable(str(k)) for k in islice(known, 500)))


@contextmanager
def as_config_error(path: str = "") -> Iterator[None]:
    """Turn an :class:`InvalidArgument` raised inside into a :class:`ConfigError` below `path`."""
    try:
        yield
    except InvalidArgument as error:
        # Dotted by hand: the parts are printable already, and a long path must not be cut.
        argument = f"{path}.{error.argument}" if path else error.argument
        raise ConfigError(argument, error.problem, error.remedy) from None
