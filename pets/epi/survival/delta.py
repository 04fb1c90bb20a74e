"""The variance of any function of the hazards: what sampling adds and what the noise adds.

Let ``h[j, k]`` be the hazard of event k in bin j, estimated as ``d[j, k] / n[j]``, and G the gradient of an estimate
with respect to h.

**Sampling.** Given those at risk, the events of a bin are multinomial, and bins are uncorrelated, so

    sum over j of  (sum_k G[j, k]^2 h[j, k] - (sum_k G[j, k] h[j, k])^2) / n[j].

For the product-limit estimate this is Greenwood's formula.

**Noise.** Each cell of the table carries independent noise of known variance. A patient in bin i was at risk in every
bin up to i, so one more in cell (i, k) changes the estimate by

    G[i, k] / n[i] - sum over j <= i of w[j],       w[j] = sum_k G[j, k] h[j, k] / n[j],

one more censored in bin i by ``lost[i] w[i] - sum_{j <= i} w[j]``, one more followed beyond the last bin by the full
sum. The noise variance is the sum over cells of the squared changes times the cell's variance: the early cells
enter later numbers at risk as well as the hazards of their own bin, with opposite signs, and this keeps both.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pets.epi.survival.counts import Array
from pets.epi.survival.fit import RiskTable

Gradient = Callable[[int, int], Array]
"""Gradients of outputs first to last - 1, shape (outputs, bins, causes)."""

_ROWS = 128
"""Outputs handled at a time, so that a table of thousands of days needs no gigabytes."""


def variances(table: RiskTable, gradient: Gradient, outputs: int) -> tuple[Array, Array]:
    """Return the variance by sampling and the variance by noise of each output.

    Parameters
    ----------
    table
        A fitted stratum.
    gradient
        Gives the gradient of a range of outputs with respect to the hazards.
    outputs
        How many there are.
    """
    sampling, noise = np.empty(outputs), np.empty(outputs)
    noisy = table.events_variance.any() or table.censored_variance.any() or table.beyond_variance > 0
    for first in range(0, outputs, _ROWS):
        rows = slice(first, min(first + _ROWS, outputs))
        slopes = gradient(rows.start, rows.stop)
        sampling[rows] = _sampling(table, slopes)
        noise[rows] = _noise(table, slopes) if noisy else 0.0
    return sampling, noise


def _sampling(table: RiskTable, slopes: Array) -> Array:
    hazards = table.hazards
    spread = (slopes**2 * hazards).sum(axis=2) - (slopes * hazards).sum(axis=2) ** 2
    return np.asarray(np.maximum(spread, 0.0) @ _inverse(table.at_risk))


def _noise(table: RiskTable, slopes: Array) -> Array:
    per_patient = _inverse(table.at_risk)
    at_risk = (slopes * table.hazards).sum(axis=2) * per_patient
    passed = np.cumsum(at_risk, axis=1)
    of_event = slopes * per_patient[:, None] - passed[:, :, None]
    of_censored = table.lost * at_risk - passed
    total = (of_event**2 * table.events_variance).sum(axis=(1, 2)) + of_censored**2 @ table.censored_variance
    return np.asarray(total + passed[:, -1] ** 2 * table.beyond_variance)


def _inverse(numbers: Array) -> Array:
    return np.divide(1.0, numbers, out=np.zeros_like(numbers), where=numbers > 0)
