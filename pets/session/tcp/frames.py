"""What travels on a connection: frames of four bytes of length, one of kind, and a body; never more than a limit."""

from __future__ import annotations

import asyncio
import struct
from enum import IntEnum

from pets.errors import MessageRejected, NotConnected

_LENGTH = struct.Struct(">I")
_AT_ONCE = 256 * 1024
HELLO_LIMIT = 8 * 1024
"""Longest frame of somebody who has not yet proved who it is."""

IDLE = 60.0
"""Seconds without a single byte after which a connection is taken for dead."""

PING_EVERY = 15.0

EPOCH = 8
"""Bytes of the number of a key agreement."""


class Kind(IntEnum):
    """What a frame is; from the collector (C) or to it (P)."""

    CHALLENGE = 1  # C: a nonce
    HELLO = 2  # P: who I am, signed over the nonce
    WELCOME = 3  # C: the contract, signed over both nonces
    READY = 4  # P: the study whose keys I hold
    SETUP = 5  # C: agree on new keys; any agreement that runs is over
    AGREE = 6  # a body of the key agreement; to the collector with its epoch before it
    GO = 7  # C: the session runs; how many messages of yours and for you there are
    HAVE = 8  # P: how many messages of each sender I hold
    MESSAGE = 9  # a message of the session
    PING = 10  # I am here
    END = 11  # C: how the session ended, signed
    STOPPED = 12  # P: I stop; why is said to nobody


def pack(kind: Kind, *parts: bytes) -> bytes:
    """Return the bytes of a frame."""
    return b"".join((_LENGTH.pack(1 + sum(map(len, parts))), bytes([kind]), *parts))


async def read(stream: asyncio.StreamReader, limit: int) -> tuple[Kind, bytes]:
    """Return the next frame.

    Raises
    ------
    MessageRejected
        It is empty, longer than `limit`, or of no known kind. Nothing was allocated for it.
    NotConnected
        The connection ended, or nothing came for a minute.
    """
    (length,) = _LENGTH.unpack(await _exactly(stream, _LENGTH.size))
    if not 1 <= length <= limit:
        raise MessageRejected(f"is a frame of {length:,} bytes, where at most {limit:,} belong")
    kind = (await _exactly(stream, 1))[0]
    if kind not in Kind.__members__.values():
        raise MessageRejected("is a frame of no known kind")
    return Kind(kind), await _exactly(stream, length - 1)


async def _exactly(stream: asyncio.StreamReader, size: int) -> bytes:
    """Return `size` bytes; memory grows only as they arrive."""
    parts = []
    try:
        while size:
            async with asyncio.timeout(IDLE):
                parts.append(await stream.readexactly(min(size, _AT_ONCE)))
            size -= len(parts[-1])
    except (TimeoutError, OSError, asyncio.IncompleteReadError):
        raise NotConnected("the connection was lost") from None
    return parts[0] if len(parts) == 1 else b"".join(parts)


async def write(stream: asyncio.StreamWriter, data: bytes) -> None:
    """Send `data`.

    Raises
    ------
    NotConnected
        The other side is gone, or took nothing for a minute.
    """
    view = memoryview(data)
    try:
        for start in range(0, len(view), _AT_ONCE):
            stream.write(view[start : start + _AT_ONCE])
            async with asyncio.timeout(IDLE):
                await stream.drain()
    except (TimeoutError, OSError):
        raise NotConnected("the connection was lost") from None
