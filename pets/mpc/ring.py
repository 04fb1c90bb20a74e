"""Vectors modulo 2**w in the narrowest integer type, and packed on the wire to exactly w bits a value."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pets.errors import MessageRejected


@dataclass(frozen=True)
class Ring:
    """The integers modulo 2**bits.

    Parameters
    ----------
    bits
        Width, 1 to 64.
    """

    WIDEST: ClassVar[int] = 64
    bits: int

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= self.WIDEST:
            raise ValueError(f"a ring of {self.bits} bits is not supported")

    @property
    def dtype(self) -> np.dtype[Any]:
        """Narrowest unsigned type that holds a value. It wraps at a multiple of the modulus, so sums stay right."""
        return np.dtype(next(f"<u{size}" for size in (1, 2, 4, 8) if 8 * size >= self.bits))

    def lift(self, values: NDArray[np.int64]) -> NDArray[Any]:
        """Return signed integers as residues, of the ring's type; bits above the width may be set."""
        return values.astype(np.uint64).astype(self.dtype)

    @property
    def _lanes(self) -> int:
        """How many values are packed together: as many as a word has bits, so that `bits` words hold them exactly."""
        return 8 * self.dtype.itemsize

    def packed_size(self, size: int) -> int:
        """Return the bytes of `size` packed values."""
        if self.bits == self._lanes:
            return size * self.dtype.itemsize
        return self.bits * self.dtype.itemsize * -(-size // self._lanes)

    def pack(self, residues: NDArray[Any]) -> bytes:
        """Return `residues` modulo 2**bits with no bit wasted but the padding of the last few values.

        Value number i lies in lane i // columns, so that each step below handles contiguous memory.
        """
        if self.bits == self._lanes:
            return residues.tobytes()
        lanes, word = self._lanes, self.dtype
        columns = -(-len(residues) // lanes)
        values = np.zeros(lanes * columns, dtype=word)
        np.bitwise_and(residues, word.type((1 << self.bits) - 1), out=values[: len(residues)])
        table = values.reshape(lanes, columns)
        words = np.zeros((self.bits, columns), dtype=word)
        for lane in range(lanes):
            first, shift = divmod(lane * self.bits, lanes)
            words[first] |= table[lane] << word.type(shift)
            if shift + self.bits > lanes:
                words[first + 1] |= table[lane] >> word.type(lanes - shift)
        return words.tobytes()

    def unpack(self, packed: bytes, size: int) -> NDArray[Any]:
        """Return the `size` values of a packed vector.

        Raises
        ------
        MessageRejected
            It has the wrong length.
        """
        if self.bits == self._lanes:
            self._check(packed, size)
            return np.frombuffer(packed, dtype=self.dtype)
        values: NDArray[Any] = self.total([packed], size) & self.dtype.type((1 << self.bits) - 1)
        return values

    def total(self, packed: Sequence[bytes], size: int) -> NDArray[Any]:
        """Return the sum of packed vectors of `size` values; bits above the width are not cut off.

        Cheaper than unpacking each: garbage above a lane's width only carries upwards, so it is left in place.

        Raises
        ------
        MessageRejected
            One of them has the wrong length.
        """
        for vector in packed:
            self._check(vector, size)
        count, lanes, word = len(packed), self._lanes, self.dtype
        data = np.frombuffer(packed[0] if count == 1 else b"".join(packed), dtype=word)
        if self.bits == lanes:
            return np.asarray(data.reshape(count, size).sum(axis=0, dtype=word))
        columns = -(-size // lanes)
        words = np.ascontiguousarray(data.reshape(count, self.bits, columns).transpose(1, 0, 2))
        values = np.empty((lanes, columns), dtype=word)
        for lane in range(lanes):
            first, shift = divmod(lane * self.bits, lanes)
            found = words[first] >> word.type(shift)
            if shift + self.bits > lanes:
                found |= words[first + 1] << word.type(lanes - shift)
            values[lane] = found[0] if count == 1 else np.add.reduce(found, axis=0, dtype=word)
        return values.reshape(-1)[:size]

    def _check(self, packed: bytes, size: int) -> None:
        if len(packed) != self.packed_size(size):
            raise MessageRejected("holds a vector of the wrong length")
