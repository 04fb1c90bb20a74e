"""Audit of a pattern by pytauargus, in an environment of its own: ``python pytauargus_audit.py TABLE.jj``.

Prints JSON: CPU seconds and, for each hidden cell (status u or m), the ends of its range as its engine finds them.
"""

from __future__ import annotations

import json
import sys
import time

from pytauargus._tauargus import audit_jj

start = time.process_time()
rows = audit_jj(sys.argv[1])
seconds = time.process_time() - start
json.dump({"seconds": seconds, "ends": {row["cell"]: [row["min"], row["max"]] for row in rows}}, sys.stdout)
