"""MPyC: Shamir sharing among 3 or 10 parties, each a process of its own on loopback ('local mode').

    python benchmarks/peers/mpyc_shamir.py --case a [--members 10] [--json]

Sums run in a prime field, the small-cell check (``--case cells``) on 32-bit secure integers: shares of the total are
compared with the minimum, and only what passes is opened. With 3 parties the sites hand their vectors to the parties in
turn; with 10 each site is a party. A party does both jobs, sharing and adding, so its CPU time stands under site; for
the small-cell check the sum over the parties stands under aggregator, from shares to opened cells.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from importlib.metadata import version
from typing import Any

import numpy as np
from measure import CASES, MINIMUM, Case, Measurement, Wall, arguments, inputs, report

PRIME = 2**31 - 1


def sent_bytes(mpc: Any) -> int:
    return sum(party.protocol.nbytes_sent for party in mpc.parties if party.pid != mpc.pid)


async def share(mpc: Any, kind: Any, data: np.ndarray) -> Any:
    """Return this party's share of the total; row k comes from party k modulo the number of parties."""
    total = None
    for site, row in enumerate(data):
        sender = site % len(mpc.parties)
        mine = kind.array(row if sender == mpc.pid else np.zeros_like(row))
        shared = mpc.input(mine, senders=sender)
        total = shared if total is None else total + shared
    return await mpc.gather(total)


async def opened(mpc: Any, kind: Any, total: Any) -> tuple[Any, Any]:
    """Open which cells reach the minimum, and those cells."""
    enough = kind.array(total) >= MINIMUM
    allowed = await mpc.output(enough)
    return allowed, await mpc.output(kind.array(total) * enough)


async def party(mpc: Any, name: str, case: Case) -> Measurement | None:
    data, parties = inputs(case), len(mpc.parties)
    check = name == "cells"
    kind = mpc.SecInt(32) if check else mpc.SecFld(modulus=PRIME)
    await mpc.start()
    await mpc.output(kind.array(await share(mpc, kind, data[:, :100])))  # warms up
    before, wall, start = sent_bytes(mpc), Wall(), time.process_time()
    total = await share(mpc, kind, data)
    if check:
        await mpc.transfer(None)  # all have their shares
        before, wall, start = sent_bytes(mpc), Wall(), time.process_time()
        allowed, found = await opened(mpc, kind, total)
    else:
        found = await mpc.output(kind.array(total), receivers=0)
    spent, elapsed, sent = 1e3 * (time.process_time() - start), wall(), sent_bytes(mpc) - before
    everyone = await mpc.transfer((spent, sent))
    await mpc.shutdown()
    if mpc.pid:
        return None
    true = data.sum(axis=0)
    answer = np.array([int(value) for value in np.asarray(found.value if hasattr(found, "value") else found).flat])
    if check:
        flags = np.array([int(value) for value in np.asarray(getattr(allowed, "value", allowed)).flat], dtype=bool)
        exact = bool(np.array_equal(flags, true >= MINIMUM) and np.array_equal(answer, np.where(flags, true, 0)))
    else:
        exact = bool(np.array_equal(answer, true))
    times, traffic = [ms for ms, _ in everyone], sum(count for _, count in everyone)
    up = traffic / case.size / (parties if check else case.sites)
    return Measurement(
        f"MPyC, {parties} parties", version("mpyc"), name, None if check else float(np.mean(times)),
        sum(times) if check else None, elapsed, up, exact,
        note="aggregator: all parties together; bytes a party and cell" if check
        else "site: one party, which shares and adds",
    )  # fmt: skip


def main() -> None:
    if not any(argument.startswith("-M") for argument in sys.argv):  # start again as party 0, which starts the others
        own = [f"-M{10 if '10' in sys.argv else 3}", f"-B{20_000 + os.getpid() % 20_000}", "--no-log"]
        raise SystemExit(subprocess.run([sys.executable, __file__, *sys.argv[1:], *own], check=False).returncode)
    from mpyc.runtime import mpc  # reads, and takes away, its own part of the command line

    options = arguments(
        __doc__, "a b c cells",
        {"flag": "--members", "type": int, "choices": (3, 10), "default": 3},
    )  # fmt: skip
    measurement = mpc.run(party(mpc, options.case, CASES[options.case]))
    if measurement is not None:
        report(measurement, options.json)


if __name__ == "__main__":
    main()
