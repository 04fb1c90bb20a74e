"""Numbers and names as the report writes them."""

from __future__ import annotations

from typing import Final

from pets.demo.results import Place
from pets.epi import Rate

NARROW_SPACE, NO_BREAK, MINUS, DASH = "\u202f", "\u00a0", "\u2212", "\u2013"

NAMES: Final[dict[Place, str]] = {"joint": "One noise in the joint total", "registry": "A noise at each registry"}
"""The two ways to add noise, as headings and labels."""

SEX_WORDS: Final = {"male": "Boys", "female": "Girls"}


def count(number: float) -> str:
    """Return a whole number: ``1,204``; a negative one with a true minus sign."""
    return f"{round(number):,}".replace("-", MINUS)


def decimal(number: float, digits: int = 1) -> str:
    """Return a number with a fixed count of decimals."""
    text = f"{number:,.{digits}f}"
    return text.replace("-", MINUS) if float(text.replace(",", "")) else text.lstrip("-")


def percent(share: float) -> str:
    """Return a share as ``30.6 %``."""
    return f"{spread(100 * share) if share < 10 else count(100 * share)}{NARROW_SPACE}%"


def spread(error: float) -> str:
    """Return an error that is not negative with one decimal, or with two digits where that would be nothing."""
    return decimal(error) if error == 0 or error >= 0.05 else f"{error:.2g}"


def setting(epsilon: float) -> str:
    """Return a value of epsilon without needless zeros."""
    return f"{epsilon:.10g}"


def equation(epsilon: float) -> str:
    """Return ``ε = 1``, which no line break parts."""
    return f"ε{NO_BREAK}={NO_BREAK}{setting(epsilon)}"


def of_hundred(chance: float, digits: int = 0) -> str:
    """Return a chance as a frequency of 100 that never claims certainty: ``73``, ``over 99``, ``under 1``."""
    least = 1 / 10**digits
    if 100 * chance >= 100 - least / 2:
        return f"over {decimal(100 - least, digits)}"
    return f"under {decimal(least, digits)}" if 100 * chance < least / 2 else decimal(100 * chance, digits)


def interval(low: float, high: float, digits: int = 0) -> str:
    """Return ``114–128``; with a word instead of the dash where the lower limit is negative."""
    between = DASH if low >= 0 else " to "
    return f"{decimal(low, digits)}{between}{decimal(high, digits)}"


def rate(value: Rate) -> str:
    """Return a rate with its interval: ``2.41 (2.14–2.70)``."""
    return f"{decimal(value.value, 2)} ({decimal(value.low, 2)}{DASH}{decimal(value.high, 2)})"


def cell(sex: str, age_group: str) -> str:
    """Return the name of a cell: ``Boys 0–4``."""
    return f"{SEX_WORDS[sex]} {age_group.replace('-', DASH)}"


def listing(items: list[str]) -> str:
    """Return ``a, b or c``."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} or {items[-1]}"
