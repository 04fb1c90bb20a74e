r"""Tables put together by generalised least squares from noisy tables: every variance and law in closed form.

Some tables T, each over a set of axes, were measured cell by cell with independent discrete Laplace noise, of variance
:math:`v_T` in every cell. For a set of axes A let :math:`r_A` be the *residual* of the margin over A: what it says
beyond its own margins. Residuals of different sets are orthogonal, and the information of a table with equal variances
is a multiple of the identity on each of them. So generalised least squares falls apart into one weighted mean each:

.. math:: \hat r_A = x_A \sum_{T \supseteq A} \frac{P_A\, y_{T \to A}}{v_T\, |T \setminus A|},
          \qquad x_A^{-1} = \sum_{T \supseteq A} \frac{1}{v_T\, |T \setminus A|},

with :math:`y_{T \to A}` the margin of the measured table, :math:`P_A` the centring along every axis of A, and
:math:`|T \setminus A|` the number of cells that were added up. A cell of table S is the sum over :math:`A \subseteq S`
of its entry of :math:`\hat r_A`, divided by the labels of the other axes; its variance is

.. math:: \sum_{A \subseteq S} x_A \prod_{i \in A} (1 - 1/n_i) \prod_{i \in S \setminus A} 1/n_i^2.

References
----------
Barak, Chaudhuri, Dwork, Kale, McSherry and Talwar, *Privacy, accuracy, and consistency too*, PODS 2007 (marginals made
consistent). Li, Miklau, Hay, McGregor and Rastogi, *The matrix mechanism*, VLDB J. 2015 (least squares is the best
linear unbiased estimate). McKenna, Miklau, Hay and Machanavajjhala, *Optimizing error of high-dimensional statistical
queries under differential privacy*, VLDB 2018, section 6.3 (the algebra of weighted marginals).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from itertools import chain, combinations, product
from math import fsum, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pets.errors import ConfigError, InvalidArgument
from pets.exact import as_text, exact
from pets.noise import DiscreteLaplaceLaw, NoiseLaw
from pets.query.linear_law import Term, linear
from pets.query.trees import Tree, flat

Axes = tuple[int, ...]
"""Positions of axes, ascending."""

_BITS = 50
"""Weights of noises are multiples of 2**-50: what rounding leaves of a weight of 0 is 0 again."""


def subsets(axes: Sequence[int]) -> tuple[Axes, ...]:
    """Return all subsets of some axes, the smallest first."""
    return tuple(chain.from_iterable(combinations(axes, size) for size in range(len(axes) + 1)))


@dataclass(frozen=True)
class LeastSquaresDesign:
    """Which tables were measured, and with how much discrete Laplace noise. All of them count the same rows.

    Parameters
    ----------
    names, sizes
        Axes of the design and their numbers of labels.
    scales
        The measured tables as positions of their axes, each with the scale of the noise in its cells, exact.
    """

    names: tuple[str, ...]
    sizes: tuple[int, ...]
    scales: tuple[tuple[Axes, Fraction], ...]

    @cached_property
    def trees(self) -> tuple[Tree, ...]:
        """Each axis as a tree of one level."""
        return tuple(flat(size) for size in self.sizes)

    def cells(self, axes: Sequence[int]) -> int:
        """Return the number of cells of a table."""
        return prod(self.sizes[i] for i in axes)

    @cached_property
    def precisions(self) -> dict[Axes, dict[Axes, float]]:
        """For each residual that was measured: tables that tell it, with the precision of each."""
        found: dict[Axes, dict[Axes, float]] = {}
        for table, scale in self.scales:
            variance = DiscreteLaplaceLaw(scale).variance
            for axes in subsets(table):
                told = 1 / (variance * (self.cells(table) / self.cells(axes)))
                found.setdefault(axes, {})[table] = told
        return found

    @cached_property
    def shares(self) -> dict[Axes, dict[Axes, float]]:
        """The same as weights of the mean: they add up to 1."""
        return {
            axes: {table: told / fsum(tables.values()) for table, told in tables.items()}
            for axes, tables in self.precisions.items()
        }

    @cached_property
    def variances(self) -> dict[Axes, float]:
        """Variance x_A of each residual before centring."""
        return {axes: 1 / fsum(tables.values()) for axes, tables in self.precisions.items()}

    def positions(self, names: Sequence[str]) -> Axes:
        """Return where `names` stand among the axes.

        Raises
        ------
        InvalidArgument
            A name is unknown, or their table cannot be put together.
        """
        for name in names:
            if name not in self.names:
                raise InvalidArgument("by", f"names {name!r}, which is not in this release")
        places = tuple(self.names.index(name) for name in names)
        if not all(axes in self.precisions for axes in subsets(sorted(places))):
            raise InvalidArgument("by", "asks for a table that was not measured")
        return places

    def variance(self, weights: Mapping[str, NDArray[np.float64]]) -> float:
        """Return the variance of a weighted sum of cells: a cell's weight is the product of its labels' weights."""
        places = self.positions(tuple(weights))
        vectors = dict(zip(places, (np.asarray(w, dtype=np.float64) for w in weights.values()), strict=True))
        spread = {i: float(((w - w.mean()) ** 2).sum()) for i, w in vectors.items()}
        return fsum(
            self.variances[axes]
            * prod(spread[i] for i in axes)
            * prod(float(w.mean()) ** 2 for i, w in vectors.items() if i not in axes)
            for axes in subsets(sorted(places))
        )

    def table_variance(self, names: Sequence[str]) -> NDArray[np.float64]:
        """Return the variance of each cell of a table, in the table's shape: the same in all cells."""
        shape = [self.sizes[i] for i in self.positions(names)]
        return np.full(shape, self.variance(self._first_cell(names)))

    def laws(self, names: Sequence[str]) -> tuple[tuple[NoiseLaw, ...], NDArray[np.int64]]:
        """Return the one law of the errors of a table's cells, and for each cell which it is."""
        shape = [self.sizes[i] for i in self.positions(names)]
        return (self.law_of(self._first_cell(names)),), np.zeros(shape, dtype=np.int64)

    def _first_cell(self, names: Sequence[str]) -> dict[str, NDArray[np.float64]]:
        sizes = (self.sizes[self.names.index(name)] for name in names)
        return {name: np.eye(1, size)[0] for name, size in zip(names, sizes, strict=True)}

    def law_of(self, weights: Mapping[str, NDArray[np.float64]]) -> NoiseLaw:
        """Return the law of the error of a weighted sum of cells; see :meth:`variance`."""
        return _law_of(self, tuple((name, tuple(np.asarray(w).tolist())) for name, w in sorted(weights.items())))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        axes = [{"name": name, "labels": size} for name, size in zip(self.names, self.sizes, strict=True)]
        return {"axes": axes, "laplace": [[list(t), as_text(s)] for t, s in self.scales]}


@lru_cache(maxsize=1024)
def _law_of(design: LeastSquaresDesign, weights: tuple[tuple[str, tuple[float, ...]], ...]) -> NoiseLaw:
    places = design.positions([name for name, _ in weights])
    vectors = {i: np.array(w, dtype=np.float64) for i, (_, w) in zip(places, weights, strict=True)}
    return linear(term for table, scale in design.scales for term in _terms(design, vectors, table, scale))


def _terms(
    design: LeastSquaresDesign, vectors: Mapping[int, NDArray[np.float64]], table: Axes, scale: Fraction
) -> list[Term]:
    """Return how a weighted sum reads the noise of one measured table: distinct weights with their numbers of cells."""
    shared = [i for i in table if i in vectors]
    labels = [np.unique(vectors[i], return_counts=True) for i in shared]
    copies = prod(design.sizes[i] for i in table if i not in vectors)
    means = {i: float(w.mean()) for i, w in vectors.items()}
    law, terms = DiscreteLaplaceLaw(scale), list[Term]()
    for choice in product(*(range(len(values)) for values, _ in labels)):
        value = dict(zip(shared, (float(labels[k][0][c]) for k, c in enumerate(choice)), strict=True))
        weight = fsum(
            design.shares[axes].get(table, 0.0)
            * prod(value[i] - means[i] for i in axes)
            * prod(mean for i, mean in means.items() if i not in axes)
            for axes in subsets(shared)
        )
        number = copies * prod(int(labels[k][1][c]) for k, c in enumerate(choice))
        terms.append((law, Fraction(round(weight * 2**_BITS), 2**_BITS), number))
    return terms


def least_squares_from_dict(data: Mapping[str, Any], trees: Sequence[Tree], names: Sequence[str]) -> LeastSquaresDesign:
    """Rebuild a design from :meth:`LeastSquaresDesign.to_dict`, its axes read already.

    Raises
    ------
    ConfigError, InvalidArgument
        `data` is no such document.
    """
    if any(tree.depth != 1 for tree in trees):
        raise ConfigError("design", "must have plain axes")
    entries = data["laplace"]
    if not isinstance(entries, list) or not entries:
        raise ConfigError("design", "must list tables with their noise")
    if "groups" in data:
        raise ConfigError("design", "puts together tables that count different rows", "Release the tables again.")
    scales = []
    for entry in entries:
        if not isinstance(entry, list) or len(entry) != 2:
            raise ConfigError("design", "must hold pairs of a table and a number")
        law = DiscreteLaplaceLaw(exact(entry[1], "laplace"))
        scales.append((_axes(entry[0], len(trees)), law.scale))
    if len({table for table, _ in scales}) < len(scales):
        raise ConfigError("design", "holds a table twice")
    sizes = tuple(tree.leaves for tree in trees)
    return LeastSquaresDesign(tuple(names), sizes, tuple(scales))


def _axes(value: object, number: int) -> Axes:
    whole = isinstance(value, list) and all(type(i) is int and 0 <= i < number for i in value)
    if not whole or list(value) != sorted(set(value)) or len(value) > 12:  # type: ignore[call-overload, arg-type]
        raise ConfigError("design", "must name axes by ascending positions")
    return tuple(value)  # type: ignore[arg-type]
