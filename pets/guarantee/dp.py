"""The currencies of differential privacy: pure, approximate, zero-concentrated and Rényi."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from pets.errors import IncompatibleGuarantees, InvalidArgument
from pets.exact import Number, as_text, show
from pets.guarantee import conversion, wording
from pets.guarantee.base import DifferentialPrivacy, checked_unit, group_size, literal
from pets.guarantee.bounds import parameter
from pets.privacy_unit import PrivacyUnit


@dataclass(frozen=True, slots=True, init=False, repr=False)
class PureDP(DifferentialPrivacy):
    """Pure differential privacy: no publication becomes more than e^epsilon times as likely by one unit.

    Parameters
    ----------
    epsilon
        At least 0. A float is read as the decimal that prints it: 0.1 is one tenth.
    unit
        Whose presence is protected. ``None`` leaves it open and agrees with every unit.

    Raises
    ------
    InvalidArgument
        `epsilon` is negative, not finite or no number.

    References
    ----------
    Dwork, McSherry, Nissim and Smith, "Calibrating Noise to Sensitivity in Private Data Analysis", TCC 2006.
    """

    epsilon: Fraction
    unit: PrivacyUnit | None

    def __init__(self, epsilon: Number, *, unit: PrivacyUnit | None = None) -> None:
        object.__setattr__(self, "epsilon", parameter(epsilon, "epsilon"))
        object.__setattr__(self, "unit", checked_unit(unit))

    def group(self, k: int) -> PureDP:
        """Return k * epsilon."""
        return PureDP(group_size(k) * self.epsilon, unit=self.unit)

    def to_zcdp(self) -> ZeroConcentratedDP:
        """Return rho = epsilon²/2 (Bun and Steinke 2016, Proposition 1.4)."""
        return ZeroConcentratedDP(self.epsilon**2 / 2, unit=self.unit)

    def to_approx(self, delta: Number = 0) -> ApproxDP:
        """Return the same epsilon with delta 0, which is below any `delta` asked for."""
        conversion.failure_probability(delta)
        return ApproxDP(self.epsilon, 0, unit=self.unit)

    def to_renyi(self, orders: Iterable[Number]) -> RenyiDP:
        """Return the curve of randomised response, the worst epsilon-DP mechanism (Mironov 2017, section VI)."""
        curve = {a: conversion.pure_to_renyi(self.epsilon, a) for a in _orders(orders)}
        return RenyiDP(curve, unit=self.unit)

    def explain(self) -> str:
        """Return the odds of the best guesser, for one unit."""
        return self._sentence(wording.approx_distance(float(self.epsilon), 0.0))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data with exact numbers as text."""
        return self._record("pure_dp", epsilon=as_text(self.epsilon))

    def __str__(self) -> str:
        return f"epsilon = {show(self.epsilon)} (pure DP)"

    def __repr__(self) -> str:
        return self._repr(literal(self.epsilon))


@dataclass(frozen=True, slots=True, init=False, repr=False)
class ApproxDP(DifferentialPrivacy):
    """Approximate differential privacy: pure DP except with probability delta.

    Parameters
    ----------
    epsilon
        At least 0.
    delta
        0 <= delta < 1. With delta 0 this is pure differential privacy.
    unit
        Whose presence is protected.

    Raises
    ------
    InvalidArgument
        A parameter is no number or out of range.

    References
    ----------
    Dwork, Kenthapadi, McSherry, Mironov and Naor, "Our Data, Ourselves", EUROCRYPT 2006.
    """

    epsilon: Fraction
    delta: Fraction
    unit: PrivacyUnit | None

    def __init__(self, epsilon: Number, delta: Number, *, unit: PrivacyUnit | None = None) -> None:
        object.__setattr__(self, "epsilon", parameter(epsilon, "epsilon"))
        object.__setattr__(self, "delta", conversion.failure_probability(delta))
        object.__setattr__(self, "unit", checked_unit(unit))

    def group(self, k: int) -> ApproxDP:
        """Return (k epsilon, delta (e^(k epsilon) - 1) / (e^epsilon - 1)) (Vadhan 2017, Lemma 2.2, summed exactly)."""
        size = group_size(k)
        if size == 1 or self.delta == 0:
            return ApproxDP(size * self.epsilon, self.delta, unit=self.unit)
        delta = conversion.group_delta(self.epsilon, self.delta, size)
        if delta is None:
            raise IncompatibleGuarantees(f"{self} promises nothing to {size} units together: delta would reach 1.")
        return ApproxDP(size * self.epsilon, delta, unit=self.unit)

    def to_zcdp(self) -> ZeroConcentratedDP:
        """Return rho = epsilon²/2 if delta is 0; otherwise there is none."""
        return self._as_pure("zero-concentrated").to_zcdp()

    def to_approx(self, delta: Number) -> ApproxDP:
        """Return itself if its delta is at most `delta`; otherwise it cannot be improved."""
        if self.delta > conversion.failure_probability(delta):
            raise IncompatibleGuarantees(f"{self} says nothing about a smaller delta. Ask for at least its own delta.")
        return self

    def to_renyi(self, orders: Iterable[Number]) -> RenyiDP:
        """Return the worst pure curve if delta is 0; otherwise there is none."""
        return self._as_pure("Rényi").to_renyi(orders)

    def _as_pure(self, wanted: str) -> PureDP:
        if self.delta > 0:
            raise IncompatibleGuarantees(
                f"{self} has no {wanted} form, because its delta is above 0. "
                "Convert the other guarantees with to_approx(delta) instead."
            )
        return PureDP(self.epsilon, unit=self.unit)

    def explain(self) -> str:
        """Return the odds of the best guesser, for one unit."""
        distance = wording.approx_distance(float(self.epsilon), float(self.delta))
        if self.delta == 0:
            return self._sentence(distance)
        failure = f", and with a chance of at most {wording.chance(self.delta)} nothing is promised at all"
        return self._sentence(distance, failure)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data with exact numbers as text."""
        return self._record("approx_dp", epsilon=as_text(self.epsilon), delta=as_text(self.delta))

    def __str__(self) -> str:
        return f"epsilon = {show(self.epsilon)}, delta = {show(self.delta)} (approximate DP)"

    def __repr__(self) -> str:
        return self._repr(literal(self.epsilon), literal(self.delta))


@dataclass(frozen=True, slots=True, init=False, repr=False)
class ZeroConcentratedDP(DifferentialPrivacy):
    """Zero-concentrated differential privacy: Rényi divergence at most order * rho at every order above 1.

    Parameters
    ----------
    rho
        At least 0. Gaussian noise of standard deviation s on a sum of L2 sensitivity d has rho = d²/(2 s²).
    unit
        Whose presence is protected.

    Raises
    ------
    InvalidArgument
        `rho` is negative, not finite or no number.

    References
    ----------
    Bun and Steinke, "Concentrated Differential Privacy", TCC 2016.
    """

    rho: Fraction
    unit: PrivacyUnit | None

    def __init__(self, rho: Number, *, unit: PrivacyUnit | None = None) -> None:
        object.__setattr__(self, "rho", parameter(rho, "rho"))
        object.__setattr__(self, "unit", checked_unit(unit))

    def group(self, k: int) -> ZeroConcentratedDP:
        """Return k² rho (Bun and Steinke 2016, Proposition 1.9)."""
        return ZeroConcentratedDP(group_size(k) ** 2 * self.rho, unit=self.unit)

    def to_zcdp(self) -> ZeroConcentratedDP:
        """Return itself."""
        return self

    def to_approx(self, delta: Number) -> ApproxDP:
        """Return the smallest epsilon over all real Rényi orders (Canonne, Kamath and Steinke 2020, section 2.3)."""
        if self.rho == 0:
            conversion.failure_probability(delta)
            return ApproxDP(0, 0, unit=self.unit)
        failure = conversion.positive_delta(delta)
        return ApproxDP(conversion.zcdp_to_epsilon(self.rho, failure), failure, unit=self.unit)

    def to_renyi(self, orders: Iterable[Number]) -> RenyiDP:
        """Return order * rho, which is the definition (Bun and Steinke 2016, Definition 1.1)."""
        return RenyiDP({a: a * self.rho for a in _orders(orders)}, unit=self.unit)

    def explain(self) -> str:
        """Return the odds of the best guesser, for one unit."""
        implied = self.to_approx("1e-6")
        distance = wording.divergence_distance(float(self.rho))
        return self._sentence(distance, f"; it implies epsilon = {show(implied.epsilon, 3)} with delta = 1e-6")

    def to_dict(self) -> dict[str, Any]:
        """Return plain data with exact numbers as text."""
        return self._record("zcdp", rho=as_text(self.rho))

    def __str__(self) -> str:
        return f"rho = {show(self.rho)} (zero-concentrated DP)"

    def __repr__(self) -> str:
        return self._repr(literal(self.rho))


@dataclass(frozen=True, slots=True, init=False, repr=False)
class RenyiDP(DifferentialPrivacy):
    """Rényi differential privacy: an upper bound of the Rényi divergence at some orders.

    Parameters
    ----------
    curve
        Order above 1 -> epsilon of at least 0. Not empty. Kept as sorted pairs in the attribute `curve`.
    unit
        Whose presence is protected.

    Raises
    ------
    InvalidArgument
        The curve is empty or not a mapping, an order occurs twice or is not above 1, or an epsilon is negative.

    References
    ----------
    Mironov, "Rényi Differential Privacy", CSF 2017.
    """

    curve: tuple[tuple[Fraction, Fraction], ...]
    unit: PrivacyUnit | None

    def __init__(self, curve: Mapping[Any, Number], *, unit: PrivacyUnit | None = None) -> None:
        object.__setattr__(self, "curve", _curve(curve))
        object.__setattr__(self, "unit", checked_unit(unit))

    @property
    def orders(self) -> tuple[Fraction, ...]:
        """The orders of the curve, ascending."""
        return tuple(order for order, _ in self.curve)

    def epsilon_at(self, order: Number) -> Fraction:
        """Return the best bound of the divergence at `order`, which may lie between the orders of the curve.

        The divergence does not decrease with the order (van Erven and Harremoës 2014, Theorem 3), so every
        point at a higher order is a bound too.
        """
        wanted = conversion.renyi_order(order)
        known = [epsilon for point, epsilon in self.curve if point >= wanted]
        if not known:
            raise IncompatibleGuarantees(
                f"{self} says nothing about order {show(wanted)}. Ask for orders up to {show(self.orders[-1])}."
            )
        return min(known)

    def group(self, k: int) -> RenyiDP:
        """Return the curve order / 2^c -> 3^c epsilon for 2^c >= k (Mironov 2017, Proposition 2)."""
        doublings = (group_size(k) - 1).bit_length()
        points = {a / 2**doublings: 3**doublings * e for a, e in self.curve if a >= 2 ** (doublings + 1)}
        if doublings and not points:
            raise IncompatibleGuarantees(
                f"A group of {k} needs an order of at least {2 ** (doublings + 1)}, and the curve ends at "
                f"{show(self.orders[-1])}. State the guarantee at higher orders."
            )
        return RenyiDP(points, unit=self.unit) if doublings else self

    def to_zcdp(self) -> ZeroConcentratedDP:
        """Refuse: a bound at finitely many orders implies none at all the others."""
        raise IncompatibleGuarantees("A Rényi curve has no zero-concentrated form. Convert it with to_approx(delta).")

    def to_approx(self, delta: Number) -> ApproxDP:
        """Return the smallest epsilon over the given orders (Canonne, Kamath and Steinke 2020, section 2.3)."""
        failure = conversion.positive_delta(delta)
        return ApproxDP(conversion.renyi_to_epsilon(self.curve, failure), failure, unit=self.unit)

    def to_renyi(self, orders: Iterable[Number]) -> RenyiDP:
        """Return the bounds at other orders, none above the last (see :meth:`epsilon_at`)."""
        return RenyiDP({a: self.epsilon_at(a) for a in _orders(orders)}, unit=self.unit)

    def explain(self) -> str:
        """Return the odds of the best guesser, for one unit."""
        implied = self.to_approx("1e-6")
        # The Kullback-Leibler divergence is the limit at order 1, below all others.
        distance = wording.divergence_distance(float(min(epsilon for _, epsilon in self.curve)))
        return self._sentence(distance, f"; it implies epsilon = {show(implied.epsilon, 3)} with delta = 1e-6")

    def to_dict(self) -> dict[str, Any]:
        """Return plain data with exact numbers as text."""
        return self._record("renyi_dp", curve={as_text(order): as_text(epsilon) for order, epsilon in self.curve})

    def __str__(self) -> str:
        low, high = self.orders[0], self.orders[-1]
        span = f"order {show(low)}" if low == high else f"{len(self.curve)} orders {show(low)} to {show(high)}"
        return f"epsilon = {show(self.curve[0][1])} at order {show(low)} (Rényi DP, {span})"

    def __repr__(self) -> str:
        return self._repr("{" + ", ".join(f"{literal(a)}: {literal(e)}" for a, e in self.curve) + "}")


DPGuarantee = PureDP | ApproxDP | ZeroConcentratedDP | RenyiDP
"""A guarantee that a ledger can charge."""


def _orders(orders: Iterable[Number]) -> list[Fraction]:
    if isinstance(orders, str) or not isinstance(orders, Iterable):
        raise InvalidArgument("orders", "must be a list of numbers above 1")
    return sorted({conversion.renyi_order(order, "orders") for order in orders})


def _curve(curve: object) -> tuple[tuple[Fraction, Fraction], ...]:
    if not isinstance(curve, Mapping) or not curve:
        raise InvalidArgument("curve", "must map at least one order above 1 to an epsilon", "E.g. {2: 0.1, 8: 0.4}.")
    points: dict[Fraction, Fraction] = {}
    for key, value in curve.items():
        order = conversion.renyi_order(key, "curve.order")
        if order in points:
            raise InvalidArgument("curve", f"gives order {show(order)} twice")
        points[order] = parameter(value, f"curve.{show(order)}")
    return tuple(sorted(points.items()))
