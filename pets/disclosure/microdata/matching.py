"""Which records look alike when a missing value may stand for anything.

Records are grouped by *which* of their keys are missing. Two records match if they agree on the keys that both have;
so for each pair of such patterns one grouping by the common keys finds all matches. This takes time in proportion
to the number of distinct combinations times the number of patterns, not to the square of the records.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pets.disclosure.microdata.codes import Codes, combine


@dataclass(frozen=True, eq=False)
class Block:
    """The matches between the combinations of two patterns: those in the same group.

    Attributes
    ----------
    left, right
        Combinations of either pattern.
    left_group, right_group
        The group of each of them, from 0 to ``groups`` - 1.
    """

    left: Codes
    right: Codes
    left_group: Codes
    right_group: Codes
    groups: int


def blocks(codes: NDArray[np.int64]) -> Iterator[Block]:
    """Yield the matches among combinations of key codes, shape (combinations, keys), -1 for missing."""
    patterns, of = np.unique(codes < 0, axis=0, return_inverse=True)
    of = of.reshape(-1)
    members = [np.flatnonzero(of == i) for i in range(len(patterns))]
    for left, gone_left in zip(members, patterns, strict=True):
        for right, gone_right in zip(members, patterns, strict=True):
            shared = np.flatnonzero(~(gone_left | gone_right))
            both = np.concatenate([left, right])
            group, groups = combine([codes[both, key] for key in shared], len(both))
            yield Block(left, right, group[: len(left)], group[len(left) :], groups)


def sums_over_matches(codes: NDArray[np.int64], amounts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return for each combination the sum of `amounts` over all combinations that match it, itself included."""
    total = np.zeros(len(codes))
    for block in blocks(codes):
        sums = np.bincount(block.right_group, weights=amounts[block.right], minlength=block.groups)
        total[block.left] += sums[block.left_group]
    return total
