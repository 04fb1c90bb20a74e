"""The collector's process: it gathers the parties, carries their messages, counts the time, and ends the session."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pets.errors import MessageRejected, NotConnected, PetsError, ProtocolAbort
from pets.identity import StudySetup
from pets.session.engine import Message, Session, Step
from pets.session.party import Outcome
from pets.session.spec import SERVER
from pets.session.tcp import positions
from pets.session.tcp.contract import Contract
from pets.session.tcp.door import Door
from pets.session.tcp.ending import DROPPED, RELEASED, STOPPED, Ending, printable
from pets.session.tcp.frames import Kind
from pets.session.tcp.limits import longest_frame
from pets.session.tcp.link import Link
from pets.session.tcp.mailbox import Mailbox
from pets.session.tcp.store import PURPOSE, SessionJournal, Store, session_keys
from pets.session.transcript import Transcript
from pets.session.wire import read_fields

if TYPE_CHECKING:
    from pets.roles import Aggregator

FAREWELL = 10.0
"""Seconds that the collector waits at the end for parties that are just not connected."""

_WAITING_EVENTS = 16
"""Frames read but not yet handled; more stay in the senders' buffers."""


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


@dataclass(frozen=True)
class _Event:
    """A frame of a party, or the end of its connection (no kind)."""

    name: str
    link: Link
    kind: Kind | None = None
    body: bytes = b""


class Collector:
    """Runs one session.

    Parameters
    ----------
    store
        The collector's folder, locked.
    aggregator, contract
        The protocol, and what all parties agree on.
    publish
        Turns the outcome into the document to publish; called once in the life of a session, whatever crashes.
    say
        Called with each line of progress.
    wait
        Seconds to wait for all parties to come, before anything starts. A party that comes later may still join
        at the first stage.
    """

    def __init__(
        self,
        store: Store,
        aggregator: Aggregator,
        contract: Contract,
        publish: Callable[[Outcome], bytes],
        say: Callable[[str], None],
        *,
        wait: float,
    ) -> None:
        self.store, self.aggregator, self.contract = store, aggregator, contract
        self.spec = contract.spec
        self.parties = aggregator.parties(self.spec)
        self.others = tuple(name for name in self.parties if name != SERVER)
        self._publish, self._wait_for_all = publish, wait
        self.say = say
        self._events: asyncio.Queue[_Event] = asyncio.Queue(_WAITING_EVENTS)
        self._links: dict[str, Link] = {}
        self._readers: set[asyncio.Task[None]] = set()
        self._ready: dict[str, bytes] = {}
        self._live: set[str] = set()
        self._came: set[str] = set()
        self._stopped: set[str] = set()
        self._told: set[str] = set()
        self._mailbox = Mailbox()
        self._session: Session | None = None
        self._step = Step()
        self._ending: Ending | None = None

    async def run(self, host: str, port: int) -> Finished:
        """Hold the session and return what came of it.

        Raises
        ------
        ProtocolAbort
            There is no total.
        NotConnected
            The address cannot be used, or parties are missing without which no keys can be agreed on.
        """
        limit = longest_frame(self.aggregator, self.spec, len(self.store.roster))
        door = Door(
            self.store.identity, self.store.roster, self.contract.to_bytes(), limit, self._admit, self.say
        )
        self._journal = self.store.open(self.spec.number)
        over = False
        try:
            where = await door.open(host, port)
            self.say(f"listening on {where[0]}:{where[1]}")
            finished = await self._hold()
            over = True
            return finished
        except ProtocolAbort as error:
            over = True
            self._end(STOPPED, error.reason)
            raise
        finally:
            await door.close()
            await self._hang_up()
            self.store.close(self._journal, over=over or not self._begun)

    @property
    def _begun(self) -> bool:
        return self._session is not None or any(self._journal.events())

    async def _hold(self) -> Finished:
        if not self._begun:
            await self._gather()
        session = self._begin()
        outcome = await self._carry(session)
        release = session.context.remember("release", lambda: self._publish(outcome))
        for name in self.others:
            if name in session.dropped:
                self._tell(name, self._late)
        self._end(RELEASED, f"the total of {len(outcome.survivors)} sites is released")
        await self._farewell(set(self.others) - session.dropped)
        return Finished(release, outcome.survivors, session.transcript(), self.store.epoch)

    # ------------------------------------------------------------------------------------ connections

    def _admit(self, name: str, link: Link) -> None:
        """Take a party's connection; a new one replaces the old, which may hang half open for hours."""
        before = self._links.get(name)
        if before is not None:
            before.close()
        self._links[name] = link
        self._live.discard(name)
        self._ready.pop(name, None)
        task = asyncio.create_task(self._listen(name, link))
        self._readers.add(task)
        task.add_done_callback(self._readers.discard)

    async def _listen(self, name: str, link: Link) -> None:
        try:
            while True:
                kind, body = await link.receive()
                await self._events.put(_Event(name, link, kind, body))
        except MessageRejected as error:
            self.say(f"{name}: {error} The connection was closed.")
        except NotConnected:
            pass
        link.close()
        await self._events.put(_Event(name, link))

    async def _next(self, until: float) -> _Event | None:
        """Return the next event of a connection that is still the party's, or None when the time is over."""
        while True:
            try:
                async with asyncio.timeout(max(until - time.monotonic(), 0)):
                    event = await self._events.get()
            except TimeoutError:
                return None
            if self._links.get(event.name) is not event.link:
                continue
            if event.kind is None:
                self._lose(event.name)
            elif event.kind == Kind.STOPPED:
                self._stopped.add(event.name)
                self.say(f"{event.name} stops: {printable(event.body.decode('utf-8', 'replace'))}")
                continue
            return event

    def _lose(self, name: str) -> None:
        del self._links[name]
        self._live.discard(name)
        self._ready.pop(name, None)
        if name not in self._told and name not in self._stopped:
            self.say(f"{name} is not connected any more")

    async def _hang_up(self) -> None:
        for task in list(self._readers):
            task.cancel()
        await asyncio.gather(*(link.finish() for link in self._links.values()), return_exceptions=True)

    # ------------------------------------------------------------------------------------ gathering

    async def _gather(self) -> None:
        """Wait until all parties are here with the keys of one study, agreeing on keys if need be."""
        until = time.monotonic() + self._wait_for_all
        self.say(f"waiting for {len(self.others)} parties: {', '.join(self.others)}")
        while not self._complete():
            if self._can_agree():
                await self._agree()
                until = max(until, time.monotonic() + self.contract.deadline)
                continue
            event = await self._next(until)
            if event is None:
                return self._require_keys()
            if event.kind == Kind.READY:
                self._note_ready(event)

    def _note_ready(self, event: _Event) -> None:
        self._ready[event.name] = event.body
        if event.name in self.others and event.name not in self._came:
            self._came.add(event.name)
            self._stopped.discard(event.name)
            missing = [name for name in self.others if name not in self._came]
            rest = f"; not here yet: {', '.join(missing)}" if missing else ""
            self.say(f"{event.name} is here ({len(self._came)} of {len(self.others)}){rest}")

    @property
    def _keyed(self) -> bool:
        return self.aggregator.keyed

    def _has_keys(self, name: str) -> bool:
        """Return whether a party that is ready holds the keys of the collector's study."""
        if name not in self._ready:
            return False
        study = self.store.study
        return not self._keyed or (study is not None and self._ready[name] == study.study)

    def _complete(self) -> bool:
        return all(self._has_keys(name) for name in self.others)

    def _can_agree(self) -> bool:
        everybody = all(name in self._ready for name in self.store.roster if name != SERVER)
        return self._keyed and everybody and not self._complete()

    def _require_keys(self) -> None:
        missing = ", ".join(name for name in self.store.roster if name != SERVER and name not in self._ready)
        if not self._keyed or any(self._has_keys(name) for name in self.others):
            self.say(f"waited long enough; going on without {missing}")
            return
        raise NotConnected(
            f"there are no common keys yet, and to agree on them all parties of the roster must be connected at the same "
            f"time. Missing: {missing}. Start them, and run this again, perhaps with a longer --wait."
        )

    # ------------------------------------------------------------------------------------ keys

    async def _agree(self) -> None:
        """Agree on keys; when a connection is lost meanwhile, nothing is kept, and it begins anew."""
        epoch = max(int(time.time()), self.store.epoch + 1)
        setup = StudySetup(self.store.identity, self.store.roster, purpose=PURPOSE, epoch=epoch)
        self.say("agreeing on keys with all parties of the roster, once for all later sessions")
        for name in self.store.roster:
            if name != SERVER:
                self._links[name].send(Kind.SETUP, epoch.to_bytes(8, "big"))
        turn = setup.start()
        while turn.result is None:
            bodies = await self._bodies(turn.expect)
            if bodies is None:
                return
            turn = setup.advance(bodies)
            for name, body in turn.send.items():
                if name in self._links:
                    self._links[name].send(Kind.AGREE, body)
        self._ready.clear()
        self.store.close(self._journal, over=False)
        self.store.adopt(turn.result, epoch)
        self._journal = self.store.open(self.spec.number)

    async def _bodies(self, expected: frozenset[str]) -> dict[str, bytes] | None:
        """Return what the parties answer; None if one went away."""
        bodies: dict[str, bytes] = {}
        until = time.monotonic() + self.contract.deadline
        while bodies.keys() < expected:
            event = await self._next(until)
            if event is None:
                late = ", ".join(sorted(expected - bodies.keys()))
                raise NotConnected(f"the keys could not be agreed on: {late} did not answer within the deadline.")
            if event.kind == Kind.AGREE:
                bodies[event.name] = event.body
            elif event.kind is None or event.kind == Kind.READY:
                if event.kind == Kind.READY:
                    self._note_ready(event)
                return None
        return bodies

    # ------------------------------------------------------------------------------------ session

    def _begin(self) -> Session:
        journal = SessionJournal(self._journal)
        if journal.begun:
            self.say("going on where the session stood")
        keys = session_keys(self._journal, self.store.study, self.spec, keyed=self._keyed)
        self._session = Session(self.aggregator, self.spec, SERVER, keys, journal=journal)
        self._note(self._session.step())
        for name in list(self._ready):
            self._invite(name)
        return self._session

    async def _carry(self, session: Session) -> Outcome:
        """Carry messages and count the time until the outcome is known."""
        turns, began = -1, 0.0
        while self._step.result is None:
            if session.turns != turns:
                turns, began = session.turns, time.monotonic()
                self.say(f"stage {session.stage!r}: waiting for {', '.join(sorted(self._step.waiting_for))}")
            event = None if self._nobody_will_come() else await self._next(began + self._deadline)
            if event is not None:
                self._handle(session, event)
                continue
            self.say(f"late, and from now on left out: {', '.join(sorted(self._step.waiting_for))}")
            self._note(session.timeout())
            for name in session.dropped & self._links.keys():
                self._tell(name, self._late)
            self._flush(session)
            began = time.monotonic()
        return self._step.result

    @property
    def _deadline(self) -> float:
        """Where parties wait for each other, they count the same time first; the collector counts twice."""
        indirect = bool(self._mailbox) or set(self.others) != set(self.spec.sites)
        return self.contract.deadline * (2 if indirect else 1)

    def _nobody_will_come(self) -> bool:
        """Return whether all that is waited for never came, or have stopped for good."""
        awaited = self._step.waiting_for
        gone = {name for name in awaited if name not in self._links and (name in self._stopped or name not in self._came)}
        return bool(self._came) and bool(awaited) and awaited == gone

    def _handle(self, session: Session, event: _Event) -> None:
        try:
            if event.kind == Kind.READY:
                self._note_ready(event)
                self._invite(event.name)
            elif event.kind == Kind.HAVE:
                self._resume(session, event)
            elif event.kind == Kind.MESSAGE:
                self._route(session, event)
        except MessageRejected as error:
            self.say(f"{event.name}: {error}")

    def _invite(self, name: str) -> None:
        """Tell a party that is ready how far the session is; or that it is too late."""
        session = self._session
        if session is None or name not in self.others:
            return
        if name in session.dropped:
            return self._tell(name, self._late)
        if not self._has_keys(name):
            return self._tell(name, self._ended(STOPPED, "this party holds keys of another agreement than the session"))
        link = self._links[name]
        sent = sum(message.recipient == name for message in session.sent)
        heard = [session.received(name) if to == SERVER else self._mailbox.count(name, to) for to in self.parties]
        waiting = [sent if by == SERVER else self._mailbox.count(by, name) for by in self.parties]
        link.send(Kind.GO, positions.pack(heard, waiting))

    def _resume(self, session: Session, event: _Event) -> None:
        """Send a party all that it lacks."""
        (held,) = positions.unpack(event.body, len(self.parties), 1)
        link = self._links[event.name]
        for by, count in zip(self.parties, held, strict=True):
            if by == SERVER:
                mine = [message.body for message in session.sent if message.recipient == event.name]
                for body in mine[count:]:
                    link.send(Kind.MESSAGE, body)
            else:
                for body in self._mailbox.since(by, event.name, count):
                    link.send(Kind.MESSAGE, body)
        self._live.add(event.name)

    def _route(self, session: Session, event: _Event) -> None:
        header = read_fields(event.body)
        if header.session != self.spec.id or header.recipient >= len(self.parties):
            raise MessageRejected("belongs to another session")
        if self.parties[header.sender % len(self.parties)] != event.name:
            raise MessageRejected("is in another party's name")
        recipient = self.parties[header.recipient]
        if recipient == SERVER:
            self._note(session.step([Message(event.name, SERVER, event.body)]))
            self._flush(session)
        elif self._mailbox.put(event.name, recipient, header, event.body) and recipient in self._live:
            self._links[recipient].send(Kind.MESSAGE, event.body)

    def _note(self, step: Step) -> None:
        self._step = step

    def _flush(self, session: Session) -> None:
        """Send what the session has new; parties that are not here get it when they come."""
        for message in self._step.outbox:
            if message.recipient in self._live:
                self._links[message.recipient].send(Kind.MESSAGE, message.body)

    # ------------------------------------------------------------------------------------ the end

    @property
    def _late(self) -> Ending:
        return self._ended(DROPPED, "late")

    def _ended(self, result: str, why: str) -> Ending:
        return Ending(self.spec.id.hex(), result, why)

    def _tell(self, name: str, ending: Ending) -> None:
        if name in self._links:
            self._told.add(name)
            self._links[name].send(Kind.END, ending.sign(self.store.identity))

    def _end(self, result: str, why: str) -> None:
        self._ending = self._ended(result, why)
        for name in self._links:
            if name not in self._told:
                self._tell(name, self._ending)

    async def _farewell(self, expected: set[str]) -> None:
        """Wait a little until all who are in the total know that they may forget the session."""
        until = time.monotonic() + FAREWELL
        while self._links or not expected <= self._told:
            event = await self._next(until)
            if event is None:
                return
            if event.kind == Kind.READY and self._ending is not None:
                self._tell(event.name, self._ending)
