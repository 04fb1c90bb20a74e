"""What one mechanism can lose, described as data: no arithmetic on distributions happens here.

A loss is the law of L = ln(P(output) / Q(output)), the output drawn from P, for a *dominating pair* (P, Q) of the
mechanism: no two neighbouring data sets are told apart better than P and Q are. All numbers are exact rationals.

The neighbouring relation is the one under which the stated sensitivity or epsilon holds. Losses that exist under
``'add_remove'`` only say so in :attr:`Loss.add_remove_only`, and :func:`~pets.dp.accounting.account` refuses them
for a unit with ``'replace_one'``.

References
----------
Y. Zhu, J. Dong, Y.-X. Wang, "Optimal Accounting of Differential Privacy via Characteristic Function", AISTATS 2022:
Definition 7 (dominating pairs), Proposition 8 (every convex profile has one), Theorem 10 (pairs compose, adaptively).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from fractions import Fraction

from pets.errors import InvalidArgument
from pets.exact import Number, positive
from pets.guarantee.base import group_size
from pets.guarantee.bounds import parameter

_MOST_CATEGORIES = 10**6
_LARGEST_SHIFT = 10**6
_SMALLEST, _LARGEST = Fraction(1, 10**12), Fraction(10**6)  # what the numerics take


class Loss(ABC):
    """The privacy loss of one mechanism, or of several combined."""

    __slots__ = ()

    @property
    def add_remove_only(self) -> bool:
        """Whether the loss has a meaning for the relation ``'add_remove'`` only."""
        return False

    @abstractmethod
    def group(self, k: int) -> Loss:
        """Return the loss to any `k` units together, e.g. to a family of patients."""


class SimpleLoss(Loss):
    """The loss of one single mechanism."""

    __slots__ = ()

    @abstractmethod
    def pure(self) -> Fraction | None:
        """Return the epsilon of pure DP, or None if there is none."""

    @abstractmethod
    def rho(self) -> Fraction | None:
        """Return the best known rho of zero-concentrated DP, or None if there is none."""


@dataclass(frozen=True, slots=True, init=False)
class GaussianLoss(SimpleLoss):
    """Gaussian noise on a vector: L is normal with mean mu²/2 and variance mu², mu = sensitivity / sigma.

    Parameters
    ----------
    sigma
        Standard deviation of the noise, above 0.
    sensitivity
        Largest change of the vector in L2 norm, above 0.

    References
    ----------
    J. Dong, A. Roth, W. Su, "Gaussian Differential Privacy", JRSS B 2022, Theorem 2.7.
    """

    sigma: Fraction
    sensitivity: Fraction
    mu: float = field(compare=False, repr=False)  # the ratio as a float, relative error below 2^-50

    def __init__(self, sigma: Number, sensitivity: Number = 1) -> None:
        object.__setattr__(self, "sigma", positive(sigma, "sigma"))
        object.__setattr__(self, "sensitivity", positive(sensitivity, "sensitivity"))
        object.__setattr__(self, "mu", _ratio(self.sensitivity, self.sigma))

    def pure(self) -> None:
        """Return None: the loss has no bound."""

    def rho(self) -> Fraction:
        """Return sensitivity² / (2 sigma²) (Bun and Steinke 2016, Proposition 1.6)."""
        return (self.sensitivity / self.sigma) ** 2 / 2

    def group(self, k: int) -> GaussianLoss:
        """Return the loss at `k` times the sensitivity."""
        return GaussianLoss(self.sigma, group_size(k) * self.sensitivity)


@dataclass(frozen=True, slots=True, init=False)
class DiscreteGaussianLoss(SimpleLoss):
    """Discrete Gaussian noise on one integer that changes by a whole number.

    For a vector whose coordinates change by d1, d2, ... compose one loss for each; if only the L2 norm of the change is
    known, use :class:`ZCDPLoss`, which holds for every such change.

    Parameters
    ----------
    sigma2
        Parameter sigma² of the weights exp(-x² / (2 sigma²)), above 0.
    sensitivity
        Size of the change: a whole number from 1 to 1,000,000.

    References
    ----------
    Canonne, Kamath and Steinke, "The Discrete Gaussian for Differential Privacy", NeurIPS 2020.
    """

    sigma2: Fraction
    sensitivity: int

    def __init__(self, sigma2: Number, sensitivity: int = 1) -> None:
        object.__setattr__(self, "sigma2", positive(sigma2, "sigma2"))
        object.__setattr__(self, "sensitivity", _shift(sensitivity))
        _ratio(Fraction(self.sensitivity), self.sigma2)

    def pure(self) -> None:
        """Return None: the loss has no bound."""

    def rho(self) -> Fraction:
        """Return sensitivity² / (2 sigma²) (Canonne, Kamath and Steinke 2020, Theorem 14)."""
        return Fraction(self.sensitivity**2) / (2 * self.sigma2)

    def group(self, k: int) -> DiscreteGaussianLoss:
        """Return the loss at `k` times the sensitivity."""
        return DiscreteGaussianLoss(self.sigma2, group_size(k) * self.sensitivity)


class _PureLoss(SimpleLoss):
    """A loss that never exceeds its epsilon."""

    __slots__ = ()

    @abstractmethod
    def pure(self) -> Fraction:
        """Return the largest loss."""

    def rho(self) -> Fraction:
        """Return epsilon²/2 (Bun and Steinke 2016, Proposition 1.4)."""
        return self.pure() ** 2 / 2


@dataclass(frozen=True, slots=True, init=False)
class LaplaceLoss(_PureLoss):
    """Laplace noise on one real number.

    Parameters
    ----------
    scale
        Scale b of the density exp(-abs(x)/b), above 0.
    sensitivity
        Largest change of the number, above 0.
    """

    scale: Fraction
    sensitivity: Fraction

    def __init__(self, scale: Number, sensitivity: Number = 1) -> None:
        object.__setattr__(self, "scale", positive(scale, "scale"))
        object.__setattr__(self, "sensitivity", positive(sensitivity, "sensitivity"))
        _ratio(self.sensitivity, self.scale)

    def pure(self) -> Fraction:
        """Return sensitivity / scale."""
        return self.sensitivity / self.scale

    def group(self, k: int) -> LaplaceLoss:
        """Return the loss at `k` times the sensitivity."""
        return LaplaceLoss(self.scale, group_size(k) * self.sensitivity)


@dataclass(frozen=True, slots=True, init=False)
class DiscreteLaplaceLoss(_PureLoss):
    """Discrete Laplace (two-sided geometric) noise on one integer that changes by a whole number.

    Parameters
    ----------
    scale
        Scale b of the weights exp(-abs(x)/b), above 0.
    sensitivity
        Size of the change: a whole number from 1 to 1,000,000. A change of 1 is randomised response exactly.
    """

    scale: Fraction
    sensitivity: int

    def __init__(self, scale: Number, sensitivity: int = 1) -> None:
        object.__setattr__(self, "scale", positive(scale, "scale"))
        object.__setattr__(self, "sensitivity", _shift(sensitivity))
        _ratio(Fraction(self.sensitivity), self.scale)

    def pure(self) -> Fraction:
        """Return sensitivity / scale."""
        return self.sensitivity / self.scale

    def group(self, k: int) -> DiscreteLaplaceLoss:
        """Return the loss at `k` times the sensitivity."""
        return DiscreteLaplaceLoss(self.scale, group_size(k) * self.sensitivity)


@dataclass(frozen=True, slots=True, init=False)
class RandomizedResponseLoss(_PureLoss):
    """Randomised response over a list of categories: the true one is e^epsilon times as likely as any other.

    Parameters
    ----------
    epsilon
        Above 0.
    categories
        How many answers there are, at least 2.
    """

    epsilon: Fraction
    categories: int

    def __init__(self, epsilon: Number, categories: int = 2) -> None:
        object.__setattr__(self, "epsilon", above_zero(epsilon, "epsilon"))
        if isinstance(categories, bool) or not isinstance(categories, int) or not 2 <= categories <= _MOST_CATEGORIES:
            raise InvalidArgument("categories", f"must be a whole number from 2 to {_MOST_CATEGORIES:,}")
        object.__setattr__(self, "categories", categories)

    def pure(self) -> Fraction:
        """Return epsilon."""
        return self.epsilon

    def group(self, k: int) -> RandomizedResponseLoss | PureLoss:
        """Return the worst pure loss at k * epsilon."""
        return self if group_size(k) == 1 else PureLoss(k * self.epsilon)


@dataclass(frozen=True, slots=True, init=False)
class PureLoss(_PureLoss):
    """The worst loss of any mechanism with pure epsilon-DP: that of randomised response between two answers.

    Parameters
    ----------
    epsilon
        Above 0.

    References
    ----------
    Kairouz, Oh and Viswanath, "The Composition Theorem for Differential Privacy", ICML 2015, Theorem 2.
    """

    epsilon: Fraction

    def __init__(self, epsilon: Number) -> None:
        object.__setattr__(self, "epsilon", above_zero(epsilon, "epsilon"))

    def pure(self) -> Fraction:
        """Return epsilon."""
        return self.epsilon

    def group(self, k: int) -> PureLoss:
        """Return k * epsilon."""
        return PureLoss(group_size(k) * self.epsilon)


@dataclass(frozen=True, slots=True, init=False)
class ExponentialMechanismLoss(_PureLoss):
    """The worst loss of a mechanism with bounded range: on any two outputs, L differs by at most `epsilon`.

    The exponential mechanism with weights exp(epsilon * utility / (2 sensitivity)) has it, and with a utility that can
    only grow when a unit is added also the one with weights exp(epsilon * utility / sensitivity).

    Parameters
    ----------
    epsilon
        The range, above 0.

    Notes
    -----
    The losses of range epsilon are dominated by those with two values t and t - epsilon ([1]_, Lemma 3.2); E[e^-L] = 1
    fixes their weights. The largest delta over t is, for abs(x) <= epsilon,
    (e^(epsilon/2) - e^(x/2))² / (e^epsilon - 1), attained at t = (x + epsilon)/2. A supremum of convex profiles is
    one, so it has a dominating pair: L has density proportional to e^(x/2) on [-epsilon, epsilon].

    References
    ----------
    .. [1] J. Dong, D. Durfee, R. Rogers, "Optimal Differential Privacy Composition for Exponential Mechanisms", ICML
    2020.
    """

    epsilon: Fraction

    def __init__(self, epsilon: Number) -> None:
        object.__setattr__(self, "epsilon", above_zero(epsilon, "epsilon"))

    def pure(self) -> Fraction:
        """Return epsilon."""
        return self.epsilon

    def rho(self) -> Fraction:
        """Return epsilon²/8 (Cesar and Rogers, "Bounding, Concentrating, and Truncating", ALT 2021, Lemma 3.4)."""
        return self.epsilon**2 / 8

    def group(self, k: int) -> ExponentialMechanismLoss:
        """Return k * epsilon: the utility changes by k times its sensitivity."""
        return ExponentialMechanismLoss(group_size(k) * self.epsilon)


def _shift(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _LARGEST_SHIFT:
        raise InvalidArgument("sensitivity", f"must be a whole number from 1 to {_LARGEST_SHIFT:,} for integer noise")
    return value


def _ratio(sensitivity: Fraction, scale: Fraction) -> float:
    """Return the quotient as a float; what is too large or too small for the numerics is refused."""
    ratio = sensitivity / scale
    if not _SMALLEST <= ratio <= _LARGEST:
        raise InvalidArgument("sensitivity", "over the scale of the noise must lie between 1e-12 and 1e6")
    return float(ratio)


def above_zero(value: object, argument: str) -> Fraction:
    """Return `value` as an exact number between 1e-12 and 1e6, which the numerics take."""
    number = parameter(value, argument)
    if not _SMALLEST <= number <= _LARGEST:
        raise InvalidArgument(argument, "must lie between 1e-12 and 1e6", "Leave out what loses nothing.")
    return number
