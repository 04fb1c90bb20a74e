"""The confidential sum of one site, or of many: an integer vector and what gives it meaning."""

from __future__ import annotations

import struct
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pets.errors import IncompatibleTallies, InvalidArgument, RangeOverflow

_MAGIC = b"pets-tally-1\x00"
_HEADER = struct.Struct(f"<{len(_MAGIC)}s32sQ")


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """An int64 vector over public cells, with the signature of the question it answers.

    A tally is **confidential**: its repr shows no count, and only an aggregator or a mechanism
    should receive it.

    Parameters
    ----------
    values
        Integer array of shape (n,). It is copied and made read-only.
    signature
        64 hexadecimal digits: the digest of query, domain and privacy unit. Tallies add only when
        their signatures agree.

    Raises
    ------
    InvalidArgument
        `values` is not a one-dimensional array of integers, or `signature` has the wrong form.
    RangeOverflow
        A value does not fit into 64 bits.
    """

    values: NDArray[np.int64]
    signature: str

    def __post_init__(self) -> None:
        object.__setattr__(self, "values", _as_int64(self.values))
        if not _is_digest(self.signature):
            raise InvalidArgument("signature", "must be 64 hexadecimal digits")

    def __len__(self) -> int:
        return len(self.values)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Tally):
            return NotImplemented
        return self.signature == other.signature and np.array_equal(self.values, other.values)

    __hash__ = None  # type: ignore[assignment]

    def __add__(self, other: Tally) -> Tally:
        if not isinstance(other, Tally):
            return NotImplemented
        if self.signature != other.signature or len(self) != len(other):
            raise IncompatibleTallies(
                f"these tallies answer different questions ({self.signature[:8]} and {other.signature[:8]}). "
                "Give every site the same query, domain and privacy unit."
            )
        with np.errstate(over="ignore"):
            total = self.values + other.values
        # Two's complement: the sum wrapped exactly where both terms have the sign that the sum lacks.
        if np.any((self.values ^ total) & (other.values ^ total) < 0):
            raise RangeOverflow("the total of two tallies does not fit into 64 bits; nothing was added")
        return Tally(total, self.signature)

    def __repr__(self) -> str:
        return f"<Tally of {len(self)} cells, question {self.signature[:8]}; values confidential>"

    def to_bytes(self) -> bytes:
        """Return a canonical, versioned encoding (little endian, no pickle)."""
        header = _HEADER.pack(_MAGIC, bytes.fromhex(self.signature), len(self))
        return header + self.values.astype("<i8").tobytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> Tally:
        """Decode :meth:`to_bytes`.

        Raises
        ------
        InvalidArgument
            The bytes are no tally: wrong magic, version or length.
        """
        if not isinstance(data, bytes | bytearray) or len(data) < _HEADER.size:
            raise InvalidArgument("data", "is too short for a tally")
        magic, signature, size = _HEADER.unpack_from(data)
        if magic != _MAGIC or len(data) != _HEADER.size + 8 * size:
            raise InvalidArgument("data", "is not a tally of this version, or was cut or extended")
        return cls(np.frombuffer(data, dtype="<i8", offset=_HEADER.size), signature.hex())


def _is_digest(text: object) -> bool:
    return isinstance(text, str) and len(text) == 64 and all(c in "0123456789abcdef" for c in text)


def _as_int64(values: object) -> NDArray[np.int64]:
    try:
        array = np.asarray(values)
    except (TypeError, ValueError):
        raise InvalidArgument("values", "must be a list or an array of integers") from None
    if array.ndim != 1:
        raise InvalidArgument("values", f"must have one dimension, not {array.ndim}")
    if array.dtype.kind == "O" and all(isinstance(value, int) for value in array):
        raise RangeOverflow("a value of the tally does not fit into 64 bits")
    if array.dtype.kind not in "iu":
        raise InvalidArgument(
            "values",
            f"must be integers, not {array.dtype}",
            "Fixed-point values are integers in units of the resolution.",
        )
    if array.dtype.kind == "u" and array.size and int(array.max()) > np.iinfo(np.int64).max:
        raise RangeOverflow("a value of the tally does not fit into 64 bits")
    # Backed by bytes, an array cannot be made writable again.
    return np.frombuffer(array.astype(np.int64).tobytes(), dtype=np.int64)
