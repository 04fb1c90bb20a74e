"""Bit planes: number `j` of a vector's planes holds bit `j` of its values, 64 values to a word.

On planes one machine instruction evaluates a logic gate for 64 values at a time.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pets.errors import InvalidArgument

Planes = NDArray[np.uint64]

_LANES = 64
_BITS_OF_BYTE = (1 << np.arange(8)).astype(np.uint8)[:, None]


def word_count(size: int) -> int:
    """Return how many words a plane of `size` values takes."""
    return -(-size // _LANES)


def to_planes(values: NDArray[Any], bits: int) -> Planes:
    """Return the low bits of unsigned values as planes.

    Parameters
    ----------
    values
        Unsigned integers, shape ``(n,)``. Bits from `bits` upwards are ignored.
    bits
        Number of planes, at most the width of the type.

    Returns
    -------
    ndarray
        uint64, shape ``(bits, ceil(n / 64))``; value `i` lies in bit ``i % 64`` of word ``i // 64``, and the
        lanes after the last value are zero.
    """
    width = values.dtype.itemsize
    if values.dtype.kind != "u" or not 1 <= bits <= 8 * width:
        raise InvalidArgument("bits", "must be between 1 and the width of the unsigned type of the values")
    little = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<")).view(np.uint8).reshape(-1, width)
    planes = np.zeros((-(-bits // 8) * 8, word_count(len(values)) * 8), dtype=np.uint8)
    for byte in range(-(-bits // 8)):
        selected = np.ascontiguousarray(little[:, byte]) & _BITS_OF_BYTE  # packbits takes anything but 0 for 1
        packed = np.packbits(selected, axis=-1, bitorder="little")
        planes[8 * byte : 8 * byte + 8, : packed.shape[1]] = packed
    return planes.view("<u8").astype(np.uint64, copy=False)[:bits]


def to_bools(plane: Planes, size: int) -> NDArray[np.bool_]:
    """Return the first `size` bits of one plane."""
    return np.unpackbits(plane.astype("<u8", copy=False).view(np.uint8), count=size, bitorder="little").astype(bool)
