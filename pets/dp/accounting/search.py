"""The smallest epsilon at which a certified upper bound of delta is small enough."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

_STEPS = 40
_CLOSE = 1e-9
_AIM = 3e-10
_TINY = 1e-300


class Bound(NamedTuple):
    """An upper bound of delta at one epsilon, with about the derivative of its logarithm."""

    delta: float
    slope: float


def smallest_epsilon(upper: Callable[[float], Bound], start: float, delta: float) -> float | None:
    """Return an epsilon of at least 0 with ``upper(epsilon).delta <= delta``, near the smallest, or None.

    Newton's method on ln(delta), which is concave in epsilon for the losses at hand: from the right it comes closer
    without crossing. Only the last evaluation counts for validity: what is returned has been checked.
    """
    found: float | None = None
    failed = -math.inf
    epsilon = max(start, 0.0)
    for _ in range(_STEPS):
        bound = upper(epsilon)
        excess = math.log(max(bound.delta, _TINY) / delta)
        if excess <= 0:
            found = epsilon if found is None else min(found, epsilon)
            if epsilon == 0 or excess > -_CLOSE or found - failed < _CLOSE * 1e-3 * found:
                return found
        else:
            failed = max(failed, epsilon)
        epsilon = _next(epsilon, excess, bound.slope, failed, found)
    return found


def _next(epsilon: float, excess: float, slope: float, failed: float, found: float | None) -> float:
    """Return where to look next: Newton's point if it lies between what failed and what was found, else in between."""
    point = epsilon - (excess + _AIM) / slope if slope < 0 else math.nan
    low, high = max(failed, 0.0), math.inf if found is None else found
    if failed < 0 and found is not None and not point > 0:
        return 0.0
    if low < point < high:
        return point
    if math.isinf(high):
        return 2 * epsilon + _CLOSE
    return (low + high) / 2
