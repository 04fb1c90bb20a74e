"""What the collector holds for others: messages between two parties that both talk through it."""

from __future__ import annotations

from collections import defaultdict

from pets.errors import MessageRejected
from pets.session.wire import HEADER, MAX_SEQUENCE, Header

MOST = 4096
"""Messages from one party to another in one session."""


class Mailbox:
    """All messages so far, by recipient and sender, so that one who reconnects gets what it lacks.

    The collector cannot read them: bodies are sealed, and only the two ends can check or make them.
    """

    def __init__(self) -> None:
        self._held: defaultdict[tuple[str, str], list[bytes]] = defaultdict(list)

    def __bool__(self) -> bool:
        return bool(self._held)

    def put(self, sender: str, recipient: str, header: Header, message: bytes) -> bool:
        """Hold a message; return whether it is new.

        Raises
        ------
        MessageRejected
            It does not follow the one before, or is one too many.
        """
        held = self._held[sender, recipient]
        if header.sequence < len(held):
            return False
        if header.sequence > len(held) or len(held) >= min(MOST, MAX_SEQUENCE):
            raise MessageRejected("does not follow the one before")
        if len(message) != HEADER + header.length:
            raise MessageRejected("was cut or extended")
        held.append(message)
        return True

    def count(self, sender: str, recipient: str) -> int:
        """Return how many messages there are from `sender` to `recipient`."""
        return len(self._held.get((sender, recipient), ()))

    def since(self, sender: str, recipient: str, first: int) -> list[bytes]:
        """Return the messages from number `first` on."""
        return self._held.get((sender, recipient), [])[first:]
