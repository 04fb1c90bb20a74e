r"""The delta of a total loss as an integral over a vertical line, summed with a certificate.

*Formula.* For theta > 0 the profile g(x) = E[(1 - e^(x - L))^+; L < inf] has the transform

    integral of g(x) e^(zx) dx = M(z) / (z (z + 1)),        z = theta + i omega, M(z) = E[e^(zL); L < inf],

so f(x) = e^(theta x) g(x), continuous, non-negative and integrable, has the Fourier transform M / (z (z + 1)).

*Wrap-around.* By Poisson's summation formula the trapezoidal sum with step d = 2 pi / W is not near g(epsilon) but is

    T(epsilon) = (e^(-theta epsilon) / W) sum over m of F(m d) e^(-i m d epsilon) = sum over k of e^(theta k W)
    g(epsilon + k W),

all of whose terms are non-negative: T >= g. What wraps around is added, never lost. W is chosen such that the
surplus is about 1e-10 of delta; if that choice were poor, T would be loose and still valid.

*Truncation.* Let mu² be the total of the continuous Gaussian losses. abs(M(z)) <= M(theta) e^(-mu² omega²/2), so the
terms beyond omega_max add at most

    (M(theta) e^(-theta epsilon) / pi) e^(-mu² omega_max²/2) / omega_max min(1, 1 / (mu omega_max)²).

Without enough Gaussian noise one more Gaussian mechanism is added to the account: what is composed with one more
mechanism loses at least as much, so this too only raises delta; its mu is a small fraction of the total's scale.

*Rounding.* Let e(omega) bound the absolute errors of the normalised transforms (their moduli are at most 1, so errors
of a product add). They, the rounding of each term, and n u times the sum of the moduli for the sum itself are added
to T, and the relative error of e^(K - theta epsilon) multiplies it. On the chosen line the integrand is nearly real and
positive about omega = 0, so that the sum is about as large as its terms: at delta = 1e-100 just as at 0.1.

Therefore :meth:`Contour.upper` is at least the true delta, at every epsilon.

References
----------
W. Alghamdi et al., "The Saddle-Point Method in Differential Privacy", ICML 2023 (the formula; approximations of the
integral). A. Gil-Pelaez 1951 and P. Carr, D. Madan 1999 (tilted inversion); the one-sided reading of wrap-around is
ours.
"""

from __future__ import annotations

import math

import numpy as np

from pets.dp.accounting.model import Model
from pets.dp.accounting.renyi import Tilt
from pets.dp.accounting.search import Bound
from pets.dp.accounting.transforms import ROUNDING, Reals, waves

_SURPLUS = math.log(1e-10)  # wrap-around, relative to delta
_CUT = math.log(1e-10)  # truncation, relative to delta
_WORK = 1e6
_FEWEST, _MOST = 1024, 1 << 15
_UNIT = 2.0**-53
_WRONG = 300.0  # a rounding error beyond all bounds


class Contour:
    """The profile of `model` near `epsilon`, where it is about e^log_delta, by the line Re z = `theta`."""

    def __init__(self, model: Model, tilt: Tilt, theta: float, epsilon: float, log_delta: float) -> None:
        self.theta = theta
        self.window = window = window_at(theta, tilt, epsilon, log_delta + _SURPLUS)
        peak = _peak(self.theta, tilt, epsilon)
        count, mu2 = _resolution(model, window, peak - log_delta)
        self.omega: Reals = np.arange(count, dtype=np.float64) * (2 * math.pi / window)
        self._lay(model, mu2, window)

    def _lay(self, model: Model, mu2: float, window: float) -> None:
        theta, omega = self.theta, self.omega
        phi = np.exp(-mu2 / 2 * omega**2).astype(np.complex128)
        log = theta * (theta + 1) / 2 * mu2
        log_error, error = ROUNDING * log, ROUNDING * (2 + 0 * omega)
        for transform in model.transforms:
            line = transform.line(theta, omega)
            phi *= line.phi
            log, log_error, error = log + line.log, log_error + line.log_error, error + line.phi_error
        z = theta + 1j * omega
        self.log, self.log_error = log, log_error
        self.drift = mu2 * (theta + 0.5)
        weight = np.where(omega > 0, 2 / window, 1 / window)
        self.terms = weight * phi / (z * (z + 1))
        self.slopes = self.terms * z
        kernel = weight / np.abs(z * (z + 1))
        # Adding n numbers costs at most n u of the sum of their moduli; 2 for the real and imaginary part.
        self.fixed = float((kernel * np.expm1(np.minimum(error, _WRONG))).sum()) + 2 * omega.size * _UNIT * float(
            np.abs(self.terms).sum()
        )
        self.per_shift = ROUNDING * float((kernel * omega).sum())
        last = float(omega[-1])
        cut = math.exp(-min(mu2 * last**2 / 2, 700.0)) * min(1.0, 1 / (mu2 * last**2))
        self.fixed += cut / (math.pi * last)

    def noise(self, epsilon: float) -> float:
        """Return how much of the bound at `epsilon` stands for errors."""
        exponent = self.log + self.log_error - self.theta * epsilon
        return math.exp(min(exponent, 700.0)) * self._error(epsilon)

    def _error(self, epsilon: float) -> float:
        return self.fixed + self.per_shift * (abs(self.drift) + abs(epsilon))

    def upper(self, epsilon: float) -> Bound:
        """Return an upper bound of the finite part g of delta at `epsilon`."""
        turned = waves(np.full((1, 1), self.drift - epsilon), self.omega)[0]
        total = max(float((self.terms * turned).sum().real), 0.0)
        slope = float((self.slopes * turned).sum().real)
        error = self._error(epsilon)
        exponent = self.log - self.theta * epsilon
        relative = self.log_error + ROUNDING * (1 + abs(self.log) + abs(self.theta * epsilon))
        finite = math.exp(min(exponent + relative, 700.0)) * (total + error)
        return Bound(min(finite, 1.0), -slope / (total + error))


def _peak(theta: float, tilt: Tilt, epsilon: float) -> float:
    """Return K(theta) - theta epsilon, by interpolation."""
    return float(np.interp(theta, tilt.grid, tilt.log_mgf)) - theta * epsilon


def window_at(theta: float, tilt: Tilt, epsilon: float, wanted: float) -> float:
    """Return W such that g(epsilon - W) <= 1 and Chernoff's bound of g(epsilon + W), tilted, are below e^wanted."""
    steeper = (tilt.grid > 1.05 * theta) & np.isfinite(tilt.log_mgf)
    above = (tilt.log_mgf[steeper] - tilt.grid[steeper] * epsilon - wanted) / (tilt.grid[steeper] - theta)
    below = -wanted / theta
    return max(below, float(above.min()) if above.size else below)


def _resolution(model: Model, window: float, excess: float) -> tuple[int, float]:
    """Return how many frequencies to take and the total mu², the added mechanism included.

    `excess` is K(theta) - theta epsilon - ln(delta).
    """
    most = int(min(max(_WORK / max(model.work, 1), _FEWEST), _MOST))
    step = 2 * math.pi / window
    needed = math.sqrt(2 * max(excess - _CUT, 1.0))
    if model.gaussian > 0:
        count = needed / math.sqrt(model.gaussian) / step
        if count <= most:
            return max(int(count) + 2, 16), model.gaussian
    return most, (needed / ((most - 1) * step)) ** 2
