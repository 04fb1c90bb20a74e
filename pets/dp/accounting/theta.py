"""Transform of discrete Gaussian losses: Gaussian ones times a theta function.

With mu = d / sigma (d the change) and the real shift y = theta d, completing the square and Poisson summation give

    K(theta)   = theta (theta + 1) mu² / 2 + ln(Theta(y) / Theta(0))
    phi(omega) = e^(i omega mu² (theta + 1/2)) R(omega),
    R(omega)   = sum_k e^(-(omega mu + k tau)²/2 + 2 pi i k y) / sum_k e^(-(k tau)²/2 + 2 pi i k y),   tau = 2 pi sigma,

which converges with a few terms for sigma >= 1/2, while the direct sums over x do so below. While omega mu stays well
below tau / 2, R is the Gaussian e^(-(omega mu)²/2) up to a relative error of 4 e^(tau omega mu - tau²/2): there such
losses are Gaussian for all that floats can see, and cost nothing.
"""

from __future__ import annotations

import numpy as np

from pets.dp.accounting.transforms import ROUNDING, Complexes, Line, Reals, Transform, power

_TERMS = 4  # terms on each side of the largest: the rest is below e^(-(4.5 pi)²/2) < 1e-43 relative, for sigma >= 1/2
_POINTS = 12  # x on each side of the centre: the rest is below e^(-2 * 11.5²) < 1e-100, for sigma < 1/2
_WORK, _NARROW = 20, 20.0  # a narrow law needs its theta function at many frequencies
_ALIKE = 44.0  # e^-44 < 2^-63


class DiscreteGaussian(Transform):
    """Sum of discrete Gaussian losses; `sigma2`, `change` and `counts` are arrays (D,)."""

    def __init__(self, sigma2: Reals, change: Reals, counts: Reals) -> None:
        self.sigma, self.change, self.counts = np.sqrt(sigma2), change, counts
        self.mu = change / self.sigma

    def square(self) -> float:
        """See :class:`Transform`."""
        return float(self.counts @ self.mu**2)

    def work(self) -> int:
        """See :class:`Transform`."""
        return 1 + _WORK * int((self.sigma < _NARROW).sum())

    def log_mgf(self, theta: Reals) -> Reals:
        """See :class:`Transform`."""
        total: Reals = theta * (theta + 1) / 2 * self.square()
        for sigma, change, count in zip(self.sigma, self.change, self.counts, strict=True):
            if 2 * (np.pi * sigma) ** 2 < _ALIKE:
                total += count * (_log_theta(sigma, theta * change) - _log_theta(sigma, np.zeros(1)))
        return total

    def log_mgf_error(self, theta: Reals) -> Reals:
        """See :class:`Transform`."""
        terms = theta * (theta + 1) * self.square()
        shifts = float(self.counts.sum()) + theta * float(self.counts @ (self.change / self.sigma**2 + self.change))
        error: Reals = ROUNDING * (terms + shifts)
        return error

    def line(self, theta: float, omega: Reals) -> Line:
        """See :class:`Transform`."""
        at = np.array([theta])
        log, error = self.log_mgf(at)[0], self.log_mgf_error(at)[0]
        return Line(float(log), float(error), self._phi(theta, omega), self._phi_error(theta, omega))

    def _phi(self, theta: float, omega: Reals) -> Complexes:
        tau = 2 * np.pi * self.sigma
        smooth = tau**2 / 2 - tau * self.mu * float(omega[-1]) > _ALIKE
        mu2 = float(self.counts[smooth] @ self.mu[smooth] ** 2)
        values: Complexes = np.exp(-mu2 * omega**2 / 2) * np.exp(1j * omega * self.square() * (theta + 0.5))
        for i in np.flatnonzero(~smooth):
            ratio = _ratio(self.sigma[i], self.mu[i] * omega, theta * self.change[i])
            values = values * power(ratio, int(self.counts[i]))
        return values

    def _phi_error(self, theta: float, omega: Reals) -> Reals:
        # phase: omega mu² (theta + 1); in the sums also 2 pi k y with k up to omega mu / tau
        scale = self.square() * (theta + 1) + float(self.counts @ self.mu) * (1 + theta * float(self.change.max()))
        error: Reals = ROUNDING * (float(self.counts.sum()) + omega * scale)
        return error


def _log_theta(sigma: float, shift: Reals) -> Reals:
    """Return ln of the sum of e^(-(x + shift)²/(2 sigma²)) over the integers x, shift real."""
    shift = shift - np.round(shift)
    if sigma < 0.5:
        points = np.arange(-_POINTS, _POINTS + 1)[:, None]
        squares = (points + shift) ** 2
        least = squares.min(axis=0)
        direct: Reals = -least / (2 * sigma**2) + np.log(np.exp((least - squares) / (2 * sigma**2)).sum(axis=0))
        return direct
    k = np.arange(1, _TERMS + 1)[:, None]
    waves = 2 * np.exp(-((2 * np.pi * sigma * k) ** 2) / 2) * np.cos(2 * np.pi * k * shift)
    dual: Reals = np.log(sigma * np.sqrt(2 * np.pi)) + np.log1p(waves.sum(axis=0))
    return dual


def _ratio(sigma: float, slope: Reals, shift: float) -> Complexes:
    """Return R at omega mu = `slope`."""
    shift -= round(shift)
    if sigma < 0.5:
        points = np.arange(-_POINTS, _POINTS + 1)[:, None] + shift
        squares = points**2
        weights = np.exp((squares.min() - squares) / (2 * sigma**2))
        direct: Complexes = (weights * np.exp(-1j * slope * points / sigma)).sum(axis=0) / weights.sum()
        return direct
    tau = 2 * np.pi * sigma
    k = -np.round(slope / tau) + np.arange(-_TERMS, _TERMS + 1)[:, None]
    waves = np.exp(-((slope + k * tau) ** 2) / 2) * np.exp(2j * np.pi * k * shift)
    whole = np.exp(_log_theta(sigma, np.full(1, shift)))[0] / (sigma * np.sqrt(2 * np.pi))
    dual: Complexes = waves.sum(axis=0) / whole
    return dual
