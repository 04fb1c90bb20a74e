"""How both ends of a connection prove who they are, before anything else is said.

The collector sends a nonce. The other signs it with its identity, beside a nonce of its own and the collector's keys.
The collector answers with the contract, signed over both nonces and what it was sent. Neither signature means anything
on another connection. Of what follows, the key agreement, the messages of a session and its end protect themselves;
other frames could come from anybody on the way. So a session must not begin before there are keys.
"""

from __future__ import annotations

from dataclasses import dataclass

from pets.csprng import random_bytes
from pets.errors import MessageRejected
from pets.identity import Identity, PublicIdentity, Roster
from pets.identity.encoding import frame
from pets.identity.primitives import SIGNATURE

MAGIC = b"pets tcp 1"
NONCE = 32
HELLO_CONTEXT = "connection hello"
WELCOME_CONTEXT = "connection welcome"


@dataclass(frozen=True, slots=True)
class Hello:
    """Who connected, and for what.

    Parameters
    ----------
    name
        A party of the roster whose signature was checked.
    joins
        Whether it wants to take part now; otherwise it only reads the contract.
    """

    name: str
    joins: bool


def challenge() -> bytes:
    """Return what the collector says first."""
    return MAGIC + random_bytes(NONCE)


def check_challenge(body: bytes) -> bytes:
    """Return `body` if it is a challenge.

    Raises
    ------
    MessageRejected
        Whoever listens there is no collector of this version.
    """
    if len(body) != len(MAGIC) + NONCE or not body.startswith(MAGIC):
        raise MessageRejected("is no greeting of a collector of this version")
    return body


def say_hello(identity: Identity, server: PublicIdentity, asked: bytes, *, joins: bool) -> bytes:
    """Return the answer to the challenge `asked`."""
    name = identity.name.encode()
    head = bytes([joins, len(name)]) + name + random_bytes(NONCE)
    return head + identity.sign(_hello(asked, head, server), HELLO_CONTEXT)


def read_hello(body: bytes, asked: bytes, roster: Roster, server: PublicIdentity) -> Hello:
    """Return who answered the challenge.

    Raises
    ------
    MessageRejected
        It is no hello.
    UnknownParty, BadSignature
        It is nobody of the roster.
    """
    head, signature = body[:-SIGNATURE], body[-SIGNATURE:]
    if len(head) < 2 or head[0] > 1 or len(head) != 2 + head[1] + NONCE:
        raise MessageRejected("is no hello")
    try:
        name = head[2 : 2 + head[1]].decode()
    except UnicodeDecodeError:
        raise MessageRejected("is no hello") from None
    roster[name].verify(signature, _hello(asked, head, server), HELLO_CONTEXT)
    return Hello(name, bool(head[0]))


def say_welcome(identity: Identity, asked: bytes, hello: bytes, contract: bytes) -> bytes:
    """Return the contract with the collector's signature."""
    return identity.sign(_welcome(asked, hello, contract), WELCOME_CONTEXT) + contract


def read_welcome(body: bytes, asked: bytes, hello: bytes, server: PublicIdentity) -> bytes:
    """Return the contract in a welcome.

    Raises
    ------
    BadSignature
        Whoever listens there does not have the collector's keys.
    """
    signature, contract = body[:SIGNATURE], body[SIGNATURE:]
    server.verify(signature, _welcome(asked, hello, contract), WELCOME_CONTEXT)
    return contract


def _hello(asked: bytes, head: bytes, server: PublicIdentity) -> bytes:
    return frame("pets hello v1", asked, head, server.digest)


def _welcome(asked: bytes, hello: bytes, contract: bytes) -> bytes:
    return frame("pets welcome v1", asked, hello, contract)
