"""Keys of one session, as the engine needs them."""

from __future__ import annotations

import hmac
from typing import Protocol


class Keys(Protocol):
    """Keys that one party holds in one session; :class:`pets.identity.SessionKeys` is the real thing."""

    def pair(self, peer: str, label: str) -> bytes:
        """Return 32 bytes shared with `peer`."""
        ...

    def sign(self, statement: bytes) -> bytes:
        """Return a signature of `statement`."""
        ...

    def verify(self, name: str, statement: bytes, signature: bytes) -> None:
        """Raise unless `signature` is that of `name` on `statement`."""
        ...


class NoKeys:
    """For a protocol that protects nothing: every tag is a mere checksum and nothing is signed."""

    def pair(self, peer: str, label: str) -> bytes:
        """Return a constant."""
        return bytes(32)

    def sign(self, statement: bytes) -> bytes:
        """Return no signature."""
        return b""

    def verify(self, name: str, statement: bytes, signature: bytes) -> None:
        """Accept."""


def derive(key: bytes, label: str) -> bytes:
    """Return 32 bytes for one purpose: the expand step of HKDF-SHA-256 (RFC 5869) with one block."""
    return hmac.digest(key, label.encode() + b"\x01", "sha256")
