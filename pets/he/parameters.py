"""From what is to be added up to the smallest ciphertext that holds it.

**Security.** Ternary secrets, centred binomial noise of standard deviation 3.24. The modulus q of dimension n has at
most as many bits as the stricter of two tables for 128-bit security allows, the standard of 2018 and the guidelines of
2024; both count classical attackers, `quantum=True` asks for 128 bits against quantum ones, by the same tables.

**Correctness.** With P key holders (1 unless threshold), K ciphertexts added and N coefficients in use, the noise of
the sum, before flooding, stays below ::

    E = sqrt(2 V ln(2 N 2^65)) + K
    V = 10.5 K                                           seeded symmetric ciphertexts
    V = K (10.5 + 10.5 S + (2/3) 1.6 n 10.5 P)           public-key ciphertexts
    S = n for one key holder, 1.6 n (2/3) P for several

in every coefficient except with probability 2^-64. Proof: an addition's noise is ``e0 + e1 s + u e``. Given the key (s,
e) it is a sum of independent terms, and both laws are strictly sub-Gaussian (the centred binomial because it is a sum
of signs, the uniform law on -1, 0, 1 because ``(1 + 2 cosh x) / 3 <= exp(x^2 / 3)``), so the sum over K sites is
sub-Gaussian with proxy ``K (10.5 + 10.5 |s|^2 + (2/3) |e|^2)``. A single s has ``|s|^2 <= n``; otherwise a squared norm
exceeds 1.6 times its mean with probability at most ``exp(-n (0.6 - ln 1.6) / 2) < 2^-95`` for n >= 1024. The union over
N coefficients and two sides leaves 2^-65. Rounding q m / t adds less than 1 for each ciphertext: the K at the end.
The ciphertexts must be independent: the same one added twice, or a weight, is outside of this bound.
With P flooding terms below ``2^f`` each, a total decrypts exactly when ``2 t (E + P 2^f) < q (1 - 2^-10)``.

References
----------
Albrecht et al., "Homomorphic Encryption Standard", 2018, table 1.
Bossuat et al., "Security Guidelines for Implementing Homomorphic Encryption", ePrint 2024/463, table 5.2.
Laurent and Massart, "Adaptive estimation of a quadratic functional", 2000 (norms of sub-Gaussian vectors).
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import Literal

from pets.errors import InvalidArgument, RangeOverflow
from pets.he.bits import LANES, packed_bytes
from pets.he.sampling import NOISE_VARIANCE, SECRET_VARIANCE, SEED_BYTES

Mode = Literal["public", "seeded"]

CLASSICAL = {1024: 26, 2048: 53, 4096: 106, 8192: 214}
"""Bits of q: minimum of the 2018 (27, 54, 109, 218) and the 2024 table (26, 53, 106, 214)."""

QUANTUM = {1024: 20, 2048: 40, 4096: 80, 8192: 161}
"""The same against quantum attackers: minimum of 2018 (25, 51, 101, 202) and 2024 (20, 40, 80, 161)."""

FAILURE_BITS = 64
LARGEST_PLAIN_BITS = 60
LARGEST_ADDITIONS = 2**16
LARGEST_VALUES = 2**26
LARGEST_FLOOD_BITS = 62

_NORM_FACTOR = 1.6
SLACK = 1024


@dataclass(frozen=True)
class Parameters:
    """Everything that two parties must agree on to read each other's ciphertexts.

    Made by :func:`pets.he.choice.choose_parameters`.

    Attributes
    ----------
    dimension
        Ring dimension n.
    primes
        Factors of the ciphertext modulus q.
    plain_bits
        The plaintext modulus is ``t = 2**plain_bits``.
    digits
        How many counts share one coefficient.
    total_bound
        Largest absolute total of one count, noise included.
    values
        Length of the vectors that are added.
    additions
        Largest number of ciphertexts that are added, K.
    mode
        ``"public"`` or ``"seeded"``.
    key_holders
        How many parties open the sum together, P; 1 without threshold.
    flood_bits
        Partial decryptions are flooded with uniform noise below ``2**flood_bits``; 0 without threshold.
    quantum
        Whether the 128 bits are against quantum attackers.
    """

    dimension: int
    primes: tuple[int, ...]
    plain_bits: int
    digits: int
    total_bound: int
    values: int
    additions: int
    mode: Mode
    key_holders: int = 1
    flood_bits: int = 0
    quantum: bool = False

    def __post_init__(self) -> None:
        limit = (QUANTUM if self.quantum else CLASSICAL).get(self.dimension, 0)
        if self.modulus.bit_length() > limit:
            raise InvalidArgument(
                "primes",
                f"more than {limit} bits in dimension {self.dimension} fall short of 128-bit security",
                "Take what choose_parameters gives.",
            )
        if self.base**self.digits > 2**self.plain_bits or not self.decrypts:
            raise RangeOverflow(
                f"{self.digits} totals up to {self.total_bound} do not fit below a modulus of "
                f"{self.modulus.bit_length()} bits with its noise"
            )

    @property
    def modulus(self) -> int:
        """Ciphertext modulus q."""
        return math.prod(self.primes)

    @property
    def base(self) -> int:
        """Counts that share a coefficient are digits in this base, centred about zero."""
        return 2 * self.total_bound + 1

    @property
    def used(self) -> int:
        """Coefficients in use, a multiple of 64."""
        return -(-self.values // (self.digits * LANES)) * LANES

    @property
    def polynomials(self) -> int:
        """Ring elements that the coefficients in use take."""
        return -(-self.used // self.dimension)

    @property
    def noise_bound(self) -> int:
        """Absolute bound on the noise of the sum before flooding, except with probability 2^-64."""
        return noise_bound(self.dimension, self.additions, self.used, self.mode, self.key_holders)

    @property
    def total_noise(self) -> int:
        """Absolute bound on all noise of the sum, flooding included, except with probability 2^-64."""
        return self.noise_bound + (self.key_holders << self.flood_bits if self.flood_bits else 0)

    @property
    def decrypts(self) -> bool:
        """Whether totals decrypt exactly, except with probability 2^-64."""
        return (2 * self.total_noise << self.plain_bits) * SLACK < self.modulus * (SLACK - 1)

    @property
    def noise_budget(self) -> float:
        """Bits that are left at least after all additions: SEAL's invariant noise budget, before flooding."""
        return math.log2(self.modulus) - self.plain_bits - 1 - math.log2(self.noise_bound)

    @property
    def flooding_bits(self) -> float:
        """Bits by which the flooding of one partial decryption exceeds the noise that it hides."""
        return self.flood_bits - math.log2(self.noise_bound) if self.flood_bits else 0.0

    @property
    def flooding_distance_bits(self) -> float:
        """The partial decryptions of one whole session are within 2 to minus this of saying nothing but the sum.

        Moving a uniform variable on ``2**(f+1)`` integers by at most E changes it by E / 2**(f+1) in statistical
        distance; there are N coefficients. Zero or less means that no such promise is made: what hides the noise then
        are the masks between the parties, or the hardness of finding a key from partly known noise.
        """
        if not self.flood_bits:
            return 0.0
        return self.flood_bits + 1 - math.log2(self.noise_bound) - math.log2(self.used)

    @property
    def ciphertext_bytes(self) -> int:
        """Bytes of one site's ciphertext, without its header."""
        return message_bytes(self.dimension, self.primes, self.used, self.mode, threshold=False)

    @property
    def partial_bytes(self) -> int:
        """Bytes of one partial decryption, without its header."""
        return packed_bytes(len(self.primes) * self.used, self.primes[0].bit_length())

    @property
    def bytes_per_value(self) -> float:
        """Bytes that one site sends for each value."""
        return self.ciphertext_bytes / float(self.values)

    @property
    def digest(self) -> bytes:
        """16 bytes that identify these parameters; part of every message."""
        fields = (
            self.dimension,
            self.primes,
            self.plain_bits,
            self.digits,
            self.total_bound,
            self.values,
            self.additions,
            self.mode,
            self.key_holders,
            self.flood_bits,
            self.quantum,
        )
        return hashlib.sha256(b"pets/he/parameters/1\0" + repr(fields).encode()).digest()[:16]

    def __repr__(self) -> str:
        limit = (QUANTUM if self.quantum else CLASSICAL)[self.dimension]
        flooding = (
            f", {self.key_holders} key holders, flooding {self.flooding_bits:.0f} bits above the noise"
            if self.flood_bits
            else ""
        )
        return (
            f"Parameters({self.mode}: n={self.dimension}, q of {self.modulus.bit_length()} bits where 128-bit "
            f"{'quantum' if self.quantum else 'classical'} security allows {limit}, t=2^{self.plain_bits}, "
            f"{self.digits} per coefficient, {self.values} totals up to {self.total_bound} of {self.additions} "
            f"ciphertexts, noise below 2^{math.log2(self.noise_bound):.1f}{flooding}, "
            f"{self.bytes_per_value:.2f} bytes per value)"
        )


def noise_bound(dimension: int, additions: int, used: int, mode: Mode, key_holders: int = 1) -> int:
    """Return E of this module's head: the noise of a sum, exceeded anywhere with probability at most 2^-64."""
    proxy = NOISE_VARIANCE
    if mode == "public":
        secret = dimension if key_holders == 1 else _NORM_FACTOR * dimension * SECRET_VARIANCE * key_holders
        errors = _NORM_FACTOR * dimension * NOISE_VARIANCE * key_holders
        proxy += NOISE_VARIANCE * secret + SECRET_VARIANCE * errors
    log = math.log(2 * used) + (FAILURE_BITS + 1) * math.log(2)
    return math.ceil(math.sqrt(2 * additions * proxy * log)) + additions


def message_bytes(dimension: int, primes: tuple[int, ...], used: int, mode: Mode, *, threshold: bool) -> int:
    """Return what one site sends: its ciphertext, and with `threshold` its key share and partial decryption."""
    width = sum(p.bit_length() for p in primes)
    first = packed_bytes(used, width)
    second = SEED_BYTES if mode == "seeded" else packed_bytes(-(-used // dimension) * dimension, width)
    return first + second + (first + packed_bytes(dimension, width) if threshold else 0)
