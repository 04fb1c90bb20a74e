"""Kaplan-Meier, restricted mean and proportional hazards of single rows, in plain NumPy.

:mod:`pets.epi.survival` works on released tables with bins and noise; here rows with exact times are compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pets.synthetic.fidelity.metric import NotComputableError

if TYPE_CHECKING:
    from collections.abc import Sequence

Array = NDArray[np.float64]

_STEPS = 40
_ENOUGH = 1e-8
_SINGULAR = 1e12
_LINEAR = "covariates depend on each other linearly"
_SEPARATED = "the partial likelihood has no finite maximum: a covariate separates the events"
_FAR = 15.0
"""A log hazard ratio beyond this (per standard deviation) is a sign that the maximum lies at infinity."""


@dataclass(frozen=True, eq=False)
class Curve:
    """A product-limit estimate.

    Attributes
    ----------
    times
        Times of events, ascending.
    survival
        Just after each.
    events, at_risk
        Numbers at each.
    """

    times: Array
    survival: Array
    events: Array
    at_risk: Array

    def at(self, times: Array) -> Array:
        """Return survival at any times; after the last event it stays."""
        place = np.searchsorted(self.times, times, side="right")
        return np.concatenate([[1.0], self.survival])[place]


def kaplan_meier(time: Array, event: NDArray[np.bool_]) -> Curve:
    """Return the curve of rows with times and whether the event came (Kaplan and Meier 1958)."""
    if not len(time):
        raise NotComputableError("nobody is in this group")
    order = np.sort(time)
    times, events = np.unique(time[event], return_counts=True)
    at_risk = len(time) - np.searchsorted(order, times, side="left")
    return Curve(
        times.astype(np.float64),
        np.cumprod(1 - events / at_risk).astype(np.float64),
        events.astype(np.float64),
        at_risk.astype(np.float64),
    )


def restricted_mean(curve: Curve, horizon: float) -> tuple[float, float]:
    """Return the area under the curve up to `horizon` and its standard error (Greenwood; Klein, Moeschberger 4.5)."""
    inside = curve.times < horizon
    edges = np.concatenate([[0.0], curve.times[inside], [horizon]])
    steps = np.concatenate([[1.0], curve.survival[inside]]) * np.diff(edges)
    later = np.cumsum(steps[::-1])[::-1][1:]
    left = curve.at_risk[inside] - curve.events[inside]
    terms = later**2 * curve.events[inside] / (curve.at_risk[inside] * np.maximum(left, 1))
    return float(steps.sum()), float(np.sqrt(np.where(left > 0, terms, 0.0).sum()))


def log_rank(time: Array, event: NDArray[np.bool_], other: NDArray[np.bool_]) -> float:
    """Return the log-rank statistic of one group against the rest, in standard deviations (Mantel 1966).

    Parameters
    ----------
    time, event
        Of all rows.
    other
        Who is in the group; positive if events come to it sooner.

    Raises
    ------
    NotComputableError
        Nobody or everybody is in the group while events happen.
    """
    moments, dying = np.unique(time[event], return_counts=True)
    at_risk = len(time) - np.searchsorted(np.sort(time), moments, side="left")
    mine = int(other.sum()) - np.searchsorted(np.sort(time[other]), moments, side="left")
    hit = np.searchsorted(moments, time[event & other])
    observed = np.bincount(hit, minlength=len(moments))
    share = mine / np.maximum(at_risk, 1)
    variance = dying * share * (1 - share) * (at_risk - dying) / np.maximum(at_risk - 1, 1)
    if variance.sum() <= 0:
        raise NotComputableError("no event happens while both groups are at risk")
    return float((observed - dying * share).sum() / np.sqrt(variance.sum()))


@dataclass(frozen=True, eq=False)
class Cox:
    """A fitted proportional-hazards model.

    Attributes
    ----------
    coefficients, stderr
        Log hazard ratios and their standard errors.
    """

    coefficients: Array
    stderr: Array


def cox(features: Array, time: Array, event: NDArray[np.bool_], names: Sequence[str] = ()) -> Cox:
    """Return the maximum of Efron's partial likelihood (Efron 1977), by Newton's method.

    Parameters
    ----------
    features
        Shape (rows, features).
    time, event
        Shape (rows,).
    names
        Of the features, for messages.

    Raises
    ------
    NotComputableError
        There are no events, a feature is constant, or the likelihood has no maximum.
    """
    if not event.any():
        raise NotComputableError("there is no event")
    spread = features.std(axis=0)
    if (spread == 0).any():
        constant = [name for name, s in zip(names, spread, strict=False) if s == 0]
        raise NotComputableError(f"a covariate never varies ({', '.join(constant) or 'unnamed'})")
    scaled = (features - features.mean(axis=0)) / spread
    beta = np.zeros(features.shape[1])
    risk = _Risk.of(scaled, time, event)
    value, gradient, information = risk.likelihood(beta)
    for _ in range(_STEPS):
        if np.linalg.cond(information) > _SINGULAR:
            raise NotComputableError(_LINEAR if not beta.any() else _SEPARATED)
        step = np.linalg.solve(information, gradient)
        for _ in range(_STEPS):
            moved = risk.likelihood(beta + step)
            if moved[0] >= value - 1e-9 * abs(value):
                break
            step = step / 2
        beta, gain = beta + step, moved[0] - value
        value, gradient, information = moved
        if np.abs(beta).max() > _FAR:
            raise NotComputableError(_SEPARATED)
        if gain < _ENOUGH and np.abs(step).max() < 1e-6:
            break
    stderr = np.sqrt(np.diag(np.linalg.pinv(information, hermitian=True)))
    return Cox(beta / spread, stderr / spread)


@dataclass(frozen=True, eq=False)
class _Risk:
    """Rows by falling time, and for each event which rows are at risk and how much of its tie is counted off."""

    features: Array
    event: NDArray[np.bool_]
    last: NDArray[np.int64]
    first: NDArray[np.int64]
    part: Array

    @classmethod
    def of(cls, features: Array, time: Array, event: NDArray[np.bool_]) -> _Risk:
        order = np.lexsort((~event, -time))
        x, t, d = features[order], time[order], event[order]
        rows = np.flatnonzero(d)
        # Rows of one time stand together, events first: the tie of an event begins where its time begins.
        begin = np.searchsorted(-t, -t[rows], side="left")
        end = np.searchsorted(-t, -t[rows], side="right")
        dying = np.bincount(begin, minlength=len(t))[begin]
        return cls(x, d, end - 1, begin, (rows - begin) / dying)

    def likelihood(self, beta: Array) -> tuple[float, Array, Array]:
        """Return the log partial likelihood, its gradient and the negative of its Hessian."""
        x, rows = self.features, np.flatnonzero(self.event)
        score = np.clip(x @ beta, -500, 500)
        weight = np.exp(score - score.max())
        total = self._sums(weight[:, None])[:, 0]
        mean = self._sums(weight[:, None] * x) / total[:, None]
        value = float(score[rows].sum() - (np.log(total) + score.max()).sum())
        gradient = x[rows].sum(axis=0) - mean.sum(axis=0)
        information = np.empty((x.shape[1], x.shape[1]))
        for a in range(x.shape[1]):
            second = self._sums((weight * x[:, a])[:, None] * x) / total[:, None]
            information[a] = second.sum(axis=0) - mean[:, a] @ mean
        return value, gradient, information

    def _sums(self, values: Array) -> Array:
        """Return for each event the sum over those at risk, less Efron's part of those who die at the same time."""
        all_of = np.cumsum(values, axis=0)
        dying = np.cumsum(np.where(self.event[:, None], values, 0.0), axis=0)
        before = np.where(self.first[:, None] > 0, dying[self.first - 1], 0.0)
        return np.asarray(all_of[self.last] - self.part[:, None] * (dying[self.last] - before))
