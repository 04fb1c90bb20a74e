"""How a party reaches the collector."""

from __future__ import annotations

import asyncio

from pets.errors import BadSignature, InvalidArgument, MessageRejected, NotConnected
from pets.identity import Identity, PublicIdentity
from pets.session.tcp import frames, hello
from pets.session.tcp.contract import LIMIT, Contract
from pets.session.tcp.frames import Kind
from pets.session.tcp.link import Link

PATIENCE = 10.0
"""Seconds to reach the collector and exchange greetings."""


def parse_address(text: str, argument: str) -> tuple[str, int]:
    """Return host and port of ``HOST:PORT``.

    Raises
    ------
    InvalidArgument
        It has another form.
    """
    host, separator, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not separator or not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise InvalidArgument(argument, f"must have the form HOST:PORT, not {text!r}", "For example 127.0.0.1:7001.")
    return host, int(port)


async def dial(
    address: tuple[str, int], identity: Identity, server: PublicIdentity, *, joins: bool, limit: int
) -> tuple[Contract, Link]:
    """Connect, and return the contract that the collector signed, and the connection.

    Raises
    ------
    NotConnected
        Nobody listens there, it did not let this party in, or it does not have the collector's keys.
    MessageRejected
        What it says cannot be understood.
    """
    where = f"{address[0]}:{address[1]}"
    try:
        async with asyncio.timeout(PATIENCE):
            reader, writer = await asyncio.open_connection(*address)
    except (OSError, TimeoutError):
        raise NotConnected(f"nobody answers at {where}") from None
    try:
        async with asyncio.timeout(PATIENCE):
            _, body = await frames.read(reader, frames.HELLO_LIMIT)
            asked = hello.check_challenge(body)
            mine = hello.say_hello(identity, server, asked, joins=joins)
            await frames.write(writer, frames.pack(Kind.HELLO, mine))
            kind, body = await frames.read(reader, LIMIT)
            if kind != Kind.WELCOME:
                raise MessageRejected("is not the answer to a hello")
            contract = Contract.from_bytes(hello.read_welcome(body, asked, mine, server))
    except NotConnected:
        writer.close()
        raise NotConnected(
            f"{where} closed the connection while greeting. If this goes on, compare the roster there with yours"
        ) from None
    except TimeoutError:
        writer.close()
        raise NotConnected(f"{where} does not go on with the greeting") from None
    except BadSignature:
        writer.close()
        raise NotConnected(f"whoever answers at {where} does not have the keys of {server.name!r}") from None
    except MessageRejected:
        writer.close()
        raise
    return contract, Link(reader, writer, limit)
