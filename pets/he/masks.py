"""Masks on ciphertexts: uniform residues modulo q that are added to c0, and taken off the phase by whoever may open.

A ciphertext that carries a mask decrypts to uniformly random numbers, also for the holder of the secret key, until
the mask is taken off or cancels. So whoever can have a ciphertext opened gets nothing out of one that was not meant to
be opened: not by asking for one site's instead of the sum, and not by asking for something that is no ciphertext at
all, from which the secret key could be learnt.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from pets.errors import InvalidArgument
from pets.he.arithmetic import Words
from pets.he.parameters import Parameters
from pets.he.sampling import SEED_BYTES, expand


def sum_of_masks(parameters: Parameters, plus: Iterable[bytes], minus: Iterable[bytes] = ()) -> Words:
    """Return the masks of the seeds in `plus`, less those of the seeds in `minus`.

    Parameters
    ----------
    parameters
        What was agreed.
    plus, minus
        Seeds of 32 bytes, each for this one purpose.

    Returns
    -------
    ndarray
        Shape ``(primes, used)``; uniform residues as soon as one seed is unknown.

    Raises
    ------
    InvalidArgument
        A seed has another length.
    """
    seeds = {"plus": list(plus), "minus": list(minus)}
    for argument, given in seeds.items():
        if any(not isinstance(seed, bytes) or len(seed) != SEED_BYTES for seed in given):
            raise InvalidArgument(argument, f"must hold seeds of {SEED_BYTES} bytes")
    rows = [_sum(parameters.used, prime, seeds["plus"], seeds["minus"]) for prime in parameters.primes]
    return np.stack(rows)


def _sum(count: int, prime: int, plus: list[bytes], minus: list[bytes]) -> Words:
    total = np.zeros(count, dtype=np.uint64)
    room = 2 ** (64 - prime.bit_length()) - 1  # so many residues add up below 2**64, the reduced total being one more
    for number, (seed, positive) in enumerate([(s, True) for s in plus] + [(s, False) for s in minus], start=1):
        drawn = expand(seed, "mask", count, prime)
        total += drawn if positive else np.uint64(prime) - drawn
        if number % (room - 1) == 0:
            total %= np.uint64(prime)
    return total % np.uint64(prime)
