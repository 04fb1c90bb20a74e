"""pycanon: k, l and t of the same rows. Run by its own interpreter: python -m benchmarks.peers.pycanon_levels ROWS."""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version

import pandas as pd

from benchmarks.peers.microdata_rows import KEYS, SENSITIVE, rows

if __name__ == "__main__":
    from pycanon import anonymity

    frame = pd.DataFrame(rows(int(sys.argv[1])))
    for name, work in {
        "k": lambda: anonymity.k_anonymity(frame, KEYS),
        "l": lambda: anonymity.l_diversity(frame, KEYS, [SENSITIVE]),
        "t": lambda: anonymity.t_closeness(frame, KEYS, [SENSITIVE]),
    }.items():
        start = time.process_time()
        found = work()
        seconds = time.process_time() - start
        line = {"peer": f"pycanon {version('pycanon')}", "measure": name, "value": float(found), "seconds": seconds}
        print(json.dumps(line), flush=True)
