"""anonymeter on given rows, by its own interpreter: python -m benchmarks.peers.anonymeter_attacks FOLDER ATTACKS."""

from __future__ import annotations

import json
import sys
import time
import warnings
from pathlib import Path

import pandas as pd

if __name__ == "__main__":
    from anonymeter.evaluators import InferenceEvaluator, LinkabilityEvaluator, SinglingOutEvaluator

    warnings.simplefilter("ignore")
    folder, attacks = Path(sys.argv[1]), int(sys.argv[2])
    real, control, made = (pd.read_csv(folder / f"{name}.csv") for name in ("original", "control", "synthetic"))
    columns = list(real.columns)
    common = {"ori": real, "syn": made, "control": control, "n_attacks": attacks}
    tried = {
        "singling out": lambda: SinglingOutEvaluator(**common, n_cols=4),
        "linkability": lambda: LinkabilityEvaluator(**common, aux_cols=(columns[::2], columns[1::2])),
        "inference of relaps": lambda: InferenceEvaluator(
            **common,
            aux_cols=[c for c in columns if c != "relaps"],
            secret="relaps",  # noqa: S106 a column, no password
        ),
    }
    for name, make in tried.items():
        start = time.process_time()
        evaluator = make()
        evaluator.evaluate(mode="multivariate") if name == "singling out" else evaluator.evaluate(n_jobs=1)
        risk = evaluator.risk()
        seconds = time.process_time() - start
        low, high = risk.ci
        print(
            json.dumps({"attack": name, "value": risk.value, "low": low, "high": high, "seconds": seconds}), flush=True
        )
