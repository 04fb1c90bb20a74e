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
from pets.session.spec import SERVER, Spec
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
        """Check the record as a third party, and return the sites whose signatures are in it.

        In a masked sum at least the threshold of those in the total must have signed who is in it, as an honest
        collector never unmasks with fewer. In other protocols sites sign nothing: the record then shows what the
        collector says, and no more. It never shows that the total is right.

        Parameters
        ----------
        roster
            The parties' public keys, pinned.
        release
            The published document, to see that it is the one of this session.

        Raises
        ------
        TranscriptInvalid
            The record contradicts itself, the roster, or the release, or too few sites signed.
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
        said = self.transcript.verify(SessionVoices(roster, session))
        signers = tuple(sorted({item.party for item in self.transcript.evidence}))
        summed = _summed(spec, signers, said) if is_signed_by_sites(spec) else None
        if release is not None:
            if hashlib.sha256(release).hexdigest() != self.release:
                raise TranscriptInvalid("is not that of this release")
            _check_release(release, spec, summed)
        return signers


def is_signed_by_sites(spec: Spec) -> bool:
    """Return whether sites sign, in the protocol of this contract, who is in the total and what they sent."""
    return spec.aggregator.get("type") == "masked_sum"


def fewest_signers(spec: Spec) -> int:
    """Return the threshold of a masked sum: how many sites must have agreed on who is in the total.

    Raises
    ------
    TranscriptInvalid
        The contract names one under which a lying collector could have had two totals.
    """
    count = len(spec.sites)
    threshold = spec.aggregator.get("threshold", max(-(-2 * count // 3), count // 2 + 1))
    if isinstance(threshold, bool) or not isinstance(threshold, int) or not count < 2 * threshold <= 2 * count:
        raise TranscriptInvalid("is of a contract whose threshold does not fit its sites")
    return threshold


def _summed(spec: Spec, signers: tuple[str, ...], said: Mapping[str, Any]) -> set[str]:
    """Return the sites that are in the total, as enough of them signed."""
    needed = fewest_signers(spec)
    if len(signers) < needed:
        raise TranscriptInvalid(f"holds the signatures of {len(signers)} sites, and this sum needs those of {needed}")
    active = said.get("active")
    summed = {str(name) for name in active} if isinstance(active, list) else set()
    if not set(signers) <= summed <= set(spec.sites):
        raise TranscriptInvalid("holds the signature of a party that is not in the total")
    return summed


def _check_release(release: bytes, spec: Spec, summed: set[str] | None) -> None:
    """Refuse a release that says of itself otherwise than the contract, or than the sites signed."""
    try:
        origin = parse_json(release, max_bytes=MAX_BYTES)["provenance"]
        sites, aggregator = [str(name) for name in origin["sites"]], dict(origin["aggregator"])
    except (ConfigError, KeyError, TypeError, ValueError):
        raise TranscriptInvalid("is of a release that does not say where it comes from") from None
    if canonical_json(aggregator) != canonical_json(dict(spec.aggregator)):
        raise TranscriptInvalid("is of a session with another aggregator than the release names")
    if not set(sites) <= set(spec.sites) or (summed is not None and set(sites) != summed):
        raise TranscriptInvalid("is of a session whose total is over other sites than the release names")
