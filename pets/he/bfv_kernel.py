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
from pets.he.arithmetic import add
from pets.he.encoding import check_values, decode, encode, scale_down, scale_up
from pets.he.keys import PublicKey, SecretKey
from pets.he.parameters import Parameters
from pets.he.rlwe import add_ciphertexts, encrypt_message, read_ciphertext, share_of_phase, write_sum


def encrypt_vector(key: PublicKey | SecretKey, values: NDArray[np.int64], random: RandomSource | None = None) -> bytes:
    """Return the ciphertext of `values`.

    Parameters
    ----------
    key
        A public key, or in seeded mode the secret key.
    values
        int64, shape ``(parameters.values,)``, within the bound.
    random
        Where masks and noise come from; the process's secure generator if not given. Never use a stream twice.

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
    scaled = scale_up(encode(check_values(values, parameters), parameters), parameters)
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
    total = read_ciphertext(parameters, ciphertext, key_id)
    phase = add(total.first, share_of_phase(secret, total.second), parameters.primes)
    return decode(scale_down(phase, parameters), parameters)


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
