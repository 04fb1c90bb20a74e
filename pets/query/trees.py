"""Nested partitions of an axis, and the contrasts of a table along them.

The root is the whole axis, the leaves are its labels in order; each level divides the nodes of the one above. A vector
of leaf counts and its *contrasts* (the total; then for each level the count of each node minus the mean of its
siblings) determine each other. One level is the residual basis of a plain categorical axis, a level of groups gives a
hierarchy, a binary tree the Haar wavelet.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from pets.errors import InvalidArgument


@dataclass(frozen=True)
class Level:
    """One level of a tree.

    Attributes
    ----------
    parent
        For each node, the place of its parent on the level above, shape (nodes,).
    siblings
        For each node, how many children its parent has, shape (nodes,).
    order, starts
        Nodes sorted by parent, and where each parent's children begin there.
    scale
        Least common multiple of `siblings`: it makes all contrasts of the level whole numbers.
    """

    parent: NDArray[np.int64]
    siblings: NDArray[np.int64]
    order: NDArray[np.int64] | None
    starts: NDArray[np.int64]
    scale: int

    def sums(self, nodes: NDArray[np.generic]) -> NDArray[np.generic]:
        """Return the sums of siblings along the last axis: the counts of the level above."""
        if len(self.starts) == 1:
            return np.asarray(nodes.sum(axis=-1, keepdims=True))
        ordered = nodes if self.order is None else nodes[..., self.order]
        return np.asarray(np.add.reduceat(ordered, self.starts, axis=-1))

    def spread(self, parents: NDArray[np.generic]) -> NDArray[np.generic]:
        """Return for each node the value of its parent, along the last axis."""
        return parents if len(self.starts) == 1 else parents[..., self.parent]


@dataclass(frozen=True)
class Tree:
    """A tree whose leaves are the labels of an axis.

    Parameters
    ----------
    parents
        For each level below the root, from above, the parent of each node. The last level is that of the leaves.

    Raises
    ------
    InvalidArgument
        A node has no parent, or an inner node no child.
    """

    parents: tuple[tuple[int, ...], ...]

    def __post_init__(self) -> None:
        above = 1
        for level in self.parents:
            if not level or set(level) != set(range(above)):
                raise InvalidArgument("parents", "must divide every node of the level above")
            above = len(level)
        if not self.parents:
            raise InvalidArgument("parents", "must have at least one level")

    @property
    def leaves(self) -> int:
        """Number of labels."""
        return len(self.parents[-1])

    @property
    def depth(self) -> int:
        """Number of levels below the root."""
        return len(self.parents)

    @cached_property
    def levels(self) -> tuple[Level, ...]:
        """The levels below the root, from above."""
        return tuple(_level(parents) for parents in self.parents)

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Number of nodes of each level below the root."""
        return tuple(len(level) for level in self.parents)

    @cached_property
    def contrasts(self) -> int:
        """Number of contrasts of all levels."""
        return sum(self.sizes)

    @cached_property
    def slices(self) -> tuple[slice, ...]:
        """Where each level's contrasts stand."""
        ends = np.cumsum((0, *self.sizes)).tolist()
        return tuple(slice(low, high) for low, high in pairwise(ends))

    @cached_property
    def loss(self) -> tuple[Fraction, ...]:
        """For each level, the largest squared length of one leaf's column of contrasts, ``1 - 1/siblings``."""
        return tuple(1 - Fraction(1, int(level.siblings.max())) for level in self.levels)

    @cached_property
    def paths(self) -> NDArray[np.int64]:
        """For each leaf the number of siblings on each level of its path, shape (leaves, depth)."""
        found = np.empty((self.leaves, self.depth), dtype=np.int64)
        node = np.arange(self.leaves)
        for index in range(self.depth - 1, -1, -1):
            found[:, index] = self.levels[index].siblings[node]
            node = self.levels[index].parent[node]
        return found

    def forward(self, counts: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the whole-number contrasts along the last axis: ``scale * (node - mean of its siblings)``.

        Shape (..., leaves) becomes (..., contrasts). Exact modulo 2**64.
        """
        parts: list[NDArray[np.int64]] = []
        nodes = counts
        for level in reversed(self.levels):
            sums = np.asarray(level.sums(nodes), dtype=np.int64)
            own = level.scale * nodes - np.asarray(level.spread(sums)) * (level.scale // level.siblings)
            parts.append(np.asarray(own, dtype=np.int64))
            nodes = sums
        return parts[0] if len(parts) == 1 else np.concatenate(parts[::-1], axis=-1)

    def forward_float(self, counts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return :meth:`forward` in floating point, which cannot wrap around."""
        parts: list[NDArray[np.float64]] = []
        nodes: NDArray[np.float64] = counts
        for level in reversed(self.levels):
            sums = np.asarray(level.sums(nodes), dtype=np.float64)
            parts.append(
                np.asarray(level.scale * nodes - np.asarray(level.spread(sums)) * (level.scale / level.siblings))
            )
            nodes = sums
        return np.concatenate(parts[::-1], axis=-1)

    def project(self, noisy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the contrasts of noisy whole-number contrasts: centred among siblings, divided by the scale."""
        parts = []
        for level, part in zip(self.levels, self.slices, strict=True):
            nodes = noisy[..., part]
            means = np.asarray(level.spread(level.sums(nodes))) / level.siblings
            parts.append((nodes - means) / level.scale)
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=-1)

    def rebuild(self, total: NDArray[np.float64], contrasts: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the leaves: each node is an equal share of its parent plus its contrast.

        Shapes (..., 1) and (..., contrasts) become (..., leaves).
        """
        nodes = total
        for level, part in zip(self.levels, self.slices, strict=True):
            nodes = np.asarray(level.spread(nodes)) / level.siblings + contrasts[..., part]
        return nodes

    def coefficients(self, weights: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
        """Return what a weighted sum of leaves reads from the total and from the contrasts of each level.

        Parameters
        ----------
        weights
            Shape (..., leaves).

        Returns
        -------
        tuple of ndarray
            For the total, shape (..., 1), then for each level, shape (..., nodes); those of siblings add up to zero.
        """
        parts: list[NDArray[np.float64]] = []
        nodes = weights
        for level in reversed(self.levels):
            means = np.asarray(level.sums(nodes)) / np.bincount(level.parent)
            parts.append(nodes - np.asarray(level.spread(means)))
            nodes = means
        return (nodes, *parts[::-1])

    def leaf_coefficients(self, path: Sequence[int]) -> tuple[tuple[tuple[Fraction, int], ...], ...]:
        """Return for a leaf with these numbers of siblings what its value reads from the *noise* of each component.

        For the total, then for each level: pairs of a weight (in units of the level's whole-number contrasts) and how
        many independent noises have it.
        """
        share = Fraction(1)
        levels: list[tuple[tuple[Fraction, int], ...]] = []
        for level, k in zip(reversed(self.levels), reversed([int(k) for k in path]), strict=True):
            own = (share * (1 - Fraction(1, k)) / level.scale, 1)
            others = (-share / k / level.scale, k - 1)
            levels.append(() if k == 1 else (own, others))
            share /= k
        return (((share, 1),), *levels[::-1])


@lru_cache(maxsize=256)
def flat(leaves: int) -> Tree:
    """Return the tree of a plain categorical axis: the root and its labels."""
    return Tree(((0,) * leaves,))


@lru_cache(maxsize=256)
def balanced(leaves: int, branching: int) -> Tree:
    """Return a tree over an ordered axis, each node divided into at most `branching` runs of nearly equal length."""
    runs, levels = [(0, leaves)], []
    while any(high - low > 1 for low, high in runs):
        parents, below = [], []
        for index, (low, high) in enumerate(runs):
            parts = min(branching, high - low)
            edges = [low + (high - low) * i // parts for i in range(parts + 1)]
            below += list(pairwise(edges))
            parents += [index] * parts
        runs = below
        levels.append(tuple(parents))
    return Tree(tuple(levels)) if levels else flat(leaves)


def _level(parents: tuple[int, ...]) -> Level:
    parent = np.array(parents, dtype=np.int64)
    counts = np.bincount(parent)
    ordered = bool(np.all(np.diff(parent) >= 0))
    order = None if ordered else np.argsort(parent, kind="stable")
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]]).astype(np.int64)
    return Level(parent, counts[parent], order, starts, math.lcm(*counts.tolist()))
