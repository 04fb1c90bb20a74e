"""How study keys lie in a file: encrypted under their party's identity, so the two files are needed together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pets.errors import InvalidArgument, KeyFileError
from pets.identity import disk
from pets.identity.primitives import KEY
from pets.identity.roster import Roster
from pets.identity.secret import Identity

MAGIC = b"pets study keys 1\n"
_CONTEXT = "study keys"
_HEAD = 32 + 32 + 8  # study, roster, number


@dataclass(frozen=True, slots=True, repr=False)
class Links:
    """The chains of all pairs at one session.

    Parameters
    ----------
    study
        32 bytes that name the study.
    number
        The session whose keys the links give.
    of
        The link for each peer, in the order of their names.
    """

    study: bytes
    number: int
    of: Mapping[str, bytes]


def peers_of(identity: Identity, roster: Roster) -> tuple[str, ...]:
    """Return everybody in the roster but `identity`, in the order of their names.

    Raises
    ------
    InvalidArgument
        The roster does not hold `identity` with these keys.
    """
    if roster.get(identity.name) != identity.public:
        raise InvalidArgument(
            "roster",
            f"does not hold {identity.name!r} with the keys of this identity",
            "Add its .public.toml file, or load the key file that belongs to the roster.",
        )
    return tuple(name for name in roster if name != identity.name)


def render_links(identity: Identity, roster: Roster, links: Links) -> bytes:
    """Return the content of a file of study keys."""
    plain = links.study + roster.digest + links.number.to_bytes(8, "big") + b"".join(links.of.values())
    return MAGIC + identity.lock(plain, _CONTEXT)


def read_links(path: str, identity: Identity, roster: Roster) -> Links:
    """Return the links in a file of study keys.

    Raises
    ------
    KeyFileError
        The file is missing, damaged, open to others, or belongs to another identity or roster.
    """
    peers = peers_of(identity, roster)
    content = disk.read_secret(path)
    if not content.startswith(MAGIC):
        raise KeyFileError(path, "is not a file of study keys of this version", "Check the path.")
    plain = identity.unlock(content[len(MAGIC) :], _CONTEXT)
    if plain is None:
        raise KeyFileError(
            path, f"is damaged, or was written by another identity than this {identity.name!r}", "Agree on keys anew."
        )
    if plain[32:64] != roster.digest or len(plain) != _HEAD + KEY * len(peers):
        raise KeyFileError(path, "belongs to another roster", "Load the roster of that study, or agree on keys anew.")
    chains = (plain[i : i + KEY] for i in range(_HEAD, len(plain), KEY))
    return Links(plain[:32], int.from_bytes(plain[64:_HEAD], "big"), dict(zip(peers, chains, strict=True)))
