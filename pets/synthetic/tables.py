"""Exact tables of coded rows, and integer scores of how badly a model knows them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pets.synthetic.engine.factors import Array, Axes, shape_of

Codes = NDArray[np.int64]

GRID = 16
"""Model counts are rounded to multiples of 1/16 of a row before they are compared, so that scores are whole numbers."""


def count(codes: Codes, sizes: Sequence[int], axes: Axes) -> NDArray[np.int64]:
    """Return the exact table of some attributes. Confidential.

    One row adds one to one cell: under add/remove of k rows the table changes by at most k in L1 and L2 norm, under
    replacement by 2 k and the square root of 2 times k.
    """
    shape = shape_of(sizes, axes)
    if not axes:
        return np.array(codes.shape[1], dtype=np.int64)
    flat = codes[axes[0]]
    for axis in axes[1:]:
        flat = flat * sizes[axis] + codes[axis]
    return np.bincount(flat, minlength=int(np.prod(shape))).reshape(shape).astype(np.int64)


def misfit(exact: NDArray[np.int64], model: Array) -> int:
    """Return GRID times the L1 distance of a table from the model's counts, as a whole number. Confidential.

    The model's counts are public. So when one cell of the table changes by one, this changes by exactly GRID or less:
    it is GRID-Lipschitz in the L1 norm, with no rounding of what is confidential.
    """
    public = np.rint(np.clip(model, 0, 2.0**40) * GRID).astype(np.int64)
    return int(np.abs(exact * GRID - public).sum())
