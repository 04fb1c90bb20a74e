"""The keys of one session: derived, used, forgotten. They are never written to a disk by this module."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

from pets.errors import InvalidArgument, UnknownParty, did_you_mean
from pets.identity.encoding import check_bytes, frame
from pets.identity.primitives import hkdf_expand
from pets.identity.roster import Roster
from pets.identity.secret import Identity, Unpicklable

SIGNATURE_CONTEXT = "session statement"


class SessionKeys(Unpicklable):
    """What one party shares with each other party in one session, and its voice in it.

    Made by :meth:`pets.identity.StudyKeys.session`. Not thread-safe.
    """

    def __init__(
        self, identity: Identity, roster: Roster, session: bytes, number: int, keys: Mapping[str, bytes]
    ) -> None:
        self._identity = identity
        self._roster = roster
        self._keys = dict(keys)
        self._derived: dict[tuple[str, str], bytes] = {}
        self.number = number
        self.id = session

    def __repr__(self) -> str:
        return f"<SessionKeys of {self.me}, session {self.number}, {len(self._keys)} peers>"

    def to_bytes(self) -> bytes:
        """Return the secrets for a sealed journal, from which :meth:`~pets.identity.StudyKeys.resume` makes them again.

        Whoever reads these bytes reads the session. Destroy the journal when the session is over.
        """
        return self.number.to_bytes(8, "big") + self.id + b"".join(self._keys.values())

    @property
    def me(self) -> str:
        """Whose keys they are."""
        return self._identity.name

    @property
    def peers(self) -> tuple[str, ...]:
        """The other parties, in the order of their names."""
        return tuple(self._keys)

    def pair(self, peer: str, label: str) -> bytes:
        """Return the 32 bytes that only `peer` and this party have for the use `label`; both get the same.

        HKDF-Expand of the pair's session key. That key comes from the pair's own chain, begun with both names in
        order, the study and its key agreement, and from session number and binding (see `pets.identity.ratchet`).

        Raises
        ------
        UnknownParty
            `peer` has no keys with this party.
        """
        try:
            return self._derived[peer, label]
        except KeyError:
            pass
        if peer not in self._keys:
            raise UnknownParty(str(peer), did_you_mean(str(peer), self._keys))
        key = self._derived[peer, label] = hkdf_expand(self._keys[peer], label.encode())
        return key

    def sign(self, statement: bytes) -> bytes:
        """Return this party's signature (3373 bytes) of a statement in this session; it is void in any other."""
        return self._identity.sign(self._bound(statement), SIGNATURE_CONTEXT)

    def verify(self, name: str, statement: bytes, signature: bytes) -> None:
        """Check that `name` signed `statement` in this session.

        Raises
        ------
        BadSignature
            It did not; ``party`` is `name`.
        UnknownParty
            `name` is not in the roster.
        """
        self._roster[name].verify(signature, self._bound(statement), SIGNATURE_CONTEXT)

    def _bound(self, statement: bytes) -> bytes:
        return _in_session(self.id, statement)


class SessionVoices:
    """What a third party knows of a session: who took part, by public keys, and which session it was.

    Parameters
    ----------
    roster
        The parties.
    session
        :attr:`SessionKeys.id`, see :func:`pets.identity.ratchet.session_id`.
    """

    def __init__(self, roster: Roster, session: bytes) -> None:
        self._roster = roster
        self._session = check_bytes(session, 32, "session")

    def verify(self, name: str, statement: bytes, signature: bytes) -> None:
        """Check that `name` signed `statement` in this session; see :meth:`SessionKeys.verify`."""
        self._roster[name].verify(signature, _in_session(self._session, statement), SIGNATURE_CONTEXT)


def _in_session(session: bytes, statement: bytes) -> bytes:
    if not isinstance(statement, bytes | bytearray | memoryview):
        raise InvalidArgument("statement", f"must be bytes, not {type(statement).__name__}")
    return frame("pets session statement v1", session, hashlib.sha512(statement).digest())
