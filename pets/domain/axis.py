"""Axes of tables, at the finest level or a coarser one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pets.config.paths import dotted
from pets.domain.attributes import Attribute
from pets.domain.labels import Label
from pets.errors import InvalidArgument


@dataclass(frozen=True, slots=True)
class KeyAxis:
    """One axis of a table, at the finest level or a coarser one.

    Parameters
    ----------
    name, level
        The attribute, and the level of its hierarchy (``None`` for its own labels).
    labels
        Labels of the axis in order; the label of invalid values, if there is one, comes last.
    index
        For each key label of the attribute, its place in `labels`.
    """

    name: str
    level: str | None
    labels: tuple[Label, ...]
    index: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.labels)


def key_axis(name: str, attribute: Attribute, level: str | None) -> KeyAxis:
    """Return the axis of `attribute` at `level`; see :meth:`pets.Domain.key_axis`."""
    try:
        labels = attribute.key_labels
        if level is None:
            return KeyAxis(name, None, labels, tuple(range(len(labels))))
        groups = attribute.group(level)
    except InvalidArgument as error:
        raise error.within(dotted("attributes", name)) from None
    index = np.full(len(labels), len(groups))  # what no group claims is the label of invalid values
    for i, (_, members) in enumerate(groups):
        index[list(members)] = i
    invalid = (attribute.invalid_label,) if attribute.invalid == "category" else ()
    return KeyAxis(name, level, (*(label for label, _ in groups), *invalid), tuple(index.tolist()))


def any_in_group(cells: NDArray[np.bool_], axis: int, key: KeyAxis) -> NDArray[np.bool_]:
    """Return whether any cell of each group of `key` along `axis` is True."""
    order = np.argsort(key.index, kind="stable")
    starts = np.searchsorted(np.asarray(key.index)[order], np.arange(len(key)))
    merged: NDArray[np.bool_] = np.logical_or.reduceat(np.take(cells, order, axis=axis), starts, axis=axis)
    return merged
