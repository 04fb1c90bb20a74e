"""Keys: a secret polynomial, and the public noisy product with a polynomial that nobody chose."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pets.csprng import RandomSource, secure_random
from pets.errors import InvalidArgument, MessageRejected
from pets.he.arithmetic import Words, add, lift, negate
from pets.he.parameters import Parameters
from pets.he.sampling import SEED_BYTES, expand, noise, ternary
from pets.he.seal import ring
from pets.he.wire import ID_BYTES, Kind, pack_residues, read, unpack_residues, write

_SECRET_MARK = b"pets/he/secret/1\0"
_PUBLIC_MARK = b"pets/he/public/1\0"


@dataclass(frozen=True, eq=False)
class SecretKey:
    """A secret polynomial with coefficients -1, 0, 1. Make one with :func:`generate_key`.

    Attributes
    ----------
    parameters
        What it is for.
    coefficients
        Shape ``(n,)``. Never shown.
    """

    parameters: Parameters
    coefficients: NDArray[np.int64] = field(repr=False)

    @property
    def id(self) -> bytes:
        """16 bytes that name the key in seeded mode, and say nothing else about it."""
        mark = _SECRET_MARK + self.parameters.digest + self.coefficients.astype(np.int8).tobytes()
        return hashlib.sha256(mark).digest()[:ID_BYTES]

    def to_bytes(self) -> bytes:
        """Return the key for whoever may hold it. Keep it sealed, or in a file of mode 0600."""
        trits = (self.coefficients + 1).astype(np.uint8).reshape(-1, 4)
        packed = trits[:, 0] | trits[:, 1] << 2 | trits[:, 2] << 4 | trits[:, 3] << 6
        return write(self.parameters, Kind.SECRET_KEY, self.id, packed.astype(np.uint8).tobytes())

    @classmethod
    def from_bytes(cls, parameters: Parameters, message: bytes) -> SecretKey:
        """Return the key that :meth:`to_bytes` wrote.

        Raises
        ------
        MessageRejected
            The bytes are no secret key for these parameters.
        """
        parsed = read(parameters, message, frozenset({Kind.SECRET_KEY}))
        if len(parsed.body) != parameters.dimension // 4:
            raise MessageRejected("has the wrong length")
        packed = np.frombuffer(parsed.body, dtype=np.uint8)
        trits = np.stack([(packed >> shift) & 3 for shift in (0, 2, 4, 6)], axis=1).reshape(-1)
        key = cls(parameters, trits.astype(np.int64) - 1)
        if int(trits.max()) > 2 or key.id != parsed.key_id:
            raise MessageRejected("is no secret key")
        return key


@dataclass(frozen=True, eq=False)
class PublicKey:
    """The pair (b, a) with ``b = e - a s``, where a follows from a public seed. Make one with :func:`public_key`.

    Attributes
    ----------
    parameters
        What it is for.
    seed
        32 bytes from which a follows.
    noisy
        b, shape ``(primes, n)``.
    """

    parameters: Parameters
    seed: bytes
    noisy: Words = field(repr=False)

    @property
    def id(self) -> bytes:
        """16 bytes that name the key."""
        mark = _PUBLIC_MARK + self.parameters.digest + self.seed + self.noisy.astype("<u8").tobytes()
        return hashlib.sha256(mark).digest()[:ID_BYTES]

    def to_bytes(self) -> bytes:
        """Return the key for everybody."""
        return write(self.parameters, Kind.PUBLIC_KEY, self.id, self.seed + pack_residues(self.parameters, self.noisy))

    @classmethod
    def from_bytes(cls, parameters: Parameters, message: bytes) -> PublicKey:
        """Return the key that :meth:`to_bytes` wrote.

        Raises
        ------
        MessageRejected
            The bytes are no public key for these parameters.
        """
        parsed = read(parameters, message, frozenset({Kind.PUBLIC_KEY}))
        (noisy,) = unpack_residues(parameters, parsed.body[SEED_BYTES:], parameters.dimension)
        key = cls(parameters, bytes(parsed.body[:SEED_BYTES]), noisy)
        if key.id != parsed.key_id:
            raise MessageRejected("is no public key")
        return key


def generate_key(parameters: Parameters, random: RandomSource | None = None) -> SecretKey:
    """Return a new secret key.

    Parameters
    ----------
    parameters
        What it is for.
    random
        Where its coefficients come from; the process's secure generator if not given.

    Raises
    ------
    InvalidArgument
        `parameters` are none.
    EntropyError
        The operating system gives no entropy.
    """
    if not isinstance(parameters, Parameters):
        raise InvalidArgument("parameters", "must come from choose_parameters")
    return SecretKey(parameters, ternary(parameters.dimension, random or secure_random()))


def public_key(secret: SecretKey, random: RandomSource | None = None) -> PublicKey:
    """Return a public key for `secret`, with a fresh seed.

    Raises
    ------
    InvalidArgument
        The parameters are for seeded mode, where no public key exists.
    """
    parameters = secret.parameters
    if parameters.mode != "public":
        raise InvalidArgument("secret", "is for seeded mode, which has no public key", "Choose mode='public'.")
    random = random or secure_random()
    seed = random.words(SEED_BYTES, np.uint8).tobytes()
    return PublicKey(parameters, seed, noisy_product(secret, seed, random))


def common_polynomial(parameters: Parameters, seed: bytes, label: str, count: int = 1) -> Words:
    """Return `count` uniform ring elements that follow from `seed` alone. Shape ``(count, primes, n)``."""
    n = parameters.dimension
    rows = [expand(seed, label, count * n, p).reshape(count, n) for p in parameters.primes]
    return np.stack(rows, axis=1)


def noisy_product(secret: SecretKey, seed: bytes, random: RandomSource) -> Words:
    """Return ``e - a s`` for the a of `seed` and fresh noise e. Shape ``(primes, n)``."""
    parameters = secret.parameters
    engine = ring(parameters.dimension, parameters.primes)
    product = engine.multiply(common_polynomial(parameters, seed, "key"), engine.secret(secret.coefficients))[0]
    error = lift(noise(parameters.dimension, random), parameters.primes)
    return add(negate(product, parameters.primes), error, parameters.primes)
