"""The collector's process: it gathers the parties, carries their messages, counts the time, and ends the session."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pets.errors import MessageRejected, PetsError, ProtocolAbort, TooFewSites
from pets.session.engine import Message, Session, Step
from pets.session.party import Outcome
from pets.session.spec import SERVER
from pets.session.tcp import positions
from pets.session.tcp.contract import Contract
from pets.session.tcp.door import Door
from pets.session.tcp.ending import DROPPED, RELEASED, STOPPED, Ending
from pets.session.tcp.frames import Kind
from pets.session.tcp.gathering import Gathering
from pets.session.tcp.hub import Event, Hub
from pets.session.tcp.limits import longest_frame
from pets.session.tcp.mailbox import Mailbox
from pets.session.tcp.store import SessionJournal, Store, session_keys
from pets.session.transcript import Transcript
from pets.session.wire import read_fields

if TYPE_CHECKING:
    from pets.roles import Aggregator

FAREWELL = 10.0
"""Seconds that the collector waits at the end for parties that are just not connected."""


@dataclass(frozen=True)
class Finished:
    """What is left of a session.

    Parameters
    ----------
    release
        The published document.
    survivors
        Sites that are in the total.
    transcript
        The collector's record.
    epoch
        Which agreement on keys the session used.
    """

    release: bytes
    survivors: tuple[str, ...]
    transcript: Transcript
    epoch: int


class Collector:
    """Runs one session.

    Parameters
    ----------
    store
        The collector's folder, locked.
    aggregator, contract
        The protocol, and what all parties agree on.
    publish
        Turns the outcome into the document to publish. Its answer is in the journal before it is used, and is asked
        for again only if a crash came before that.
    deliver
        Puts the release where it belongs, before anybody is told that the session is over.
    say
        Called with each line of progress.
    wait
        Seconds to wait for all parties to come, before anything starts. A party that comes later may still join
        at the first stage.
    everyone
        True asks nobody anything before all parties have come, and knows no total but that of all sites: a site that
        drops out ends the session.

    Attributes
    ----------
    address
        Where it listens, once it does.
    """

    def __init__(
        self,
        store: Store,
        aggregator: Aggregator,
        contract: Contract,
        publish: Callable[[Outcome], bytes],
        deliver: Callable[[Finished], None],
        say: Callable[[str], None],
        *,
        wait: float,
        everyone: bool = False,
    ) -> None:
        self.store, self.aggregator, self.contract, self.say = store, aggregator, contract, say
        self.spec = contract.spec
        self.parties = aggregator.parties(self.spec)
        self.others = tuple(name for name in self.parties if name != SERVER)
        self._publish, self._deliver, self._wait_for_all = publish, deliver, wait
        self._hub = Hub(say)
        self._gathering = Gathering(self._hub, store, self.others, aggregator.keyed, contract.deadline, everyone)
        self._everyone = everyone
        self.address: tuple[str, int] | None = None
        self._live: set[str] = set()
        self._invited: Counter[str] = Counter()
        self._mailbox = Mailbox()
        self._step = Step()

    async def run(self, host: str, port: int) -> Finished:
        """Hold the session and return what came of it.

        Raises
        ------
        ProtocolAbort
            There is no total.
        NotConnected
            The address cannot be used, or parties are missing without which no keys can be agreed on, or which all
            are needed: nobody was asked anything, and the session can be held later.
        JournalError, SessionReused
            The session of this number is another one, or over.
        """
        if self.aggregator.keyed:
            self.store.check_number(self.spec.number)
        begun = self.store.begun(self.spec)
        limit = longest_frame(self.aggregator, self.spec, len(self.store.roster))
        contract = self.contract.to_bytes()
        door = Door(self.store.identity, self.store.roster, contract, limit, self._hub.admit, self.say)
        try:
            where = self.address = await door.open(host, port)
            self.say(f"listening on {where[0]}:{where[1]}")
            if begun:
                self.say("going on where the session stood")
                self._hub.came.update(self.others)  # they were here before, and will be again
            else:
                await self._gathering.run(self._wait_for_all)
            finished = await self._hold()
        except ProtocolAbort as error:
            self._end(STOPPED, error.reason)
            self.store.forget(self.spec.number)
            raise
        finally:
            await door.close()
            await self._hub.close()
        self.store.forget(self.spec.number)
        return finished

    async def _hold(self) -> Finished:
        """Run the session over its journal."""
        journal = self.store.open(self.spec.number)
        try:
            keys = session_keys(journal, self.store.study, self.spec, keyed=self.aggregator.keyed)
            session = Session(self.aggregator, self.spec, SERVER, keys, journal=SessionJournal(journal))
            outcome = await self._carry(session)
            self._require_everyone([name for name in self.spec.sites if name not in outcome.survivors])
            finished = self._finish(session, outcome)
        finally:
            journal.close()
        for name in session.dropped:
            self._tell_end(name, DROPPED, "late")
        why = f"the total of {len(outcome.survivors)} sites is released"
        self._end(RELEASED, why)
        await self._farewell(set(self.others) - session.dropped, why)
        return finished

    def _require_everyone(self, missing: list[str]) -> None:
        if self._everyone and missing:
            raise ProtocolAbort(
                "end", f"{', '.join(missing)} dropped out, and all sites must be in the total", missing[0]
            )

    def _finish(self, session: Session, outcome: Outcome) -> Finished:
        """Publish; if that is refused the others may go, since the total is known here and the journal keeps it."""
        try:
            release = session.context.remember("release", lambda: self._publish(outcome))
            finished = Finished(release, outcome.survivors, session.transcript(), self.store.epoch)
            self._deliver(finished)
        except PetsError:
            self._end(STOPPED, "the collector has the total but could not publish it yet")
            raise
        return finished

    # ------------------------------------------------------------------------------------ session

    async def _carry(self, session: Session) -> Outcome:
        """Carry messages and count the time until the outcome is known."""
        self._step = session.step()
        for name in list(self._hub.ready):
            self._invite(session, name)
        turns, began = -1, 0.0
        while self._step.result is None:
            if session.turns != turns:
                turns, began = session.turns, time.monotonic()
                self.say(f"stage {session.stage!r}: waiting for {', '.join(sorted(self._step.waiting_for))}")
            event = None if self._nobody_will_come() else await self._hub.next(began + self._deadline)
            if event is not None:
                self._handle(session, event)
            else:
                self._leave_out(session)
                began = time.monotonic()
        return self._step.result

    @property
    def _deadline(self) -> float:
        """Where parties wait for each other, they count the same time first; the collector counts twice."""
        indirect = bool(self._mailbox) or set(self.others) != set(self.spec.sites)
        return self.contract.deadline * (2 if indirect else 1)

    def _nobody_will_come(self) -> bool:
        """Return whether all that is waited for never came, or have stopped for good."""
        hub, awaited = self._hub, self._step.waiting_for
        gone = (hub.stopped | (set(self.others) - hub.came)) - hub.connected
        return bool(hub.came) and bool(awaited) and awaited <= gone

    def _leave_out(self, session: Session) -> None:
        late = sorted(self._step.waiting_for)
        self.say(f"late, and from now on left out: {', '.join(late)}")
        try:
            self._step = session.timeout()
        except TooFewSites:
            self._require_everyone(late)
            raise
        for name in session.dropped:
            self._tell_end(name, DROPPED, "late")
        self._flush()

    def _handle(self, session: Session, event: Event) -> None:
        if event.kind in (None, Kind.READY):
            self._live.discard(event.name)
        try:
            if event.kind == Kind.READY:
                self._gathering.note(event.name)
                self._invite(session, event.name)
            elif event.kind == Kind.HAVE:
                self._resume(session, event)
            elif event.kind == Kind.MESSAGE:
                self._route(session, event)
        except MessageRejected as error:
            self._hub.blame(event.name, error)

    def _invite(self, session: Session, name: str) -> None:
        """Tell a party that is ready how far the session is; or that it is too late."""
        if name not in self.others:
            return
        if self._invited[name] == self._hub.visits[name]:
            raise MessageRejected("asks again where the session stands")
        self._invited[name] = self._hub.visits[name]
        if name in session.dropped:
            self._tell_end(name, DROPPED, "late")
        elif not self._gathering.fits(name):
            why = "this party holds keys of another agreement than the session"
            self._tell_end(name, STOPPED, why)
        else:
            sent = sum(message.recipient == name for message in session.sent)
            heard = [session.received(name) if to == SERVER else self._mailbox.count(name, to) for to in self.parties]
            waiting = [sent if by == SERVER else self._mailbox.count(by, name) for by in self.parties]
            self._hub.send(name, Kind.GO, positions.pack(heard, waiting))

    def _resume(self, session: Session, event: Event) -> None:
        """Send a party all that it lacks."""
        if event.name in self._live or self._invited[event.name] != self._hub.visits[event.name]:
            raise MessageRejected("asks for messages again")
        (held,) = positions.unpack(event.body, len(self.parties), 1)
        mine = [message.body for message in session.sent if message.recipient == event.name]
        for by, count in zip(self.parties, held, strict=True):
            for body in mine[count:] if by == SERVER else self._mailbox.since(by, event.name, count):
                self._hub.send(event.name, Kind.MESSAGE, body)
        self._live.add(event.name)

    def _route(self, session: Session, event: Event) -> None:
        header = read_fields(event.body)
        if header.session != self.spec.id or max(header.sender, header.recipient) >= len(self.parties):
            raise MessageRejected("belongs to another session")
        if self.parties[header.sender] != event.name:
            raise MessageRejected("is in another party's name")
        recipient = self.parties[header.recipient]
        if recipient == SERVER:
            self._step = session.step([Message(event.name, SERVER, event.body)])
            self._flush()
        elif self._mailbox.put(event.name, recipient, header, event.body) and recipient in self._live:
            self._hub.send(recipient, Kind.MESSAGE, event.body)

    def _flush(self) -> None:
        """Send what the session has new; parties that are not here get it when they come."""
        for message in self._step.outbox:
            if message.recipient in self._live:
                self._hub.send(message.recipient, Kind.MESSAGE, message.body)

    # ------------------------------------------------------------------------------------ the end

    def _tell_end(self, name: str, result: str, why: str) -> None:
        if name in self._hub.connected - self._hub.told:
            self._hub.tell_end(name, Ending(self.spec.id.hex(), name, result, why).sign(self.store.identity))

    def _end(self, result: str, why: str) -> None:
        for name in self._hub.connected:
            self._tell_end(name, result, why)

    async def _farewell(self, expected: set[str], why: str) -> None:
        """Wait a little until all who are in the total know that they may forget the session."""
        until = time.monotonic() + FAREWELL
        while self._hub.connected or not expected <= self._hub.told:
            event = await self._hub.next(until)
            if event is None:
                return
            if event.kind == Kind.READY:
                self._tell_end(event.name, RELEASED, why)
