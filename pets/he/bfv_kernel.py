"""Exact sums of integer vectors under one key (BFV): encrypt, add, decrypt. No protocol here.

Two modes, by the parameters. *Public*: sites hold a public key, and one key holder apart from the aggregator opens
the sum. *Seeded*: every site holds the secret key; half the bytes, and any site together with the aggregator reads
everything.

References
----------
Fan and Vercauteren, "Somewhat practical fully homomorphic encryption", ePrint 2012/144.
Brakerski, "Fully homomorphic encryption without modulus switching from classical GapSVP", 2012.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from pets.csprng import RandomSource, secure_random
from pets.errors import InvalidArgument
from pets.he.arithmetic import Words, add, negate
from pets.he.encoding import check_values, decode, encode, scale_down, scale_up
from pets.he.keys import PublicKey, SecretKey
from pets.he.parameters import Parameters
from pets.he.rlwe import Ciphertext, add_ciphertexts, encrypt_message, read_ciphertext, share_of_phase, write_sum


def encrypt_vector(
    key: PublicKey | SecretKey,
    values: NDArray[np.int64],
    random: RandomSource | None = None,
    mask: Words | None = None,
    plain_mask: Words | None = None,
) -> bytes:
    """Return the ciphertext of `values`.

    Parameters
    ----------
    key
        A public key, or in seeded mode the secret key.
    values
        int64, shape ``(parameters.values,)``, within the bound.
    random
        Where masks and noise come from; the process's secure generator if not given. Never use a stream twice.
    mask
        Residues modulo q of shape ``(primes, used)`` to be added to the ciphertext, see :mod:`pets.he.masks`.
    plain_mask
        Words of shape ``(used,)`` to be added to the coefficients, modulo t.

    Raises
    ------
    InvalidArgument
        `values` have another type or shape, or `key` does not belong to the mode.
    RangeOverflow
        A value is beyond the bound.
    EntropyError
        The operating system gives no entropy.
    """
    parameters = check_encryption_key(key)
    coefficients = encode(check_values(values, parameters), parameters)
    if plain_mask is not None:
        coefficients = (coefficients.view(np.uint64) + plain_mask).view(np.int64)  # t divides 2**64
    scaled = scale_up(coefficients, parameters)
    if mask is not None:
        scaled = add(scaled, mask, parameters.primes)
    return encrypt_message(key, scaled, random or secure_random())


def add_vectors(parameters: Parameters, ciphertexts: Iterable[bytes], key_id: bytes) -> bytes:
    """Return the ciphertext of the sum; needs no key.

    Parameters
    ----------
    parameters
        What was agreed.
    ciphertexts
        Fresh ones or sums, together at most ``parameters.additions``.
    key_id
        The key that all of them must be under.

    Raises
    ------
    InvalidArgument
        There is none.
    MessageRejected
        One of them is damaged, of other parameters, under another key, or one too many.
    """
    return write_sum(parameters, add_ciphertexts(parameters, ciphertexts, key_id))


def decrypt_vector(secret: SecretKey, ciphertext: bytes, key_id: bytes) -> NDArray[np.int64]:
    """Return the exact total.

    Parameters
    ----------
    secret
        The secret key.
    ciphertext
        A sum, or a fresh ciphertext.
    key_id
        Identity of the public key in public mode, of the secret key in seeded mode.

    Raises
    ------
    MessageRejected
        The bytes are no ciphertext under this key, or do not decrypt.
    """
    parameters = secret.parameters
    return decode(open_coefficients(secret, read_ciphertext(parameters, ciphertext, key_id)), parameters)


def open_coefficients(secret: SecretKey, total: Ciphertext, mask: Words | None = None) -> NDArray[np.int64]:
    """Return the coefficients of a sum modulo t, centred, without reading totals from them.

    Parameters
    ----------
    secret
        The secret key.
    total
        The sum.
    mask
        Sum of the masks that are inside, to be taken off; None for none.

    Returns
    -------
    ndarray
        int64, shape ``(used,)``.

    Raises
    ------
    MessageRejected
        It does not decrypt: the key, or the mask, is another one.
    """
    parameters = secret.parameters
    phase = add(total.first, share_of_phase(secret, total.second), parameters.primes)
    if mask is not None:
        phase = add(phase, negate(mask, parameters.primes), parameters.primes)
    return scale_down(phase, parameters)


def blinded(parameters: Parameters, total: Ciphertext, blind: NDArray[np.int64]) -> Ciphertext:
    """Return the sum with `blind` added to its coefficients modulo t; it counts as one addition more.

    With a uniform `blind`, the key holder who opens the sum learns nothing from it.
    """
    first = add(total.first, scale_up(blind, parameters), parameters.primes)
    return Ciphertext(first, total.second, total.additions + 1, total.key_id)


def draw_blind(parameters: Parameters, random: RandomSource) -> NDArray[np.int64]:
    """Return uniform coefficients modulo t, shape ``(used,)``."""
    words: NDArray[np.uint64] = random.words(parameters.used) & np.uint64(2**parameters.plain_bits - 1)
    return words.astype(np.int64)


def unblind(parameters: Parameters, coefficients: NDArray[np.int64], blind: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the totals in the coefficients that a key holder opened, int64 of shape ``(values,)``.

    Raises
    ------
    MessageRejected
        They are no totals within the bounds.
    """
    t = np.int64(2**parameters.plain_bits)
    rest = (coefficients - blind) & (t - 1)
    return decode(np.where(rest >= t // 2, rest - t, rest), parameters)


def check_encryption_key(key: object) -> Parameters:
    """Return the parameters of a key that may encrypt in their mode.

    Raises
    ------
    InvalidArgument
        It may not.
    """
    wanted = {"public": PublicKey, "seeded": SecretKey}
    if not isinstance(key, PublicKey | SecretKey) or not isinstance(key, wanted[key.parameters.mode]):
        raise InvalidArgument(
            "key", "is not the one that encrypts in this mode", "Give the public key, or in seeded mode the secret key."
        )
    return key.parameters
