"""Residues as a bit string: b bits each, nothing in between.

The values are laid out in 64 lanes, so that 64 values fill exactly b words and every step works on whole rows.
"""

from __future__ import annotations

import numpy as np

from pets.errors import MessageRejected
from pets.he.arithmetic import Words

LANES = 64
_WIRE = np.dtype("<u8")


def packed_bytes(count: int, width: int) -> int:
    """Return how many bytes `count` values of `width` bits take. `count` is a multiple of 64."""
    return count // LANES * width * 8


def pack(values: Words, width: int) -> bytes:
    """Return the values, each below ``2**width``, as ``packed_bytes(values.size, width)`` bytes.

    Parameters
    ----------
    values
        Shape ``(count,)``, `count` a multiple of 64.
    width
        Bits for each value, 1 to 63.
    """
    lanes = values.reshape(LANES, -1)
    words = np.zeros((width, lanes.shape[1]), dtype=_WIRE)
    for lane, row in enumerate(lanes):
        word, shift = divmod(lane * width, 64)
        words[word] |= row << np.uint64(shift)
        if shift + width > 64:
            words[word + 1] |= row >> np.uint64(64 - shift)
    return words.tobytes()


def unpack(packed: bytes | memoryview, count: int, width: int) -> Words:
    """Return the `count` values of `packed`.

    Raises
    ------
    MessageRejected
        The length is not exactly right.
    """
    if len(packed) != packed_bytes(count, width):
        raise MessageRejected("has the wrong length")
    words = np.frombuffer(packed, dtype=_WIRE).astype(np.uint64, copy=False).reshape(width, -1)
    lanes = np.empty((LANES, words.shape[1]), dtype=np.uint64)
    mask = np.uint64(2**width - 1)
    for lane in range(LANES):
        word, shift = divmod(lane * width, 64)
        value = words[word] >> np.uint64(shift)
        if shift + width > 64:
            value |= words[word + 1] << np.uint64(64 - shift)
        np.bitwise_and(value, mask, out=lanes[lane])
    return lanes.reshape(-1)
