"""The log-rank test between strata, with the noise in its variance.

In bin j let ``d[g]`` be the events and ``n[g]`` the number at risk of stratum g, n their sum, ``p[g] = n[g] / n`` and h
the common hazard. The statistic is ``U[g] = sum over j of w[j] (d[g] - p[g] d)``.

- **Sampling**: the hypergeometric variance ``w^2 d (n - d) / (n - 1) (p[g] [g = l] - p[g] p[l])``.
- **Noise**: under the hypothesis one patient more in bin i of stratum l changes U[g] by ``w[i] a[i]`` if it is an
  event, minus the sum of ``w[j] h[j] a[j]`` over all bins up to i, where ``a = [g = l] - p[g]``: the increments of a
  martingale. Squared, times the variance of the cell, and summed.

Events enter as released, signed, so that U has mean zero under the hypothesis; numbers at risk and h come from the
fitted tables.

**Weights.** Noise in late bins is as large as in early ones, and says nothing there. A bin gets the weight
``V / (V + N)``, with V the sampling variance that it would have at the average hazard and N the variance of the noise in
its events. Without noise every weight is 1, which is the log-rank test itself.

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
from pets.epi.survival.fit import RiskTable, fit
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
    tables = [fit(counts, stratum) for stratum in range(groups)]
    at_risk = np.stack([table.at_risk for table in tables])
    total = at_risk.sum(axis=0)
    share = np.divide(at_risk, total, out=np.zeros_like(at_risk), where=total > 0)
    hazard = _common_hazard(tables, total)
    weights = _weights(counts, tables, share, total)
    observed = counts.events[:, :, 0]
    score = ((observed - share * observed.sum(axis=0)) * weights).sum(axis=1)
    sampling, noise = _sampling(share, hazard, total, weights), _noise(tables, share, hazard, weights)
    statistic = float(score @ np.linalg.pinv(sampling + noise, hermitian=True) @ score)
    variance = np.trace(sampling + noise)
    return LogRank(
        statistic=statistic,
        degrees=groups - 1,
        p_value=float(chdtrc(groups - 1, statistic)),
        observed_minus_expected=tuple(float(value) for value in score),
        noise_share=float(np.trace(noise) / variance) if variance > 0 else 0.0,
    )


def _common_hazard(tables: list[RiskTable], total: Array) -> Array:
    events = np.sum([table.events[:, 0] for table in tables], axis=0)
    return np.divide(events, total, out=np.zeros_like(total), where=total > 0)


def _weights(counts: EventCounts, tables: list[RiskTable], share: Array, total: Array) -> Array:
    """Return one weight per bin; it depends on numbers at risk only, and not on the events of its bin."""
    widths = np.diff(np.concatenate([[counts.start], counts.times]))
    exposure = float(total @ widths)
    rate = sum(float(table.events.sum()) for table in tables) / exposure if exposure > 0 else 0.0
    sampling = (share * (1 - share)).sum(axis=0) * total * rate * widths
    variances = counts.events_variance[:, :, 0]
    noise = (variances * (1 - 2 * share)).sum(axis=0) + variances.sum(axis=0) * (share**2).sum(axis=0)
    return np.divide(sampling, sampling + noise, out=np.ones_like(sampling), where=noise > 0)


def _sampling(share: Array, hazard: Array, total: Array, weights: Array) -> Array:
    per_bin = weights**2 * hazard * total * (total - hazard * total)
    per_bin = np.divide(per_bin, total - 1, out=np.zeros_like(per_bin), where=total > 1)
    return np.diag(share @ per_bin) - (share * per_bin) @ share.T


def _noise(tables: list[RiskTable], share: Array, hazard: Array, weights: Array) -> Array:
    covariance = np.zeros((len(tables), len(tables)))
    for group, table in enumerate(tables):
        change = weights * (np.eye(len(tables))[:, [group]] - share)
        passed = np.cumsum(change * hazard, axis=1)
        of_event, of_censored = change - passed, table.lost * change * hazard - passed
        covariance += (of_event * table.events_variance[:, 0]) @ of_event.T
        covariance += (of_censored * table.censored_variance) @ of_censored.T
        covariance += table.beyond_variance * np.outer(passed[:, -1], passed[:, -1])
    return covariance
