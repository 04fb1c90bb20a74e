"""Losses of mechanisms of which only a guarantee is known: the worst loss that it allows."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from pets.dp.accounting.losses import Loss, PureLoss, SimpleLoss, above_zero
from pets.errors import IncompatibleGuarantees, InvalidArgument
from pets.exact import Number
from pets.guarantee import ApproxDP, Guarantee, PureDP, RenyiDP, ZeroConcentratedDP
from pets.guarantee.base import group_size


@dataclass(frozen=True, slots=True, init=False)
class ApproxLoss(SimpleLoss):
    """The worst loss of any (epsilon, delta)-DP mechanism.

    Parameters
    ----------
    epsilon
        Above 0.
    delta
        0 <= delta < 1.

    References
    ----------
    Kairouz, Oh and Viswanath 2015, Theorem 2.
    """

    epsilon: Fraction
    delta: Fraction

    def __init__(self, epsilon: Number, delta: Number) -> None:
        checked = ApproxDP(epsilon, delta)
        object.__setattr__(self, "epsilon", above_zero(epsilon, "epsilon"))
        object.__setattr__(self, "delta", checked.delta)

    def pure(self) -> Fraction | None:
        """Return epsilon if delta is 0."""
        return None if self.delta else self.epsilon

    def rho(self) -> Fraction | None:
        """Return epsilon²/2 if delta is 0."""
        return None if self.delta else self.epsilon**2 / 2

    def group(self, k: int) -> ApproxLoss:
        """Return what :meth:`pets.ApproxDP.group` promises."""
        grown = ApproxDP(self.epsilon, self.delta).group(k)
        return ApproxLoss(grown.epsilon, grown.delta)


@dataclass(frozen=True, slots=True, init=False)
class ZCDPLoss(SimpleLoss):
    """A loss of which only zero-concentrated DP is known. It composes through Rényi divergences only.

    Parameters
    ----------
    rho
        Above 0.
    """

    bound: Fraction

    def __init__(self, rho: Number) -> None:
        object.__setattr__(self, "bound", above_zero(rho, "rho"))

    def pure(self) -> None:
        """Return None: the loss has no bound."""

    def rho(self) -> Fraction:
        """Return rho."""
        return self.bound

    def group(self, k: int) -> ZCDPLoss:
        """Return k² rho (Bun and Steinke 2016, Proposition 1.9)."""
        return ZCDPLoss(group_size(k) ** 2 * self.bound)


@dataclass(frozen=True, slots=True)
class RenyiLoss(SimpleLoss):
    """A loss of which only a Rényi curve is known. It composes through Rényi divergences only.

    Parameters
    ----------
    guarantee
        The curve.
    """

    guarantee: RenyiDP

    def __post_init__(self) -> None:
        if not isinstance(self.guarantee, RenyiDP):
            raise InvalidArgument("guarantee", "must be a RenyiDP", "Write RenyiLoss(RenyiDP({2: 0.1, 8: 0.4})).")

    def pure(self) -> None:
        """Return None: the loss has no bound."""

    def rho(self) -> None:
        """Return None: finitely many orders imply no bound at the others."""

    def group(self, k: int) -> RenyiLoss:
        """Return what :meth:`pets.RenyiDP.group` promises."""
        return RenyiLoss(self.guarantee.group(k))


def loss_of(guarantee: Guarantee) -> Loss:
    """Return the worst loss under a guarantee of differential privacy.

    Raises
    ------
    IncompatibleGuarantees
        The guarantee bounds no loss.
    """
    if isinstance(guarantee, PureDP):
        return PureLoss(guarantee.epsilon)
    if isinstance(guarantee, ApproxDP):
        return ApproxLoss(guarantee.epsilon, guarantee.delta)
    if isinstance(guarantee, ZeroConcentratedDP):
        return ZCDPLoss(guarantee.rho)
    if isinstance(guarantee, RenyiDP):
        return RenyiLoss(guarantee)
    raise IncompatibleGuarantees(f"{guarantee} bounds no privacy loss and cannot be accounted for.")
