"""The keys that one party shares with all others of a study, given out session by session."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping
from typing import Self

from pets.errors import InvalidArgument, KeyFileError, SessionReused
from pets.identity import disk
from pets.identity.encoding import check_bytes
from pets.identity.primitives import KEY
from pets.identity.ratchet import next_link, session_id, session_keys
from pets.identity.roster import Roster
from pets.identity.secret import Identity, Unpicklable
from pets.identity.session_keys import SessionKeys
from pets.identity.store import Links, read_links, render_links

MAX_SKIP = 10_000
"""Most sessions that may be left out at once; each costs one hash for each peer."""

BINDING = 32

_HEAD = 8 + 32  # number and identifier of a session


class StudyKeys(Unpicklable):
    """One party's pair keys of one study. :class:`~pets.identity.StudySetup` and :meth:`load` make them.

    Guarantee
    ---------
    *Once.* The keys of a session are given out once, and never after those of a later session. For keys in a
    file this holds for all processes and across crashes: that they are used up is on the disk before they
    are returned.
    *Forward secrecy.* What is kept after session n gives no key of session n or before.

    It does not survive the restoration of an old copy of the file (from a backup or a snapshot of a virtual
    machine): leave the file out of backups, and agree anew if it is lost.
    """

    def __init__(self, identity: Identity, roster: Roster, links: Links) -> None:
        self._identity = identity
        self._roster = roster
        self._links = links
        self._path: str | None = None
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"<StudyKeys of {self.me}, study {self.study.hex()[:8]}, {len(self.peers)} peers, next {self.next}>"

    @property
    def me(self) -> str:
        """Whose keys they are."""
        return self._identity.name

    @property
    def identity(self) -> Identity:
        """Whose keys they are, with the secret keys."""
        return self._identity

    @property
    def roster(self) -> Roster:
        """The pinned parties of the study."""
        return self._roster

    @property
    def study(self) -> bytes:
        """32 bytes that name the study: its roster, purpose and epoch."""
        return self._links.study

    @property
    def peers(self) -> tuple[str, ...]:
        """The other parties, in the order of their names."""
        return tuple(self._links.of)

    @property
    def next(self) -> int:
        """The first session whose keys were not given out."""
        return self._links.number

    def session(self, number: int, binding: bytes, keep: Callable[[bytes], None] | None = None) -> SessionKeys:
        """Return the keys of session `number`, and forget all that could give them, or earlier ones, again.

        Parameters
        ----------
        number
            At least :attr:`next`; the sessions between are left out and can never be held.
        binding
            32 bytes, a digest of all that the parties must agree on, such as the spec. Parties with
            different bindings get different keys.
        keep
            Called with :meth:`SessionKeys.to_bytes` before the session is used up, to write them to a sealed journal:
            a process killed at any instant then either has them there, or has used up nothing.

        Raises
        ------
        SessionReused
            The number was used, here or by another process with the same file.
        InvalidArgument
            `number` is no whole number, leaves out more than 10,000 sessions, or `binding` is not 32 bytes.
        KeyFileError
            The file cannot be written or does not hold what it held. No key was given out.
        """
        binding = check_bytes(binding, BINDING, "binding")
        if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number < 2**63:
            raise InvalidArgument("number", "must be a whole number from 0 to 2**63 - 1")
        with self._lock:
            if self._path is None:
                return self._advance(number, binding, keep)
            with disk.locked(self._path):
                self._links = self._same_as_on_disk(self._path)
                return self._advance(number, binding, keep)

    def resume(self, content: bytes) -> SessionKeys:
        """Return the keys that :meth:`SessionKeys.to_bytes` wrote, for a killed process to go on with its session.

        This does give keys out again: only a journal that repeats what was said, and says nothing else, may use it.

        Raises
        ------
        InvalidArgument
            `content` has another length than the keys of a session of this study.
        KeyFileError
            The file cannot be read or written.
        """
        content = check_bytes(content, _HEAD + KEY * len(self.peers), "content")
        number, session = int.from_bytes(content[:8], "big"), content[8:_HEAD]
        keys = (content[i : i + KEY] for i in range(_HEAD, len(content), KEY))
        with self._lock:
            if self._path is None:
                self._use_up(number)
            else:
                with disk.locked(self._path):
                    self._links = self._same_as_on_disk(self._path)
                    self._use_up(number)
        return SessionKeys(self._identity, self._roster, session, number, dict(zip(self.peers, keys, strict=True)))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Move the keys into a new file (mode 0600), encrypted under the identity; from now on they live there.

        Raises
        ------
        KeyFileError
            The file exists or cannot be written, or the keys live in a file already.
        """
        with self._lock:
            if self._path is not None:
                raise KeyFileError(path, "would be a second copy of keys that live in a file", "Move that file.")
            target = disk.absolute(path)
            disk.create(target, render_links(self._identity, self._roster, self._links))
            self._path = target

    @classmethod
    def load(cls, path: str | os.PathLike[str], identity: Identity, roster: Roster) -> Self:
        """Return the keys in a file written by :meth:`save`.

        Raises
        ------
        KeyFileError
            The file is missing, damaged, open to others, or belongs to another identity or roster.
        """
        target = disk.absolute(path)
        keys = cls(identity, roster, read_links(target, identity, roster))
        keys._path = target
        return keys

    def _same_as_on_disk(self, path: str) -> Links:
        """Return the links in the file; another process may have advanced them."""
        found = read_links(path, self._identity, self._roster)
        if found.study != self.study or found.number < self.next:
            raise KeyFileError(path, "is an older copy or another study", "Never restore this file; agree anew.")
        return found

    def _advance(self, number: int, binding: bytes, keep: Callable[[bytes], None] | None) -> SessionKeys:
        if number < self.next:
            raise SessionReused(number, self.next)
        links = self._links_at(number)
        session = session_id(self.study, number, binding)
        keys = SessionKeys(self._identity, self._roster, session, number, session_keys(links, session))
        if keep is not None:
            keep(keys.to_bytes())
        self._use_up(number, links)
        return keys

    def _links_at(self, number: int) -> Mapping[str, bytes]:
        if number - self.next > MAX_SKIP:
            raise InvalidArgument(
                "number", f"leaves out more than {MAX_SKIP:,} sessions", f"The next session is {self.next}."
            )
        links = self._links.of
        for _ in range(number - self.next):
            links = {peer: next_link(link) for peer, link in links.items()}
        return links

    def _use_up(self, number: int, links: Mapping[str, bytes] | None = None) -> None:
        """Move on to the session after `number`, whose links may be given; on the disk first."""
        if number < self.next:
            return
        links = self._links_at(number) if links is None else links
        after = Links(self.study, number + 1, {peer: next_link(link) for peer, link in links.items()})
        if self._path is not None:
            disk.replace(self._path, render_links(self._identity, self._roster, after))
        self._links = after
