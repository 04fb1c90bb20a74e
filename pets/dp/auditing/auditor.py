"""Does a mechanism lose more than it says? A confidence bound from draws, beside a proof where there is one."""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

from pets.dp.additive import AdditiveNoise
from pets.dp.arguments import kind_of
from pets.dp.auditing.bounds import divergence_bound, epsilon_bound
from pets.dp.auditing.drawing import sample
from pets.dp.auditing.neighbours import LANES, Experiment, in_lanes, of_query
from pets.dp.auditing.proof import Proof, prove, prove_zcdp
from pets.dp.auditing.result import Audit
from pets.errors import InvalidArgument
from pets.exact import Number
from pets.guarantee import ApproxDP, DifferentialPrivacy, Guarantee, PureDP, RenyiDP, ZeroConcentratedDP
from pets.guarantee.conversion import failure_probability
from pets.privacy_unit import PrivacyUnit
from pets.query import BoundQuery
from pets.roles import Mechanism

Currency = Literal["epsilon", "rho"]

_DRAWS = 300_000_000
_DRAWS_ONE_BY_ONE = 20_000
_FEWEST = 1_000
_CLEAR_EPSILON, _CLEAR_RHO = 2, 1
"""Losses that draws measure best: the smallest relative error for a number of draws."""

_FARTHEST = 10_000
_MOST = {"group": 10**6, "draws": 10**12, "lanes": LANES}


def audit(
    mechanism: Mechanism,
    claim: Guarantee | None = None,
    *,
    query: BoundQuery | None = None,
    unit: PrivacyUnit | None = None,
    delta: Number | None = None,
    group: int | None = None,
    draws: int | None = None,
    confidence: float = 0.999,
    lanes: int | None = None,
) -> Audit:
    """Return a lower confidence bound of a mechanism's true privacy loss, and a proven upper bound if there is one.

    The mechanism releases two tallies that neighbouring data sets have, again and again. A part of the draws finds the
    outcomes that tell the two apart best; all others bound how well they do.

    Parameters
    ----------
    mechanism
        Any object that fulfils :class:`pets.Mechanism`.
    claim
        What it is held to, for one unit; its own ``guarantee`` when left out.
    query
        The question to audit it on, one experiment a release. When left out, a count by many cells.
    unit
        The privacy unit of that count: that of the claim, or one row, added or removed, when left out. `query` brings
        its own. It must be the claim's, if the claim names one.
    delta
        Audit epsilon at this delta. When left out, a pure claim is audited at 0, an approximate one at its own delta,
        and a zero-concentrated or Rényi claim by its divergence of order 1 (as rho).
    group
        How many units the two data sets are apart. When left out it is chosen so that a small loss is seen with fewer
        draws, where the bound for one unit follows from group privacy, else 1.
    draws
        Of each of the two data sets: 300,000,000 (some 8 seconds), or 20,000 where a release is one experiment.
    confidence
        With which the lower bound holds.
    lanes
        How many experiments one release holds. Above 1 it is assumed that the mechanism treats all cells alike and
        independently. When left out: 65,536 for :class:`pets.dp.AdditiveNoise`, else 1.

    Returns
    -------
    Audit
        Claimed figure, lower bound, proven upper bound, verdict, and what the verdict does not prove.

    Raises
    ------
    InvalidArgument
        An argument is out of range, or the mechanism promises no differential privacy.
    IncompatibleGuarantees
        The claim says nothing about this `delta`.

    References
    ----------
    Clopper and Pearson 1934; Donsker and Varadhan 1975; Ding, Wang, Wang, Zhang, Kifer, *Detecting violations of
    differential privacy*, CCS 2018; Bichsel, Steffen, Bogunovic, Vechev, *DP-Sniper*, S&P 2021.
    """
    if isinstance(mechanism, type) or not isinstance(mechanism, Mechanism):
        raise InvalidArgument("mechanism", f"lacks a method of pets.Mechanism: it is {kind_of(mechanism)}")
    _check(query, unit, group, draws, confidence, lanes)
    unit = _unit_of_claim(claim, query, unit)
    wide = _lanes(mechanism, query, lanes)
    asked = in_lanes(unit or PrivacyUnit(), 1, 4).query if query is None else query
    promise = _promise(mechanism.guarantee(asked) if claim is None else claim)
    currency, at = _currency(promise, delta)
    distance = _distance(promise, currency, at) if group is None else group
    if distance > 1 and currency == "rho" and not isinstance(promise, ZeroConcentratedDP):
        raise InvalidArgument("group", "needs a delta for such a claim", "Give delta=... to audit its epsilon.")
    experiment = _experiment(query, unit, distance, wide)
    count = draws or (_DRAWS_ONE_BY_ONE if wide == 1 else _DRAWS)
    seen = sample(mechanism, experiment, count)
    alpha = 1 - confidence
    if currency == "rho":
        found = divergence_bound(seen.chosen_on, seen.tested_on, alpha)
    else:
        found = epsilon_bound(seen.ordered_on, seen.chosen_on, seen.tested_on, float(at), alpha)
    counted = 1 if at == 0 else distance
    claimed = _allowed(promise, currency, at, counted)
    proof = _proof(mechanism, experiment.query, currency, at, counted)
    return Audit(repr(mechanism), promise, currency, at, distance, experiment.told, claimed, found, confidence, proof)


def _unit_of_claim(claim: object, query: BoundQuery | None, unit: PrivacyUnit | None) -> PrivacyUnit | None:
    """Return the unit to experiment with: that of the claim, since about another one nothing was claimed."""
    claimed = getattr(claim, "unit", None)
    if claimed is None:
        return unit
    tried = unit if query is None else query.domain.unit
    if tried is not None and tried != claimed:
        argument = "unit" if query is None else "query"
        raise InvalidArgument(
            argument, f"protects {tried}, and the claim {claimed}", "Audit the claim for its own unit."
        )
    return claimed if query is None else unit


def _check(query: object, unit: object, group: object, draws: object, confidence: object, lanes: object) -> None:
    if query is not None and not isinstance(query, BoundQuery):
        raise InvalidArgument("query", "must be a bound query", "Write query.bind(domain).")
    if unit is not None and (query is not None or not isinstance(unit, PrivacyUnit)):
        raise InvalidArgument("unit", "must be a PrivacyUnit, and is left out where a query brings its own")
    for name, value, least in (("group", group, 1), ("draws", draws, _FEWEST), ("lanes", lanes, 1)):
        whole = isinstance(value, int) and not isinstance(value, bool)
        if value is not None and not (whole and least <= value <= _MOST[name]):  # type: ignore[operator]
            raise InvalidArgument(name, f"must be a whole number from {least:,} to {_MOST[name]:,}, or left out")
    if isinstance(confidence, bool) or not isinstance(confidence, float) or not 0.5 <= confidence < 1:
        raise InvalidArgument("confidence", "must be at least 0.5 and below 1", "For 99.9 % give confidence=0.999.")


def _lanes(mechanism: Mechanism, query: BoundQuery | None, lanes: int | None) -> int:
    if query is not None:
        if lanes not in (None, 1):
            raise InvalidArgument("lanes", "needs the count that is made when no query is given")
        return 1
    if lanes is not None:
        return lanes
    return LANES if isinstance(mechanism, AdditiveNoise) else 1


def _promise(claim: object) -> DifferentialPrivacy:
    if not isinstance(claim, DifferentialPrivacy):
        raise InvalidArgument("claim", "is no differential privacy, so there is nothing to audit")
    return claim


def _currency(promise: DifferentialPrivacy, delta: Number | None) -> tuple[Currency, Fraction]:
    if delta is not None:
        return "epsilon", failure_probability(delta)
    if isinstance(promise, PureDP):
        return "epsilon", Fraction(0)
    return ("epsilon", promise.delta) if isinstance(promise, ApproxDP) else ("rho", Fraction(0))


def _distance(promise: DifferentialPrivacy, currency: Currency, delta: Fraction) -> int:
    """Return how far apart the data sets should be for the loss to be seen well."""
    wanted = 1.0
    if currency == "rho" and isinstance(promise, ZeroConcentratedDP) and promise.rho:
        wanted = (_CLEAR_RHO / float(promise.rho)) ** 0.5
    elif isinstance(promise, PureDP | ApproxDP) and delta == 0 and promise.epsilon:
        wanted = _CLEAR_EPSILON / float(promise.epsilon)
    return int(min(max(round(wanted), 1), _FARTHEST))


def _experiment(query: BoundQuery | None, unit: PrivacyUnit | None, distance: int, lanes: int) -> Experiment:
    if query is not None:
        return of_query(query, distance)
    return in_lanes(unit or PrivacyUnit(), distance, lanes)


def _allowed(promise: DifferentialPrivacy, currency: Currency, delta: Fraction, distance: int) -> Fraction:
    """Return what the claim allows for a group of `distance` units."""
    allowed = promise.group(distance)
    if currency == "rho":
        # Every Rényi divergence of order above 1 bounds that of order 1; for zCDP the limit is rho.
        return allowed.rho if isinstance(allowed, ZeroConcentratedDP) else _lowest(allowed)
    if delta == 0 and isinstance(allowed, PureDP | ApproxDP):
        return allowed.to_approx(0).epsilon
    converted = allowed.to_approx(delta)
    if not isinstance(converted, ApproxDP):  # pragma: no cover - a third-party currency
        raise InvalidArgument("claim", "has no form with an epsilon and a delta")
    return converted.epsilon


def _lowest(allowed: DifferentialPrivacy) -> Fraction:
    if isinstance(allowed, RenyiDP):
        return min(epsilon for _, epsilon in allowed.curve)
    raise InvalidArgument("claim", "bounds no divergence", "Give delta=... to audit its epsilon.")


def _proof(mechanism: Mechanism, query: BoundQuery, currency: Currency, delta: Fraction, distance: int) -> Proof | None:
    if currency == "rho":
        return prove_zcdp(mechanism, query, distance=distance)
    return prove(mechanism, query, delta=delta, distance=distance)
