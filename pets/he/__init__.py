"""Homomorphic encryption: sums of ciphertexts that only a key holder, or all key holders together, can open."""

from __future__ import annotations

__all__: list[str] = []
