"""One party's session: reads and writes authentic messages, keeps a journal and a transcript, and resumes.

The engine is the same for every protocol. It knows nothing of sums; the :class:`~pets.session.party.Party` knows
nothing of bytes on a wire.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from numpy.typing import NDArray

from pets.csprng import random_bytes
from pets.errors import InvalidArgument, JournalError, MessageRejected, PetsError, ProtocolAbort
from pets.session import journal as log
from pets.session.journal import Journal, NoJournal
from pets.session.keys import Keys, NoKeys
from pets.session.party import Context, Outcome, Turn
from pets.session.spec import Spec
from pets.session.transcript import Transcript
from pets.session.wire import MAX_SEQUENCE, Header, is_authentic, nonce, pack, unpack

if TYPE_CHECKING:
    from pets.roles import Aggregator

MAX_AHEAD = 8
"""How many messages of one sender may wait for their turn."""


@dataclass(frozen=True, slots=True, repr=False)
class Message:
    """Bytes from one party to another; the repr hides them."""

    sender: str
    recipient: str
    body: bytes

    def __repr__(self) -> str:
        return f"<Message {self.sender} to {self.recipient}, {len(self.body)} bytes>"


@dataclass(frozen=True, slots=True)
class Step:
    """What a session wants: messages to be sent, and whom it waits for; the outcome once it is known."""

    outbox: tuple[Message, ...] = ()
    waiting_for: frozenset[str] = frozenset()
    result: Outcome | None = None
    done: bool = False


class Session:
    """The side of one party in one secure sum. Bytes in, bytes out; who carries them is the driver's business.

    Parameters
    ----------
    aggregator
        The protocol.
    spec
        The contract; each party must hold the same one.
    me
        Name of this party.
    keys
        Its keys for this session.
    values
        What it puts into the sum, see :func:`~pets.session.spec.contribution`; ``None`` for a party that is no site.
    journal
        Where to write what happened before acting on it. A journal that already holds events is replayed: the
        session then stands where it stood, and sends again what it had sent.

    Raises
    ------
    InvalidArgument
        `me` is no party of this session, the protocol needs keys and there are none, a site brings no values or
        values of another form than the spec says, or the journal is of another session.
    JournalError
        What the journal holds does not fit the keys.
    ProtocolAbort
        The journal is of a session that had stopped already.
    """

    def __init__(
        self,
        aggregator: Aggregator,
        spec: Spec,
        me: str,
        keys: Keys,
        values: NDArray[np.int64] | None = None,
        *,
        journal: Journal | None = None,
    ) -> None:
        self.spec, self.me, self.keys = spec, me, keys
        self.parties = aggregator.parties(spec)
        if me not in self.parties:
            raise InvalidArgument("me", f"{me!r} takes no part in this session")
        if aggregator.keyed and isinstance(keys, NoKeys):
            raise InvalidArgument("keys", f"{aggregator.kind!r} hides nothing without them", "Agree on keys first.")
        _check_values(spec, me, values)
        self._place = {name: place for place, name in enumerate(self.parties)}
        self._limit = aggregator.largest_message(spec)
        self._stages = aggregator.stages
        self._journal: Journal = NoJournal() if journal is None else journal
        self._record = Transcript(spec, me, self.parties)
        self._inbox: dict[str, dict[int, tuple[bytes, bytes]]] = defaultdict(dict)
        self._read: dict[str, int] = defaultdict(int)
        self._seen: dict[str, dict[int, bytes]] = defaultdict(dict)
        self._written: dict[str, int] = defaultdict(int)
        self._ciphers: dict[str, tuple[bytes, ChaCha20Poly1305]] = {}
        self._id = spec.id
        self._gone: set[str] = set()
        self._turns = 0
        self._turn = Turn()
        self._failed: PetsError | None = None
        self._handed = 0
        self.sent: list[Message] = []
        past = self._past()
        seed, stored = self._begin(past, values)
        kept = {event[1].decode(): event[2] for event in past if event[0] == log.KEEP}
        lasting = self._journal  # also while the past is replayed: it may have ended before this was written

        def keep(name: str, value: bytes) -> None:
            lasting.append(log.KEEP, name.encode(), value)

        self.context = Context(spec, me, self.parties, keys, seed, kept=kept, keep=keep)
        self._party = aggregator.party(self.context, stored)
        self._replay(past)

    # ------------------------------------------------------------------------------------ what a driver calls

    def step(self, inbox: Sequence[Message] = ()) -> Step:
        """Read the messages that arrived and return those to send.

        The same message twice does no harm. Each authentic message is in the journal before it is acted on.

        Raises
        ------
        ProtocolAbort
            The protocol cannot go on; the session is over, and says so again at each further call.
        MessageRejected
            Some bytes are no authentic message of this session. They were ignored, all others in `inbox` were read:
            what there is to send now comes with the next step.
        """
        rejected: MessageRejected | None = None
        with self._failing():
            if self._turns == 0:
                self._take(self._party.start)
            for message in inbox:
                try:
                    self._accept(message.body)
                except MessageRejected as error:
                    rejected = rejected or MessageRejected(error.problem, self.stage)
            self._go_on()
        if rejected is not None:
            raise rejected
        return self._step()

    def timeout(self) -> Step:
        """Give up waiting: those who are late are treated as dropped out, for good.

        Raises
        ------
        ProtocolAbort
            The protocol cannot go on without them.
        """
        with self._failing():
            if self._turns == 0:
                self._take(self._party.start)
            elif not self._turn.done:
                self._journal.append(log.TIMEOUT)
                self._give_up()
        return self._step()

    def transcript(self) -> Transcript:
        """Return the record of what was sent and accepted so far; it holds no secret."""
        return self._record

    @property
    def stage(self) -> str:
        """Name of the stage this party is at."""
        return self._stages[min(max(self._turns - 1, 0), len(self._stages) - 1)]

    @property
    def turns(self) -> int:
        """How many turns this party has taken."""
        return self._turns

    @property
    def dropped(self) -> frozenset[str]:
        """Parties that were late once; nothing is read from them any more."""
        return frozenset(self._gone)

    def received(self, peer: str) -> int:
        """Return how many messages of `peer` were accepted without a gap."""
        seen = self._seen[peer]
        return next((number for number in range(len(seen)) if number not in seen), len(seen))

    def __repr__(self) -> str:
        return f"<Session of {self.me!r} at the stage {self.stage!r}>"

    # ------------------------------------------------------------------------------------ turns

    def _step(self) -> Step:
        handed, self._handed = self._handed, len(self.sent)
        waiting = frozenset() if self._turn.done else frozenset(name for name in self._turn.expect if self._lacks(name))
        return Step(tuple(self.sent[handed:]), waiting, self._turn.result, self._turn.done)

    def _take(self, turn: Callable[[], Turn], sender: str | None = None) -> None:
        self._turns += 1
        self.context.stage = self.stage
        try:
            self._turn = turn()
        except MessageRejected as error:
            raise ProtocolAbort(self.stage, f"an authentic message {error.problem}", sender) from None
        for recipient, body in self._turn.send.items():
            self._send(recipient, body, sealed=self._turn.sealed)
        self._record.evidence.extend(self._turn.evidence)

    def _go_on(self) -> None:
        while not self._turn.done and not any(self._lacks(name) for name in self._turn.expect - self._gone):
            bodies = {name: self._next(name) for name in self._turn.expect - self._gone}
            sender = next(iter(bodies)) if len(bodies) == 1 else None
            self._take(lambda bodies=bodies: self._party.advance(bodies), sender)  # type: ignore[misc]

    def _give_up(self) -> None:
        self._gone |= {name for name in self._turn.expect if self._lacks(name)}
        self._go_on()

    def _lacks(self, name: str) -> bool:
        return self._read[name] not in self._inbox[name]

    def _next(self, name: str) -> bytes:
        sequence = self._read[name]
        self._read[name] += 1
        body, self.context.received[name] = self._inbox[name].pop(sequence)
        return body

    # ------------------------------------------------------------------------------------ messages

    def _keys_of(self, peer: str) -> tuple[bytes, ChaCha20Poly1305]:
        """Return the authentication key and the cipher of the pair."""
        known = self._ciphers.get(peer)
        if known is None:
            known = self.keys.pair(peer, "authenticate"), ChaCha20Poly1305(self.keys.pair(peer, "seal"))
            self._ciphers[peer] = known
        return known

    def _send(self, recipient: str, body: bytes, *, sealed: bool) -> None:
        sequence = self._written[recipient]
        self._written[recipient] += 1
        if recipient == self.me:
            self._inbox[self.me][sequence] = (body, b"")
            return
        to, own = self._place[recipient], self._place[self.me]
        key, cipher = self._keys_of(recipient)
        if sealed:
            body = cipher.encrypt(nonce(own, sequence), body, self._id)
        digest = self.context.sent[recipient] = hashlib.sha256(body).digest()
        header = Header(sealed, own, to, sequence, len(body), self._id, digest)
        wire = pack(header, key, body)
        self._record.record(wire)
        self.sent.append(Message(self.me, recipient, wire))

    def _accept(self, wire: bytes) -> None:
        header = unpack(wire, self._limit)
        sender = self._sender(header)
        key, cipher = self._keys_of(sender)
        if not is_authentic(wire, header, key):
            raise MessageRejected("is not authentic: it was altered, or made with other keys")
        if sender in self._gone or self._turn.done:
            return
        if self._is_repeat(sender, header, wire):
            return
        body = wire[-header.length :] if header.length else b""
        if header.sealed:
            try:
                body = cipher.decrypt(nonce(header.sender, header.sequence), body, self._id)
            except InvalidTag:
                raise MessageRejected("cannot be opened with the key of its sender") from None
        self._journal.append(log.RECEIVED, wire)
        self._inbox[sender][header.sequence] = (body, header.digest)
        self._seen[sender][header.sequence] = header.digest
        self._record.record(wire)

    def _sender(self, header: Header) -> str:
        if header.session != self._id:
            raise MessageRejected("belongs to another session, or its sender was given another contract")
        if header.recipient != self._place[self.me]:
            raise MessageRejected("is for another party")
        if header.sender >= len(self.parties) or header.sender == self._place[self.me]:
            raise MessageRejected("comes from nobody who takes part")
        return self.parties[header.sender]

    def _is_repeat(self, sender: str, header: Header, wire: bytes) -> bool:
        """Return whether this very message came before; two different ones in one place end the session."""
        sequence, seen = header.sequence, self._seen[sender]
        if sequence in seen:
            if seen[sequence] == header.digest:
                return True
            self._journal.append(log.RECEIVED, wire)  # so that a restart does not forget it
            raise ProtocolAbort(self.stage, "two different messages were sent in one place", sender)
        if sequence > min(self._read[sender] + MAX_AHEAD, MAX_SEQUENCE):
            raise MessageRejected("is too far ahead of its turn")
        return False

    # ------------------------------------------------------------------------------------ journal

    def _past(self) -> list[tuple[bytes, ...]]:
        return list(self._journal.events())

    def _begin(
        self, past: list[tuple[bytes, ...]], values: NDArray[np.int64] | None
    ) -> tuple[bytes, NDArray[np.int64] | None]:
        """Return the seed and the values, as they were when the session first started."""
        if not past:
            seed = random_bytes(32)
            content = b"" if values is None else values.astype("<i8").tobytes()
            self._journal.append(log.START, self.spec.id, self.me.encode(), seed, content)
            return seed, values
        kind, *rest = past[0]
        if kind != log.START or len(rest) != 4 or rest[:2] != [self.spec.id, self.me.encode()]:
            raise InvalidArgument(
                "journal", "is of another session or party", "Give each session a journal of its own."
            )
        stored = None if values is None else np.frombuffer(rest[3], dtype="<i8").astype(np.int64)
        _check_values(self.spec, self.me, stored)
        return rest[2], stored

    def _replay(self, past: list[tuple[bytes, ...]]) -> None:
        """Go through what happened before, without writing it again."""
        if not past:
            return
        live, self._journal = self._journal, NoJournal()
        try:
            self.step()
            for event in past:
                if event[0] == log.RECEIVED:
                    self.step([Message("", self.me, event[1])])
                elif event[0] == log.TIMEOUT:
                    self.timeout()
        except MessageRejected as error:
            raise JournalError(
                f"the journal does not fit the keys of this session: a message {error.problem}"
            ) from None
        finally:
            self._journal = live

    def _failing(self) -> _Failing:
        if self._failed is not None:
            raise self._failed
        return _Failing(self)

    def failed(self, error: PetsError) -> None:
        """Remember that the session is over."""
        self._failed = error

    def __iter__(self) -> Iterator[Message]:
        """Iterate over all messages sent so far, for a peer that has reconnected."""
        return iter(self.sent)


class _Failing:
    """Ends the session for good on an abort; rejected bytes leave it as it was."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, PetsError) and not isinstance(error, MessageRejected):
            self.session.failed(error)


def _check_values(spec: Spec, me: str, values: NDArray[np.int64] | None) -> None:
    if (me in spec.sites) != (values is not None):
        raise InvalidArgument("values", f"must be given for a site and for nobody else; this is {me!r}")
    if values is None:
        return
    if not isinstance(values, np.ndarray) or values.dtype != np.int64 or values.shape != (spec.size,):
        raise InvalidArgument("values", f"must be an int64 array of {spec.size:,} values, as the spec says")
