"""Where to put the line of the integral in :mod:`pets.dp.accounting.contour`. Any line is valid; a good one is tight.

The best Rényi order is the right place where the tail of the loss is as light as its core. Where it is not (rare large
losses, as of sampled Gaussians) the line is moved towards 0 until rounding does not matter, and the window
is widened until nothing noticeable wraps around at the epsilon that was found.
"""

from __future__ import annotations

import math

from pets.dp.accounting.contour import Contour, window_at
from pets.dp.accounting.model import Model
from pets.dp.accounting.renyi import Tilt
from pets.dp.accounting.search import smallest_epsilon

_TRIES = 12
_RESOLVED = 0.1  # share of errors in delta up to which a line is used at all
_PRECISE = 1e-5  # share up to which no better one is looked for
_GAIN = 1e-5  # relative improvement of epsilon that is worth another line
_SURPLUS = math.log(1e-7)  # what may wrap around, relative to delta
_CHANGED = math.log(0.01)


def delta_at(model: Model, tilt: Tilt, epsilon: float) -> float | None:
    """Return an upper bound of the finite part of delta at `epsilon`; None if no line resolves it."""
    theta, log_delta = _start(model, tilt), min(tilt.bound, 0.0)
    for _ in range(_TRIES):
        contour = Contour(model, tilt, theta, epsilon, log_delta)
        bound = contour.upper(epsilon).delta
        if contour.noise(epsilon) > _RESOLVED * bound:
            theta /= 2
        elif bound > 0 and math.log(bound) < log_delta + _CHANGED:
            log_delta = math.log(bound)
        else:
            return bound
    return None


def epsilon_at(model: Model, tilt: Tilt, delta: float) -> float | None:
    """Return about the smallest epsilon at which the finite part costs `delta`; None if no line resolves it."""
    theta, epsilon, log_delta = _start(model, tilt), max(tilt.bound, 0.0), math.log(delta)
    best: float | None = None
    for _ in range(_TRIES):
        contour = Contour(model, tilt, theta, epsilon, log_delta)
        if contour.noise(epsilon) > _RESOLVED * delta:
            theta /= 2
            continue
        found = smallest_epsilon(contour.upper, epsilon, delta)
        if found is None or (best is not None and found >= best * (1 - _GAIN)):
            break
        best = epsilon = found
        if contour.noise(best) > _PRECISE * delta:
            theta = min(tilt.saddle(best), theta / 1.5)
        elif contour.window >= window_at(theta, tilt, best, log_delta + _SURPLUS):
            break
    return best


def _start(model: Model, tilt: Tilt) -> float:
    """Return the best Rényi order less 1, but not so near 0 that a needlessly wide window follows."""
    return max(tilt.theta, 1 / model.scale())
