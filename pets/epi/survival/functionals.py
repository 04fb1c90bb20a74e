"""Functions of the hazards with their gradients: survival, cumulative hazard, incidence of each cause.

All are written for the discrete hazards ``h[j, k]`` of a fitted table, j being the bin and k the event.
"""

from __future__ import annotations

import numpy as np

from pets.epi.survival.counts import Array
from pets.epi.survival.delta import Gradient


def survival(hazards: Array) -> Array:
    """Return the product-limit estimate after each bin, shape (bins,)."""
    return np.cumprod(np.maximum(1 - hazards.sum(axis=1), 0.0))


def survival_gradient(hazards: Array) -> Gradient:
    """Return dS(t)/dh[j, k] = -S(t) / (1 - h[j]) for j <= t."""
    curve, alive = survival(hazards), 1 - hazards.sum(axis=1)
    per_bin = np.divide(1.0, alive, out=np.zeros_like(alive), where=alive > 0)

    def rows(first: int, last: int) -> Array:
        slopes = -curve[first:last, None] * per_bin * _past(first, last, len(hazards))
        return np.broadcast_to(slopes[:, :, None], (*slopes.shape, hazards.shape[1]))

    return rows


def cumulative_hazard(hazards: Array) -> Array:
    """Return the Nelson-Aalen estimate after each bin, shape (bins,)."""
    return np.cumsum(hazards.sum(axis=1))


def cumulative_hazard_gradient(hazards: Array) -> Gradient:
    """Return dH(t)/dh[j, k] = 1 for j <= t."""

    def rows(first: int, last: int) -> Array:
        past = _past(first, last, len(hazards))
        return np.broadcast_to(past[:, :, None], (*past.shape, hazards.shape[1])).astype(np.float64)

    return rows


def incidence(hazards: Array) -> Array:
    """Return the Aalen-Johansen estimate: F_k(t) = sum over j <= t of S(j - 1) h[j, k], shape (bins, causes)."""
    before = np.concatenate([[1.0], survival(hazards)[:-1]])
    return np.cumsum(before[:, None] * hazards, axis=0)


def incidence_gradient(hazards: Array, cause: int) -> Gradient:
    """Return dF_k(t)/dh[j, m] = S(j - 1) [m = k] - (F_k(t) - F_k(j)) / (1 - h[j]) for j <= t."""
    curve, alive = incidence(hazards)[:, cause], 1 - hazards.sum(axis=1)
    before = np.concatenate([[1.0], survival(hazards)[:-1]])
    per_bin = np.divide(1.0, alive, out=np.zeros_like(alive), where=alive > 0)

    def rows(first: int, last: int) -> Array:
        past = _past(first, last, len(hazards))
        later = -(curve[first:last, None] - curve) * per_bin * past
        slopes = np.repeat(later[:, :, None], hazards.shape[1], axis=2)
        slopes[:, :, cause] += before * past
        return slopes

    return rows


def weighted(gradient: Gradient, weights: Array) -> Gradient:
    """Return the gradient of one output: the sum of the outputs of `gradient` times `weights`."""

    def rows(first: int, last: int) -> Array:
        return np.tensordot(weights, gradient(0, len(weights)), axes=1)[None][first:last]

    return rows


def _past(first: int, last: int, bins: int) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    return np.asarray(np.arange(bins) <= np.arange(first, last)[:, None])
