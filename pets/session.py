"""How parties of an aggregation talk: bytes in, bytes out, and no transport.

A *session* is one party's side of a protocol. It receives messages and returns the messages it wants sent;
who carries them (one process, sockets, a federation platform) is the driver's business.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from pets.errors import InvalidArgument, PairingRefused
from pets.tally import Tally

if TYPE_CHECKING:
    from pets.roles import Aggregator

SERVER = "server"
"""Name of the party that adds up; no site may be called so."""


@dataclass(frozen=True, slots=True)
class Spec:
    """What all parties agree on before any data moves.

    Parameters
    ----------
    signature
        Digest of query, domain and privacy unit.
    size
        Number of integers in the tally.
    sites
        Names of the sites that take part, distinct.

    Raises
    ------
    InvalidArgument
        There is no site, a name is empty, repeated or reserved.
    """

    signature: str
    size: int
    sites: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.sites:
            raise InvalidArgument("sites", "is empty", "Give at least one site: {'name': frame}.")
        for name in self.sites:
            if not isinstance(name, str) or not name.strip() or name == SERVER:
                raise InvalidArgument("sites", f"has the name {name!r}", f"Use a non-empty text other than {SERVER!r}.")
        if len(set(self.sites)) != len(self.sites):
            raise InvalidArgument("sites", "names a site twice")


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
    """What a session wants after reading its messages: some to be sent, and the total once it is known."""

    outbox: tuple[Message, ...] = ()
    result: Tally | None = None


class Session(Protocol):
    """One party's side of an aggregation."""

    def step(self, inbox: Sequence[Message]) -> Step:
        """Read the messages that arrived, return those to send, and the total once it is known."""
        ...


def run_in_process(aggregator: Aggregator, spec: Spec, tallies: Mapping[str, Tally]) -> Tally:
    """Run all parties in this process through their real messages and return the total.

    For laptops and tests: here the sites trust the process.

    Raises
    ------
    PairingRefused
        The protocol stopped without a total.
    """
    sessions: dict[str, Session] = {name: aggregator.site(spec, name, tallies[name]) for name in spec.sites}
    sessions[SERVER] = aggregator.server(spec)
    inboxes: dict[str, list[Message]] = {name: [] for name in sessions}
    while inboxes:
        arriving: defaultdict[str, list[Message]] = defaultdict(list)
        for name, inbox in inboxes.items():
            step = sessions[name].step(inbox)
            if step.result is not None:
                return step.result
            for message in step.outbox:
                arriving[message.recipient].append(message)
        inboxes = dict(arriving)
    raise PairingRefused(f"{type(aggregator).__name__} ended without a total; this is a fault of the aggregator")
