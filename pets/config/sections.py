"""Sections of a file as pydantic models, with errors that name the dotted key.

Importing this module imports pydantic: do so inside functions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator
from pydantic_core import ErrorDetails, PydanticCustomError

from pets.config.builder import TAG
from pets.config.paths import dotted, hint, printable
from pets.config.plain import as_plain
from pets.errors import ConfigError

_KEY_PROBLEM = "key_problem"


class Section(BaseModel):
    """A table whose keys are all declared and whose values are never converted."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _known_keys(cls, data: object) -> object:
        known = [field.alias or name for name, field in cls.model_fields.items()]
        for key in data if isinstance(data, dict) else ():
            if key not in known:
                raise _key_problem(key, "is not a known key", hint(key, known))
        return data


SectionType = TypeVar("SectionType", bound=Section)


def known_tag(*tags: str) -> Callable[[object], object]:
    """Return a validator to run before a tagged union: the table must have one of `tags` as its type."""

    def check(data: object) -> object:
        if not isinstance(data, dict):
            return data
        if TAG not in data:
            raise _key_problem(TAG, "is missing", hint("", tags))
        if data[TAG] not in tags:
            raise _key_problem(TAG, f"{printable(str(data[TAG]))!r} is not known", hint(data[TAG], tags))
        return data

    return check


def validate(model: type[SectionType], data: object, path: str = "") -> SectionType:
    """Return `data` as the section `model`.

    Parameters
    ----------
    model
        What the table must look like.
    data
        Plain data, or what :func:`~pets.config.as_plain` can make plain.
    path
        Dotted path of the table, for errors.

    Raises
    ------
    ConfigError
        `data` does not have the form of `model`; ``argument`` is the first offending key.
    """
    plain = as_plain(data, path)
    try:
        return model.model_validate(plain)
    except ValidationError as error:
        raise _config_error(error.errors(include_url=False, include_input=False)[0], plain, path) from None


def _key_problem(key: str, problem: str, remedy: str) -> PydanticCustomError:
    return PydanticCustomError(_KEY_PROBLEM, "{problem}", {"key": key, "problem": problem, "remedy": remedy})


def _config_error(detail: ErrorDetails, data: object, path: str) -> ConfigError:
    steps = _steps(detail["loc"], data)
    kind = detail["type"]
    if kind == _KEY_PROBLEM:
        found = detail["ctx"]
        return ConfigError(dotted(path, *steps, found["key"]), found["problem"], found["remedy"])
    if kind == "missing":
        return ConfigError(dotted(path, *steps), "is missing")
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return ConfigError(dotted(path, *steps), "must be a table")
    return ConfigError(dotted(path, *steps), detail["msg"].replace("Input should", "must"))


def _steps(location: tuple[int | str, ...], data: object) -> list[int | str]:
    """Return the steps of `location` that are keys of `data`: pydantic also lists the tags of unions."""
    steps: list[int | str] = []
    at_tag = False
    for step in location:
        if not at_tag and isinstance(data, Mapping) and data.get(TAG) == step:
            at_tag = True
            continue
        steps.append(step)
        data, at_tag = _inside(data, step), False
    return steps


def _inside(data: Any, step: int | str) -> object:
    if isinstance(data, Mapping):
        return data.get(str(step))
    return data[step] if isinstance(data, list) and isinstance(step, int) and step < len(data) else None
