"""What a party keeps in its folder: the keys of the study, and the journal of a session that is not over yet.

============================================  ==========================================================
``study-ROSTER-EPOCH.keys``                   pair keys, encrypted under the party's identity, ratcheted
``session-ROSTER-NUMBER.journal``             what happened in a session, sealed; gone when it is over
``lock``                                      held while a process works here
============================================  ==========================================================
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pets.errors import InvalidArgument, JournalError, KeyFileError, MessageRejected, SessionReused, SetupFailed
from pets.identity import Identity, Roster, StudyKeys
from pets.identity.ratchet import session_id
from pets.identity.study_keys import MAX_SKIP
from pets.session import journal as log
from pets.session.journal import SealedJournal
from pets.session.keys import Keys, NoKeys
from pets.session.spec import Spec

PURPOSE = "secure sums"
"""What the pair keys of a roster are for; epochs tell one agreement from the next."""

MOST_AHEAD = 1_000
"""Most sessions that the collector may leave out at once."""

CLOCKS_DIFFER = 24 * 60 * 60
"""Seconds by which the collector's clock, from which it takes epochs, may be ahead."""

KEYS = b"Y"
"""A journal's first record: the keys of its session."""


class Store:
    """The folder of one party.

    Parameters
    ----------
    folder
        Made with mode 0700 when it is not there.
    identity, roster
        Whose it is, and with whom.

    Raises
    ------
    KeyFileError
        The folder cannot be made, or its keys cannot be read.
    InvalidArgument
        The roster does not hold this identity.
    """

    def __init__(self, folder: str | os.PathLike[str], identity: Identity, roster: Roster) -> None:
        self.folder, self.identity, self.roster = Path(folder), identity, roster
        self._mark = roster.digest.hex()[:8]
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise KeyFileError(self.folder, f"cannot be made: {error.strerror}", "Choose another --state.") from None
        found = self._study_files()
        self.study = StudyKeys.load(found[-1], identity, roster) if found else None
        self.epoch = int(found[-1].stem.rpartition("-")[2]) if found else 0

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes out of the folder; the lock dies with its process.

        Raises
        ------
        JournalError
            Another process works here.
        """
        handle = os.open(self.folder / "lock", os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
        try:
            _lock(handle, self.folder)
            yield
        finally:
            os.close(handle)

    def adopt(self, keys: StudyKeys, epoch: int) -> None:
        """Keep the keys of a new agreement, and forget those of older ones with their sessions."""
        older = [*self._study_files(), *self._journals()]
        following = 0 if self.study is None else self.study.next
        while keys.next < following:
            # A number is used once, whatever keys: otherwise one charge of a site's ledger could pay for two totals.
            keys.session(min(following - 1, keys.next + MAX_SKIP), bytes(32))
        keys.save(self.folder / f"study-{self._mark}-{epoch:012d}.keys")
        self.study, self.epoch = keys, epoch
        for path in older:
            _remove(path)

    def unfinished(self) -> int | None:
        """Return the number of the newest session that is not over."""
        found = self._journals()
        return int(found[-1].stem.rpartition("-")[2]) if found else None

    def begun(self, spec: Spec) -> bool:
        """Return whether this party is in the middle of this very session.

        Raises
        ------
        JournalError
            The session of this number is under way with another contract.
        """
        started = next((event[1] for event in self.past(spec.number) if event[0] == log.START), spec.id)
        if started != spec.id:
            raise JournalError(
                f"session {spec.number} is under way here with another contract. Go on with the plan and the sites "
                "with which it began, or give the next session a higher number."
            )
        return any(event[0] == log.START for event in self.past(spec.number))

    def check_number(self, number: int) -> None:
        """Refuse a session whose keys are used up, unless its journal has them, or one that leaves out too many.

        The collector chooses numbers, and those left out are lost for good. A party that has not been in any session,
        perhaps because its folder was lost, cannot know how far the others are.

        Raises
        ------
        SessionReused
            They are gone.
        InvalidArgument
            The number is far ahead of the last one.
        """
        if any(event[0] == KEYS for event in self.past(number)):
            return
        following = 0 if self.study is None else self.study.next
        if number < following:
            raise SessionReused(number, following)
        if number - following > (MOST_AHEAD if following else MAX_SKIP):
            raise InvalidArgument(
                "number",
                f"is {number}, far ahead of {following}, the next session here",
                "Ask the collector to count on from there.",
            )

    def check_epoch(self, epoch: int) -> None:
        """Refuse a key agreement after which no later one could be made for a long time.

        Raises
        ------
        MessageRejected
            It is an older one, or this one.
        SetupFailed
            It is far ahead of the clock.
        """
        if epoch <= self.epoch:
            raise MessageRejected("asks for old keys")
        if epoch > max(int(time.time()), self.epoch) + CLOCKS_DIFFER:
            raise SetupFailed("its epoch", "it lies in the future. Compare the collector's clock with the one here")

    def past(self, number: int) -> list[tuple[bytes, ...]]:
        """Return what the journal of session `number` holds; nothing if there is none."""
        if not self._journal(number).exists():
            return []
        journal = self.open(number)
        journal.close()
        return list(journal.events())

    def open(self, number: int) -> SealedJournal:
        """Return the journal of session `number`; what is left of earlier ones is destroyed.

        Raises
        ------
        JournalError
            It was altered, or belongs to another party.
        """
        path = self._journal(number)
        for older in self._journals():
            if older.name < path.name:
                _remove(older)
        return SealedJournal(path, self.identity.storage_key(f"journal {path.name}"))

    def forget(self, number: int) -> None:
        """Destroy the journal of a session that is over."""
        _remove(self._journal(number))

    def _study_files(self) -> list[Path]:
        return sorted(self.folder.glob(f"study-{self._mark}-*[0-9].keys"))

    def _journals(self) -> list[Path]:
        return sorted(self.folder.glob(f"session-{self._mark}-*[0-9].journal"))

    def _journal(self, number: int) -> Path:
        return self.folder / f"session-{self._mark}-{number:012d}.journal"


class SessionJournal:
    """A journal as the engine sees it: without the record of keys.

    Parameters
    ----------
    journal
        The file.
    """

    def __init__(self, journal: SealedJournal) -> None:
        self._journal = journal
        self._past = [event for event in journal.events() if event[0] != KEYS]

    def append(self, kind: bytes, *fields: bytes) -> None:
        """Record an event."""
        self._journal.append(kind, *fields)

    def events(self) -> Iterator[tuple[bytes, ...]]:
        """Return what was recorded before this process started."""
        return iter(self._past)


def session_keys(journal: SealedJournal, study: StudyKeys | None, spec: Spec, *, keyed: bool) -> Keys:
    """Return the keys of a session: those in its journal, or new ones, which are then used up.

    They are in the journal before the ratchet moves on, and the ratchet is on the disk before they are used. So a
    process killed in between finds them again, and no other session ever gets them.

    Raises
    ------
    SessionReused
        There is no journal, and the number was used.
    JournalError
        The journal is of another contract, or there are no keys to take any from.
    """
    if not keyed:
        return NoKeys()
    if study is None:
        raise JournalError(
            f"there are no keys for session {spec.number} here, and it needs some: nothing was sent. Let all parties "
            "of the roster connect at once to agree on keys, and start a new session number."
        )
    kept = [event[1] for event in journal.events() if event[0] == KEYS]
    if not kept:
        return study.session(spec.number, spec.id, lambda content: journal.append(KEYS, content))
    keys = study.resume(kept[0])
    if keys.id != session_id(study.study, spec.number, spec.id):
        raise JournalError(
            f"{journal.path.name} is of session {spec.number} with another contract. Go on with the plan and the sites "
            "with which it began, or give the next session a higher number."
        )
    return keys


def _remove(path: Path) -> None:
    with suppress(FileNotFoundError):
        path.unlink()
    with suppress(FileNotFoundError):
        path.with_name(f"{path.name}.lock").unlink()


def _lock(handle: int, folder: Path) -> None:
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        else:
            import fcntl

            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        raise JournalError(
            f"another process works in {str(folder)!r}. Let it finish, or give each party a --state folder of its own."
        ) from None
