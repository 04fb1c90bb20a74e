"""Weights that take Shamir shares back to the secret, that check them, and that name the wrong ones.

Shares of one value are a Reed-Solomon codeword: the values at the points ``x_i`` of a polynomial of degree below
the threshold `t`. With ``n`` shares the code has distance ``n - t + 1``. So up to ``n - t`` wrong shares are always
*noticed*, and up to ``(n - t) // 2`` can be *named* and corrected. Both bounds are tight: nobody can do better
from the shares alone.

References
----------
R. J. McEliece and D. V. Sarwate, "On sharing secrets and Reed-Solomon codes", Comm. ACM 24 (1981).
J. L. Massey, "Shift-register synthesis and BCH decoding", IEEE Trans. Inf. Theory 15 (1969).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from pets.mpc.faults import SharesDisagree
from pets.mpc.field import MODULUS, Elements, multiply

Columns = NDArray[np.intp]


@lru_cache(maxsize=64)
def weights_at_zero(points: tuple[int, ...]) -> Elements:
    """Return the Lagrange weights ``prod_j x_j / (x_j - x_i)``, shape ``(1, n)``, for distinct non-zero points."""
    everything = 1
    for x in points:
        everything = everything * x % MODULUS
    sign = MODULUS - 1 if len(points) % 2 == 0 else 1
    numerator = everything * sign % MODULUS
    weights = [
        numerator * dual * pow(x, -1, MODULUS) % MODULUS for x, dual in zip(points, dual_weights(points), strict=True)
    ]
    return _frozen([weights])


@lru_cache(maxsize=64)
def dual_weights(points: tuple[int, ...]) -> tuple[int, ...]:
    """Return ``1 / prod_{j != i} (x_i - x_j)`` for each point."""
    found = []
    for x in points:
        product = 1
        for other in points:
            if other != x:
                product = product * (x - other) % MODULUS
        found.append(pow(product, -1, MODULUS))
    return tuple(found)


@lru_cache(maxsize=64)
def parity_checks(points: tuple[int, ...], threshold: int) -> Elements:
    """Return the matrix ``(n - t, n)`` whose product with shares is zero exactly if they lie on one polynomial."""
    row = list(dual_weights(points))
    rows = []
    for _ in range(len(points) - threshold):
        rows.append(row)
        row = [value * x % MODULUS for value, x in zip(row, points, strict=True)]
    return _frozen(rows)


def solve(points: tuple[int, ...], shares: Elements, threshold: int) -> tuple[Elements, Columns]:
    """Return the secrets by the first `threshold` shares, and the columns where other shares contradict them.

    Parameters
    ----------
    points
        Distinct evaluation points, `n` of them.
    shares
        Elements, shape ``(n, values)``.
    threshold
        How many shares determine a value.

    Returns
    -------
    tuple
        Elements, shape ``(values,)``, and the ascending numbers of the columns that are no codeword.
    """
    products = multiply(_solver(points, threshold), shares)
    return products[0], np.flatnonzero(np.bitwise_or.reduce(products[1:], axis=0))


def wrong_points(points: tuple[int, ...], shares: Elements, threshold: int) -> tuple[int, ...]:
    """Return the points whose shares are wrong, in ascending order; empty if all agree.

    Parameters are those of :func:`solve`.

    Raises
    ------
    SharesDisagree
        More than ``(n - threshold) // 2`` points are wrong, so that nobody can be named.

    Guarantee
    ---------
    If at most ``(n - threshold) // 2`` points gave wrong shares, over all values together, exactly those that
    gave a wrong one are returned. If more did, but at most ``n - threshold``, the wrongness is noticed, but a
    name may be missing or false.
    """
    capacity = (len(points) - threshold) // 2
    wrong: set[int] = set()
    suspicious = solve(points, shares, threshold)[1]
    while suspicious.size:  # each round finds a new one: a column explained by known ones would not be suspicious
        syndrome = multiply(parity_checks(points, threshold), shares[:, suspicious[:1]])[:, 0]
        wrong |= _decode([int(s) for s in syndrome], points)
        if len(wrong) > capacity:
            raise SharesDisagree(f"more than {capacity} of {len(points)} shares are wrong")
        kept = [i for i, x in enumerate(points) if x not in wrong]
        remaining = tuple(points[i] for i in kept)
        suspicious = suspicious[solve(remaining, shares[:, suspicious][kept], threshold)[1]]
    return tuple(sorted(wrong))


@lru_cache(maxsize=64)
def _solver(points: tuple[int, ...], threshold: int) -> Elements:
    """Return the weights of the first `threshold` points, padded with zeros, above the parity checks."""
    rows = np.zeros((1 + len(points) - threshold, len(points)), dtype=np.uint64)
    rows[0, :threshold] = weights_at_zero(points[:threshold])
    if len(points) > threshold:
        rows[1:] = parity_checks(points, threshold)
    rows.setflags(write=False)
    return rows


def _decode(syndrome: list[int], points: tuple[int, ...]) -> set[int]:
    """Return the points of the fewest errors with this syndrome; raise if there are too many to be sure."""
    locator = _shortest_recurrence(syndrome)
    errors = len(locator) - 1
    found = {x for x in points if _evaluate(locator, pow(x, -1, MODULUS)) == 0}
    if len(found) != errors:
        raise SharesDisagree(f"more than {len(syndrome) // 2} of {len(points)} shares are wrong")
    return found


def _shortest_recurrence(sequence: list[int]) -> list[int]:
    """Return ``1, c_1 .. c_L`` with ``s_k + sum c_i s_{k-i} = 0``, `L` least (Berlekamp and Massey)."""
    current, previous = [1], [1]
    length, gap, last = 0, 1, 1
    for k, term in enumerate(sequence):
        delta = (term + sum(c * sequence[k - i] for i, c in enumerate(current) if i)) % MODULUS
        if not delta:
            gap += 1
            continue
        scale = delta * pow(last, -1, MODULUS) % MODULUS
        shifted = [0] * gap + [scale * c % MODULUS for c in previous]
        width = max(len(current), len(shifted))
        padded = current + [0] * (width - len(current))
        updated = [(c - s) % MODULUS for c, s in zip(padded, shifted + [0] * (width - len(shifted)), strict=True)]
        if 2 * length <= k:
            length, previous, last, gap = k + 1 - length, current, delta, 1
        else:
            gap += 1
        current = updated
    return (current + [0] * (length + 1))[: length + 1]


def _evaluate(polynomial: list[int], x: int) -> int:
    value = 0
    for coefficient in reversed(polynomial):
        value = (value * x + coefficient) % MODULUS
    return value


def _frozen(rows: list[list[int]]) -> Elements:
    matrix = np.array(rows, dtype=np.uint64)
    matrix.setflags(write=False)
    return matrix
