"""What do homomorphic encryption and multi-party computation cost, and do they change the numbers?

Every aggregator adds the same made-up tables through its real messages, all parties in one process. Times are CPU
milliseconds, with their range over the rounds; bytes and rounds are counts. The total is compared with the plain sum.
"""

from __future__ import annotations

import numpy as np

import pets
from benchmarks.harness import points
from benchmarks.harness.results import Found
from benchmarks.harness.running import Amount
from benchmarks.harness.techniques import NONE
from pets.errors import PetsError
from pets.session import SERVER

AGGREGATORS = {
    NONE: pets.Plain(),
    "MaskedSum": pets.mpc.MaskedSum(),
    "AdditiveSharing": pets.mpc.AdditiveSharing(),
    "ShamirSharing": pets.mpc.ShamirSharing(),
    "VerifyBeforeOpen": pets.mpc.VerifyBeforeOpen(minimum=5),
    "BFV": pets.he.BFV(),
    "ThresholdBFV": pets.he.ThresholdBFV(),
    "CKKS": pets.he.CKKS(),
}
QUICK = ((3, 100), (3, 10_000), (10, 100))
FULL = (*QUICK, (3, 1000), (10, 1000), (10, 10_000), (10, 100_000), (25, 10_000), (50, 1000))


def run(amount: Amount) -> Found:
    """Return the points."""
    found = Found()
    generator = np.random.default_rng(amount.seed)
    for sites, cells in FULL if amount.full else QUICK:
        data = {f"site {i:02d}": generator.integers(0, 1000, cells) for i in range(sites)}
        small = sites * cells <= 1000
        for name, aggregator in AGGREGATORS.items():
            rounds = amount.of(7 if small else 3, 200 if small else 20)
            setting = f"{sites} sites x {cells:,} cells"
            try:
                runs = [pets.aggregate(aggregator, data, bound=1000, lower=0) for _ in range(rounds)]
            except PetsError as why:
                found.not_run[f"{name}, {setting}"] = f"{type(why).__name__}: {why}"
                continue
            found.update(_points(name, aggregator, runs, data, {"setting": setting, "n": cells}))
    return found


def _points(
    name: str, aggregator: pets.Aggregator, runs: list, data: dict[str, np.ndarray], at: dict[str, object]
) -> list[points.Point]:
    true = np.sum(list(data.values()), axis=0)
    shown = [np.ones(true.size, dtype=bool) if one.suppressed is None else ~one.suppressed for one in runs]
    worst = max(int(np.abs(one.total - true)[seen].max(initial=0)) for one, seen in zip(runs, shown, strict=True))
    site, first = next(iter(data)), runs[0]
    others = [p for p in first.cpu_seconds if p not in data and p != SERVER]
    made = [
        points.exact(name, "largest deviation from the plain sum", worst, **at),
        points.exact(name, "share of cells opened", np.mean(shown[0]), **at),
        points.exact(name, "rounds", len(aggregator.stages), **at),
        points.exact(name, "bytes a site sends, per cell", first.bytes_sent[site] / true.size, **at),
        points.exact(name, "bytes in all", sum(first.bytes_sent.values()), **at),
        points.timing(name, "site ms", [1e3 * one.cpu_seconds[site] for one in runs], **at),
        points.timing(name, "server ms", [1e3 * one.cpu_seconds[SERVER] for one in runs], **at),
        points.timing(name, "all parties ms", [1e3 * sum(one.cpu_seconds.values()) for one in runs], **at),
        points.timing(name, "keys ms a site, once", [1e3 * one.setup_cpu_seconds / len(data) for one in runs], **at),
    ]
    if others:
        made.append(
            points.timing(name, "others ms", [1e3 * sum(one.cpu_seconds[p] for p in others) for one in runs], **at)
        )
    return made
