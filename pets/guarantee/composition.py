"""What several guarantees promise together."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fractions import Fraction

from pets.errors import IncompatibleGuarantees, InvalidArgument
from pets.guarantee.base import Guarantee
from pets.guarantee.bounds import settle
from pets.guarantee.dp import ApproxDP, DPGuarantee, PureDP, RenyiDP, ZeroConcentratedDP
from pets.privacy_unit import PrivacyUnit

_Join = Callable[[Iterable[Fraction]], Fraction]


def compose(*guarantees: Guarantee) -> DPGuarantee:
    """Return what all releases together promise, when each may have seen the same units.

    The mechanisms may depend on earlier releases; their guarantees must have been fixed beforehand (where
    these too are chosen on the way, use :class:`~pets.guarantee.Composition`). The result is pure if all are,
    else zero-concentrated if no delta is above 0, else approximate; with a Rényi curve it is a Rényi curve.

    Parameters
    ----------
    *guarantees
        At least one guarantee of differential privacy, of units that agree. No unit agrees with every unit.

    Raises
    ------
    IncompatibleGuarantees
        A guarantee is none of differential privacy, the units differ, a delta above 0 meets a zero-concentrated
        or Rényi guarantee, or the deltas reach 1.

    References
    ----------
    Dwork and Roth 2014, Theorem 3.16 (pure, approximate); Bun and Steinke 2016, Lemma 1.7 (zero-concentrated);
    Mironov 2017, Proposition 1 (Rényi).
    """
    return _join("compose", guarantees, lambda amounts: sum(map(settle, amounts), Fraction(0)))


def parallel(*guarantees: Guarantee) -> DPGuarantee:
    """Return what releases from disjoint parts promise together: the weakest promise of any part.

    Parameters
    ----------
    *guarantees
        At least one guarantee of differential privacy, each of a release that saw one part of the units. The
        caller answers for it that the parts are public, fixed and that no unit is in two of them.

    Raises
    ------
    IncompatibleGuarantees
        As :func:`compose`; also if the relation is ``'replace_one'``: an exchanged unit may leave one part
        and enter another, so two parts change and both change in number.

    References
    ----------
    McSherry, "Privacy Integrated Queries", SIGMOD 2009, Theorem 4.
    """
    unit = common_unit(*guarantees)
    if unit is not None and unit.neighbours == "replace_one":
        raise IncompatibleGuarantees(
            "Under 'replace_one' the exchanged unit may move from one part to another and change both. "
            "State the guarantees of the parts for neighbours='add_remove', or compose them."
        )
    return _join("parallel", guarantees, max)


def common_unit(*guarantees: Guarantee) -> PrivacyUnit | None:
    """Return the one privacy unit that the guarantees name, or None if they name none.

    Raises
    ------
    IncompatibleGuarantees
        Two guarantees name different units.
    """
    named = dict.fromkeys(unit for g in guarantees if (unit := getattr(g, "unit", None)) is not None)
    if len(named) > 1:
        first, second, *_ = named
        raise IncompatibleGuarantees(
            f"One guarantee protects {first}, another {second}. State all for the same privacy unit first."
        )
    return next(iter(named), None)


def require_dp(guarantee: object, verb: str) -> DPGuarantee:
    """Return `guarantee` if it is one of differential privacy; otherwise say why it cannot be counted."""
    if isinstance(guarantee, PureDP | ApproxDP | ZeroConcentratedDP | RenyiDP):
        return guarantee
    if isinstance(guarantee, Guarantee):
        raise IncompatibleGuarantees(
            f"Cannot {verb} '{guarantee}': it sets no bound on what is learned, so it has no sum "
            "with differential privacy. Keep it beside the others, or protect that release with noise."
        )
    raise InvalidArgument("guarantee", f"must be a guarantee, not {type(guarantee).__name__}", "Write PureDP(0.1).")


def _join(verb: str, guarantees: tuple[Guarantee, ...], join: _Join) -> DPGuarantee:
    if not guarantees:
        raise InvalidArgument("guarantees", "needs at least one guarantee")
    members = [_plain(require_dp(g, verb)) for g in guarantees]
    unit = common_unit(*members)
    loose = [m for m in members if isinstance(m, ApproxDP)]
    if any(isinstance(m, RenyiDP | ZeroConcentratedDP) for m in members) and loose:
        raise IncompatibleGuarantees(
            f"Cannot {verb} '{loose[0]}' with a zero-concentrated or Rényi guarantee: they have no common currency. "
            "Convert the others with to_approx(delta) first."
        )
    if any(isinstance(m, RenyiDP) for m in members):
        return _join_renyi(members, join, unit)
    if loose:
        approx = [m.to_approx(m.delta if isinstance(m, ApproxDP) else 0) for m in members]
        delta = join(a.delta for a in approx)
        if delta >= 1:
            raise IncompatibleGuarantees(f"Cannot {verb}: the deltas reach 1 together: nothing is promised.")
        return ApproxDP(join(a.epsilon for a in approx), delta, unit=unit)
    pure = [m.epsilon for m in members if isinstance(m, PureDP)]
    if len(pure) == len(members):
        return PureDP(join(pure), unit=unit)
    return ZeroConcentratedDP(join(m.to_zcdp().rho for m in members), unit=unit)


def _join_renyi(members: list[DPGuarantee], join: _Join, unit: PrivacyUnit | None) -> RenyiDP:
    curves = [m for m in members if isinstance(m, RenyiDP)]
    highest = min(curve.orders[-1] for curve in curves)
    orders = sorted({order for curve in curves for order in curve.orders if order <= highest})
    known = [m.to_renyi(orders) for m in members]
    return RenyiDP({order: join(k.epsilon_at(order) for k in known) for order in orders}, unit=unit)


def _plain(guarantee: DPGuarantee) -> DPGuarantee:
    """Return approximate DP of delta 0 as the pure DP that it is."""
    if isinstance(guarantee, ApproxDP) and guarantee.delta == 0:
        return PureDP(guarantee.epsilon, unit=guarantee.unit)
    return guarantee
