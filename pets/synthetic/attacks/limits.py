r"""What a guarantee proves about any attack: the largest advantage, and true positives at a given rate of false ones.

Under (epsilon, delta)-DP every test of 'is this unit in the data?' has ``TPR <= e^epsilon FPR + delta`` and
``1 - FPR <= e^epsilon (1 - TPR) + delta`` (Wasserman and Zhou 2010; Kairouz, Oh and Viswanath 2015, Theorem 2.1).
A guarantee in another currency holds at every delta at once, so the smallest bound over a grid of deltas holds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from pets.errors import InvalidArgument
from pets.guarantee import ApproxDP, Guarantee, PureDP, RenyiDP, ZeroConcentratedDP
from pets.guarantee.wording import approx_distance

_DELTAS = tuple(10 ** (-k / 4) for k in range(1, 49))


def advantage_bound(guarantee: Guarantee) -> float:
    """Return the largest TPR minus FPR of any membership attack; 1 if nothing is promised.

    Parameters
    ----------
    guarantee
        Of the synthetic rows.

    Returns
    -------
    float
        Between 0 and 1.
    """
    return min((approx_distance(epsilon, delta) for epsilon, delta in _promises(guarantee)), default=1.0)


def true_positive_bound(guarantee: Guarantee, false_positives: float = 0.01) -> float:
    """Return the largest TPR of any membership attack whose FPR is at most `false_positives`; 1 without a promise.

    Raises
    ------
    InvalidArgument
        `false_positives` is no probability.
    """
    if not 0 <= false_positives <= 1:
        raise InvalidArgument("false_positives", "must be between 0 and 1")
    found = 1.0
    for epsilon, delta in _promises(guarantee):
        grown = math.exp(min(epsilon, 700.0))
        found = min(found, grown * false_positives + delta, 1 - (1 - delta - false_positives) / grown)
    return max(found, false_positives)


def _promises(guarantee: Guarantee) -> Iterator[tuple[float, float]]:
    if isinstance(guarantee, PureDP):
        yield float(guarantee.epsilon), 0.0
    elif isinstance(guarantee, ApproxDP):
        yield float(guarantee.epsilon), float(guarantee.delta)
    elif isinstance(guarantee, ZeroConcentratedDP | RenyiDP):
        for delta in _DELTAS:
            promise = guarantee.to_approx(delta)
            yield float(promise.epsilon), float(promise.delta)
