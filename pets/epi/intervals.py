"""Confidence limits of a weighted sum of Poisson means, observed exactly or through noise.

The estimand is ``mu = sum(w[i] * theta[i])``, where ``theta[i]`` is the expected count of stratum i. What is seen
is ``z[i] = x[i] + n[i]``: a Poisson count plus independent noise of mean 0, known variance ``t[i]`` and, as
every mechanism of `pets` has it, a symmetric law. ``y = sum(w * z)`` is unbiased for ``mu``.

**Without noise** these are the published gamma limits: Garwood for one stratum, Fay-Feuer or Tiwari for more.
Each is a quantile of a gamma law with mean ``m`` and variance ``v``. The lower one has ``m = y`` and
``v = sum(w**2 * z)``; the upper one stands for one more case and adds ``w_max`` and ``w_max**2`` (Fay-Feuer) or
the means of ``w`` and ``w**2`` (Tiwari).

**With noise** a third moment is matched as well, by a gamma law with a shifted origin (Pearson type III). Near
the observed value the variance of y as a function of mu is ``V = v + t`` with slope ``a = v / m``, where
``t = sum(w**2 * t[i])``, and its third cumulant is ``a * v``, to which symmetric noise adds nothing. Inverting
``P(Y <= y; mu) = alpha`` by a Cornish-Fisher expansion gives for mu a law with

    mean m,   variance v + t,   third cumulant 3 * a * V - a * v = a * (2 * v + 3 * t).

For ``t = 0`` the origin is 0 and the gamma limits come back exactly; for a large `t` the limits are those of the
score interval for normal noise. Only the mean and the variance of the noise enter, so a single stratum under
much discrete Laplace noise (heavier tails than the normal) is covered 94 % rather than 95 % of the time.

**Noisy counts of zero or less.** Clipping each stratum at zero would make the variance too large in a table of
many small strata. Instead ``v = a * max(y, 0)``: the noise of the strata cancels in the sum, and the counts
clipped at zero only choose the slope ``a = sum(w**2 * z+) / sum(w * z+)``, an average of the weights whatever
the noise. Below ``y = 0`` the limits are those of ``y = 0``: the lower is 0, and the upper never gets smaller
than the noise can support, which only adds coverage.
"""

from __future__ import annotations

import numpy as np

from pets.epi.strata import Vector

_NOTHING = 1e-100
"""A total below this (in cases of the heaviest stratum) has a lower limit of 0 in floating point anyway."""


def gamma_limits(
    cases: Vector, weights: Vector, noise_variance: Vector, *, level: float, one_case: tuple[float, float]
) -> tuple[float, float]:
    """Return the lower and the upper confidence limit of ``sum(weights * expected cases)``.

    Parameters
    ----------
    cases
        Counts of shape (strata,), noisy ones signed as released.
    weights
        Positive weights of shape (strata,), the heaviest being 1.
    noise_variance
        Known variance of the noise in each count, shape (strata,), 0 where there is none.
    level
        Two-sided confidence level, strictly between 0 and 1.
    one_case
        What the upper limit adds to the mean and to the variance for one unseen case.
    """
    total = max(float(weights @ cases), 0.0)
    poisson = effective_weight(cases, weights) * total
    noise = float(weights**2 @ noise_variance)
    tail = (1 - level) / 2
    low = _quantile(tail, total, poisson, noise, upper=False) if total > _NOTHING else 0.0
    high = _quantile(tail, total + one_case[0], poisson + one_case[1], noise, upper=True)
    return max(low, 0.0), high


def effective_weight(cases: Vector, weights: Vector) -> float:
    """Return the mean weight of a case, counts below 0 taken as 0; the heaviest weight if there are no cases."""
    seen = np.maximum(cases, 0.0)
    total = float(weights @ seen)
    return float(weights**2 @ seen) / total if total > _NOTHING else float(weights.max())


def _quantile(tail: float, mean: float, poisson: float, noise: float, *, upper: bool) -> float:
    """Return the `tail` quantile, from below or above, of the shifted gamma law of the module's docstring."""
    from scipy.special import gammainccinv, gammaincinv

    variance = poisson + noise
    skew = poisson / mean * (2 * poisson + 3 * noise) / variance  # third cumulant over variance
    inverse = gammainccinv if upper else gammaincinv
    return float(mean - 2 * variance / skew + inverse(4 * variance / skew**2, tail) * skew / 2)
