"""One number per stratum: restricted mean survival time and quantiles of survival, noise included."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pets.domain import Label
from pets.epi.survival import functionals
from pets.epi.survival.counts import Array, EventCounts
from pets.epi.survival.curves import Curve
from pets.epi.survival.delta import variances
from pets.epi.survival.estimators import kaplan_meier
from pets.epi.survival.fit import fit, known_bins
from pets.epi.survival.limits import Interval, level_argument, quantile_of
from pets.errors import InvalidArgument
from pets.exact import Number, positive
from pets.release import Release


@dataclass(frozen=True, slots=True)
class Duration:
    """A time with its interval, or the statement that the noise leaves none.

    A time is given only as far as the number at risk stands out of its noise (three standard deviations of the released
    number, :data:`pets.epi.survival.fit.SURE`). Where it does not, :attr:`reliable` is false, the value is ``nan`` and
    the limits are those that hold whatever the counts are: they say that nothing more is known.

    Attributes
    ----------
    labels
        Labels of the stratum.
    value
        Estimate, in units of the time attribute; ``inf`` for a quantile that the curve does not reach, ``nan`` where
        the noise hides it.
    low, high
        Limits that include the noise. Of a quantile that the band does not reach, `high` is ``inf`` and `low` the last
        time of follow-up: later than that is all that is known.
    level
        Confidence level.
    stderr_sampling, stderr_noise
        Standard errors; ``nan`` for a quantile, whose limits come from the band, and where nothing can be estimated.
    reliable
        Whether the noise leaves an estimate.
    known_to
        Time up to which the number at risk stands out of its noise: the longest horizon that can be asked for.
    """

    labels: tuple[Label, ...]
    value: float
    low: float
    high: float
    level: float
    stderr_sampling: float
    stderr_noise: float
    reliable: bool
    known_to: float

    def __str__(self) -> str:
        stratum = ", ".join(str(label) for label in self.labels)
        text = f"{self.value:.4g} ({100 * self.level:.4g} % CI {self.low:.4g} to {self.high:.4g})"
        if not self.reliable:
            text = f"not estimable (too few at risk for this noise after time {self.known_to:.4g})"
        return f"{stratum}: {text}" if stratum else text


def restricted_mean(
    source: Release | EventCounts, horizon: Number, *, event: Label | None = None, level: Number = 0.95
) -> tuple[Duration, ...]:
    """Return the mean time survived of the first `horizon`, one per stratum: the area under the survival curve.

    Within a bin the curve falls evenly from one end to the other; with bins of one day this is exactly the area under
    the Kaplan-Meier steps.

    Parameters
    ----------
    source, event, level
        As for :func:`kaplan_meier`.
    horizon
        Where to stop: after the lower bound of time and at most one step after the last bin.

    Raises
    ------
    InvalidArgument
        `horizon` lies outside the curve, or is no whole number where times are; or as in :func:`kaplan_meier`.

    Notes
    -----
    In simulated cohorts of 30 to 1,000 patients at epsilon 0.1 to 2, 92 to 98 % of the intervals cover where nearly all
    releases allow an estimate. Where few do, those few have counted too many at risk, and their intervals cover less
    often; together with the releases that say 'not estimable', at most 8 in 100 state a wrong interval.

    References
    ----------
    Royston P, Parmar MKB (2013). Restricted mean survival time. BMC Medical Research Methodology 13:152.
    """
    counts = EventCounts.of(source).single(event)
    confidence = level_argument(level)
    z = quantile_of(confidence)
    weights, before = _area(counts, float(positive(horizon, "horizon")))
    found = []
    longest, shortest = before + float(weights.sum()), counts.start + counts.step
    needed = int(np.flatnonzero(weights)[-1]) + 1
    for stratum, labels in enumerate(counts.strata):
        known = known_bins(counts, stratum)
        if known < needed:
            unknown = (math.nan, shortest, longest, confidence, math.nan, math.nan)
            found.append(Duration(labels, *unknown, reliable=False, known_to=_known_to(counts, known)))
            continue
        table = fit(counts, stratum)
        value = before + float(weights @ functionals.survival(table.hazards))
        gradient = functionals.weighted(functionals.survival_gradient(table.hazards), weights)
        sampling, noise = (float(part[0]) ** 0.5 for part in variances(table, gradient, 1))
        half = z * math.hypot(sampling, noise)
        low, high = max(value - half, before), min(value + half, longest)
        time = _known_to(counts, known)
        found.append(Duration(labels, value, low, high, confidence, sampling, noise, reliable=True, known_to=time))
    return tuple(found)


def survival_quantile(
    source: Release | EventCounts,
    share: Number = 0.5,
    *,
    event: Label | None = None,
    level: Number = 0.95,
    interval: Interval = "score",
) -> tuple[Duration, ...]:
    """Return the time by which survival has come down to `share`, one per stratum; by default the median.

    The limits are the times at which the two sides of the band cross `share` (Brookmeyer and Crowley), so they include
    the noise. Between bin ends the curve is interpolated. A limit that would lie where the number at risk is within the
    noise, or that the band does not reach before follow-up ends, is left open: ``inf`` above, and below the time up to
    which the curve is known.

    Parameters
    ----------
    share
        Strictly between 0 and 1.
    source, event, level, interval
        As for :func:`kaplan_meier`.

    References
    ----------
    Brookmeyer R, Crowley J (1982). A confidence interval for the median survival time. Biometrics 38:29-41.
    """
    wanted = float(positive(share, "share"))
    if not 0 < wanted < 1:
        raise InvalidArgument("share", "must lie strictly between 0 and 1", "Write 0.5 for the median.")
    counts = EventCounts.of(source).single(event)
    curves = kaplan_meier(counts, level=level, interval=interval)
    return tuple(_quantile(counts, stratum, curve, wanted, curves.level) for stratum, curve in enumerate(curves))


def median_survival(
    source: Release | EventCounts, *, event: Label | None = None, level: Number = 0.95, interval: Interval = "score"
) -> tuple[Duration, ...]:
    """Return the median survival time of each stratum; see :func:`survival_quantile`."""
    return survival_quantile(source, 0.5, event=event, level=level, interval=interval)


def _quantile(counts: EventCounts, stratum: int, curve: Curve, share: float, level: float) -> Duration:
    known = known_bins(counts, stratum)
    value, low, high = (
        _crossing(curve.times[:known], np.minimum.accumulate(side[:known]), share, counts.start, counts.step)
        for side in (curve.value, curve.low, curve.high)
    )
    last, whole = _known_to(counts, known), known == len(curve.times)
    low = min(low, last)  # a band that never comes down says no more than: not before the curve ends
    reliable = whole or math.isfinite(value)
    if not reliable:
        value = math.nan
    return Duration(curve.labels, value, low, high, level, math.nan, math.nan, reliable=reliable, known_to=last)


def _known_to(counts: EventCounts, known: int) -> float:
    """Return the end of the last of so many bins; the first possible time if there is none."""
    return float(counts.times[known - 1]) if known else counts.start + counts.step


def _crossing(times: Array, curve: Array, share: float, start: float, step: float) -> float:
    """Return the first possible time at which the curve is at or below `share`."""
    # Products of hazards are exact to a few units in the last place only.
    below = np.flatnonzero(curve <= share * (1 + 1e-12))
    if not below.size:
        return math.inf
    at = int(below[0])
    since, until = (start if at == 0 else float(times[at - 1])), float(times[at])
    top, bottom = (1.0 if at == 0 else float(curve[at - 1])), float(curve[at])
    time = until - (until - since) * max(share - bottom, 0.0) / (top - bottom)
    return time if step == 0 else start + step * math.ceil((time - start) / step - 1e-9)


def _area(counts: EventCounts, horizon: float) -> tuple[Array, float]:
    """Return the weight of survival at each bin's end in the area up to `horizon`, and the area that has weight 1.

    A whole-number time k stands for the interval from k to k + 1, on which survival is S(k); S(k) falls evenly within
    a bin. A continuous time has the trapezoidal rule.
    """
    step = counts.step
    if not counts.start + step < horizon <= counts.times[-1] + step:
        raise InvalidArgument(
            "horizon", f"must lie above {counts.start + step:g} and be at most {counts.times[-1] + step:g}"
        )
    if step and not horizon.is_integer():
        raise InvalidArgument("horizon", "must be a whole number, as the times are")
    ends = np.concatenate([[counts.start], counts.times])
    length = np.diff(ends)
    part = np.clip(horizon - step - ends[:-1], 0.0, length)
    late = part * (part + step) / (2 * length)
    early = part - late
    weights = late + np.concatenate([early[1:], [0.0]])
    # From the lower bound of time on: with whole numbers, the point before it stands for no time of its own.
    return weights, float(counts.start + step + early[0])
