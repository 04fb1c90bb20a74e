"""From the noisy tables of a round to the score or the information matrix of the model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pets.query import Part
from pets.release import Release
from pets.training.features import Features
from pets.training.tables import Product, RoundTables

Array = NDArray[np.float64]

_EXACT = 1e-12
"""Variance of a table without noise: the resolution of its entries."""


@dataclass(frozen=True, eq=False)
class Score:
    """Derivative of the log-likelihood, with noise.

    Attributes
    ----------
    vector
        Shape (p,).
    noise
        Covariance of its noise, shape (p, p).
    """

    vector: Array
    noise: Array


@dataclass(frozen=True, eq=False)
class Information:
    """Fisher information, with noise.

    Attributes
    ----------
    matrix
        Shape (p, p), made positive definite.
    rows
        Diagonal entry of the intercept before that: the sum of all weights.
    weak
        Orthonormal directions in which the noise outweighs the information, shape (p, directions).
    """

    matrix: Array
    rows: float
    weak: Array


def score_of(release: Release, tables: RoundTables) -> Score:
    """Return the best linear unbiased estimate of the score.

    Each table of a covariate sums to the same total, so tables that disagree by their noise are reconciled by
    generalised least squares.
    """
    features = tables.features
    design, values, variances = [], [], []
    for product, part in zip(tables.products, release.parts, strict=True):
        rows = _full_rows(features, product)
        design.append(rows)
        values.append(_numbers(part))
        variances.append(np.full(len(rows), _variance(part)))
    matrix, heard, noise = np.vstack(design), np.concatenate(values), np.concatenate(variances)
    weighted = matrix.T / noise
    covariance = np.linalg.inv(weighted @ matrix)
    return Score(covariance @ (weighted @ heard), covariance)


def information_of(release: Release, tables: RoundTables) -> Information:
    """Return the information matrix, its eigenvalues raised to the level of the noise where they lie below it.

    The level is the largest norm of a row of standard deviations: about where the eigenvalues of a symmetric matrix of
    independent noise lie (Bandeira and van Handel, *Sharp nonasymptotic bounds on the norm of random matrices*, 2016).
    """
    features = tables.features
    full = np.zeros((features.full, features.full))
    shares = np.zeros_like(full)
    for product, part in zip(tables.products, release.parts, strict=True):
        cells = np.asarray(part.counts() * float(part.block.unit))
        _add_table(full, shares, features, product, cells, max(_variance(part), _EXACT))
    variances = np.divide(1.0, shares, out=np.zeros_like(full), where=shares > 0)
    full *= variances
    inside = np.ix_(features.kept, features.kept)
    values, vectors = np.linalg.eigh(full[inside])
    floor = float(np.sqrt(variances[inside].sum(axis=1).max()))
    matrix = (vectors * np.maximum(values, floor)) @ vectors.T
    return Information(matrix, float(full[0, 0]), vectors[:, values < floor])


def _full_rows(features: Features, product: Product) -> Array:
    """Return how the cells of a score table depend on the score of the model's columns, shape (cells, p)."""
    size = len(features.kept)
    place = {int(full): i for i, full in enumerate(features.kept)}
    if product.numbers:
        rows = np.zeros((1, size))
        rows[0, place[features.starts[product.numbers[0]]]] = 1.0
        return rows
    if not product.by:
        return np.eye(1, size)
    (name,) = product.by
    start, labels = features.starts[name], features.labels[name]
    rows = np.zeros((len(labels), size))
    for i in range(len(labels)):
        if start + i in place:
            rows[i, place[start + i]] = 1.0
    reference = labels.index(features.references[name])
    rows[reference] = -rows.sum(axis=0)
    rows[reference, 0] = 1.0
    return rows


def _add_table(full: Array, shares: Array, features: Features, product: Product, cells: Array, variance: float) -> None:
    """Add one table to the weighted sums of the entries that it tells of; `shares` sums the weights."""
    numbers, by = product.numbers, product.by
    slices = [slice(features.starts[name], features.starts[name] + len(features.labels[name])) for name in by]

    def tell(first: slice, second: slice, values: Array, summed: int) -> None:
        weight = 1.0 / (summed * variance)
        for a, b, block in ((first, second, values), (second, first, values.T)):
            full[a, b] += weight * block
            shares[a, b] += weight
            if first == second:
                break

    intercept = slice(0, 1)
    if len(numbers) == 2:
        first, second = (slice(features.starts[n], features.starts[n] + 1) for n in numbers)
        tell(first, second, cells.reshape(1, 1), 1)
        return
    left = slice(features.starts[numbers[0]], features.starts[numbers[0]] + 1) if numbers else intercept
    if len(by) == 2:
        tell(slices[0], slices[1], cells, 1)
    for axis, part in enumerate(slices):
        others = tuple(i for i in range(len(by)) if i != axis)
        margin = cells.sum(axis=others)
        summed = cells.size // len(margin)
        tell(left, part, margin[None, :], summed)
        if not numbers:
            tell(part, part, np.diag(margin), summed)
    tell(left, intercept, cells.sum().reshape(1, 1), cells.size)


def _numbers(part: Part) -> Array:
    return np.asarray(part.counts().reshape(-1) * float(part.block.unit))


def _variance(part: Part) -> float:
    return float(part.law.variance) * float(part.block.unit) ** 2
