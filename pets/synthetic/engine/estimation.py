r"""The distribution that fits noisy tables best, among all that have a junction tree of bounded size.

Minimises, over distributions :math:`p` with `total` rows,

.. math:: \sum_i \frac{(n p_i - y_i)^2}{2 \lambda_i} - n H(p), \qquad \lambda_i = \kappa \sigma_i^2 / \min_j \sigma_j,

over all measured cells i: least squares weighted by the noise, with a small reward for entropy. Among all tables that
explain the noisy ones equally well, the one that claims least. The dual is smooth, convex and unconstrained,

.. math:: \min_\theta \; n \log Z(\theta) - \langle \theta, y \rangle + \tfrac12 \sum_i \lambda_i \theta_i^2,

with gradient :math:`n p_i - y_i + \lambda_i \theta_i`, where p has the log weights :math:`\theta`. It is
solved by L-BFGS in coordinates scaled by the expected curvature, from the last round's solution. Whatever it returns
depends on the noisy tables only, so accuracy is the only thing at stake in how well it converges.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np

from pets.synthetic.engine.factors import Array, Axes, Factor, aligned, others, summed
from pets.synthetic.engine.graph import cells_of
from pets.synthetic.engine.graphical_model import GraphicalModel
from pets.synthetic.engine.junction_tree import JunctionTree

_HISTORY = 8


@dataclass(frozen=True, eq=False)
class Measurement:
    """A noisy table of counts.

    Attributes
    ----------
    axes
        Attributes, ascending.
    values
        Noisy counts, one axis per attribute.
    variance
        Variance of the noise of each cell, above 0, in the shape of the values.
    """

    axes: Axes
    values: Array
    variance: Array


def merged(measurements: Sequence[Measurement]) -> tuple[Measurement, ...]:
    """Return one measurement per scope: several of one table are averaged with the weights of least variance."""
    by_scope: dict[Axes, list[Measurement]] = {}
    for measured in measurements:
        by_scope.setdefault(measured.axes, []).append(measured)
    found = []
    for axes, several in by_scope.items():
        zero = np.zeros_like(several[0].values)
        precision = sum((1 / m.variance for m in several), zero)
        mean = sum((m.values / m.variance for m in several), zero) / precision
        found.append(Measurement(axes, mean, 1 / precision))
    return tuple(found)


def estimate(
    sizes: Sequence[int],
    measurements: Sequence[Measurement],
    total: float,
    *,
    zeros: Sequence[Factor] = (),
    start: GraphicalModel | None = None,
    entropy: float = 0.05,
    iterations: int = 100,
) -> GraphicalModel:
    """Return the model described in this module.

    Parameters
    ----------
    sizes
        Number of codes of each attribute.
    measurements
        Noisy tables.
    total
        Number of rows, above 0.
    zeros
        Structural zeros: factors of 0 and minus infinity, which stay as they are.
    start
        A model that was fitted to some of the tables, to begin with.
    entropy
        Kappa: how far, in standard deviations of the noise, a cell stays behind for one unit of log weight.
    iterations
        Most evaluations of the dual.
    """
    problem = _Dual(tuple(sizes), merged(measurements), max(float(total), 1.0), tuple(zeros), entropy)
    return problem.solved(start, iterations)


@dataclass(frozen=True, eq=False)
class _Dual:
    sizes: tuple[int, ...]
    tables: tuple[Measurement, ...]
    total: float
    zeros: tuple[Factor, ...]
    entropy: float

    @cached_property
    def tree(self) -> JunctionTree:
        return JunctionTree.over(self.sizes, [m.axes for m in self.tables] + [z.axes for z in self.zeros])

    @cached_property
    def owners(self) -> tuple[int, ...]:
        """For each table the smallest other table that holds its axes, or -1."""
        scopes = [set(m.axes) for m in self.tables]
        found = []
        for scope in scopes:
            above = [j for j, other in enumerate(scopes) if scope < other]
            found.append(min(above, key=lambda j: self.tables[j].values.size, default=-1))
        return tuple(found)

    @cached_property
    def small_first(self) -> tuple[int, ...]:
        """Tables in an order in which each comes before its owner."""
        return tuple(sorted(range(len(self.tables)), key=lambda i: len(self.tables[i].axes)))

    @cached_property
    def homes(self) -> tuple[int, ...]:
        return tuple(self.tree.home(m.axes) for m in self.tables)

    @cached_property
    def fixed(self) -> list[Array]:
        """Log weights of the structural zeros in each clique."""
        potentials = self.tree.empty()
        for zero in self.zeros:
            i = self.tree.home(zero.axes)
            potentials[i] += aligned(zero.logs, zero.axes, self.tree.cliques[i])
        return potentials

    @cached_property
    def strength(self) -> Array:
        """Lambda of each cell."""
        return np.asarray(self.entropy * self.noise / np.sqrt(self.noise.min()))

    @cached_property
    def noise(self) -> Array:
        return np.concatenate([m.variance.ravel() for m in self.tables])

    @cached_property
    def targets(self) -> Array:
        return np.concatenate([m.values.ravel() for m in self.tables])

    def split(self, flat: Array) -> list[Array]:
        found, at = [], 0
        for m in self.tables:
            found.append(flat[at : at + m.values.size].reshape(m.values.shape))
            at += m.values.size
        return found

    def marginals(self, weights: Array) -> tuple[list[Array], float]:
        """Return the model's marginal of each table, summing to one, and log Z."""
        parts = [part.copy() for part in self.split(weights)]
        potentials = [table.copy() for table in self.fixed]
        for i in self.small_first:
            m, owner = self.tables[i], self.owners[i]
            if owner >= 0:
                parts[owner] += aligned(parts[i], m.axes, self.tables[owner].axes)
            else:
                potentials[self.homes[i]] += aligned(parts[i], m.axes, self.tree.cliques[self.homes[i]])
        beliefs, log_total = self.tree.calibrate(potentials)
        known: list[dict[Axes, Array]] = [
            {clique: belief} for clique, belief in zip(self.tree.cliques, beliefs, strict=True)
        ]
        found: list[Array] = [np.empty(0)] * len(self.tables)
        for i, route in self.routes:
            tables = known[self.homes[i]]
            for above, axes in pairwise(route):
                if axes not in tables:
                    tables[axes] = summed(tables[above], others(above, axes))
            found[i] = tables[route[-1]]
        return found, log_total

    @cached_property
    def routes(self) -> tuple[tuple[int, tuple[Axes, ...]], ...]:
        """For each table the way to it from its clique, one axis summed out at a time, sharing what is on the way.

        Largest tables first; each starts from the smallest one that is known by then and holds its axes.
        """
        known: list[set[Axes]] = [{clique} for clique in self.tree.cliques]
        found = []
        for i in reversed(self.small_first):
            here, wanted = known[self.homes[i]], set(self.tables[i].axes)
            start = min((axes for axes in here if wanted <= set(axes)), key=lambda axes: cells_of(self.sizes, [axes]))
            route = [start]
            for axis in sorted(set(start) - wanted, key=lambda a: -self.sizes[a]):
                route.append(tuple(a for a in route[-1] if a != axis))
            here.update(route)
            found.append((i, tuple(route)))
        return tuple(found)

    def value(self, weights: Array) -> tuple[float, Array]:
        tables, log_total = self.marginals(weights)
        counts = np.concatenate([table.ravel() for table in tables]) * self.total
        pulled = self.strength * weights
        value = self.total * log_total - float(weights @ self.targets) + 0.5 * float(weights @ pulled)
        return value, counts - self.targets + pulled

    def first(self, start: GraphicalModel | None) -> Array:
        known = {} if start is None else {factor.axes: factor.logs for factor in start.factors}
        parts = []
        for m in self.tables:
            given = known.get(m.axes)
            fits = given is not None and given.shape == m.values.shape and bool(np.all(np.isfinite(given)))
            parts.append((given if fits and given is not None else np.zeros_like(m.values)).ravel())
        return np.concatenate(parts)

    def solved(self, start: GraphicalModel | None, iterations: int) -> GraphicalModel:
        """Return the minimum of the dual."""
        from scipy.optimize import minimize

        begin = self.first(start)
        # The curvature of a cell is about its count; what is measured as empty keeps some from the noise.
        scale = 1 / np.sqrt(np.maximum(self.targets, 0.0) + np.sqrt(self.noise) + self.strength)

        def scaled(x: Any) -> tuple[float, Array]:
            value, gradient = self.value(x * scale)
            return value, gradient * scale

        options: Any = {"maxfun": iterations, "maxiter": iterations, "maxcor": _HISTORY, "ftol": 1e-12, "gtol": 1e-9}
        result = minimize(scaled, begin / scale, jac=True, method="L-BFGS-B", options=options)
        parts = self.split(np.asarray(result.x) * scale)
        weights = [Factor(m.axes, part.copy()) for m, part in zip(self.tables, parts, strict=True)]
        return GraphicalModel(self.sizes, (*weights, *self.zeros))
