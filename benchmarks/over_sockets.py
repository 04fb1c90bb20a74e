"""A masked sum with one process a site and one that collects, over loopback: wall time from start to total.

The processes are forked once the keys of the parties exist. Two sessions are run: the first agrees on pair keys, the
second uses them, as all later ones of a study do. The wall time is that of the second, from the first process's start
to the collector's end; reading Python and its libraries is not in it.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import socket
import tempfile
import time
from pathlib import Path

import numpy as np

from pets.identity import Identity, Roster
from pets.mpc import MaskedSum
from pets.session import SERVER, Outcome, Spec
from pets.session.tcp import Collector, Contract, Member, Store, ask

PATIENCE = 120.0


def quiet(news: object) -> None:
    """Say nothing."""
    del news


def run(values: dict[str, np.ndarray], bound: int) -> tuple[np.ndarray, float]:
    """Return the total of the second of two sessions, and its wall time in milliseconds."""
    identities = {name: Identity.new(name) for name in (*values, SERVER)}
    roster = Roster(identity.public for identity in identities.values())
    with tempfile.TemporaryDirectory() as folder, socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = free.getsockname()
        free.close()
        stores = {name: (Path(folder) / f"{place}", identities[name], roster) for place, name in enumerate(identities)}
        total, wall = np.zeros(0), 0.0
        for number in (1, 2):
            spec = Spec(
                "ab" * 32, len(next(iter(values.values()))), tuple(values), bound=bound, lower=0, number=number,
                roster=roster.digest.hex(), aggregator=MaskedSum().to_dict(),
            )  # fmt: skip
            total, wall = _session(stores, Contract(spec, {}, PATIENCE), values, address)
        return total, wall


def _session(stores: dict, contract: Contract, values: dict[str, np.ndarray], address: tuple) -> tuple:
    fork = multiprocessing.get_context("fork")
    receiving, sending = fork.Pipe(duplex=False)
    parties = [fork.Process(target=_collect, args=(stores[SERVER], contract, address, sending))]
    parties += [fork.Process(target=_take_part, args=(stores[name], values[name], address)) for name in values]
    started = time.perf_counter()
    for party in parties:
        party.start()
    total = receiving.recv()
    wall = 1e3 * (time.perf_counter() - started)
    for party in parties:
        party.join()
    return total, wall


def _collect(store: tuple, contract: Contract, address: tuple, sending: object) -> None:
    def publish(outcome: Outcome) -> bytes:
        sending.send(outcome.total)
        return b"{}"

    collector = Collector(Store(*store), MaskedSum(), contract, publish, quiet, quiet, wait=PATIENCE)
    asyncio.run(collector.run(*address))


def _take_part(store: tuple, values: np.ndarray, address: tuple) -> None:
    async def work() -> None:
        own = Store(*store)
        contract = await ask(address, own, PATIENCE, quiet)
        await Member(own, MaskedSum(), contract, lambda: values, address, PATIENCE, quiet).run()

    asyncio.run(work())
