"""What the attack tests share: keys from a fixed secret, a journal in memory, and a network that goes on."""

from __future__ import annotations

import hashlib
import hmac
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from pets.errors import BadSignature, MessageRejected, PetsError, ProtocolAbort
from pets.session import SERVER, Message, Outcome, Session, Spec, Turn
from pets.session.journal import START


class FixedKeys:
    """Session keys from one secret, for speed and for files of vectors; `salt` makes signatures differ each time.

    ``pair(a, b, label) = HMAC-SHA-256(secret, "pair" || a || b || label)`` with a < b, each behind its length in four
    bytes, big-endian; ``sign = HMAC-SHA-256(secret, "sign" || name || session || statement)`` likewise.
    """

    def __init__(self, spec: Spec, me: str, secret: bytes = b"fixed", *, salt: Callable[[], bytes] = bytes) -> None:
        self.me, self.salt = me, salt
        self._secret = hashlib.sha256(secret + spec.id).digest()

    def _mac(self, *parts: bytes) -> bytes:
        return hmac.digest(self._secret, b"".join(len(p).to_bytes(4, "big") + p for p in parts), "sha256")

    def pair(self, peer: str, label: str) -> bytes:
        first, second = sorted((self.me, peer))
        return self._mac(b"pair", first.encode(), second.encode(), label.encode())

    def sign(self, statement: bytes) -> bytes:
        salt = self.salt()
        return salt + self._mac(b"sign", self.me.encode(), salt, statement)

    def verify(self, name: str, statement: bytes, signature: bytes) -> None:
        salt, tag = signature[:-32], signature[-32:]
        if not hmac.compare_digest(tag, self._mac(b"sign", name.encode(), salt, statement)):
            raise BadSignature(name, "it does not verify")


def fixed_keys(parties, spec: Spec, secret: bytes = b"fixed", **settings) -> dict[str, FixedKeys]:
    return {name: FixedKeys(spec, name, secret, **settings) for name in parties}


class MemoryJournal:
    """A journal in memory; `past` is what an earlier process wrote."""

    def __init__(self, past=()) -> None:
        self.past, self.all = list(past), list(past)

    def append(self, kind: bytes, *fields: bytes) -> None:
        self.all.append((kind, *fields))

    def events(self):
        return iter(self.past)


def seeded(spec: Spec, me: str, values, seed: bytes = b"seed") -> MemoryJournal:
    """A journal that holds only a fixed seed, so that a session repeats itself to the bit."""
    content = b"" if values is None else values.astype("<i8").tobytes()
    return MemoryJournal(
        [(START, spec.id, me.encode(), hashlib.sha256(seed + spec.id + me.encode()).digest(), content)]
    )


def some_values(spec: Spec) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(spec.number)
    return {name: generator.integers(spec.least, spec.upper, spec.size, endpoint=True) for name in spec.sites}


def exact(values, survivors) -> np.ndarray:
    return np.sum([values[name] for name in survivors], axis=0)


@dataclass
class Story:
    """How a session went for everybody."""

    outcome: Outcome | None = None
    aborts: dict[str, PetsError] = field(default_factory=dict)
    rejections: list[tuple[str, MessageRejected]] = field(default_factory=list)
    sessions: dict[str, Session] = field(default_factory=dict)

    def answered(self, stage: int) -> set[str]:
        """Sites that sent their message number `stage`."""
        return {n for n, s in self.sessions.items() if n != SERVER and len(s.sent) > stage}


class Network:
    """Carries messages one at a time and goes on whatever happens, as a network does.

    `meddle(message, story)` returns what is delivered instead. Foreign exceptions are never caught.
    """

    def __init__(self, aggregator, spec, values, keys=None, *, journals=None, meddle=None) -> None:
        self.parties = aggregator.parties(spec)
        keys = keys or fixed_keys(self.parties, spec)
        journals = journals or {}
        self.meddle = meddle or (lambda message: [message])
        self.story = Story()
        self.resumed = {name: name in journals and bool(list(journals[name].events())) for name in self.parties}
        for name in self.parties:
            self.story.sessions[name] = Session(
                aggregator, spec, name, keys[name], values.get(name), journal=journals.get(name)
            )

    def run(self) -> Story:
        queue: deque[Message] = deque()
        for name in self.parties:
            self._do(name, lambda s: s.step(), queue)
            if self.resumed[name]:  # one that goes on from a journal repeats what it had sent
                queue.extend(self.story.sessions[name])
        while self.story.outcome is None:
            while queue:
                message = queue.popleft()
                self._do(message.recipient, lambda s, m=message: s.step([m]), queue)
            if self.story.outcome is not None or not self._time_out(queue):
                break
        return self.story

    def _do(self, name: str, work: Callable, queue: deque) -> None:
        session = self.story.sessions[name]
        if name in self.story.aborts:
            return
        try:
            step = work(session)
        except MessageRejected as error:
            self.story.rejections.append((name, error))
            return
        except ProtocolAbort as error:
            self.story.aborts[name] = error
            return
        if step.result is not None:
            self.story.outcome = step.result
        for message in step.outbox:
            queue.extend(self.meddle(message))

    def _time_out(self, queue: deque) -> bool:
        """Who waits only for parties that wait for nobody will wait for ever; else the collector gives up first."""
        waits = {n: self.story.sessions[n].step().waiting_for for n in self.parties if n not in self.story.aborts}
        alive = [name for name, waiting in waits.items() if waiting]
        hopeless = [name for name in alive if not any(waits.get(other) for other in waits[name])]
        for name in sorted(hopeless or alive, key=lambda n: n != SERVER)[:1]:
            self._do(name, lambda s: s.timeout(), queue)
        return bool(alive)


class Corrupted:
    """An aggregator in which some parties do not follow the protocol; they hold their real keys."""

    def __init__(self, aggregator, parties: Mapping[str, Callable]) -> None:
        self._honest, self._parties = aggregator, parties

    def __getattr__(self, name: str):
        return getattr(self._honest, name)

    def party(self, context, values):
        honest = self._honest.party(context, values)
        change = self._parties.get(context.me)
        return honest if change is None else change(honest)


class Altered:
    """An honest party whose turns are altered before they leave: `change(number of the turn, turn)`."""

    def __init__(self, party, change: Callable[[int, Turn], Turn]) -> None:
        self.party, self.change, self.turns = party, change, -1

    def __getattr__(self, name: str):
        return getattr(self.party, name)

    def _altered(self, turn: Turn) -> Turn:
        self.turns += 1
        return self.change(self.turns, turn)

    def start(self) -> Turn:
        return self._altered(self.party.start())

    def advance(self, bodies) -> Turn:
        return self._altered(self.party.advance(bodies))


def at(turn_number: int, change: Callable) -> Callable:
    """Alter one turn: `change(party, send)` returns the bodies to send instead."""

    def corrupt(party):
        def alter(number: int, turn: Turn) -> Turn:
            if number != turn_number:
                return turn
            return Turn(change(party, dict(turn.send)), turn.expect, turn.sealed, turn.result, turn.done, turn.evidence)

        return Altered(party, alter)

    return corrupt


def check_never_wrong(story: Story, values) -> None:
    """The one thing that must hold whatever happens: the exact total over the announced survivors, or none."""
    if story.outcome is not None:
        assert np.array_equal(story.outcome.total, exact(values, story.outcome.survivors))
    for error in story.aborts.values():
        assert isinstance(error, ProtocolAbort) and error.stage and error.reason
    for _, rejection in story.rejections:
        assert rejection.stage and rejection.problem
