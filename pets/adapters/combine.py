"""The collector on a platform: it asks, carries messages that it cannot read, and publishes the total.

What a platform provides is one function, :data:`Exchange`: parcels for some sites go out, and what comes back in
time is returned. Everything else is here.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from pets.adapters.contract import Contract
from pets.adapters.parcel import Parcel
from pets.domain import Domain
from pets.errors import MessageRejected, NotConnected, ProtocolAbort
from pets.guards import Question
from pets.identity import StudySetup
from pets.release import Release
from pets.session import SERVER, Message, Outcome, Session, Step, Transcript
from pets.session.tcp import PURPOSE, Store

Exchange = Callable[[Mapping[str, Parcel]], Mapping[str, Parcel]]
"""Parcels by site, and the replies that came; who is silent is left out."""


@dataclass(frozen=True)
class Answer:
    """What came of a question.

    Parameters
    ----------
    question
        What was asked.
    release
        The published table; `pets.epi` makes rates, curves and models of it.
    refused
        For each site that refused, or fell silent, the code and the reason.
    audit
        For each site the newest hash of its audit log: kept here, it pins the log down there.
    transcript
        The collector's record of the session.
    """

    question: Question
    release: Release
    refused: Mapping[str, str] = field(default_factory=dict)
    audit: Mapping[str, str] = field(default_factory=dict)
    transcript: Transcript | None = field(default=None, repr=False)


class Collector:
    """Asks questions of the sites of a roster.

    Parameters
    ----------
    store
        The collector's identity, roster and folder.
    domain
        What is declared; each site has the same.
    exchange
        What the platform provides.
    dataset
        What the data are called in releases.
    """

    def __init__(self, store: Store, domain: Domain, exchange: Exchange, *, dataset: str = "default") -> None:
        self.store, self.domain, self.exchange, self.dataset = store, domain, exchange, dataset
        self.sites = tuple(name for name in store.roster if name != SERVER)
        self._ready = False

    def ask(self, question: Question, sites: Sequence[str] = ()) -> Answer:
        """Return the total of the sites that take part, with the noise of all of them inside.

        Parameters
        ----------
        question
            What is asked.
        sites
            Who is asked; all of the roster when left out.

        Raises
        ------
        NotConnected
            A site is silent, and no keys are agreed with it yet.
        ProtocolAbort
            Too many refused or fell silent; a note on the error says which and why.
        """
        with self.store.locked():
            number = self._prepared()
            chosen = tuple(sites) or self.sites
            about = f"{self.dataset}, {question.cohort}"
            contract = Contract.make(
                question, self.domain, chosen, number=number, roster=self.store.roster, dataset=about
            )
            try:
                return _Sum(self, contract).run()
            except ProtocolAbort:
                self._ready = False  # perhaps a site lost its keys: ask again before the next question
                raise

    def _prepared(self) -> int:
        """Agree on keys unless all hold the same, and return the number of the next session."""
        if self._ready and self.store.study is not None:
            return self.store.study.next
        hellos = self.exchange({name: Parcel("hello") for name in self.sites})
        mine = "" if self.store.study is None else self.store.study.study.hex()
        if not mine or any(reply.head.get("study") != mine for reply in hellos.values() if reply.kind == "hello"):
            self._agree([_number(reply, "epoch") for reply in hellos.values()])
            hellos = {}
        study = self.store.study
        following = [_number(reply, "next") for reply in hellos.values()]
        self._ready = True
        return max(1, 0 if study is None else study.next, *following)

    def _agree(self, epochs: Sequence[int]) -> None:
        """Be the hub of a key agreement with all of the roster."""
        epoch = max(int(time.time()), self.store.epoch + 1, *(known + 1 for known in epochs))
        setup = StudySetup(self.store.identity, self.store.roster, purpose=PURPOSE, epoch=epoch)
        turn, bodies = setup.start(), dict.fromkeys(self.sites, ())
        sending: dict[str, tuple[bytes, ...]] = dict(bodies)
        while turn.result is None:
            replies = self._all(sending, epoch)
            turn = setup.advance({name: reply.bodies[0] for name, reply in replies.items()})
            sending = {name: (body,) for name, body in turn.send.items()}
        self.store.adopt(turn.result, epoch)
        self._all(sending, epoch)

    def _all(self, sending: Mapping[str, tuple[bytes, ...]], epoch: int) -> Mapping[str, Parcel]:
        """Return everybody's reply to a message of the agreement."""
        replies = self.exchange({name: Parcel("agree", {"epoch": epoch}, body) for name, body in sending.items()})
        for name in sending:
            reply = replies.get(name)
            if reply is None or reply.kind == "refused":
                why = "is silent" if reply is None else f"refused ({reply.head.get('reason')})"
                raise NotConnected(f"{name!r} {why}, and keys are agreed by all of the roster at once")
        return replies


class _Sum:
    """One session, round by round."""

    def __init__(self, collector: Collector, contract: Contract) -> None:
        self.collector, self.contract, self.spec = collector, contract, contract.spec
        study, store = collector.store.study, collector.store
        assert study is not None  # noqa: S101 - for the type checker: keys were agreed before
        self.session = Session(contract.pipeline.aggregator, self.spec, SERVER, study.session(self.spec.number, self.spec.id))  # fmt: skip  # noqa: E501
        self.head = contract.head(store.identity)
        self.refused: dict[str, str] = {}
        self.audit: dict[str, str] = {}
        self.have: dict[str, int] = dict.fromkeys(self.spec.sites, 0)

    def run(self) -> Answer:
        outcome = self._outcome()
        release = self.contract.pipeline.publish(outcome, self.spec)
        self._exchange({name: Parcel("end", self.head) for name in outcome.survivors})
        return Answer(self.contract.question, release, dict(self.refused), dict(self.audit), self.session.transcript())

    def _outcome(self) -> Outcome:
        try:
            step = self.session.step()
            while step.result is None:
                step = self._round(step)
        except ProtocolAbort as error:
            for name, why in self.refused.items():
                error.add_note(f"{name}: {why}")
            raise
        return step.result

    def _round(self, step: Step) -> Step:
        """Carry one round of messages; who does not answer in it has dropped out."""
        bodies: defaultdict[str, list[bytes]] = defaultdict(list)
        for message in step.outbox:
            bodies[message.recipient].append(message.body)
        asked = {
            name: Parcel("sum", {**self.head, "have": self.have[name]}, tuple(bodies[name]))
            for name in self.spec.sites
            if name in step.waiting_for and name not in self.refused
        }
        inbox = []
        for name, reply in self._exchange(asked).items():
            self.have[name] += len(reply.bodies)
            inbox += [Message(name, SERVER, body) for body in reply.bodies]
        after = self._read(inbox)
        return after if after.result is not None or after.outbox else self.session.timeout()

    def _read(self, inbox: Sequence[Message]) -> Step:
        try:
            return self.session.step(inbox)
        except MessageRejected:
            return self.session.step()  # all others were read; the sender of this one has said nothing

    def _exchange(self, asked: Mapping[str, Parcel]) -> dict[str, Parcel]:
        """Return the replies that belong to the sum, and remember who refused."""
        replies = self.collector.exchange(asked)
        heard = {}
        for name in asked:
            reply = replies.get(name)
            if reply is None or reply.kind != asked[name].kind:
                self.refused[name] = "silent" if reply is None else _reason(reply)
                continue
            self.audit[name] = str(reply.head.get("audit", ""))
            heard[name] = reply
        return heard


def _reason(reply: Parcel) -> str:
    return f"{reply.head.get('code', 'failed')}: {reply.head.get('reason', 'no reason was given')}"


def _number(reply: Parcel, key: str) -> int:
    value = reply.head.get(key, 0)
    return value if isinstance(value, int) and 0 <= value < 2**62 else 0
