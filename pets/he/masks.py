"""Masks: what a ciphertext decrypts to is uniformly random, also for a holder of the key, until they cancel.

So whoever can have a ciphertext opened gets nothing out of one that was not meant to be opened: not by asking for one
site's instead of the sum. (By asking for something that is no honest ciphertext a server can learn the secret key; the
masks do not depend on it.)

* Modulo q (:func:`sum_of_masks`): added to c0, taken off the phase by the key holder. A phase with a mask left on it
  decrypts to no total, so that a wrong request is noticed.
* Modulo t (:func:`sum_of_plain_masks`): added to the coefficients that are encrypted, for masks that cancel in the sum.
  What is left depends on the inputs through their total alone, even for somebody who knows every key and all noise,
  since the rounding of the encoding is then a function of uniform numbers.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from pets.errors import InvalidArgument
from pets.he.arithmetic import Words
from pets.he.parameters import Parameters
from pets.he.sampling import SEED_BYTES, expand
from pets.session.masks import add_mask


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
    added, taken = _checked(plus, "plus"), _checked(minus, "minus")
    return np.stack([_sum(parameters.used, prime, added, taken) for prime in parameters.primes])


def sum_of_plain_masks(parameters: Parameters, plus: Iterable[bytes], minus: Iterable[bytes]) -> Words:
    """Return the masks of the seeds in `plus`, less those of `minus`, as words of which the lowest bits count.

    Parameters
    ----------
    parameters, plus, minus
        As for :func:`sum_of_masks`.

    Returns
    -------
    ndarray
        Shape ``(used,)``.

    Raises
    ------
    InvalidArgument
        A seed has another length.
    """
    total = np.zeros(parameters.used, dtype=np.uint64)
    for seed in _checked(plus, "plus"):
        add_mask(total, seed)
    for seed in _checked(minus, "minus"):
        add_mask(total, seed, subtract=True)
    return total


def _checked(seeds: Iterable[bytes], argument: str) -> list[bytes]:
    given = list(seeds)
    if any(not isinstance(seed, bytes) or len(seed) != SEED_BYTES for seed in given):
        raise InvalidArgument(argument, f"must hold seeds of {SEED_BYTES} bytes")
    return given


def _sum(count: int, prime: int, plus: list[bytes], minus: list[bytes]) -> Words:
    total = np.zeros(count, dtype=np.uint64)
    room = 2 ** (64 - prime.bit_length()) - 1  # so many residues add up below 2**64, the reduced total being one more
    for number, (seed, positive) in enumerate([(s, True) for s in plus] + [(s, False) for s in minus], start=1):
        drawn = expand(seed, "mask", count, prime)
        total += drawn if positive else np.uint64(prime) - drawn
        if number % (room - 1) == 0:
            total %= np.uint64(prime)
    return total % np.uint64(prime)
