"""The randomness of a session, in the form in which the kernels take it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from pets.csprng import WritableBuffer

_BLOCK = 128 * 1024


class StreamRandom:
    """A :class:`pets.csprng.RandomSource` over a stream of a session, which a replay repeats to the byte.

    Parameters
    ----------
    stream
        From ``context.stream(label)``: gives the next so many secret bytes. One label serves one purpose.
    """

    secure = True

    def __init__(self, stream: Callable[[int], bytes]) -> None:
        self._stream = stream

    def fill(self, buffer: WritableBuffer) -> None:
        """Overwrite `buffer` with the next bytes."""
        contiguous: Any = buffer  # an array is a buffer, though the type checker does not know
        view = memoryview(contiguous).cast("B")
        for start in range(0, len(view), _BLOCK):
            part = view[start : start + _BLOCK]
            part[:] = self._stream(len(part))

    def words(self, count: int, dtype: DTypeLike = np.uint64) -> NDArray[Any]:
        """Return the next `count` unsigned integers, little-endian on every machine."""
        kind = np.dtype(dtype)
        drawn = np.empty(count, dtype=kind.newbyteorder("<"))
        if count:
            self.fill(drawn.view(np.uint8))
        return drawn.astype(kind, copy=False)

    def bits(self, count: int) -> int:
        """Return an integer that is uniform on ``0 .. 2**count - 1``."""
        drawn = self._stream((count + 7) // 8)
        return int.from_bytes(drawn, "little") >> (8 * len(drawn) - count)
