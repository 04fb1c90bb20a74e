r"""How far a released table can be from the truth, from what was released and nothing else.

A measured table is :math:`y = x + z`, with x the truth and z noise of a known law. Whatever the model m says of it, the
triangle inequality gives :math:`\|x - m\|_1 \le \|y - m\|_1 + \|z\|_1`. The first part is public; the second is below a
quantile that is known beforehand. So the bound holds with the stated probability however the model was made, also
though it was fitted to y itself and the table was chosen because of the data.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class TableBound:
    """A bound of the error of one table of the model.

    Attributes
    ----------
    columns
        Its columns.
    cells
        Number of its cells.
    sigma
        Standard deviation of the noise in one cell as it was measured.
    rows
        The bound, in rows: half the sum of the absolute errors of all cells, that is, how many rows would have to be
        moved to another cell.
    share
        The same in parts of all rows (total variation).
    level
        Probability with which it holds, at least.
    """

    columns: tuple[str, ...]
    cells: int
    sigma: float
    rows: float
    share: float
    level: float


def noise_quantile(cells: int, sigma: float, level: float) -> float:
    """Return a number that the L1 norm of `cells` independent noises exceeds with probability at most 1 - level.

    The smaller of two upper bounds: from the L2 norm by Cauchy and Schwarz, which is sharp for one cell, and Chernoff's
    for the sum of half-normal variables, which is sharp for many. The moment generating function of a discrete Gaussian
    is below that of the continuous one of the same parameter (Canonne, Kamath and Steinke 2020, Lemma 9); that of its
    absolute value may exceed the half-normal's for narrow noise, which half a row per cell covers.
    """
    from scipy.stats import chi2

    by_length = math.sqrt(cells * float(chi2.ppf(level, cells)))
    return sigma * min(by_length, _chernoff(cells, level)) + 0.5 * cells * (sigma < 4)


def _chernoff(cells: int, level: float) -> float:
    """Return the least t with ``min over u of exp(-u t) (2 exp(u²/2) Phi(u))^cells <= 1 - level``."""
    from scipy.special import log_ndtr

    u = np.geomspace(1e-4, 20, 4000)
    cumulant = cells * (math.log(2) + u * u / 2 + log_ndtr(u))
    return float(np.min((cumulant - math.log(1 - level)) / u))
