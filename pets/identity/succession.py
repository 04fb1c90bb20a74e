"""New keys for an old name, vouched for by the old keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from pets.config import parse_toml
from pets.errors import BadSignature, ConfigError, InvalidArgument
from pets.identity.encoding import check_bytes, frame, from_base64, to_base64
from pets.identity.primitives import SIGNATURE
from pets.identity.public import PublicIdentity, spelled
from pets.identity.roster import Roster
from pets.identity.secret import Identity

FORMAT = "pets succession 1"
MAX_BYTES = 32 * 2**10

_CONTEXT = "succession"
_KEYS = ("format", "predecessor", "old_signature", "new_signature", "successor")


@dataclass(frozen=True, repr=False)
class Succession:
    """A statement that `successor` takes the place of an older identity of the same name.

    Signed by the old keys, which hand over, and by the new ones, which thereby prove that somebody holds them.
    It is worth nothing once the old keys are stolen: the thief can sign one too. Then compare fingerprints
    by telephone, as for a new party.

    Parameters
    ----------
    predecessor
        The old identity's :attr:`~pets.identity.PublicIdentity.digest`, 32 bytes.
    successor
        The new public identity.
    old_signature, new_signature
        By the old and the new keys, 3373 bytes each.
    """

    predecessor: bytes
    successor: PublicIdentity
    old_signature: bytes
    new_signature: bytes

    def __post_init__(self) -> None:
        check_bytes(self.predecessor, 32, "predecessor")
        check_bytes(self.old_signature, SIGNATURE, "old_signature")
        check_bytes(self.new_signature, SIGNATURE, "new_signature")

    @classmethod
    def sign(cls, old: Identity, new: Identity) -> Self:
        """Return the statement that `new` succeeds `old`.

        Raises
        ------
        InvalidArgument
            The names differ.
        """
        if old.name != new.name:
            raise InvalidArgument("new", "has another name", "A succession changes keys, not names.")
        statement = _statement(old.public.digest, new.public)
        return cls(old.public.digest, new.public, old.sign(statement, _CONTEXT), new.sign(statement, _CONTEXT))

    def __repr__(self) -> str:
        return f"<Succession of {self.successor.name}, {spelled(self.predecessor)} to {self.successor.fingerprint}>"

    def applied_to(self, roster: Roster) -> Roster:
        """Return `roster` with the new identity in the place of the old one.

        Raises
        ------
        UnknownParty
            The roster has no party of that name.
        BadSignature
            The statement is not about the keys in the roster, or one of its signatures does not verify.
        InvalidArgument
            The new keys are already in the roster.
        """
        pinned = roster[self.successor.name]
        if pinned.digest != self.predecessor:
            raise BadSignature(
                pinned.name,
                f"the succession is from {spelled(self.predecessor)}, but the roster holds {pinned.fingerprint}",
                "Apply successions in their order, each once.",
            )
        statement = _statement(self.predecessor, self.successor)
        pinned.verify(self.old_signature, statement, _CONTEXT)
        self.successor.verify(self.new_signature, statement, _CONTEXT)
        others = [party for name, party in roster.items() if name != pinned.name]
        return Roster([*others, self.successor])

    def to_toml(self) -> str:
        """Return the document to send to the others."""
        import tomli_w

        name = self.successor.name
        signatures = {"old_signature": self.old_signature, "new_signature": self.new_signature}
        data = {"format": FORMAT, "predecessor": self.predecessor.hex()}
        data |= {key: to_base64(value) for key, value in signatures.items()}
        head = (
            f"# {name} has new keys; this is signed by the old ones. Not secret. To take them over:\n"
            "# pets keys roster succeed ROSTER FILE\n"
        )
        return head + tomli_w.dumps({**data, "successor": self.successor.to_dict()})

    @classmethod
    def from_toml(cls, text: str | bytes) -> Self:
        """Return the statement in a document. Its signatures are checked by :meth:`applied_to`.

        Raises
        ------
        ConfigError
            The form is not that of :meth:`to_toml`.
        """
        return cls.from_dict(parse_toml(text, max_bytes=MAX_BYTES))

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the statement that plain data describe.

        Raises
        ------
        ConfigError
            The form is not that of :meth:`to_toml`.
        """
        if set(data) != set(_KEYS) or data["format"] != FORMAT:
            raise ConfigError("document", f'is not a succession of this version (format = "{FORMAT}")')
        digest = data["predecessor"]
        if not isinstance(digest, str) or len(digest) != 64 or set(digest) - set("0123456789abcdef"):
            raise ConfigError("predecessor", "must be 64 hexadecimal digits")
        try:
            successor = PublicIdentity.from_dict(data["successor"])
        except ConfigError as error:
            raise error.within("successor") from None
        signatures = {key: from_base64(data[key], SIGNATURE, key) for key in ("old_signature", "new_signature")}
        return cls(bytes.fromhex(digest), successor, **signatures)


def _statement(predecessor: bytes, successor: PublicIdentity) -> bytes:
    return frame("pets succession v1", predecessor, successor.digest)
