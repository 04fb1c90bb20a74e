"""Primary suppression by acro: ``python acro_crosstab.py ROWS.csv``, with an interpreter that has it.

Prints one JSON line: version, CPU seconds and how many cells it hides. acro hides no complementary cells.
"""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import sys
import tempfile
import time
import warnings
from importlib.metadata import version

import pandas as pd

if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    rows = pd.read_csv(sys.argv[1], dtype=str)
    os.chdir(tempfile.mkdtemp())
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        from acro import ACRO

        session = ACRO(suppress=True)
        start = time.process_time()
        table = session.crosstab(rows[rows.columns[0]], rows[rows.columns[1]])
        seconds = time.process_time() - start
    print(json.dumps({"version": version("acro"), "seconds": seconds, "hidden": int(table.isna().sum().sum())}))
