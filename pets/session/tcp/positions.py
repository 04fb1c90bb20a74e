"""How far both ends have come: it tells which messages to send again, and that one of them has forgotten some."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from pets.errors import MessageRejected


def pack(*counts: Sequence[int]) -> bytes:
    """Return lists of counts, four bytes each."""
    return b"".join(struct.pack(f">{len(each)}I", *each) for each in counts)


def unpack(body: bytes, parties: int, lists: int) -> tuple[tuple[int, ...], ...]:
    """Return `lists` lists of one count for each party.

    Raises
    ------
    MessageRejected
        The length is wrong.
    """
    if len(body) != 4 * parties * lists:
        raise MessageRejected("says how far it has come in another form")
    flat = struct.unpack(f">{parties * lists}I", body)
    return tuple(flat[i : i + parties] for i in range(0, len(flat), parties))
