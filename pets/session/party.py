"""A protocol, written as what one party does in each of its turns: no wire, no keys, no transport."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from numpy.typing import NDArray

from pets.errors import ProtocolAbort, TooFewSites
from pets.session.keys import Keys, derive
from pets.session.spec import Spec


@dataclass(frozen=True)
class Outcome:
    """What the collector ends with.

    Parameters
    ----------
    total
        Sum over the survivors, int64 array of shape (size,). Confidential until a mechanism has released it.
    survivors
        Sites whose values are in the total, in the order of the spec.
    suppressed
        Boolean array of shape (size,): cells that were never opened (their total is 0 here), or ``None``.
    """

    total: NDArray[np.int64]
    survivors: tuple[str, ...]
    suppressed: NDArray[np.bool_] | None = None

    def __repr__(self) -> str:
        hidden = 0 if self.suppressed is None else int(self.suppressed.sum())
        return f"<Outcome of {len(self.survivors)} sites, {len(self.total)} cells, {hidden} not opened; confidential>"


@dataclass(frozen=True)
class Evidence:
    """A statement that a party signed; anybody with the roster can check it later."""

    party: str
    statement: bytes
    signature: bytes


@dataclass(frozen=True)
class Turn:
    """What a party does next.

    Parameters
    ----------
    send
        One body for each recipient.
    expect
        Parties from which one body each is needed before the next turn.
    sealed
        Whether the bodies are encrypted on the way. ``False`` for what is uniformly random, or encrypted, already:
        it is then authenticated only, which saves a pass over large bodies.
    result
        The outcome, in the last turn of the collector.
    done
        True in the last turn of a party.
    evidence
        Signed statements for the transcript.
    """

    send: Mapping[str, bytes] = field(default_factory=dict)
    expect: frozenset[str] = frozenset()
    sealed: bool = True
    result: Outcome | None = None
    done: bool = False
    evidence: tuple[Evidence, ...] = ()


class Party(Protocol):
    """One party's side of a protocol. Deterministic, given its :class:`Context`: it can be replayed."""

    def start(self) -> Turn:
        """Return the first turn."""
        ...

    def advance(self, bodies: Mapping[str, bytes]) -> Turn:
        """Return the next turn, given a body of each expected party.

        After a timeout bodies are missing; a party that cannot go on without them raises
        :meth:`Context.abort`. A party that was missing once is never heard again.
        """
        ...


class Context:
    """What a party may use: the contract, its keys, and randomness that a replay repeats.

    Parameters
    ----------
    spec, me, parties
        The contract, the party's own name, and the names of all parties.
    keys
        Keys of this session.
    seed
        32 bytes of secure randomness.
    kept
        What was remembered before a restart.
    keep
        Called with each new thing to remember, before it is used.

    Attributes
    ----------
    stage
        Name of the stage the party is at.
    received, sent
        SHA-256 of the last body, as it was on the wire, from and to each party.
    """

    def __init__(
        self,
        spec: Spec,
        me: str,
        parties: tuple[str, ...],
        keys: Keys,
        seed: bytes,
        *,
        kept: Mapping[str, bytes] | None = None,
        keep: Callable[[str, bytes], None] | None = None,
    ) -> None:
        self.spec, self.me, self.parties, self.keys = spec, me, parties, keys
        self.stage = "start"
        self.received: dict[str, bytes] = {}
        self.sent: dict[str, bytes] = {}
        self._seed = seed
        self._kept = dict(kept or {})
        self._keep = keep

    def random(self, label: str, size: int) -> bytes:
        """Return `size` secret bytes, the same ones for the same label."""
        return self.stream(label)(size)

    def stream(self, label: str) -> Callable[[int], bytes]:
        """Return a function that gives the next so many secret bytes of the stream called `label`."""
        stream = Cipher(algorithms.AES(derive(self._seed, label)), modes.CTR(bytes(16))).encryptor()
        return lambda size: stream.update(bytes(size))

    def pair_key(self, peer: str, label: str) -> bytes:
        """Return 32 bytes that only this party and `peer` know, for this session and purpose."""
        return self.keys.pair(peer, label)

    def remember(self, name: str, make: Callable[[], bytes]) -> bytes:
        """Return what `make` gives the first time; a replay gets the same bytes again.

        For whatever is random out of our hands: a signature, a key or a ciphertext made by another library.
        """
        if name not in self._kept:
            value = make()
            if self._keep is not None:
                self._keep(name, value)
            self._kept[name] = value
        return self._kept[name]

    def sign(self, statement: bytes) -> bytes:
        """Return the party's signature of `statement`, once per stage."""
        return self.remember(f"signature {self.stage}", lambda: self.keys.sign(statement))

    def abort(self, reason: str, party: str | None = None) -> ProtocolAbort:
        """Return the exception that ends the session at this stage."""
        return ProtocolAbort(self.stage, reason, party)

    def too_few(self, reason: str) -> TooFewSites:
        """Return the exception for a session that lost too many sites."""
        return TooFewSites(self.stage, reason)
