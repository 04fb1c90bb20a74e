"""What a platform carries between the collector and a site: a kind, a small plain head, and sealed bodies."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from pets.config import canonical_json, parse_json
from pets.errors import MessageRejected, PetsError, QueryRefused

MAX_BYTES = 256 * 2**20
"""Longest parcel that is read."""


@dataclass(frozen=True)
class Parcel:
    """One message or one reply.

    Parameters
    ----------
    kind
        ``'hello'``, ``'agree'``, ``'sum'`` or ``'end'``; of a reply also ``'refused'``.
    head
        Plain data; public to the platform.
    bodies
        Messages of the key agreement or the secure sum. They protect themselves.
    """

    kind: str
    head: Mapping[str, Any] = field(default_factory=dict)
    bodies: tuple[bytes, ...] = ()

    @classmethod
    def refused(cls, error: PetsError) -> Self:
        """Return the reply for a refusal; its reason is public, as every refusal by a guard is."""
        if isinstance(error, QueryRefused):
            return cls("refused", {"code": error.code, "reason": error.reason})
        return cls("refused", {"code": "failed", "reason": "the site could not take part; only its own files say why"})

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {
            "kind": self.kind,
            "head": dict(self.head),
            "bodies": [base64.b64encode(body).decode() for body in self.bodies],
        }

    def head_json(self) -> str:
        """Return kind and head as canonical JSON, for platforms that carry bytes as they are."""
        return canonical_json({"kind": self.kind, "head": dict(self.head)})

    @classmethod
    def from_dict(cls, data: object) -> Self:
        """Return the parcel in plain data.

        Raises
        ------
        MessageRejected
            It is none.
        """
        if not isinstance(data, Mapping) or not isinstance(data.get("bodies"), list):
            raise MessageRejected("is no parcel")
        try:
            bodies = [base64.b64decode(text, validate=True) for text in data["bodies"]]
        except (binascii.Error, TypeError, ValueError):
            raise MessageRejected("holds a body that is no base64") from None
        return cls.from_parts(data, bodies)

    @classmethod
    def from_parts(cls, head: object, bodies: object) -> Self:
        """Return the parcel of a head, as JSON or plain data, and its bodies.

        Raises
        ------
        MessageRejected
            They are none.
        """
        if isinstance(head, str | bytes):
            try:
                head = parse_json(head, max_bytes=MAX_BYTES)
            except PetsError:
                raise MessageRejected("has a head that cannot be read") from None
        if not isinstance(head, Mapping) or not isinstance(bodies, list | tuple):
            raise MessageRejected("is no parcel")
        if not isinstance(head.get("kind"), str) or not isinstance(head.get("head"), Mapping):
            raise MessageRejected("is no parcel")
        if not all(isinstance(body, bytes) for body in bodies):
            raise MessageRejected("holds a body that is no bytes")
        return cls(head["kind"], head["head"], tuple(bodies))
