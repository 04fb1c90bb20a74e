"""Cell-key perturbation by the Office for National Statistics' package, for `benchmarks.disclosure_rounding`.

Runs with an interpreter that has `cell_key_perturbation` and pandas. Reads rows (site, age, reg, record_key) and a
p-table from CSV files, prints one JSON line: CPU seconds, version, and the published inner counts by cell.
"""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version

import pandas as pd
from cell_key_perturbation.create_perturbed_table import create_perturbed_table


def main(rows: str, ptable: str) -> None:
    frame, table = pd.read_csv(rows, dtype={"site": str, "age": str, "reg": str}), pd.read_csv(ptable)
    start = time.process_time()
    found = create_perturbed_table(
        data=frame, ptable=table, geog=["reg"], tab_vars=["site", "age"], record_key="record_key", threshold=0
    )
    seconds = time.process_time() - start
    cells = {"|".join(row[:3]): int(row[3]) for row in found[["site", "age", "reg", "count"]].itertuples(index=False)}
    print(json.dumps({"seconds": seconds, "version": version("cell_key_perturbation"), "cells": cells}))


if __name__ == "__main__":
    main(*sys.argv[1:3])
