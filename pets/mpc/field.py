"""Arithmetic modulo the Mersenne prime ``2**61 - 1`` on whole arrays, exact.

An *element* is a ``uint64`` in ``0 .. p - 1``; every function takes and gives elements. Why no intermediate
overflows:

* **Sum.** Two elements add to at most ``2p - 2 < 2**62``. If ``s = a + b`` is below `p`, then ``s - p`` wraps to
  at least ``2**64 - p > s``; otherwise ``s - p`` is the answer. Hence ``min(s, s - p)`` is ``s mod p``.
* **Matrix product.** Each element is cut into three limbs of 21 bits (63 in all), held as ``float64``. A product
  of limbs is below ``2**42``. The three or fewer limb products of equal weight, summed over `k` terms, stay
  below ``3 * k * 2**42 <= 2**53`` for ``k <= 682``: every partial sum is an integer that ``float64`` holds
  exactly, in whatever order the linear algebra adds it up. The five sums have the weights ``2**(21 s)``, and
  since ``2**61 = 1 (mod p)`` multiplying by one of them is a rotation by 0, 21, 42, 2 or 23 bits. The rotated
  sums are below ``2**53``, ``2**61 + 2**13``, ``2**61 + 2**34``, ``2**55`` and ``2**61 + 2**15``, together
  below ``2**63``. One folding of the bits above the 61st leaves at most ``p + 3``, and one conditional
  subtraction an element.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from pets.errors import EntropyError, InvalidArgument, MessageRejected

Elements = NDArray[np.uint64]
"""Residues modulo the prime."""

RandomBytes = Callable[[int], bytes]
"""Returns that many uniform bytes, each time new ones."""

MODULUS = 2**61 - 1
LARGEST = 2**60 - 1
"""Signed values from ``-LARGEST`` to ``LARGEST`` have a residue of their own."""
MAX_TERMS = 682
ELEMENT_BYTES = 8

_P = np.uint64(MODULUS)
_EXPONENT = np.uint64(61)
_LIMB_BITS = 21
_LIMB = np.uint64(2**_LIMB_BITS - 1)
_ROTATIONS = tuple(_LIMB_BITS * weight % 61 for weight in range(5))
_BLOCK = 2**15  # elements; six such arrays of float64 fit the second-level cache
_SERIAL = 2**18  # scalar products up to which OpenBLAS stays on one core: waiting for a second one costs more
_MAX_REDRAWS = 64


def add(left: Elements, right: Elements, out: Elements | None = None) -> Elements:
    """Return ``left + right``, in `out` if given (it may be one of the two)."""
    sums: Elements = np.add(left, right, out=out)
    np.minimum(sums, sums - _P, out=sums)
    return sums


def total(rows: Sequence[Elements]) -> Elements:
    """Return the sum of one or more equally long arrays of elements, such as one party's shares of many values."""
    if not rows:
        raise InvalidArgument("rows", "is empty", "Give at least one array.")
    result = rows[0].copy()
    for row in rows[1:]:
        add(result, row, out=result)
    return result


def multiply(matrix: Elements, columns: Elements) -> Elements:
    """Return the matrix product.

    Parameters
    ----------
    matrix
        Elements, shape ``(m, k)``, `k` at most 682.
    columns
        Elements, shape ``(k, n)``.

    Returns
    -------
    ndarray
        Elements, shape ``(m, n)``.

    Raises
    ------
    InvalidArgument
        The shapes do not fit, or `k` is too large for the sums to be exact.
    """
    terms, width = columns.shape
    if matrix.shape[1] != terms or not 1 <= terms <= MAX_TERMS:
        raise InvalidArgument("matrix", f"does not fit {terms} rows, or they are not 1 to {MAX_TERMS}")
    left = _limbs(matrix).reshape(-1, terms)
    result = np.empty((len(matrix), width), dtype=np.uint64)
    step = max(min(_BLOCK // terms, _SERIAL // (len(left) * 3 * terms)), 256)
    for start in range(0, width, step):
        part = slice(start, start + step)
        result[:, part] = _block_product(left, columns[:, part])
    return result


def uniform(random: RandomBytes, count: int) -> Elements:
    """Draw independent uniform elements by rejection: 61 bits of each 8 bytes, anew if they are all ones.

    Raises
    ------
    EntropyError
        `random` returns too few bytes, or nothing but ones.
    """
    drawn = _words(random, count) & _P
    for _ in range(_MAX_REDRAWS):
        if not count or drawn.max() < _P:
            return drawn
        rejected = np.flatnonzero(drawn == _P)
        drawn[rejected] = _words(random, len(rejected)) & _P
    raise EntropyError("the source of random bytes repeats itself; nothing was shared")


def from_signed(values: NDArray[np.int64]) -> Elements:
    """Return the residues of signed integers.

    Raises
    ------
    InvalidArgument
        The type is not int64, or a magnitude exceeds ``2**60 - 1``.
    """
    if not isinstance(values, np.ndarray) or values.dtype != np.int64:
        raise InvalidArgument("values", "must be an int64 array")
    if values.size and (values.max() > LARGEST or values.min() < -LARGEST):
        raise InvalidArgument("values", "has a magnitude above 2**60 - 1", "Declare a smaller bound or scale.")
    words = values.view(np.uint64)
    # A negative word is near 2**64, and adding p wraps it to p - |v|.
    residues: Elements = np.minimum(words, words + _P)
    return residues


def to_signed(elements: Elements) -> NDArray[np.int64]:
    """Return the integers nearest to zero with these residues: the inverse of :func:`from_signed`."""
    signed = elements.astype(np.int64)
    signed[elements > np.uint64(LARGEST)] -= MODULUS
    return signed


def to_bytes(elements: Elements) -> bytes:
    """Return eight little-endian bytes per element."""
    return elements.astype("<u8", copy=False).tobytes()


def from_bytes(body: bytes, count: int) -> Elements:
    """Return exactly `count` elements out of bytes that somebody sent.

    Raises
    ------
    MessageRejected
        The length is wrong or a word is no element.
    """
    if len(body) != count * ELEMENT_BYTES:
        raise MessageRejected(f"has {len(body)} bytes of shares where {count * ELEMENT_BYTES} belong")
    elements = np.frombuffer(body, dtype="<u8").astype(np.uint64, copy=False)
    if count and elements.max() >= _P:
        raise MessageRejected("holds a share outside the field")
    return elements


def _words(random: RandomBytes, count: int) -> Elements:
    drawn = random(count * ELEMENT_BYTES)
    if len(drawn) != count * ELEMENT_BYTES:
        raise EntropyError("the source of random bytes ran dry; nothing was shared")
    return np.frombuffer(drawn, dtype="<u8").astype(np.uint64, copy=False)


def _limbs(elements: Elements) -> NDArray[np.float64]:
    """Return the 21-bit limbs of ``(r, c)`` elements as floats, shape ``(3, r, c)``."""
    limbs = np.empty((3, *elements.shape))
    for index in range(3):
        limbs[index] = (elements >> np.uint64(index * _LIMB_BITS)) & _LIMB
    return limbs


def _block_product(left: NDArray[np.float64], columns: Elements) -> Elements:
    """Return the product for left limbs ``(3 m, k)`` and few enough columns to stay in the cache."""
    terms, width = columns.shape
    right = _limbs(columns).transpose(1, 0, 2).reshape(terms, 3 * width)
    grid = (left @ right).reshape(3, -1, 3, width)
    result = grid[0, :, 0].astype(np.uint64)
    for weight in range(1, 5):
        pairs = [grid[i, :, weight - i] for i in range(max(0, weight - 2), min(weight, 2) + 1)]
        sums = pairs[0] if len(pairs) == 1 else sum(pairs[1:], pairs[0])
        result += _rotate(sums.astype(np.uint64), _ROTATIONS[weight])
    result = (result & _P) + (result >> _EXPONENT)
    np.minimum(result, result - _P, out=result)
    return result


def _rotate(sums: Elements, bits: int) -> Elements:
    """Return something congruent to ``sums * 2**bits`` for sums below ``2**53``: see the top of this module."""
    kept = 61 - bits
    if kept >= 53 + 2:
        return sums << np.uint64(bits)
    return ((sums & np.uint64(2**kept - 1)) << np.uint64(bits)) + (sums >> np.uint64(kept))
