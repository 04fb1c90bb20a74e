"""Coarser levels over the categories of an attribute, e.g. ICCC-3 main groups over subgroups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pets.config.paths import dotted, hint, printable
from pets.domain.labels import Label, as_label, as_sequence, as_text, first_repeat, kind_of, spelling
from pets.errors import InvalidArgument

Partition = tuple[tuple[str, tuple[int, ...]], ...]
"""Groups in order of their first category: label and positions of the categories."""

MAX_LEVELS = 32
"""Most levels of one hierarchy."""

_Level = Mapping[Label, tuple[int, ...]]
_Groups = tuple[tuple[str, tuple[Label, ...]], ...]


@dataclass(frozen=True, slots=True, init=False, eq=False, repr=False)
class Hierarchy:
    """Named levels, each of which divides what is below it into groups.

    Parameters
    ----------
    levels
        Level name to its groups, and group label to its members. The members of a level are either
        the categories of the attribute or the groups of another level; which of the two is recognised
        by the members. Several levels may group the same thing (by site and by behaviour, say).

    Raises
    ------
    InvalidArgument
        A level or group is empty, or a member is in two groups of one level. That each level covers
        what it groups is checked when the hierarchy is attached to an attribute.

    Examples
    --------
    >>> Hierarchy({"main": {"I Leukaemias": ["Ia", "Ib"], "V Retinoblastoma": ["V"]}}).names
    ('main',)
    """

    levels: tuple[tuple[str, _Groups], ...]

    def __init__(self, levels: Mapping[str, Mapping[str, Sequence[Label]]]) -> None:
        if len(_mapping("hierarchy", levels, "levels")) > MAX_LEVELS:
            raise InvalidArgument("hierarchy", f"has more than {MAX_LEVELS} levels")
        found = tuple(
            (as_text(name, "hierarchy"), _groups(dotted("hierarchy", name), groups)) for name, groups in levels.items()
        )
        if first_repeat(name for name, _ in found) is not None:
            raise InvalidArgument("hierarchy", "has two levels of the same name")
        object.__setattr__(self, "levels", found)

    @classmethod
    def from_parents(cls, levels: Mapping[str, Mapping[Label, str]]) -> Hierarchy:
        """Return a hierarchy from level name to a mapping of each member to its group."""
        turned: dict[str, dict[str, list[Label]]] = {}
        for name, parents in _mapping("hierarchy", levels, "levels").items():
            groups = turned.setdefault(name, {})
            for member, group in _mapping(dotted("hierarchy", name), parents, "members").items():
                groups.setdefault(as_text(group, dotted("hierarchy", name)), []).append(member)
        return cls(turned)

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the levels."""
        return tuple(name for name, _ in self.levels)

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, Hierarchy) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        return f"Hierarchy({self.to_dict()!r})"

    def _key(self) -> object:
        """Return what makes two hierarchies equal: the order of levels and groups is not part of it."""
        return frozenset((name, frozenset(groups)) for name, groups in self.levels)

    def resolve(self, categories: Sequence[Label]) -> dict[str, Partition]:
        """Return each level as a partition of `categories`.

        Raises
        ------
        InvalidArgument
            A level does not cover exactly the categories or another level's groups, could mean either of
            two levels, or gives a group the name of something outside it (a cycle, if followed upwards).
        """
        below: dict[str, _Level] = {"": {label: (i,) for i, label in enumerate(categories)}}
        waiting = dict(self.levels)
        while waiting:
            found = next(((n, b) for n in waiting for b in below if _covers(waiting[n], below[b])), None)
            if found is None:
                raise _misfit(*next(iter(waiting.items())), below)
            name, base = found
            level: _Level = {group: _united(below[base], members) for group, members in waiting.pop(name)}
            _refuse_cycle(name, level, below[base])
            below[name] = level
        for name, groups in self.levels:
            _refuse_ambiguity(name, groups, below)
        return {name: _in_order(below[name]) for name in self.names}

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for TOML, JSON and hashing."""
        return {name: {group: list(members) for group, members in groups} for name, groups in self.levels}


def _mapping(path: str, value: object, what: str) -> Mapping[Any, Any]:
    if not isinstance(value, Mapping) or not value:
        raise InvalidArgument(path, f"must be a mapping of at least one of its {what}")
    return value


def _groups(path: str, groups: object) -> _Groups:
    given = _mapping(path, groups, "groups").items()
    found = tuple((as_text(label, path), _members(f"{path}.{printable(label)}", members)) for label, members in given)
    if first_repeat(label for label, _ in found) is not None:
        raise InvalidArgument(path, "has two groups of the same name")
    seen: set[str] = set()
    for label, members in found:
        for member in members:
            if spelling(member) in seen:
                raise InvalidArgument(
                    f"{path}.{printable(label)}", f"repeats {member!r}", "Put each member into one group, once."
                )
            seen.add(spelling(member))
    return found


def _members(path: str, members: object) -> tuple[Label, ...]:
    found = tuple(as_label(m, f"{path}.{i}") for i, m in enumerate(as_sequence(members, path)))
    if not found:
        raise InvalidArgument(path, "is an empty group", "Leave the group out.")
    return found


def _covers(groups: _Groups, base: _Level) -> bool:
    members = [member for _, group in groups for member in group]
    return len(members) == len(base) and all(_within(member, base) for member in members)


def _within(member: Label, base: _Level) -> bool:
    """Like ``in``, but True is not 1; all keys of one level have one type."""
    return member in base and kind_of(member) == kind_of(next(iter(base)))


def _united(base: _Level, members: Sequence[Label]) -> tuple[int, ...]:
    return tuple(sorted(position for member in members for position in base[member]))


def _in_order(level: _Level) -> Partition:
    return tuple(sorted(((str(group), positions) for group, positions in level.items()), key=lambda item: item[1][0]))


def _misfit(name: str, groups: _Groups, levels: Mapping[str, _Level]) -> InvalidArgument:
    """Say what keeps the level from covering the thing that it shares most members with."""
    members = [member for _, group in groups for member in group]
    base = max(levels, key=lambda b: sum(_within(m, levels[b]) for m in members))
    what = f"the level {base!r}" if base else "the categories"
    path = dotted("hierarchy", name)
    for member in members:
        if not _within(member, levels[base]):
            return InvalidArgument(
                path, f"has the member {member!r}, which is not among {what}", hint(member, levels[base])
            )
    listed = set(members)
    missing = next(label for label in levels[base] if label not in listed)
    return InvalidArgument(path, f"leaves out {missing!r} of {what}", "Put each member into exactly one group.")


def _refuse_cycle(name: str, level: _Level, base: _Level) -> None:
    for group, positions in level.items():
        if not set(base.get(group, ())) <= set(positions):
            raise InvalidArgument(
                dotted("hierarchy", name, group), "has the name of something that it does not hold", "Rename the group."
            )


def _refuse_ambiguity(name: str, groups: _Groups, levels: Mapping[str, _Level]) -> None:
    """Two levels with the same group names but different groups could both be meant."""
    fitting = [level for other, level in levels.items() if other != name and _covers(groups, level)]
    for _, members in groups:
        if len({_united(level, members) for level in fitting}) > 1:
            raise InvalidArgument(
                dotted("hierarchy", name), "could group either of two levels", "Give their groups other names."
            )
