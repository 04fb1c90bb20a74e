r"""Moment generating functions of privacy losses in closed form, on a vertical line of the complex plane.

For a loss L write M(z) = E[e^(zL)] and K = ln M on the reals. Each family gives K(theta) and the *normalised* transform
phi(omega) = M(theta + i omega) / M(theta), for which abs(phi) <= 1. With s = z + 1/2 all families are even in s,
because exchanging P and Q only changes the sign of L:

=================  ================================================================================================
Gaussian           exp(z (z + 1) mu² / 2)
two points         A (e^(s eta) + e^(-s eta)) e^(-eta/2) + B: randomised response, pure and approximate DP
Laplace            e^(-eta/2) (cosh(s eta) + sinh(s eta) / (2s))
bounded range      sinh(s eta) / (2 s sinh(eta/2))
discrete Laplace   e^(-eta/2)/(1 + e^-a) (2 cosh(s eta) + (1 - e^-a) sinh(s (eta - a)) / sinh(s a)), a = 1/scale
discrete Gaussian  exp(z (z + 1) mu² / 2) Theta(z d) / Theta(0), Theta(y) = sum over x of e^(-(x + y)²/(2 sigma²))
=================  ================================================================================================

Hyperbolic functions are written in e^(-2 s eta), so that nothing overflows and nothing cancels.

Rounding. u is 2^-53. Let b = omega eta be the phase. Parameters carry a relative error of at most 4u, so the
phase one of 6u b; a sine or cosine adds 4u, and each formula has fewer than 16 operations on numbers of modulus at most
2 with a denominator of at least 1/2 of the numerator's largest part. Hence the absolute error of phi is below
ROUNDING (1 + b) with ROUNDING = 64 u (more for the discrete Laplace loss, see there), and that of K below
ROUNDING (1 + (1 + theta) eta). ``tests/dp/accounting/test_transforms.py`` compares with 50 digits.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]
Complexes = NDArray[np.complex128]

ROUNDING = 64 * 2.0**-53

_CHUNK = 1 << 14  # elements that are worked on at a time: they stay in the second-level cache
_BLOCK = 64


class Transform(ABC):
    """Transform of a sum of independent losses."""

    @abstractmethod
    def log_mgf(self, theta: Reals) -> Reals:
        """Return K of the sum at each `theta` (T,) above 0."""

    @abstractmethod
    def log_mgf_error(self, theta: Reals) -> Reals:
        """Return a bound of the rounding error of :meth:`log_mgf`."""

    @abstractmethod
    def line(self, theta: float, omega: Reals) -> Line:
        """Return the transform on the line Re z = `theta` at `omega` (F,) = 0, d, 2d, ..."""

    @abstractmethod
    def square(self) -> float:
        """Return roughly the variance of the sum, to choose scales by."""

    def infinite(self) -> float:
        """Return -ln of the chance that the loss is finite."""
        return 0.0

    def work(self) -> int:
        """Return about the work for each frequency, in units of one closed form."""
        return 1


class Line(NamedTuple):
    """K at one theta and phi along the line, each with a bound of its absolute rounding error."""

    log: float
    log_error: float
    phi: Complexes
    phi_error: Reals


class ClosedForm(Transform):
    """A family of losses in closed form: one row of parameters for each distinct loss, and how often it occurs."""

    def __init__(self, parameters: Reals, counts: Reals) -> None:
        self.counts = counts
        self.columns = [parameters[:, j, None] for j in range(parameters.shape[1])]

    def log_mgf(self, theta: Reals) -> Reals:
        """See :class:`Transform`."""
        total = np.zeros(theta.size)
        for rows in self._chunks(theta.size):
            total += self.counts[rows] @ self._log(theta, *(column[rows] for column in self.columns))
        return total

    def log_mgf_error(self, theta: Reals) -> Reals:
        """See :class:`Transform`."""
        eta = self.reach()
        return ROUNDING * (float(self.counts.sum()) + (1 + theta) * float(self.counts @ eta))

    def line(self, theta: float, omega: Reals) -> Line:
        """See :class:`Transform`."""
        at = np.array([theta])
        log, error = self.log_mgf(at)[0], self.log_mgf_error(at)[0]
        return Line(float(log), float(error), self.phi(theta, omega), self.phi_error(theta, omega))

    def phi(self, theta: float, omega: Reals) -> Complexes:
        """Return the normalised transform of the sum at each `omega` (F,)."""
        product = np.ones(omega.size, dtype=np.complex128)
        for rows in self._chunks(omega.size):
            values = self._phi(theta, omega, *(column[rows] for column in self.columns))
            counts = self.counts[rows]
            if counts.max() == 1:
                product *= np.multiply.reduce(values, axis=0)
            else:
                for value, count in zip(values, counts, strict=True):
                    product *= power(value, int(count))
        return product

    def phi_error(self, theta: float, omega: Reals) -> Reals:
        """Return a bound of the absolute rounding error of :meth:`phi`."""
        phase: Reals = ROUNDING * (float(self.counts.sum()) + omega * float(self.counts @ self.reach()))
        return phase

    def square(self) -> float:
        """See :class:`Transform`."""
        return float(self.counts @ self.reach() ** 2)

    def work(self) -> int:
        """See :class:`Transform`."""
        return self.counts.size

    def reach(self) -> Reals:
        """Return the largest loss of each row (or its standard deviation where there is none)."""
        reach: Reals = self.columns[0][:, 0]
        return reach

    def _chunks(self, width: int) -> Iterator[slice]:
        step = max(1, _CHUNK // max(width, 1))
        for start in range(0, self.counts.size, step):
            yield slice(start, start + step)

    @abstractmethod
    def _log(self, theta: Reals, *columns: Any) -> Reals: ...

    @abstractmethod
    def _phi(self, theta: float, omega: Reals, *columns: Any) -> Complexes: ...


class TwoPoints(ClosedForm):
    """Losses +eta and -eta, and 0 with the weight of `others` further answers; sub-probability 1 - delta in all."""

    def infinite(self) -> float:
        """See :class:`Transform`."""
        return float(-self.counts @ np.log1p(-self.columns[2][:, 0]))

    def _log(self, theta: Reals, eta: Reals, others: Reals, delta: Reals) -> Reals:
        shrunk = np.exp(-eta)
        inside = 1 + np.exp(-(2 * theta + 1) * eta) + others * np.exp(-(theta + 1) * eta)
        log: Reals = theta * eta + np.log(inside / (1 + (others + 1) * shrunk)) + np.log1p(-delta)
        return log

    def _phi(self, theta: float, omega: Reals, eta: Reals, others: Reals, delta: Reals) -> Complexes:
        low = np.exp(-(2 * theta + 1) * eta)
        middle = others * np.exp(-(theta + 1) * eta)
        whole = 1 + low + middle
        values = _two_sided(waves(eta, omega), (1 + low) / whole, (1 - low) / whole)
        if others.any():
            values.real += middle / whole
        return values


class Laplace(ClosedForm):
    """Loss of Laplace noise, eta = sensitivity / scale."""

    def _log(self, theta: Reals, eta: Reals) -> Reals:
        low = np.exp(-(2 * theta + 1) * eta)
        log: Reals = theta * eta + np.log(((1 + low) + (1 - low) / (2 * theta + 1)) / 2)
        return log

    def _phi(self, theta: float, omega: Reals, eta: Reals) -> Complexes:
        low = np.exp(-(2 * theta + 1) * eta)
        ratio = 1 / (2 * theta + 1 + 2j * omega)
        whole = (1 + low) + (1 - low) / (2 * theta + 1)
        rising = waves(eta, omega, 1 / whole)
        falling = low * rising.conj()
        values: Complexes = rising + falling
        rising -= falling
        rising *= ratio
        values += rising
        return values


class BoundedRange(ClosedForm):
    """Worst loss of a mechanism of bounded range eta."""

    def phi_error(self, theta: float, omega: Reals) -> Reals:
        """See :class:`Transform`."""
        # The sine is multiplied by at most 1 + 1 / (eta abs(s)).
        inverse = 1 / np.hypot(theta + 0.5, omega)
        eta, n = self.reach(), float(self.counts.sum())
        magnified: Reals = ROUNDING * inverse * (float(self.counts @ (1 / eta)) + omega * n)
        return super().phi_error(theta, omega) + magnified

    def _log(self, theta: Reals, eta: Reals) -> Reals:
        log: Reals = theta * eta + np.log(np.expm1(-(2 * theta + 1) * eta) / (np.expm1(-eta) * (2 * theta + 1)))
        return log

    def _phi(self, theta: float, omega: Reals, eta: Reals) -> Complexes:
        gap = -np.expm1(-(2 * theta + 1) * eta)
        ratio = (theta + 0.5) / (theta + 0.5 + 1j * omega)
        values = waves(eta, omega)
        values.imag *= (2 - gap) / gap
        values *= ratio
        return values


class DiscreteLaplace(ClosedForm):
    """Loss of discrete Laplace noise under a change of 2 or more; columns 1/scale and the change."""

    def reach(self) -> Reals:
        """Return change / scale."""
        reach: Reals = (self.columns[0] * self.columns[1])[:, 0]
        return reach

    def phi_error(self, theta: float, omega: Reals) -> Reals:
        """See :class:`Transform`."""
        # sinh(s a) may be as small as its real part, which magnifies the error of its phase by omega / (theta + 1/2).
        error: Reals = super().phi_error(theta, omega) * (1 + omega / (theta + 0.5))
        return error

    def _log(self, theta: Reals, step: Reals, change: Reals) -> Reals:
        slope = (2 * theta + 1) * step
        inner = np.expm1(-slope * (change - 1)) / np.expm1(-slope) * np.exp(-slope)
        inside = 1 + np.exp(-slope * change) - np.expm1(-step) * inner
        log: Reals = theta * step * change + np.log(inside / (1 + np.exp(-step)))
        return log

    def _phi(self, theta: float, omega: Reals, step: Reals, change: Reals) -> Complexes:
        slope = (2 * theta + 1) * step
        low = np.exp(-slope * change)
        wide, narrow = waves(step * change, omega), waves(step, omega)
        gap, shrunk = -np.expm1(-slope * (change - 1)), np.exp(-slope * (change - 1))
        above = _two_sided(wide * narrow.conj(), gap, 1 + shrunk)
        above /= _two_sided(narrow, -np.expm1(-slope), 1 + np.exp(-slope))
        inner = np.expm1(-slope * (change - 1)) / np.expm1(-slope) * np.exp(-slope)
        share = -np.expm1(-step)
        whole = 1 + low + share * inner
        values = _two_sided(wide, (1 + low) / whole, (1 - low) / whole)
        above *= share * np.exp(-slope) / whole
        values += above
        return values


def power(values: Complexes, count: int) -> Complexes:
    """Return ``values ** count`` by squaring; the relative error grows by less than 4u for each unit of `count`."""
    result = np.ones_like(values)
    square = values
    while count:
        if count & 1:
            result = result * square
        count >>= 1
        if count:
            square = square * square
    return result


def waves(eta: Reals, omega: Reals, scale: Any = 1.0) -> Complexes:
    """Return ``scale * exp(1j * eta * omega)`` for rows `eta` (d, 1) and omega = 0, d, 2d, ... (F,).

    The exponential of m = _BLOCK j + k steps is the product of two from small tables: ten times faster than sines.
    """
    phase = 1j * eta * omega[1]
    fine = np.exp(phase * np.arange(_BLOCK))
    coarse = scale * np.exp(phase * np.arange(0, omega.size, _BLOCK))
    values: Complexes = (coarse[:, :, None] * fine[:, None, :]).reshape(len(eta), -1)[:, : omega.size]
    return values


def _two_sided(waves: Complexes, real: Any, imag: Any) -> Complexes:
    """Return ``real * cos + 1j * imag * sin`` in place of ``cos + 1j * sin``."""
    waves.real *= real
    waves.imag *= imag
    return waves


CLOSED_FORMS: dict[str, type[ClosedForm]] = {
    "two points": TwoPoints,
    "laplace": Laplace,
    "range": BoundedRange,
    "discrete laplace": DiscreteLaplace,
}
