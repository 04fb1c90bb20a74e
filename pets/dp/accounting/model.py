"""A multiset of losses as numbers: one transform for each family, and Gaussians as one."""

from __future__ import annotations

from collections import Counter
from fractions import Fraction

import numpy as np

from pets.dp.accounting.sampled import Direction, Sampled
from pets.dp.accounting.terms import Kernel, Terms
from pets.dp.accounting.theta import DiscreteGaussian
from pets.dp.accounting.transforms import CLOSED_FORMS, ROUNDING, Reals, Transform
from pets.exact import float_up
from pets.guarantee import RenyiDP


class Model:
    """The total loss of `terms`, seen in one direction.

    Attributes
    ----------
    gaussian
        Total mu² of the continuous Gaussian losses.
    transforms
        The other losses whose laws are known.
    rho, curves
        What is known by Rényi divergences only.
    """

    def __init__(self, terms: Terms, direction: Direction) -> None:
        self.gaussian = terms.gaussian * (1 + ROUNDING)
        self.curves = terms.curves()
        counts = terms.kernels()
        self.rho = sum((n * k.parameters[0] for k, n in counts.items() if k.family == "zcdp"), 0.0)
        self.transforms = _transforms(counts, direction)
        self.work = sum(t.work() for t in self.transforms)
        self.infinite = -float(np.expm1(-sum(t.infinite() for t in self.transforms))) * (1 + ROUNDING)

    @property
    def known(self) -> bool:
        """Whether the law of each loss is known, not only bounds of its Rényi divergences."""
        return not self.rho and not self.curves

    def scale(self) -> float:
        """Return roughly the standard deviation of the total."""
        weak = 2 * self.rho + sum(n * _lowest(loss.guarantee) for loss, n in self.curves)
        return float(np.sqrt(self.gaussian + weak + sum(t.square() for t in self.transforms)))

    def log_mgf(self, theta: Reals) -> Reals:
        """Return an upper bound of K(theta), rounding included; infinity where none is known."""
        total = theta * (theta + 1) / 2 * (self.gaussian + 2 * self.rho)
        error = ROUNDING * total
        for transform in self.transforms:
            total = total + transform.log_mgf(theta)
            error = error + transform.log_mgf_error(theta)
        for loss, n in self.curves:
            total = total + n * theta * np.array([_at(loss.guarantee, float(t)) for t in theta])
        bound: Reals = total + error
        return bound


def _transforms(counts: Counter[Kernel], direction: Direction) -> list[Transform]:
    families: dict[str, list[tuple[tuple[float, ...], int]]] = {}
    found: list[Transform] = []
    for kernel, n in counts.items():
        if kernel.rate < 1:
            found.append(Sampled(kernel, n, direction))
        elif kernel.family != "zcdp":
            families.setdefault(kernel.family, []).append((kernel.parameters, n))
    for family, rows in families.items():
        parameters, times = np.array([p for p, _ in rows]), np.array([float(n) for _, n in rows])
        if family == "discrete gaussian":
            found.append(DiscreteGaussian(parameters[:, 0], parameters[:, 1], times))
        else:
            order = np.argsort(times, kind="stable")  # chunks of losses that occur once need no powers
            found.append(CLOSED_FORMS[family](parameters[order], times[order]))
    return found


def _at(curve: RenyiDP, theta: float) -> float:
    """Return the bound at the order theta + 1, from the next higher one that is known."""
    known = [epsilon for point, epsilon in curve.curve if point >= 1 + Fraction(theta)]
    return float_up(min(known)) if known else np.inf


def _lowest(curve: RenyiDP) -> float:
    return float_up(curve.curve[0][1])
