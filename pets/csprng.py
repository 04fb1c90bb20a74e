"""Cryptographic randomness for noise, shares and masks.

The generator is *fast key erasure* (Bernstein 2017) over AES-256 in counter mode, with one change that
makes it simpler to trust: **every request mixes 32 fresh bytes of the operating system's entropy into
the key**. Request number i does::

    seed   = K[i-1] xor os.urandom(32)
    K[i]   = first 32 bytes of AES-CTR(seed)          (overwrites K[i-1])
    output = the rest of AES-CTR(seed), from byte 64

What follows from it:

* *Backtracking.* `K[i]` is an output of a one-way function of the seed. Whoever steals the state after a
  request learns nothing about what the request returned. No output is kept back for later requests.
* *Forks, virtual-machine snapshots, threads, signal handlers.* Two processes that inherit the same state,
  or two requests that race for it, still use seeds that differ by independent fresh entropy, so they never
  return the same bytes. No lock is needed for that, hence none can be left locked by a fork.
  A forked child also wipes the inherited key and starts from the operating system alone.
* *A weak operating system.* If its entropy becomes predictable later, `K` still carries what was mixed in
  before; the output is unpredictable as long as either part is.
* *Hard failure.* Without operating-system entropy nothing is returned: :class:`pets.errors.EntropyError`.

AES-256-CTR is chosen over ChaCha20 because it is available under FIPS, and twice as fast where the
processor has AES instructions. One key never makes more than 64 MiB (2**22 blocks), so its distance from
random bits by the PRP/PRF switching lemma is below 2**-84.

Limits. CPython may leave copies of the seed in freed memory; nobody can promise otherwise from Python.

References
----------
D. J. Bernstein, "Fast-key-erasure random-number generators", 2017.
NIST SP 800-38A (AES-CTR) and SP 800-90A (CTR_DRBG), whose update step has the same shape.
"""

from __future__ import annotations

import hashlib
import os
import threading
from typing import Any, Protocol

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes
from numpy.typing import DTypeLike, NDArray

from pets.errors import EntropyError, InvalidArgument

WritableBuffer = bytearray | memoryview | NDArray[Any]
"""What can be filled with random bytes: anything contiguous and writable."""

KEY_BYTES = 32
RESEED_BYTES = 64 * 2**20
"""Fresh entropy enters at every request, and again after this many bytes of one request."""

_BLOCK = 128 * 1024  # zeros plus output stay in the second-level cache
_ZEROS = memoryview(bytes(_BLOCK))
_HEAD = 64  # bytes taken off each stream for the next key; a whole number of AES blocks
_MAX_BITS = 2**27
_WORD_TYPES = (np.uint8, np.uint16, np.uint32, np.uint64)


class RandomSource(Protocol):
    """A stream of uniform bits. Only :class:`SecureRandom` may serve a release."""

    @property
    def secure(self) -> bool:
        """Whether the stream is unpredictable."""
        ...

    def fill(self, buffer: WritableBuffer) -> None:
        """Overwrite `buffer` with uniform bytes."""
        ...

    def words(self, count: int, dtype: DTypeLike = np.uint64) -> NDArray[Any]:
        """Return `count` independent uniform unsigned integers."""
        ...

    def bits(self, count: int) -> int:
        """Return an integer that is uniform on ``0 .. 2**count - 1``."""
        ...


class _Words:
    """Integers out of bytes, the same for every source."""

    def fill(self, buffer: WritableBuffer) -> None:
        raise NotImplementedError

    def words(self, count: int, dtype: DTypeLike = np.uint64) -> NDArray[Any]:
        """Return `count` independent uniform unsigned integers.

        Parameters
        ----------
        count
            How many, at least 0.
        dtype
            ``uint8``, ``uint16``, ``uint32`` or ``uint64``.

        Returns
        -------
        ndarray
            Shape ``(count,)``.

        Raises
        ------
        InvalidArgument
            `count` is negative or no integer, or `dtype` is not unsigned.
        EntropyError
            The operating system gives no entropy.
        """
        kind = _word_type(dtype)
        drawn = np.empty(_whole_number(count, "count", 2**40), dtype=kind)
        self.fill(drawn)
        return drawn

    def bits(self, count: int) -> int:
        """Return an integer that is uniform on ``0 .. 2**count - 1`` (0 when `count` is 0).

        Raises
        ------
        InvalidArgument
            `count` is negative, no integer, or absurdly large.
        EntropyError
            The operating system gives no entropy.
        """
        count = _whole_number(count, "count", _MAX_BITS)
        drawn = bytearray((count + 7) // 8)
        self.fill(drawn)
        return int.from_bytes(drawn, "little") >> (8 * len(drawn) - count)


class SecureRandom(_Words):
    """The generator described at the top of this module. Usable from many threads at once.

    Use :func:`secure_random` rather than an instance of your own, unless a test needs one.
    """

    secure = True

    def __init__(self) -> None:
        # All zeros stands for "nothing accumulated yet": the first seed is then the fresh entropy itself.
        self._key = bytearray(KEY_BYTES)
        self._pid = os.getpid()

    def fill(self, buffer: WritableBuffer) -> None:
        """Overwrite `buffer` with unpredictable bytes.

        Parameters
        ----------
        buffer
            A contiguous writable buffer: ``bytearray``, ``memoryview`` or array.

        Raises
        ------
        InvalidArgument
            `buffer` is read-only or not contiguous.
        EntropyError
            The operating system gives no entropy. `buffer` must then be thrown away.
        """
        view = _writable_bytes(buffer)
        pid = os.getpid()
        for start in range(0, len(view), RESEED_BYTES):
            _expand(self._next_stream(), view[start : start + RESEED_BYTES])
        if pid != os.getpid():  # a signal handler forked half-way: parent and child hold the same bytes
            self.fill(buffer)

    def forget(self) -> None:
        """Wipe the key; the next request starts from the operating system's entropy alone."""
        self._key[:] = bytes(KEY_BYTES)

    def _next_stream(self) -> CipherContext:
        """Return a stream that is used once, and replace the key by one that cannot give it back."""
        if self._pid != os.getpid():  # also catches forks made by C code, which skip Python's fork hooks
            self.forget()
            self._pid = os.getpid()
        # The seed is a local: a racing thread can at worst start from the same key with entropy of its own.
        seed = _xor(bytes(self._key), _os_entropy())
        stream, head = _open(seed)
        self._key[:] = head[:KEY_BYTES]
        return stream


class InsecureRandom(_Words):
    """A reproducible stream for tests and benchmarks. Never use it for a release.

    Parameters
    ----------
    insecure_seed
        Any integer of at least 0. Equal seeds give equal streams.
    """

    secure = False

    def __init__(self, *, insecure_seed: int) -> None:
        seed = _whole_number(insecure_seed, "insecure_seed", 2**256 - 1)
        self._stream = _open(hashlib.sha256(b"pets insecure stream %d" % seed).digest())[0]
        self._lock = threading.Lock()

    def fill(self, buffer: WritableBuffer) -> None:
        """Overwrite `buffer` with the next bytes of the stream."""
        view = _writable_bytes(buffer)
        with self._lock:
            _expand(self._stream, view)


_SHARED = SecureRandom()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_SHARED.forget)


def secure_random() -> SecureRandom:
    """Return the generator that the whole process shares."""
    return _SHARED


def random_source(insecure_seed: int | None) -> RandomSource:
    """Return the shared generator, or a reproducible one if `insecure_seed` is given."""
    return _SHARED if insecure_seed is None else InsecureRandom(insecure_seed=insecure_seed)


def random_bytes(count: int) -> bytes:
    """Return `count` unpredictable bytes for keys, seeds, salts and nonces.

    Raises
    ------
    InvalidArgument
        `count` is negative or no whole number.
    EntropyError
        The operating system gives no entropy.
    """
    drawn = bytearray(_whole_number(count, "count", RESEED_BYTES))
    _SHARED.fill(drawn)
    return bytes(drawn)


def _os_entropy() -> bytes:
    try:
        return os.urandom(KEY_BYTES)
    except (OSError, NotImplementedError) as error:
        raise EntropyError("the operating system gives no secure randomness; nothing was drawn") from error


def _open(seed: bytes) -> tuple[CipherContext, bytearray]:
    """Return AES-CTR under `seed`, and its first 64 bytes, which are not output."""
    stream = Cipher(algorithms.AES(seed), modes.CTR(bytes(16))).encryptor()
    head = bytearray(_HEAD)
    stream.update_into(_ZEROS[:_HEAD], head)
    return stream, head


def _expand(stream: CipherContext, view: memoryview) -> None:
    """Fill `view` with the stream, that is, encrypt zeros."""
    for start in range(0, len(view), _BLOCK):
        part = view[start : start + _BLOCK]
        stream.update_into(_ZEROS[: len(part)], part)


def _xor(left: bytes, right: bytes) -> bytes:
    return (int.from_bytes(left, "little") ^ int.from_bytes(right, "little")).to_bytes(len(left), "little")


def _writable_bytes(buffer: Any) -> memoryview:
    try:
        view = memoryview(buffer)
    except TypeError:
        raise InvalidArgument("buffer", f"must be a writable buffer, not {type(buffer).__name__}") from None
    if view.readonly or not view.c_contiguous:
        raise InvalidArgument("buffer", "must be writable and contiguous", "Give a bytearray or a fresh array.")
    return view.cast("B") if view.nbytes else memoryview(bytearray())


def _whole_number(value: object, argument: str, largest: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or not 0 <= value <= largest:
        raise InvalidArgument(argument, f"must be a whole number between 0 and {largest}")
    return int(value)


def _word_type(dtype: DTypeLike) -> np.dtype[Any]:
    try:
        kind = np.dtype(dtype)
    except TypeError:
        raise InvalidArgument("dtype", "is not a numpy type") from None
    if kind.type not in _WORD_TYPES:
        raise InvalidArgument("dtype", "must be uint8, uint16, uint32 or uint64")
    return kind
