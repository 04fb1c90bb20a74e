"""Cox-like hazard ratios from a table of events and censorings.

Within each bin of time the hazard is constant and proportional between strata (piecewise exponential). Bins' own
hazards are profiled out. With d[g, j] events and r[g, j] time at risk of stratum g in bin j, ``e[g] = exp(x[g] beta)``,

    U(beta) = sum over j of c[j] sum over g, l of (x[g] - x[l]) d[g, j] r[l, j] e[l],   c[j] = 1 / S[j],

where ``S[j] = sum of r[g, j] e[g]``. Without noise this is the score of the profile likelihood; as bins get narrow,
that of Cox's partial likelihood with Breslow's ties.

**Why in this form.** Terms with g = l vanish, so U is a sum of products of counts of *different* strata, whose noises
are independent: its mean stays right with noisy, signed counts. Only c is taken from fitted counts.

Bins with few at risk add more noise than information, so a few wide bins do better than many narrow ones: for 4,028
children with Wilms tumours at epsilon 1, five bins give a noise of 0.04 in each coefficient, nine give 0.06.

References
----------
Holford TR (1980). The analysis of rates and of survivorship using log-linear models. Biometrics 36:299-305.
Laird N, Olivier D (1981). Covariance analysis of censored survival data using log-linear analysis techniques. Journal
of the American Statistical Association 76:231-240.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pets.domain import Label
from pets.epi.regression.design import design_of
from pets.epi.regression.result import Regression, sandwich
from pets.epi.regression.solve import root
from pets.epi.survival.counts import EventCounts
from pets.epi.survival.fit import fit, from_here
from pets.errors import InvalidArgument
from pets.release import Release

Array = NDArray[np.float64]


def hazard_ratios(
    source: Release,
    *,
    event: Label | None = None,
    on: Sequence[str] | None = None,
    reference: Mapping[str, Label] | None = None,
    linear: Sequence[str] = (),
    ridge: float = 0.0,
) -> Regression:
    """Fit proportional hazards to a released event table.

    Parameters
    ----------
    source
        Release of ``pets.EventTable(time, event, by=[covariates], bins=[...])``.
    event
        The event whose hazard is modelled, others counting as censorings; any event if left out.
    on, reference, linear
        As in :func:`pets.epi.logistic_regression`.
    ridge
        Penalty on the squared coefficients; needed where noise outweighs the information.

    Returns
    -------
    Regression
        Logarithms of hazard ratios; bins' own hazards are not among them.

    Raises
    ------
    InvalidArgument
        The release is no event table with covariates, a name is unknown, or there is no finite estimate without a
        (larger) ridge.
    PairingRefused
        As in :func:`pets.epi.kaplan_meier`.

    Guarantee
    ---------
    Post-processing of the release: no further privacy loss.
    """
    counts = EventCounts.of(source).single(event)
    groups = source.parts[0].block.axes[:-2]
    if not groups:
        raise InvalidArgument("source", "has no covariates", "Ask for EventTable(..., by=[...]).")
    if isinstance(ridge, bool) or not isinstance(ridge, int | float) or not 0 <= ridge < 1e12:
        raise InvalidArgument("ridge", "must be a number of 0 or more")
    design = design_of(groups, on, reference, linear)
    cells, rows = _Cells.of(counts), design.matrix
    size = rows.shape[1]

    def equation(beta: Array) -> tuple[Array, Array]:
        return cells.score(rows, beta), cells.information(rows, beta)

    beta, slope = root(equation, size, np.full(size, float(ridge)))
    covariance, share = sandwich(slope, cells.information(rows, beta), cells.noise(rows, beta))
    return Regression("hazards", design.names, beta, covariance, share, design.references, float(ridge))


@dataclass(frozen=True, slots=True, eq=False)
class _Cells:
    """Events and time at risk, shape (strata, bins): as released, and fitted to what people could have.

    Whoever has the event in a bin, or is censored in it, is taken to be at risk for half of it.
    """

    events: Array
    exposed: Array
    fitted_events: Array
    fitted_exposed: Array
    events_variance: Array
    censored_variance: Array
    beyond_variance: Array

    @classmethod
    def of(cls, counts: EventCounts) -> _Cells:
        events, censored = counts.events[:, :, 0], counts.censored
        totals = events + censored
        totals[:, -1] += counts.beyond
        tables = [fit(counts, stratum) for stratum in range(len(counts.strata))]
        fitted = np.stack([table.events[:, 0] for table in tables])
        entering = np.stack([table.entering for table in tables])
        left = np.stack([table.censored for table in tables])
        return cls(
            events=events,
            exposed=np.apply_along_axis(from_here, 1, totals) - (events + censored) / 2,
            fitted_events=fitted,
            fitted_exposed=np.maximum(entering - (left + fitted) / 2, 0.0),
            events_variance=counts.events_variance[:, :, 0],
            censored_variance=counts.censored_variance,
            beyond_variance=counts.beyond_variance,
        )

    def score(self, rows: Array, beta: Array) -> Array:
        """Return U(beta), shape (p,)."""
        risk = _risk(rows, beta)[:, None]
        scale = _inverse((self.fitted_exposed * risk).sum(axis=0))
        at_risk = self.exposed * risk
        terms = at_risk.sum(axis=0) * self.events - self.events.sum(axis=0) * at_risk
        return np.asarray(rows.T @ (terms @ scale))

    def information(self, rows: Array, beta: Array) -> Array:
        """Return the information of the fitted counts, which is also the sampling variance of U, shape (p, p)."""
        expected, apart, _ = self._moments(rows, beta)
        return _outer(apart, expected)

    def noise(self, rows: Array, beta: Array) -> Array:
        """Return the covariance of U by noise: of first order, and of the products of two noises; shape (p, p)."""
        _, apart, scale = self._moments(rows, beta)
        risk, total = _risk(rows, beta), self.fitted_events.sum(axis=0)
        seen = (self.fitted_events.T @ rows) * _inverse(total)[:, None]
        by_exposed = (seen[None, :, :] - rows[:, None, :]) * ((scale * total) * risk[:, None])[:, :, None]
        earlier = np.cumsum(by_exposed, axis=1) - by_exposed
        for_censored = earlier + by_exposed / 2
        for_event = for_censored + apart
        beyond = by_exposed.sum(axis=1)
        found = _outer(for_event, self.events_variance) + _outer(for_censored, self.censored_variance)
        found = found + (beyond.T * self.beyond_variance) @ beyond
        return np.asarray(found + self._products(rows, risk, scale))

    def _moments(self, rows: Array, beta: Array) -> tuple[Array, Array, Array]:
        """Return expected events, shape (strata, bins), covariates less their mean at risk, and c."""
        at_risk = self.fitted_exposed * _risk(rows, beta)[:, None]
        scale = _inverse(at_risk.sum(axis=0))
        mean = (at_risk.T @ rows) * scale[:, None]
        hazard = self.fitted_events.sum(axis=0) * scale
        return at_risk * hazard, rows[:, None, :] - mean[None, :, :], scale

    def _products(self, rows: Array, risk: Array, scale: Array) -> Array:
        """Return what the products of the noises of two different strata add."""
        both = self.events_variance + self.censored_variance
        later = np.apply_along_axis(from_here, 1, both) - both
        spread = (later + both / 4 + self.beyond_variance[:, None]) * np.square(risk)[:, None]
        pairs = np.einsum("gj,lj,j->gl", self.events_variance, spread, np.square(scale))
        apart = rows[:, None, :] - rows[None, :, :]
        return np.asarray(np.einsum("gl,glp,glq->pq", (pairs + pairs.T) / 2, apart, apart))


def _risk(rows: Array, beta: Array) -> Array:
    return np.asarray(np.exp(np.clip(rows @ beta, -300.0, 300.0)))


def _outer(gradient: Array, variance: Array) -> Array:
    return np.asarray(np.einsum("gjp,gj,gjq->pq", gradient, variance, gradient))


def _inverse(numbers: Array) -> Array:
    return np.divide(1.0, numbers, out=np.zeros_like(numbers), where=numbers > 0)
