"""Running totals of charges against a fixed limit: the privacy filter behind the ledger.

The charges may be chosen adaptively, each after seeing all earlier releases and with any parameters. That
is more freedom than textbook composition grants, so each rule below needs its own reason. Z is the
privacy loss of everything released so far; P, A, D and R are the sums of the pure epsilons, of the approximate
epsilons and deltas, and of rho.

*Limit in epsilon.* Z <= P always. Pure charges only (Rogers et al. 2016).

*Limit in rho.* At every order a, exp((a - 1)(Z - a R)) is a supermartingale with R including epsilon²/2 of
each pure charge; stopping while R <= limit bounds the Rényi divergence at all orders (Feldman and Zrnic
2021; Lécuyer 2021; Whitehouse et al. 2023).

*Limit in (epsilon, delta).* Without zero-concentrated charges: P + A <= epsilon and D <= delta; then Z exceeds epsilon
only where one of the approximate mechanisms fails. With zero-concentrated charges:
P + order R + toll <= epsilon, where (order, toll) is a :func:`~pets.guarantee.conversion.tariff` *fixed by the limit
alone*. The supermartingale exp((order - 1)(Z - P - order R)) then bounds the hockey-stick divergence at epsilon
by delta whenever the analyst stops; a path that never used a zero-concentrated charge has Z <= P <= epsilon.
If all charges are zero-concentrated, this admits exactly ``rho_for(epsilon, delta)``.

It is tempting to convert R at the best order for the R at hand instead. That is wrong: the analyst can stop
when the noise happens to be unlucky and spend the rest of epsilon purely, which tries many conversions with
one delta. With Gaussian noise under the limit (3, 1e-6) the true delta is then 3.4e-6 (computed in
``tests/guarantee/test_filter.py``). Splitting delta between approximate and zero-concentrated charges on the
way fails for the same reason, so these two are not mixed under one limit.

References
----------
R. Rogers, A. Roth, J. Ullman, S. Vadhan, "Privacy Odometers and Filters", NeurIPS 2016.
V. Feldman, T. Zrnic, "Individual Privacy Accounting via a Rényi Filter", NeurIPS 2021.
M. Lécuyer, "Practical Privacy Filters and Odometers with Rényi Differential Privacy", 2021.
J. Whitehouse, A. Ramdas, R. Rogers, S. Wu, "Fully-Adaptive Composition in Differential Privacy", ICML 2023.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from fractions import Fraction
from functools import lru_cache
from typing import Any, TypeVar, cast

from pets.errors import ConfigError, IncompatibleGuarantees, InvalidArgument, did_you_mean
from pets.exact import as_text, non_negative
from pets.guarantee.bounds import LONGEST_DENOMINATOR, grid_down, grid_up, settle
from pets.guarantee.composition import require_dp
from pets.guarantee.conversion import tariff
from pets.guarantee.dp import ApproxDP, DPGuarantee, PureDP, RenyiDP, ZeroConcentratedDP

_Currency = PureDP | ApproxDP | ZeroConcentratedDP
_Limit = TypeVar("_Limit", bound=DPGuarantee)

_LONGEST_TOTAL = 14_000
_LONGEST_TEXT = 8_500


@dataclass(frozen=True, slots=True)
class Composition:
    """Exact totals of all charges so far. A frozen value: :meth:`add` returns the next one.

    Parameters
    ----------
    pure, pure_as_rho
        Sums of epsilon and of epsilon²/2 over the pure charges (and approximate ones of delta 0).
    approx_epsilon, approx_delta
        Sums over the approximate charges with delta above 0.
    rho
        Sum over the zero-concentrated charges.

    Raises
    ------
    InvalidArgument
        A total is negative, no number, or longer than any sum of charges can get.
    """

    pure: Fraction = Fraction(0)
    pure_as_rho: Fraction = Fraction(0)
    approx_epsilon: Fraction = Fraction(0)
    approx_delta: Fraction = Fraction(0)
    rho: Fraction = Fraction(0)

    def __post_init__(self) -> None:
        for name in _FIELDS:
            value = getattr(self, name)
            total = _total(value, name)
            if total is not value:
                object.__setattr__(self, name, total)

    def add(self, charge: DPGuarantee) -> Composition:
        """Return the totals with one more charge.

        Amounts with unusual denominators are rounded up by less than 1e-30 before they are added (see
        :func:`~pets.guarantee.bounds.settle`), so the order of charges never matters.

        Raises
        ------
        IncompatibleGuarantees
            The charge is a Rényi curve or no differential privacy.
        """
        charge = require_dp(charge, "charge")
        if isinstance(charge, RenyiDP):
            raise _needs_conversion("A Rényi charge")
        pure, pure_as_rho, epsilon, delta, rho = _booked(charge)
        return Composition(
            self.pure + pure,
            self.pure_as_rho + pure_as_rho,
            self.approx_epsilon + epsilon,
            self.approx_delta + delta,
            self.rho + rho,
        )

    def spent(self, limit: _Limit) -> _Limit:
        """Return what has been spent, in the currency and with the unit of `limit`.

        Under an ApproxDP limit the first zero-concentrated charge costs the toll of the conversion, once,
        and all of delta.

        Raises
        ------
        IncompatibleGuarantees
            The charges cannot be counted in that currency, or their deltas have reached 1.
        """
        bound = _usable(limit)
        amount, delta = self._cost(bound)
        return cast(_Limit, _like(bound, _shown_spent(amount, _amount(bound)), _shown_spent(delta, _delta(bound))))

    def remaining(self, limit: _Limit) -> _Limit:
        """Return what is left of `limit`, at least 0 in each part: the largest charge of its kind that still fits.

        Raises
        ------
        IncompatibleGuarantees
            The charges cannot be counted in that currency.
        """
        bound = _usable(limit)
        amount, delta = self._cost(bound)
        return cast(_Limit, _like(bound, _shown_left(_amount(bound) - amount), _shown_left(_delta(bound) - delta)))

    def fits(self, limit: DPGuarantee) -> bool:
        """Return whether the charges so far respect `limit`. Compared exactly; equal fits.

        Raises
        ------
        IncompatibleGuarantees
            The charges cannot be counted in that currency.
        """
        bound = _usable(limit)
        amount, delta = self._cost(bound)
        return amount <= _amount(bound) and delta <= _delta(bound)

    def _cost(self, limit: _Currency) -> tuple[Fraction, Fraction]:
        """Return (epsilon or rho, delta) spent under the one fixed rule for this kind of limit."""
        if isinstance(limit, PureDP):
            return self._pure_cost(limit), Fraction(0)
        if isinstance(limit, ApproxDP):
            return self._approx_cost(limit)
        if self.approx_delta:
            raise _no_currency("an approximate charge (delta above 0)", limit, "a pure or zero-concentrated charge")
        return self.rho + self.pure_as_rho, Fraction(0)

    def _pure_cost(self, limit: _Currency) -> Fraction:
        if self.approx_delta:
            raise _no_currency("an approximate charge (delta above 0)", limit, "a pure charge")
        if self.rho:
            raise _no_currency("a zero-concentrated charge", limit, "a pure charge, or set an ApproxDP limit")
        return self.pure

    def _approx_cost(self, limit: ApproxDP) -> tuple[Fraction, Fraction]:
        if limit.delta == 0:
            return self._pure_cost(limit), Fraction(0)
        if not self.rho:
            return self.pure + self.approx_epsilon, self.approx_delta
        if self.approx_delta:
            raise IncompatibleGuarantees(
                "Zero-concentrated charges and approximate charges with a delta of their own cannot share the "
                f"delta of the limit '{limit}'. Charge the zero-concentrated ones as to_approx(delta), "
                "or ask for pure or zero-concentrated releases only."
            )
        order, toll = tariff(limit.epsilon, limit.delta)
        return self.pure + grid_up(max(order * self.rho + toll, Fraction(0))), limit.delta

    def to_dict(self) -> dict[str, str]:
        """Return the totals as exact text."""
        return {name: as_text(getattr(self, name)) for name in _FIELDS}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Composition:
        """Return the totals written by :meth:`to_dict`.

        Raises
        ------
        ConfigError
            A total is missing, unknown, negative or no number; ``argument`` names it.
        """
        if not isinstance(data, Mapping):
            raise ConfigError("composition", "must be a table of totals")
        for key in data:
            if key not in _FIELDS:
                raise ConfigError(str(key), "is not a known total", did_you_mean(str(key), _FIELDS))
        for name in _FIELDS:
            if name not in data:
                raise ConfigError(name, "is missing", "Write 0 if nothing was charged.")
        return cls(**{name: _read_total(data[name], name) for name in _FIELDS})


_FIELDS = tuple(field.name for field in fields(Composition))


@lru_cache(maxsize=1024)
def _booked(charge: _Currency) -> tuple[Fraction, ...]:
    """Return what a charge adds to each total."""
    none = Fraction(0)
    if isinstance(charge, ZeroConcentratedDP):
        return none, none, none, none, settle(charge.rho)
    epsilon = settle(charge.epsilon)
    if isinstance(charge, ApproxDP) and charge.delta > 0:
        return none, none, epsilon, settle(charge.delta), none
    return epsilon, settle(charge.epsilon**2 / 2), none, none, none


def _usable(limit: object) -> _Currency:
    limit = require_dp(limit, "limit spending by")
    if isinstance(limit, RenyiDP):
        raise _needs_conversion("A Rényi limit")
    return limit


def _amount(limit: _Currency) -> Fraction:
    return limit.rho if isinstance(limit, ZeroConcentratedDP) else limit.epsilon


def _delta(limit: _Currency) -> Fraction:
    return limit.delta if isinstance(limit, ApproxDP) else Fraction(0)


def _like(limit: _Currency, amount: Fraction, delta: Fraction) -> _Currency:
    if isinstance(limit, ZeroConcentratedDP):
        return ZeroConcentratedDP(amount, unit=limit.unit)
    if isinstance(limit, ApproxDP):
        if delta >= 1:
            raise IncompatibleGuarantees("The deltas of the charges reach 1 together: nothing is promised any more.")
        return ApproxDP(amount, delta, unit=limit.unit)
    return PureDP(amount, unit=limit.unit)


def _shown_spent(amount: Fraction, limit: Fraction) -> Fraction:
    if amount.denominator.bit_length() <= LONGEST_DENOMINATOR:
        return amount
    # Rounding for display must not turn 'just fits' into 'overspent'.
    return min(grid_up(amount), limit) if amount <= limit else grid_up(amount)


def _shown_left(amount: Fraction) -> Fraction:
    left = max(amount, Fraction(0))
    # What would be rounded up when charged is rounded down here, so that the whole remainder can be charged.
    return left if settle(left) == left else grid_down(left)


def _needs_conversion(what: str) -> IncompatibleGuarantees:
    return IncompatibleGuarantees(f"{what} cannot be added up in one number. Convert it with to_approx(delta) first.")


def _no_currency(what: str, limit: _Currency, remedy: str) -> IncompatibleGuarantees:
    return IncompatibleGuarantees(f"The limit '{limit}' cannot pay for {what}. Ask for {remedy}.")


def _total(value: object, name: str) -> Fraction:
    total = value if type(value) is Fraction and value.numerator >= 0 else non_negative(value, name)
    if max(total.numerator.bit_length(), total.denominator.bit_length()) > _LONGEST_TOTAL:
        raise InvalidArgument(name, "is longer than any sum of charges can get")
    return total


def _read_total(value: object, name: str) -> Fraction:
    """Return a total; its exact text may be longer than what :func:`pets.exact.exact` takes from users."""
    if value == "0":  # three totals of five, as a rule; a ledger reads very many
        return Fraction(0)
    try:
        if isinstance(value, str) and len(value) > 400:
            above, _, below = value.partition("/")
            if len(value) > _LONGEST_TEXT or not (above.isdecimal() and below.isdecimal() and int(below)):
                raise ValueError
            return _total(Fraction(int(above), int(below)), name)
        if not isinstance(value, str | int | float | Fraction):
            raise InvalidArgument(name, f"must be a number, not {type(value).__name__}")
        return _total(value, name)
    except InvalidArgument as error:
        raise ConfigError(error.argument, error.problem, error.remedy) from None
    except ValueError:
        raise ConfigError(name, "is not a number") from None
