"""One dimension of a table: its codes, total and groups included, and which of them add up to which."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pets.domain import Hierarchy, Label
from pets.errors import InvalidArgument, did_you_mean

TOTAL = "Total"
"""Code of the margin over a whole dimension, unless another is given."""

Sum = tuple[int, tuple[int, ...]]
"""A code and the codes that add up to it, as places in `Dimension.codes`."""

_Tier = Mapping[str, frozenset[int]]
"""One level: each of its codes and the leaves that it holds."""


@dataclass(frozen=True, eq=False, repr=False)
class Dimension:
    """Codes of a dimension and the sums among them. Codes may have any length (I, II, IIIa) and any depth.

    Parameters
    ----------
    name
        What the dimension is called.
    codes
        Every code; the first is the total.
    sums
        For each group the codes it is divided into; a group may be divided in several ways.

    Raises
    ------
    InvalidArgument
        A code occurs twice, a code is its own ancestor (a cycle), belongs to no group (a missing level),
        two parts of a group overlap, or two ways to divide a group do not hold the same leaves.

    Examples
    --------
    >>> iccc = Dimension.from_parents("diagnosis", {"Ia": "I", "Ib": "I", "II": "", "IIIa": "III"})
    >>> iccc.codes
    ('Total', 'I', 'Ia', 'Ib', 'II', 'III', 'IIIa')
    >>> iccc.leaves
    ('Ia', 'Ib', 'II', 'IIIa')
    """

    name: str
    codes: tuple[str, ...]
    sums: tuple[Sum, ...]

    def __post_init__(self) -> None:
        if not self.sums:
            raise InvalidArgument(self.name, "has no codes below its total")
        if len(set(self.codes)) < len(self.codes):
            twice = next(code for i, code in enumerate(self.codes) if code in self.codes[:i])
            raise InvalidArgument(self.name, f"has the code {twice!r} twice", "Give each group and leaf its own code.")
        self._refuse_cycles()
        inside = {part for _, parts in self.sums for part in parts}
        stray = next((code for i, code in enumerate(self.codes) if i and i not in inside), None)
        if stray is not None:
            raise InvalidArgument(
                self.name, f"has the code {stray!r}, which belongs to no group", "Add the missing level."
            )
        self._refuse_unequal_parts()

    @classmethod
    def flat(cls, name: str, labels: Sequence[str], total: str = TOTAL) -> Dimension:
        """Return a dimension without groups: the total and its labels."""
        found = () if isinstance(labels, str) else tuple(str(label) for label in labels)
        if not found:
            raise InvalidArgument(name, "has no labels", "Give a list of at least one.")
        return cls(name, (total, *found), ((0, tuple(range(1, len(found) + 1))),))

    @classmethod
    def from_parents(cls, name: str, parents: Mapping[str, str], total: str = TOTAL) -> Dimension:
        """Return the dimension of a mapping of each code to its group.

        A code whose group is ``""`` or the total is at the top, and so is a group that is no key itself.
        """
        if not isinstance(parents, Mapping):
            raise InvalidArgument(name, "must be a mapping of each code to its group", "For example: {'Ia': 'I'}.")
        children: dict[str, list[str]] = {}
        for code, parent in parents.items():
            group = total if parent in (None, "") else str(parent)
            if group not in parents and group != total:
                tops = children.setdefault(total, [])
                if group not in tops:
                    tops.append(group)
            children.setdefault(group, []).append(str(code))
        return cls._of_children(name, children, total)

    @classmethod
    def from_hierarchy(cls, name: str, labels: Sequence[Label], hierarchy: Hierarchy, total: str = TOTAL) -> Dimension:
        """Return the dimension of an attribute's categories and the levels of its hierarchy.

        Several levels may group the categories in ways that do not nest (by site and by behaviour, say): each
        gives sums of its own. A group that holds one category of the same name is that category.
        """
        leaves = tuple(str(label) for label in labels)
        levels = hierarchy.resolve(tuple(labels))
        nodes: dict[str, frozenset[int]] = {total: frozenset(range(len(leaves)))}
        tiers = {level: {group: frozenset(held) for group, held in parts} for level, parts in levels.items()}
        tiers[""] = {leaf: frozenset([i]) for i, leaf in enumerate(leaves)}
        for tier in tiers.values():
            for code, held in tier.items():
                if nodes.setdefault(code, held) != held:
                    raise InvalidArgument(name, f"has the code {code!r} for two different groups", "Rename one.")
        codes = sorted(nodes, key=lambda code: (min(nodes[code]), -len(nodes[code]), code != total))
        place = {code: i for i, code in enumerate([total, *(code for code in codes if code != total)])}
        ordered: list[_Tier] = [{total: nodes[total]}, *tiers.values()]
        sums: dict[Sum, None] = {}
        for number, upper in enumerate(ordered):
            for parts in _next_below(number, ordered):
                for code, held in upper.items():
                    below = tuple(place[c] for c, h in parts.items() if h <= held)
                    if below != (place[code],):
                        sums[place[code], below] = None
        return cls(name, tuple(place), tuple(sums))

    @classmethod
    def _of_children(cls, name: str, children: Mapping[str, Sequence[str]], total: str) -> Dimension:
        order: list[str] = []
        waiting = [total]
        while waiting:  # depth first, so that each group stands before its parts
            code = waiting.pop()
            if code in order:
                raise InvalidArgument(name, f"has the code {code!r} in two places", "Put it into one group.")
            order.append(code)
            waiting += reversed(children.get(code, ()))
        lost = [code for code in children if code not in order]
        if lost:
            raise InvalidArgument(name, f"has a cycle: {lost[0]!r} is below itself", "Remove one of the links.")
        place = {code: i for i, code in enumerate(order)}
        sums = tuple((place[code], tuple(place[part] for part in parts)) for code, parts in children.items())
        return cls(name, tuple(order), sums)

    @property
    def total(self) -> str:
        """Code of the total."""
        return self.codes[0]

    @cached_property
    def place(self) -> dict[str, int]:
        """Place of each code."""
        return {code: i for i, code in enumerate(self.codes)}

    @cached_property
    def leaf_places(self) -> NDArray[np.int64]:
        """Places of the codes that are not divided further, shape (leaves,)."""
        groups = {group for group, _ in self.sums}
        return np.array([i for i in range(len(self.codes)) if i not in groups], dtype=np.int64)

    @property
    def leaves(self) -> tuple[str, ...]:
        """Codes that are not divided further."""
        return tuple(self.codes[i] for i in self.leaf_places)

    @cached_property
    def ancestors(self) -> NDArray[np.int64]:
        """For each leaf the places of all codes that hold it, itself included, shape (leaves, most); padded by -1."""
        above: dict[int, set[int]] = {i: {i} for i in range(len(self.codes))}
        for group, parts in self._from_above():
            for part in parts:
                above[part] |= above[group]
        lists = [sorted(above[int(leaf)]) for leaf in self.leaf_places]
        widest = max(len(found) for found in lists)
        return np.array([found + [-1] * (widest - len(found)) for found in lists], dtype=np.int64)

    def leaf_of(self, codes: NDArray[np.str_]) -> NDArray[np.int64]:
        """Return for each code its place among the leaves.

        Raises
        ------
        InvalidArgument
            A code is unknown, or is a group, whose cases would belong to none of its parts.
        """
        known = {code: i for i, code in enumerate(self.leaves)}
        unique, inverse = np.unique(codes, return_inverse=True)
        for code in unique.tolist():
            if code in known:
                continue
            if code == self.total:
                raise InvalidArgument(
                    self.name, f"{code!r} stands for the total", "Leave such rows out, or call the total otherwise."
                )
            if code in self.place:
                raise InvalidArgument(
                    self.name, f"{code!r} is a group, not a leaf", f"Give its own cases a leaf, e.g. '{code} other'."
                )
            raise InvalidArgument(
                self.name, f"{code!r} is not in the hierarchy: a level is missing", did_you_mean(code, known)
            )
        return np.array([known[code] for code in unique.tolist()], dtype=np.int64)[inverse.reshape(-1)]

    def add_up(self, leaves: NDArray[np.generic], axis: int) -> NDArray[np.generic]:
        """Return an array with all codes along `axis`, from one with the leaves along it."""
        moved = np.moveaxis(leaves, axis, 0)
        found = np.zeros((len(self.codes), *moved.shape[1:]), dtype=moved.dtype)
        found[self.leaf_places] = moved
        done = set(self.leaf_places.tolist())
        for group, parts in reversed(list(self._from_above())):
            if group not in done:
                found[group] = found[list(parts)].sum(axis=0)
                done.add(group)
        return np.moveaxis(found, 0, axis)

    def __repr__(self) -> str:
        return f"Dimension({self.name!r}, {len(self.codes)} codes, {len(self.leaves)} leaves)"

    def _from_above(self) -> Iterator[Sum]:
        """Yield the sums so that each group comes after every group that holds it; stops short at a cycle."""
        waiting = list(self.sums)
        while waiting:
            below = {part for _, parts in waiting for part in parts}
            ready = [found for found in waiting if found[0] not in below]
            if not ready:
                return
            yield from ready
            waiting = [found for found in waiting if found[0] in below]

    def _refuse_cycles(self) -> None:
        reached = set(self._from_above())
        for group, parts in self.sums:
            if (group, parts) not in reached or not parts:
                problem = f"has a cycle: {self.codes[group]!r} is below itself" if parts else "has an empty group"
                raise InvalidArgument(self.name, problem, "Remove one of the links.")

    def _refuse_unequal_parts(self) -> None:
        held: dict[int, set[int]] = {int(leaf): {int(leaf)} for leaf in self.leaf_places}
        for group, parts in reversed(list(self._from_above())):
            leaves = [leaf for part in parts for leaf in held[part]]
            if len(set(leaves)) < len(leaves):
                raise InvalidArgument(self.name, f"has a leaf twice in a division of {self.codes[group]!r}")
            if held.setdefault(group, set(leaves)) != set(leaves):
                raise InvalidArgument(
                    self.name,
                    f"divides {self.codes[group]!r} in two ways that do not hold the same",
                    "Add what is missing to the smaller one, e.g. a part 'other'.",
                )


def _next_below(place: int, tiers: Sequence[_Tier]) -> Iterator[_Tier]:
    """Yield the coarsest tiers that divide the one at `place`: those that no other such tier stands between."""
    finer = [i for i in range(len(tiers)) if _finer(i, place, tiers)]
    for i in finer:
        if not any(_finer(i, j, tiers) for j in finer):
            yield tiers[i]


def _finer(low: int, high: int, tiers: Sequence[_Tier]) -> bool:
    """Return whether one tier divides another; of two equal ones the later divides the earlier."""
    if low == high or not _divides(tiers[low], tiers[high]):
        return False
    return low > high or not _divides(tiers[high], tiers[low])


def _divides(finer: _Tier, coarser: _Tier) -> bool:
    return all(any(small <= large for large in coarser.values()) for small in finer.values())
