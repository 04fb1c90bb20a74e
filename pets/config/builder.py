"""From a tagged table such as ``{type = "discrete_laplace", epsilon = 1}`` to the object it describes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from pets.config.paths import as_config_error, dotted, hint, printable
from pets.errors import ConfigError, PetsError

TAG = "type"

_BY_NAME = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def build(registry: Mapping[str, Callable[..., object]], data: object, path: str = "") -> object:
    """Return what the factory named by ``data["type"]`` makes of the other keys.

    Parameters
    ----------
    registry
        Factories (classes or functions) by their tag.
    data
        A table: the tag, and the factory's arguments by name.
    path
        Dotted path of the table, for errors.

    Returns
    -------
    object
        The factory's result.

    Raises
    ------
    ConfigError
        The table has no known tag, a key that is no parameter, lacks a required one, or the factory
        refuses a value. ``argument`` is the dotted path of the key.
    """
    if not isinstance(data, Mapping):
        raise ConfigError(dotted(path), "must be a table")
    tag = _tag(registry, data, path)
    factory = registry[tag]
    arguments = {key: value for key, value in data.items() if key != TAG}
    _check_names(factory, arguments, path, tag)
    try:
        with as_config_error(path):
            return factory(**arguments)
    except PetsError:
        raise
    except (TypeError, ValueError, ArithmeticError) as error:
        # The factory's own message could quote anything; its type and the chained cause are enough.
        problem = f"was refused by {tag!r}: {type(error).__name__}"
        raise ConfigError(dotted(path), problem, "Check the types of its keys.") from error


def _tag(registry: Mapping[str, object], data: Mapping[Any, object], path: str) -> str:
    if TAG not in data:
        raise ConfigError(dotted(path, TAG), "is missing", hint("", registry))
    tag = data[TAG]
    if not isinstance(tag, str):
        raise ConfigError(dotted(path, TAG), "must be text", hint("", registry))
    if tag not in registry:
        raise ConfigError(dotted(path, TAG), f"{printable(tag)!r} is not known", hint(tag, registry))
    return tag


def _check_names(factory: Callable[..., object], arguments: Mapping[Any, object], path: str, tag: str) -> None:
    """Compare the keys with the factory's signature, before it is called."""
    parameters = inspect.signature(factory).parameters
    named = {name: p for name, p in parameters.items() if p.kind in _BY_NAME}
    takes_any = any(p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values())
    for key in arguments:
        if not isinstance(key, str):
            raise ConfigError(dotted(path, "key"), f"must be text, not {type(key).__name__}")
        if key not in named and not takes_any:
            raise ConfigError(dotted(path, key), f"is not a parameter of {tag!r}", hint(key, named))
    for name, parameter in named.items():
        if parameter.default is inspect.Parameter.empty and name not in arguments:
            raise ConfigError(dotted(path, name), f"is missing, and {tag!r} needs it")
