"""Complementary suppression by pytauargus, for `benchmarks.disclosure_suppression`.

Runs with an interpreter that has `pytauargus`: ``python pytauargus_suppression.py ROWS.csv OPT``. Prints one JSON line:
CPU seconds, and the number and total value of the complementary cells, or why not.
"""

from __future__ import annotations

import csv
import json
import sys
import tempfile
import time
from importlib.metadata import version

import pytauargus


def main(rows: str, method: str) -> None:
    with open(rows, newline="") as stream:  # noqa: PTH123 - plain
        lines = list(csv.DictReader(stream))
    names = list(lines[0])
    columns = {name: [line[name] for line in lines] for name in names} | {"one": [1.0] * len(lines)}
    answer: dict[str, object] = {"version": version("pytauargus")}
    start = time.process_time()
    try:
        with tempfile.TemporaryDirectory() as folder:
            found = pytauargus.protect(columns, names, "one", "FREQ(5,30)", f"{method}(1)", workdir=folder)
            cells = found.tables[0].dataframe()
        hidden = [cell for cell in cells if cell["status"] == "M"]
        answer |= {"seconds": time.process_time() - start, "number": len(hidden)}
        answer["cost"] = sum(cell["freq"] for cell in hidden)
    except Exception as error:  # noqa: BLE001 - whatever a peer does is its result
        answer["refused"] = str(error).splitlines()[0][:200]
    print(json.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:3])
