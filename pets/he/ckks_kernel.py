"""Sums by CKKS, the scheme for real numbers, opened only as whole steps of a declared grid.

A CKKS decryption is the sum plus the noise of the encryption, and that noise is a linear function of the secret key:
whoever sees it can solve for the key (Li and Micciancio 2021). Rounding what is shown is no cure by itself, since a sum
that lies near a rounding boundary still tells the noise. So the grid comes first: each site rounds its own values to
multiples of the declared precision, sums then lie on the grid, and the noise is less than half a step except with
probability 2^-64. What is opened is thus a function of the inputs alone; the noise, and with it the key, stays inside.

Values are coefficients of the message polynomial, which holds twice as many as complex slots and adds no error of its
own: additions are all that is asked for.

References
----------
Cheon, Kim, Kim and Song, "Homomorphic encryption for arithmetic of approximate numbers", ASIACRYPT 2017.
Li and Micciancio, "On the security of homomorphic encryption on approximate numbers", EUROCRYPT 2021, ePrint 2020/1533.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pets.csprng import RandomSource, secure_random
from pets.errors import MessageRejected
from pets.he.arithmetic import Words, add, centre, lift, negate
from pets.he.bfv_kernel import check_encryption_key
from pets.he.encoding import check_values
from pets.he.keys import PublicKey, SecretKey
from pets.he.parameters import Parameters
from pets.he.rlwe import Ciphertext, encrypt_message, share_of_phase


def encrypt_steps(
    key: PublicKey | SecretKey,
    steps: NDArray[np.int64],
    random: RandomSource | None = None,
    mask: Words | None = None,
) -> bytes:
    """Return the ciphertext of values on the grid, in whole steps.

    Parameters
    ----------
    key
        A public key, or in seeded mode the secret key.
    steps
        int64, shape ``(values,)``.
    random, mask
        As for :func:`pets.he.bfv_kernel.encrypt_vector`.

    Raises
    ------
    InvalidArgument
        `steps` are of another type or shape, or `key` may not encrypt.
    RangeOverflow
        A value is beyond the bound.
    """
    ring = check_encryption_key(key)
    padded = np.zeros(ring.used, dtype=np.int64)
    padded[: steps.size] = check_values(steps, ring)
    scaled = lift(padded << np.int64(step_bits(ring)), ring.primes)
    if mask is not None:
        scaled = add(scaled, mask, ring.primes)
    return encrypt_message(key, scaled, random or secure_random())


def open_steps(secret: SecretKey, total: Ciphertext, mask: Words | None = None) -> NDArray[np.int64]:
    """Return the total of a sum in whole steps, int64 of shape ``(values,)``.

    Parameters
    ----------
    secret
        The secret key.
    total
        The sum.
    mask
        Sum of the masks that are inside, to be taken off; None for none.

    Raises
    ------
    MessageRejected
        It does not decrypt within the bounds: the key, or the mask, is another one.
    """
    ring = secret.parameters
    residues = add(total.first, share_of_phase(secret, total.second), ring.primes)
    if mask is not None:
        residues = add(residues, negate(mask, ring.primes), ring.primes)
    bits = step_bits(ring)
    phase = centre(residues[0], ring.primes[0])
    steps = (phase + np.int64(2 ** (bits - 1))) >> np.int64(bits)
    error = np.abs(phase - (steps << np.int64(bits)))
    if int(error.max()) > ring.noise_bound or int(np.abs(steps).max()) > ring.total_bound or steps[ring.values :].any():
        raise MessageRejected("does not decrypt: it is not under this key, or it was damaged")
    return steps[: ring.values].copy()


def step_bits(ring: Parameters) -> int:
    """Return the s such that one step of the values is ``2**s`` in the ciphertext."""
    return ring.modulus.bit_length() - 1 - ring.plain_bits
