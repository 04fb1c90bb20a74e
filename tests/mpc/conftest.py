"""What the tests of the three-party circuits share: dealing shares, seats, both sides of every message."""

from __future__ import annotations

import hashlib
from types import SimpleNamespace

import numpy as np
import pytest

from pets.csprng import InsecureRandom
from pets.mpc.circuit import check_ranges, open_allowed
from pets.mpc.replicated import Seat


def pair_keys(seed: int) -> list[bytes]:
    """Key number i is that of the parties i - 1 and i."""
    return [hashlib.sha256(b"%d pair %d" % (seed, i)).digest() for i in range(3)]


def seats(seed: int) -> list[Seat]:
    keys = pair_keys(seed)
    return [Seat(i, keys[i], keys[(i + 1) % 3]) for i in range(3)]


def deal(values, ring, seed: int = 1) -> list[np.ndarray]:
    """Three additive shares; bits above the ring's width are garbage on purpose."""
    values = np.asarray(values, dtype=np.int64)
    stream = InsecureRandom(insecure_seed=seed)
    first, second = (stream.words(values.size).reshape(values.shape) for _ in range(2))
    third = values.astype(np.uint64) - first - second
    shares = [share.astype(ring.dtype) for share in (first, second, third)]
    if ring.bits < 8 * ring.dtype.itemsize:
        garbage = [stream.words(values.size).reshape(values.shape) << np.uint64(ring.bits) for _ in shares]
        shares = [share ^ extra.astype(ring.dtype) for share, extra in zip(shares, garbage, strict=True)]
    return shares


def openings(shares, ring, rule, seed: int = 1, *, replicated: bool = True):
    return [
        open_allowed(seat, ring, shares[i], rule, shares[(i + 1) % 3] if replicated else None)
        for i, seat in enumerate(seats(seed))
    ]


def range_checks(shares, ring, lower, upper, seed: int = 1, *, replicated: bool = True):
    return [
        check_ranges(seat, ring, shares[i], lower, upper, shares[(i + 1) % 3] if replicated else None)
        for i, seat in enumerate(seats(seed))
    ]


def bytes_sent(rounds, place: int) -> int:
    return sum(len(steps[place].to_previous) + len(steps[place].to_next) for steps in rounds)


@pytest.fixture(scope="session")
def three() -> SimpleNamespace:
    return SimpleNamespace(
        pair_keys=pair_keys, seats=seats, deal=deal, openings=openings, range_checks=range_checks, bytes_sent=bytes_sent
    )
