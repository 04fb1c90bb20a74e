"""The connections of the collector: one for each party, and what comes in on any of them, one thing after the other."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from pets.errors import MessageRejected, NotConnected
from pets.session.tcp.frames import Kind
from pets.session.tcp.link import Link

REJECTIONS = 20
"""Frames of one party that may be no messages."""

_WAITING = 16
"""Frames read but not yet handled; more stay in the senders' buffers."""

_GRACE = 1.0
"""Seconds for what had arrived when the time was over; a party that never ends sending cannot stop the clock."""


@dataclass(frozen=True)
class Event:
    """A frame of a party, or (with no kind) the end of its connection."""

    name: str
    link: Link
    kind: Kind | None = None
    body: bytes = b""


class Hub:
    """Holds a connection for each party.

    Parameters
    ----------
    say
        Called with each line of progress.

    Attributes
    ----------
    ready
        The study whose keys each connected party holds.
    came
        Parties that have been ready at least once.
    stopped
        Parties that gave up, or are not listened to any more.
    visits
        How often each party has connected.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self.ready: dict[str, bytes] = {}
        self.came: set[str] = set()
        self.stopped: set[str] = set()
        self.visits: Counter[str] = Counter()
        self._told: set[str] = set()
        self._links: dict[str, Link] = {}
        self._events: asyncio.Queue[Event] = asyncio.Queue(_WAITING)
        self._readers: set[asyncio.Task[None]] = set()
        self._rejected: Counter[str] = Counter()

    def admit(self, name: str, link: Link) -> None:
        """Take a party's connection; a new one replaces the old, which may hang half open for hours."""
        if self._rejected[name] >= REJECTIONS:
            link.close()
            return
        before = self._links.get(name)
        if before is not None:
            before.close()
        self._links[name] = link
        self.visits[name] += 1
        self.ready.pop(name, None)
        self._told.discard(name)
        task = asyncio.create_task(self._listen(name, link))
        self._readers.add(task)
        task.add_done_callback(self._readers.discard)

    @property
    def connected(self) -> frozenset[str]:
        """Parties that have a connection."""
        return frozenset(self._links)

    @property
    def told(self) -> frozenset[str]:
        """Parties that were sent the end."""
        return frozenset(self._told)

    def send(self, name: str, kind: Kind, *parts: bytes) -> None:
        """Send a frame to a party if it is connected."""
        link = self._links.get(name)
        if link is not None:
            link.send(kind, *parts)

    def tell_end(self, name: str, ending: bytes) -> None:
        """Send a party the end, once."""
        if name in self._links and name not in self._told:
            self._told.add(name)
            self.send(name, Kind.END, ending)

    async def next(self, until: float) -> Event | None:
        """Return the next event of a connection that is still the party's, or None when the time is over."""
        while time.monotonic() < until + _GRACE:
            try:
                async with asyncio.timeout(max(until - time.monotonic(), 0)):
                    event = await self._events.get()
            except TimeoutError:
                return None
            if self._links.get(event.name) is not event.link:
                continue
            if event.kind == Kind.STOPPED:
                self.stopped.add(event.name)
                self.say(f"{event.name} stops; its own log says why")
                continue
            if event.kind is None:
                self._lose(event.name)
            if event.kind == Kind.READY:
                self.ready[event.name] = event.body
                self.stopped.discard(event.name)
            return event
        return None

    def blame(self, name: str, error: MessageRejected) -> None:
        """Report what is no message; a party of which too much comes is not listened to any more."""
        self._rejected[name] += 1
        self.say(f"{name}: {error}")
        if self._rejected[name] >= REJECTIONS and name in self._links:
            self.say(f"{name} is not let in any more: too much that came in its name was no message")
            self.stopped.add(name)
            self._links[name].close()
            self._lose(name)

    async def close(self) -> None:
        """Close all connections, once everything was sent."""
        for task in list(self._readers):
            task.cancel()
        await asyncio.gather(*self._readers, return_exceptions=True)
        await asyncio.gather(*(link.finish() for link in self._links.values()), return_exceptions=True)

    async def _listen(self, name: str, link: Link) -> None:
        try:
            while True:
                kind, body = await link.receive()
                await self._events.put(Event(name, link, kind, body))
        except MessageRejected as error:
            self.say(f"{name}: {error} The connection was closed.")
        except NotConnected:
            pass  # the event below says so
        link.close()
        await self._events.put(Event(name, link))

    def _lose(self, name: str) -> None:
        del self._links[name]
        self.ready.pop(name, None)
        if name not in self._told and name not in self.stopped:
            self.say(f"{name} is not connected any more")
