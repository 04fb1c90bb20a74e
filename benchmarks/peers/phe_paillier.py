"""Paillier through phe, one value a ciphertext: a few hundred values, scaled up to the case.

    python benchmarks/peers/phe_paillier.py --case a [--bits 3072] [--json]

The cost is the same for every value, so measured time a value times the number of values is fair; each line says that
it is extrapolated. 2048 bits give 112-bit security, 3072 give the 128 bits of the others.
"""

from __future__ import annotations

from importlib.metadata import version
from itertools import starmap

import numpy as np
from measure import CASES, Case, Measurement, arguments, inputs, report, timed
from phe import paillier

SITES = 4
SIZE = {2048: 50, 3072: 25}


def measure(bits: int, name: str, case: Case) -> Measurement:
    data = inputs(case)[:SITES, : SIZE[bits]]
    public, secret = paillier.generate_paillier_keypair(n_length=bits)
    width = 2 * bits // 8

    def site(row: np.ndarray) -> list[bytes]:
        return [public.encrypt(int(value)).ciphertext(be_secure=False).to_bytes(width, "big") for value in row]

    sent = [timed(lambda row=row: site(row)) for row in data]

    def add() -> list[paillier.EncryptedNumber]:
        columns = [[paillier.EncryptedNumber(public, int.from_bytes(c, "big")) for c in body] for body, _ in sent]
        total = columns[0]
        for column in columns[1:]:
            total = list(starmap(paillier.EncryptedNumber.__add__, zip(total, column, strict=True)))
        return total

    total, aggregator = timed(add)
    found, opening = timed(lambda: [secret.decrypt(number) for number in total])
    exact = found == data.sum(axis=0).tolist()
    up = case.size / data.shape[1]
    return Measurement(
        f"phe Paillier {bits}", version("phe"), name, up * min(t for _, t in sent),
        up * aggregator * (case.sites - 1) / (SITES - 1), None, float(width), exact, extrapolated=True,
        note=f"from {data.size} encryptions" + (", 112-bit security" if bits == 2048 else ""), open_ms=up * opening,
    )  # fmt: skip


def main() -> None:
    options = arguments(__doc__, "a b c", {"flag": "--bits", "type": int, "choices": sorted(SIZE), "default": 2048})
    report(measure(options.bits, options.case, CASES[options.case]), options.json)


if __name__ == "__main__":
    main()
