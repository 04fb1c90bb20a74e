"""The log-rank test between strata, with the noise in its variance.

In bin j let ``d[g]`` be the events of stratum g, ``n[g]`` its number at risk, d and n their sums over strata. The
statistic is ``U[g] = sum over j of c[j] (d[g] n - n[g] d)`` with ``c = w / n``. Without noise every weight w is 1, and
this is the log-rank test.

**Why in this form.** ``d[g] n - n[g] d`` is a sum of products of counts of *different* strata, whose noises are
independent. So with noisy, signed counts its mean is still right, which that of ratios such as n[g] / n of clipped
counts is not: they favour the stratum with fewer at risk, and reject too often. Only c is taken from fitted counts.

**Variance.** Let x[g] be the cells of stratum g. Then ``U[g] = sum over l of x[g]' M x[l]`` with the antisymmetric
matrix ``M = sum_j c[j] (e[j] s[j]' - s[j] e[j]')``, where e[j] picks the events of bin j and s[j] those at risk in it.

- Sampling: hypergeometric, ``c^2 h (1 - h) n^2 / (n - 1) (n[g] n [g = l] - n[g] n[l])``.
- Noise, first order: a cell of stratum l changes U[g] by ``M (sum of all x [g = l] - x[g])``.
- Noise times noise: ``z[g]' M z[l]`` has the variance Q[g, l], the sum of the squares of M times both cells' variances.

The first order is estimated from noisy counts, so it contains Q twice too much, which is subtracted.

**Weights.** Noise in late bins is as large as in early ones, and says nothing there. A bin gets the weight
``V / (V + N)``, with V the sampling variance that it would have at the average hazard and N its noise variance.

References
----------
Mantel N (1966). Evaluation of survival data and two new rank order statistics arising in its consideration. Cancer
Chemotherapy Reports 50:163-170.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pets.domain import Label
from pets.epi.survival.counts import Array, EventCounts
from pets.epi.survival.fit import fit, from_here
from pets.errors import InvalidArgument
from pets.release import Release


@dataclass(frozen=True, slots=True)
class LogRank:
    """Result of the test.

    Attributes
    ----------
    statistic
        Chi-square statistic, noise included in its variance.
    degrees
        Degrees of freedom: strata minus one.
    p_value
        Chance of so large a statistic if all strata have the same hazards.
    observed_minus_expected
        U of each stratum.
    noise_share
        Part of the variance of U that is noise, averaged over strata: at 0.5 half of the evidence is lost.
    """

    statistic: float
    degrees: int
    p_value: float
    observed_minus_expected: tuple[float, ...]
    noise_share: float

    def __str__(self) -> str:
        return f"log-rank chi-square {self.statistic:.4g} on {self.degrees} d.f., p = {self.p_value:.3g}"


def log_rank(source: Release | EventCounts, *, event: Label | None = None) -> LogRank:
    """Test whether the strata of an event table have the same hazards.

    Parameters
    ----------
    source, event
        As for :func:`kaplan_meier`. The strata of one release cost its epsilon once: each patient is in one of them.

    Returns
    -------
    LogRank
        Without noise, and with bins of one day, the usual test.

    Raises
    ------
    InvalidArgument
        There are fewer than two strata; or as in :func:`kaplan_meier`.

    Guarantee
    ---------
    Post-processing of the release: no further privacy loss.
    """
    from scipy.special import chdtrc

    counts = EventCounts.of(source).single(event)
    groups = len(counts.strata)
    if groups < 2:
        raise InvalidArgument("source", "has one stratum only", "Ask for EventTable(..., by=[...]).")
    raw, at_risk, hazard = _Cells.released(counts), _fitted_at_risk(counts), _common_hazard(counts)
    scale = _weights(counts, raw, at_risk) * _inverse(at_risk.sum(axis=0))
    score = ((raw.events * raw.at_risk.sum(axis=0) - raw.at_risk * raw.events.sum(axis=0)) * scale).sum(axis=1)
    sampling, noise = _sampling(at_risk, hazard, scale), _noise(raw, scale)
    statistic = float(score @ np.linalg.pinv(sampling + noise, hermitian=True) @ score)
    variance = float(np.trace(sampling + noise))
    return LogRank(
        statistic=statistic,
        degrees=groups - 1,
        p_value=float(chdtrc(groups - 1, statistic)),
        observed_minus_expected=tuple(float(value) for value in score),
        noise_share=float(np.trace(noise)) / variance if variance > 0 else 0.0,
    )


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class _Cells:
    """Counts as released, shape (strata, bins), with the variance of their noise.

    `others_variance` is that of the number at risk without the events of its own bin.
    """

    events: Array
    at_risk: Array
    lost: Array
    events_variance: Array
    censored_variance: Array
    beyond_variance: Array
    others_variance: Array

    @classmethod
    def released(cls, counts: EventCounts) -> _Cells:
        events, variance, censored = counts.events[:, :, 0], counts.events_variance[:, :, 0], counts.censored_variance
        totals = events + counts.censored
        totals[:, -1] += counts.beyond
        entering = np.apply_along_axis(from_here, 1, totals)
        later = np.apply_along_axis(from_here, 1, variance + censored) - variance - censored
        return cls(
            events=events,
            at_risk=entering - counts.lost * counts.censored,
            lost=counts.lost,
            events_variance=variance,
            censored_variance=censored,
            beyond_variance=counts.beyond_variance,
            others_variance=later + (1 - counts.lost) ** 2 * censored + counts.beyond_variance[:, None],
        )

    def change(self, events: Array, at_risk: Array, scale: Array) -> tuple[Array, Array, Array]:
        """Return M x for the cells x of one stratum (or of a sum): for events, for censored, for those beyond."""
        passed = np.cumsum(scale * events)
        return scale * at_risk - passed, self.lost * scale * events - passed, -passed[-1:]


def _fitted_at_risk(counts: EventCounts) -> Array:
    return np.stack([fit(counts, stratum).at_risk for stratum in range(len(counts.strata))])


def _common_hazard(counts: EventCounts) -> Array:
    return fit(counts.pooled(), 0).hazards[:, 0]


def _weights(counts: EventCounts, raw: _Cells, at_risk: Array) -> Array:
    """Return one weight per bin, 1 where there is no noise; the events of single bins do not enter."""
    total = at_risk.sum(axis=0)
    share = at_risk * _inverse(total)
    rate = max(float(counts.events.sum()), 0.0) / max(float(total @ counts.widths), 1.0)
    sampling = (share * (1 - share)).sum(axis=0) * total * rate * counts.widths
    others = total - at_risk
    beside = raw.others_variance.sum(axis=0) - raw.others_variance
    noise = (raw.events_variance * (others**2 + beside)).sum(axis=0) * _inverse(total) ** 2
    return np.asarray(np.divide(sampling, sampling + noise, out=np.ones_like(sampling), where=noise > 0))


def _sampling(at_risk: Array, hazard: Array, scale: Array) -> Array:
    total = at_risk.sum(axis=0)
    per_pair = scale**2 * hazard * (1 - hazard) * total**2
    per_pair = np.divide(per_pair, total - 1, out=np.zeros_like(total), where=total > 1)
    return np.asarray(np.diag(at_risk @ (per_pair * total)) - (at_risk * per_pair) @ at_risk.T)


def _noise(raw: _Cells, scale: Array) -> Array:
    """Return the covariance of U by noise, shape (strata, strata)."""
    groups = len(raw.events)
    products = np.zeros((groups, groups))
    if not raw.events_variance.any() and not raw.censored_variance.any():
        return products
    own = [raw.change(raw.events[g], raw.at_risk[g], scale) for g in range(groups)]
    joint = raw.change(raw.events.sum(axis=0), raw.at_risk.sum(axis=0), scale)
    first = np.zeros((groups, groups))
    for group in range(groups):
        cells = raw.events_variance[group], raw.censored_variance[group], raw.beyond_variance[group]
        for variance, of_all, of_each in zip(cells, joint, zip(*own, strict=True), strict=True):
            change = -np.stack(of_each)
            change[group] += of_all
            first += (change * variance) @ change.T
    for g in range(groups):
        for other in range(groups):
            if other != g:
                both = raw.events_variance[g] * raw.others_variance[other]
                both = both + raw.events_variance[other] * raw.others_variance[g]
                products[g, other] = -float(scale**2 @ both)
    products -= np.diag(products.sum(axis=1))
    return _not_negative(first - 2 * products) + products


def _not_negative(matrix: Array) -> Array:
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    return np.asarray((vectors * np.maximum(values, 0.0)) @ vectors.T)


def _inverse(numbers: Array) -> Array:
    return np.divide(1.0, numbers, out=np.zeros_like(numbers), where=numbers > 0)
