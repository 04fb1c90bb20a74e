"""Cox-like hazard ratios from a table of events and censorings.

Within each bin j of time, stratum g has the hazard ``h[j] exp(x[g] beta)``. Of the n[g, j] who are at risk (the
censored for half of the bin) the share ``1 - exp(-m)`` has the event, with ``m = h[j] exp(x[g] beta)``: no matter how
wide the bin is, this is what proportional hazards say. Bins' own hazards h are profiled out. With d[g, j] events and
``a[g, j] = exp(x[g] beta) (1 - exp(-m)) / m``,

    U(beta) = sum over j of c[j] sum over g, l of (x[g] - x[l]) d[g, j] n[l, j] a[l, j],

where ``c[j] = 1 / sum of n[g, j] a[g, j]``. As bins get narrow, this is the score of Cox's partial likelihood with
Breslow's ties.

**Why in this form.** Terms with g = l vanish, so U is a sum of products of counts of *different* strata, whose noises
are independent: its mean stays right with noisy, signed counts. Only c and a are taken from fitted counts.

Bins with few at risk add more noise than information, so a few wide bins do better than many narrow ones
(``python -m benchmarks.regression``). What wide bins cost is the time of the censored within them, if that is not
spread evenly.

References
----------
Holford TR (1980). The analysis of rates and of survivorship using log-linear models. Biometrics 36:299-305.
Prentice RL, Gloeckler LA (1978). Regression analysis of grouped survival data with application to breast cancer data.
Biometrics 34:57-67.
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
from pets.epi.regression.result import Regression, clusters, sandwich
from pets.epi.regression.solve import root
from pets.epi.survival.counts import EventCounts
from pets.epi.survival.fit import fit, from_here
from pets.errors import InvalidArgument
from pets.release import Release

Array = NDArray[np.float64]

_ROUNDS, _HIGHEST = 20, 30.0
"""Newton steps for a bin's hazard, and the largest cumulated hazard of a bin that is looked at."""


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
    covariance, share = sandwich(slope, clusters(source) * cells.sampling(rows, beta), cells.noise(rows, beta))
    return Regression("hazards", design.names, beta, covariance, share, design.references, float(ridge))


@dataclass(frozen=True, slots=True, eq=False)
class _Cells:
    """Events and numbers at risk, shape (strata, bins): as released, and fitted to what people could have.

    Whoever is censored in a bin is taken to be at risk for half of it.
    """

    events: Array
    at_risk: Array
    fitted_events: Array
    fitted_at_risk: Array
    events_variance: Array
    censored_variance: Array
    beyond_variance: Array

    @classmethod
    def of(cls, counts: EventCounts) -> _Cells:
        events, censored = counts.events[:, :, 0], counts.censored
        totals = events + censored
        totals[:, -1] += counts.beyond
        tables = [fit(counts, stratum) for stratum in range(len(counts.strata))]
        entering = np.stack([table.entering for table in tables])
        left = np.stack([table.censored for table in tables])
        return cls(
            events=events,
            at_risk=np.apply_along_axis(from_here, 1, totals) - censored / 2,
            fitted_events=np.stack([table.events[:, 0] for table in tables]),
            fitted_at_risk=np.maximum(entering - left / 2, 0.0),
            events_variance=counts.events_variance[:, :, 0],
            censored_variance=counts.censored_variance,
            beyond_variance=counts.beyond_variance,
        )

    def score(self, rows: Array, beta: Array) -> Array:
        """Return U(beta), shape (p,)."""
        chance, hazard = self._chance(rows, beta)
        per_person = chance * _inverse(hazard)  # a of the module's docstring
        scale = _inverse((self.fitted_at_risk * per_person).sum(axis=0))
        exposed = self.at_risk * per_person
        terms = exposed.sum(axis=0) * self.events - self.events.sum(axis=0) * exposed
        return np.asarray(rows.T @ (terms @ scale))

    def information(self, rows: Array, beta: Array) -> Array:
        """Return minus the expected derivative of U, shape (p, p)."""
        chance, _ = self._chance(rows, beta)
        spared = 1 - chance
        return _outer(self._apart(rows, beta), self.fitted_at_risk * spared * -np.log(np.maximum(spared, 1e-300)))

    def sampling(self, rows: Array, beta: Array) -> Array:
        """Return the sampling variance of U: that of binomial events, shape (p, p)."""
        chance, _ = self._chance(rows, beta)
        return _outer(self._apart(rows, beta), self.fitted_at_risk * chance * (1 - chance))

    def noise(self, rows: Array, beta: Array) -> Array:
        """Return the covariance of U by noise: of first order, and of the products of two noises; shape (p, p)."""
        chance, hazard = self._chance(rows, beta)
        apart = self._apart(rows, beta)
        by_at_risk = -apart * chance[:, :, None]
        earlier = np.cumsum(by_at_risk, axis=1) - by_at_risk
        beyond = by_at_risk.sum(axis=1)
        found = _outer(earlier + by_at_risk + apart, self.events_variance)
        found = found + _outer(earlier + by_at_risk / 2, self.censored_variance)
        found = found + (beyond.T * self.beyond_variance) @ beyond
        return np.asarray(found + self._products(rows, chance * _inverse(hazard)))

    def _chance(self, rows: Array, beta: Array) -> tuple[Array, Array]:
        """Return the chance of the event in each cell, and each bin's hazard, such that events add up in every bin."""
        risk, total = _risk(rows, beta)[:, None], self.fitted_events.sum(axis=0)
        hazard = total * _inverse((self.fitted_at_risk * risk).sum(axis=0))
        for _ in range(_ROUNDS):
            spared = np.exp(-hazard * risk)
            missing = total - (self.fitted_at_risk * (1 - spared)).sum(axis=0)
            hazard = hazard + missing * _inverse((self.fitted_at_risk * risk * spared).sum(axis=0))
            hazard = np.clip(hazard, 0.0, _HIGHEST / risk.max())
        return -np.expm1(-hazard * risk), hazard

    def _apart(self, rows: Array, beta: Array) -> Array:
        """Return covariates less their mean in each bin, weighted as in the derivative; shape (strata, bins, p)."""
        chance, _ = self._chance(rows, beta)
        weight = self.fitted_at_risk * (1 - chance) * _risk(rows, beta)[:, None]
        mean = (weight.T @ rows) * _inverse(weight.sum(axis=0))[:, None]
        return np.asarray(rows[:, None, :] - mean[None, :, :])

    def _products(self, rows: Array, per_person: Array) -> Array:
        """Return what the products of the noises of two different strata add."""
        scale = _inverse((self.fitted_at_risk * per_person).sum(axis=0))
        both = self.events_variance + self.censored_variance
        later = np.apply_along_axis(from_here, 1, both) - both
        own = self.events_variance + self.censored_variance / 4 + self.beyond_variance[:, None]
        spread = (later + own) * np.square(per_person)
        pairs = np.einsum("gj,lj,j->gl", self.events_variance, spread, np.square(scale))
        apart = rows[:, None, :] - rows[None, :, :]
        return np.asarray(np.einsum("gl,glp,glq->pq", (pairs + pairs.T) / 2, apart, apart))


def _risk(rows: Array, beta: Array) -> Array:
    return np.asarray(np.exp(np.clip(rows @ beta, -300.0, 300.0)))


def _outer(gradient: Array, variance: Array) -> Array:
    return np.asarray(np.einsum("gjp,gj,gjq->pq", gradient, variance, gradient))


def _inverse(numbers: Array) -> Array:
    return np.divide(1.0, numbers, out=np.zeros_like(numbers), where=numbers > 0)
