"""Exact rational numbers for budgets and noise scales.

A budget in floating point can be overdrawn by rounding; here epsilon, delta, rho, scales and
resolutions are :class:`fractions.Fraction` from the moment a user types them.
"""

from __future__ import annotations

import math
from fractions import Fraction
from numbers import Rational

from pets.errors import InvalidArgument

Number = int | float | str | Fraction
"""What users may type for an exact number. Strings may be decimals (``'0.1'``) or ratios (``'1/3'``)."""

_MAX_TEXT = 400


def exact(value: object, argument: str, *, decimal: bool = True) -> Fraction:
    """Return `value` as an exact fraction.

    Parameters
    ----------
    value
        An int, a finite float, a fraction, a numpy number, or a text such as ``'0.1'`` or ``'1/3'``.
    argument
        The name to put into the error.
    decimal
        True reads a float as the shortest decimal that prints it, so that ``0.1`` is one tenth and ten
        charges of 0.1 are 1 exactly. False takes the float's binary value.

    Raises
    ------
    InvalidArgument
        `value` is no finite number.
    """
    if isinstance(value, bool) or type(value).__name__ in {"bool", "bool_"}:  # numpy's too, without importing it
        raise InvalidArgument(argument, "must be a number, not true or false")
    if isinstance(value, bytes | bytearray):
        raise InvalidArgument(argument, f"must be a number, not {type(value).__name__}")
    if isinstance(value, Rational):
        return Fraction(int(value.numerator), int(value.denominator))
    if isinstance(value, str):
        return _from_text(value, argument)
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        raise InvalidArgument(argument, f"must be a number, not {type(value).__name__}") from None
    if not math.isfinite(number):
        raise InvalidArgument(argument, "must be finite", "Give a finite number.")
    return Fraction(repr(number)) if decimal else Fraction(number)


def _from_text(text: str, argument: str) -> Fraction:
    stripped = text.strip()
    # Fraction('1e999999999') would build a number with a billion digits.
    exponent = stripped.lower().partition("e")[2].lstrip("+-")
    if len(stripped) > _MAX_TEXT or (exponent and (not exponent.isascii() or len(exponent) > 3)):
        raise InvalidArgument(argument, "is too long for a number")
    try:
        return Fraction(stripped)
    except (ValueError, ZeroDivisionError):
        raise InvalidArgument(
            argument, "is not a number", "Write a decimal such as '0.1' or a ratio such as '1/3'."
        ) from None


def positive(value: object, argument: str, *, decimal: bool = True) -> Fraction:
    """Return `value` as an exact fraction above zero (see :func:`exact`)."""
    number = exact(value, argument, decimal=decimal)
    if number <= 0:
        raise InvalidArgument(argument, f"must be above 0, not {show(number)}")
    return number


def non_negative(value: object, argument: str) -> Fraction:
    """Return `value` as an exact fraction of at least zero (see :func:`exact`)."""
    number = exact(value, argument)
    if number < 0:
        raise InvalidArgument(argument, f"must not be negative, and is {show(number)}")
    return number


def show(number: Fraction | float, digits: int = 6) -> str:
    """Return a short human form: ``1``, ``0.1``, ``0.333333``, ``1e-09``."""
    if isinstance(number, Fraction) and number.denominator == 1:
        return str(number.numerator) if abs(number.numerator) < 10**15 else f"{_as_float(number):.{digits}g}"
    return f"{_as_float(number):.{digits}g}"


def _as_float(number: Fraction | float) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def as_text(number: Fraction) -> str:
    """Return the canonical exact text used in files: a decimal where one is exact and short, else a ratio."""
    if number.denominator == 1:
        return str(number.numerator)
    decimal = repr(_as_float(number))
    if "e" not in decimal and Fraction(decimal) == number:
        return decimal
    return f"{number.numerator}/{number.denominator}"


def float_up(number: Fraction) -> float:
    """Return the smallest float that is not below `number` (rounding against the spender)."""
    nearest = _as_float(number)
    if math.isinf(nearest) or Fraction(nearest) >= number:
        return nearest
    return math.nextafter(nearest, math.inf)


def isqrt_up(number: Fraction, bits: int = 64) -> Fraction:
    """Return a rational upper bound of the square root, exact for perfect squares.

    The relative excess is below ``2**-bits``.
    """
    root_n, root_d = math.isqrt(number.numerator), math.isqrt(number.denominator)
    if root_n**2 == number.numerator and root_d**2 == number.denominator:
        return Fraction(root_n, root_d)
    shift = max(0, bits + (number.denominator.bit_length() - number.numerator.bit_length()) // 2 + 2)
    scaled = (number.numerator << (2 * shift)) // number.denominator
    return Fraction(math.isqrt(scaled) + 1, 1 << shift)
