"""The algorithms, all of them from the package `cryptography`, and the only module that names them.

=================  ==============================================================================
signatures         Ed25519 (RFC 8032) *and* ML-DSA-65 (FIPS 204, NIST category 3)
sealing            HPKE (RFC 9180) with the KEM MLKEM768-X25519, HKDF-SHA256, ChaCha20-Poly1305
files at rest      ChaCha20-Poly1305 (RFC 8439) under HKDF-SHA256; Argon2id (RFC 9106) for passphrases
key derivation     HKDF-SHA256 (RFC 5869)
=================  ==============================================================================

*Why two of each.* Lattice schemes are young and elliptic curves fall to a quantum computer. A signature
counts only if both halves verify, so a forger must break both. The KEM hashes the ML-KEM-768 and the X25519
secret together with the X25519 values (the combiner of X-Wing, which IANA lists as HPKE KEM 0x647a), so what is
sealed stays closed as long as *one* of the two holds.

References
----------
R. Barnes, K. Bhargavan, B. Lipp, C. Wood, "Hybrid Public Key Encryption", RFC 9180, 2022.
R. Barnes, D. Connolly, "Post-Quantum and Post-Quantum/Traditional Hybrid Algorithms for HPKE", draft-ietf-hpke-pq.
D. Connolly, P. Schwabe, B. Westerbaan, "X-Wing: general-purpose hybrid post-quantum KEM",
    draft-connolly-cfrg-xwing-kem;
    M. Barbosa et al., IACR Communications in Cryptology 1(1), 2024 (proof: IND-CCA if either part is secure).
M. Ounsworth et al., "Composite ML-DSA for use in X.509", draft-ietf-lamps-pq-composite-sigs (both halves sign
    one message with one prefix).
"""

from __future__ import annotations

import hmac
from typing import Self

import cryptography
from cryptography.exceptions import InvalidSignature, InvalidTag, UnsupportedAlgorithm

from pets.errors import InvalidArgument, UnsupportedCryptography

NEEDED = "48.0.0"
"""First version of `cryptography` whose wheels offer all of ML-KEM-768, ML-DSA-65 and HPKE."""

try:
    from cryptography.hazmat.primitives.asymmetric import ed25519, mldsa, mlkem, x25519
    from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
    from cryptography.hazmat.primitives.hpke import (
        AEAD,
        KDF,
        KEM,
        MLKEM768X25519PrivateKey,
        MLKEM768X25519PublicKey,
        Suite,
    )
    from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

    # Version 47 has the classes, but its wheels raise only when a key is made.
    mldsa.MLDSA65PrivateKey.from_seed_bytes(bytes(32))
    mlkem.MLKEM768PrivateKey.from_seed_bytes(bytes(64))
    _SUITE = Suite(KEM.MLKEM768_X25519, KDF.HKDF_SHA256, AEAD.CHACHA20_POLY1305)
except (ImportError, AttributeError, UnsupportedAlgorithm) as error:
    raise UnsupportedCryptography(NEEDED, cryptography.__version__) from error

KEY = 32
"""Bytes of every symmetric key."""

ED25519_PUBLIC, ML_DSA_PUBLIC, HPKE_PUBLIC = 32, 1952, 1184 + 32
SIGNING_SEED, SEALING_SEED = 32 + 32, 64 + 32
ED25519_SIGNATURE, ML_DSA_SIGNATURE = 64, 3309
SIGNATURE = ED25519_SIGNATURE + ML_DSA_SIGNATURE
SEAL_OVERHEAD = 1088 + 32 + 16
SEALED_KEY = KEY + SEAL_OVERHEAD

_ML_DSA_CONTEXT = b"pets signature v1"  # FIPS 204 section 5.2: the scheme's own domain separation, on top of ours


class SigningKey:
    """An Ed25519 and an ML-DSA-65 key that only ever sign together."""

    __slots__ = ("_ed25519", "_ml_dsa")

    def __init__(self, seed: bytes) -> None:
        self._ed25519 = ed25519.Ed25519PrivateKey.from_private_bytes(seed[:32])
        self._ml_dsa = mldsa.MLDSA65PrivateKey.from_seed_bytes(seed[32:])

    @classmethod
    def new(cls) -> Self:
        """Return a fresh key from the operating system's randomness."""
        parts = ed25519.Ed25519PrivateKey.generate(), mldsa.MLDSA65PrivateKey.generate()
        key = cls.__new__(cls)
        key._ed25519, key._ml_dsa = parts
        return key

    def seed(self) -> bytes:
        """Return the 64 secret bytes the key can be made from again."""
        return self._ed25519.private_bytes_raw() + self._ml_dsa.private_bytes_raw()

    def public(self) -> tuple[bytes, bytes]:
        """Return the Ed25519 and the ML-DSA-65 public key."""
        return self._ed25519.public_key().public_bytes_raw(), self._ml_dsa.public_key().public_bytes_raw()

    def sign(self, message: bytes) -> bytes:
        """Return both signatures of `message`, 3373 bytes. ML-DSA signs with fresh randomness: no two are equal."""
        return self._ed25519.sign(message) + self._ml_dsa.sign(message, _ML_DSA_CONTEXT)


class VerifyingKey:
    """The public halves of a :class:`SigningKey`."""

    __slots__ = ("_ed25519", "_ml_dsa")

    def __init__(self, ed25519_key: bytes, ml_dsa_key: bytes) -> None:
        self._ed25519 = ed25519.Ed25519PublicKey.from_public_bytes(ed25519_key)
        self._ml_dsa = mldsa.MLDSA65PublicKey.from_public_bytes(ml_dsa_key)

    def refuted(self, signature: bytes, message: bytes) -> tuple[str, ...]:
        """Return the names of the halves of `signature` that do not verify; none if it is good."""
        bad = []
        try:
            self._ed25519.verify(signature[:ED25519_SIGNATURE], message)
        except InvalidSignature:
            bad.append("Ed25519")
        try:
            self._ml_dsa.verify(signature[ED25519_SIGNATURE:], message, _ML_DSA_CONTEXT)
        except InvalidSignature:
            bad.append("ML-DSA-65")
        return tuple(bad)


class SealingKey:
    """The secret key that opens what was sealed to its public half."""

    __slots__ = ("_ml_kem", "_pair", "_x25519")

    def __init__(self, seed: bytes) -> None:
        self._ml_kem = mlkem.MLKEM768PrivateKey.from_seed_bytes(seed[:64])
        self._x25519 = x25519.X25519PrivateKey.from_private_bytes(seed[64:])
        self._pair = MLKEM768X25519PrivateKey(self._ml_kem, self._x25519)

    @classmethod
    def new(cls) -> Self:
        """Return a fresh key from the operating system's randomness."""
        key = cls.__new__(cls)
        key._ml_kem, key._x25519 = mlkem.MLKEM768PrivateKey.generate(), x25519.X25519PrivateKey.generate()
        key._pair = MLKEM768X25519PrivateKey(key._ml_kem, key._x25519)
        return key

    def seed(self) -> bytes:
        """Return the 96 secret bytes the key can be made from again."""
        return self._ml_kem.private_bytes_raw() + self._x25519.private_bytes_raw()

    def public(self) -> bytes:
        """Return the public key: ML-KEM-768 first, X25519 after it."""
        return self._ml_kem.public_key().public_bytes_raw() + self._x25519.public_key().public_bytes_raw()

    def open(self, ciphertext: bytes, info: bytes) -> bytes | None:
        """Return what was sealed, or None if it was sealed to another key, for another `info`, or was changed."""
        try:
            return _SUITE.decrypt(ciphertext, self._pair, info)
        except (InvalidTag, ValueError):
            return None


def seal(public: bytes, plaintext: bytes, info: bytes) -> bytes:
    """Return `plaintext` sealed to a public key; it grows by 1136 bytes.

    Raises
    ------
    InvalidArgument
        `public` is not a key that anything can be sealed to.
    """
    try:
        ml_kem = mlkem.MLKEM768PublicKey.from_public_bytes(public[:1184])
        curve = x25519.X25519PublicKey.from_public_bytes(public[1184:])
        return _SUITE.encrypt(plaintext, MLKEM768X25519PublicKey(ml_kem, curve), info)
    except ValueError:
        raise InvalidArgument("public", "is not a usable public key for sealing") from None


def hkdf_extract(salt: bytes, secret: bytes) -> bytes:
    """Return the pseudo-random key of RFC 5869 section 2.2."""
    return hmac.digest(salt, secret, "sha256")


def hkdf_expand(key: bytes, info: bytes) -> bytes:
    """Return the first 32 bytes of RFC 5869 section 2.3: exactly its first block."""
    return hmac.digest(key, info + b"\x01", "sha256")


def aead_encrypt(key: bytes, plaintext: bytes, header: bytes) -> bytes:
    """Encrypt under a key that is never used again (hence nonce zero); `header` is authenticated beside it."""
    return ChaCha20Poly1305(key).encrypt(bytes(12), plaintext, header)


def aead_decrypt(key: bytes, ciphertext: bytes, header: bytes) -> bytes | None:
    """Return the plaintext, or None if key, header or ciphertext are not the right ones."""
    try:
        return ChaCha20Poly1305(key).decrypt(bytes(12), ciphertext, header)
    except InvalidTag:
        return None


def stretch(passphrase: str, salt: bytes) -> bytes:
    """Return a key from a passphrase: Argon2id, second recommended choice of RFC 9106 (64 MiB, 3 passes, 4 lanes)."""
    kdf = Argon2id(salt=salt, length=KEY, iterations=3, lanes=4, memory_cost=64 * 1024)
    return kdf.derive(passphrase.encode())
