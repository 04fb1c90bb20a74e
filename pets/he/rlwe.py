"""Ring-LWE ciphertexts: encryptions of zero, their sums, and the phase ``c0 + c1 s`` that a key holder sees.

BFV and CKKS differ only in what they add to c0 and how they read the phase; both use this module. A ciphertext's c0
holds only the coefficients in use; its c1 holds whole ring elements, or in seeded mode the seed they follow from.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from pets.csprng import RandomSource
from pets.errors import InvalidArgument, MessageRejected
from pets.he.arithmetic import Words, add, lift, negate
from pets.he.keys import PublicKey, SecretKey, common_polynomial
from pets.he.parameters import Parameters
from pets.he.sampling import SEED_BYTES, noise, ternary
from pets.he.seal import ring
from pets.he.wire import Kind, pack_residues, read, unpack_residues, write


@dataclass(frozen=True, eq=False)
class Ciphertext:
    """A ciphertext in memory.

    Attributes
    ----------
    first
        c0, shape ``(primes, used)``.
    second
        c1, shape ``(primes, polynomials * n)``.
    additions
        How many fresh ciphertexts it is the sum of.
    key_id
        The key it is under.
    """

    first: Words
    second: Words
    additions: int
    key_id: bytes


def encrypt_message(key: PublicKey | SecretKey, scaled: Words, random: RandomSource) -> bytes:
    """Return the bytes of a fresh ciphertext of an already scaled message of shape ``(primes, used)``."""
    parameters = key.parameters
    error = add(lift(noise(parameters.used, random), parameters.primes), scaled, parameters.primes)
    if isinstance(key, SecretKey):
        seed = random.words(SEED_BYTES, np.uint8).tobytes()
        product = _times_secret(key, _expanded(parameters, seed))[:, : parameters.used]
        first = add(negate(product, parameters.primes), error, parameters.primes)
        return write(parameters, Kind.FRESH, key.id, seed + pack_residues(parameters, first))
    masks = _masks(key, random)
    first = add(_flat(masks[:, 0])[:, : parameters.used], error, parameters.primes)
    other = lift(noise(parameters.polynomials * parameters.dimension, random), parameters.primes)
    second = add(_flat(masks[:, 1]), other, parameters.primes)
    return write(parameters, Kind.FRESH, key.id, pack_residues(parameters, first, second))


def read_ciphertext(parameters: Parameters, message: bytes, key_id: bytes) -> Ciphertext:
    """Return the ciphertext, fresh or a sum.

    Raises
    ------
    MessageRejected
        The bytes are no ciphertext for these parameters under this key.
    """
    parsed = read(parameters, message, frozenset({Kind.FRESH, Kind.SUM}), key_id)
    if parsed.kind is Kind.FRESH and parsed.additions != 1:
        raise MessageRejected("claims to be fresh and a sum")
    if parsed.kind is Kind.FRESH and parameters.mode == "seeded":
        seed = bytes(parsed.body[:SEED_BYTES])
        (first,) = unpack_residues(parameters, parsed.body[SEED_BYTES:], parameters.used)
        return Ciphertext(first, _flat(_expanded(parameters, seed)), 1, key_id)
    whole = parameters.polynomials * parameters.dimension
    first, second = unpack_residues(parameters, parsed.body, parameters.used, whole)
    return Ciphertext(first, second, parsed.additions, key_id)


def add_ciphertexts(
    parameters: Parameters, messages: Iterable[bytes], key_id: bytes, *, fresh: bool = False
) -> Ciphertext:
    """Return the sum of all `messages`, one in memory at a time.

    Parameters
    ----------
    parameters, key_id
        What was agreed, and the key that all must be under.
    messages
        Ciphertexts.
    fresh
        Take none that is a sum itself.

    Raises
    ------
    InvalidArgument
        There is none.
    MessageRejected
        One of them is no ciphertext under this key, or together they are more than agreed.
    """
    total: Ciphertext | None = None
    for message in messages:
        one = read_ciphertext(parameters, message, key_id)
        if fresh and one.additions != 1:
            raise MessageRejected("is a sum, where the ciphertext of one site belongs")
        if total is None:
            total = one
            continue
        total = Ciphertext(
            add(total.first, one.first, parameters.primes),
            add(total.second, one.second, parameters.primes),
            total.additions + one.additions,
            key_id,
        )
        if total.additions > parameters.additions:
            raise MessageRejected(f"would make a sum of more than the {parameters.additions} agreed ciphertexts")
    if total is None:
        raise InvalidArgument("messages", "holds no ciphertext")
    return total


def write_sum(parameters: Parameters, total: Ciphertext) -> bytes:
    """Return the bytes of a sum."""
    body = pack_residues(parameters, total.first, total.second)
    return write(parameters, Kind.SUM, total.key_id, body, total.additions)


def share_of_phase(secret: SecretKey, second: Words) -> Words:
    """Return the coefficients in use of ``c1 s``. Shape ``(primes, used)``. Confidential."""
    parameters = secret.parameters
    elements = second.reshape(len(parameters.primes), parameters.polynomials, parameters.dimension)
    return _times_secret(secret, np.ascontiguousarray(elements.swapaxes(0, 1)))[:, : parameters.used]


def _times_secret(secret: SecretKey, elements: Words) -> Words:
    engine = ring(secret.parameters.dimension, secret.parameters.primes)
    return _flat(engine.multiply(elements, engine.secret(secret.coefficients)))


def _masks(key: PublicKey, random: RandomSource) -> Words:
    """Return ``(b u, a u)`` with a fresh u for each ring element. Shape ``(polynomials, 2, primes, n)``."""
    parameters = key.parameters
    engine = ring(parameters.dimension, parameters.primes)
    common = common_polynomial(parameters, key.seed, "key")[0]
    pair = engine.public(np.stack([key.noisy, common]))
    small = ternary(parameters.polynomials * parameters.dimension, random).reshape(parameters.polynomials, -1)
    return np.stack([engine.product(pair, engine.secret(u)) for u in small])


def _expanded(parameters: Parameters, seed: bytes) -> Words:
    return common_polynomial(parameters, seed, "ciphertext", parameters.polynomials)


def _flat(elements: Words) -> Words:
    """Turn ``(polynomials, primes, n)`` into ``(primes, polynomials * n)``."""
    return np.ascontiguousarray(elements.swapaxes(0, 1)).reshape(elements.shape[1], -1)
