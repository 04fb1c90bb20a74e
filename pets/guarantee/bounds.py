"""Certified rounding: exponentials, logarithms and short fractions that are never on the wrong side.

A budget may only ever be rounded against the spender. The decimal module's ``exp`` and ``ln`` are
correctly rounded, so one step up or down from their answer encloses the true value.
"""

from __future__ import annotations

import math
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, DivisionByZero, InvalidOperation, Overflow
from fractions import Fraction

from pets.errors import InvalidArgument
from pets.exact import exact

DIGITS = 18
"""Significant decimal digits of a converted epsilon, delta or rho."""

GRID = 10**30
"""Amounts that cannot be kept exactly are rounded up to a multiple of ``1 / GRID``."""

LONGEST_DENOMINATOR = 500
"""Bits of the largest denominator of a guarantee's parameter: it and its numerator can be written in 400 characters."""

_LARGEST_SHARE = 5000
_WORKING_DIGITS = 60
_FAR = 150

_TRAPS = [InvalidOperation, DivisionByZero, Overflow]
WORK = Context(prec=_WORKING_DIGITS, traps=_TRAPS)
_UP = Context(prec=_WORKING_DIGITS, rounding=ROUND_CEILING, traps=_TRAPS)
_DOWN = Context(prec=_WORKING_DIGITS, rounding=ROUND_FLOOR, traps=_TRAPS)


def exp_up(x: Fraction) -> Fraction:
    """Return a tight upper bound of exp(x); below x = -150 that of exp(-150), 1e-65, serves."""
    return Fraction(WORK.next_plus(WORK.exp(_UP.divide(*_terms(max(x, Fraction(-_FAR)))))))


def exp_down(x: Fraction) -> Fraction:
    """Return a tight lower bound of exp(x); below x = -150 it is 0."""
    return Fraction(WORK.next_minus(WORK.exp(_DOWN.divide(*_terms(x))))) if x >= -_FAR else Fraction(0)


def log_up(x: Fraction) -> Fraction:
    """Return a tight upper bound of the natural logarithm of x > 0."""
    nearest = WORK.ln(_UP.divide(*_terms(x)))
    return Fraction(WORK.next_plus(nearest)) if nearest else Fraction(0)  # the logarithm of 1 is no rounded number


def log_down(x: Fraction) -> Fraction:
    """Return a tight lower bound of the natural logarithm of x > 0."""
    nearest = WORK.ln(_DOWN.divide(*_terms(x)))
    return Fraction(WORK.next_minus(nearest)) if nearest else Fraction(0)


def round_up(x: Fraction, digits: int = DIGITS) -> Fraction:
    """Return the smallest number of `digits` significant decimal digits that is not below `x`."""
    return Fraction(Context(prec=digits, rounding=ROUND_CEILING).divide(*_terms(x)))


def round_down(x: Fraction, digits: int = DIGITS) -> Fraction:
    """Return the largest number of `digits` significant decimal digits that is not above `x`."""
    return Fraction(Context(prec=digits, rounding=ROUND_FLOOR).divide(*_terms(x)))


def grid_up(x: Fraction) -> Fraction:
    """Return the smallest multiple of ``1 / GRID`` that is not below `x`."""
    return Fraction(math.ceil(x * GRID), GRID)


def grid_down(x: Fraction) -> Fraction:
    """Return the largest multiple of ``1 / GRID`` that is not above `x`."""
    return Fraction(math.floor(x * GRID), GRID)


def settle(amount: Fraction) -> Fraction:
    """Return the amount to book for a charge: `amount` itself, or rounded up if its denominator is odd company.

    Decimals of up to 30 places, and such decimals divided by a whole number up to 5,000 (a budget shared
    equally by that many queries), are booked exactly; anything else goes up to a multiple of ``1e-30``.
    All booked amounts therefore have one common denominator, ``10**30 * lcm(1..5000)``: a running total
    can never grow without bound, and since each amount is rounded by itself, order does not matter.
    """
    share = amount.denominator // math.gcd(amount.denominator, GRID)
    return amount if share <= _LARGEST_SHARE else grid_up(amount)


def parameter(value: object, argument: str) -> Fraction:
    """Return a budget parameter as an exact fraction of at least 0 and at most 1e30, short enough for a file.

    Raises
    ------
    InvalidArgument
        `value` is no number, negative, too large to promise anything, or needs too many digits.
    """
    number = exact(value, argument)
    if number < 0:
        raise InvalidArgument(argument, "must not be negative", "Give 0 or more.")
    if number > GRID:
        raise InvalidArgument(argument, "is too large to promise anything", "Use NoFormalGuarantee instead.")
    if number.denominator.bit_length() > LONGEST_DENOMINATOR:
        raise InvalidArgument(argument, "has too many digits to be recorded", "Round it up to 30 decimal places.")
    return number


def _terms(x: Fraction) -> tuple[int, int]:
    # Decimal contexts convert ints without rounding, so that only the division rounds.
    return x.numerator, x.denominator
