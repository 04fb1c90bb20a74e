r"""Rényi filters and odometers: running bounds when the analyst chooses each next mechanism *and its loss* on the way.

:class:`pets.guarantee.Composition` is the filter behind the ledger. The two here are for what it does not cover:
charges that are Rényi curves or single losses, and a running bound where no limit was set beforehand.

Z is the total loss so far, R(a) the sum of the Rényi bounds at order a = theta + 1, each of which may depend on all
earlier answers. For each order S(a) = exp(theta (Z - R(a))) is a supermartingale with S = 1 at the start, so their
mean M with fixed weights w(a) (summing to 1) is one too.

*Odometer.* By Ville's inequality, M ever reaches 1/delta with probability at most delta. Otherwise w(a) S(a) <
1/delta at all times and for all orders: Z < R(a) + ln(1/(w(a) delta)) / theta. The smallest of these bounds is valid
at every time at once, so also at a time that is chosen after looking (Rogers et al. 2016, Definition 3.2).

*Filter.* (1 - e^(epsilon - z))^+ <= c(a) e^(theta (z - epsilon)) with c(a) = (1 - 1/a)^theta / a. Where the charge is
admitted because theta (R(a) - epsilon) + ln c(a) <= ln(w(a) delta) for *some* order, which may differ from path to
path, the left side at the final Z is at most w(a) delta S(a) <= delta M, and E[M] <= 1 whenever the analyst stops:
the hockey-stick divergence at epsilon is at most delta. Taking the best order without its weight is wrong (see
:mod:`pets.guarantee.filter`).

References
----------
R. Rogers, A. Roth, J. Ullman, S. Vadhan, "Privacy Odometers and Filters", NeurIPS 2016.
V. Feldman, T. Zrnic, "Individual Privacy Accounting via a Rényi Filter", NeurIPS 2021, Theorem 3.1.
M. Lécuyer, "Practical Privacy Filters and Odometers with Rényi Differential Privacy", 2021.
J. Whitehouse, A. Ramdas, R. Rogers, S. Wu, "Fully-Adaptive Composition in Differential Privacy", ICML 2023.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from pets.dp.accounting.bounds import models
from pets.dp.accounting.implied import loss_of
from pets.dp.accounting.losses import Loss
from pets.dp.accounting.terms import alternatives
from pets.errors import BudgetExceeded, IncompatibleGuarantees, InvalidArgument
from pets.exact import Number
from pets.guarantee import ApproxDP, DifferentialPrivacy, Guarantee
from pets.guarantee.bounds import log_down, round_up
from pets.guarantee.conversion import positive_delta, renyi_order, toll

_NEGLIGIBLE = 1e-36
_SMALLEST = Fraction(1, 10**20)

ORDERS: tuple[Fraction, ...] = tuple(
    Fraction(n, 4) for n in (5, 6, 8, 10, 12, 16, 24, 32, 48, 64, 96, 128, 256, 512, 1024)
)
"""Rényi orders between 1.25 and 256 that serve most budgets."""


@dataclass(frozen=True, slots=True)
class RenyiSpent:
    """Sums of Rényi bounds at fixed orders. A frozen value: :meth:`add` returns the next one.

    Parameters
    ----------
    orders
        Orders above 1, ascending.
    totals
        The sum at each order; None where an unbounded charge was made.
    """

    orders: tuple[Fraction, ...] = ORDERS
    totals: tuple[Fraction | None, ...] = ()

    def __post_init__(self) -> None:
        orders = tuple(sorted({renyi_order(order, "orders") for order in self.orders}))
        if not orders:
            raise InvalidArgument("orders", "needs at least one order above 1")
        totals = self.totals or (Fraction(0),) * len(orders)
        if len(totals) != len(orders):
            raise InvalidArgument("totals", "must have one sum for each order")
        object.__setattr__(self, "orders", orders)
        object.__setattr__(self, "totals", totals)

    def add(self, charge: Loss | Guarantee) -> RenyiSpent:
        """Return the sums with one more charge.

        Raises
        ------
        IncompatibleGuarantees
            The charge has a delta of its own, or no bound at any of the orders.
        """
        curve = _curve(charge, self.orders)
        totals = tuple(
            None if old is None or new is None else old + new for old, new in zip(self.totals, curve, strict=True)
        )
        if all(total is None for total in totals):
            raise IncompatibleGuarantees("The charge has no Rényi bound at any of the orders. Take lower orders.")
        return RenyiSpent(self.orders, totals)


@dataclass(frozen=True, slots=True)
class RenyiFilter:
    """A limit in (epsilon, delta) that takes Rényi charges chosen adaptively, losses and all.

    Parameters
    ----------
    limit
        What all charges together may cost, delta above 0.
    spent
        The charges so far.

    Guarantee
    ---------
    Whatever is charged through :meth:`charge`, in whatever adaptive order, is `limit`-differentially private.
    """

    limit: ApproxDP
    spent: RenyiSpent = RenyiSpent()

    def __post_init__(self) -> None:
        if not isinstance(self.limit, ApproxDP):
            raise InvalidArgument("limit", "must be an ApproxDP")
        _delta(self.limit.delta)
        if not isinstance(self.spent, RenyiSpent):
            raise InvalidArgument("spent", "must be a RenyiSpent")

    def charge(self, charge: Loss | Guarantee) -> RenyiFilter:
        """Return the filter after the charge.

        Raises
        ------
        BudgetExceeded
            The charge does not fit at any order; nothing was charged.
        """
        after = RenyiFilter(self.limit, self.spent.add(charge))
        if not after.fits():
            raise BudgetExceeded(charge, f"no more than {self.limit} in all")
        return after

    def fits(self) -> bool:
        """Return whether the charges so far respect the limit at one of the orders."""
        share = _share(self.limit.delta, len(self.spent.orders))
        return any(
            total is not None and (not total or total + toll(order, share) <= self.limit.epsilon)
            for order, total in zip(self.spent.orders, self.spent.totals, strict=True)
        )


@dataclass(frozen=True, slots=True)
class Odometer:
    """A running bound of the loss without a limit set beforehand, valid at all times at once.

    Parameters
    ----------
    delta
        Chance that the loss ever exceeds the bound of its time, above 0.
    spent
        The charges so far.

    Guarantee
    ---------
    With probability at least 1 - delta, at every time the loss of all answers so far is at most :meth:`epsilon`.
    """

    delta: Number
    spent: RenyiSpent = RenyiSpent()

    def __post_init__(self) -> None:
        object.__setattr__(self, "delta", _delta(self.delta))
        if not isinstance(self.spent, RenyiSpent):
            raise InvalidArgument("spent", "must be a RenyiSpent")

    def add(self, charge: Loss | Guarantee) -> Odometer:
        """Return the odometer after the charge."""
        return Odometer(self.delta, self.spent.add(charge))

    def epsilon(self) -> Fraction:
        """Return the bound of the loss now."""
        toll_up = -log_down(_share(Fraction(self.delta), len(self.spent.orders)))
        bounds = [
            total + (toll_up / (order - 1) if total else 0)
            for order, total in zip(self.spent.orders, self.spent.totals, strict=True)
            if total is not None
        ]
        return round_up(min(bounds))


def _curve(charge: object, orders: tuple[Fraction, ...]) -> tuple[Fraction | None, ...]:
    """Return the Rényi bounds of a charge at the orders, None where it has none."""
    if isinstance(charge, ApproxDP) and charge.delta:
        raise IncompatibleGuarantees(
            f"'{charge}' has a delta of its own and no Rényi bound. "
            "Charge what its mechanism is known by, or use Composition."
        )
    if isinstance(charge, DifferentialPrivacy):
        charge = loss_of(charge)
    if not isinstance(charge, Loss):
        raise InvalidArgument("charge", "must be a loss or a guarantee of differential privacy")
    found = [model for way in alternatives([charge]) for model in models(way)]
    if any(model.infinite > _NEGLIGIBLE for model in found):
        raise IncompatibleGuarantees("The charge has a delta of its own and no Rényi bound. Use Composition.")
    theta = np.array([float(order - 1) for order in orders])
    largest = np.max([model.log_mgf(theta) for model in found], axis=0)
    bounds = np.maximum(largest, 0.0) / theta * (1 + 2.0**-44)
    return tuple(round_up(Fraction(float(bound))) if np.isfinite(bound) else None for bound in bounds)


def _share(delta: Fraction, orders: int) -> Fraction:
    """Return the delta of one order; a little is kept for the tails that sampled losses were cut off at."""
    return delta * (1 - Fraction(1, 2**40)) / orders


def _delta(value: object) -> Fraction:
    delta = positive_delta(value)
    if delta < _SMALLEST:
        raise InvalidArgument("delta", "must be at least 1e-20 here")
    return delta
