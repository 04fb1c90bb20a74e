"""anjana: global recoding of the same rows to k, by its own interpreter: -m benchmarks.peers.anjana_recoding ROWS K."""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version

import numpy as np
import pandas as pd

from benchmarks.peers.microdata_rows import KEYS, groups, rows

if __name__ == "__main__":
    from anjana.anonymity import k_anonymity

    frame = pd.DataFrame(rows(int(sys.argv[1])))
    hierarchies = {}
    for key in KEYS:
        values = sorted(set(frame[key].tolist()))
        levels = [np.array(values, dtype=object)]
        levels += [np.array([level[v] for v in values], dtype=object) for level in groups().get(key, [])]
        levels.append(np.array(["*"] * len(values), dtype=object))
        hierarchies[key] = dict(enumerate(levels))
    start = time.process_time()
    found = k_anonymity(frame, [], KEYS, int(sys.argv[2]), 1.0, hierarchies)
    seconds = time.process_time() - start
    kept = {key: int(found[key].nunique()) for key in KEYS} if len(found) else {}
    smallest = int(found.groupby(KEYS).size().min()) if len(found) else 0
    line = {
        "peer": f"anjana {version('anjana')}",
        "seconds": seconds,
        "k": smallest,
        "rows": len(found),
        "values": kept,
    }
    print(json.dumps(line), flush=True)
