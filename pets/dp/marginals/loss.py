r"""The exact privacy loss of a set of residual measurements.

The contrasts of a component are the whole-number vector :math:`K R x`, where :math:`R = \otimes R_i` and :math:`K`
makes it whole. With independent discrete Gaussian noise of parameter :math:`s^2` on each entry, a change :math:`d` of
the table costs :math:`K^2 \|R d\|^2 / (2 s^2)` in zero-concentrated DP (Canonne, Kamath, Steinke 2020, theorem 4), and
the components compose to the sum. The scaling itself costs nothing: it multiplies sensitivity and noise alike.

One leaf's column has :math:`\|R_i e_c\|^2 = 1 - 1/k`, where :math:`k` is the number of siblings of its node; two leaves
that part on this level have the inner product :math:`-1/k`, two that parted above it 0.

*Add/remove*: at most `k` rows appear, the loss is convex in the change, so its maximum is where all rows fall into one
cell. *Replace-one*: the change is :math:`u - v`, each with at most `k` rows; the maximum is at :math:`k e_c`, or at
:math:`k (e_c - e_{c'})`, and depends only on how deep the two cells agree along each axis.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import product
from math import prod

from pets.privacy_unit import PrivacyUnit
from pets.query.designs import Levels
from pets.query.trees import Tree

Precisions = Iterable[tuple[Levels, Fraction]]
"""Components with ``K^2 / s^2``."""


@dataclass(frozen=True)
class Gram:
    """Squared lengths and inner products of the columns of one level, over all leaves.

    Attributes
    ----------
    loss
        Largest squared length.
    parting
        Largest size of the inner product of two leaves that part on this level.
    even
        Whether all leaves have the same.
    """

    loss: Fraction
    parting: Fraction
    even: bool


def grams(tree: Tree) -> tuple[Gram, ...]:
    """Return what the levels of `tree` do to one leaf, and to two."""
    found = []
    for level, loss in zip(tree.levels, tree.loss, strict=True):
        sizes = [int(k) for k in set(level.siblings.tolist())]
        several = [k for k in sizes if k > 1]
        found.append(Gram(loss, Fraction(1, min(several)) if several else Fraction(0), len(sizes) == 1))
    return tuple(found)


def one_cell(trees: Sequence[Tree], levels: Levels) -> Fraction:
    """Return the largest squared length of a cell's column of a component's contrasts, before scaling."""
    return prod((tree.loss[i - 1] for tree, i in zip(trees, levels, strict=True) if i), start=Fraction(1))


def two_cells(trees: Sequence[Tree], levels: Levels, depths: Sequence[int]) -> Fraction:
    """Return a bound of the squared length of the difference of two columns; exact if all levels are even.

    `depths` says for each axis on how many levels the two cells agree.
    """
    parted, even, inner = 0, True, Fraction(1)
    for tree, level, depth in zip(trees, levels, depths, strict=True):
        if level > depth + 1:
            inner = Fraction(0)
        elif level:
            gram = grams(tree)[level - 1]
            even = even and gram.even
            parted += level == depth + 1
            inner *= gram.parting if level == depth + 1 else gram.loss
    if parted % 2:
        return 2 * (one_cell(trees, levels) + inner)
    return 2 * (one_cell(trees, levels) - (inner if even else 0))


def patterns(trees: Sequence[Tree], used: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """Yield how deep two different cells can agree on the axes at `used`; the others are summed over."""
    ranges = [range(tree.depth + 1) if i in used else (0,) for i, tree in enumerate(trees)]
    full = tuple(tree.depth if i in used else 0 for i, tree in enumerate(trees))
    yield from (depths for depths in product(*ranges) if depths != full)


def worst(trees: Sequence[Tree], used: Sequence[int], levels: Levels, unit: PrivacyUnit) -> Fraction:
    """Return the largest squared length of one component's change when one row changes."""
    single = one_cell(trees, levels)
    if unit.neighbours == "add_remove":
        return single
    return max(single, *(two_cells(trees, levels, depths) for depths in patterns(trees, used)), Fraction(0))


def cells_loss(trees: Sequence[Tree], used: Sequence[int], precisions: Precisions, unit: PrivacyUnit) -> Fraction:
    """Return rho of all components together for rows that fall into cells."""
    listed = list(precisions)
    single = sum((one_cell(trees, levels) * p for levels, p in listed), Fraction(0))
    found = [single]
    if unit.neighbours == "replace_one":
        found += [
            sum((two_cells(trees, levels, depths) * p for levels, p in listed), Fraction(0))
            for depths in patterns(trees, used)
        ]
    return Fraction(rows(unit) ** 2, 2) * max(found)


def entering_loss(trees: Sequence[Tree], precisions: Precisions, unit: PrivacyUnit) -> Fraction:
    """Return rho of all components together for rows that only appear or vanish."""
    single = sum((one_cell(trees, levels) * p for levels, p in precisions), Fraction(0))
    return Fraction(rows(unit) ** 2, 2) * single


def rows(unit: PrivacyUnit) -> int:
    """Return how many rows one unit may have in all."""
    return unit.max_rows * unit.max_sites
