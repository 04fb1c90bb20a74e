"""Rows from a graphical model: exact conditioning, and rounding instead of independent draws.

Clique by clique from the root, the attributes that are new are drawn given those known. Rows with the same known codes
form a group of m rows; within it the codes are not drawn independently but by *systematic sampling* of the conditional
distribution q: with one uniform number u, the rows get the quantiles (i + u)/m in random order. Every row by itself has
exactly the law q, the expected number of rows with code k is m q_k exactly, and the number itself is m q_k rounded up
or down. So a synthetic table of n rows misses the model's margins by the rounding, not by the square root of n.

References
----------
Madow, *On the theory of systematic sampling*, 1949. McKenna, Miklau, Sheldon, *Winning the NIST contest*, JPC 2021
(rounding sampler with independent remainders).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from pets.csprng import RandomSource
from pets.errors import InvalidArgument
from pets.synthetic.engine.factors import Array, shape_of
from pets.synthetic.engine.graphical_model import GraphicalModel

Codes = NDArray[np.int64]


def sample(model: GraphicalModel, rows: int, source: RandomSource, given: Mapping[int, Codes] | None = None) -> Codes:
    """Return rows of codes, shape (attributes, rows), in random order.

    Parameters
    ----------
    model
        The distribution; not everything may be impossible in it.
    rows
        How many.
    source
        Where random bits come from. Sampling is post-processing, so a reproducible source costs no privacy.
    given
        Codes of some attributes for each row, all of which the root of the model's tree must hold: the others are then
        drawn from their exact distribution given these.

    Raises
    ------
    InvalidArgument
        The root does not hold all that is given.
    """
    known_codes = dict(given or {})
    tree = model.tree
    codes = np.zeros((len(model.sizes), rows), dtype=np.int64)
    for axis, values in known_codes.items():
        codes[axis] = values
    if not set(known_codes) <= set(tree.cliques[tree.order[0]]):
        raise InvalidArgument("given", "names attributes that the root does not hold", "Make them the model's first.")
    for i in tree.order:
        clique, known = tree.cliques[i], tree.separators[i]
        if tree.parents[i] < 0:
            known = tuple(axis for axis in clique if axis in known_codes)
        new = tuple(axis for axis in clique if axis not in known)
        if not new:
            continue
        positions = [clique.index(axis) for axis in (*known, *new)]
        belief = model.beliefs[i].transpose(positions)
        wide = tuple(at for at, axis in enumerate(known) if axis in known_codes)
        if wide:  # what the model thinks impossible may be given all the same; what was drawn since keeps its rules
            here = belief.sum(axis=tuple(range(len(known), belief.ndim)), keepdims=True) > 0
            belief = np.where(here, belief, belief.sum(axis=wide, keepdims=True))
        table = belief.reshape(-1, int(np.prod(shape_of(model.sizes, new))))
        group = np.ravel_multi_index(tuple(codes[list(known)]), shape_of(model.sizes, known)) if known else None
        chosen = systematic(table, np.zeros(rows, dtype=np.int64) if group is None else group, source)
        codes[list(new)] = np.unravel_index(chosen, shape_of(model.sizes, new))
    return codes


def systematic(weights: Array, group: Codes, source: RandomSource) -> Codes:
    """Return for each row a code drawn from the weights of its group, by systematic sampling within the group.

    Parameters
    ----------
    weights
        Shape (groups, codes): non-negative; a group with rows must have a positive one.
    group
        Group of each row.
    source
        Where random bits come from.
    """
    order = np.lexsort((source.words(group.size, np.uint64), group))
    ordered = group[order]
    used, first, count = np.unique(ordered, return_index=True, return_counts=True)
    place = np.arange(group.size) - np.repeat(first, count)
    shift = uniform(used.size, source)
    quantile = (place + np.repeat(shift, count)) / np.repeat(count, count)
    chosen = _inverse(weights[used], np.repeat(np.arange(used.size), count), quantile)
    found = np.empty_like(chosen)
    found[order] = chosen
    return found


def uniform(size: int, source: RandomSource) -> Array:
    """Return numbers uniform on the multiples of 2**-53 in [0, 1)."""
    return np.asarray((source.words(size, np.uint64) >> np.uint64(11)) * 2.0**-53)


def _inverse(weights: Array, row: Codes, quantile: Array) -> Codes:
    """Return the quantile of each row's distribution; a code of weight 0 is never returned."""
    steps = np.cumsum(weights, axis=1)
    last = weights.shape[1] - 1 - np.argmax(weights[:, ::-1] > 0, axis=1)
    ends = steps[:, -1:]
    steps = np.where(np.arange(weights.shape[1]) >= last[:, None], 1.0, steps / np.where(ends > 0, ends, 1.0))
    # One search serves all groups: each one's steps are moved by its number, and its quantiles stay below the next.
    steps = np.minimum(steps, 1.0) + np.arange(len(weights))[:, None]
    wanted = np.minimum(quantile + row, np.nextafter(row + 1.0, 0.0))
    found = np.searchsorted(steps.ravel(), wanted, side="right") - row * weights.shape[1]
    return np.asarray(found, dtype=np.int64)
