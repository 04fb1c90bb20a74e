"""Vectors modulo 2**w in the narrowest integer type, and packed on the wire to exactly w bits a value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pets.errors import MessageRejected

_LANES = 32
"""Values are packed 32 at a time, so that w words of 32 bits hold them exactly, whatever w is."""


@dataclass(frozen=True)
class Ring:
    """The integers modulo 2**bits.

    Parameters
    ----------
    bits
        Width, 1 to 64.
    """

    bits: int

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= 64:
            raise ValueError(f"a ring of {self.bits} bits is not supported")

    @property
    def dtype(self) -> np.dtype[Any]:
        """Narrowest unsigned type that holds a value. It wraps at a multiple of the modulus, so sums stay right."""
        return np.dtype(next(f"<u{size}" for size in (1, 2, 4, 8) if 8 * size >= self.bits))

    def lift(self, values: NDArray[np.int64]) -> NDArray[Any]:
        """Return signed integers as residues, of the ring's type; bits above the width may be set."""
        return values.astype(np.uint64).astype(self.dtype)

    def packed_size(self, size: int) -> int:
        """Return the bytes of `size` packed values."""
        if self._is_native:
            return size * self.dtype.itemsize
        return 4 * self.bits * -(-size // _LANES)

    @property
    def _is_native(self) -> bool:
        return self.bits == 8 * self.dtype.itemsize

    def pack(self, residues: NDArray[Any]) -> bytes:
        """Return `residues` modulo 2**bits with no bit wasted but the padding of the last 32 values.

        Value number i lies in lane i // (n / 32), so that each step below handles contiguous memory.
        """
        if self._is_native:
            return residues.tobytes()
        word = np.dtype("<u8") if self.bits > _LANES else np.dtype("<u4")
        columns = -(-len(residues) // _LANES)
        lanes = np.zeros(_LANES * columns, dtype=word)
        np.bitwise_and(residues, residues.dtype.type((1 << self.bits) - 1), out=lanes[: len(residues)], casting="same_kind")
        lanes = lanes.reshape(_LANES, columns)
        words = np.zeros((self.bits, columns), dtype="<u4")
        for lane in range(_LANES):
            first, shift = divmod(lane * self.bits, 32)
            for place, moved in _spread(lanes[lane], shift, self.bits):
                words[first + place] |= moved.astype("<u4", copy=False)
        return words.tobytes()

    def unpack(self, packed: list[bytes], size: int) -> NDArray[Any]:
        """Return the values of several packed vectors, of shape (number of vectors, size).

        Raises
        ------
        MessageRejected
            One of them has the wrong length.
        """
        if any(len(vector) != self.packed_size(size) for vector in packed):
            raise MessageRejected("holds a vector of the wrong length")
        count = len(packed)
        data = np.frombuffer(packed[0] if count == 1 else b"".join(packed), dtype="<u1")
        if self._is_native:
            return data.view(self.dtype).reshape(count, size)
        columns = -(-size // _LANES)
        words = data.view("<u4").reshape(count, self.bits, columns)
        values = np.empty((count, _LANES, columns), dtype=self.dtype)
        mask = (1 << self.bits) - 1
        for lane in range(_LANES):
            first, shift = divmod(lane * self.bits, 32)
            np.bitwise_and(_gather(words, first, shift, self.bits), mask, out=values[:, lane], casting="unsafe")
        return values.reshape(count, -1)[:, :size]


def _spread(values: NDArray[Any], shift: int, bits: int) -> list[tuple[int, NDArray[Any]]]:
    """Return what of values that start at bit `shift` falls into which word."""
    parts = [(0, values << values.dtype.type(shift))]
    if shift + bits > 32:
        parts.append((1, values >> values.dtype.type(32 - shift)))
    if shift + bits > 64:
        parts.append((2, values >> values.dtype.type(64 - shift)))
    return parts


def _gather(words: NDArray[Any], first: int, shift: int, bits: int) -> NDArray[Any]:
    """Return the values that start at bit `shift` of word number `first`; bits above them are not yet cut."""
    wide = np.dtype("<u8") if bits > 32 else np.dtype("<u4")
    found = words[:, first].astype(wide, copy=False) >> wide.type(shift)
    if shift + bits > 32:
        found = found | (words[:, first + 1].astype(wide, copy=False) << wide.type(32 - shift))
    if shift + bits > 64:
        found = found | (words[:, first + 2].astype(wide, copy=False) << wide.type(64 - shift))
    return found
