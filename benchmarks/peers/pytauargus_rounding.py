"""Controlled rounding by pytauargus, for `benchmarks.disclosure_rounding`.

Runs with an interpreter that has `pytauargus`. Reads rows from a CSV file, prints one JSON line: CPU seconds, or why
not.
"""

from __future__ import annotations

import csv
import json
import sys
import tempfile
import time
from importlib.metadata import version

import pytauargus


def main(rows: str, base: str) -> None:
    with open(rows, newline="") as stream:  # noqa: PTH123 - plain
        lines = list(csv.DictReader(stream))
    names = [name for name in lines[0] if name != "record_key"]
    columns = {name: [line[name] for line in lines] for name in names} | {"one": [1.0] * len(lines)}
    answer: dict[str, object] = {"version": version("pytauargus")}
    start = time.process_time()
    try:
        with tempfile.TemporaryDirectory() as folder:
            pytauargus.protect(columns, names, "one", "FREQ(5,30)", f"RND(1,{base})", workdir=folder)
        answer["seconds"] = time.process_time() - start
    except Exception as error:  # noqa: BLE001 - whatever a peer does is its result
        answer["refused"] = str(error).splitlines()[0][:200]
    print(json.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:3])
