"""The kinds of attributes, and the shorthand for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pets.config.paths import dotted
from pets.domain.categorical import Categorical
from pets.domain.dates import Date
from pets.domain.labels import Label, as_text, first_repeat
from pets.domain.numbers import Integer, Numeric
from pets.errors import InvalidArgument

Attribute = Categorical | Integer | Numeric | Date
"""One column of a :class:`~pets.domain.Domain`."""

AttributeLike = Attribute | Sequence[Label]
"""An attribute, or a bare list of categories."""


def as_attributes(first: object, more: Mapping[str, object]) -> dict[str, Attribute]:
    """Return the attributes of a mapping and of keywords together, by name.

    Raises
    ------
    InvalidArgument
        A name or definition is invalid, or a name comes twice; ``argument`` begins with ``attributes.``.
    """
    if first is not None and not isinstance(first, Mapping):
        raise InvalidArgument("attributes", "must map names to attributes", "Write {'sex': ['female', 'male']}.")
    found: dict[str, Attribute] = {}
    for name, value in [*(first or {}).items(), *more.items()]:
        path = dotted("attributes", name)
        if as_text(name, path) in found:
            raise InvalidArgument(path, "is given twice")
        found[str(name)] = _as_attribute(path, value)
    repeat = first_repeat(found)
    if repeat is not None:
        raise InvalidArgument(dotted("attributes", list(found)[repeat]), "looks the same as another name")
    return found


def _as_attribute(path: str, value: object) -> Attribute:
    if isinstance(value, Attribute):
        return value
    if not isinstance(value, list | tuple | range):
        raise InvalidArgument(
            path, "must be an attribute or a list of categories", "Use Categorical, Integer, Numeric or Date."
        )
    try:
        return Categorical(value)
    except InvalidArgument as error:
        raise error.within(path) from None
