"""A distribution over all attributes as a product of factors, with exact marginals and conditioning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np
from numpy.typing import NDArray

from pets.errors import InvalidArgument
from pets.synthetic.engine.factors import Array, Axes, Factor, others, summed, union
from pets.synthetic.engine.graph import triangulate
from pets.synthetic.engine.junction_tree import JunctionTree

MOST_CELLS = 2**26
"""Largest table that is ever made for an answer."""


@dataclass(frozen=True, eq=False)
class GraphicalModel:
    """The distribution whose weights are the product of `factors`.

    Attributes
    ----------
    sizes
        Number of codes of each attribute.
    factors
        Log weights.
    first
        Attributes whose joint table rows should meet best when they are drawn.
    """

    sizes: tuple[int, ...]
    factors: tuple[Factor, ...]
    first: Axes = ()

    @cached_property
    def tree(self) -> JunctionTree:
        """The junction tree of the factors' scopes."""
        return JunctionTree.over(self.sizes, [factor.axes for factor in self.factors], self.first)

    @cached_property
    def _calibrated(self) -> tuple[list[Array], float]:
        potentials = self.tree.empty()
        for factor in self.factors:
            i = self.tree.home(factor.axes)
            potentials[i] += factor.logs.reshape(_against(factor, self.tree.cliques[i]))
        return self.tree.calibrate(potentials)

    @property
    def beliefs(self) -> list[Array]:
        """The marginal of each clique of :attr:`tree`."""
        return self._calibrated[0]

    @property
    def log_total(self) -> float:
        """Log of the sum of all weights; minus infinity if nothing is possible."""
        return self._calibrated[1]

    def given(self, allowed: Mapping[int, NDArray[np.int64]]) -> GraphicalModel:
        """Return the distribution conditioned, exactly, on some attributes having one of some codes."""
        evidence = []
        for axis, codes in allowed.items():
            logs = np.full(self.sizes[axis], -np.inf)
            logs[codes] = 0.0
            evidence.append(Factor((axis,), logs))
        return GraphicalModel(self.sizes, (*self.factors, *evidence), self.first)

    def marginal(self, axes: Sequence[int]) -> Array:
        """Return the exact joint distribution of some attributes, in ascending order of them.

        Raises
        ------
        InvalidArgument
            The table, or one on the way to it, would have more than 2**26 cells.
        """
        wanted = tuple(sorted(set(axes)))
        i = self.tree.home(wanted)
        if i >= 0:
            return summed(self.beliefs[i], others(self.tree.cliques[i], wanted))
        return self._eliminated(wanted)

    def _eliminated(self, wanted: Axes) -> Array:
        """Multiply the conditionals of the smallest subtree that holds `wanted`, summing out on the way."""
        live = [Factor(axes, logs) for axes, logs in self._conditionals(wanted)]
        hidden = [a for a in union(*(f.axes for f in live)) if a not in wanted]
        while hidden:
            chosen = min(hidden, key=lambda a: self._cells(union(*(f.axes for f in live if a in f.axes))))
            touching = [f for f in live if chosen in f.axes]
            scope = union(*(f.axes for f in touching))
            self._refuse_large(scope)
            product = touching[0]
            for factor in touching[1:]:
                product = product + factor
            live = [f for f in live if chosen not in f.axes]
            live.append(product.onto(tuple(a for a in scope if a != chosen)))
            hidden.remove(chosen)
        self._refuse_large(wanted)
        whole = Factor(wanted, np.zeros([self.sizes[a] for a in wanted]))
        for factor in live:
            whole = whole + factor
        return np.exp(whole.logs)

    def _conditionals(self, wanted: Axes) -> list[tuple[Axes, Array]]:
        """Return log conditionals, given the parent, of the cliques that matter for `wanted`."""
        tree = self.tree
        found = []
        needed = [set(wanted) & set(clique) for clique in tree.cliques]
        for i in reversed(tree.order):
            separator = tree.separators[i]
            if needed[i] <= set(separator):
                if tree.parents[i] >= 0:
                    needed[tree.parents[i]] |= needed[i]
                    continue
            elif tree.parents[i] >= 0:
                needed[tree.parents[i]] |= set(separator)
            found.append((tree.cliques[i], self._conditional(i)))
        return found

    def _conditional(self, i: int) -> Array:
        belief = self.beliefs[i]
        with np.errstate(divide="ignore"):
            logs = np.log(belief)
            if self.tree.parents[i] >= 0:
                away = others(self.tree.cliques[i], self.tree.separators[i])
                sums = np.log(belief.sum(axis=away, keepdims=True))
                logs -= np.where(np.isfinite(sums), sums, 0.0)
        return logs

    def _cells(self, axes: Axes) -> int:
        return prod(self.sizes[a] for a in axes)

    def _refuse_large(self, axes: Axes) -> None:
        if self._cells(axes) > MOST_CELLS:
            raise InvalidArgument(
                "columns", f"would need a table of more than {MOST_CELLS:,} cells", "Ask for fewer columns at once."
            )


def closed_form(sizes: Sequence[int], marginals: Mapping[Axes, Array]) -> GraphicalModel:
    """Return the distribution of greatest entropy with these marginals, where they form a junction tree.

    The product of the cliques' marginals divided by those of the separators: no iteration.

    Parameters
    ----------
    sizes
        Number of codes of each attribute.
    marginals
        Tables, each summing to the same total, that agree on what they share. Their scopes must be the maximal cliques
        of a chordal graph: a tree of pairs, or disjoint attributes, say.

    Raises
    ------
    InvalidArgument
        The scopes are not decomposable.
    """
    scopes = frozenset(marginals)
    tree = JunctionTree(tuple(sizes), triangulate(tuple(sizes), scopes))
    if set(tree.cliques) != set(scopes):
        raise InvalidArgument("marginals", "do not form a junction tree", "Estimate the model instead.")
    factors = []
    for i, clique in enumerate(tree.cliques):
        table = np.asarray(marginals[clique], dtype=np.float64)
        with np.errstate(divide="ignore"):
            logs = np.log(table)
            away = others(clique, tree.separators[i])
            sums = np.log(table.sum(axis=away, keepdims=True))
        factors.append(Factor(clique, logs - np.where(np.isfinite(sums), sums, 0.0)))
    return GraphicalModel(tuple(sizes), tuple(factors))


def _against(factor: Factor, clique: Axes) -> list[int]:
    lengths = dict(zip(factor.axes, factor.logs.shape, strict=True))
    return [lengths.get(axis, 1) for axis in clique]
