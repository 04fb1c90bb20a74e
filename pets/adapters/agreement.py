"""The key agreement of a study over a platform that starts a new process for each message.

The protocol is that of :mod:`pets.identity.setup`. Between two messages a site keeps its half of it in one file, locked
under its identity, which is gone when keys are agreed. While it lies there, whoever has both that file and the
identity's keys could read this agreement later.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from pets.config import canonical_json, parse_json
from pets.errors import PetsError, QueryRefused, SetupFailed
from pets.identity import StudyKeys, StudySetup, disk
from pets.identity.primitives import SealingKey
from pets.identity.setup import HUB
from pets.session.tcp import PURPOSE, Store

_CONTEXT = "key agreement over a platform"


class _Resumable(StudySetup):
    """A setup whose state can be written down and taken up again by another process."""

    def state(self) -> dict[str, Any]:
        """Return the secrets and the place in the protocol, as plain data."""
        return {
            "stage": self._stage,
            "prekey": "" if self._prekey is None else self._prekey.seed().hex(),
            "record": self._record.hex(),
            "transcript": getattr(self, "_transcript", b"").hex(),
            "links": {name: link.hex() for name, link in self._links.items()},
        }

    def resume(self, state: Mapping[str, Any]) -> None:
        """Go on where `state` was taken."""
        self._stage = str(state["stage"])
        self._prekey = SealingKey(bytes.fromhex(state["prekey"])) if state["prekey"] else None
        self._record = bytes.fromhex(state["record"])
        self._transcript = bytes.fromhex(state["transcript"])
        self._links = {name: bytes.fromhex(link) for name, link in state["links"].items()}


class Agreement:
    """A site's side of the agreement, one message at a time.

    Parameters
    ----------
    store
        The site's folder, locked by the caller.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.path = Path(store.folder) / "agreement.state"

    def start(self, epoch: int) -> bytes:
        """Begin agreement number `epoch`, forget one that was under way, and return the prekey.

        Raises
        ------
        QueryRefused
            The epoch is old, or lies in the future.
        """
        try:
            self.store.check_epoch(epoch)
        except PetsError:
            raise QueryRefused("keys", "this agreement on keys is an old one, or its clock is ahead") from None
        setup = self._new(epoch)
        body = setup.start().send[HUB]
        self._write(epoch, setup)
        return body

    def advance(self, epoch: int, body: bytes) -> bytes | None:
        """Return the bundle of sealed keys, or ``None`` once the keys are agreed and in the store.

        Raises
        ------
        SetupFailed, BadSignature
            The body is not what it must be; the agreement is over.
        QueryRefused
            No agreement of this number is under way.
        """
        setup = self._read(epoch)
        try:
            turn = setup.advance({HUB: body})
        except PetsError:
            self._remove()
            raise
        if turn.result is None:
            self._write(epoch, setup)
            return turn.send[HUB]
        self._adopt(turn.result, epoch)
        return None

    def _adopt(self, keys: StudyKeys, epoch: int) -> None:
        self._remove()
        self.store.adopt(keys, epoch)

    def _new(self, epoch: int) -> _Resumable:
        return _Resumable(self.store.identity, self.store.roster, purpose=PURPOSE, epoch=epoch)

    def _write(self, epoch: int, setup: _Resumable) -> None:
        content = canonical_json({"epoch": epoch, "state": setup.state()}).encode()
        disk.replace(self.path, self.store.identity.lock(content, _CONTEXT))

    def _read(self, epoch: int) -> _Resumable:
        found: Mapping[str, Any] = {}
        if self.path.exists():
            plain = self.store.identity.unlock(disk.read_secret(self.path), _CONTEXT)
            if plain is None:
                raise SetupFailed("its own notes", "they were altered, or are of another identity")
            found = parse_json(plain)
        if found.get("epoch") != epoch:
            raise QueryRefused("keys", "no agreement of this number is under way here")
        setup = self._new(epoch)
        setup.resume(found["state"])
        return setup

    def _remove(self) -> None:
        with suppress(FileNotFoundError):
            self.path.unlink()
