"""Pointwise confidence limits of survival, incidence and cumulative hazard, with and without the noise.

**Score limits** (the default). Sampling makes the estimate p of a probability s vary like a share of ``m`` patients,
where m is the effective number ``p (1 - p) / Greenwood variance``; independent noise adds a variance t that does not
depend on s. The limits are the s with

    (p - s)^2 = z^2 (s (1 - s) / m + t),

a quadratic equation. For t = 0 this is Wilson's interval with an effective number (Rothman 1978); it has a limit
where there has been no event yet, or only events. For a cumulative hazard the variance is ``s / m``.

**Log-log limits** ``p ** exp(+/- z se / (p log p))``, as R and lifelines print them; for a cumulative hazard
``H exp(+/- z se / H)``. They collapse to the estimate where that is 0 or 1 exactly.

References
----------
Rothman KJ (1978). Estimation of confidence limits for the cumulative probability of survival in life table analysis.
Journal of Chronic Diseases 31:557-560.

Kalbfleisch JD, Prentice RL (1980). The Statistical Analysis of Failure Time Data. Wiley (log-log).
"""

from __future__ import annotations

from statistics import NormalDist
from typing import Literal, get_args

import numpy as np

from pets.epi.survival.counts import Array
from pets.errors import InvalidArgument, did_you_mean
from pets.exact import Number, positive

Interval = Literal["score", "log-log"]
"""Kinds of limits."""


def level_argument(level: Number) -> float:
    """Return a confidence level as a float strictly between 0 and 1."""
    number = float(positive(level, "level"))
    if not 0 < number < 1:
        raise InvalidArgument("level", "must lie strictly between 0 and 1", "Write 0.95 for 95 %.")
    return number


def interval_argument(interval: str) -> Interval:
    """Return the kind of limits after checking that it is one."""
    for known in get_args(Interval):
        if interval == known:
            return known  # type: ignore[no-any-return]
    raise InvalidArgument("interval", "is no kind of limits", did_you_mean(str(interval), get_args(Interval)))


def quantile_of(level: float) -> float:
    """Return the z that a normal variable stays within, on both sides, with probability `level`."""
    return NormalDist().inv_cdf((1 + level) / 2)


def limits(
    kind: str, interval: Interval, level: float, value: Array, sampling: Array, noise: Array, at_risk: Array
) -> tuple[Array, Array]:
    """Return lower and upper limits.

    Parameters
    ----------
    kind
        ``'survival'``, ``'incidence'`` (both probabilities) or ``'hazard'`` (cumulative, not negative).
    interval, level
        Which limits, at which confidence level.
    value, sampling, noise
        Estimates and their two variances, all of one shape.
    at_risk
        Numbers at risk: the effective number where the estimate leaves no variance.
    """
    z = quantile_of(level)
    if interval == "score":
        return _score(kind, z, value, sampling, noise, at_risk)
    return _log_log(kind, z, value, sampling + noise)


def _score(kind: str, z: float, value: Array, sampling: Array, noise: Array, at_risk: Array) -> tuple[Array, Array]:
    probability = kind != "hazard"
    spread = value * (1 - value) if probability else value
    ordinary = (sampling > 0) & (spread > 0)
    number = np.where(ordinary, spread / np.where(ordinary, sampling, 1.0), np.maximum(at_risk, 1.0))
    per_patient = z * z / number
    square = 1 + per_patient if probability else np.ones_like(per_patient)
    middle = value + per_patient / 2
    root = np.sqrt(np.maximum(middle**2 - square * (value**2 - z * z * noise), 0.0))
    low, high = (middle - root) / square, (middle + root) / square
    low = np.minimum(np.maximum(low, 0.0), value)
    return low, np.maximum(np.minimum(high, 1.0) if probability else high, value)


def _log_log(kind: str, z: float, value: Array, variance: Array) -> tuple[Array, Array]:
    inside = (value > 0) & ((value < 1) | (kind == "hazard"))
    shown = np.where(inside, value, 0.5)
    width = z * np.sqrt(variance)
    if kind == "hazard":
        factor = np.exp(np.minimum(width / shown, 700.0))
        low, high = shown / factor, shown * factor
    else:
        factor = np.exp(np.minimum(width / np.abs(shown * np.log(shown)), 700.0))
        low, high = shown**factor, shown ** (1 / factor)
    return np.where(inside, low, value), np.where(inside, high, value)
