"""Differential privacy in frequencies: how often the best guesser could tell that a patient is in the data.

The best guesser that errs equally often both ways is right with frequency (1 + TV) / 2, where TV is
the total variation distance between the publications with and without the patient.
"""

from __future__ import annotations

import math
from fractions import Fraction

from pets.privacy_unit import PrivacyUnit

_MOST = 1_000_000


def approx_distance(epsilon: float, delta: float) -> float:
    """Return the largest total variation distance under (epsilon, delta)-DP."""
    shrunk = math.exp(-min(epsilon, 700.0))
    return min(1.0, (1 - shrunk + 2 * delta * shrunk) / (1 + shrunk))


def divergence_distance(divergence: float) -> float:
    """Return the largest total variation distance under a Kullback-Leibler divergence.

    The smaller of Pinsker's and Bretagnolle-Huber's bounds.
    """
    return min(math.sqrt(divergence / 2), math.sqrt(-math.expm1(-divergence)))


def odds(distance: float, unit: PrivacyUnit | None) -> str:
    """Return the sentence's core: what the best guesser gets out of 100 (or more) publications."""
    of = 100
    while of < _MOST and not _tells(distance, of):
        of *= 10
    right = round(of * (1 + distance) / 2)
    verdict = "'in'" if unit is None or unit.neighbours == "add_remove" else "'this one, not the other'"
    return (
        f"of {of:,} possible publications, at most about {right:,} would make the best guesser say {verdict} "
        f"when that is true, against {of - right:,} when it is not"
    )


def subject(unit: PrivacyUnit | None) -> str:
    """Return whose presence is meant and how the data could differ."""
    return "one unit of the data (which one is not stated)" if unit is None else str(unit)


def plural(noun: str) -> str:
    """Return more than one of it: ``patients``, ``families``, ``children``."""
    if noun.endswith("child"):
        return f"{noun}ren"
    return f"{noun[:-1]}ies" if noun.endswith("y") and noun[-2:-1] not in tuple("aeiou") else f"{noun}s"


def chance(probability: Fraction) -> str:
    """Return a probability above 0 as a frequency that is not below it: ``1 in 1,000,000``."""
    one_in = math.floor(1 / probability)
    if one_in < 2:
        return f"{float(probability):.2f}"
    return f"1 in {one_in:,}" if one_in < 10**15 else f"1 in {float(one_in):.0e}"


def _tells(distance: float, of: int) -> bool:
    # Certainty and ignorance are shown out of 100; what comes near them needs more publications to be seen.
    if distance in (0.0, 1.0):
        return True
    return of * (1 - distance) / 2 >= 1 and of * distance / 2 >= 1
