"""Fewer codes where noise would drown them: groups of codes made from noisy counts, and codes drawn back from groups.

What a group holds follows from noisy counts only, so it costs nothing and may be published. Codes that a rule of the
domain treats differently never share a group; neither do missing values and others.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pets.synthetic.engine.factors import Array

Codes = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Grouping:
    """A partition of the codes of one column.

    Attributes
    ----------
    group
        For each code the number of its group.
    """

    group: Codes

    @cached_property
    def size(self) -> int:
        """Number of groups."""
        return int(self.group.max()) + 1

    def summed(self, table: Array, axis: int = 0) -> Array:
        """Return a table with the codes of one axis added up to groups."""
        found = np.zeros((self.size, *np.moveaxis(table, axis, 0).shape[1:]), dtype=table.dtype)
        np.add.at(found, self.group, np.moveaxis(table, axis, 0))
        return np.moveaxis(found, 0, axis)

    def codes_in(self, group: int) -> Codes:
        """Return the codes of a group."""
        return np.flatnonzero(self.group == group)


def each(size: int) -> Grouping:
    """Return the partition into single codes."""
    return Grouping(np.arange(size))


def grouped(mass: Array, least: float, kinds: Codes, *, ordered: bool) -> Grouping:
    """Return groups of at least about `least` rows each.

    Parameters
    ----------
    mass
        Estimated rows of each code.
    least
        How many rows a group should have.
    kinds
        Codes of different kinds never share a group.
    ordered
        True merges neighbours only; False merges all small codes of a kind into one group.
    """
    return Grouping(_runs(mass, least, kinds) if ordered else _rest(mass, least, kinds))


def _runs(mass: Array, least: float, kinds: Codes) -> Codes:
    group = np.zeros(mass.size, dtype=np.int64)
    current, held, begun = 0, 0.0, 0
    for code in range(mass.size):
        full = held >= least or (mass[code] >= least and code > begun)
        if code > 0 and (full or kinds[code] != kinds[code - 1]):
            current, held, begun = current + 1, 0.0, code
        group[code] = current
        held += float(mass[code])
    tail = group == current
    small = held < least and current > 0
    if small and kinds[tail][0] == kinds[np.flatnonzero(tail)[0] - 1] and mass[np.flatnonzero(tail)[0] - 1] < least:
        group[tail] = current - 1
    return group


def _rest(mass: Array, least: float, kinds: Codes) -> Codes:
    group = np.full(mass.size, -1, dtype=np.int64)
    current = 0
    for kind in np.unique(kinds):
        small = (kinds == kind) & (mass < least)
        if small.sum() > 1:
            group[small] = current
            current += 1
    for code in np.flatnonzero(group < 0):
        group[code] = current
        current += 1
    return _renumbered(group)


def _renumbered(group: Codes) -> Codes:
    """Return the groups numbered in the order of their first code."""
    _, first, inverse = np.unique(group, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))
    return np.asarray(rank[inverse], dtype=np.int64)


def nonnegative(noisy: Array, total: float) -> Array:
    """Return the closest non-negative counts, in least squares, that sum to `total`."""
    flat = np.sort(noisy.ravel())[::-1]
    excess = (np.cumsum(flat) - total) / np.arange(1, flat.size + 1)
    used = np.flatnonzero(flat > excess)
    shift = excess[used[-1]] if used.size else excess[-1]
    return np.asarray(np.maximum(noisy - shift, 0.0))


def shrunk(noisy: Array, variance: float, grouping: Grouping) -> Array:
    """Return non-negative counts of codes, each pulled towards the mean of its group as far as noise may explain.

    Positive-part James-Stein shrinkage within each group and column: where the codes of a group differ by no more than
    noise would make them, they come out equal.

    Parameters
    ----------
    noisy
        Noisy counts, shape (codes, columns).
    variance
        Of their noise.
    grouping
        The groups of the codes.
    """
    sizes = grouping.summed(np.ones(noisy.shape))
    mean = (grouping.summed(noisy) / sizes)[grouping.group]
    spread = grouping.summed((noisy - mean) ** 2)
    noise = (sizes - 1) * variance
    kept = np.clip(1 - np.divide(noise, spread, out=np.ones_like(spread), where=spread > 0), 0, 1)
    return np.asarray(np.maximum(mean + kept[grouping.group] * (noisy - mean), 0.0))
