"""How much several mechanisms lose together, by the tightest bound that is valid for them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal, NamedTuple, get_args

from pets.dp.accounting.bounds import Deltas, Epsilons
from pets.dp.accounting.combined import checked
from pets.dp.accounting.losses import Loss
from pets.dp.accounting.terms import Terms, alternatives
from pets.errors import IncompatibleGuarantees, InvalidArgument, did_you_mean
from pets.exact import Number, show
from pets.guarantee import ApproxDP
from pets.guarantee.bounds import parameter
from pets.guarantee.conversion import failure_probability
from pets.privacy_unit import PrivacyUnit

BoundName = Literal["gaussian", "loss distribution", "renyi", "zcdp", "basic"]
"""The bounds that are known; see :data:`WHY`."""

WHY: dict[str, str] = {
    "gaussian": "all noise is Gaussian, and Gaussian losses compose exactly: one Gaussian with the sum of mu²",
    "loss distribution": "the distribution of the total loss is known and was integrated with a certified error",
    "renyi": "Rényi divergences add up; at the best order they gave the least",
    "zcdp": "the rho of zero-concentrated DP add up",
    "basic": "the epsilons add up, and nothing gave less",
}
"""Why each bound is valid or was taken."""


@dataclass(frozen=True, slots=True)
class Account:
    """What several mechanisms promise together.

    Attributes
    ----------
    guarantee
        The promise, rounded against the spender.
    bound
        The bound that gave it.
    candidates
        The other side of the question (epsilon at the given delta, or delta at the given epsilon) by each bound that
        was computed: ``(name, value)``, smallest first.
    """

    guarantee: ApproxDP
    bound: BoundName
    candidates: tuple[tuple[BoundName, Fraction], ...]

    @property
    def epsilon(self) -> Fraction:
        """Epsilon of the guarantee."""
        return self.guarantee.epsilon

    @property
    def delta(self) -> Fraction:
        """Delta of the guarantee."""
        return self.guarantee.delta

    def explain(self) -> str:
        """Return which bound was used and why, in one sentence."""
        others = ", ".join(f"{name} {show(value)}" for name, value in self.candidates if name != self.bound)
        beside = f" (others: {others})" if others else ""
        return f"{self.guarantee}, by the bound '{self.bound}': {WHY[self.bound]}{beside}."


_ZERO = Fraction(0)


class _Question(NamedTuple):
    """What is asked: exactly one of the two is None."""

    epsilon: Fraction | None
    delta: Fraction | None


def account(
    losses: Loss | Iterable[Loss],
    *,
    delta: Number | None = None,
    epsilon: Number | None = None,
    unit: PrivacyUnit | None = None,
    bound: BoundName | None = None,
) -> Account:
    """Return what all mechanisms together promise at a given delta, or at a given epsilon.

    The mechanisms may be chosen adaptively, as long as their losses are fixed beforehand. Where these too are chosen on
    the way, use :class:`pets.guarantee.Composition`, :class:`~pets.dp.accounting.RenyiFilter` or
    :class:`~pets.dp.accounting.Odometer`.

    Parameters
    ----------
    losses
        One loss or several.
    delta, epsilon
        Exactly one of the two; the other is found. delta 0 asks for pure differential privacy.
    unit
        Whose presence is protected, under which relation; the losses must have been stated for it.
    bound
        Use this bound only. None takes the tightest.

    Returns
    -------
    Account
        Never below the truth: all bounds are upper bounds, rounding and numerical errors included.

    Raises
    ------
    InvalidArgument
        An argument is malformed.
    IncompatibleGuarantees
        Nothing is promised at this delta or by this bound, or the losses do not exist for the unit's relation.

    Guarantee
    ---------
    The result holds for the relation for which the sensitivities were stated, for both of its directions.

    References
    ----------
    See :mod:`pets.dp.accounting.contour` (loss distributions), :mod:`pets.dp.accounting.gaussian`,
    :mod:`pets.dp.accounting.renyi`; Kairouz, Oh and Viswanath 2015 (basic); Bun and Steinke 2016 (zCDP).

    Examples
    --------
    >>> from pets.dp.accounting import GaussianLoss, LaplaceLoss, Repeated, account
    >>> account([Repeated(GaussianLoss(100), 1000)], delta="1e-6").guarantee
    ApproxDP(1.36757..., '1/1000000')
    """
    found = checked(losses)
    _require_relation(found, unit)
    question = _question(epsilon, delta)
    if bound is not None and bound not in get_args(BoundName):
        raise InvalidArgument("bound", "is not a known bound", did_you_mean(str(bound), get_args(BoundName)))
    ways = [_candidates(terms, question, bound) for terms in alternatives(found)]
    return _account(_worst(ways), question, unit)


def _require_relation(losses: tuple[Loss, ...], unit: PrivacyUnit | None) -> None:
    if unit is not None and not isinstance(unit, PrivacyUnit):
        raise InvalidArgument("unit", "must be a PrivacyUnit")
    if unit is not None and unit.neighbours != "add_remove" and any(loss.add_remove_only for loss in losses):
        raise IncompatibleGuarantees(
            "Sampling and parallel composition are accounted for neighbours='add_remove' only. Under 'replace_one' a "
            "unit can leave one part and enter another; compose the parts' losses instead."
        )


def _question(epsilon: object, delta: object) -> _Question:
    if (epsilon is None) == (delta is None):
        raise InvalidArgument("delta", "or epsilon must be given, and not both", "E.g. account(losses, delta='1e-6').")
    if delta is not None:
        return _Question(None, failure_probability(delta))
    return _Question(parameter(epsilon, "epsilon"), None)


def _candidates(terms: Terms, question: _Question, wanted: BoundName | None) -> dict[BoundName, Fraction]:
    names = [wanted] if wanted else _sensible(terms)
    known = _bounds(terms, question)
    values: dict[BoundName, Fraction] = {}
    for name in names:
        if name == "basic" and values and question.delta is not None and terms.rough_pure > 1.01 * min(values.values()):
            continue  # exact sums of many fractions take time
        value = known.by(name)
        if value is not None:
            values[name] = value
    return values


def _bounds(terms: Terms, question: _Question) -> Deltas | Epsilons:
    if question.epsilon is not None:
        return Deltas(terms, question.epsilon)
    return Epsilons(terms, question.delta or _ZERO)


def _sensible(terms: Terms) -> list[BoundName]:
    """Return the bounds of which none is known beforehand to be beaten by another."""
    return ["gaussian"] if terms.only_gaussian else ["loss distribution", "renyi", "basic"]


def _worst(ways: list[dict[BoundName, Fraction]]) -> dict[BoundName, Fraction]:
    """Return the bounds of the parallel alternative that loses most."""
    if not all(ways):
        return {}
    return max(ways, key=lambda values: min(values.values()))


def _account(values: dict[BoundName, Fraction], question: _Question, unit: PrivacyUnit | None) -> Account:
    if not values:
        raise IncompatibleGuarantees(
            "These losses promise nothing here by the bounds asked for. "
            "Ask for a delta above the sum of the mechanisms' own deltas, above 0 if any loss has no bound."
        )
    ranked = tuple(sorted(values.items(), key=lambda item: item[1]))
    name, value = ranked[0]
    if question.delta is None:
        return Account(ApproxDP(question.epsilon or 0, value, unit=unit), name, ranked)
    return Account(ApproxDP(value, question.delta, unit=unit), name, ranked)
