"""Three parties in a ring: masked products, openings with a second copy, and one party's rounds.

Party `i` speaks with the *previous* party ``i - 1`` and the *next* party ``i + 1`` (modulo 3). Everything here is
bytes in, bytes out; a transport must keep each message **confidential between its two parties** (whoever reads
all three messages of one round reads a secret) and authentic.

Guarantee
---------
*Semi-honest, one corrupted party, computational* (AES-256 as a pseudorandom function). Each message of a
product is the cross term exclusive-or'ed with a share of zero ``F(k_i) ^ F(k_{i+1})`` of which the receiver lacks
one key, so it is uniform for the receiver whatever the inputs are; each opened share follows from the opened
bit and the receiver's own two shares. So a party's whole view can be simulated from its input and the output
(Araki et al., theorems 2.4 and 3.1). Two parties together read everything.

*One malicious party* may send wrong products. It learns nothing from that before an opening, but can flip
bits that are opened, unnoticed. It **cannot lie in an opening**: what it opens is compared with the SHA-256
of the other holder's copy. A difference stops the honest party, which then knows that one of two neighbours
lied, not which. Bits whose second copy stems from the liar's own messages (all products) are thereby the same
for both honest parties, but not thereby right; numbers that were shared from outside are right.

References
----------
T. Araki, J. Furukawa, Y. Lindell, A. Nof, K. Ohara, CCS 2016.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes

from pets.errors import InvalidArgument, PetsError
from pets.mpc.faults import BadMessage, SharesDisagree
from pets.mpc.gates import Circuit, Rows, Wires

PARTIES = 3
KEY_BYTES = 32
DIGEST_BYTES = 32

_BLOCK = 128 * 1024
_SLACK = 15  # `update_into` wants room for one cipher block more

T = TypeVar("T")
Traffic = tuple[bytes, bytes]
"""What goes to, or came from, the previous and the next party."""
Steps = Generator[Traffic, Traffic, T]


@dataclass(frozen=True)
class Step(Generic[T]):
    """What a party does in one round: two messages to send, or a result. Empty messages need not be sent."""

    to_previous: bytes = b""
    to_next: bytes = b""
    result: T | None = None


class Seat:
    """One party's place in the ring and its randomness.

    Parameters
    ----------
    place
        0, 1 or 2.
    key_with_previous, key_with_next
        32 bytes each, shared with that neighbour alone and used for **one** evaluation only: a key that serves
        twice gives away the difference of two runs' cross terms.

    Raises
    ------
    InvalidArgument
        The place or a key's length is wrong, or the keys are equal.
    """

    def __init__(self, place: int, key_with_previous: bytes, key_with_next: bytes) -> None:
        if place not in range(PARTIES):
            raise InvalidArgument("place", "must be 0, 1 or 2")
        if any(not isinstance(k, bytes) or len(k) != KEY_BYTES for k in (key_with_previous, key_with_next)):
            raise InvalidArgument("key", f"must be {KEY_BYTES} bytes")
        if key_with_previous == key_with_next:
            raise InvalidArgument("key", "must differ between the two neighbours", "Agree one key per pair.")
        self.place = place
        self._streams = (_open_stream(key_with_previous), _open_stream(key_with_next))

    @property
    def previous(self) -> int:
        """Place of the party before."""
        return (self.place - 1) % PARTIES

    @property
    def next(self) -> int:
        """Place of the party after."""
        return (self.place + 1) % PARTIES

    def mask(self, rows: Rows) -> Rows:
        """Return `rows` with a fresh share of zero added: encrypted under both neighbours' keystreams."""
        plain = np.ascontiguousarray(rows).data.cast("B")
        once, twice = bytearray(min(len(plain), _BLOCK) + _SLACK), bytearray(len(plain) + _SLACK)
        room = memoryview(twice)
        for start in range(0, len(plain), _BLOCK):
            part = plain[start : start + _BLOCK]
            self._streams[0].update_into(part, once)
            self._streams[1].update_into(memoryview(once)[: len(part)], room[start : start + len(part) + _SLACK])
        return np.frombuffer(twice, dtype=np.uint64, count=rows.size).reshape(rows.shape)


class Evaluation(Generic[T]):
    """One party's side of a protocol, round by round.

    Call :meth:`start`, then :meth:`advance` with what the neighbours sent, until the step has a result. Without
    randomness beyond the seat's, so that a replay of the same messages goes the same way.
    """

    def __init__(self, steps: Steps[T]) -> None:
        self._steps = steps
        self._started = False

    def start(self) -> Step[T]:
        """Return the first messages."""
        if self._started:
            raise InvalidArgument("start", "was called before", "Make a new evaluation, with new keys.")
        self._started = True
        return self._run(None)

    def advance(self, from_previous: bytes, from_next: bytes) -> Step[T]:
        """Take the neighbours' messages of this round and return the next.

        Raises
        ------
        BadMessage
            A message cannot be right; ``sender`` says whose. The evaluation is over.
        SharesDisagree
            An opened share differs from its second copy. The evaluation is over.
        InvalidArgument
            The evaluation is over, or was not started.
        """
        if not self._started:
            raise InvalidArgument("advance", "was called before start")
        return self._run((from_previous, from_next))

    def _run(self, received: Traffic | None) -> Step[T]:
        try:
            to_previous, to_next = next(self._steps) if received is None else self._steps.send(received)
        except StopIteration as finished:
            if finished.value is None:
                raise InvalidArgument("advance", "was called after the end", "Make a new evaluation.") from None
            return Step(result=finished.value)
        return Step(to_previous, to_next)


def evaluate(seat: Seat, circuit: Circuit[T]) -> Steps[T]:
    """Run a circuit: each round, send the masked cross terms to the previous party."""
    try:
        rows = next(circuit)
        while True:
            wires = np.empty((2, *rows.shape), dtype=np.uint64)
            wires[0] = seat.mask(rows)
            from_previous, from_next = yield wires[0].astype("<u8", copy=False).tobytes(), b""
            expect(from_previous, 0, seat.previous)
            expect(from_next, rows.nbytes, seat.next)
            wires[1] = np.frombuffer(from_next, dtype="<u8").reshape(rows.shape)
            rows = circuit.send(wires)
    except StopIteration as finished:
        result: T = finished.value
        return result


def open_missing(seat: Seat, own: bytes, following: bytes) -> Steps[bytes]:
    """Open values of which this party holds the shares `own` and `following`; return the missing share.

    The share comes from the previous party; the next party, who holds the same, sends its digest.
    """
    from_previous, from_next = yield _digest(following), own
    expect(from_previous, len(own), seat.previous)
    expect(from_next, DIGEST_BYTES, seat.next)
    if _digest(from_previous) != from_next:
        raise SharesDisagree("two parties opened different copies of one share", (seat.previous, seat.next))
    return bytes(from_previous)


def open_bits(seat: Seat, wires: Wires) -> Steps[Rows]:
    """Return the bits themselves, shape ``(rows, words)``, now known to all three."""
    own, following = (share.astype("<u8", copy=False).tobytes() for share in wires)
    missing = yield from open_missing(seat, own, following)
    bits: Rows = wires[0] ^ wires[1] ^ np.frombuffer(missing, dtype="<u8").reshape(wires.shape[1:])
    return bits


def expect(message: bytes, size: int, sender: int) -> None:
    """Raise `BadMessage` unless the message has the size that everybody can foresee."""
    if not isinstance(message, bytes | bytearray | memoryview):
        raise BadMessage(sender, "is missing")
    if len(message) != size:
        raise BadMessage(sender, f"has {len(message)} bytes where {size} belong")


def run_three(evaluations: Sequence[Evaluation[T]]) -> tuple[list[T], list[list[Step[T]]]]:
    """Run the three parties in one process, for tests and measurements.

    Parameters
    ----------
    evaluations
        Those of the places 0, 1 and 2.

    Returns
    -------
    tuple
        The three results, and for each round the three steps, from which every message can be read.
    """
    steps = [evaluation.start() for evaluation in evaluations]
    rounds = []
    while all(step.result is None for step in steps):
        rounds.append(steps)
        steps = [
            evaluation.advance(steps[place - 1].to_next, steps[(place + 1) % PARTIES].to_previous)
            for place, evaluation in enumerate(evaluations)
        ]
    results = [step.result for step in steps if step.result is not None]
    if len(results) != PARTIES:
        raise PetsError("the three parties evaluate different protocols")
    return results, rounds


def _open_stream(key: bytes) -> CipherContext:
    return Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor()


def _digest(share: bytes) -> bytes:
    return hashlib.sha256(b"pets opened share" + share).digest()
