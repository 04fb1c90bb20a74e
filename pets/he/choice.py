"""The search for the parameters whose messages are smallest."""

from __future__ import annotations

import math

from pets.errors import InvalidArgument, RangeOverflow
from pets.he.arithmetic import PRIME_BITS, ntt_primes
from pets.he.bits import LANES
from pets.he.parameters import (
    CLASSICAL,
    LARGEST_ADDITIONS,
    LARGEST_FLOOD_BITS,
    LARGEST_PLAIN_BITS,
    LARGEST_VALUES,
    QUANTUM,
    SLACK,
    Mode,
    Parameters,
    message_bytes,
    noise_bound,
)

_LEAST_PRIME_BITS = 20


def choose_parameters(
    *,
    total_bound: int,
    additions: int,
    values: int,
    mode: Mode = "public",
    key_holders: int = 1,
    flooding_bits: int = 0,
    quantum: bool = False,
    pack: bool = True,
    reserve_bits: int = 0,
    most_primes: int = 4,
) -> Parameters:
    """Return the parameters with the smallest messages that add up exactly at 128-bit security.

    Parameters
    ----------
    total_bound
        Largest absolute total, with the tail of the noise inside.
    additions
        Number of ciphertexts that are added, at most 65,536.
    values
        Length of the vectors, at most 2**26.
    mode
        ``"public"``: sites know a public key only. ``"seeded"``: sites hold the secret key; half the bytes.
    key_holders
        Parties of a threshold key, each of whom is needed to open; 1 for a single key holder.
    flooding_bits
        Bits by which the flooding of partial decryptions must exceed the noise. At least 1 with several key holders.
    quantum
        Ask for 128 bits against quantum attackers.
    pack
        Let several counts share a coefficient.
    reserve_bits
        Bits of the modulus to leave unused (CKKS needs one).
    most_primes
        Largest number of factors of q.

    Returns
    -------
    parameters
        Frozen; print them to see what was chosen.

    Raises
    ------
    InvalidArgument
        An argument is out of its range.
    RangeOverflow
        No parameters hold such totals.
    """
    _check(total_bound, additions, values, mode, key_holders, flooding_bits)
    _whole(reserve_bits, "reserve_bits", 0, LARGEST_PLAIN_BITS)
    _whole(most_primes, "most_primes", 1, 4)
    base = 2 * total_bound + 1
    most_digits = LARGEST_PLAIN_BITS // (base.bit_length() - 1) if pack else 1
    candidates = []
    for dimension, limit in (QUANTUM if quantum else CLASSICAL).items():
        for digits in range(1, most_digits + 1):
            plain_bits = (base**digits - 1).bit_length()
            if plain_bits > LARGEST_PLAIN_BITS:
                break
            used = -(-values // (digits * LANES)) * LANES
            noise = noise_bound(dimension, additions, used, mode, key_holders)
            flood = noise.bit_length() + flooding_bits if flooding_bits else 0
            whole = noise + (key_holders << flood if flood else 0)
            primes = _smallest_modulus(dimension, limit, most_primes, 2 * whole << (plain_bits + reserve_bits))
            if not primes or flood > LARGEST_FLOOD_BITS:
                break
            size = message_bytes(dimension, primes, used, mode, threshold=key_holders > 1)
            candidates.append((size, len(primes), dimension, digits, plain_bits, flood, primes))
    if not candidates:
        flooding = f" with {flooding_bits} bits of flooding" if flooding_bits else ""
        raise RangeOverflow(
            f"no parameters of 128-bit security hold totals up to {total_bound} over {additions} ciphertexts"
            f"{flooding}. Lower the bound of each site, the scale, or the flooding."
        )
    _, _, dimension, digits, plain_bits, flood, primes = min(candidates)
    return Parameters(
        dimension, primes, plain_bits, digits, total_bound, values, additions, mode, key_holders, flood, quantum
    )


def _smallest_modulus(dimension: int, limit: int, most: int, above: int) -> tuple[int, ...]:
    """Return primes of equal width with the smallest product that is large enough, or none."""
    need = above * SLACK // (SLACK - 1) + 1
    for count in range(1, min(most, limit // _LEAST_PRIME_BITS) + 1):
        start = max(_LEAST_PRIME_BITS, need.bit_length() // count)
        for bits in range(start, min(PRIME_BITS, limit // count) + 1):
            primes = ntt_primes(dimension, bits, count)
            if len(primes) == count and math.prod(primes) > need:
                return primes
    return ()


def _check(total_bound: int, additions: int, values: int, mode: str, key_holders: int, flooding_bits: int) -> None:
    _whole(total_bound, "total_bound", 1, 2**63 - 1)
    _whole(additions, "additions", 1, LARGEST_ADDITIONS)
    _whole(values, "values", 1, LARGEST_VALUES)
    _whole(key_holders, "key_holders", 1, LARGEST_ADDITIONS)
    _whole(flooding_bits, "flooding_bits", 0, LARGEST_FLOOD_BITS)
    if mode not in {"public", "seeded"}:
        raise InvalidArgument("mode", "must be 'public' or 'seeded'")
    if (key_holders > 1) != (flooding_bits > 0):
        raise InvalidArgument(
            "flooding_bits",
            "belongs to several key holders and is needed there",
            "Give at least 1 for a threshold key, and none otherwise.",
        )
    if key_holders > 1 and mode == "seeded":
        raise InvalidArgument("mode", "a threshold key is a public key", "Use mode='public'.")


def _whole(value: object, argument: str, least: int, most: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise InvalidArgument(argument, f"must be a whole number between {least} and {most}")
    return value
