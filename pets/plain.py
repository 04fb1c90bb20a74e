"""The aggregator that protects nothing: the baseline of every comparison."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import add
from typing import Any, ClassVar

from pets.error_model import ErrorModel
from pets.errors import IncompatibleTallies, InvalidArgument
from pets.guarantee import NoFormalGuarantee
from pets.noise import NoNoise
from pets.query import BoundQuery
from pets.session import SERVER, Message, Session, Spec, Step
from pets.tally import Tally


@dataclass(frozen=True, slots=True)
class Plain:
    """Sites send their exact tallies to one trusted server, which adds them.

    Guarantee
    ---------
    None: the server sees every site's table. Use it on one machine, at one registry, or to measure what a
    secure sum costs.
    """

    kind: ClassVar[str] = "plain"

    def guarantee(self, query: BoundQuery) -> NoFormalGuarantee:
        """Return that there is none, and why."""
        del query
        return NoFormalGuarantee("the aggregating server sees the exact table of every site")

    def error(self, query: BoundQuery) -> ErrorModel:
        """Return that sums are exact."""
        return ErrorModel(query, tuple(NoNoise() for _ in query.blocks))

    def who_learns(self, query: BoundQuery) -> dict[str, str]:
        """Return who sees what."""
        del query
        return {
            "each site": "its own rows and table",
            "server": "the exact table of every site, and the exact total",
            "eavesdropper": "whatever the transport shows: the messages are not encrypted",
            "reader of the release": "the release only",
        }

    def site(self, spec: Spec, me: str, tally: Tally) -> Session:
        """Return the session that sends `tally` to the server."""
        if tally.signature != spec.signature or len(tally) != spec.size:
            raise IncompatibleTallies(f"site {me!r} brings a tally of another question than the others agreed on")
        return _Site(me, tally)

    def server(self, spec: Spec) -> Session:
        """Return the session that adds."""
        return _Server(spec)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {"type": self.kind}


@dataclass(frozen=True)
class _Site:
    me: str
    tally: Tally

    def step(self, inbox: Sequence[Message]) -> Step:
        del inbox
        return Step(outbox=(Message(self.me, SERVER, self.tally.to_bytes()),))


@dataclass(frozen=True)
class _Server:
    spec: Spec
    received: dict[str, Tally] = field(default_factory=dict)

    def step(self, inbox: Sequence[Message]) -> Step:
        for message in inbox:
            if message.sender not in self.spec.sites or message.sender in self.received:
                raise InvalidArgument("sender", f"{message.sender!r} is not expected, or came twice")
            tally = Tally.from_bytes(message.body)
            if tally.signature != self.spec.signature or len(tally) != self.spec.size:
                raise IncompatibleTallies(f"site {message.sender!r} sent a tally of another question")
            self.received[message.sender] = tally
        if len(self.received) < len(self.spec.sites):
            return Step()
        return Step(result=reduce(add, (self.received[name] for name in self.spec.sites)))
