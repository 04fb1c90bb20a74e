"""Sums of real-valued vectors (CKKS), opened only as whole multiples of a declared precision.

A CKKS decryption is the sum plus the noise of the encryption, and that noise is a linear function of the secret key:
whoever sees it can solve for the key (Li and Micciancio 2021). Rounding what is shown is no cure by itself, since a sum
that lies near a rounding boundary still tells the noise. So the grid comes first: each site rounds its own values to
multiples of the declared precision, sums then lie on the grid, and the noise is less than half a step except with
probability 2^-64. What is opened is thus a function of the inputs alone; the noise, and with it the key, stays inside.

Values are coefficients of the message polynomial, which holds twice as many as complex slots and adds no error of its
own: additions are all that is asked for.

The total differs from the sum of the unrounded values by at most ``K (1/2 + 2^-8)`` steps for K sites.

References
----------
Cheon, Kim, Kim and Song, "Homomorphic encryption for arithmetic of approximate numbers", ASIACRYPT 2017.
Li and Micciancio, "On the security of homomorphic encryption on approximate numbers", EUROCRYPT 2021, ePrint 2020/1533.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pets.csprng import RandomSource, secure_random
from pets.errors import InvalidArgument, MessageRejected, RangeOverflow
from pets.he.arithmetic import Words, add, centre, lift, negate
from pets.he.bfv_kernel import check_encryption_key
from pets.he.choice import choose_parameters
from pets.he.encoding import check_values
from pets.he.keys import PublicKey, SecretKey
from pets.he.parameters import Mode, Parameters
from pets.he.rlwe import Ciphertext, add_ciphertexts, encrypt_message, read_ciphertext, share_of_phase, write_sum

_MOST_STEPS = 2**44
"""Largest value over precision: up to here a float64 quotient is within 2^-9 of the true one."""


@dataclass(frozen=True)
class RealParameters:
    """Parameters for real values. Made by :func:`choose_real_parameters`.

    Attributes
    ----------
    ring
        Parameters of the ciphertexts; their totals are counted in steps of the precision.
    precision
        The step.
    bound
        Largest absolute value that a site may send.
    """

    ring: Parameters
    precision: float
    bound: float

    @property
    def scale_bits(self) -> int:
        """One step is ``2**scale_bits`` in the ciphertext."""
        return step_bits(self.ring)

    @property
    def error_bound(self) -> float:
        """How far the total may be from the sum of the unrounded values, before any noise."""
        return self.ring.additions * (0.5 + 2**-8) * self.precision

    def __repr__(self) -> str:
        return f"RealParameters(values within {self.bound:g}, in steps of {self.precision:g}, {self.ring!r})"


def choose_real_parameters(
    *,
    bound: float,
    precision: float,
    additions: int,
    values: int,
    noise_tail: int = 0,
    mode: Mode = "public",
    quantum: bool = False,
) -> RealParameters:
    """Return the parameters with the smallest messages for sums of real values.

    Parameters
    ----------
    bound
        Largest absolute value that a site may send.
    precision
        Step to which sites round and in which totals are opened.
    additions
        Number of sites.
    values
        Length of the vectors.
    noise_tail
        Room for noise added at the sites: its largest absolute total, in steps.
    mode, quantum
        As in :func:`pets.he.choice.choose_parameters`.

    Raises
    ------
    InvalidArgument
        An argument is out of its range.
    RangeOverflow
        No modulus holds such totals.
    """
    for argument, number in (("bound", bound), ("precision", precision)):
        if isinstance(number, bool) or not isinstance(number, int | float) or not 0 < number < math.inf:
            raise InvalidArgument(argument, "must be a positive number")
    if isinstance(noise_tail, bool) or not isinstance(noise_tail, int) or not 0 <= noise_tail < 2**62:
        raise InvalidArgument("noise_tail", "must be a whole number of steps, at least 0")
    if not 1 <= bound / precision <= _MOST_STEPS:
        raise RangeOverflow("bound / precision must be between 1 and 2^44. Declare a coarser precision")
    if isinstance(additions, bool) or not isinstance(additions, int) or additions < 1:
        raise InvalidArgument("additions", "must be a whole number, at least 1")
    ring = choose_parameters(
        total_bound=additions * _steps(bound, precision) + noise_tail,
        additions=additions,
        values=values,
        mode=mode,
        quantum=quantum,
        pack=False,
        reserve_bits=1,
        most_primes=1,
    )
    return RealParameters(ring, float(precision), float(bound))


def encrypt_reals(
    parameters: RealParameters,
    key: PublicKey | SecretKey,
    values: NDArray[np.float64],
    noise: NDArray[np.int64] | None,
    random: RandomSource | None = None,
) -> bytes:
    """Return the ciphertext of `values`, rounded to the precision.

    Parameters
    ----------
    parameters
        What was agreed.
    key
        A public key, or in seeded mode the secret key.
    values
        float64, finite and within the bound, shape ``(values,)``.
    noise
        This site's share of the noise in steps, int64 of the same shape; None for none.
    random
        Where masks and encryption noise come from; the process's secure generator if not given.

    Raises
    ------
    InvalidArgument
        `values` are of another type or shape, or not finite; `key` does not belong to these parameters.
    RangeOverflow
        A value is beyond the bound.
    """
    if check_encryption_key(key) != parameters.ring:
        raise InvalidArgument("key", "was made for other parameters")
    steps = check_values(_rounded(values, parameters), parameters.ring)
    if noise is not None:
        steps = check_values(steps + check_values(noise, parameters.ring, "noise"), parameters.ring, "values")
    return encrypt_steps(key, steps, random)


def encrypt_steps(
    key: PublicKey | SecretKey,
    steps: NDArray[np.int64],
    random: RandomSource | None = None,
    mask: Words | None = None,
) -> bytes:
    """Return the ciphertext of values that are whole steps already; for the rest see :func:`encrypt_reals`.

    `mask` is as for :func:`pets.he.bfv_kernel.encrypt_vector`.
    """
    ring = check_encryption_key(key)
    padded = np.zeros(ring.used, dtype=np.int64)
    padded[: steps.size] = check_values(steps, ring)
    scaled = lift(padded << np.int64(step_bits(ring)), ring.primes)
    if mask is not None:
        scaled = add(scaled, mask, ring.primes)
    return encrypt_message(key, scaled, random or secure_random())


def add_reals(parameters: RealParameters, ciphertexts: Iterable[bytes], key_id: bytes) -> bytes:
    """Return the ciphertext of the sum; raises as :func:`pets.he.bfv_kernel.add_vectors` does."""
    return write_sum(parameters.ring, add_ciphertexts(parameters.ring, ciphertexts, key_id))


def decrypt_reals(
    parameters: RealParameters,
    secret: SecretKey,
    ciphertext: bytes,
    key_id: bytes,
    noise: NDArray[np.int64] | None,
) -> NDArray[np.int64]:
    """Return the total in whole steps of the precision, with `noise` added. Multiply by the precision to read it.

    Parameters
    ----------
    parameters, secret, ciphertext, key_id
        As for BFV.
    noise
        What a mechanism drew, in steps, int64 of the totals' shape. It has no default: None says that the exact sum
        may leave, or that the sites have put their noise inside.

    Raises
    ------
    InvalidArgument
        `noise` is of another type or shape, or the key is for other parameters.
    MessageRejected
        The bytes are no ciphertext under this key, or do not decrypt within the bounds.
    RangeOverflow
        The total with noise leaves 64 bits.
    """
    ring = parameters.ring
    if secret.parameters != ring:
        raise InvalidArgument("secret", "was made for other parameters")
    if noise is not None and (
        not isinstance(noise, np.ndarray) or noise.dtype != np.int64 or noise.shape != (ring.values,)
    ):
        raise InvalidArgument("noise", f"must be a numpy array of int64 of shape ({ring.values},)")
    opened = open_steps(secret, read_ciphertext(ring, ciphertext, key_id))
    if noise is None:
        return opened
    if max(-int(noise.min()), int(noise.max())) > 2**62:
        raise RangeOverflow("noise is too large to be added in 64 bits")
    return opened + noise


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


def _rounded(values: object, parameters: RealParameters) -> NDArray[np.int64]:
    if not isinstance(values, np.ndarray) or values.dtype != np.float64:
        raise InvalidArgument("values", "must be a numpy array of float64")
    if values.shape != (parameters.ring.values,):
        raise InvalidArgument("values", f"must have shape ({parameters.ring.values},), not {values.shape}")
    if not np.isfinite(values).all():
        raise InvalidArgument("values", "holds NaN or an infinity", "Decide what a missing value means first.")
    if float(np.abs(values).max()) > parameters.bound:
        raise RangeOverflow(f"values goes beyond the declared bound of {parameters.bound:g}")
    return np.rint(values / parameters.precision).astype(np.int64)


def _steps(bound: float, precision: float) -> int:
    return math.ceil(bound / precision) + 1
