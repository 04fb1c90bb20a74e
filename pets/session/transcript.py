"""The record of a session: which messages were sent and seen, chained by hashes, without their content."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from pets.config import canonical_json
from pets.errors import MessageRejected, RangeOverflow, TranscriptInvalid
from pets.session.party import Evidence
from pets.session.spec import Spec
from pets.session.wire import HEADER, Header, read_fields

_FORMAT = "pets transcript 1"


class Verifier(Protocol):
    """Knows the public keys of the parties and the session, as :class:`pets.identity.SessionKeys` does."""

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
    headers
        The 100 bytes of each message that was sent or accepted.
    evidence
        Statements that parties signed.
    """

    spec: Spec
    me: str
    parties: tuple[str, ...]
    headers: list[bytes] = field(default_factory=list)
    evidence: list[Evidence] = field(default_factory=list)

    def record(self, message: bytes) -> None:
        """Append a message that was sent or accepted."""
        self.headers.append(message[:HEADER])

    @property
    def head(self) -> bytes:
        """Digest of the whole record: each header and each signed statement, in order."""
        head = _genesis(self.spec, self.me, self.parties)
        for header in self.headers:
            head = hashlib.sha256(head + header).digest()
        for item in self.evidence:
            for part in (item.party.encode(), item.statement, item.signature):
                head = hashlib.sha256(head + hashlib.sha256(part).digest()).digest()
        return head

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
            known = data["format"] == _FORMAT
            spec = Spec.from_dict(data["spec"])
            record = cls(spec, str(data["me"]), tuple(str(name) for name in data["parties"]))
            for header in data["headers"]:
                record.record(bytes.fromhex(header))
            for item in data["evidence"]:
                signature = bytes.fromhex(item["signature"])
                record.evidence.append(Evidence(str(item["party"]), item["statement"].encode(), signature))
            head = bytes.fromhex(data["head"])
        except (KeyError, TypeError, ValueError, AttributeError, RangeOverflow) as error:
            raise TranscriptInvalid(f"cannot be read: {type(error).__name__}") from None
        if not known:
            raise TranscriptInvalid("is not of this format")
        if head != record.head:
            raise TranscriptInvalid("has a chain that does not lead to the head it states")
        return record

    def verify(self, roster: Verifier) -> dict[str, Any]:
        """Check, as a third party, that all is of one session, that those who signed say the same, and each signature.

        Return what all who signed say, without the session and their own messages; nothing if nobody signed.

        What a party signs is a JSON object. Under ``session`` stands the session, under ``sent`` the digest of a
        message that this party sent; all else must be the same for everybody.

        Raises
        ------
        TranscriptInvalid
            A header belongs to another session or comes twice, a statement is about another session or about a message
            that is not in the record, or two statements contradict each other.
        BadSignature, UnknownParty
            A signature is not that of the party it is ascribed to.
        """
        sent = self._digests_by_sender()
        common: dict[str, Any] | None = None
        for item in self.evidence:
            said = _read_statement(item)
            if said.pop("session", None) != self.spec.id.hex():
                raise TranscriptInvalid(f"holds a statement of {item.party!r} about another session")
            if said.pop("sent", None) not in (None, *sent.get(item.party, ())):
                raise TranscriptInvalid(f"holds a statement of {item.party!r} about a message that is not in it")
            if common not in (None, said):
                raise TranscriptInvalid(f"holds a statement of {item.party!r} that contradicts another party's")
            common = said
            roster.verify(item.party, item.statement, item.signature)
        return common or {}

    def _digests_by_sender(self) -> dict[str, set[str]]:
        digests: dict[str, set[str]] = {}
        places = set()
        for packed in self.headers:
            header = self._checked(packed)
            place = (header.sender, header.recipient, header.sequence)
            if place in places:
                raise TranscriptInvalid("holds two messages in one place")
            places.add(place)
            digests.setdefault(self.parties[header.sender], set()).add(header.digest.hex())
        return digests

    def _checked(self, packed: bytes) -> Header:
        try:
            header = read_fields(packed)
        except MessageRejected as error:
            raise TranscriptInvalid(f"holds a header that {error.problem}") from None
        if len(packed) != HEADER:
            raise TranscriptInvalid("holds a header of the wrong length")
        if header.session != self.spec.id:
            raise TranscriptInvalid("holds a message of another session")
        both = {header.sender, header.recipient}
        if len(both) < 2 or max(both) >= len(self.parties) or self.me not in {self.parties[place] for place in both}:
            raise TranscriptInvalid("holds a message between others")
        return header


def _read_statement(item: Evidence) -> dict[str, Any]:
    try:
        said = json.loads(item.statement)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise TranscriptInvalid(f"holds a statement of {item.party!r} that cannot be read")
    return said


def _genesis(spec: Spec, me: str, parties: tuple[str, ...]) -> bytes:
    return hashlib.sha256(b"pets transcript 1\x00" + spec.id + canonical_json([me, *parties]).encode()).digest()
