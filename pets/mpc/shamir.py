"""Shamir's secret sharing of whole arrays over the prime field of :mod:`pets.mpc.field`.

A value is the constant term of a random polynomial of degree ``threshold - 1``; party number `x` (1, 2, ...)
holds its value at `x`. The polynomial is written in Newton's basis, ``f(x) = sum_k a_k C(x, k)``, with ``a_0`` the
value and the other ``a_k`` uniform. The change to powers of `x` is triangular with the diagonal ``1/k!``, hence a
bijection on the random coefficients, so that this is Shamir's distribution exactly. What it buys: the shares of
all parties follow by **additions alone** from the differences ``a_k``, as in the difference engine.

Shares add: the sum of shares of two values at one point is a share of their sum, as long as the sum of the
magnitudes stays below ``2**60``, which a session's specification checks before anything is sent.

Guarantee
---------
Any ``threshold - 1`` parties together hold uniform elements that are independent of the values, whatever they
can compute. Any `threshold` of them hold the values. Extra shares expose wrong ones: see
:mod:`pets.mpc.interpolation`.

References
----------
A. Shamir, "How to share a secret", Comm. ACM 22 (1979).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pets.errors import InvalidArgument
from pets.mpc import field, interpolation
from pets.mpc.faults import SharesDisagree
from pets.mpc.field import Elements, RandomBytes

MAX_PARTIES = 512
MIN_THRESHOLD = 2
SECRET_BYTES = 32
LIMBS = 5
"""A secret of 32 bytes is five elements of 52 bits, the last of 48; its share is as long: 40 bytes."""

_BLOCK = 2**15  # elements of one difference table; three such arrays fit the second-level cache
_LIMB = np.uint64(2**52 - 1)
_LAST_LIMB_BITS = 48


@dataclass(frozen=True)
class Recovered:
    """Values taken from shares of which some were wrong.

    Attributes
    ----------
    values
        int64, shape ``(n,)``.
    wrong
        Points whose shares were wrong somewhere and were left out everywhere.
    """

    values: NDArray[np.int64]
    wrong: tuple[int, ...]


def share(values: NDArray[np.int64], parties: int, threshold: int, random: RandomBytes) -> Elements:
    """Share signed integers among `parties`, any `threshold` of which can take them back.

    Parameters
    ----------
    values
        int64, shape ``(n,)``, magnitudes at most ``2**60 - 1``.
    parties
        2 to 512.
    threshold
        2 to `parties`: how many shares give the values; one fewer gives nothing.
    random
        ``random(n)`` returns `n` uniform bytes that are used nowhere else. About
        ``8 * (threshold - 1)`` per value are taken.

    Returns
    -------
    ndarray
        Elements, shape ``(parties, n)``; row ``x - 1`` is for the party at the point `x`.

    Raises
    ------
    InvalidArgument
        A value is too large, of the wrong type or shape, or the numbers do not fit.
    EntropyError
        `random` failed.
    """
    if not isinstance(values, np.ndarray) or values.ndim != 1:
        raise InvalidArgument("values", "must be a one-dimensional int64 array")
    return share_elements(field.from_signed(values), parties, threshold, random)


def share_elements(elements: Elements, parties: int, threshold: int, random: RandomBytes) -> Elements:
    """Share field elements; parameters, result and errors as for :func:`share`."""
    if not 2 <= parties <= MAX_PARTIES:
        raise InvalidArgument("parties", f"must be 2 to {MAX_PARTIES}")
    if not MIN_THRESHOLD <= threshold <= parties:
        raise InvalidArgument(
            "threshold", "must be between 2 and the number of parties", "One share would be the value."
        )
    shares = np.empty((parties, len(elements)), dtype=np.uint64)
    step = max(_BLOCK // threshold, 64)
    for start in range(0, len(elements), step):
        part = slice(start, start + step)
        _tabulate(_differences(elements[part], threshold, random), shares[:, part])
    return shares


def reconstruct(points: Sequence[int], shares: Elements, threshold: int) -> NDArray[np.int64]:
    """Return the values, if all shares agree.

    Parameters
    ----------
    points
        The distinct points of the parties whose shares are given, `threshold` or more.
    shares
        Elements, shape ``(len(points), n)``.
    threshold
        How many shares determine a value.

    Returns
    -------
    ndarray
        int64, shape ``(n,)``.

    Raises
    ------
    InvalidArgument
        Points repeat, lie outside 1 to 512, are too few, or the shapes do not fit.
    SharesDisagree
        Some shares are wrong. ``suspects`` names their points if ``(len(points) - threshold) // 2`` or fewer
        are; up to ``len(points) - threshold`` wrong points are noticed in any case.
    """
    checked = _checked(points, shares, threshold)
    return field.to_signed(_agreed(checked, shares, threshold))


def correct(points: Sequence[int], shares: Elements, threshold: int) -> Recovered:
    """Return the values although some shares are wrong, and whose.

    Parameters and errors as for :func:`reconstruct`; here `SharesDisagree` means that more than
    ``(len(points) - threshold) // 2`` points are wrong.

    Guarantee
    ---------
    Values and names are right if at most that many points are wrong. More wrong points that conspire can
    give other values; then use :func:`reconstruct`, which only ever refuses.
    """
    checked = _checked(points, shares, threshold)
    wrong = interpolation.wrong_points(checked, shares, threshold)
    kept = [i for i, x in enumerate(checked) if x not in wrong]
    values, _ = interpolation.solve(tuple(checked[i] for i in kept), shares[kept], threshold)
    return Recovered(field.to_signed(values), wrong)


def share_secrets(secrets: Sequence[bytes], parties: int, threshold: int, random: RandomBytes) -> Elements:
    """Share secrets of 32 bytes each.

    Parameters
    ----------
    secrets
        One or more secrets.
    parties, threshold, random
        As for :func:`share`.

    Returns
    -------
    ndarray
        Elements, shape ``(parties, 5 * len(secrets))``: five after five, in the order of the secrets.

    Raises
    ------
    InvalidArgument
        A secret is not 32 bytes long, or the numbers do not fit.
    EntropyError
        `random` failed.
    """
    if any(not isinstance(secret, bytes) or len(secret) != SECRET_BYTES for secret in secrets):
        raise InvalidArgument("secrets", f"must be bytes objects of length {SECRET_BYTES}")
    words = np.frombuffer(b"".join(secrets), dtype="<u8").reshape(-1, 4).T.astype(np.uint64)
    return share_elements(_to_limbs(words).T.reshape(-1), parties, threshold, random)


def reconstruct_secrets(points: Sequence[int], shares: Elements, threshold: int) -> list[bytes]:
    """Return secrets of 32 bytes, if all shares agree.

    Parameters
    ----------
    points, threshold
        As for :func:`reconstruct`.
    shares
        Elements, shape ``(len(points), 5 * secrets)``, as :func:`share_secrets` gave them.

    Raises
    ------
    InvalidArgument
        As for :func:`reconstruct`, or the width is no multiple of five.
    SharesDisagree
        As for :func:`reconstruct`; or no 32 bytes have these shares, and nobody can be named.
    """
    checked = _checked(points, shares, threshold)
    if shares.shape[1] % LIMBS:
        raise InvalidArgument("shares", f"must have {LIMBS} columns per secret")
    limbs = _agreed(checked, shares, threshold).reshape(-1, LIMBS).T
    if (limbs > _LIMB).any() or (limbs[-1] >> np.uint64(_LAST_LIMB_BITS)).any():
        raise SharesDisagree("the shares belong to no secret of 32 bytes")
    joined = _from_limbs(limbs).T.astype("<u8").tobytes()
    return [joined[i : i + SECRET_BYTES] for i in range(0, len(joined), SECRET_BYTES)]


def _differences(elements: Elements, threshold: int, random: RandomBytes) -> Elements:
    """Return the forward differences at 0, shape ``(threshold, n)``: the elements, then uniform ones."""
    table = np.empty((threshold, len(elements)), dtype=np.uint64)
    table[0] = elements
    table[1:] = field.uniform(random, (threshold - 1) * len(elements)).reshape(threshold - 1, len(elements))
    return table


def _tabulate(differences: Elements, shares: Elements) -> None:
    """Fill row ``x - 1`` of `shares` with the polynomial's value at `x`, by additions."""
    lower, upper = differences[:-1], differences[1:]
    for row in shares:
        field.add(lower, upper, out=lower)  # numpy reads operands that overlap the output as if copied before
        row[:] = differences[0]


def _agreed(points: tuple[int, ...], shares: Elements, threshold: int) -> Elements:
    """Return the values on which all shares agree, or raise with the names of those who do not."""
    values, suspicious = interpolation.solve(points, shares, threshold)
    if suspicious.size:
        wrong = interpolation.wrong_points(points, shares[:, suspicious], threshold)
        raise SharesDisagree("the shares of some parties contradict the others'", wrong)
    return values


def _checked(points: Sequence[int], shares: Elements, threshold: int) -> tuple[int, ...]:
    checked = tuple(points)
    if any(isinstance(x, bool) or not isinstance(x, int) or not 1 <= x <= MAX_PARTIES for x in checked):
        raise InvalidArgument("points", f"must be integers from 1 to {MAX_PARTIES}")
    if len(set(checked)) != len(checked):
        raise InvalidArgument("points", "repeat a party")
    if not MIN_THRESHOLD <= threshold <= len(checked):
        raise InvalidArgument("threshold", "must be at least 2 and at most the number of shares given")
    if not isinstance(shares, np.ndarray) or shares.dtype != np.uint64 or shares.ndim != 2:
        raise InvalidArgument("shares", "must be a two-dimensional uint64 array")
    if len(shares) != len(checked) or (shares.size and shares.max() >= field.MODULUS):
        raise InvalidArgument("shares", "must have one row of field elements per point")
    return checked


def _to_limbs(words: Elements) -> Elements:
    """Cut ``(4, n)`` words of 64 bits into ``(5, n)`` limbs of 52."""
    limbs = np.empty((LIMBS, words.shape[1]), dtype=np.uint64)
    limbs[0] = words[0]
    for i in (1, 2, 3):
        limbs[i] = (words[i - 1] >> np.uint64(64 - 12 * i)) | (words[i] << np.uint64(12 * i))
    limbs[4] = words[3] >> np.uint64(16)
    return limbs & _LIMB


def _from_limbs(limbs: Elements) -> Elements:
    """Join ``(5, n)`` limbs of 52 bits to ``(4, n)`` words of 64."""
    low = [limbs[i] >> np.uint64(12 * i) for i in range(4)]
    high = [limbs[i + 1] << np.uint64(52 - 12 * i) for i in range(4)]
    return np.stack([a | b for a, b in zip(low, high, strict=True)])
