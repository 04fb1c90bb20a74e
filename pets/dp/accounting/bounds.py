"""The bounds one by one: epsilon at delta and delta at epsilon, or None where a bound says nothing."""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cached_property

from pets.dp.accounting import gaussian, lines, renyi
from pets.dp.accounting.combined import Subsampled
from pets.dp.accounting.model import Model
from pets.dp.accounting.sampled import Direction
from pets.dp.accounting.terms import Terms
from pets.dp.accounting.transforms import ROUNDING
from pets.exact import float_up
from pets.guarantee import ZeroConcentratedDP
from pets.guarantee.bounds import round_up

_DIGITS = 15
_SMALLEST = Fraction(1, 10**130)  # a delta that still can be written to a file


class Epsilons:
    """The smallest epsilon of `terms` at `delta` by each bound; None where it says nothing."""

    def __init__(self, terms: Terms, delta: Fraction) -> None:
        self.terms, self.delta = terms, delta
        self.floor = float_down(delta) * (1 - ROUNDING)

    def by(self, name: str) -> Fraction | None:
        """Return epsilon by the bound `name`."""
        if name == "basic":
            return self.terms.pure if self.terms.failure <= self.delta else None
        if self.delta == 0:
            return None
        if name == "zcdp":
            rho = self.terms.rho
            return None if rho is None else ZeroConcentratedDP(rho).to_approx(self.delta).epsilon
        if name == "gaussian":
            exact = self.terms.only_gaussian
            return _rounded([gaussian.epsilon_at(self.terms.gaussian, self.floor)]) if exact else None
        if self._tilts is None:
            return None
        if name == "renyi":
            return _rounded([max(tilt.bound, 0.0) for _, tilt, _ in self._tilts])
        return _rounded([_loss_epsilon(model, tilt, finite) for model, tilt, finite in self._tilts])

    @cached_property
    def _tilts(self) -> list[tuple[Model, renyi.Tilt, float]] | None:
        """Each direction with its best Rényi bound and what is left of delta for finite losses; None if nothing is."""
        found = []
        for model in models(self.terms):
            finite = self.floor - model.infinite
            if finite <= 0:
                return None
            found.append((model, renyi.epsilon_bound(model, math.log(finite)), finite))
        return found


class Deltas:
    """The smallest delta of `terms` at `epsilon` by each bound; None where it says nothing."""

    def __init__(self, terms: Terms, epsilon: Fraction) -> None:
        self.terms, self.epsilon = terms, epsilon
        self.floor = float_down(epsilon)

    def by(self, name: str) -> Fraction | None:
        """Return delta by the bound `name`."""
        if name == "basic":
            pure, failure = self.terms.pure, self.terms.failure
            return failure if pure is not None and pure <= self.epsilon and failure < 1 else None
        if name == "gaussian":
            mu = math.sqrt(self.terms.gaussian) * (1 + ROUNDING)
            return _probability([gaussian.delta_bound(mu, self.floor).delta]) if self.terms.only_gaussian else None
        if name == "zcdp":
            rho = self.terms.rho
            return None if rho is None else _probability([_zcdp_delta(float_up(rho), self.floor)])
        if name == "renyi":
            return _probability([model.infinite + math.exp(min(tilt.bound, 0.0)) for model, tilt in self._tilts])
        return _probability([_loss_delta(model, tilt, self.floor) for model, tilt in self._tilts])

    @cached_property
    def _tilts(self) -> list[tuple[Model, renyi.Tilt]]:
        """Each direction with its best Rényi bound."""
        return [(model, renyi.delta_bound(model, self.floor)) for model in models(self.terms)]


def models(terms: Terms) -> list[Model]:
    """Return the total loss in each direction; one if both are the same."""
    directions: tuple[Direction, ...] = ("remove",)
    if any(isinstance(loss, Subsampled) for loss, _ in terms.members):
        directions = ("remove", "add")
    return [Model(terms, direction) for direction in directions]


def _loss_epsilon(model: Model, tilt: renyi.Tilt, finite: float) -> float | None:
    if not model.known:
        return None
    return lines.epsilon_at(model, tilt, finite)


def _loss_delta(model: Model, tilt: renyi.Tilt, epsilon: float) -> float | None:
    if not model.known:
        return None
    finite = lines.delta_at(model, tilt, epsilon)
    return None if finite is None else model.infinite + finite


def _zcdp_delta(rho: float, epsilon: float) -> float:
    """Return delta at theta = (epsilon - rho) / (2 rho), where e^(theta (theta + 1) rho - theta epsilon) is least."""
    theta = max((epsilon - rho) / (2 * rho), 1e-3)
    exponent = theta * (theta + 1) * rho - theta * epsilon - math.log1p(theta) - theta * math.log1p(1 / theta)
    return math.exp(min(exponent + ROUNDING * (1 + theta) * (1 + epsilon + theta * rho), 0.0))


def _rounded(values: list[float | None]) -> Fraction | None:
    """Return the largest epsilon, rounded up; None if one direction is not bounded."""
    known = [value for value in values if value is not None and value < math.inf]
    return round_up(Fraction(max(known)), _DIGITS) if len(known) == len(values) else None


def _probability(values: list[float | None]) -> Fraction | None:
    """Return the largest delta, rounded up; None if it promises nothing."""
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return None
    delta = max(round_up(Fraction(max(known)) * (1 + Fraction(1, 2**40)), _DIGITS), _SMALLEST)
    return delta if delta < 1 else None


def float_down(number: Fraction) -> float:
    """Return the largest float that is not above `number`."""
    return -float_up(-number)
