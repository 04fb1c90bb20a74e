"""The cheapest full-domain generalisation that is k-anonymous, found over the lattice of levels.

A *node* gives each key one level of its hierarchy. Going up makes classes merge only; so if a node reaches k, all nodes
above it do, and if it does not, no node below it does. The loss of a node splits into a part that is known without
counting (how coarse the levels are) and records that must be left out. Nodes are taken by the first part, which
bounds the loss from below; from each, a path to the top is halved until the first node that reaches k is found, and
what this tells of other nodes is remembered. When the next bound is no better than the best node, that one is optimal.

References
----------
P. Samarati, "Protecting respondents' identities in microdata release", IEEE TKDE 13(6), 2001 (generalisation lattice,
    suppression limit).
K. LeFevre, D. DeWitt, R. Ramakrishnan, "Incognito", SIGMOD 2005 (monotonicity, roll-up).
F. Kohlmayer, F. Prasser, C. Eckert, A. Kemper, K. Kuhn, "Flash: efficient, stable and optimal k-anonymity", PASSAT 2012
    (binary search on paths).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import prod

import numpy as np
from numpy.typing import NDArray

from pets.disclosure.microdata.codes import Codes, densify
from pets.errors import InvalidArgument

Node = tuple[int, ...]
Losses = Sequence[Sequence[NDArray[np.float64]]]
MAX_NODES = 200_000


@dataclass(frozen=True, eq=False)
class Counter:
    """Counts the records in classes below k at any node.

    Parameters
    ----------
    codes
        For each key the leaf of each distinct combination (the last code for missing), shape (combinations,).
    sizes
        Number of records of each combination.
    levels
        For each key and level the group of each leaf, missing values included as a group of their own below the top.
    """

    codes: tuple[Codes, ...]
    sizes: NDArray[np.float64]
    levels: tuple[tuple[Codes, ...], ...]

    def classes(self, node: Node) -> tuple[Codes, Codes]:
        """Return the class of each combination at `node`, and the size of each class."""
        combined, size = np.zeros(len(self.sizes), dtype=np.int64), 1
        for codes, ladder, level in zip(self.codes, self.levels, node, strict=True):
            width = int(ladder[level].max()) + 1
            if width > 1:
                if size * width >= 2**62:
                    combined, size = densify(combined, size)
                combined = combined * width + ladder[level][codes]
                size *= width
        of, number = densify(combined, size)
        return of, np.rint(np.bincount(of, weights=self.sizes, minlength=number)).astype(np.int64)

    def left_out(self, node: Node, k: int) -> tuple[int, NDArray[np.bool_]]:
        """Return how many records are in classes below `k`, and which combinations these are."""
        of, sizes = self.classes(node)
        return int(sizes[sizes < k].sum()), (sizes < k)[of]

    def mean_losses(self, losses: Losses) -> list[list[float]]:
        """Return the loss of each key and level, averaged over all records."""
        total = self.sizes.sum()
        means = []
        for codes, ladder in zip(self.codes, losses, strict=True):
            records = np.bincount(codes, weights=self.sizes, minlength=len(ladder[0]))
            means.append([float(records @ level / total) for level in ladder])
        return means

    def loss(self, node: Node, losses: Losses, k: int) -> float:
        """Return the mean loss of a record at `node` when records in classes below `k` are left out."""
        each = np.zeros(len(self.sizes))
        for codes, ladder, level in zip(self.codes, losses, node, strict=True):
            each += ladder[level][codes]
        each[self.left_out(node, k)[1]] = 1.0
        return float(each @ self.sizes / self.sizes.sum())


@dataclass
class Search:
    """A search over the lattice. ``heights`` are the top levels; see :func:`cheapest`."""

    heights: Node
    reaches: Callable[[Node], bool]
    known: dict[Node, bool] = field(default_factory=dict)
    good: list[Node] = field(default_factory=list)
    bad: list[Node] = field(default_factory=list)
    checked: int = 0

    def verdict(self, node: Node) -> bool | None:
        """Return what follows for `node` from the nodes that were checked."""
        if node in self.known:
            return self.known[node]
        if any(all(a <= b for a, b in zip(low, node, strict=True)) for low in self.good):
            return True
        if any(all(a <= b for a, b in zip(node, high, strict=True)) for high in self.bad):
            return False
        return None

    def check(self, node: Node) -> bool:
        """Count at `node`, unless the answer follows already."""
        found = self.verdict(node)
        if found is None:
            self.checked += 1
            found = self.known[node] = self.reaches(node)
            front = self.good if found else self.bad
            front[:] = [n for n in front if not _covers(n, node, found)] + [node]
        return found

    def settle(self, node: Node, price: Callable[[Node], float]) -> None:
        """Find where on the cheapest path from `node` to the top k is reached first."""
        path = [node]
        while path[-1] != self.heights:
            at = path[-1]
            ups = [_raised(at, i) for i in range(len(at)) if at[i] < self.heights[i]]
            path.append(min(ups, key=price))
        low, high = 0, len(path) - 1
        while low < high:
            middle = (low + high) // 2
            if self.check(path[middle]):
                high = middle
            else:
                low = middle + 1
        self.check(path[low])


def _covers(old: Node, new: Node, found: bool) -> bool:
    """Whether what `old` tells follows from `new`."""
    pairs = zip(new, old, strict=True)
    return all(a <= b for a, b in pairs) if found else all(a >= b for a, b in pairs)


def _raised(node: Node, key: int) -> Node:
    return (*node[:key], node[key] + 1, *node[key + 1 :])


@dataclass(frozen=True)
class Optimum:
    """The cheapest node, and how it was found.

    Attributes
    ----------
    node
        Level of each key; None if not even the top reaches k.
    loss
        Its loss, from 0 to 1.
    nodes, checked
        Size of the lattice, and at how many nodes records were counted.
    """

    node: Node | None
    loss: float
    nodes: int
    checked: int


def cheapest(counter: Counter, losses: Losses, k: int, most: int) -> Optimum:
    """Return the node of least loss whose classes below `k` hold at most `most` records in all.

    Parameters
    ----------
    counter
        Counts at nodes.
    losses
        For each key and level what a record with each leaf loses, rising with the level; a record that is left out
        loses 1, and one with all keys at the top no more than that.
    k
        Least size of a class.
    most
        Records that may be left out.

    Raises
    ------
    InvalidArgument
        The lattice has more than 200,000 nodes.
    """
    heights = tuple(len(ladder) - 1 for ladder in losses)
    number = prod(h + 1 for h in heights)
    if number > MAX_NODES:
        raise InvalidArgument(
            "hierarchies", f"make more than {MAX_NODES:,} combinations of levels", "Drop some levels."
        )

    means = counter.mean_losses(losses)

    def bound(node: Node) -> float:
        return sum(ladder[level] for ladder, level in zip(means, node, strict=True))

    search = Search(heights, lambda node: counter.left_out(node, k)[0] <= most)
    best: Node | None = None
    best_loss = np.inf
    for node in sorted(product(*(range(h + 1) for h in heights)), key=bound):
        if bound(node) >= best_loss:
            break
        found = search.verdict(node)
        if found is None:
            search.settle(node, bound)
            found = search.check(node)
        if found:
            loss = counter.loss(node, losses, k)
            if loss < best_loss:
                best, best_loss = node, loss
    return Optimum(best, float(best_loss), number, search.checked)
