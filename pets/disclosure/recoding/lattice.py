"""The lattice of recodings: one level for each dimension, searched for the least loss.

Merging further never loses less, so nodes are taken in the order of a lower bound of their loss, each putting its
coarser neighbours in the queue; the first one whose loss is no more than the next bound is the best of all. A level at
which a dimension has small cells even when all others are as coarse as can be is taken out beforehand.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import prod

import numpy as np
from numpy.typing import NDArray

from pets.disclosure.recoding.ladders import Ladder
from pets.disclosure.recoding.loss import bits_lost

Node = tuple[int, ...]

MAX_NODES = 1_000_000


@dataclass(frozen=True, eq=False)
class Lattice:
    """A table of counts and the levels of its dimensions.

    Attributes
    ----------
    counts
        Fine counts, one axis for each dimension.
    ladders
        Levels of each dimension.
    minimum
        Smallest count that is not small.
    zeros_small
        Whether empty cells are small, too.
    """

    counts: NDArray[np.int64]
    ladders: tuple[Ladder, ...]
    minimum: int
    zeros_small: bool = False

    @property
    def nodes(self) -> int:
        """Number of combinations of levels."""
        return prod(len(ladder) for ladder in self.ladders)

    @property
    def small_range(self) -> tuple[int, int]:
        """Smallest and largest small count."""
        return (0 if self.zeros_small else 1), self.minimum - 1

    @cached_property
    def flat(self) -> NDArray[np.int64]:
        """The fine counts, flat."""
        return self.counts.reshape(-1)

    def recoded(self, node: Node) -> NDArray[np.int64]:
        """Return the counts at a node, one axis for each dimension."""
        found = self.counts
        for axis, (ladder, level) in enumerate(zip(self.ladders, node, strict=True)):
            if level:
                order = np.argsort(ladder.places[level], kind="stable")
                starts = np.searchsorted(ladder.places[level][order], np.arange(len(ladder.groups[level])))
                found = np.add.reduceat(np.take(found, order, axis=axis), starts, axis=axis)
        return found

    def classes(self, node: Node) -> NDArray[np.int64]:
        """Return for each fine cell, flat, the cell of the recoded table that it is in."""
        places = np.ix_(*(ladder.places[level] for ladder, level in zip(self.ladders, node, strict=True)))
        shape = tuple(len(ladder.groups[level]) for ladder, level in zip(self.ladders, node, strict=True))
        return np.asarray(np.ravel_multi_index(places, shape).reshape(-1), dtype=np.int64)

    def small(self, counts: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which counts are small."""
        return np.asarray((counts < self.minimum) & ((counts > 0) | self.zeros_small), dtype=np.bool_)

    def loss(self, node: Node, hidden: NDArray[np.bool_] | None = None) -> float:
        """Return the bits lost at a node when the cells `hidden` of the recoded table are hidden, too."""
        classes = self.classes(node)
        if hidden is not None and hidden.any():
            classes = np.where(hidden.reshape(-1)[classes], hidden.size, classes)
        return bits_lost(self.flat, classes)


def admissible(lattice: Lattice, most_small: int) -> tuple[tuple[int, ...], ...]:
    """Return for each dimension the levels at which it can have so few small cells, all others as coarse as can be."""
    tops = [max(range(len(ladder)), key=lambda level: -len(ladder.groups[level])) for ladder in lattice.ladders]
    found = []
    for axis, ladder in enumerate(lattice.ladders):
        good = []
        for level in range(len(ladder)):
            node = (*tops[:axis], level, *tops[axis + 1 :])
            if lattice.small(lattice.recoded(node)).sum() <= most_small or not _dominated(lattice, tops, axis):
                good.append(level)
        found.append(tuple(good))
    return tuple(found)


def _dominated(lattice: Lattice, tops: list[int], axis: int) -> bool:
    """Return whether the coarsest level of every other dimension merges all its levels, so that it stands for all."""
    return all(
        all(level == tops[other] or tops[other] in ladder.coarser[level] for level in range(len(ladder)))
        for other, ladder in enumerate(lattice.ladders)
        if other != axis
    )


def by_bound(
    lattice: Lattice,
    levels: tuple[tuple[int, ...], ...],
    bound: Callable[[Node], float],
    visited: Callable[[], None],
) -> Iterator[tuple[float, Node, Callable[[], None]]]:
    """Yield nodes by rising bound, each with a function that puts its coarser neighbours in the queue.

    `bound` must not fall from a node to a coarser one.
    """
    above = [_covers(ladder, kept) for ladder, kept in zip(lattice.ladders, levels, strict=True)]
    starts = [
        [level for level in kept if not any(level in ladder.coarser[other] for other in kept)]
        for ladder, kept in zip(lattice.ladders, levels, strict=True)
    ]
    queue: list[tuple[float, Node]] = []
    seen: set[Node] = set()

    def enter(node: Node) -> None:
        if node not in seen:
            seen.add(node)
            heapq.heappush(queue, (bound(node), node))

    def expand(node: Node) -> None:
        for axis, level in enumerate(node):
            for coarser in above[axis][level]:
                enter((*node[:axis], coarser, *node[axis + 1 :]))

    for node in product(*starts):
        enter(node)
    while queue:
        value, node = heapq.heappop(queue)
        visited()
        yield value, node, lambda node=node: expand(node)  # type: ignore[misc]


def _covers(ladder: Ladder, kept: tuple[int, ...]) -> dict[int, list[int]]:
    """Return for each kept level the kept levels right above it."""
    above = {level: [other for other in kept if other in ladder.coarser[level]] for level in kept}
    return {
        level: [other for other in coarser if not any(other in ladder.coarser[between] for between in coarser)]
        for level, coarser in above.items()
    }
