"""The only module that touches TenSEAL: products in the ring Z_q[X] / (X^n + 1), by SEAL's number-theoretic transform.

Everything that needs a transform happens in SEAL; additions, scaling and the wire format are exact array arithmetic
outside. Ciphertexts made from these products are ordinary BFV ciphertexts: SEAL's own decryptor opens them, and ours
opens SEAL's (the tests do both).

Three things about `tenseal.sealapi` decide how this is written.

* It loads and saves by file name only. We hand it an anonymous file in memory. Where the system has none, a file of
  mode 0600 in a folder of mode 0700 takes its place, **for public polynomials only**: small secret polynomials then
  enter as text in memory, and products, which are secret until noise is added, leave word by word.
* It always compresses what it saves, with the zstd inside its own library. We undo that with the same code, called
  through the library's exported symbol, or read word by word where there is none.
* Its loaders are not made for hostile bytes. What comes from others is parsed by :mod:`pets.he.wire`; SEAL only ever
  reads headers written here.
"""

from __future__ import annotations

import ctypes
import os
import struct
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pets.errors import MissingExtra, PetsError
from pets.he.arithmetic import Words, ntt_primes

_LIFT_MODULUS = 2**16  # plaintexts handed to SEAL are small polynomials; -1 is written as this minus 1
_BATCH = 16  # polynomials in one ciphertext object, SEAL's limit
_HEADER = struct.Struct("<HBBBBHQ")  # magic, header's size, version major and minor, compression, reserved, size
_NO_COMPRESSION, _ZSTD = 0, 2
_LARGEST_HEAD = 256  # bytes that SEAL writes before the coefficients


class SealError(PetsError, RuntimeError):
    """SEAL refused something that these parameters should allow."""


class Ring:
    """Products by small secret polynomials in Z_q[X] / (X^n + 1). Get one from :func:`ring`.

    Parameters
    ----------
    dimension
        n, a power of two.
    primes
        The factors of q, each 1 modulo 2n.
    """

    def __init__(self, dimension: int, primes: tuple[int, ...]) -> None:
        self.dimension = dimension
        self.primes = primes
        self._api = sealapi()
        with _errors():
            self._context = self._make_context()
            self._evaluator = self._api.Evaluator(self._context)
            self._level = self._context.first_parms_id()
            self._version = _version(self._api)

    def secret(self, small: NDArray[np.int64]) -> Any:
        """Return a polynomial with coefficients in -1, 0, 1, transformed, to multiply by. Shape ``(n,)``."""
        with _errors():
            plain = self._api.Plaintext()
            if _has_memory_files():
                words = np.where(small < 0, small + _LIFT_MODULUS, small).astype(np.uint64)
                body = bytes(32) + struct.pack("<Qd", words.size, 1.0) + self._array(words)
                _load(lambda path: plain.load(self._context, path), self._framed(body), secret=True)
            else:
                plain = self._api.Plaintext(_as_text(small))
            self._evaluator.transform_to_ntt_inplace(plain, self._level)
            return plain

    def public(self, polynomials: Words) -> Any:
        """Return up to 16 public polynomials, transformed, to be multiplied. Shape ``(count, primes, n)``."""
        with _errors():
            ciphertext = self._api.Ciphertext()
            body = b"".join(
                (
                    struct.pack("<4Q", *self._level),
                    struct.pack("<BQQQdQ", 0, len(polynomials), self.dimension, len(self.primes), 1.0, 1),
                    self._array(np.ascontiguousarray(polynomials)),
                )
            )
            _load(lambda path: ciphertext.load(self._context, path), self._framed(body), secret=False)
            self._evaluator.transform_to_ntt_inplace(ciphertext)
            return ciphertext

    def product(self, public: Any, secret: Any) -> Words:
        """Return each polynomial of `public` times `secret`. Shape ``(count, primes, n)``.

        The result is confidential until noise is added to it.
        """
        with _errors():
            result = self._api.Ciphertext()
            self._evaluator.multiply_plain(public, secret, result)
            self._evaluator.transform_from_ntt_inplace(result)
            return self._words(result)

    def multiply(self, polynomials: Words, secret: Any) -> Words:
        """Return any number of public polynomials times `secret`. Shape ``(count, primes, n)`` in and out."""
        parts = []
        for start in range(0, len(polynomials), _BATCH - 1):
            batch = given = polynomials[start : start + _BATCH - 1]
            if not batch[1:].any():
                # SEAL refuses a single polynomial, and several of which at most the first differs from zero, which a
                # hostile sender may well send. One more, all coefficients -1, makes up for it.
                filler = np.array(self.primes, dtype=np.uint64)[:, None] - np.ones(self.dimension, dtype=np.uint64)
                batch = np.concatenate([batch, filler[None]])
            parts.append(self.product(self.public(batch), secret)[: len(given)])
        return np.concatenate(parts) if parts else polynomials

    def _make_context(self) -> Any:
        api = self._api
        chain = list(self.primes)
        if len(chain) > 1:  # SEAL sets the last of several primes aside for key switching, which is not used here
            chain.append(_spare_prime(self.dimension, self.primes))
        settings = api.EncryptionParameters(api.SCHEME_TYPE.BFV)
        settings.set_poly_modulus_degree(self.dimension)
        settings.set_coeff_modulus([api.Modulus(prime) for prime in chain])
        settings.set_plain_modulus(_LIFT_MODULUS)
        # pets.he.parameters has checked q against stricter tables; SEAL would also count the spare prime.
        level = api.SEC_LEVEL_TYPE.TC128 if len(chain) == 1 else api.SEC_LEVEL_TYPE.NONE
        context = api.SEALContext(settings, False, level)
        if not context.parameters_set():
            raise SealError(f"SEAL refuses the parameters: {context.parameters_error_message()}")
        return context

    def _framed(self, body: bytes) -> bytes:
        return _HEADER.pack(0xA15E, 16, *self._version, _NO_COMPRESSION, 0, 16 + len(body)) + body

    def _array(self, words: NDArray[Any]) -> bytes:
        return self._framed(struct.pack("<Q", words.size) + words.astype("<u8", copy=False).tobytes())

    def _words(self, ciphertext: Any) -> Words:
        shape = (ciphertext.size(), len(self.primes), self.dimension)
        count = shape[0] * shape[1] * shape[2]
        saved = _saved(ciphertext) if _has_memory_files() and _inflater() else None
        if saved is None:
            at = ciphertext.dyn_array().at
            return np.fromiter((at(i) for i in range(count)), np.uint64, count).reshape(shape)
        return _inflate(saved, 8 * count).reshape(shape)


@lru_cache(maxsize=16)
def ring(dimension: int, primes: tuple[int, ...]) -> Ring:
    """Return the ring, made once.

    Raises
    ------
    MissingExtra
        TenSEAL is not installed.
    SealError
        SEAL refuses the parameters.
    """
    return Ring(dimension, primes)


def sealapi() -> ModuleType:
    """Return TenSEAL's binding of SEAL.

    Raises
    ------
    MissingExtra
        It is not installed.
    """
    try:
        import tenseal.sealapi as api
    except ImportError:
        raise MissingExtra("tenseal", "he") from None
    return api  # type: ignore[no-any-return]


@contextmanager
def _errors() -> Iterator[None]:
    """Turn what the binding throws into ours. Its messages hold no numbers of the data."""
    try:
        yield
    except (RuntimeError, ValueError, IndexError, TypeError, OSError) as error:
        if isinstance(error, PetsError):
            raise
        raise SealError(f"SEAL failed: {error}") from None


def _spare_prime(dimension: int, primes: tuple[int, ...]) -> int:
    return next(p for p in ntt_primes(dimension, 60, len(primes) + 1) if p not in primes)


def _as_text(small: NDArray[np.int64]) -> str:
    terms = [(i, int(c) % _LIFT_MODULUS) for i, c in enumerate(small.tolist()) if c]
    return " + ".join(f"{c:X}x^{i}" if i else f"{c:X}" for i, c in reversed(terms)) or "0"


# ------------------------------------------------------------------------------------------- files in memory


@lru_cache(maxsize=1)
def _has_memory_files() -> bool:
    return hasattr(os, "memfd_create") and Path("/proc/self/fd").is_dir()


@contextmanager
def _memory_file() -> Iterator[tuple[int, str]]:
    descriptor = os.memfd_create("pets")
    try:
        yield descriptor, f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def _load(load: Callable[[str], None], content: bytes, *, secret: bool) -> None:
    """Have SEAL load `content`. A secret never reaches a file system."""
    if _has_memory_files():
        with _memory_file() as (descriptor, path):
            with open(descriptor, "wb", closefd=False) as file:  # write() alone may write a part
                file.write(content)
            load(path)
        return
    if secret:
        raise SealError("a secret polynomial cannot be loaded here: this system has no files in memory")
    with tempfile.TemporaryDirectory(prefix="pets-") as folder:  # mode 0700
        name = Path(folder) / "public"
        name.touch(mode=0o600)
        name.write_bytes(content)
        load(str(name))


def _saved(ciphertext: Any) -> bytes:
    with _memory_file() as (descriptor, path):
        ciphertext.save(path)
        return os.pread(descriptor, os.fstat(descriptor).st_size, 0)


def _version(api: ModuleType) -> tuple[int, int]:
    """Return the major and minor version of SEAL, which its loader wants to see in the header."""
    header = api.Serialization.SEALHeader()
    return int(header.version_major), int(header.version_minor)


# ---------------------------------------------------------------------------------------------- decompression


@lru_cache(maxsize=1)
def _inflater() -> Any:
    """Return the zstd decoder inside TenSEAL's own library, or None where it is not exported."""
    try:
        decode = ctypes.CDLL(import_module("_sealapi_cpp").__file__).ZSTD_decompress
    except (ImportError, OSError, AttributeError, TypeError):
        return None
    decode.restype = ctypes.c_size_t
    decode.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_char_p, ctypes.c_size_t]
    return decode


def _inflate(saved: bytes, length: int) -> Words:
    """Return the last `length` bytes of what SEAL itself has just saved in this process, as words."""
    compression, size = _HEADER.unpack_from(saved)[4], _HEADER.unpack_from(saved)[6]
    if size != len(saved) or compression not in {_NO_COMPRESSION, _ZSTD}:
        raise SealError("SEAL saved a polynomial in a form that is not known here")
    if compression == _NO_COMPRESSION:
        return np.frombuffer(saved[-length:], "<u8").astype(np.uint64)
    room = np.empty(length + _LARGEST_HEAD, dtype=np.uint8)
    written = _inflater()(room.ctypes.data, room.size, saved[_HEADER.size :], len(saved) - _HEADER.size)
    if not length <= written <= room.size:  # zstd returns its error codes as huge sizes
        raise SealError("SEAL saved a polynomial that cannot be decompressed")
    return np.frombuffer(room[written - length : written].tobytes(), "<u8").astype(np.uint64, copy=False)
