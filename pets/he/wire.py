"""The bytes of keys, ciphertexts and partial decryptions: one fixed header, bit-packed residues, one check sum.

The header holds the kind of message, how many ciphertexts are inside, the digest of the parameters and the digest of
the key, so that another key or other parameters are an error before anything is computed. The check sum finds damage;
it is no protection against a forger, who is kept out by the session's authentication.
"""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from pets.errors import MessageRejected
from pets.he.arithmetic import Words
from pets.he.bits import pack, packed_bytes, unpack
from pets.he.parameters import Parameters

ID_BYTES = 16

_MAGIC = b"PHE\x01"
_HEADER = struct.Struct(f"<4sBxxxI{ID_BYTES}s{ID_BYTES}s")
_CHECK = 16
OVERHEAD_BYTES = _HEADER.size + _CHECK


class OtherKey(MessageRejected):
    """A message is under another key. Whoever gave its sender that key may be at fault, not the sender."""


class Kind(IntEnum):
    """What a message holds."""

    SECRET_KEY = 1
    PUBLIC_KEY = 2
    FRESH = 3
    SUM = 4
    KEY_SHARE = 5
    PARTIAL = 6


@dataclass(frozen=True)
class Message:
    """A message whose header and check sum are right.

    Attributes
    ----------
    kind
        What it holds.
    additions
        How many ciphertexts are inside.
    key_id
        Digest of the key it belongs to.
    body
        The rest.
    """

    kind: Kind
    additions: int
    key_id: bytes
    body: memoryview


def write(parameters: Parameters, kind: Kind, key_id: bytes, body: bytes, additions: int = 1) -> bytes:
    """Return the message."""
    head = _HEADER.pack(_MAGIC, kind, additions, parameters.digest, key_id) + body
    return head + hashlib.sha256(head).digest()[:_CHECK]


def read(
    parameters: Parameters,
    message: object,
    kinds: frozenset[Kind],
    key_id: bytes | None = None,
    *,
    whole: bool = False,
) -> Message:
    """Return the parts of a message of one of `kinds`, under `key_id` if that is given.

    With `whole` the check sum is not looked at: every byte has been checked in another way.

    Raises
    ------
    MessageRejected
        It is too short or long, damaged, of another kind, or for other parameters.
    OtherKey
        It is under another key.
    """
    if not isinstance(message, bytes | bytearray | memoryview) or len(message) < OVERHEAD_BYTES:
        raise MessageRejected("is too short to hold a ciphertext")
    view = memoryview(message).toreadonly()
    if len(view) > longest_message(parameters):
        raise MessageRejected("is longer than any of these parameters")
    magic, kind, additions, digest, owner = _HEADER.unpack_from(view)
    if magic != _MAGIC or kind not in {int(k) for k in kinds}:
        raise MessageRejected("is not of the kind that is expected")
    if digest != parameters.digest:
        raise MessageRejected("was made with other parameters")
    if key_id is not None and owner != key_id:
        raise OtherKey("is under another key")
    if not whole and hashlib.sha256(view[:-_CHECK]).digest()[:_CHECK] != view[-_CHECK:]:
        raise MessageRejected("was damaged on its way")
    if not 1 <= additions <= parameters.additions:
        raise MessageRejected("holds more ciphertexts than agreed")
    return Message(Kind(kind), additions, owner, view[_HEADER.size : -_CHECK])


def pack_residues(parameters: Parameters, *parts: Words) -> bytes:
    """Return arrays of residues, each of shape ``(primes, count)``, as bytes. All primes have one width."""
    flat = np.concatenate([part.reshape(-1) for part in parts])
    return pack(flat, parameters.primes[0].bit_length())


def unpack_residues(parameters: Parameters, packed: memoryview, *counts: int) -> list[Words]:
    """Return arrays of residues of shape ``(primes, count)`` for each count; `packed` has exactly their length.

    Raises
    ------
    MessageRejected
        It has not, or a number in it is no residue.
    """
    primes = parameters.primes
    flat = unpack(packed, len(primes) * sum(counts), primes[0].bit_length())
    parts, start = [], 0
    for count in counts:
        part = flat[start : start + len(primes) * count].reshape(len(primes), count)
        if any(int(row.max()) >= prime for row, prime in zip(part, primes, strict=True)):
            raise MessageRejected("holds a number that is no residue of the modulus")
        parts.append(part)
        start += part.size
    return parts


def longest_message(parameters: Parameters) -> int:
    """Return the most bytes that a key, a share of one, a ciphertext or a partial decryption takes."""
    residues = len(parameters.primes) * (parameters.used + parameters.polynomials * parameters.dimension)
    packed = OVERHEAD_BYTES + packed_bytes(residues, parameters.primes[0].bit_length()) + 64
    return max(packed, key_share_bytes(parameters))


def key_share_bytes(parameters: Parameters) -> int:
    """Return the length of a share of a threshold key."""
    return OVERHEAD_BYTES + 8 * len(parameters.primes) * parameters.dimension
