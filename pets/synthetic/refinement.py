"""From groups back to codes: what a column looks like inside a group, learnt from its own noisy table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pets.csprng import RandomSource
from pets.synthetic.coarsening import Grouping
from pets.synthetic.engine.factors import Array
from pets.synthetic.engine.sampling import systematic

Codes = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Refinement:
    """The codes of one column given its group, and for a time given also its event.

    Attributes
    ----------
    grouping
        The groups.
    event
        Number of the event's column, or -1.
    chances
        Shape (codes, events), or (codes, 1): chance of a code within its group.
    """

    grouping: Grouping
    event: int
    chances: Array

    @classmethod
    def of(cls, grouping: Grouping, event: int, weights: Array) -> Refinement:
        """Return the refinement in proportion to weights of shape (codes, events); even where all are zero."""
        sums = grouping.summed(weights)
        sizes = grouping.summed(np.ones(weights.shape))
        even = 1 / sizes[grouping.group]
        within = np.divide(weights, sums[grouping.group], out=np.zeros_like(weights), where=sums[grouping.group] > 0)
        return cls(grouping, event, np.where(sums[grouping.group] > 0, within, even))

    @property
    def trivial(self) -> bool:
        """Whether each group is one code."""
        return self.grouping.size == len(self.chances)

    def draw(self, groups: Codes, events: Codes, source: RandomSource) -> Codes:
        """Return a code for each row, by systematic sampling."""
        if self.trivial:
            return groups
        kinds = self.chances.shape[1]
        spread = np.zeros((self.grouping.size, kinds, len(self.chances)))
        spread[self.grouping.group, :, np.arange(len(self.chances))] = self.chances
        context = groups * kinds + (events if kinds > 1 else 0)
        return systematic(spread.reshape(-1, len(self.chances)), context, source)

    def likelihood(self, codes: Codes) -> Array:
        """Return the chance that the code is one of `codes`, for each (group, event)."""
        mask = np.zeros((len(self.chances), 1))
        mask[codes] = 1.0
        return self.grouping.summed(self.chances * mask)

    def only(self, codes: Codes) -> Refinement:
        """Return the refinement given that the code is one of `codes`."""
        mask = np.zeros((len(self.chances), 1))
        mask[codes] = 1.0
        return Refinement.of(self.grouping, self.event, self.chances * mask)


def expanded(table: Array, axes: Sequence[int], wanted: Sequence[int], refinements: Sequence[Refinement]) -> Array:
    """Return a table over the codes of `wanted` from one over the groups of `axes`, which hold their events too."""
    for at, axis in enumerate(axes):
        if axis not in wanted or refinements[axis].trivial:
            continue
        one = refinements[axis]
        table = np.take(table, one.grouping.group, axis=at)
        shape = [1] * table.ndim
        shape[at] = len(one.chances)
        if one.chances.shape[1] == 1:
            table = table * one.chances.reshape(shape)
            continue
        other = list(axes).index(one.event)
        shape[other] = one.chances.shape[1]
        table = table * (one.chances if at < other else one.chances.T).reshape(shape)
    return np.asarray(table.sum(axis=tuple(i for i, axis in enumerate(axes) if axis not in wanted)))
