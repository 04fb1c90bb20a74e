"""Everybody but the collector: a site, or a party that computes without data of its own."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pets.errors import (
    ContractDiffers,
    JournalError,
    MessageRejected,
    NotConnected,
    PetsError,
    ProtocolAbort,
    SetupFailed,
)
from pets.identity import StudySetup
from pets.session.engine import Message, Session, Step
from pets.session.journal import SealedJournal
from pets.session.spec import SERVER
from pets.session.tcp import positions
from pets.session.tcp.contract import LIMIT, Contract
from pets.session.tcp.dial import dial
from pets.session.tcp.ending import DROPPED, RELEASED, Ending, printable
from pets.session.tcp.frames import EPOCH, Kind
from pets.session.tcp.limits import longest_frame
from pets.session.tcp.link import Link
from pets.session.tcp.store import PURPOSE, SessionJournal, Store, session_keys

if TYPE_CHECKING:
    from pets.roles import Aggregator

FIRST_WAIT, LONGEST_WAIT = 0.2, 10.0
"""Seconds between attempts to reach the collector: doubled each time, up to the second."""

_REJECTIONS = 20
"""Messages that are not authentic before the connection is given up: somebody else speaks on it."""


async def ask(address: tuple[str, int], store: Store, patience: float, say: Callable[[str], None]) -> Contract:
    """Return what the collector at `address` asks; waits until it listens, and says why.

    Raises
    ------
    NotConnected
        It could not be reached within `patience` seconds.
    """
    until, wait, trouble = time.monotonic() + patience, FIRST_WAIT, ""
    while True:
        try:
            contract, link = await dial(address, store.identity, store.roster[SERVER], joins=False, limit=LIMIT)
        except (NotConnected, MessageRejected) as error:
            if time.monotonic() + wait > until:
                raise NotConnected(f"{error} (tried for {patience:.0f} seconds).") from None
            if str(error) != trouble:
                trouble = str(error)
                say(f"{trouble}; trying again for {patience:.0f} seconds")
            await asyncio.sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT)
        else:
            await link.finish()
            return contract


@dataclass
class Member:
    """One party's process: it reaches the collector again and again until the session is over.

    Parameters
    ----------
    store
        Its folder, locked.
    aggregator
        The protocol, from this party's own plan.
    contract
        What it agreed to.
    contribute
        Makes what a site puts in, once; runs in a thread. ``None`` for a party that is no site.
    address
        Host and port of the collector.
    patience
        Seconds without any progress after which it gives up. Nothing is lost: started again, it goes on.
    say
        Called with each line of progress.
    """

    store: Store
    aggregator: Aggregator
    contract: Contract
    contribute: Callable[[], NDArray[np.int64]] | None
    address: tuple[str, int]
    patience: float
    say: Callable[[str], None]

    def __post_init__(self) -> None:
        self.spec = self.contract.spec
        self.parties = self.aggregator.parties(self.spec)
        self._limit = longest_frame(self.aggregator, self.spec, len(self.store.roster))
        self._session: Session | None = None
        self._journal: SealedJournal | None = None
        self._setup: tuple[StudySetup, int] | None = None
        self._handed: Counter[str] = Counter()
        self._step = Step()
        self._turn_began = self._moved = time.monotonic()

    async def run(self) -> Ending:
        """Take part, and return how the session ended.

        Raises
        ------
        ProtocolAbort
            This party stopped, or the collector did. The session is over, and so is its journal.
        NotConnected
            The collector is silent. The journal stays, and the same command goes on.
        JournalError, SessionReused
            The journal is older than what was sent, or missing.
        SetupFailed
            The collector, or somebody on the way, starts the session before keys were agreed.
        ContractDiffers
            The collector was started again and asks something else.
        """
        if self.aggregator.keyed:
            self.store.check_number(self.spec.number)
        over = False
        try:
            ending = await self._stay_connected()
            over = True
        except ProtocolAbort:
            over = True
            raise
        finally:
            if self._journal is not None:
                self._journal.close()
            if over:
                self.store.forget(self.spec.number)
        return ending

    # ------------------------------------------------------------------------------------ connection

    async def _stay_connected(self) -> Ending:
        wait, trouble = FIRST_WAIT, ""
        while True:
            try:
                contract, link = await dial(
                    self.address, self.store.identity, self.store.roster[SERVER], joins=True, limit=self._limit
                )
            except (NotConnected, MessageRejected) as error:
                trouble = self._say_once(str(error), trouble)
            else:
                trouble = self._say_once("connected", trouble)
                moved = self._moved
                try:
                    self._check_same(contract)
                    return await self._talk(link)
                except NotConnected:
                    trouble = self._say_once("the connection was lost; trying again", trouble)
                except MessageRejected as error:
                    trouble = self._say_once(f"{error} The connection was closed", trouble)
                except PetsError:
                    link.send(Kind.STOPPED)  # and not why: that may depend on the rows, and anybody may be listening
                    raise
                finally:
                    await link.finish()
                wait = FIRST_WAIT if self._moved > moved else wait
            if time.monotonic() - self._moved > self.patience:
                raise NotConnected(self._silence())
            await asyncio.sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT, max(self.contract.deadline / 5, FIRST_WAIT))

    @property
    def session(self) -> Session:
        """The session.

        Raises
        ------
        MessageRejected
            It has not begun.
        """
        if self._session is None:
            raise MessageRejected("comes before the session has begun")
        return self._session

    def _say_once(self, text: str, before: str) -> str:
        if text != before:
            self.say(text)
        return text

    def _silence(self) -> str:
        if self._session is not None and self._step.done:
            return (
                "all that this party had to send was sent, but the collector did not confirm that it is done. "
                "Ask there; if the session is still open, run the same command again."
            )
        return (
            f"the collector was silent for {self.patience:.0f} seconds. Nothing is lost: run the same command again, "
            "and the session goes on where it stood."
        )

    def _check_same(self, contract: Contract) -> None:
        if contract.to_bytes() != self.contract.to_bytes():
            raise ContractDiffers(contract.differences(self.contract))

    async def _talk(self, link: Link) -> Ending:
        self._send_ready(link)
        rejected = 0
        while True:
            try:
                async with asyncio.timeout(self._left()):
                    kind, body = await link.receive()
            except TimeoutError:
                self._give_up(link)
                continue
            try:
                ending = await self._handle(link, kind, body)
            except MessageRejected as error:
                rejected += 1
                if rejected > _REJECTIONS:
                    raise
                self.say(str(error))
                continue
            if ending is not None:
                return self._judged(ending)

    async def _handle(self, link: Link, kind: Kind, body: bytes) -> Ending | None:
        if kind == Kind.SETUP:
            self._start_setup(link, body)
        elif kind == Kind.AGREE:
            self._agree(link, body)
        elif kind == Kind.GO:
            await self._go(link, body)
        elif kind == Kind.MESSAGE:
            self._after(link, self.session.step([Message("", self.session.me, body)]))
        elif kind == Kind.END:
            return Ending.read(body, self.store.roster[SERVER], self.spec.id.hex(), self.store.identity.name)
        else:
            raise MessageRejected("is a frame that does not belong here")
        return None

    def _judged(self, ending: Ending) -> Ending:
        if ending.result == RELEASED:
            return ending
        why = "this party was late and the total is without it" if ending.result == DROPPED else printable(ending.why)
        raise ProtocolAbort(self._session.stage if self._session else "start", why, SERVER)

    # ------------------------------------------------------------------------------------ patience

    def _left(self) -> float:
        """Return the seconds until this party stops waiting: for others a deadline, for the collector its patience."""
        began, most = (
            (self._turn_began, self.contract.deadline) if self._waits_for_others else (self._moved, self.patience)
        )
        return max(began + most - time.monotonic(), 0.01)

    @property
    def _waits_for_others(self) -> bool:
        return bool(self._step.waiting_for - {SERVER})

    def _give_up(self, link: Link) -> None:
        if not self._waits_for_others:
            raise NotConnected(self._silence())
        late = ", ".join(sorted(self._step.waiting_for))
        self.say(f"late, and from now on left out: {late}")
        self._after(link, self.session.timeout())

    # ------------------------------------------------------------------------------------ keys

    def _send_ready(self, link: Link) -> None:
        link.send(Kind.READY, bytes(32) if self.store.study is None else self.store.study.study)

    def _start_setup(self, link: Link, body: bytes) -> None:
        if self._session is not None or len(body) != EPOCH:
            raise MessageRejected("asks for new keys in the middle of a session, or in another form")
        epoch = int.from_bytes(body, "big")
        self.store.check_epoch(epoch)
        self.say("agreeing on keys with all parties of the roster")
        setup = StudySetup(self.store.identity, self.store.roster, purpose=PURPOSE, epoch=epoch)
        self._setup = setup, epoch
        for sent in setup.start().send.values():
            link.send(Kind.AGREE, body, sent)

    def _agree(self, link: Link, body: bytes) -> None:
        if self._setup is None:
            raise MessageRejected("is of a key agreement that this party is not in")
        setup, epoch = self._setup
        turn = setup.advance({SERVER: body})
        for sent in turn.send.values():
            link.send(Kind.AGREE, epoch.to_bytes(EPOCH, "big"), sent)
        if turn.result is not None:
            self._setup = None
            self._moved = time.monotonic()
            self.store.adopt(turn.result, epoch)
            self.say("keys are agreed and stored; later sessions use them without asking again")
            self._send_ready(link)

    # ------------------------------------------------------------------------------------ session

    async def _go(self, link: Link, body: bytes) -> None:
        heard, available = positions.unpack(body, len(self.parties), 2)
        if self._session is None:
            self._require_keys()
            await self._begin()
        session = self.session
        place = self.parties.index(SERVER)
        if session.received(SERVER) > available[place]:
            raise JournalError(
                "the collector has forgotten messages that it sent: its journal was rolled back or is gone. This "
                "party stops, because a second answer in one session could give its table away. Start a new session "
                "number."
            )
        sent = Counter(message.recipient for message in session.sent)
        if any(count > sent[name] for name, count in zip(self.parties, heard, strict=True)):
            raise JournalError(
                "the collector holds messages that this party has no record of having sent: its journal was rolled "
                "back or replaced by an older copy. It stops, because a session must not be lived twice. Start a new "
                "session number."
            )
        link.send(Kind.HAVE, positions.pack([session.received(name) for name in self.parties]))
        self._handed = Counter(dict(zip(self.parties, heard, strict=True)))
        self._pass_on(link)

    def _require_keys(self) -> None:
        """Refuse to begin without keys: only they tell the collector from whoever else speaks on this connection."""
        if self.aggregator.keyed and self.store.study is None:
            raise SetupFailed("the start of a session", "it came before any keys were agreed; nothing was read or sent")

    async def _begin(self) -> None:
        values: NDArray[np.int64] | None = None
        begun = self.store.begun(self.spec)
        if self.aggregator.keyed:
            self.store.check_number(self.spec.number)
        if begun:
            self.say("going on where the session stood")
        if self.contribute is not None:
            # A session that had begun brings its values along, with the noise that was drawn then.
            values = np.zeros(self.spec.size, np.int64) if begun else await asyncio.to_thread(self.contribute)
        self._journal = self._journal or self.store.open(self.spec.number)
        keys = session_keys(self._journal, self.store.study, self.spec, keyed=self.aggregator.keyed)
        journal = SessionJournal(self._journal)
        self._session = Session(self.aggregator, self.spec, self.store.identity.name, keys, values, journal=journal)
        self._note(self._session.step())

    def _after(self, link: Link, step: Step) -> None:
        self._note(step)
        self._pass_on(link)

    def _note(self, step: Step) -> None:
        session = self.session
        self._step = step
        self._turn_began = self._moved = time.monotonic()
        self.say("done; waiting for the collector to finish" if step.done else f"stage {session.stage!r}")

    def _pass_on(self, link: Link) -> None:
        """Send whatever the collector does not hold yet, in order."""
        session = self.session
        place: Counter[str] = Counter()
        for message in session.sent:
            if place[message.recipient] >= self._handed[message.recipient]:
                link.send(Kind.MESSAGE, message.body)
                self._handed[message.recipient] += 1
            place[message.recipient] += 1
