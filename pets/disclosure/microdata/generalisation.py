"""Hierarchies as ladders: for each level, the group of every leaf."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pets.disclosure.microdata.codes import Coded, Codes
from pets.domain import Hierarchy
from pets.domain.labels import Label
from pets.errors import DataError, InvalidArgument

TOP = "*"
"""Name of the level, and of its only group, in which a key says nothing any more."""

AS_IS = "as is"


@dataclass(frozen=True)
class Generalisation:
    """The levels of one key, from its values up to a single group.

    Attributes
    ----------
    name
        Of the column.
    leaves
        The values, in order.
    names
        Of the levels: ``'as is'``, those of the hierarchy from fine to coarse, ``'*'``.
    levels
        For each level the group of each leaf, as numbers.
    groups
        For each level above the first the label of each group.
    """

    name: str
    leaves: tuple[Label, ...]
    names: tuple[str, ...]
    levels: tuple[tuple[int, ...], ...]
    groups: tuple[tuple[str, ...], ...]

    def __len__(self) -> int:
        return len(self.levels)

    def leaves_of(self, column: Coded) -> Codes:
        """Return the leaf of each row, -1 where the value is missing.

        Raises
        ------
        DataError
            A value is not in the hierarchy. It is not named: it comes from a row.
        """
        place = {leaf: i for i, leaf in enumerate(self.leaves)}
        if any(value not in place for value in column.values):
            raise DataError(
                column.name, "holds a value that its hierarchy does not cover", "Add all values to the hierarchy."
            )
        found = np.array([*(place[value] for value in column.values), -1], dtype=np.int64)
        return found[column.codes]


def generalisation(hierarchy: object, name: str) -> Generalisation:
    """Return a hierarchy as levels from fine to coarse, a single group on top.

    Raises
    ------
    InvalidArgument
        It is no hierarchy, or its levels are not nested one in another.
    """
    declared = _as_hierarchy(hierarchy, name)
    leaves = _leaves(declared, name)
    found = declared.resolve(leaves)
    levels = sorted(found.items(), key=lambda level: -len(level[1]))
    ladder: list[tuple[int, ...]] = [tuple(range(len(leaves)))]
    groups: list[tuple[str, ...]] = [()]
    for _, partition in levels:
        of_leaf = np.empty(len(leaves), dtype=np.int64)
        for i, (_, members) in enumerate(partition):
            of_leaf[list(members)] = i
        if not _nested(ladder[-1], of_leaf):
            raise InvalidArgument(
                f"hierarchy.{name}", "has levels that are not nested in each other", "Give one chain of levels."
            )
        ladder.append(tuple(of_leaf.tolist()))
        groups.append(tuple(label for label, _ in partition))
    names = [AS_IS, *(level for level, _ in levels)]
    if max(ladder[-1]) > 0:
        ladder, groups, names = [*ladder, (0,) * len(leaves)], [*groups, (TOP,)], [*names, TOP]
    return Generalisation(name, leaves, tuple(names), tuple(ladder), tuple(groups))


def flat(column: Coded) -> Generalisation:
    """Return the two levels of a key without hierarchy: as it is, or not at all."""
    number = column.size
    return Generalisation(column.name, column.values, (AS_IS, TOP), (tuple(range(number)), (0,) * number), ((), (TOP,)))


def _as_hierarchy(given: object, name: str) -> Hierarchy:
    if isinstance(given, Hierarchy):
        return given
    if isinstance(given, Mapping):
        return Hierarchy(given)
    raise InvalidArgument(
        f"hierarchy.{name}", "must be a pets.Hierarchy", "Or a mapping: level to its groups, group to its members."
    )


def _leaves(hierarchy: Hierarchy, name: str) -> tuple[Label, ...]:
    """Return the members that are not groups of another level."""
    groups = {level: {str(label) for label, _ in found} for level, found in hierarchy.levels}
    for level, found in hierarchy.levels:
        members = tuple(member for _, group in found for member in group)
        if not any(set(members) <= labels for other, labels in groups.items() if other != level):
            return members
    raise InvalidArgument(f"hierarchy.{name}", "has no level that groups the values themselves")


def _nested(fine: Sequence[int], coarse: Codes) -> bool:
    pairs = set(zip(fine, coarse.tolist(), strict=True))
    return len(pairs) == len(set(fine))


def ladders(columns: Sequence[Coded], hierarchies: Mapping[str, Any]) -> tuple[Generalisation, ...]:
    """Return the levels of each key; keys without a hierarchy have two.

    Raises
    ------
    InvalidArgument
        `hierarchies` names a column that is no key, or holds something else than hierarchies.
    """
    if not isinstance(hierarchies, Mapping):
        raise InvalidArgument("hierarchies", "must be a mapping of key columns to hierarchies")
    stray = [name for name in hierarchies if name not in {column.name for column in columns}]
    if stray:
        raise InvalidArgument("hierarchies", f"names {stray[0]!r}, which is no key", "Name key columns only.")
    return tuple(
        generalisation(hierarchies[column.name], column.name) if column.name in hierarchies else flat(column)
        for column in columns
    )
