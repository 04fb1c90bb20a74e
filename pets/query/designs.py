"""How reconstructed tables depend on the noise that was drawn: every variance and law in closed form.

A *component* is a choice of one level for each axis of the design, 0 where the axis is summed over. Its contrasts were
measured once, as whole numbers with independent noise; every table is put together from the components inside it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property, lru_cache
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pets.config import as_config_error
from pets.errors import ConfigError, InvalidArgument
from pets.exact import as_text, exact
from pets.noise import DiscreteGaussianLaw, NoiseLaw
from pets.query.least_squares import LeastSquaresDesign, least_squares_from_dict
from pets.query.linear_law import linear
from pets.query.trees import Tree, flat

Levels = tuple[int, ...]

MAX_LABELS = 2**22
"""Most labels of one axis of a design."""


@dataclass(frozen=True)
class Design:
    """Which contrasts of a set of axes were measured, and with how much discrete Gaussian noise.

    Parameters
    ----------
    names
        Axes of the design.
    trees
        One tree per axis.
    sigma2
        For each measured component the parameter of the noise of its whole-number contrasts, exact.
    """

    names: tuple[str, ...]
    trees: tuple[Tree, ...]
    sigma2: tuple[tuple[Levels, Fraction], ...]

    def scale(self, levels: Levels) -> int:
        """Return by how much the contrasts of a component were multiplied to be whole."""
        return math.prod(tree.levels[i - 1].scale for tree, i in zip(self.trees, levels, strict=True) if i)

    @cached_property
    def variances(self) -> dict[Levels, float]:
        """Variance of the noise of each component before centring, in squared counts."""
        return {
            levels: DiscreteGaussianLaw(sigma2).variance / self.scale(levels) ** 2 for levels, sigma2 in self.sigma2
        }

    def positions(self, names: Sequence[str]) -> tuple[int, ...]:
        """Return where `names` stand among the axes.

        Raises
        ------
        InvalidArgument
            A name is unknown, or their table was not measured.
        """
        for name in names:
            if name not in self.names:
                raise InvalidArgument("by", f"names {name!r}, which is not in this release")
        places = tuple(self.names.index(name) for name in names)
        if not all(key in self.variances for _, key in self._inside(places)):
            raise InvalidArgument("by", "asks for a table that was not measured")
        return places

    def _key(self, places: Sequence[int], levels: Sequence[int]) -> Levels:
        chosen = dict(zip(places, levels, strict=True))
        return tuple(chosen.get(i, 0) for i in range(len(self.names)))

    def _inside(self, places: Sequence[int]) -> Iterator[tuple[Levels, Levels]]:
        """Yield (levels on the axes at `places`, component) of a table."""
        for levels in product(*(range(self.trees[i].depth + 1) for i in places)):
            yield levels, self._key(places, levels)

    def covariance(self, first: Mapping[str, NDArray[np.float64]], second: Mapping[str, NDArray[np.float64]]) -> float:
        """Return the covariance of two weighted sums of cells.

        Parameters
        ----------
        first, second
            For each axis of a table, weights of its labels, shape (labels,); the weight of a cell is their product.
            The two tables may have different axes.
        """
        self.positions(tuple(first)), self.positions(tuple(second))
        shared = [name for name in self.names if name in first and name in second]
        alone = [(self._read(name, w)[0]) for name, w in (*first.items(), *second.items()) if name not in shared]
        factor = math.prod(float(total[0]) for total in alone)
        places = [self.names.index(name) for name in shared]
        pairs = [
            [float(a @ b) for a, b in zip(self._read(n, first[n]), self._read(n, second[n]), strict=True)]
            for n in shared
        ]
        return factor * math.fsum(
            self.variances[key] * math.prod(pair[i] for pair, i in zip(pairs, levels, strict=True))
            for levels, key in self._inside(places)
        )

    def variance(self, weights: Mapping[str, NDArray[np.float64]]) -> float:
        """Return the variance of a weighted sum of cells; see :meth:`covariance`."""
        return self.covariance(weights, weights)

    def _read(self, name: str, weights: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
        tree = self.trees[self.names.index(name)]
        vector = np.asarray(weights, dtype=np.float64)
        if vector.shape != (tree.leaves,):
            raise InvalidArgument(name, f"needs {tree.leaves} weights, one per label")
        return tree.coefficients(vector)

    def table_variance(self, names: Sequence[str]) -> NDArray[np.float64]:
        """Return the variance of each cell of a table, in the table's shape."""
        places = self.positions(names)
        tensor = np.empty([self.trees[i].depth + 1 for i in places])
        for levels, key in self._inside(places):
            tensor[levels] = self.variances[key]
        for i in places:  # each step contracts the first axis and appends the labels
            tensor = np.tensordot(tensor, leaf_variances(self.trees[i]), axes=(0, 0))
        return tensor

    def laws(self, names: Sequence[str]) -> tuple[tuple[NoiseLaw, ...], NDArray[np.int64]]:
        """Return the distinct laws of the errors of a table's cells, and for each cell which it is."""
        return _laws(self, tuple(names))

    def _law(self, places: Sequence[int], paths: Sequence[Sequence[int]]) -> NoiseLaw:
        axes = [self.trees[i].leaf_coefficients(path) for i, path in zip(places, paths, strict=True)]
        sigma2 = dict(self.sigma2)
        terms = []
        for levels, key in self._inside(places):
            law = DiscreteGaussianLaw(sigma2[key])
            for choice in product(*(axis[i] for axis, i in zip(axes, levels, strict=True))):
                weight = math.prod((w for w, _ in choice), start=Fraction(1))
                terms.append((law, weight, math.prod(n for _, n in choice)))
        return linear(terms)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data; plain axes as their number of labels, trees as the parents of each level."""
        shapes = [
            {"name": name}
            | ({"labels": tree.leaves} if tree.depth == 1 else {"parents": [list(p) for p in tree.parents]})
            for name, tree in zip(self.names, self.trees, strict=True)
        ]
        return {"axes": shapes, "noise": [[list(levels), as_text(s)] for levels, s in self.sigma2]}


def leaf_variances(tree: Tree) -> NDArray[np.float64]:
    """Return the squared length of what each leaf reads from the total and from each level, (depth + 1, leaves)."""
    found = np.empty((tree.depth + 1, tree.leaves))
    share = np.ones(tree.leaves)
    for level in range(tree.depth, 0, -1):
        k = tree.paths[:, level - 1]
        found[level] = share**2 * (1 - 1 / k)
        share /= k
    found[0] = share**2
    return found


@lru_cache(maxsize=1024)
def _laws(design: Design, names: tuple[str, ...]) -> tuple[tuple[NoiseLaw, ...], NDArray[np.int64]]:
    places = design.positions(names)
    kinds, index = [], np.zeros((), dtype=np.int64)
    for i in places:
        paths, inverse = np.unique(design.trees[i].paths, axis=0, return_inverse=True)
        kinds.append(paths.tolist())
        index = index[..., None] * len(paths) + inverse.reshape(-1)
    return tuple(design._law(places, paths) for paths in product(*kinds)), index


def design_from_dict(data: object) -> Design | LeastSquaresDesign:
    """Rebuild a design from its ``to_dict``.

    Raises
    ------
    ConfigError
        `data` is no such document.
    """
    if (
        not isinstance(data, Mapping)
        or not isinstance(data.get("axes"), list)
        or not isinstance(data.get("noise", data.get("laplace")), list)
    ):
        raise ConfigError("design", "must be a table with lists 'axes' and 'noise' (or 'laplace')")
    with as_config_error("design"):
        trees = tuple(_tree(axis) for axis in data["axes"])
        names = tuple(str(axis["name"]) for axis in data["axes"])
        if "laplace" in data and len(set(names)) == len(names):
            return least_squares_from_dict(data, trees, names)
        noise = tuple(_noise(entry, trees) for entry in data["noise"])
    if len(set(names)) < len(names) or not noise:
        raise ConfigError("design", "repeats an axis, or has no noise")
    return Design(names, trees, noise)


def _tree(axis: object) -> Tree:
    if not isinstance(axis, Mapping) or not isinstance(axis.get("name"), str):
        raise InvalidArgument("axes", "must hold tables with a 'name'")
    labels, parents = axis.get("labels"), axis.get("parents")
    if type(labels) is int and 1 <= labels <= MAX_LABELS:
        return flat(labels)
    whole = isinstance(parents, list) and all(
        isinstance(level, list) and all(type(n) is int and n >= 0 for n in level) for level in parents
    )
    if not whole:
        raise InvalidArgument("axes", "must give the number of labels, or the parents of each level")
    return Tree(tuple(tuple(level) for level in parents))  # type: ignore[union-attr]


def _noise(entry: object, trees: Sequence[Tree]) -> tuple[Levels, Fraction]:
    if not isinstance(entry, list) or len(entry) != 2 or not isinstance(entry[0], list) or len(entry[0]) != len(trees):
        raise InvalidArgument("noise", "must hold pairs of levels and a number")
    for level, tree in zip(entry[0], trees, strict=True):
        if type(level) is not int or not 0 <= level <= tree.depth:
            raise InvalidArgument("noise", "names a level that its axis lacks")
    law = DiscreteGaussianLaw(exact(entry[1], "noise"))
    return tuple(entry[0]), law.sigma2
