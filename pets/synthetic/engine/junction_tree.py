"""Exact marginals of a product of factors, by passing messages once up and once down a tree of cliques.

The upward pass keeps each clique's exponentials, scaled to the largest entry (of each slice, where they lie far apart);
the downward pass only multiplies them by a ratio for each separator cell. So one exponential is computed for each cell,
and nothing overflows.

References
----------
Shenoy and Shafer, *Axioms for probability and belief-function propagation*, 1990. Koller and Friedman, *Probabilistic
Graphical Models*, 2009, chapter 10.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from pets.synthetic.engine.factors import Array, Axes, aligned, others, shape_of, summed
from pets.synthetic.engine.graph import cells_of, join, triangulate

_SMALL = 1e-200


@dataclass(frozen=True)
class JunctionTree:
    """Cliques joined so that the cliques which hold an attribute hang together.

    Attributes
    ----------
    sizes
        Number of codes of each attribute.
    cliques
        Maximal cliques of a chordal graph.
    first
        Attributes that the root should hold.
    """

    sizes: tuple[int, ...]
    cliques: tuple[Axes, ...]
    first: Axes = ()

    @classmethod
    def over(cls, sizes: Sequence[int], scopes: Sequence[Axes], first: Axes = ()) -> JunctionTree:
        """Return a tree in which each of `scopes` is inside a clique."""
        return cls(tuple(sizes), triangulate(tuple(sizes), frozenset(scopes)), first)

    @cached_property
    def cells(self) -> int:
        """Number of cells of all cliques together: what memory and time are proportional to."""
        return cells_of(self.sizes, self.cliques)

    @cached_property
    def parents(self) -> tuple[int, ...]:
        """The parent of each clique, -1 for the root."""
        return join(self.sizes, self.cliques, self.first)

    @cached_property
    def order(self) -> tuple[int, ...]:
        """The cliques from the root downwards: each after its parent."""
        found = [self.parents.index(-1)]
        for i in found:
            found.extend(j for j, parent in enumerate(self.parents) if parent == i)
        return tuple(found)

    @cached_property
    def separators(self) -> tuple[Axes, ...]:
        """What each clique shares with its parent; empty for the root."""
        return tuple(
            () if parent < 0 else tuple(a for a in clique if a in self.cliques[parent])
            for clique, parent in zip(self.cliques, self.parents, strict=True)
        )

    def home(self, scope: Axes) -> int:
        """Return the smallest clique that holds `scope`, or -1."""
        holding = [i for i, clique in enumerate(self.cliques) if set(scope) <= set(clique)]
        return min(holding, key=lambda i: cells_of(self.sizes, [self.cliques[i]]), default=-1)

    def empty(self) -> list[Array]:
        """Return a table of zeros for each clique."""
        return [np.zeros(shape_of(self.sizes, clique)) for clique in self.cliques]

    def calibrate(self, potentials: list[Array]) -> tuple[list[Array], float]:
        """Return the marginal of each clique, which sums to one, and the log of the sum of all weights.

        Parameters
        ----------
        potentials
            Log weights of each clique, in the cliques' shapes. They are overwritten.

        Returns
        -------
        list of ndarray
            In the order of :attr:`cliques`; all zero if every cell is forbidden.
        float
            Minus infinity if every cell is forbidden.
        """
        scaled: dict[int, tuple[Array, Array]] = {}
        for i in self.order[:0:-1]:
            scaled[i] = self._up(i, potentials)
        root = self.order[0]
        most = potentials[root].max()
        if not np.isfinite(most):
            return [np.zeros_like(table) for table in potentials], -np.inf
        weights = np.exp(potentials[root] - most)
        total = float(weights.sum())
        beliefs = list(potentials)
        beliefs[root] = weights / total
        for i in self.order[1:]:
            beliefs[i] = self._down(i, beliefs, *scaled[i])
        return beliefs, float(most) + float(np.log(total))

    def _up(self, i: int, potentials: list[Array]) -> tuple[Array, Array]:
        """Add the message of clique `i` to its parent; return its scaled weights and their sums over the separator."""
        clique, separator, parent = self.cliques[i], self.separators[i], self.parents[i]
        away, table = others(clique, separator), potentials[i]
        most = table.max()
        weights = np.exp(table - most) if np.isfinite(most) else np.zeros_like(table)
        sums = summed(weights, away)
        if sums.size and sums.min() < _SMALL:  # a slice far below the largest: scale each by its own
            most = table.max(axis=away, keepdims=True)
            most = np.where(np.isfinite(most), most, 0.0)
            weights = np.exp(table - most)
            sums, most = summed(weights, away), most.reshape(sums.shape)
        with np.errstate(divide="ignore"):
            message = np.log(sums) + most
        potentials[parent] += aligned(message, separator, self.cliques[parent])
        return weights, aligned(sums, separator, clique)

    def _down(self, i: int, beliefs: list[Array], weights: Array, sums: Array) -> Array:
        parent, separator = self.parents[i], self.separators[i]
        known = summed(beliefs[parent], others(self.cliques[parent], separator))
        known = aligned(known, separator, self.cliques[i])
        ratio = np.divide(known, sums, out=np.zeros_like(sums), where=sums > 0)
        np.multiply(weights, ratio, out=weights)
        return weights
