"""Sequential trees: each column is drawn from a decision tree on the columns before it, in the manner of synthpop.

References
----------
Reiter JP (2005). Using CART to generate partially synthetic public use microdata. Journal of Official Statistics
21:441-462.

Nowok B, Raab GM, Dibben C (2016). synthpop: bespoke creation of synthetic data in R. Journal of Statistical Software
74(11).
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pets.csprng import RandomSource
from pets.errors import InvalidArgument, MissingExtra
from pets.synthetic.encoding import Encoding, Survival, rows_of
from pets.synthetic.encoding.columns import Codes
from pets.synthetic.engine.sampling import systematic
from pets.synthetic.row_model import RowModel, RowSynthesizer

_ONE_HOT = 40
"""Most categories that become columns of their own; more are split by their order."""


@dataclass(frozen=True)
class CART(RowSynthesizer):
    """Sequential classification and regression trees. Light, close to the data, and without a proof.

    Parameters
    ----------
    survival, insecure_seed
        See :class:`~pets.synthetic.row_model.RowSynthesizer`.
    least
        Fewest rows of a leaf. Rows are drawn from a leaf's exact counts, so a small leaf is close to a copy of few
        patients.

    Guarantee
    ---------
    None: see the module's references for what has been tried, and :mod:`pets.synthetic.attacks` for how to attack it.

    Raises
    ------
    InvalidArgument
        `least` is below 2.
    """

    least: int = 5
    kind: ClassVar[str] = "cart"
    why: ClassVar[str] = "each column is drawn from exact counts in the leaves of a decision tree"

    def __post_init__(self) -> None:
        super().__post_init__()
        if isinstance(self.least, bool) or not isinstance(self.least, int) or not 2 <= self.least <= 10**6:
            raise InvalidArgument("least", "must be a whole number from 2 to 1,000,000")

    @property
    def settings(self) -> dict[str, Any]:
        """The settings as plain data."""
        return {"type": self.kind, "least": self.least}

    def require(self) -> None:
        """Look for scikit-learn."""
        _sklearn()

    def fitted(self, codes: Codes, encoding: Encoding, seed: int) -> Trees:
        """Return one tree for each column, fitted to the columns drawn before it."""
        order = visiting(encoding)
        trees = [
            grow(codes, encoding, order[:place], axis, self.least, (seed + place) % 2**32)
            for place, axis in enumerate(order)
        ]
        return Trees(encoding, tuple(order), tuple(trees))


@dataclass(frozen=True, eq=False)
class Tree:
    """A decision tree as arrays; a leaf has no children and a row of counts.

    Attributes
    ----------
    feature, threshold, left, right
        For each node the feature that is compared with the threshold (at most: left), and the children; -1 in a leaf.
    leaf
        For each node its row in `counts`, -1 for inner nodes.
    counts
        Exact counts of the column's codes, shape (leaves, codes).
    """

    feature: NDArray[np.int64]
    threshold: NDArray[np.float64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    leaf: NDArray[np.int64]
    counts: NDArray[np.int64]

    def reached(self, features: NDArray[np.float64]) -> NDArray[np.int64]:
        """Return the leaf of each row of features, shape (rows, features)."""
        node = np.zeros(len(features), dtype=np.int64)
        going = np.flatnonzero(self.left[node] >= 0)
        while going.size:
            at = node[going]
            below = features[going, self.feature[at]] <= self.threshold[at]
            node[going] = np.where(below, self.left[at], self.right[at])
            going = going[self.left[node[going]] >= 0]
        return self.leaf[node]


@dataclass(frozen=True, eq=False)
class Trees:
    """A tree for each column, in the order in which columns are drawn."""

    encoding: Encoding
    order: tuple[int, ...]
    trees: tuple[Tree, ...]

    def draw(self, rows: int, source: RandomSource) -> Codes:
        """Return codes, drawn column by column."""
        codes = np.zeros((len(self.order), rows), dtype=np.int64)
        for place, (axis, tree) in enumerate(zip(self.order, self.trees, strict=True)):
            leaves = tree.reached(features_of(codes, self.encoding, self.order[:place]))
            codes[axis] = systematic(tree.counts.astype(np.float64), leaves, source)
        return codes

    def check(self, rows: int) -> None:
        """Any number of rows can be drawn."""

    def portable(self, model: RowModel) -> Trees:
        """Return the trees themselves: they are data."""
        return self

    def record(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Return the trees as arrays."""
        names = ("feature", "threshold", "left", "right", "leaf", "counts")
        arrays = {f"{i}_{name}": getattr(tree, name) for i, tree in enumerate(self.trees) for name in names}
        return {"order": list(self.order), "columns": len(self.trees)}, arrays


def visiting(encoding: Encoding) -> list[int]:
    """Return the order of drawing: the columns as declared, then each event and its time, earlier clocks first."""
    clocks = {name for pair in encoding.survival for name in (pair.time, pair.event)}
    found = [i for i, name in enumerate(encoding.names) if name not in clocks]
    waiting: list[Survival] = list(encoding.survival)
    done: set[str | None] = {None}
    while waiting:
        pair = next(p for p in waiting if p.after in done)
        waiting.remove(pair)
        done.add(pair.time)
        found += [encoding.names.index(pair.event), encoding.names.index(pair.time)]
    return found


def features_of(codes: Codes, encoding: Encoding, axes: Sequence[int]) -> NDArray[np.float64]:
    """Return what a tree sees of some columns, shape (rows, features): order of numbers, each category."""
    parts = [np.zeros((rows_of(codes), 1))]
    for axis in axes:
        column = encoding.columns[axis]
        if column.ordered or not 2 < column.size <= _ONE_HOT:
            parts.append(codes[axis][:, None].astype(np.float64))
        else:
            parts.append((codes[axis][:, None] == np.arange(column.size)).astype(np.float64))
    return np.concatenate(parts, axis=1)


def grow(codes: Codes, encoding: Encoding, before: Sequence[int], axis: int, least: int, seed: int) -> Tree:
    """Return the tree of one column on the columns before it."""
    column, target = encoding.columns[axis], codes[axis]
    kind = "DecisionTreeRegressor" if column.ordered else "DecisionTreeClassifier"
    features = features_of(codes, encoding, before)
    grown = getattr(_sklearn(), kind)(min_samples_leaf=least, random_state=seed).fit(features, target).tree_
    left = np.asarray(grown.children_left, dtype=np.int64)
    leaf = np.where(left < 0, np.cumsum(left < 0) - 1, -1)
    shape = (
        np.maximum(np.asarray(grown.feature, dtype=np.int64), -1), np.asarray(grown.threshold, dtype=np.float64),
        left, np.asarray(grown.children_right, dtype=np.int64), leaf,
    )  # fmt: skip
    counts = np.zeros((int(leaf.max()) + 1, column.size), dtype=np.int64)
    bare = Tree(*shape, counts)
    # The library rounds features to single precision; codes and midpoints between them are exact in it.
    np.add.at(counts, (bare.reached(features), target), 1)
    return bare


def _sklearn() -> Any:
    try:
        return importlib.import_module("sklearn.tree")
    except ImportError:
        raise MissingExtra("scikit-learn", "synthetic") from None
