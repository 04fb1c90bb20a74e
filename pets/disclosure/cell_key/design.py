"""P-tables of maximum entropy: as uncertain as possible for a given bias, variance and largest change.

For each count the change v has the largest entropy among the laws on the allowed v with mean 0 and variance V. That law
is ``p(v) = exp(a v + b v^2) / Z``; the two numbers a and b follow from the two moments. With K cell keys, each
probability must be a multiple of 1/K: nearest to the law, with the mean exactly 0 and the variance as near to V as
whole numbers allow.

References
----------
Giessing, *Computational issues in the design of transition probabilities and disclosure risk estimation for additive
noise*, Privacy in Statistical Databases 2016.
Marley, Leaver, *A method for confidentialising user-defined tables*, ISI 2011.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pets.disclosure.cell_key.ptable import MAX_KEYS, PTable
from pets.errors import InvalidArgument

MAX_DEVIATION: Final = 100
_OFF: Final = 0.1
"""Largest share by which whole numbers of keys may miss the variance of large counts."""


def make_ptable(variance: float, deviation: int, *, blocked: int = 0, keys: int = 256) -> PTable:
    """Return the p-table of maximum entropy that is unbiased and has a given variance.

    Parameters
    ----------
    variance
        Of the change of every count for which it is possible, above 0. Small counts may allow only less (a single case
        can lose no more than itself) or, next to blocked numbers, only more; the nearest possible is taken, and
        :meth:`PTable.variance` says what it is.
    deviation
        Largest change, up or down: a whole number of at least 1.
    blocked
        No count is published as 1, 2, ..., `blocked`. Zero stays possible.
    keys
        Number of cell keys, a power of two of at least 16.

    Returns
    -------
    PTable
        Empty cells stay empty; no count becomes negative; every row has the mean 0 exactly, and all counts from
        ``deviation + blocked`` on share the last row.

    Raises
    ------
    InvalidArgument
        A parameter is out of range, or the variance cannot be had with this deviation.

    Examples
    --------
    >>> table = make_ptable(variance=2, deviation=5)
    >>> table.bias(1), table.variance(9), table.law(1)[-1] > 0
    (Fraction(0, 1), Fraction(2, 1), True)
    """
    _check(variance, deviation, blocked, keys)
    last = deviation + blocked + (blocked > 0)
    rows = [np.zeros(keys, dtype=np.int64)]
    for count in range(1, last + 1):
        changes = _allowed(count, deviation, blocked)
        shares = _shares(changes, _entropy_law(changes, variance), _possible(changes, variance), keys)
        rows.append(np.repeat(changes, shares))
    table = PTable(np.stack(rows))
    if abs(float(table.variance(last)) - variance) > _OFF * variance:
        raise InvalidArgument("keys", "are too few for so small a variance", "Use more, e.g. 4096.")
    return table


def _allowed(count: int, deviation: int, blocked: int) -> NDArray[np.int64]:
    changes = np.arange(-min(count, deviation), deviation + 1)
    target = count + changes
    allowed = np.asarray(changes[(target == 0) | (target > blocked)], dtype=np.int64)
    if allowed.min() >= 0 and 0 not in allowed:
        raise InvalidArgument(
            "deviation", f"is too small: a count of {count} could only grow", f"Give at least {blocked + 1}."
        )
    if allowed.max() <= 0 and 0 not in allowed:
        raise InvalidArgument("deviation", f"is too small: a count of {count} could only shrink")
    return allowed


def _possible(changes: NDArray[np.int64], variance: float) -> float:
    """Return the variance nearest to the wanted one that a law with mean 0 on these changes can have."""
    least = 0.0 if 0 in changes else float(-changes[changes < 0].max() * changes[changes > 0].min())
    return float(min(max(variance, least), float(-changes.min() * changes.max())))


def _entropy_law(changes: NDArray[np.int64], wanted: float) -> NDArray[np.float64]:
    """Return the probabilities of maximum entropy, shape (changes,)."""
    from scipy.optimize import minimize

    variance = _possible(changes, wanted)
    low, high = int(changes.min()), int(changes.max())
    if variance >= -low * high:  # only the two ends are left
        return _two_points(changes, low, high)
    below, above = int(changes[changes < 0].max()), int(changes[changes > 0].min())
    if 0 not in changes and variance <= -below * above:
        return _two_points(changes, below, above)
    powers = np.stack([changes, changes**2 - variance]).astype(np.float64) / np.array([[high], [high**2]])

    def dual(weights: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        # The logarithm of Z, convex; its gradient is what the moments miss.
        exponents = weights @ powers
        top = float(exponents.max())
        masses = np.exp(exponents - top)
        return top + float(np.log(masses.sum())), powers @ (masses / masses.sum())

    found = minimize(dual, np.zeros(2), jac=True, method="BFGS", options={"gtol": 1e-12, "maxiter": 10_000})
    exponents = found.x @ powers
    masses = np.exp(exponents - exponents.max())
    return np.asarray(masses / masses.sum())


def _two_points(changes: NDArray[np.int64], low: int, high: int) -> NDArray[np.float64]:
    law = np.zeros(len(changes))
    law[changes == low], law[changes == high] = high / (high - low), -low / (high - low)
    return law


def _shares(changes: NDArray[np.int64], law: NDArray[np.float64], variance: float, keys: int) -> NDArray[np.int64]:
    """Return how many keys each change gets: mean exactly 0, variance nearest, then nearest to the law."""
    from scipy.optimize import LinearConstraint, milp

    n = len(changes)
    none, one = np.zeros((n, 1)), np.eye(n)
    mirrored = one - one[::-1] if changes[0] == -changes[-1] and len(changes) == 2 * changes[-1] + 1 else 0 * one
    # Unknowns: shares (n), their distance to the law (n), and what the variance misses.
    rows: list[tuple[NDArray[np.float64], Any, Any]] = [
        (np.concatenate([np.ones(n), np.zeros(n + 1)])[None], keys, keys),
        (np.concatenate([changes, np.zeros(n + 1)])[None], 0, 0),
        (np.concatenate([changes**2, np.zeros(n), [-1]])[None], -np.inf, variance * keys),
        (np.concatenate([changes**2, np.zeros(n), [1]])[None], variance * keys, np.inf),
        (np.hstack([one, -one, none]), -np.inf, law * keys),
        (np.hstack([one, one, none]), law * keys, np.inf),
        (np.hstack([mirrored, 0 * one, none]), 0, 0),
    ]
    found = milp(
        np.concatenate([np.zeros(n), np.ones(n), [4.0 * keys]]),
        constraints=[LinearConstraint(matrix.astype(np.float64), low, high) for matrix, low, high in rows],
        integrality=np.concatenate([np.ones(n), np.zeros(n + 1)]),
        options={"mip_rel_gap": 0.0},
    )
    shares = np.zeros(n, dtype=np.int64) if found.x is None else np.rint(found.x[:n]).astype(np.int64)
    if shares.sum() != keys or (shares * changes).sum() != 0 or shares.min() < 0:
        raise InvalidArgument("keys", "are too few for a law with mean 0", "Use 256 or more.")
    return shares


def _check(variance: float, deviation: int, blocked: int, keys: int) -> None:
    for name, value, least, most in (
        ("deviation", deviation, 1, MAX_DEVIATION),
        ("blocked", blocked, 0, MAX_DEVIATION - 1),
        ("keys", keys, 16, MAX_KEYS),
    ):
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise InvalidArgument(name, f"must be a whole number between {least} and {most:,}")
    if keys & (keys - 1):
        raise InvalidArgument("keys", "must be a power of two", "Usual is 256.")
    if isinstance(variance, bool) or not isinstance(variance, int | float) or not 0 < variance <= deviation**2:
        raise InvalidArgument("variance", f"must be above 0 and at most {deviation**2}, the square of the deviation")
