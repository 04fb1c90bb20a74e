"""The record of a session: which messages were sent and seen, chained by hashes, without their content."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from pets.config import canonical_json
from pets.errors import TranscriptInvalid
from pets.session.party import Evidence
from pets.session.spec import Spec
from pets.session.wire import HEADER

_FORMAT = "pets transcript 1"


class Verifier(Protocol):
    """Knows the public keys of the parties, as :class:`pets.identity.Roster` does."""

    def verify(self, name: str, statement: bytes, signature: bytes) -> None:
        """Raise unless `signature` is that of `name` on `statement`."""
        ...


@dataclass
class Transcript:
    """Headers of all messages of one party, in order; each contains the digest of its body.

    Parameters
    ----------
    spec
        The contract.
    me
        Whose record it is.
    parties
        Names in the order in which headers count them.
    """

    spec: Spec
    me: str
    parties: tuple[str, ...]
    headers: list[bytes] = field(default_factory=list)
    evidence: list[Evidence] = field(default_factory=list)
    head: bytes = b""

    def __post_init__(self) -> None:
        if not self.head:
            self.head = _genesis(self.spec, self.me)

    def record(self, message: bytes) -> None:
        """Append a message that was sent or accepted."""
        header = message[:HEADER]
        self.headers.append(header)
        self.head = hashlib.sha256(self.head + header).digest()

    def to_dict(self) -> dict[str, Any]:
        """Return the record as plain data: no key, no content, no secret."""
        return {
            "format": _FORMAT,
            "spec": self.spec.to_dict(),
            "me": self.me,
            "parties": list(self.parties),
            "headers": [header.hex() for header in self.headers],
            "evidence": [
                {"party": e.party, "statement": e.statement.decode(), "signature": e.signature.hex()}
                for e in self.evidence
            ],
            "head": self.head.hex(),
        }

    def to_bytes(self) -> bytes:
        """Return the record as canonical JSON."""
        return canonical_json(self.to_dict()).encode()

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Transcript:
        """Return the record that `data` holds, with its chain checked.

        Raises
        ------
        TranscriptInvalid
            A field is missing or malformed, or the chain does not lead to the head it states.
        """
        try:
            if data["format"] != _FORMAT:
                raise TranscriptInvalid("is not of this format")
            spec = Spec.from_dict(data["spec"])
            record = cls(spec, str(data["me"]), tuple(str(name) for name in data["parties"]))
            for header in data["headers"]:
                record._append(bytes.fromhex(header))
            for item in data["evidence"]:
                signature = bytes.fromhex(item["signature"])
                record.evidence.append(Evidence(str(item["party"]), item["statement"].encode(), signature))
            head = bytes.fromhex(data["head"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise TranscriptInvalid(f"cannot be read: {type(error).__name__}") from None
        if head != record.head:
            raise TranscriptInvalid("has a chain that does not lead to the head it states")
        return record

    def _append(self, header: bytes) -> None:
        if len(header) != HEADER:
            raise TranscriptInvalid("holds a header of the wrong length")
        self.record(header)

    def verify(self, roster: Verifier) -> None:
        """Check, as a third party, that all is of one session and each signature is right.

        Raises
        ------
        TranscriptInvalid
            A header belongs to another session, or a statement names another.
        BadSignature
            A signature is not that of the party it is ascribed to.
        """
        session = self.spec.id
        if any(header[20:52] != session for header in self.headers):
            raise TranscriptInvalid("holds a message of another session")
        for item in self.evidence:
            if session.hex().encode() not in item.statement:
                raise TranscriptInvalid(f"holds a statement of {item.party!r} about another session")
            roster.verify(item.party, item.statement, item.signature)


def _genesis(spec: Spec, me: str) -> bytes:
    return hashlib.sha256(b"pets transcript 1\x00" + spec.id + me.encode()).digest()
