"""SPU: ABY3 and SEMI2K among three parties, which are threads of this process linked in memory.

    python benchmarks/peers/spu_rings.py --case a [--json]

A site splits its vector into shares; the three parties add and open, or (``--case cells``) compare the total with the
minimum and open only what passes. The ring has 32 bits, which hold every total. Compiling is not timed. Aggregator is
the CPU time of all three parties together.
"""

from __future__ import annotations

import threading
from functools import reduce
from operator import add
from typing import Any

import jax.numpy as jnp
import numpy as np
import spu
import spu.utils.frontend as compiler
from measure import CASES, MINIMUM, Case, Measurement, Wall, arguments, inputs, report, timed
from spu import libspu

PARTIES = 3


def total_of(*rows: Any) -> Any:
    return reduce(add, rows)


def large_enough(*rows: Any) -> Any:
    total = total_of(*rows)
    return jnp.where(total >= MINIMUM, total, -1)


def party(rank: int, desc: Any, config: Any, program: Any, shares: list[list[Any]], results: dict[int, Any]) -> None:
    link = libspu.link.create_mem(desc, rank)
    runtime = spu.Runtime(link, config)
    for name, share in zip(program.input_names, shares, strict=True):
        runtime.set_var(name, share[rank])
    runtime.run(program)
    results[rank] = [runtime.get_var(name) for name in program.output_names]


def together(config: Any, program: Any, shares: list[list[Any]]) -> list[Any]:
    """Run the three parties and return their shares of the answer."""
    desc = libspu.link.Desc()
    for rank in range(PARTIES):
        desc.add_party(f"party {rank}", f"thread {rank}")
    results: dict[int, Any] = {}
    threads = [
        threading.Thread(target=party, args=(rank, desc, config, program, shares, results)) for rank in range(PARTIES)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [results[rank][0] for rank in range(PARTIES)]


def measure(protocol: str, name: str, case: Case) -> Measurement:
    data = inputs(case).astype(np.int32)
    config = libspu.RuntimeConfig(protocol=getattr(libspu.ProtocolKind, protocol), field=libspu.FieldType.FM32)
    io = spu.Io(PARTIES, config)
    check = name == "cells"
    names = [f"site{k}" for k in range(case.sites)]
    program, _ = compiler.compile(
        compiler.Kind.JAX, large_enough if check else total_of, list(data), {}, names,
        [libspu.Visibility.VIS_SECRET] * case.sites, lambda flat: [f"out{k}" for k in range(len(flat))],
    )  # fmt: skip
    wall = Wall()
    sent = [timed(lambda row=row: io.make_shares(row, libspu.Visibility.VIS_SECRET)) for row in data]
    answer, aggregator = timed(lambda: io.reconstruct(together(config, program, [shares for shares, _ in sent])))
    elapsed = wall()
    true = data.sum(axis=0)
    if check:
        true = np.where(true >= MINIMUM, true, -1)
    up = sum(len(chunk) for share in sent[0][0] for chunk in share.share_chunks)
    return Measurement(
        f"SPU {protocol}, 3 parties", spu.__version__, name, min(t for _, t in sent), aggregator, elapsed,
        up / case.size, bool(np.array_equal(answer, true)),
        note="32-bit ring; aggregator: all parties together, in memory" + ("; bytes: sharing only" if check else ""),
    )  # fmt: skip


def main() -> None:
    options = arguments(__doc__, "a b c cells")
    for protocol in ("ABY3", "SEMI2K"):
        measure(protocol, "cells", CASES["cells"])  # warms up
        report(measure(protocol, options.case, CASES[options.case]), options.json)


if __name__ == "__main__":
    main()
