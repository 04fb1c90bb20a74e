"""What authenticating costs, primitive by primitive: CPU microseconds, the best of several runs.

python -m benchmarks.primitives
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from pets.identity import Identity
from pets.session.wire import Header, is_authentic, pack


def best(work: Callable[[], object], times: int) -> float:
    """Return CPU microseconds of one call."""
    runs = []
    for _ in range(5):
        started = time.process_time()
        for _ in range(times):
            work()
        runs.append((time.process_time() - started) / times)
    return 1e6 * min(runs)


def main() -> None:
    identity = Identity.new("FR")
    statement, key, body = os.urandom(200), os.urandom(32), os.urandom(1500)
    signature = identity.sign(statement, "benchmark")
    cipher = ChaCha20Poly1305(key)
    header = Header(True, 0, 1, 0, len(body), os.urandom(32), os.urandom(32))
    wire = pack(header, key, body)
    rows = [
        ("sign (Ed25519 and ML-DSA-65)", lambda: identity.sign(statement, "benchmark"), 50),
        ("verify both", lambda: identity.public.verify(signature, statement, "benchmark"), 50),
        ("header with its MAC", lambda: pack(header, key, body), 5000),
        ("check MAC and digest of 1,500 bytes", lambda: is_authentic(wire, header, key), 5000),
        ("seal 1,500 bytes", lambda: cipher.encrypt(bytes(12), body, None), 5000),
    ]
    for name, work, times in rows:
        print(f"{name:40} {best(work, times):10.1f} us")


if __name__ == "__main__":
    main()
