"""The axes of a design: a tree for each attribute, and what its workload reads from each level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import fsum, sqrt

import numpy as np
from numpy.typing import NDArray

from pets.domain import Domain
from pets.errors import InvalidArgument
from pets.query.designs import MAX_LABELS, leaf_variances
from pets.query.trees import Tree, balanced, flat

MAX_RANGE = 4096
"""Most labels of an axis of which runs are wanted."""

_BRANCHINGS = (2, 3, 4, 5, 6, 8, 10, 12, 16, 24, 32)


@dataclass(frozen=True)
class PlannedAxis:
    """One axis.

    Attributes
    ----------
    name, tree
        The attribute and the partition of its labels.
    reads
        For the total and for each level, the mean over the axis's workload (labels; with a hierarchy also groups; of an
        ordered axis all prefixes) of the squared length of what is read from it.
    """

    name: str
    tree: Tree
    reads: tuple[float, ...]


def plan_axis(
    domain: Domain, name: str, hierarchies: Mapping[str, Sequence[str]], ranges: Sequence[str]
) -> PlannedAxis:
    """Return the axis of an attribute.

    Parameters
    ----------
    domain
        Public knowledge.
    name
        The attribute.
    hierarchies
        For some attributes, the levels of their hierarchy whose groups are wanted.
    ranges
        Attributes whose labels are ordered, and of which sums over runs of labels are wanted.

    Raises
    ------
    InvalidArgument
        A level is unknown, or two levels do not nest.
    """
    labels = len(domain.key_axis(name))
    if labels > MAX_LABELS:
        raise InvalidArgument(name, f"has more than {MAX_LABELS:,} labels", "Use coarser categories.")
    if name in ranges:
        if labels > MAX_RANGE:
            raise InvalidArgument("ranges", f"names {name!r}, with more than {MAX_RANGE:,} labels", "Use wider bins.")
        return min((_range_axis(name, labels, b) for b in _BRANCHINGS), key=_difficulty)
    if name in hierarchies:
        return _group_axis(domain, name, hierarchies[name])
    tree = flat(labels)
    return PlannedAxis(name, tree, _leaf_reads(tree))


def _range_axis(name: str, labels: int, branching: int) -> PlannedAxis:
    tree = balanced(labels, branching)
    return PlannedAxis(name, tree, _mean_reads(tree, np.tri(labels)))


def _group_axis(domain: Domain, name: str, levels: Sequence[str]) -> PlannedAxis:
    maps = sorted((np.asarray(domain.key_axis(name, level).index) for level in levels), key=lambda index: index.max())
    labels = len(domain.key_axis(name))
    above = np.zeros(labels, dtype=np.int64)
    parents: list[tuple[int, ...]] = []
    for index in (*maps, np.arange(labels)):
        first = np.unique(index, return_index=True)[1]
        if not np.array_equal(above[first][index], above):
            raise InvalidArgument(f"hierarchies.{name}", "names levels that do not nest", "Name levels of one branch.")
        if len(first) > (len(parents[-1]) if parents else 1):
            parents.append(tuple(above[first].tolist()))
            above = index
    tree = Tree(tuple(parents)) if parents else flat(labels)
    groups = [_mean_reads(tree, np.eye(int(index.max()) + 1)[:, index]) for index in maps]
    return PlannedAxis(name, tree, tuple(np.mean([*groups, _leaf_reads(tree)], axis=0).tolist()))


def _leaf_reads(tree: Tree) -> tuple[float, ...]:
    return tuple(leaf_variances(tree).mean(axis=1).tolist())


def _mean_reads(tree: Tree, workload: NDArray[np.float64]) -> tuple[float, ...]:
    """Return the mean over the queries of a workload, its rows, of the squared length read from each level."""
    return tuple(float(np.mean((c**2).sum(axis=-1))) for c in tree.coefficients(workload))


def _difficulty(axis: PlannedAxis) -> float:
    """Return the least mean variance of the axis alone at unit loss; see :mod:`pets.dp.marginals.allocation`."""
    losses: tuple[Fraction, ...] = (Fraction(1), *axis.tree.loss)
    return fsum(sqrt(float(p) * v) for p, v in zip(losses, axis.reads, strict=True)) ** 2
