"""Before a session: the collector waits until all parties are here with common keys, and has them agree if need be."""

from __future__ import annotations

import time
from dataclasses import dataclass

from pets.errors import NotConnected
from pets.identity import StudySetup
from pets.session.spec import SERVER
from pets.session.tcp.frames import EPOCH, Kind
from pets.session.tcp.hub import Hub
from pets.session.tcp.store import PURPOSE, Store


@dataclass
class Gathering:
    """Waits for the parties of a session.

    Parameters
    ----------
    hub, store
        The connections, and the collector's folder.
    others
        All parties of the session but the collector.
    keyed
        Whether the session needs keys.
    deadline
        Seconds for each answer in a key agreement.
    everyone
        Whether the session is of no use without all of them.
    """

    hub: Hub
    store: Store
    others: tuple[str, ...]
    keyed: bool
    deadline: float
    everyone: bool = False
    _tried: int = 0

    async def run(self, wait: float) -> None:
        """Return when all are here, or `wait` seconds are over.

        Raises
        ------
        NotConnected
            Parties are missing without which no keys can be agreed on, or the session is of no use.
        """
        until = time.monotonic() + wait
        self.hub.say(f"waiting for {len(self.others)} parties: {', '.join(self.others)}")
        while not self._complete():
            if self._can_agree():
                await self._agree()
                until = max(until, time.monotonic() + self.deadline)
                continue
            # A party that stopped because the session before this one was over comes back in a moment.
            event = None if not self.everyone and self._rest_has_stopped() else await self.hub.next(until)
            if event is None:
                self._require_keys()
                return
            if event.kind == Kind.READY:
                self.note(event.name)

    def note(self, name: str) -> None:
        """Report a party that came for the first time."""
        if name not in self.others or name in self.hub.came:
            return
        self.hub.came.add(name)
        missing = [other for other in self.others if other not in self.hub.came]
        rest = f"; not here yet: {', '.join(missing)}" if missing else ""
        self.hub.say(f"{name} is here ({len(self.others) - len(missing)} of {len(self.others)}){rest}")

    def fits(self, name: str) -> bool:
        """Return whether a party is ready and holds the keys of the collector's study."""
        study = self.store.study
        held = self.hub.ready.get(name)
        return held is not None and (not self.keyed or (study is not None and held == study.study))

    def _complete(self) -> bool:
        return all(self.fits(name) for name in self.others)

    def _rest_has_stopped(self) -> bool:
        missing = {name for name in self.others if name not in self.hub.ready}
        return bool(missing) and missing <= self.hub.stopped

    @property
    def _absent(self) -> list[str]:
        return [name for name in self.store.roster if name != SERVER and name not in self.hub.ready]

    def _can_agree(self) -> bool:
        return self.keyed and not self._absent and not self._complete()

    def _require_keys(self) -> None:
        missing = ", ".join(self._absent)
        if self.everyone and self.store.study is not None:
            lacking = ", ".join(name for name in self.others if not self.fits(name))
            raise NotConnected(f"{lacking} did not come, so nothing was asked of the others: all must be in the total.")
        if not self.keyed or any(self.fits(name) for name in self.others):
            self.hub.say(f"waited long enough; going on without {missing}")
            return
        raise NotConnected(
            "there are no common keys yet, and to agree on them all parties of the roster must be connected at once. "
            f"Missing: {missing}. Start them, and run this again, perhaps with a longer --wait."
        )

    async def _agree(self) -> None:
        """Agree on keys; when a connection is lost meanwhile, nothing is kept, and it begins anew."""
        epoch = self._tried = max(int(time.time()), self.store.epoch + 1, self._tried + 1)
        setup = StudySetup(self.store.identity, self.store.roster, purpose=PURPOSE, epoch=epoch)
        self.hub.say("agreeing on keys with all parties of the roster, once for all later sessions")
        for name in self.hub.ready:
            self.hub.send(name, Kind.SETUP, epoch.to_bytes(EPOCH, "big"))
        turn = setup.start()
        while turn.result is None:
            bodies = await self._bodies(turn.expect, epoch)
            if bodies is None:
                return
            turn = setup.advance(bodies)
            for name, body in turn.send.items():
                self.hub.send(name, Kind.AGREE, body)
        self.hub.ready.clear()
        self.store.adopt(turn.result, epoch)

    async def _bodies(self, expected: frozenset[str], epoch: int) -> dict[str, bytes] | None:
        """Return what the parties answer; None if one of them went away. Answers to an earlier try may still come."""
        bodies: dict[str, bytes] = {}
        until = time.monotonic() + self.deadline
        while bodies.keys() < expected:
            event = await self.hub.next(until)
            if event is None:
                late = ", ".join(sorted(expected - bodies.keys()))
                raise NotConnected(f"the keys could not be agreed on: {late} did not answer within the deadline.")
            if event.kind == Kind.AGREE:
                if event.body[:EPOCH] == epoch.to_bytes(EPOCH, "big"):
                    bodies[event.name] = event.body[EPOCH:]
            elif event.kind is None or event.kind == Kind.READY:
                return None
        return bodies
