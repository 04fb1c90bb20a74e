"""How the collector tells the others that a session is over: signed, since it makes them forget their keys."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

from pets.config import canonical_json, parse_json
from pets.errors import ConfigError, MessageRejected
from pets.identity import Identity, PublicIdentity
from pets.identity.primitives import SIGNATURE

CONTEXT = "session end"
RELEASED, STOPPED, DROPPED = "released", "stopped", "dropped"


@dataclass(frozen=True)
class Ending:
    """The end of a session, for one party.

    Parameters
    ----------
    session
        Hexadecimal id of the spec.
    party
        Whom it is for.
    result
        ``released``; ``stopped``, when there is no total; ``dropped``, when this party was late.
    why
        In words.
    """

    session: str
    party: str
    result: str
    why: str

    def sign(self, identity: Identity) -> bytes:
        """Return the document with the collector's signature."""
        content = canonical_json(asdict(self)).encode()
        return identity.sign(content, CONTEXT) + content

    @classmethod
    def read(cls, body: bytes, server: PublicIdentity, session: str, party: str) -> Ending:
        """Return the ending in a signed document.

        Raises
        ------
        BadSignature
            The collector did not sign it.
        MessageRejected
            It is no ending of this session, or one for another party.
        """
        server.verify(body[:SIGNATURE], body[SIGNATURE:], CONTEXT)
        try:
            data = parse_json(body[SIGNATURE:], max_bytes=2**16)
            ending = cls(**{field.name: str(data[field.name]) for field in fields(cls)})
        except (ConfigError, KeyError):
            raise MessageRejected("is no end of a session") from None
        if ending.session != session or ending.result not in (RELEASED, STOPPED, DROPPED):
            raise MessageRejected("is the end of another session")
        if ending.party != party:
            raise MessageRejected("is the end of the session for another party")
        return ending


def printable(text: str, most: int = 500) -> str:
    """Return what somebody else wrote, fit for a terminal."""
    return "".join(letter if letter.isprintable() else " " for letter in text[:most])
