"""What each way of adding up costs: the figures that the tuner's page shows.

    python -m benchmarks.tuning_costs            measures, and writes pets/tuning/data/costs.json

Every party runs in this process through the real messages; times are CPU seconds of one party, the best of three runs.
"""

from __future__ import annotations

import json
import platform
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

import pets
from pets.errors import PetsError
from pets.plan_file import AGGREGATORS
from pets.session import SERVER

FILE = Path(pets.__file__).parent / "tuning" / "data" / "costs.json"
NAMES = ("plain", "masked_sum", "additive_sharing", "shamir_sharing", "bfv", "threshold_bfv")
GRID = tuple((sites, cells) for sites in (3, 5, 10, 21) for cells in (100, 2_000))
ROUNDS, LARGEST = 3, 10_000


def measure(name: str, sites: int, cells: int) -> dict[str, object]:
    """Return the least CPU seconds of a site and of the collector, and what a site sends, of several runs."""
    rng = np.random.default_rng(1)
    data = {f"site {i:02d}": rng.integers(0, LARGEST, cells) for i in range(sites)}
    runs = [pets.aggregate(AGGREGATORS[name](), data, bound=LARGEST, lower=0) for _ in range(ROUNDS)]
    true = np.sum(list(data.values()), axis=0)
    return {
        "aggregator": name,
        "sites": sites,
        "cells": cells,
        "site_seconds": min(max(run.cpu_seconds[site] for site in data) for run in runs),
        "collector_seconds": min(run.cpu_seconds[SERVER] for run in runs),
        "setup_seconds_per_site": min(run.setup_cpu_seconds for run in runs) / sites,
        "site_bytes": max(runs[0].bytes_sent[site] for site in data),
        "rounds": len(AGGREGATORS[name]().stages),
        "exact": all(bool(np.array_equal(run.total, true)) for run in runs),
    }


def main() -> None:
    """Measure all, print each line, write the file."""
    rows = []
    for name in NAMES:
        for sites, cells in GRID:
            try:
                rows.append(measure(name, sites, cells))
            except PetsError as why:
                print(f"{name}, {sites} sites: {why}")
                continue
            print(rows[-1])
    stamp = {
        "date": datetime.now(UTC).date().isoformat(),
        "command": "python -m benchmarks.tuning_costs",
        "python": platform.python_version(),
        "numpy": np.__version__,
        "pets": pets.__version__,
        "machine": f"{platform.machine()}, one core, shared",
        "rounds": ROUNDS,
    }
    FILE.parent.mkdir(exist_ok=True)
    lines = ",\n".join(json.dumps(row) for row in rows)
    FILE.write_text(f'{{"stamp": {json.dumps(stamp)},\n"rows": [\n{lines}\n]}}\n', encoding="utf-8")


if __name__ == "__main__":
    main()
