"""What net survival can be asked for, its confidence limits, and the curve that comes out."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from pets.epi.survival.counts import Array
from pets.epi.survival.limits import quantile_of
from pets.errors import InvalidArgument, did_you_mean
from pets.exact import Number, positive

NetMethod = Literal["pohar-perme", "ederer2", "ederer1"]
"""Estimators: net survival (Pohar-Perme), and relative survival after Ederer's second or first method."""

NetInterval = Literal["log", "log-log"]
"""Kinds of limits: ``S exp(+/- z se(log S))``, which hold above 1 as well, or log-log."""

DAYS_OF_YEAR = 365.25


def method_argument(method: str) -> NetMethod:
    """Return the estimator after checking that it is one."""
    for known in get_args(NetMethod):
        if method == known:
            return known  # type: ignore[no-any-return]
    raise InvalidArgument("method", "is no estimator", did_you_mean(str(method), get_args(NetMethod)))


def net_interval_argument(interval: str) -> NetInterval:
    """Return the kind of limits after checking that it is one."""
    for known in get_args(NetInterval):
        if interval == known:
            return known  # type: ignore[no-any-return]
    raise InvalidArgument("interval", "is no kind of limits", did_you_mean(str(interval), get_args(NetInterval)))


def per_year_argument(per_year: Number) -> float:
    """Return the units of time in a year as a float."""
    return float(positive(per_year, "per_year"))


def net_limits(
    interval: NetInterval, level: float, value: Array, variance: Array, at_risk: Array
) -> tuple[Array, Array]:
    """Return lower and upper limits.

    A variance of 0 does not mean that the estimate is certain. Before the first event the lower limit is the exact one
    of so many patients without an event; once the estimate is 0 the upper limit stays where it was before.

    Parameters
    ----------
    interval, level
        Which limits, at which confidence level. Log-log limits exist for estimates strictly between 0 and 1; elsewhere
        they are log limits.
    value, variance
        Estimates in the order of time, and the variance of their logarithm.
    at_risk
        Number of patients at risk.
    """
    width = np.minimum(quantile_of(level) * np.sqrt(variance), 700.0)
    low, high = value * np.exp(-width), value * np.exp(width)
    if interval == "log-log":
        inside = (value > 0) & (value < 1)
        logarithm = np.log(np.where(inside, value, 0.5))
        factor = np.exp(np.minimum(width / np.abs(logarithm), 700.0))
        low = np.where(inside, np.exp(logarithm * factor), low)
        high = np.where(inside, np.exp(logarithm / factor), high)
    nothing_yet = value * ((1 - level) / 2) ** (1 / np.maximum(at_risk, 1.0))
    low = np.where(variance > 0, low, nothing_yet)
    if (gone := value <= 0).any():
        first = int(np.argmax(gone))
        high[first:] = high[first - 1] if first else 1.0
    return low, high
