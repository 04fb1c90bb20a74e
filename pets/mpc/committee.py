"""Secure sums by a committee: each site splits its values among the members, who add what they got.

The two schemes (additive and Shamir sharing) differ in how a vector is split and opened; the rest is here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pets.errors import MessageRejected, ProtocolAbort
from pets.mpc.faults import SharesDisagree
from pets.session import SERVER, Context, Outcome, Turn
from pets.session.bodies import bits_size, cut, mark, marked

STAGES = ("input", "partial sum")


class Scheme(Protocol):
    """How a vector is split among the members of a committee."""

    @property
    def needed(self) -> int:
        """How many members must open a sum."""
        ...

    def split(self, values: NDArray[np.int64], site: int, stream: Callable[[int], bytes]) -> Sequence[bytes]:
        """Return one share for each member."""
        ...

    def add(self, shares: Sequence[bytes], sites: Sequence[int], member: int) -> bytes:
        """Return the member's share of the sum of what these sites sent it."""
        ...

    def open(self, partial: Mapping[int, bytes]) -> NDArray[np.int64]:
        """Return the total, from the shares of the sum by place of the member."""
        ...


class CommitteeMember:
    """A site, a member of the committee, or both in one.

    Parameters
    ----------
    context
        The contract, keys and randomness.
    values
        What the site puts in; ``None`` for a member that is no site.
    scheme
        How vectors are split.
    members
        Names of the committee, in order.
    least
        How many sites the sum must be over.
    """

    def __init__(
        self,
        context: Context,
        values: NDArray[np.int64] | None,
        scheme: Scheme,
        members: tuple[str, ...],
        least: int,
    ) -> None:
        self.context, self.scheme, self.members, self.least = context, scheme, members, least
        self.sites = context.spec.sites
        self._values = values
        self._received: Mapping[str, bytes] = {}
        self._asked: bytes = b""
        self._next = [self._report, self._agree, self._partial_sum]

    def start(self) -> Turn:
        """Send a share to each member; a member then waits for those of all sites."""
        send: dict[str, bytes] = {}
        if self._values is not None:
            place = self.sites.index(self.context.me)
            shares = self.scheme.split(self._values, place, self.context.stream("sharing"))
            send = dict(zip(self.members, shares, strict=True))
        if self.context.me not in self.members:
            return Turn(send=send, done=True)
        return Turn(send=send, expect=frozenset(self.sites))

    def advance(self, bodies: Mapping[str, bytes]) -> Turn:
        """Report who was heard, agree with the other members on who is in the sum, then add."""
        return self._next.pop(0)(bodies)

    def _report(self, bodies: Mapping[str, bytes]) -> Turn:
        if len(bodies) < self.least:
            raise self.context.too_few(f"{len(bodies)} sites sent their share, and {self.least} are needed")
        self._received = bodies
        return Turn(send={SERVER: mark(list(bodies), self.sites)}, expect=frozenset({SERVER}))

    def _agree(self, bodies: Mapping[str, bytes]) -> Turn:
        """Tell the other members what the server asks for.

        When fewer members than all open a sum, a server that asks them for different sets of sites could combine their
        answers into sums of a few sites. So a member answers only with as many others that were asked the same.
        """
        if SERVER not in bodies:
            raise self.context.abort("the server did not answer in time")
        bits, present = cut(bodies[SERVER], bits_size(len(self.sites)), bits_size(len(self.members)))
        chosen = marked(bits, self.sites)
        # A member answers once, and never for fewer sites than were agreed on.
        if not set(chosen) <= set(self._received):
            raise self.context.abort("the server asks for a site that sent nothing", SERVER)
        if len(chosen) < self.least:
            raise self.context.too_few(f"the server asks for {len(chosen)} sites, and {self.least} are needed")
        self._asked = bits
        if self.scheme.needed == len(self.members):
            return self._partial_sum({})
        others = [name for name in marked(present, self.members) if name != self.context.me]
        return Turn(send=dict.fromkeys(others, bits), expect=frozenset(others))

    def _partial_sum(self, bodies: Mapping[str, bytes]) -> Turn:
        agreeing = 1 + sum(body == self._asked for body in bodies.values())
        if self.scheme.needed < len(self.members) and agreeing < self.scheme.needed:
            raise self.context.abort(
                f"{agreeing} members were asked for the same sites, and {self.scheme.needed} are needed"
            )
        chosen = marked(self._asked, self.sites)
        place = self.members.index(self.context.me)
        sites = [self.sites.index(name) for name in chosen]
        try:
            body = self.scheme.add([self._received[name] for name in chosen], sites, place)
        except MessageRejected:
            raise self._malformed(chosen, place) from None
        return Turn(send={SERVER: body}, done=True)

    def _malformed(self, chosen: tuple[str, ...], place: int) -> ProtocolAbort:
        """Return who sent a share that is none."""
        for name in chosen:
            try:
                self.scheme.add([self._received[name]], [self.sites.index(name)], place)
            except MessageRejected as error:
                return self.context.abort(f"a share {error.problem}", name)
        return self.context.abort("the shares do not fit each other")


class CommitteeCollector:
    """Finds out whom all members heard, and opens the sum over them.

    Parameters
    ----------
    context, scheme, members, least
        As for :class:`CommitteeMember`.
    """

    def __init__(self, context: Context, scheme: Scheme, members: tuple[str, ...], least: int) -> None:
        self.context, self.scheme, self.members, self.least = context, scheme, members, least
        self._survivors: tuple[str, ...] = ()
        self._next = [self._choose, self._open]

    def start(self) -> Turn:
        """Wait for the members' reports."""
        return Turn(expect=frozenset(self.members))

    def advance(self, bodies: Mapping[str, bytes]) -> Turn:
        """Choose the survivors, then open."""
        if len(bodies) < self.scheme.needed:
            raise self.context.too_few(f"{len(bodies)} members are left, and {self.scheme.needed} are needed")
        return self._next.pop(0)(bodies)

    def _choose(self, bodies: Mapping[str, bytes]) -> Turn:
        sites = self.context.spec.sites
        heard = set(sites)
        for name, body in bodies.items():
            try:
                (bits,) = cut(body, bits_size(len(sites)))
                heard &= set(marked(bits, sites))
            except MessageRejected as error:
                raise self.context.abort(f"a report {error.problem}", name) from None
        self._survivors = tuple(name for name in sites if name in heard)
        if len(self._survivors) < self.least:
            raise self.context.too_few(f"{len(self._survivors)} sites are left, and {self.least} are needed")
        asked = mark(self._survivors, sites) + mark(list(bodies), self.members)
        return Turn(send=dict.fromkeys(bodies, asked), expect=frozenset(bodies))

    def _open(self, bodies: Mapping[str, bytes]) -> Turn:
        partial = {place: bodies[name] for place, name in enumerate(self.members) if name in bodies}
        try:
            total = self.scheme.open(partial)
        except SharesDisagree as error:
            # Nobody is blamed: a site that deals one member a wrong share makes an honest member's sum look wrong.
            names = ", ".join(repr(self.members[place]) for place in error.suspects)
            named = f": {names} lied, or was dealt a wrong share by a site" if names else ""
            raise self.context.abort(f"shares of the sum do not agree{named}") from None
        return Turn(result=Outcome(total, self._survivors), done=True)
