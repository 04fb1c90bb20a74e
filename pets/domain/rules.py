"""Structural zeros: combinations of categories that cannot occur."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pets.config.paths import dotted, hint, printable
from pets.domain.attributes import Attribute
from pets.domain.labels import Label, as_label, as_sequence, kind_of
from pets.errors import InvalidArgument

Rule = tuple[tuple[str, tuple[Label, ...]], ...]
"""Attributes and, for each, some of its key labels: a cell that matches all of them is impossible."""

_Positions = dict[tuple[str, Label], int]


def as_rules(rules: object, attributes: Mapping[str, Attribute]) -> tuple[Rule, ...]:
    """Return `rules` after checking them against the attributes.

    Raises
    ------
    InvalidArgument
        A rule is empty, names an unknown attribute or label, or together they leave no cell at all.
        ``argument`` is such as ``impossible.0.diagnosis``.
    """
    listed = as_sequence(rules, "impossible")
    places: dict[str, _Positions] = {}
    found = tuple(_as_rule(f"impossible.{i}", rule, attributes, places) for i, rule in enumerate(listed))
    _refuse_nothing_left(found, places)
    return found


def possible_cells(rules: Sequence[Rule], by: Sequence[str], attributes: Mapping[str, Attribute]) -> NDArray[np.bool_]:
    """Return False where a rule over attributes that are all in `by` forbids the cell.

    Shape: number of key labels of each attribute in `by`.
    """
    places = {name: positions(attributes[name]) for rule in rules for name, _ in rule if name in by}
    cells = np.ones(tuple(len(attributes[name].key_labels) for name in by), dtype=np.bool_)
    for rule in rules:
        if all(name in by for name, _ in rule):
            cells &= ~_matches(rule, by, places, cells.shape)
    return cells


def rules_to_list(rules: Sequence[Rule]) -> list[dict[str, Any]]:
    """Return plain data for TOML, JSON and hashing; a single label stands alone."""
    return [{name: labels[0] if len(labels) == 1 else list(labels) for name, labels in rule} for rule in rules]


def positions(attribute: Attribute) -> _Positions:
    """Return the place of each key label; looked up with its type, since True equals 1."""
    return {(kind_of(label), label): i for i, label in enumerate(attribute.key_labels)}


def _matches(
    rule: Rule, by: Sequence[str], places: Mapping[str, _Positions], shape: tuple[int, ...]
) -> NDArray[np.bool_]:
    """Return a mask that broadcasts to `shape`: one long axis for each attribute of the rule."""
    hit = np.ones((1,) * len(by), dtype=np.bool_)
    for name, labels in rule:
        axis = by.index(name)
        chosen = np.zeros(shape[axis], dtype=np.bool_)
        chosen[[places[name][kind_of(label), label] for label in labels]] = True
        hit = hit & chosen.reshape([-1 if i == axis else 1 for i in range(len(by))])
    return hit


def _as_rule(path: str, rule: object, attributes: Mapping[str, Attribute], places: dict[str, _Positions]) -> Rule:
    if not isinstance(rule, Mapping) or not rule:
        raise InvalidArgument(path, "must map at least one attribute to a label or a list of labels")
    for name in rule:
        if name not in attributes:
            raise InvalidArgument(dotted(path, name), "is not an attribute of the domain", hint(name, attributes))
    # Sorted, so that a file in which keys were moved means the same.
    return tuple((n, _as_rule_labels(dotted(path, n), n, rule[n], attributes, places)) for n in sorted(rule))


def _as_rule_labels(
    path: str, name: str, labels: object, attributes: Mapping[str, Attribute], places: dict[str, _Positions]
) -> tuple[Label, ...]:
    if not attributes[name].is_key:
        raise InvalidArgument(path, "has no bins, so no cell of it can be impossible", "Declare bins for it.")
    if name not in places:
        places[name] = positions(attributes[name])
    known = places[name]
    listed = as_sequence(labels, path) if isinstance(labels, list | tuple) else [labels]
    found = tuple(as_label(label, path) for label in listed)
    for label in found:
        if (kind_of(label), label) not in known:
            shown = printable(repr(label))
            raise InvalidArgument(path, f"has the unknown label {shown}", hint(label, (text for _, text in known)))
    if not found or len(set(found)) < len(found):
        raise InvalidArgument(path, "must name at least one label, and each once")
    return found


def _refuse_nothing_left(rules: Sequence[Rule], places: Mapping[str, _Positions]) -> None:
    """Refuse rules that by themselves forbid every label of an attribute: no row could exist."""
    forbidden: dict[str, set[Label]] = {}
    for i, rule in enumerate(rules):
        # An entry that lists all labels of its attribute restricts nothing.
        narrow = [(name, labels) for name, labels in rule if len(labels) < len(places[name])]
        if not narrow:
            raise InvalidArgument(f"impossible.{i}", "forbids every row", "Leave the rule out or list fewer labels.")
        if len(narrow) > 1:
            continue
        name, labels = narrow[0]
        forbidden.setdefault(name, set()).update(labels)
        if len(forbidden[name]) == len(places[name]):
            raise InvalidArgument(
                dotted(f"impossible.{i}", name), "forbids the last label that was left", "Leave one possible."
            )
