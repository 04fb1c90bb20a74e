"""The collector's door: it lets in who proves to be of the roster, and bounds what strangers can cost."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

from pets.errors import MessageRejected, NotConnected, PetsError
from pets.identity import Identity, Roster
from pets.session.tcp import frames, hello
from pets.session.tcp.frames import Kind
from pets.session.tcp.link import Link

MOST_STRANGERS = 32
"""Connections that have not yet said who they are. One more, and the oldest is closed: the honest need an instant."""

GREETING = 10.0
"""Seconds for a greeting."""

_TOLD = 20
"""Refused connections that are reported one by one."""


@dataclass
class Door:
    """Accepts connections.

    Parameters
    ----------
    identity, roster
        The collector, and whom it lets in.
    contract
        What it tells them.
    limit
        Longest frame of a party.
    admit
        Called with name and connection of each party that joins.
    say
        Called with each line of progress.
    read
        Called with the name of each party that came for the contract only.
    """

    identity: Identity
    roster: Roster
    contract: bytes
    limit: int
    admit: Callable[[str, Link], None]
    say: Callable[[str], None]
    read: Callable[[str], None] | None = None
    refused: int = 0
    _strangers: dict[asyncio.Task[None], asyncio.StreamWriter] = field(default_factory=dict)
    _server: asyncio.Server | None = None

    async def open(self, host: str, port: int) -> tuple[str, int]:
        """Listen, and return the address.

        Raises
        ------
        NotConnected
            The address cannot be used.
        """
        try:
            self._server = await asyncio.start_server(self._greet, host, port)
        except OSError as error:
            raise NotConnected(
                f"cannot listen on {host}:{port}: {error.strerror}. Another process may use the port; "
                "choose another one, or port 0 for any that is free."
            ) from None
        found = self._server.sockets[0].getsockname()
        return str(found[0]), int(found[1])

    async def close(self) -> None:
        """Let nobody in any more."""
        if self._server is not None:
            self._server.close()
        strangers = list(self._strangers)
        for task in strangers:
            task.cancel()
        await asyncio.gather(*strangers, return_exceptions=True)

    async def _greet(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = cast("asyncio.Task[None]", asyncio.current_task())
        while len(self._strangers) >= MOST_STRANGERS:
            oldest = next(iter(self._strangers))
            self._strangers.pop(oldest).transport.abort()
            oldest.cancel()
        self._strangers[task] = writer
        try:
            async with asyncio.timeout(GREETING):
                await self._exchange(reader, writer)
        except TimeoutError:
            self._refuse(writer, "it did not say who it is")
        except PetsError as error:
            self._refuse(writer, str(error))
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            self._strangers.pop(task, None)

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked = hello.challenge()
        await frames.write(writer, frames.pack(Kind.CHALLENGE, asked))
        kind, body = await frames.read(reader, frames.HELLO_LIMIT)
        if kind != Kind.HELLO:
            raise MessageRejected("is no hello")
        who = hello.read_hello(body, asked, self.roster, self.identity.public)
        if who.name == self.identity.name:
            raise MessageRejected("comes from the collector itself")
        await frames.write(
            writer, frames.pack(Kind.WELCOME, hello.say_welcome(self.identity, asked, body, self.contract))
        )
        if who.joins:
            self.admit(who.name, Link(reader, writer, self.limit))
        else:
            self.say(f"{who.name} reads the contract")
            writer.close()
            if self.read is not None:
                self.read(who.name)

    def _refuse(self, writer: asyncio.StreamWriter, why: str) -> None:
        """Close a connection with a line in the log, as far as the log is not itself what is attacked."""
        self.refused += 1
        peer = writer.get_extra_info("peername") or ("somebody",)
        if self.refused <= _TOLD:
            self.say(f"turned away a connection from {peer[0]}: {why}")
        elif self.refused == _TOLD + 1:
            self.say("further connections are turned away without a line each")
        writer.transport.abort()
