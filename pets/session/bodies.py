"""Layouts that bodies of several protocols share: fields of known lengths, and one bit for each site."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import numpy as np

from pets.errors import MessageRejected


def cut(body: bytes, *lengths: int) -> tuple[bytes, ...]:
    """Cut `body` into fields of these lengths, which must fill it.

    Raises
    ------
    MessageRejected
        They do not.
    """
    if len(body) != sum(lengths):
        raise MessageRejected(f"has {len(body):,} bytes where {sum(lengths):,} belong")
    return tuple(body[end - length : end] for end, length in zip(accumulate(lengths), lengths, strict=True))


def mark(names: Sequence[str], sites: tuple[str, ...]) -> bytes:
    """Return one bit for each site: whether it is among `names`."""
    chosen = set(names)
    return np.packbits([name in chosen for name in sites]).tobytes()


def marked(bits: bytes, sites: tuple[str, ...]) -> tuple[str, ...]:
    """Return the sites whose bit is set, in order.

    Raises
    ------
    MessageRejected
        A bit beyond the last site is set.
    """
    flags = np.unpackbits(np.frombuffer(bits, dtype=np.uint8))
    if flags[len(sites) :].any():
        raise MessageRejected("names a site that does not exist")
    return tuple(name for name, flag in zip(sites, flags.tolist(), strict=False) if flag)


def bits_size(sites: int) -> int:
    """Return the bytes of one bit for each site."""
    return -(-sites // 8)
