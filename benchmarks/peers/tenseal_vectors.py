"""TenSEAL's own high-level vectors: exact BFV, and CKKS with the parameters that NVFlare's default uses.

    python benchmarks/peers/tenseal_vectors.py --case a [--json]

Each site encrypts its whole vector and serialises it; the aggregator, which has no secret key, loads, adds and
serialises; the key holder loads and decrypts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import tenseal as ts
from measure import CASES, Case, Measurement, Wall, arguments, inputs, largest_difference, report, timed


@dataclass(frozen=True)
class Setting:
    """A scheme, its vectors and what to say about it."""

    name: str
    context: Callable[[], Any]
    encrypt: Callable[..., Any]
    load: Callable[..., Any]
    public_key: bool
    note: str


def bfv() -> Any:
    # the largest prime below 2^30 that is 1 modulo 2 x 4096: room for 100 sites x (2^20 - 1)
    return ts.context(ts.SCHEME_TYPE.BFV, 4096, plain_modulus=1_073_692_673, coeff_mod_bit_sizes=[54, 55])


def nvflare() -> Any:
    context = ts.context(
        ts.SCHEME_TYPE.CKKS, 8192, coeff_mod_bit_sizes=[60, 40, 40], encryption_type=ts.ENCRYPTION_TYPE.SYMMETRIC
    )
    context.global_scale = 2**40
    return context


SETTINGS = (
    Setting("TenSEAL BFV 4096", bfv, ts.bfv_vector, ts.bfv_vector_from, True, "public key, 30-bit plaintext"),
    Setting(
        "TenSEAL CKKS 8192 (NVFlare)", nvflare, ts.ckks_vector, ts.ckks_vector_from, False,
        "[60, 40, 40], scale 2^40, every site holds the secret key",
    ),
)  # fmt: skip


def measure(setting: Setting, name: str, case: Case) -> Measurement:
    data, secret = inputs(case), setting.context()
    public = ts.context_from(secret.serialize(save_secret_key=False))
    encryptor = public if setting.public_key else secret
    wall = Wall()
    sent = [timed(lambda row=row: setting.encrypt(encryptor, row.tolist()).serialize()) for row in data]

    def add() -> bytes:
        total = setting.load(public, sent[0][0])
        for body, _ in sent[1:]:
            total += setting.load(public, body)
        return total.serialize()

    added, aggregator = timed(add)
    found, opening = timed(lambda: setting.load(secret, added).decrypt())
    elapsed = wall()
    error = largest_difference(found, data.sum(axis=0))
    rounded = bool(np.array_equal(np.rint(found), data.sum(axis=0)))
    return Measurement(
        setting.name, ts.__version__, name, min(t for _, t in sent), aggregator, elapsed,
        len(sent[0][0]) / case.size, rounded,
        note=setting.note + (f"; largest error {error:.1e} before rounding" if error else ""), open_ms=opening,
    )  # fmt: skip


def main() -> None:
    options = arguments(__doc__)
    for setting in SETTINGS:
        measure(setting, "warm-up", Case(2, 5000))
        report(measure(setting, options.case, CASES[options.case]), options.json)


if __name__ == "__main__":
    main()
