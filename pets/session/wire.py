"""The message format: a header of 100 bytes, then the body. Fixed layout, hard limits, nothing executable.

====== ===== =====================================================
offset bytes field
====== ===== =====================================================
0      4     ``PETS``
4      1     version
5      1     flags: 1 if the body is sealed
6      2     sender's place in the list of parties
8      2     recipient's place
10     2     sequence number from this sender to this recipient
12     8     length of the body
20     32    id of the spec
52     32    SHA-256 of the body as sent
84     16    HMAC-SHA-256 over the 84 bytes before, cut to 128 bits
====== ===== =====================================================

One pass of SHA-256 over a large body serves both its integrity and the transcript.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from typing import NamedTuple

from pets.errors import MessageRejected

VERSION = 1
MAX_SEQUENCE = 2**16 - 1
_MAGIC = b"PETS"
_FIELDS = struct.Struct("<4sBBHHHQ32s32s")
_TAG = 16
HEADER = _FIELDS.size + _TAG


class Header(NamedTuple):
    """The fields of a message, already checked for form but not yet for authenticity."""

    sealed: bool
    sender: int
    recipient: int
    sequence: int
    length: int
    session: bytes
    digest: bytes


def pack(header: Header, key: bytes, body: bytes) -> bytes:
    """Return the bytes of a message."""
    fields = _FIELDS.pack(
        _MAGIC, VERSION, header.sealed, header.sender, header.recipient, header.sequence, header.length,
        header.session, header.digest,
    )  # fmt: skip
    return b"".join((fields, hmac.digest(key, fields, "sha256")[:_TAG], body))


def unpack(message: bytes, limit: int) -> Header:
    """Return the header of `message`.

    Raises
    ------
    MessageRejected
        It is no message of this version, is longer than `limit`, or was cut or extended.
    """
    header = read_fields(message)
    if header.length > limit:
        raise MessageRejected(f"is longer than {limit:,} bytes, the most this session allows")
    if len(message) != HEADER + header.length:
        raise MessageRejected("was cut or extended")
    return header


def read_fields(message: bytes) -> Header:
    """Return the header of `message`, whatever its body.

    Raises
    ------
    MessageRejected
        It is no message of this version.
    """
    if not isinstance(message, bytes) or len(message) < HEADER:
        raise MessageRejected("is too short for a message")
    magic, version, flags, sender, recipient, sequence, length, session, digest = _FIELDS.unpack_from(message)
    if magic != _MAGIC or version != VERSION or flags > 1:
        raise MessageRejected("is not a message of this version")
    return Header(flags == 1, sender, recipient, sequence, length, session, digest)


def is_authentic(message: bytes, header: Header, key: bytes) -> bool:
    """Return whether tag and digest are right."""
    tag = hmac.digest(key, message[: _FIELDS.size], "sha256")[:_TAG]
    return hmac.compare_digest(tag, message[_FIELDS.size : HEADER]) and hmac.compare_digest(
        hashlib.sha256(memoryview(message)[HEADER:]).digest(), header.digest
    )


def nonce(sender: int, sequence: int) -> bytes:
    """Return the nonce of a sealed body; a pair's key seals each sender's sequence number at most once."""
    return struct.pack("<HHQ", sender, sequence, 0)
