"""Exact arithmetic modulo primes of up to 60 bits, on whole arrays of 64-bit words.

numpy has no 128-bit product, so :func:`high_product` builds its upper half from 32-bit halves; everything else
follows from it by Shoup's trick: with ``w' = floor(w 2^64 / p)`` known beforehand, the quotient of ``x w`` by ``p``
is off by at most one.

References
----------
D. Harvey, "Faster arithmetic for number-theoretic transforms", 2014, section 3 (Shoup's multiplication).
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]

PRIME_BITS = 60
"""SEAL takes primes of at most 60 bits; four residues below 2**62 also add up without wrapping."""

_HALF = np.uint64(32)
_LOW = np.uint64(2**32 - 1)
_WITNESSES = (2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37)


def high_product(x: Words, factor: int) -> Words:
    """Return ``floor(x * factor / 2**64)`` for ``factor < 2**64``, exactly."""
    upper, lower = np.uint64(factor >> 32), np.uint64(factor & (2**32 - 1))
    x_upper, x_lower = x >> _HALF, x & _LOW
    middle = ((x_lower * lower) >> _HALF) + x_upper * lower  # below 2**64: (2**32 - 1)**2 + 2**32 - 1
    carry = (middle & _LOW) + x_lower * upper
    return np.asarray(x_upper * upper + (middle >> _HALF) + (carry >> _HALF), dtype=np.uint64)


def divide_product(x: Words, factor: int, prime: int) -> tuple[Words, Words]:
    """Return quotient and remainder of ``x * factor`` by `prime`, for ``factor < prime < 2**62`` and any x."""
    quotient = high_product(x, (factor << 64) // prime)
    remainder = x * np.uint64(factor) - quotient * np.uint64(prime)  # modulo 2**64, and below 2 * prime
    over = remainder >= np.uint64(prime)
    return quotient + over, remainder - over * np.uint64(prime)


def multiply(x: Words, factor: int, prime: int) -> Words:
    """Return ``x * factor`` modulo `prime`."""
    return divide_product(x, factor % prime, prime)[1]


def add(left: Words, right: Words, primes: tuple[int, ...]) -> Words:
    """Return the sum of two arrays of residues, one row for each prime."""
    total = left + right
    for row, prime in zip(total, primes, strict=True):
        np.minimum(row, row - np.uint64(prime), out=row)  # below the prime the difference wraps, and is the larger
    return np.asarray(total, dtype=np.uint64)


def negate(residues: Words, primes: tuple[int, ...]) -> Words:
    """Return minus `residues`, one row for each prime."""
    rows = [np.where(row == 0, row, np.uint64(p) - row) for row, p in zip(residues, primes, strict=True)]
    return np.stack(rows)


def lift(values: NDArray[np.int64], primes: tuple[int, ...]) -> Words:
    """Return signed integers as residues, one row for each prime.

    Values of absolute size below every prime take the quick way; others are divided.
    """
    small = values.size == 0 or max(-int(values.min()), int(values.max())) < min(primes)
    rows = []
    for prime in primes:
        row = np.where(values < 0, values + np.int64(prime), values) if small else np.mod(values, np.int64(prime))
        rows.append(row.astype(np.uint64))
    return np.stack(rows)


def centre(residues: Words, prime: int) -> NDArray[np.int64]:
    """Return residues as signed integers nearest to zero."""
    signed = residues.astype(np.int64)
    return np.where(signed > prime // 2, signed - np.int64(prime), signed)


@lru_cache(maxsize=256)
def ntt_primes(dimension: int, bits: int, count: int) -> tuple[int, ...]:
    """Return the `count` largest primes below ``2**bits`` that are 1 modulo ``2 * dimension``; fewer if there are not.

    Every party computes the same ones, whatever its version of SEAL would have chosen.
    """
    step = 2 * dimension
    candidate = (2**bits - 1) // step * step + 1
    found: list[int] = []
    while len(found) < count and candidate > 2 ** (bits - 1):
        if candidate < 2**bits and is_prime(candidate):
            found.append(candidate)
        candidate -= step
    return tuple(found)


def is_prime(number: int) -> bool:
    """Return whether `number`, below 3.3e24, is prime (Miller-Rabin with the first twelve primes; Sorenson 2015)."""
    if number < 41:
        return number in _WITNESSES
    if any(number % p == 0 for p in _WITNESSES):
        return False
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    return all(_passes(number, witness, odd, twos) for witness in _WITNESSES)


def _passes(number: int, witness: int, odd: int, twos: int) -> bool:
    power = pow(witness, odd, number)
    if power in {1, number - 1}:
        return True
    for _ in range(twos - 1):
        power = power * power % number
        if power == number - 1:
            return True
    return False
