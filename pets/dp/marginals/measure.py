"""Measuring contrasts with noise, and putting tables together from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pets.dp.engines import NoiseEngine
from pets.dp.marginals.workload import Subset
from pets.query.designs import Design
from pets.query.trees import Tree

_LARGEST = 2**61

Contrasts = Mapping[Subset, NDArray[np.float64]]
"""For each set of axes the estimated contrasts of all its components, in the axes' order."""


def measure(table: NDArray[np.int64], subset: Subset, design: Design, source: NoiseEngine) -> NDArray[np.float64]:
    """Return noisy contrasts of a table along all of its axes.

    Parameters
    ----------
    table
        Confidential counts, one axis per member of `subset`.
    subset
        Which axes of the design these are, ascending.
    design
        Noise of each component.
    source
        Where the noise comes from.
    """
    trees = [design.trees[i] for i in subset]
    noisy = whole_contrasts(table, trees) + _noise(subset, design, source)
    # The samplers saturate beyond 2**62; clamped to 2**61 this is a function of the unbounded mechanism's output.
    values = np.clip(noisy, -_LARGEST, _LARGEST).astype(np.float64)
    for tree in trees:
        values = tree.project(_turned(values))
    return np.asarray(values)


def whole_contrasts(table: NDArray[np.int64], trees: Sequence[Tree]) -> NDArray[np.int64]:
    """Return the exact whole-number contrasts, cut off at 2**61 on either side.

    Cutting off moves no two values apart, so it cannot raise a sensitivity. What would not fit 64 bits is told from
    floating-point sums, which cannot wrap around: a difference of 2**-40 does not matter there.
    """
    exact = table
    for tree in trees:
        exact = tree.forward(_turned(exact))
    largest = float(np.abs(table).astype(np.float64).sum()) * prod(tree_scale(tree) for tree in trees)
    if largest < _LARGEST:
        return exact
    rough = table.astype(np.float64)
    for tree in trees:
        rough = tree.forward_float(_turned(rough))
    wide = np.abs(rough) > 1.5 * _LARGEST
    cut = np.where(rough > 0, _LARGEST, -_LARGEST)
    return np.asarray(np.where(wide, cut, np.clip(exact, -_LARGEST, _LARGEST)), dtype=np.int64)


def _turned(table: NDArray[Any]) -> NDArray[Any]:
    """Return the table with its first axis last; after one step per axis they are in order again."""
    return table.transpose((*range(1, table.ndim), 0))


def tree_scale(tree: Tree) -> int:
    """Return the largest factor by which a tree's contrasts are multiplied."""
    return max(level.scale for level in tree.levels)


def _noise(subset: Subset, design: Design, source: NoiseEngine) -> NDArray[np.int64]:
    trees = [design.trees[i] for i in subset]
    noise = np.empty([tree.contrasts for tree in trees], dtype=np.int64)
    sigma2 = dict(design.sigma2)
    for levels in product(*(range(1, tree.depth + 1) for tree in trees)):
        component = dict(zip(subset, levels, strict=True))
        law = sigma2[tuple(component.get(i, 0) for i in range(len(design.trees)))]
        place = tuple(tree.slices[level - 1] for tree, level in zip(trees, levels, strict=True))
        size = [tree.sizes[level - 1] for tree, level in zip(trees, levels, strict=True)]
        noise[place] = source.discrete_gaussian(law, prod(size)).reshape(size)
    return noise


def assemble(subset: Subset, contrasts: Contrasts, trees: Sequence[Tree]) -> NDArray[np.float64]:
    """Return the estimated table over the axes of `subset`, in their order: unbiased and consistent with all others."""
    chosen = [trees[i] for i in subset]
    values = np.empty([1 + tree.contrasts for tree in chosen])
    for picks in product((False, True), repeat=len(subset)):
        place = tuple(slice(1, None) if pick else slice(0, 1) for pick in picks)
        inner = tuple(i for i, pick in zip(subset, picks, strict=True) if pick)
        values[place] = contrasts[inner].reshape(values[place].shape)
    for tree in chosen:
        turned = _turned(values)
        values = tree.rebuild(turned[..., :1], turned[..., 1:])
    return values
