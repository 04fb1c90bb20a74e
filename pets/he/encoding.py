"""From signed totals to residues modulo q and back: positional packing, then BFV's scaling by q / t.

Counts that share a coefficient are digits of one integer in base ``2 B + 1``, centred about zero, where B bounds every
total; so digits of a sum never carry, whatever the signs.

Scaling down also measures the noise. A phase whose noise is above the proven bound cannot come from honest
ciphertexts under this key, and is refused instead of rounded to garbage.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pets.errors import InvalidArgument, MessageRejected, RangeOverflow
from pets.he.arithmetic import Words, divide_product, high_product, multiply
from pets.he.parameters import Parameters


def check_values(values: object, parameters: Parameters, argument: str = "values") -> NDArray[np.int64]:
    """Return `values` if they are int64, of the declared length and within the bound.

    Raises
    ------
    InvalidArgument
        They are no int64 array of that shape.
    RangeOverflow
        One of them is beyond the largest total.
    """
    if not isinstance(values, np.ndarray) or values.dtype != np.int64:
        raise InvalidArgument(argument, "must be a numpy array of int64", "Round to whole numbers first.")
    if values.shape != (parameters.values,):
        raise InvalidArgument(argument, f"must have shape ({parameters.values},), not {values.shape}")
    if max(-int(values.min()), int(values.max())) > parameters.total_bound:
        raise RangeOverflow(f"{argument} goes beyond the declared bound of {parameters.total_bound}")
    return values


def encode(values: NDArray[np.int64], parameters: Parameters) -> NDArray[np.int64]:
    """Return one signed integer for each coefficient in use, shape ``(used,)``."""
    rows = np.zeros(parameters.digits * parameters.used, dtype=np.int64)
    rows[: values.size] = values
    coefficients = np.zeros(parameters.used, dtype=np.int64)
    for row in rows.reshape(parameters.digits, -1)[::-1]:
        coefficients = coefficients * np.int64(parameters.base) + row
    return coefficients


def decode(coefficients: NDArray[np.int64], parameters: Parameters) -> NDArray[np.int64]:
    """Undo :func:`encode` for a sum.

    Raises
    ------
    MessageRejected
        The coefficients are no sum of encodings within the bounds.
    """
    bound, base = np.int64(parameters.total_bound), np.int64(parameters.base)
    rows = np.empty((parameters.digits, parameters.used), dtype=np.int64)
    rest = coefficients
    for row in rows:
        shifted = rest + bound
        rest = shifted // base
        np.subtract(shifted - rest * base, bound, out=row)
    values = rows.reshape(-1)
    if rest.any() or values[parameters.values :].any():
        raise MessageRejected("decrypts to totals outside the declared bounds")
    return values[: parameters.values].copy()


def scale_up(coefficients: NDArray[np.int64], parameters: Parameters) -> Words:
    """Return ``floor(q m / t)`` modulo each prime, with m taken from ``0 .. t - 1``. Shape ``(primes, N)``."""
    bits = parameters.plain_bits
    whole, rest = parameters.modulus >> bits, parameters.modulus & (2**bits - 1)
    plain = coefficients.astype(np.uint64) & np.uint64(2**bits - 1)
    fraction = high_product(plain, rest << (64 - bits))
    rows = [(multiply(plain, whole, p) + fraction % np.uint64(p)) % np.uint64(p) for p in parameters.primes]
    return np.stack(rows)


def scale_down(phase: Words, parameters: Parameters) -> NDArray[np.int64]:
    """Return ``round(t phase / q)``, centred modulo t. Shape ``(primes, N)`` to ``(N,)``.

    Raises
    ------
    MessageRejected
        The noise is above the bound that honest ciphertexts keep: the key is another one, or something was damaged.
    """
    t = 2**parameters.plain_bits
    whole = np.zeros(phase.shape[1], dtype=np.uint64)
    fraction = np.zeros(phase.shape[1])
    for row, prime in zip(phase, parameters.primes, strict=True):
        # Chinese remainders: phase / q is the sum of y / p modulo 1, with y = phase (q / p)^-1 modulo p.
        y = multiply(row, pow(parameters.modulus // prime, -1, prime), prime)
        quotient, remainder = divide_product(y, t % prime, prime)
        whole += y * np.uint64(t // prime) + quotient
        fraction += remainder / prime
    nearest = np.rint(fraction)
    if float(np.abs(fraction - nearest).max()) > _tolerance(parameters):
        raise MessageRejected("does not decrypt: it is not under this key, or it was damaged")
    plain = (whole + nearest.astype(np.uint64)) & np.uint64(t - 1)
    return np.where(plain >= t // 2, plain.astype(np.int64) - t, plain.astype(np.int64))


def _tolerance(parameters: Parameters) -> float:
    return (parameters.total_noise << parameters.plain_bits) / parameters.modulus + 1e-9
