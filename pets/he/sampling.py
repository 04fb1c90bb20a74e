"""Secret and public polynomials: what is drawn, from which law, out of which bytes.

Every law is exact on the integers and takes its bits from :mod:`pets.csprng` (or the session's own generator).
Public uniform polynomials are stretched out of a seed by AES-256 in counter mode, as Kyber's "90s" variant does;
whoever knows the seed gets the same polynomial and can check that nobody chose it.
"""

from __future__ import annotations

import hashlib

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from numpy.typing import NDArray

from pets.csprng import RandomSource
from pets.he.arithmetic import Words

SEED_BYTES = 32

NOISE_HALVES = 21
"""Centred binomial noise: the difference of two sums of 21 bits, as in SEAL. Standard deviation 3.24."""

NOISE_VARIANCE = NOISE_HALVES / 2
SECRET_VARIANCE = 2 / 3

_BLOCK = 128 * 1024
_ZEROS = bytes(_BLOCK)
_NOISE_MASK = np.uint64(2**NOISE_HALVES - 1)


def ternary(count: int, random: RandomSource) -> NDArray[np.int64]:
    """Return `count` values that are uniform on -1, 0, 1, by rejection of one byte value out of 256."""
    kept = np.empty(0, dtype=np.uint8)
    while kept.size < count:
        drawn = random.words(count - kept.size + 64, np.uint8)
        kept = np.concatenate([kept, drawn[drawn < 255]])
    return (kept[:count] % 3).astype(np.int64) - 1


def noise(count: int, random: RandomSource) -> NDArray[np.int64]:
    """Return `count` values of centred binomial noise of variance 10.5."""
    words = random.words(count, np.uint64)
    up = np.bitwise_count(words & _NOISE_MASK)
    down = np.bitwise_count((words >> np.uint64(NOISE_HALVES)) & _NOISE_MASK)
    return np.asarray(up.astype(np.int64) - down, dtype=np.int64)


def flood(count: int, bits: int, random: RandomSource) -> NDArray[np.int64]:
    """Return `count` values uniform on ``-2**bits .. 2**bits - 1``, for at most 62 bits."""
    words = random.words(count, np.uint64) >> np.uint64(63 - bits)
    return words.astype(np.int64) - np.int64(2**bits)


def expand(seed: bytes, label: str, count: int, prime: int) -> Words:
    """Return `count` residues, uniform modulo `prime`, that follow from `seed` and `label` alone.

    Words are cut to the width of the prime and those that are not below it are thrown away, so the residues are
    exactly uniform if the stream is.
    """
    key = hashlib.sha256(b"pets/he/expand/1\0" + label.encode() + b"\0%d\0" % prime + seed).digest()
    stream = Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor()
    mask, parts, missing = np.uint64(2 ** prime.bit_length() - 1), [], count
    while missing > 0:
        wanted = min(_BLOCK, 8 * (missing + 32))
        words = np.frombuffer(stream.update(_ZEROS[:wanted]), dtype="<u8").astype(np.uint64) & mask
        parts.append(words[words < np.uint64(prime)][:missing])
        missing -= parts[-1].size
    return np.concatenate(parts) if parts else np.empty(0, dtype=np.uint64)
