"""Kaplan-Meier, Nelson-Aalen and Aalen-Johansen curves from tables of noisy counts."""

from __future__ import annotations

import numpy as np

from pets.domain import Label
from pets.epi.survival import functionals
from pets.epi.survival.counts import Array, EventCounts
from pets.epi.survival.curves import Curve, Curves, Kind
from pets.epi.survival.delta import Gradient, variances
from pets.epi.survival.fit import RiskTable, fit, released_entering
from pets.epi.survival.limits import Interval, interval_argument, level_argument, limits
from pets.exact import Number
from pets.release import Release


def kaplan_meier(
    source: Release | EventCounts, *, event: Label | None = None, level: Number = 0.95, interval: Interval = "score"
) -> Curves:
    """Return the product-limit estimate of survival in each stratum.

    Parameters
    ----------
    source
        A release of :class:`pets.EventTable`, with or without noise, or :class:`EventCounts`.
    event
        The event to survive; all others then count as censorings. ``None``: any event.
    level
        Two-sided confidence level of the pointwise limits.
    interval
        ``'score'``, or ``'log-log'`` as R and lifelines print it; see :mod:`pets.epi.survival.limits`.

    Returns
    -------
    Curves
        The limits include sampling (Greenwood) and noise (delta method with the exact variance of the noise).

    Notes
    -----
    Let the bins end before the upper bound of the time attribute: those followed longer are then known to have been
    at risk throughout. In a last bin that reaches the bound, they count as censored halfway.

    In simulated cohorts the 95 % limits cover 93 to 97 % on average from 228 patients on at epsilon 0.5 and more, and
    for 100 patients at epsilon 2 and more; below that the noise is larger than the curve (``benchmarks/survival.py``).

    Raises
    ------
    InvalidArgument
        `source` is no release of an event table, or another argument is out of range.
    PairingRefused
        A cell of the release is hidden.

    Guarantee
    ---------
    Post-processing of the release: no further privacy loss.

    References
    ----------
    Kaplan EL, Meier P (1958). Nonparametric estimation from incomplete observations. JASA 53:457-481.

    Gondara L, Wang K (2020). Differentially private survival function estimation. MLHC.

    Examples
    --------
    >>> import pets
    >>> from pets.epi.survival import EventCounts, kaplan_meier
    >>> domain = pets.Domain(
    ...     time=pets.Integer(0, 1080, bins=range(0, 1081, 90)),
    ...     status=["censored", "dead"],
    ...     sex=["male", "female"],
    ... )
    >>> question = pets.EventTable("time", "status", by=["sex"]).bind(domain)
    >>> counts = EventCounts.exact(question, question.tally(pets.datasets.lung()))
    >>> round(kaplan_meier(counts)["female"].at(400)[0], 2)
    0.51
    """
    counts = EventCounts.of(source).single(event)
    chosen, confidence = interval_argument(interval), level_argument(level)
    curves = []
    for stratum, labels in enumerate(counts.strata):
        table = fit(counts, stratum)
        raw = np.cumprod(1 - _raw_hazards(counts, stratum).sum(axis=1))
        curves.append(
            _curve(
                "survival", labels, counts, stratum, table, functionals.survival(table.hazards), raw,
                functionals.survival_gradient(table.hazards), chosen, confidence,
            )
        )  # fmt: skip
    return _curves("survival", counts, tuple(curves), confidence, chosen)


def nelson_aalen(
    source: Release | EventCounts, *, event: Label | None = None, level: Number = 0.95, interval: Interval = "score"
) -> Curves:
    """Return the cumulative hazard in each stratum; parameters and errors are those of :func:`kaplan_meier`.

    References
    ----------
    Aalen O (1978). Nonparametric inference for a family of counting processes. Annals of Statistics 6:701-726.
    Klein JP (1991). Small sample moments of some estimators of the variance of the Kaplan-Meier and Nelson-Aalen
    estimators. Scandinavian Journal of Statistics 18:333-340 (the binomial variance for ties).
    """
    counts = EventCounts.of(source).single(event)
    chosen, confidence = interval_argument(interval), level_argument(level)
    curves = []
    for stratum, labels in enumerate(counts.strata):
        table = fit(counts, stratum)
        raw = np.cumsum(_raw_hazards(counts, stratum).sum(axis=1))
        curves.append(
            _curve(
                "hazard", labels, counts, stratum, table, functionals.cumulative_hazard(table.hazards), raw,
                functionals.cumulative_hazard_gradient(table.hazards), chosen, confidence,
            )
        )  # fmt: skip
    return _curves("hazard", counts, tuple(curves), confidence, chosen)


def cumulative_incidence(
    source: Release | EventCounts, *, level: Number = 0.95, interval: Interval = "score"
) -> Curves:
    """Return the cumulative incidence of each cause in each stratum, the others competing with it.

    One curve per stratum and cause, the cause last among its labels. Within a stratum they add up to 1 minus
    survival. Parameters and errors are those of :func:`kaplan_meier`.

    References
    ----------
    Aalen OO, Johansen S (1978). An empirical transition matrix for non-homogeneous Markov chains based on censored
    observations. Scandinavian Journal of Statistics 5:141-150.
    """
    counts = EventCounts.of(source)
    chosen, confidence = interval_argument(interval), level_argument(level)
    curves = []
    for stratum, labels in enumerate(counts.strata):
        table = fit(counts, stratum)
        fitted, raw = functionals.incidence(table.hazards), _raw_incidence(_raw_hazards(counts, stratum))
        curves += [
            _curve(
                "incidence", (*labels, cause), counts, stratum, table, fitted[:, k], raw[:, k],
                functionals.incidence_gradient(table.hazards, k), chosen, confidence,
            )
            for k, cause in enumerate(counts.causes)
        ]  # fmt: skip
    return _curves("incidence", counts, tuple(curves), confidence, chosen)


def _curves(kind: Kind, counts: EventCounts, curves: tuple[Curve, ...], level: float, interval: Interval) -> Curves:
    by = (*counts.by, "cause") if kind == "incidence" else counts.by
    return Curves(kind, by, counts.start, counts.step, curves, level, interval, counts.noisy)


def _curve(
    kind: Kind,
    labels: tuple[Label, ...],
    counts: EventCounts,
    stratum: int,
    table: RiskTable,
    value: Array,
    raw: Array,
    gradient: Gradient,
    interval: Interval,
    level: float,
) -> Curve:
    sampling, noise = variances(table, gradient, len(value))
    low, high = limits(kind, interval, level, value, sampling, noise, table.at_risk)
    without = limits(kind, interval, level, value, sampling, np.zeros_like(noise), table.at_risk)
    return Curve(
        labels=labels,
        times=counts.times,
        value=value,
        raw=raw,
        low=low,
        high=high,
        low_sampling=without[0],
        high_sampling=without[1],
        stderr_sampling=np.sqrt(sampling),
        stderr_noise=np.sqrt(noise),
        at_risk=table.entering,
        at_risk_raw=released_entering(counts, stratum),
        reliable=table.reliable,
    )


def _raw_hazards(counts: EventCounts, stratum: int) -> Array:
    """Return events over numbers at risk as released: 0 / 0 is 0, anything else over nobody is ``nan``."""
    at_risk = released_entering(counts, stratum) - counts.lost * counts.censored[stratum]
    events = counts.events[stratum]
    undefined = np.where(events == 0, 0.0, np.nan)
    return np.asarray(np.divide(events, at_risk[:, None], out=undefined, where=at_risk[:, None] > 0))


def _raw_incidence(hazards: Array) -> Array:
    before = np.concatenate([[1.0], np.cumprod(1 - hazards.sum(axis=1))[:-1]])
    return np.asarray(np.cumsum(before[:, None] * hazards, axis=0))
