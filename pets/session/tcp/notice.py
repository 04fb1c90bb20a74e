"""A last word of the collector: a contract that asks nothing, for each party to read once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from contextlib import suppress

from pets.session.tcp.contract import Contract
from pets.session.tcp.door import Door
from pets.session.tcp.frames import HELLO_LIMIT
from pets.session.tcp.link import Link
from pets.session.tcp.store import Store


async def post(
    store: Store,
    contract: Contract,
    address: tuple[str, int],
    readers: Collection[str],
    seconds: float,
    say: Callable[[str], None],
) -> frozenset[str]:
    """Let parties read a contract, until all have or the time is over, and return who has.

    Parameters
    ----------
    store
        The collector's folder.
    contract
        What they read.
    address
        Host and port to listen on.
    readers
        Whom to wait for.
    seconds
        How long.
    say
        Called with each line of progress.

    Raises
    ------
    NotConnected
        The address cannot be used.
    """
    seen: set[str] = set()
    all_seen = asyncio.Event()

    def note(name: str) -> None:
        seen.add(name)
        if seen >= set(readers):
            all_seen.set()

    def turn_away(_: str, link: Link) -> None:
        link.close()  # whoever still waits for a session has read the contract, and sees that it is another one

    door = Door(store.identity, store.roster, contract.to_bytes(), HELLO_LIMIT, turn_away, say, note)
    await door.open(*address)
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await all_seen.wait()
    finally:
        await door.close()
    return frozenset(seen)
