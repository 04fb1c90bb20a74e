"""From signed noisy counts to a table that people could have: no negative count, the same total, nobody twice.

**What is fitted.** For each stratum and each kind of ending (each event, and being censored) the noisy counts y are
replaced by the nearest counts that are not negative and have the same total: ``x = max(y - c, 0)`` with the
constant c that keeps the sum. Numbers at risk are sums of fitted counts from their bin on. Hence hazards are not
negative, survival never rises, numbers at risk never rise, and events, censorings and numbers at risk agree with each
other. Clipping each count at zero instead would add about 0.43 patients for each empty cell at epsilon 1; here the
total is the unbiased one.

**The end of the curve.** Where fewer are at risk than twice the standard deviation of the noise in that number, the
hazard of a single bin is noise over noise. Such bins are merged: they share one rate, their events over their time at
risk. They are marked as not reliable; limits are not claimed to cover there.

This is post-processing: it costs no privacy, and it is biased where the noise is large. What was measured stays
available as ``raw`` beside it.

References
----------
Held M, Wolfe P, Crowder HP (1974). Validation of subgradient optimization. Mathematical Programming 6:62-88 (the
projection onto a simplex).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pets.epi.survival.counts import Array, EventCounts

FLOOR = 2.0
"""Numbers at risk count as known from so many standard deviations of their noise on."""

SURE = 3.0
"""The same for a number quoted without its curve: nobody at risk passes for somebody in 0.14 of 100 releases."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class RiskTable:
    """One stratum, fitted.

    Attributes
    ----------
    events, events_variance
        Fitted counts and the variance of their noise, shape (bins, causes).
    censored, censored_variance
        Shape (bins,).
    beyond_variance
        Variance of the noise in the number followed beyond the last bin.
    lost
        Share of the censored that miss an event of their bin.
    entering
        Number at risk as the bin begins, shape (bins,).
    at_risk
        Number exposed to the bin's hazard: half the censored are lost (fewer in narrow bins). For variances it is
        not taken to be below the noise.
    hazards
        Share of those at risk who have each event, shape (bins, causes); 0 where nobody is at risk.
    reliable
        Whether the number at risk is above its noise.
    """

    events: Array
    events_variance: Array
    censored: Array
    censored_variance: Array
    beyond_variance: float
    lost: Array
    entering: Array
    at_risk: Array
    hazards: Array
    reliable: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]

    def __repr__(self) -> str:
        # Never a count: these may be the exact ones.
        return f"<RiskTable: {len(self.lost)} bins>"


def fit(counts: EventCounts, stratum: int) -> RiskTable:
    """Return the fitted table of one stratum."""
    variance, censored_variance = counts.events_variance[stratum], counts.censored_variance[stratum]
    events = np.stack([same_total(y, v) for y, v in zip(counts.events[stratum].T, variance.T, strict=True)], axis=1)
    censored = same_total(counts.censored[stratum], censored_variance)
    beyond, beyond_variance = float(counts.beyond[stratum]), float(counts.beyond_variance[stratum])
    entering = from_here(events.sum(axis=1) + censored) + max(beyond, 0.0)
    noise = entering_variance(counts, stratum)
    floor = FLOOR * np.sqrt(noise)
    reliable = (entering > floor) | (floor == 0)
    exposed = entering - counts.lost * censored
    hazards = np.divide(events, exposed[:, None], out=np.zeros_like(events), where=events > 0)
    hazards[~reliable] = _one_rate(events[~reliable], exposed[~reliable], counts.widths[~reliable])
    return RiskTable(
        events=events,
        events_variance=variance,
        censored=censored,
        censored_variance=censored_variance,
        beyond_variance=beyond_variance,
        lost=counts.lost,
        entering=entering,
        at_risk=np.maximum(exposed, floor),
        hazards=hazards,
        reliable=reliable,
    )


def released_entering(counts: EventCounts, stratum: int) -> Array:
    """Return numbers at risk as each bin begins from the released counts, unfitted and unbiased."""
    per_bin = counts.events[stratum].sum(axis=1) + counts.censored[stratum]
    return from_here(per_bin) + float(counts.beyond[stratum])


def entering_variance(counts: EventCounts, stratum: int) -> Array:
    """Return the variance of the noise in :func:`released_entering`."""
    per_bin = counts.events_variance[stratum].sum(axis=1) + counts.censored_variance[stratum]
    return from_here(per_bin) + float(counts.beyond_variance[stratum])


def known_bins(counts: EventCounts, stratum: int) -> int:
    """Return how many bins, from the first on, have a number at risk that stands out of its noise.

    The released number is compared, not the fitted one: that is pushed upwards where the noise is large.
    """
    deviation = np.sqrt(entering_variance(counts, stratum))
    known = (deviation == 0) | (released_entering(counts, stratum) > SURE * deviation)
    return len(known) if known.all() else int(np.argmin(known))


def _one_rate(events: Array, exposed: Array, widths: Array) -> Array:
    """Return hazards of the bins if they all have the same rate of each event per unit of time at risk."""
    time_at_risk = float(exposed @ widths)
    rates = events.sum(axis=0) / time_at_risk if time_at_risk > 0 else np.zeros(events.shape[1])
    hazards = widths[:, None] * rates
    return np.asarray(hazards / np.maximum(hazards.sum(axis=1, keepdims=True), 1.0))


def same_total(noisy: Array, variance: Array) -> Array:
    """Return the nearest counts that are not negative and add up to the same total; all 0 if that is not positive.

    Cells without noise are left as they are.
    """
    fitted = noisy.copy()
    free = variance > 0
    if free.any():
        fitted[free] = _onto_simplex(noisy[free])
    return fitted


def _onto_simplex(values: Array) -> Array:
    total = float(values.sum())
    if total <= 0:
        return np.zeros_like(values)
    descending = np.sort(values)[::-1]
    shift = (np.cumsum(descending) - total) / np.arange(1, len(values) + 1)
    kept = int(np.flatnonzero(descending > shift)[-1])
    return np.asarray(np.maximum(values - shift[kept], 0.0))


def from_here(per_bin: Array) -> Array:
    """Return, for each bin, the sum over this bin and all later ones."""
    return np.cumsum(per_bin[::-1])[::-1]
