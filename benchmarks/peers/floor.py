"""Two floors: the sum without any protection, and masking without keys, messages or recovery.

    python benchmarks/peers/floor.py --case a

The second does what no masked sum can avoid: every site adds one AES-256-CTR stream for each other site and one of its
own, the aggregator removes the latter. Everything that makes it a protocol (key agreement, shares for drop-outs,
authentication, framing) is left out, hence a floor and no peer.
"""

from __future__ import annotations

import cryptography
import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from measure import CASES, Case, Measurement, Wall, arguments, inputs, report, timed

BLOCK = 2**17  # bytes of one stream that are made and added at a time: fits the second-level cache
ZEROS = bytes(BLOCK)


def plaintext(name: str, case: Case) -> Measurement:
    data, wall = inputs(case), Wall()
    sent = [timed(row.tobytes) for row in data]

    def add() -> np.ndarray:
        total = np.zeros(case.size, dtype=np.int64)
        for body, _ in sent:
            total += np.frombuffer(body, dtype=np.int64)
        return total

    total, aggregator = timed(add)
    return Measurement(
        "plaintext int64", np.__version__, name, min(t for _, t in sent), aggregator, wall(), 8.0,
        bool(np.array_equal(total, data.sum(axis=0))), note="no protection",
    )  # fmt: skip


def add_masks(words: np.ndarray, keys: list[tuple[bytes, bool]]) -> None:
    """Add (or, where the flag says so, subtract) the stream of each key."""
    streams = [(Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor(), minus) for key, minus in keys]
    buffer = bytearray(BLOCK + 16)
    step = BLOCK // words.itemsize
    for start in range(0, words.size, step):
        part = words[start : start + step]
        mask = np.frombuffer(buffer, dtype=words.dtype, count=part.size)
        for stream, minus in streams:
            stream.update_into(memoryview(ZEROS)[: part.nbytes], buffer)
            (np.subtract if minus else np.add)(part, mask, out=part)


def masking(name: str, case: Case) -> Measurement:
    data = inputs(case)
    generator = np.random.default_rng(7)  # made-up keys: this is a stopwatch
    own = [generator.bytes(32) for _ in range(case.sites)]
    pairs = {(i, j): generator.bytes(32) for i in range(case.sites) for j in range(i)}
    wall = Wall()

    def site(me: int) -> bytes:
        words = data[me].astype(np.uint32)
        others = [(pairs[max(me, j), min(me, j)], me < j) for j in range(case.sites) if j != me]
        add_masks(words, [(own[me], False), *others])
        return words.tobytes()

    def add() -> np.ndarray:
        total = np.zeros(case.size, dtype=np.uint32)
        for body, _ in sent:
            total += np.frombuffer(body, dtype=np.uint32)
        add_masks(total, [(key, True) for key in own])
        return total

    sent = [timed(lambda me=me: site(me)) for me in range(case.sites)]
    total, aggregator = timed(add)
    return Measurement(
        "AES-CTR floor, 32-bit ring", cryptography.__version__, name, min(t for _, t in sent), aggregator, wall(),
        len(sent[0][0]) / case.size, bool(np.array_equal(total, data.sum(axis=0))),
        note="masks only: no keys, no shares, no messages",
    )  # fmt: skip


def main() -> None:
    options = arguments(__doc__)
    for work in (plaintext, masking):
        work("a", CASES["a"])  # warms up
        report(work(options.case, CASES[options.case]), options.json)


if __name__ == "__main__":
    main()
