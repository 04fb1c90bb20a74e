"""Layouts of the bodies that masked sums exchange: fixed records, so that their length is known beforehand."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from pets.config import canonical_json
from pets.errors import MessageRejected
from pets.session.bodies import cut

SEED = 32
DIGEST = 32
COMMITMENT = 16
TAG = 16
SHARE = 40
"""One share of a 32-byte secret: five elements of the field modulo 2**61 - 1."""
BOX = 2 * SHARE + 16
"""Two shares, sealed for one site."""
_MAX_SIGNATURE = 8192


def commitment(session: bytes, seed: bytes) -> bytes:
    """Return a hash to which both ends of a pair hold each other's seed."""
    return hashlib.sha256(b"pets pair seed 1\x00" + session + seed).digest()[:COMMITMENT]


def digest(session: bytes, secret: bytes) -> bytes:
    """Return the hash by which a recovered secret is recognised."""
    return hashlib.sha256(b"pets secret 1\x00" + session + secret).digest()


@dataclass(frozen=True)
class Shares:
    """What a site deposits before it sends any value; only the hashes and boxes mean something to the server.

    Parameters
    ----------
    self_digest, recovery_digest
        Hashes of the seed of the self mask and of the recovery secret.
    commitments
        Hash of the seed of each pair, K records; zeros in the site's own place.
    escrow
        Seed of each pair, encrypted under the recovery secret, K records.
    boxes
        Shares of both secrets sealed for each site, K records; zeros in the site's own place.
    """

    self_digest: bytes
    recovery_digest: bytes
    commitments: bytes
    escrow: bytes
    boxes: bytes

    def to_bytes(self) -> bytes:
        """Return the body."""
        return b"".join((self.self_digest, self.recovery_digest, self.commitments, self.escrow, self.boxes))

    @classmethod
    def size(cls, sites: int) -> int:
        """Return the length of the body for so many sites."""
        return 2 * DIGEST + sites * (COMMITMENT + SEED + BOX)

    @classmethod
    def from_bytes(cls, body: bytes, sites: int) -> Shares:
        """Cut the body into its fields.

        Raises
        ------
        MessageRejected
            It has the wrong length.
        """
        return cls(*cut(body, DIGEST, DIGEST, sites * COMMITMENT, sites * SEED, sites * BOX))


def consent(session: bytes, active: tuple[str, ...], dropped: tuple[str, ...]) -> bytes:
    """Return what every site must have been told alike before any unmasks."""
    return canonical_json({"active": list(active), "dropped": list(dropped), "session": session.hex()}).encode()


def statement(common: bytes, sent: bytes) -> bytes:
    """Return what a site signs: the consent, and the SHA-256 of its masked vector, as in the header."""
    return common[:-1] + b',"sent":"' + sent.hex().encode() + b'"}'


def signed(signature: bytes) -> bytes:
    """Return a signature with its length before it."""
    return len(signature).to_bytes(2, "little") + signature


def split_signed(body: bytes) -> tuple[bytes, bytes]:
    """Return the signature and the rest of `body`.

    Raises
    ------
    MessageRejected
        It does not hold what its length says.
    """
    length = int.from_bytes(body[:2], "little")
    if len(body) < 2 + length or length > _MAX_SIGNATURE:
        raise MessageRejected("holds no whole signature")
    return body[2 : 2 + length], body[2 + length :]


CONSENT_ROOM = 2 + _MAX_SIGNATURE
"""Most bytes of a signature with its length."""
