"""From the rows of one site to the tally: grouped by the frame's own engine, laid out in numpy.

The engine groups the rows by the columns that the query uses (one pass; only the small grouped result leaves
it). What a value means, which policy applies and which cell is hit is decided here, on that result, by the
same code for every engine: that is why pandas, Polars, PyArrow, DuckDB, Dask and PySpark give the same tally,
bit for bit.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pets.query.engine.bounding import rows_beyond_bound
from pets.query.engine.groups import add_to
from pets.query.engine.passes import passes_over
from pets.query.engine.site import open_site
from pets.query.layout import split

if TYPE_CHECKING:
    from pets.query.base import BoundQuery

__all__ = ["tally_frame"]


def tally_frame(frame: object, bound: BoundQuery) -> NDArray[np.int64]:
    """Return the flat tally of `frame`, laid out by ``bound.blocks``.

    Each row adds to exactly one cell of each block, by these rules:

    * A category matches exactly (texts are not normalised); 1, 1.0 and True are the same label.
    * A number falls into its bin as in :func:`numpy.histogram`. Sums add ``floor(x / resolution + 1/2)``,
      that is x to the nearest multiple of the resolution, where the quotient is one of 64-bit floats.
    * Nulls, unknown categories, numbers out of range and fractions in an Integer follow the attribute's
      policy. What it drops, and structural zeros, go to the block's cell of dropped rows if it has one.
    * With an id column at most ``max_rows`` rows of each unit are kept, by lot: those that fit a cell of every
      block before others, and else each as likely as any other. Which ones depends on the unit's own rows, its
      identifier and the public signature of the question, so a question asked again keeps the same ones.
      Rows without an id count as those of one single unit.

    Parameters
    ----------
    frame
        Any data frame that narwhals supports. It is not modified.
    bound
        The query and its domain.

    Returns
    -------
    NDArray[np.int64]
        Shape ``(bound.size,)``.

    Raises
    ------
    InvalidArgument
        `frame` is no supported data frame, or its engine fails to group it.
    DataError
        A column is missing or of no usable type, or holds a value that its policy makes an error.
    RangeOverflow
        There are so many rows that a sum could leave 64 bits.
    """
    site = open_site(frame, bound)
    total = np.zeros(bound.size, dtype=np.int64)
    parts = list(zip(bound.blocks, split(total, bound.blocks), strict=True))
    for members in passes_over(bound.blocks, site):
        chosen = [parts[i] for i in members]
        groups = site.group([block for block, _ in chosen])
        bound.check_capacity(int(groups.rows.sum()))
        for block, cells in chosen:
            add_to(cells, block, groups)
    excess = rows_beyond_bound(site)
    if excess is not None:
        for block, cells in parts:
            add_to(cells, block, excess, sign=-1)
    return total
