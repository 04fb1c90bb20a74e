"""The record of a session that a third party can check: the collector's transcript, the study, and the release."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pets.config import canonical_json, parse_json
from pets.errors import ConfigError, TranscriptInvalid
from pets.identity import Identity, Roster, SessionVoices, study_id
from pets.identity.ratchet import session_id
from pets.session.spec import SERVER
from pets.session.transcript import Transcript

MAX_BYTES = 512 * 2**20
_FORMAT = "pets session record 1"
_CONTEXT = "session record"
_KEYS = {"format", "study", "release", "transcript", "signature"}


@dataclass(frozen=True)
class Record:
    """What the collector publishes beside the release.

    Parameters
    ----------
    transcript
        Its record of all messages, with what the sites signed.
    purpose, epoch
        Which agreement on keys the session used.
    release
        SHA-256 of the release document, in hexadecimal digits.
    signature
        Of the collector, over all this.
    """

    transcript: Transcript
    purpose: str
    epoch: int
    release: str
    signature: bytes = b""

    @classmethod
    def sign(cls, identity: Identity, transcript: Transcript, purpose: str, epoch: int, release: bytes) -> Record:
        """Return the record with the collector's signature."""
        draft = cls(transcript, purpose, epoch, hashlib.sha256(release).hexdigest())
        signature = identity.sign(draft._content(), _CONTEXT)
        return cls(draft.transcript, draft.purpose, draft.epoch, draft.release, signature)

    def _data(self) -> dict[str, Any]:
        study = {"purpose": self.purpose, "epoch": self.epoch}
        return {"format": _FORMAT, "study": study, "release": self.release, "transcript": self.transcript.to_dict()}

    def _content(self) -> bytes:
        return canonical_json(self._data()).encode()

    def to_json(self) -> str:
        """Return the document: no key, no content, no secret."""
        return canonical_json(self._data() | {"signature": self.signature.hex()})

    @classmethod
    def from_json(cls, text: str | bytes) -> Record:
        """Return the record in a document; nothing is verified but the chain of its transcript.

        Raises
        ------
        TranscriptInvalid
            It is no record.
        """
        try:
            data = parse_json(text, max_bytes=MAX_BYTES)
            study = data["study"]
            if set(data) != _KEYS or data["format"] != _FORMAT or not isinstance(data["transcript"], Mapping):
                raise TranscriptInvalid("is not of this format")
            transcript = Transcript.from_dict(data["transcript"])
            signature = bytes.fromhex(data["signature"])
            return cls(transcript, str(study["purpose"]), int(study["epoch"]), str(data["release"]), signature)
        except (ConfigError, KeyError, TypeError, ValueError) as error:
            if isinstance(error, TranscriptInvalid):
                raise
            raise TranscriptInvalid(f"cannot be read: {type(error).__name__}") from None

    def verify(self, roster: Roster, release: bytes | None = None) -> tuple[str, ...]:
        """Check the record as a third party, and return the parties whose signatures are in it.

        Parameters
        ----------
        roster
            The parties' public keys, pinned.
        release
            The published document, to see that it is the one of this session.

        Raises
        ------
        TranscriptInvalid
            The record contradicts itself, the roster, or the release.
        BadSignature, UnknownParty
            A signature is not that of the party it is ascribed to.
        """
        spec = self.transcript.spec
        if self.transcript.me != SERVER:
            raise TranscriptInvalid("is not the collector's")
        if spec.roster != roster.digest.hex():
            raise TranscriptInvalid("is of a session of another roster")
        roster[SERVER].verify(self.signature, self._content(), _CONTEXT)
        session = session_id(study_id(roster, self.purpose, self.epoch), spec.number, spec.id)
        self.transcript.verify(SessionVoices(roster, session))
        if release is not None and hashlib.sha256(release).hexdigest() != self.release:
            raise TranscriptInvalid("is not that of this release")
        return tuple(sorted({item.party for item in self.transcript.evidence}))
