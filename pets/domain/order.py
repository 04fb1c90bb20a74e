"""Columns that cannot be before others: birth, diagnosis, last contact."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from pets.config.paths import dotted, hint
from pets.domain.attributes import Attribute
from pets.domain.categorical import Categorical
from pets.domain.dates import Date
from pets.domain.labels import as_sequence
from pets.domain.numbers import Numeric
from pets.errors import InvalidArgument

Chain = tuple[str, ...]
"""Names of columns, none of which is before the one in front of it."""


def as_chains(order: object, attributes: Mapping[str, Attribute]) -> tuple[Chain, ...]:
    """Return chains of columns after checking them against the attributes.

    Raises
    ------
    InvalidArgument
        A chain names fewer than two columns, an unknown one or one twice; its columns cannot be compared; its bounds
        leave no possible row; or together the chains run in a circle. ``argument`` is such as ``order.0``.
    """
    found = tuple(_as_chain(f"order.{i}", chain, attributes) for i, chain in enumerate(as_sequence(order, "order")))
    before = earlier(found)
    for i, chain in enumerate(found):
        for name in chain:
            if name in before[name]:
                raise InvalidArgument(
                    f"order.{i}", f"runs in a circle through {name!r}", "Leave out one of the chains."
                )
    for name, those in before.items():
        for other in those:
            if _bounds(attributes[other])[0] > _bounds(attributes[name])[1]:
                raise InvalidArgument(
                    "order", f"lets {name!r} not be before {other!r}, but its last value is before the other's first",
                    "Correct the bounds or the order.",
                )  # fmt: skip
    return found


def earlier(chains: Sequence[Chain]) -> dict[str, frozenset[str]]:
    """Return for each column of the chains all columns that it cannot be before, directly or through others."""
    direct: dict[str, set[str]] = {name: set() for chain in chains for name in chain}
    for chain in chains:
        for first, second in pairwise(chain):
            direct[second].add(first)
    return {name: frozenset(_reached(name, direct)) for name in direct}


def select_chains(chains: Sequence[Chain], names: Sequence[str]) -> list[list[str]]:
    """Return what the chains say about some columns: every pair of them that is ordered, through others or not."""
    before = earlier(chains)
    return [[first, name] for name in names if name in before for first in names if first in before[name]]


def chains_to_list(chains: Sequence[Chain]) -> list[list[str]]:
    """Return plain data for TOML, JSON and hashing."""
    return [list(chain) for chain in chains]


def _reached(name: str, direct: Mapping[str, set[str]]) -> Iterator[str]:
    seen: set[str] = set()
    waiting = list(direct[name])
    while waiting:
        one = waiting.pop()
        if one not in seen:
            seen.add(one)
            yield one
            waiting += direct[one]


def _as_chain(path: str, chain: object, attributes: Mapping[str, Attribute]) -> Chain:
    names: list[Any] = list(as_sequence(chain, path))
    if len(names) < 2 or len({str(name) for name in names}) < len(names):
        raise InvalidArgument(path, "must name at least two columns, and each once", "Write ['birth', 'diagnosis'].")
    for i, name in enumerate(names):
        if name not in attributes:
            raise InvalidArgument(
                dotted(path, str(i)), "is not an attribute of the domain", hint(str(name), attributes)
            )
    kinds = {_kind(f"{path}.{i}", attributes[name]) for i, name in enumerate(names)}
    if len(kinds) > 1:
        raise InvalidArgument(
            path, "names columns that cannot be compared",
            "Name dates of one resolution, or numbers of one resolution; dates are cut to a coarser one when read.",
        )  # fmt: skip
    return tuple(str(name) for name in names)


def _kind(path: str, attribute: Attribute) -> tuple[bool, object]:
    if isinstance(attribute, Categorical):
        raise InvalidArgument(path, "is categorical", "Write which labels exclude each other under impossible.")
    if isinstance(attribute, Date):
        return True, attribute.resolution
    return False, attribute.resolution if isinstance(attribute, Numeric) else 1


def _bounds(attribute: Attribute) -> tuple[Any, Any]:
    assert not isinstance(attribute, Categorical)  # noqa: S101 refused before
    return attribute.lower, attribute.upper
