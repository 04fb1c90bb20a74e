"""What each dimension of a table can be collapsed to: its levels, and which of them is coarser than which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pets.domain import Hierarchy, Label
from pets.errors import InvalidArgument

AS_IS = "as is"
TOP = "*"
"""Name of the level with a single group: the dimension is dropped."""


@dataclass(frozen=True, eq=False)
class Ladder:
    """The levels of one dimension. They need not be nested: years may be pooled by twos or by fives.

    Attributes
    ----------
    name
        Of the dimension.
    leaves
        Its categories, as texts.
    names
        Of the levels; the first is the dimension as it is.
    groups
        For each level the labels of its groups.
    places
        For each level the group of each leaf, shape (leaves,).
    """

    name: str
    leaves: tuple[str, ...]
    names: tuple[str, ...]
    groups: tuple[tuple[str, ...], ...]
    places: tuple[NDArray[np.int64], ...]

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def coarser(self) -> tuple[frozenset[int], ...]:
        """For each level all those that merge some of its groups and divide none."""
        return tuple(
            frozenset(other for other in range(len(self)) if other != level and self._refines(level, other))
            for level in range(len(self))
        )

    def _refines(self, fine: int, coarse: int) -> bool:
        pairs = set(zip(self.places[fine].tolist(), self.places[coarse].tolist(), strict=True))
        return len(pairs) == len(self.groups[fine])

    def mapping(self, level: int) -> dict[str, str]:
        """Return the group of each category at a level."""
        return {leaf: self.groups[level][place] for leaf, place in zip(self.leaves, self.places[level], strict=True)}


def ladder(name: str, leaves: Sequence[Label], hierarchy: object, *, fixed: bool, drop: bool) -> Ladder:
    """Return the levels of a dimension: as it is, those of its hierarchy, and, if it may be dropped, a single group.

    Raises
    ------
    InvalidArgument
        `hierarchy` is none, or does not fit the categories.
    """
    texts = tuple(str(leaf) for leaf in leaves)
    names, groups, places = [AS_IS], [texts], [np.arange(len(leaves))]
    if not fixed and hierarchy is not None:
        for level, partition in _resolved(name, leaves, hierarchy).items():
            place = np.empty(len(leaves), dtype=np.int64)
            for number, (_, members) in enumerate(partition):
                place[list(members)] = number
            names.append(level)
            groups.append(tuple(label for label, _ in partition))
            places.append(place)
    if drop and not fixed and all(len(group) > 1 for group in groups):
        names.append(TOP)
        groups.append((TOP,))
        places.append(np.zeros(len(leaves), dtype=np.int64))
    return Ladder(name, texts, tuple(names), tuple(groups), tuple(places))


def categories_of(hierarchy: object) -> tuple[Label, ...]:
    """Return the categories that a hierarchy covers, none if it is no hierarchy: members that no other level makes."""
    if not isinstance(hierarchy, Hierarchy | Mapping):
        return ()
    levels = (hierarchy if isinstance(hierarchy, Hierarchy) else Hierarchy(hierarchy)).levels
    for level, groups in levels:
        members = tuple(member for _, group in groups for member in group)
        above = [{label for label, _ in made} for other, made in levels if other != level]
        if not any(set(members) <= made for made in above):
            return members
    return ()


def _resolved(
    name: str, leaves: Sequence[Label], hierarchy: object
) -> dict[str, tuple[tuple[str, tuple[int, ...]], ...]]:
    if not isinstance(hierarchy, Hierarchy | Mapping):
        raise InvalidArgument(
            f"levels.{name}", "must be a hierarchy", "Map each level to its groups, and each group to its members."
        )
    try:
        declared = hierarchy if isinstance(hierarchy, Hierarchy) else Hierarchy(hierarchy)
        found = declared.resolve(leaves)
    except InvalidArgument as error:
        raise error.within(f"levels.{name}") from None
    if reserved := [level for level in found if level in (AS_IS, TOP)]:
        raise InvalidArgument(f"levels.{name}", f"has a level called {reserved[0]!r}, a reserved name", "Rename it.")
    return found


def pool(labels: Sequence[Label], width: int) -> dict[str, list[Label]]:
    """Return groups of `width` neighbouring labels, e.g. of years or of ages, as a level of a hierarchy.

    Parameters
    ----------
    labels
        In order.
    width
        Labels to a group, at least 1; the last group may have fewer.

    Raises
    ------
    InvalidArgument
        There is no label, or `width` is no whole number of at least 1.

    Examples
    --------
    >>> pool([2019, 2020, 2021, 2022, 2023], 2)
    {'2019-2020': [2019, 2020], '2021-2022': [2021, 2022], '2023': [2023]}
    """
    if isinstance(width, bool) or not isinstance(width, int) or width < 1:
        raise InvalidArgument("width", "must be a whole number of at least 1")
    listed = list(labels)
    if not listed:
        raise InvalidArgument("labels", "is empty")
    parts = [listed[start : start + width] for start in range(0, len(listed), width)]
    return {f"{part[0]}-{part[-1]}" if len(part) > 1 else str(part[0]): part for part in parts}
