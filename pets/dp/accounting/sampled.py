r"""Transform of a mechanism on a Poisson sample, through a pessimistic discretisation.

There is no closed form, so the loss is first replaced by a discrete one that is never better.

*Discretisation.* Let X = e^-L = dQ/dP. The profile is delta(x) = P(L = inf) + E[(1 - e^x X)^+], and for independent
parts X is the product of theirs: given the others, it is convex and non-increasing in each X. Replacing X by a
mean-preserving spread (Jensen), or by something smaller, can only raise delta, at each level and in each composition.
Cut the axis of L at t_0 < t_1 < ...; a cell with masses p under P and q under Q is moved to its two ends with weights
a and b such that a + b = p and a e^-t_j + b e^-t_(j+1) = q: a mean-preserving spread of X. What lies below t_0 is
moved up to t_0 and what lies above the last edge up to infinity: X gets smaller. (Doroshenko et al., "Connect the
Dots", PoPETs 2022, prove that no discretisation on the same grid is tighter.) The error is of second order: at most
h²/4 of variance for each run.

*Rounding.* Tail probabilities S at the edges, up to 25 standard deviations out, have a relative error of at most 1000u.
The weights are linear in them, and an error e at edge k moves mass e from one cell to the next: it changes M(z) by at
most e h |z| (1 + |z|) e^(theta t_k), under P and under Q (where q e^t <= p). The sum over the edges is bounded by the
area of S e^(theta t), which is computed. The forward FFT adds at most 8 u log2(n) sqrt(n) times the Euclidean norm of
its input (Higham, "Accuracy and Stability of Numerical Algorithms", Theorem 24.2, for roots of unity as accurate as
those of pocketfft).
"""

from __future__ import annotations

from functools import cached_property
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pets.dp.accounting.survival import tails
from pets.dp.accounting.terms import Kernel
from pets.dp.accounting.transforms import ROUNDING, Line, Reals, Transform, power

Direction = Literal["remove", "add"]
"""Whether the unit is in the first of the two data sets (and removed from it) or in the second."""

_FFT = 8 * 2.0**-53
_TAIL = 16 * ROUNDING
_LARGEST_GRID = 1 << 18  # in a window of W the cells then add at most (W / 2**19)² of variance for each run
_COARSE = 1500
_RATIO = 2048  # cells are at most 1/2048 of their distance from 0, or one step of the grid
_FINE = 0.02  # cell width in standard deviations of one run
_LARGEST_TILT = 600.0
_NEGLIGIBLE = 50.0  # -ln of what does not count


class Sampled(Transform):
    """`count` runs of the loss `kernel`, seen in one direction."""

    def __init__(self, kernel: Kernel, count: int, direction: Direction) -> None:
        self.rate, self.count, self.direction = kernel.rate, count, direction
        self.tails, largest = tails(kernel.family, kernel.parameters)
        self.far = largest * (1 + 1e-9)  # rounding must not leave the largest loss itself beyond the last edge
        low, high = np.log1p(-self.rate) if self.rate < 1 else -self.far, self._sampled(self.far)
        low = max(low, -self.far)
        self.ends = (low, high) if direction == "remove" else (-high, -low)

    def infinite(self) -> float:
        """See :class:`Transform`."""
        return -self.count * float(np.log1p(-self._beyond))

    def square(self) -> float:
        """See :class:`Transform`."""
        points, masses = self._coarse
        return self.count * float(masses @ points**2)

    def log_mgf(self, theta: Reals) -> Reals:
        """See :class:`Transform`."""
        points, masses = self._coarse
        exponents = theta[:, None] * points + np.log(masses)
        peak = exponents.max(axis=1)
        log: Reals = self.count * (peak + np.log(np.exp(exponents - peak[:, None]).sum(axis=1)))
        return log

    def log_mgf_error(self, theta: Reals) -> Reals:
        """See :class:`Transform`."""
        reach = max(map(abs, self.ends))
        error: Reals = self.count * ROUNDING * (1 + theta) * (16 + (1 + theta) * reach)
        return error

    def line(self, theta: float, omega: Reals) -> Line:
        """See :class:`Transform`."""
        size = self._grid_size(omega)
        width = 2 * np.pi / (omega[1] * size)
        steps = _steps(self._lowest(theta) / width, self.ends[1] / width)
        points = steps * width
        above_p, above_q = self._above(points)
        masses = _spread(points, above_p, above_q)
        peak = float((theta * points[masses > 0] + np.log(masses[masses > 0])).max())
        tilt = np.exp(np.minimum(theta * points - peak, _LARGEST_TILT))
        tilted = masses * tilt
        whole = float(tilted.sum())
        folded = np.bincount(steps % size, weights=tilted / whole, minlength=size)
        base = np.fft.rfft(folded)[: omega.size].conj()
        z = np.hypot(theta, omega)
        area = float((above_p[:-1] * tilt[1:] * np.diff(points)).sum()) / whole
        fft = _FFT * np.log2(size) * np.sqrt(size) * float(np.sqrt((folded**2).sum()))
        error = _TAIL * (4 + z * (1 + z) * area + z * max(map(abs, self.ends))) + fft
        log = self.count * (peak + float(np.log(whole)))
        return Line(log, self.count * float(error[0]), power(base, self.count), self.count * (error + ROUNDING))

    def _lowest(self, theta: float) -> float:
        """Return a level below which all losses, moved up to it, are still negligible on the line `theta`."""
        log = float(self.log_mgf(np.array([theta]))[0]) / self.count
        return max(self.ends[0], min(log / theta, self.ends[1]) - _NEGLIGIBLE / theta)

    @cached_property
    def _coarse(self) -> tuple[Reals, Reals]:
        """Points and masses of a discretisation with cells in proportion to the loss: for scales and Rényi bounds."""
        low, high = self.ends
        reach = max(-low, high)
        parts = np.geomspace(1e-7 * reach, 1.001 * reach, _COARSE)
        points = np.concatenate([-parts[::-1], [0.0], parts])
        inside = np.flatnonzero((points >= low) & (points <= high))
        points = points[max(inside[0] - 1, 0) : inside[-1] + 2]
        masses = _spread(points, *self._above(points))
        return points[masses > 0], masses[masses > 0]

    @cached_property
    def _beyond(self) -> float:
        """Mass that goes to infinity: that above the last edge of any grid."""
        return float(self._above(np.array([self.ends[1]]))[0][0])

    def _grid_size(self, omega: Reals) -> int:
        window = 2 * np.pi / omega[1]
        wanted = _FINE * np.sqrt(self.square() / self.count)
        cells = max(2.0 * omega.size, min(window / wanted, _LARGEST_GRID))
        return 1 << int(np.ceil(np.log2(cells)))

    def _sampled(self, level: float) -> float:
        """Return ln(1 - rate + rate e^level)."""
        return float(np.logaddexp(np.log1p(-self.rate), np.log(self.rate) + level)) if self.rate < 1 else level

    def _above(self, points: Reals) -> tuple[Reals, Reals]:
        """Return the chance that the sampled loss exceeds each point, under its own P and Q."""
        sign = 1.0 if self.direction == "remove" else -1.0
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            grown = np.expm1(sign * points) / self.rate
            level = np.where(grown > -1, np.log1p(np.maximum(grown, -1.0)), -np.inf)
        if self.direction == "remove":
            p, q = self.tails(level)
            return self.rate * p + (1 - self.rate) * q, q
        q, p = self.tails(-level)  # L below a level under P is -L above its negative under Q
        return q, self.rate * p + (1 - self.rate) * q


def _steps(low: float, high: float) -> NDArray[np.int64]:
    """Return whole numbers from below `low` to above `high`: all the small ones, then 1/_RATIO apart in proportion."""
    far = max(abs(low), abs(high), 1.0) * (1 + 2 / _RATIO) + 2
    ratio = np.arange(0, np.ceil(_RATIO * np.log(max(far / _RATIO, 1.0))) + 2) / _RATIO
    parts = np.concatenate([np.arange(_RATIO), np.ceil(_RATIO * np.exp(ratio))]).astype(np.int64)
    steps = np.unique(np.concatenate([-parts, parts]))
    return steps[max(np.searchsorted(steps, low) - 2, 0) : np.searchsorted(steps, high) + 2]


def _spread(points: Reals, above_p: Reals, above_q: Reals) -> Reals:
    """Return the masses at the points: each cell's goes to its ends so that its masses under P and Q stay the same."""
    p, q = -np.diff(above_p), -np.diff(above_q)
    up = (p - q * np.exp(np.minimum(points[:-1], _LARGEST_TILT))) / -np.expm1(-np.diff(points))
    up = np.clip(up, 0.0, p)
    masses = np.zeros(points.size)
    masses[:-1] += p - up
    masses[1:] += up
    masses[0] += 1 - above_p[0]
    return masses
