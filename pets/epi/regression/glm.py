"""Logistic and Poisson regression on a table of counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pets.domain import Label
from pets.epi.regression.design import Design, design_of
from pets.epi.regression.result import Regression, clusters, sandwich
from pets.epi.regression.solve import root
from pets.errors import InvalidArgument, PairingRefused, did_you_mean
from pets.query import Count, Measured
from pets.query.layout import Axis
from pets.release import Release

Array = NDArray[np.float64]


def logistic_regression(
    release: Release,
    outcome: str,
    *,
    event: Label | None = None,
    on: Sequence[str] | None = None,
    reference: Mapping[str, Label] | None = None,
    linear: Sequence[str] = (),
    ridge: float = 0.0,
) -> Regression:
    """Fit the odds of an outcome to a released table of counts.

    Parameters
    ----------
    release
        Of ``pets.Count(by=[...])`` over the outcome and all covariates.
    outcome
        Attribute with two categories.
    event
        The category whose odds are modelled; its last one if left out.
    on, reference, linear
        Covariates in the model (all but the outcome if left out), the category that others are compared with (the first
        one if left out), and those that enter as the middle of their bins.
    ridge
        Penalty on the squared coefficients, the intercept apart; needed where noise outweighs the information.

    Returns
    -------
    Regression
        The first coefficient is the intercept.

    Raises
    ------
    InvalidArgument
        The release is no table of counts, a name is unknown, or there is no finite estimate without a (larger) ridge.
    PairingRefused
        Cells are hidden, or were estimated together, or the release was selected among several.

    Guarantee
    ---------
    Post-processing of the release: no further privacy loss.
    """
    axes, counts, variance = _table(release)
    place = _place(axes, outcome)
    labels = axes[place].labels
    if len(labels) != 2:
        raise InvalidArgument("outcome", f"{outcome!r} has {len(labels)} categories, and must have two")
    chosen = labels[1] if event is None else event
    if chosen not in labels:
        raise InvalidArgument("event", f"{chosen!r} is no category of it", did_you_mean(str(chosen), map(str, labels)))
    yes = labels.index(chosen)
    design = design_of([axis for axis in axes if axis.name != outcome], on, reference, linear)
    rows = _with_intercept(design)
    ones, noughts = (np.take(counts, k, axis=place).reshape(-1) for k in (yes, 1 - yes))
    noise_ones, noise_noughts = (np.take(variance, k, axis=place).reshape(-1) for k in (yes, 1 - yes))

    def equation(beta: Array) -> tuple[Array, Array]:
        chance = _logistic(rows @ beta)
        information = (rows.T * ((ones + noughts) * chance * (1 - chance))) @ rows
        return rows.T @ (ones * (1 - chance) - noughts * chance), information

    beta, slope = root(equation, rows.shape[1], _penalty(ridge, rows.shape[1]))
    chance = _logistic(rows @ beta)
    noise = (rows.T * ((1 - chance) ** 2 * noise_ones + chance**2 * noise_noughts)) @ rows
    return _result("logistic", design, beta, (slope, clusters(release) * equation(beta)[1], noise), ridge)


def poisson_regression(
    release: Release,
    person_years: ArrayLike,
    *,
    on: Sequence[str] | None = None,
    reference: Mapping[str, Label] | None = None,
    linear: Sequence[str] = (),
    ridge: float = 0.0,
) -> Regression:
    """Fit incidence rates to a released table of cases and public person-years.

    Parameters
    ----------
    release
        Of ``pets.Count(by=[...])`` over the covariates.
    person_years
        Person-years at risk of each cell, of the table's shape; 0 where nobody lives.
    on, reference, linear, ridge
        As in :func:`logistic_regression`.

    Returns
    -------
    Regression
        The first coefficient is the intercept: the logarithm of the rate where all covariates are at their reference.

    Raises
    ------
    InvalidArgument
        As in :func:`logistic_regression`; also for person-years of another shape, or negative.
    PairingRefused
        As in :func:`logistic_regression`.

    Guarantee
    ---------
    Post-processing of the release: no further privacy loss.
    """
    axes, counts, variance = _table(release)
    try:
        years = np.asarray(person_years, dtype=np.float64)
    except (TypeError, ValueError):
        raise InvalidArgument("person_years", "must be numbers") from None
    if years.shape != counts.shape or not np.isfinite(years).all() or (years < 0).any() or not years.any():
        raise InvalidArgument("person_years", f"must be numbers of 0 or more, of the table's shape {counts.shape}")
    design = design_of(axes, on, reference, linear)
    rows, cases, time = _with_intercept(design), counts.reshape(-1), years.reshape(-1)
    overall = max(float(cases.sum()), 1.0) / float(time.sum())

    def equation(beta: Array) -> tuple[Array, Array]:
        expected = time * overall * np.exp(np.minimum(rows @ beta, 500.0))
        return rows.T @ np.where(time > 0, cases - expected, 0.0), (rows.T * expected) @ rows

    beta, slope = root(equation, rows.shape[1], _penalty(ridge, rows.shape[1]))
    sampling = clusters(release) * equation(beta)[1]
    noise = (rows.T * np.where(time > 0, variance.reshape(-1), 0.0)) @ rows
    beta[0] += np.log(overall)
    return _result("poisson", design, beta, (slope, sampling, noise), ridge)


def _table(release: Release) -> tuple[tuple[Axis, ...], Array, Array]:
    """Return the axes of a table of counts, the counts, and the variance of their noise, both of the table's shape."""
    if not isinstance(release, Release) or not isinstance(release.query.query, Count):
        raise InvalidArgument("release", "must be the release of a Count", "Ask for pets.Count(by=[...]).")
    part = release.parts[0]
    if not isinstance(part, Measured):
        raise PairingRefused("cells that were estimated together have errors that depend on each other.")
    if not getattr(part.law, "unbiased", True):
        raise PairingRefused(
            "these counts were rounded with a bias, of which no interval would know. Publish with noise."
        )
    if release.best_of is not None:
        raise PairingRefused("this release is the best of several runs, so its counts are not unbiased.")
    if part.suppressed is not None and part.suppressed.any():
        raise PairingRefused("this release hides cells, so a model of it would be biased. Publish it with noise.")
    block = part.block
    variance = np.where(block.free()[: block.cells], part.law.variance, 0.0).reshape(block.shape)
    return block.axes, part.counts().astype(np.float64), variance


def _place(axes: Sequence[Axis], name: str) -> int:
    names = [axis.name for axis in axes]
    if name not in names:
        raise InvalidArgument("outcome", f"names {name!r}, which is not in this table", did_you_mean(name, names))
    return names.index(name)


def _with_intercept(design: Design) -> Array:
    return np.column_stack([np.ones(len(design.matrix)), design.matrix])


def _penalty(ridge: float, size: int) -> Array:
    if isinstance(ridge, bool) or not isinstance(ridge, int | float) or not 0 <= ridge < 1e12:
        raise InvalidArgument("ridge", "must be a number of 0 or more")
    return np.array([0.0, *[float(ridge)] * (size - 1)])


def _result(model: str, design: Design, beta: Array, matrices: tuple[Array, Array, Array], ridge: float) -> Regression:
    covariance, share = sandwich(*matrices)
    return Regression(model, ("intercept", *design.names), beta, covariance, share, design.references, float(ridge))


def _logistic(linear: Array) -> Array:
    from scipy.special import expit

    return np.asarray(expit(linear))
