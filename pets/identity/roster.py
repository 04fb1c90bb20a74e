"""Who takes part, pinned: names and public keys that people compared beforehand, never learned from a server."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property
from typing import Any, Self

from pets.config import parse_toml, read_file, write_atomic
from pets.config.files import as_path
from pets.errors import ConfigError, InvalidArgument, UnknownParty, did_you_mean
from pets.identity.encoding import frame
from pets.identity.public import PublicIdentity, spelled

FORMAT = "pets roster 1"
MAX_PARTIES = 1000


class Roster(Mapping[str, PublicIdentity]):
    """The parties of a study by name, in the order of their names.

    Parameters
    ----------
    parties
        At least one public identity, in any order.

    Raises
    ------
    InvalidArgument
        There are none or more than 1000, two have the same name (capital letters or not), or share a key.
    """

    def __init__(self, parties: Iterable[PublicIdentity]) -> None:
        members = list(parties)
        if not all(isinstance(member, PublicIdentity) for member in members):
            raise InvalidArgument("parties", "must be public identities", "Give identity.public, never the identity.")
        if not 1 <= len(members) <= MAX_PARTIES:
            raise InvalidArgument("parties", f"must be 1 to {MAX_PARTIES}, not {len(members)}")
        _refuse_twins(members)
        self._parties = {member.name: member for member in sorted(members, key=lambda member: member.name)}

    def __getitem__(self, name: str) -> PublicIdentity:
        try:
            return self._parties[name]
        except (KeyError, TypeError):
            raise UnknownParty(str(name), did_you_mean(str(name), self._parties)) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._parties)

    def __len__(self) -> int:
        return len(self._parties)

    def __eq__(self, other: object) -> bool:
        return self._parties == other._parties if isinstance(other, Roster) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        return f"<Roster of {len(self)}: {', '.join(list(self)[:8])}{', ...' if len(self) > 8 else ''}>"

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 over all names and keys, 32 bytes; equal only for equal rosters."""
        return hashlib.sha256(frame("pets roster v1", *(member.digest for member in self._parties.values()))).digest()

    @property
    def fingerprint(self) -> str:
        """The first 160 bits of :attr:`digest`: one code to compare, for all names and keys at once."""
        return spelled(self.digest)

    def with_party(self, party: PublicIdentity) -> Self:
        """Return a roster with one party more.

        Raises
        ------
        InvalidArgument
            Its name or one of its keys is there already.
        """
        return type(self)([*self._parties.values(), party])

    def to_dict(self) -> dict[str, Any]:
        """Return plain data for TOML."""
        return {"format": FORMAT, "party": [member.to_dict() for member in self._parties.values()]}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """Return the roster that plain data describe.

        Raises
        ------
        ConfigError
            The form is not that of :meth:`to_dict`, or names or keys repeat.
        """
        if not isinstance(data, Mapping) or set(data) != {"format", "party"} or data["format"] != FORMAT:
            raise ConfigError("document", f'is not a roster of this version (format = "{FORMAT}")')
        if not isinstance(data["party"], list):
            raise ConfigError("party", "must be a list of tables", "Begin each with [[party]].")
        parties = []
        for i, entry in enumerate(data["party"]):
            try:
                parties.append(PublicIdentity.from_dict(entry))
            except ConfigError as error:
                raise error.within(f"party[{i}]") from None
        try:
            return cls(parties)
        except InvalidArgument as error:
            raise ConfigError("party", error.problem, error.remedy) from None

    def to_toml(self) -> str:
        """Return the roster as a TOML document."""
        import tomli_w

        entries = (f"\n[[party]]\n{tomli_w.dumps(member.to_dict())}" for member in self._parties.values())
        return (
            "# Who takes part, and the keys by which they are known. Public, but it must not be changed on its way:\n"
            "# compare each fingerprint with its owner over the telephone.\n"
            f'format = "{FORMAT}"\n' + "".join(entries)
        )

    def to_file(self, path: str | os.PathLike[str]) -> None:
        """Write the roster to a ``.toml`` file, all or nothing; an older one is replaced.

        Raises
        ------
        InvalidArgument
            The name does not end in .toml, or the file cannot be written.
        """
        if as_path(path).suffix.lower() != ".toml":
            raise InvalidArgument("path", "must end in .toml")
        write_atomic(path, self.to_toml())

    @classmethod
    def from_file(cls, path: str | os.PathLike[str]) -> Self:
        """Return the roster in a file; see :meth:`from_dict`.

        Raises
        ------
        ConfigError
            The file cannot be read or understood.
        """
        return cls.from_dict(read_file(path))

    @classmethod
    def from_toml(cls, text: str | bytes) -> Self:
        """Return the roster in a TOML document; see :meth:`from_dict`."""
        return cls.from_dict(parse_toml(text))


def _refuse_twins(members: list[PublicIdentity]) -> None:
    seen: dict[object, str] = {}
    for member in members:
        # Half a key counts: a copied ML-KEM key with a fresh X25519 key would still be somebody else's.
        halves = (member.ed25519, member.ml_dsa, member.hpke[:1184], member.hpke[1184:])
        if member.name.casefold() in seen:
            raise InvalidArgument(
                "parties", f"have the name {member.name!r} twice (capital letters do not tell names apart)"
            )
        seen[member.name.casefold()] = member.name
        for half in halves:
            if half in seen:
                raise InvalidArgument(
                    "parties", f"{seen[half]!r} and {member.name!r} share a key", "One of them copied it: ask both."
                )
            seen[half] = member.name
