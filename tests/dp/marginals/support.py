"""Dense linear algebra to compare with, engines whose noise is known, and small domains."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

import pets
from pets.query import BoundQuery
from pets.query.designs import Design
from pets.query.trees import Tree
from pets.tally import Tally


class Recorded:
    """An engine that keeps what it was asked for; noise from a seeded generator, or none."""

    name, secure = "recorded", False

    def __init__(self, seed: int | None) -> None:
        self.generator = None if seed is None else np.random.default_rng(seed)
        self.asked: list[tuple[Fraction, int]] = []

    def discrete_gaussian(self, variance: Fraction, size: int) -> NDArray[np.int64]:
        self.asked.append((variance, size))
        if self.generator is None:
            return np.zeros(size, dtype=np.int64)
        return np.rint(self.generator.normal(0, float(variance) ** 0.5, size)).astype(np.int64)

    def discrete_laplace(self, scale: Fraction, size: int) -> NDArray[np.int64]:
        self.asked.append((scale, size))
        if self.generator is None:
            return np.zeros(size, dtype=np.int64)
        p = -np.expm1(-1 / float(scale))
        return self.generator.geometric(p, size) - self.generator.geometric(p, size)


def domain_of(sizes: Sequence[int], invalid: str | Sequence[str] = "drop", **settings: Any) -> pets.Domain:
    """Return attributes a0, a1, ...; `invalid` is their policy, or that of each."""
    policies = [invalid] * len(sizes) if isinstance(invalid, str) else invalid
    labels = [[f"{i}.{j}" for j in range(n)] for i, n in enumerate(sizes)]
    attributes = {
        f"a{i}": pets.Categorical(own, invalid=policy)  # type: ignore[arg-type]
        for i, (own, policy) in enumerate(zip(labels, policies, strict=True))
    }
    return pets.Domain(attributes, **settings)


def all_tables(names: Sequence[str], most: int) -> list[list[str]]:
    picked = [[n for n, use in zip(names, uses, strict=True) if use] for uses in product((0, 1), repeat=len(names))]
    return sorted((by for by in picked if len(by) <= most), key=len)


def tally_of(query: BoundQuery, joint: NDArray[np.int64], names: Sequence[str], dropped: int = 0) -> Tally:
    parts: list[Any] = []
    for block in query.blocks:
        own = [axis.name for axis in block.axes]
        summed = joint.sum(axis=tuple(i for i, n in enumerate(names) if n not in own))
        left = [n for n in names if n in own]
        parts.append(summed.transpose([left.index(n) for n in own]).reshape(-1))
        parts += [[dropped]] * block.counts_dropped
    return Tally(np.concatenate(parts).astype(np.int64), query.signature)


def dense_axis(tree: Tree, level: int) -> NDArray[np.float64]:
    """Return the residual matrix of one level, built from its definition node by node; level 0 is the total."""
    if level == 0:
        return np.ones((1, tree.leaves))
    members = {(tree.depth, j): {j} for j in range(tree.leaves)}
    for depth in range(tree.depth, 0, -1):
        for node, parent in enumerate(tree.parents[depth - 1]):
            members.setdefault((depth - 1, parent), set()).update(members[depth, node])
    rows = []
    for node, parent in enumerate(tree.parents[level - 1]):
        siblings = [s for s, p in enumerate(tree.parents[level - 1]) if p == parent]
        row = np.zeros(tree.leaves)
        row[list(members[level, node])] += 1.0
        row[list(members[level - 1, parent])] -= 1 / len(siblings)
        rows.append(row)
    return np.array(rows)


def dense_component(design: Design, levels: Sequence[int]) -> NDArray[np.float64]:
    matrix = np.ones((1, 1))
    for tree, level in zip(design.trees, levels, strict=True):
        matrix = np.kron(matrix, dense_axis(tree, level))
    return matrix


def dense_margin(design: Design, places: Sequence[int]) -> NDArray[np.float64]:
    matrix = np.ones((1, 1))
    for i, tree in enumerate(design.trees):
        matrix = np.kron(matrix, np.eye(tree.leaves) if i in places else np.ones((1, tree.leaves)))
    return matrix
