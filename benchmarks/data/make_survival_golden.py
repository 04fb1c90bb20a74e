"""Write what lifelines says about the shipped trials, for tests/epi/survival/.

    pip install lifelines     # 0.30.3 wrote the committed file; in an environment of its own
    python benchmarks/data/make_survival_golden.py [OUTPUT.json]

Reads the shipped tables as files and imports nothing of `pets`, so that the two have no code in common.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import lifelines
import numpy as np
import pandas as pd
from lifelines.statistics import multivariate_logrank_test
from lifelines.utils import median_survival_times, restricted_mean_survival_time

ROOT = Path(__file__).parents[2]
DEFAULT_OUTPUT = ROOT / "tests" / "epi" / "survival" / "golden.json"
DATA = ROOT / "pets" / "datasets" / "data"


def curve(table: pd.DataFrame, event: str, at: list[int], horizon: int) -> dict[str, Any]:
    observed = table.status == event
    fitted = lifelines.KaplanMeierFitter().fit(table.time, observed)
    band = fitted.confidence_interval_survival_function_
    rows = [int(band.index.searchsorted(day, side="right")) - 1 for day in at]
    hazard = lifelines.NelsonAalenFitter(nelson_aalen_smoothing=False).fit(table.time, observed)
    spread = np.sqrt(hazard._cumulative_sq.to_numpy())
    where = [int(hazard.cumulative_hazard_.index.searchsorted(day, side="right")) - 1 for day in at]
    limits = median_survival_times(band)
    return {
        "days": at,
        "survival": [float(fitted.predict(day)) for day in at],
        "low": [float(band.iloc[row, 0]) for row in rows],
        "high": [float(band.iloc[row, 1]) for row in rows],
        "hazard": [float(hazard.cumulative_hazard_.iloc[row, 0]) for row in where],
        "hazard_stderr": [float(spread[row]) for row in where],
        "at_risk": [int((table.time >= day).sum()) for day in at],
        "median": float(fitted.median_survival_time_),
        "median_limits": [float(value) for value in limits.to_numpy().ravel()],
        "horizon": horizon,
        "restricted_mean": float(restricted_mean_survival_time(fitted, t=horizon)),
    }


def test(table: pd.DataFrame, event: str, by: str) -> dict[str, Any]:
    known = table.dropna(subset=[by])
    found = multivariate_logrank_test(known.time, known[by], known.status == event)
    return {"by": by, "statistic": float(found.test_statistic), "p_value": float(found.p_value)}


def competing(patients: int = 240) -> dict[str, Any]:
    """Two causes without ties, which lifelines would break at random."""
    order = np.arange(patients)
    times, causes = (order * 101) % patients + 1, (order * 7 + order // 3) % 3
    found: dict[str, Any] = {"patients": patients}
    for cause in (1, 2):
        fitted = lifelines.AalenJohansenFitter(calculate_variance=True).fit(times, causes, event_of_interest=cause)
        days = list(range(20, patients, 30))
        rows = [int(fitted.cumulative_density_.index.searchsorted(day, side="right")) - 1 for day in days]
        found[f"cause_{cause}"] = {
            "days": days,
            "incidence": [float(fitted.cumulative_density_.iloc[row, 0]) for row in rows],
            "stderr": [float(np.sqrt(fitted.variance_.iloc[row])) for row in rows],
        }
    return found


def main() -> int:
    lung, wilms = pd.read_csv(DATA / "ncctg_lung.csv"), pd.read_csv(DATA / "wilms_nwtco.csv")
    wilms["time"] //= 30  # months: many ties
    golden = {
        "lifelines": lifelines.__version__,
        "lung": {
            "all": curve(lung, "dead", [5, 30, 100, 310, 499, 700, 883, 1000], 500),
            "female": curve(lung[lung.sex == "female"], "dead", [5, 60, 200, 426, 700, 900], 730),
        },
        "wilms": {"all": curve(wilms, "relapse", [1, 12, 36, 120, 200], 120)},
        "log_rank": [
            test(lung, "dead", "sex") | {"table": "lung"},
            test(lung, "dead", "ecog") | {"table": "lung"},
            test(wilms, "relapse", "stage") | {"table": "wilms"},
        ],
        "competing": competing(),
    }
    output = Path(sys.argv[1]) if len(sys.argv) > 1 else DEFAULT_OUTPUT
    output.write_text(json.dumps(golden, indent=1) + "\n")
    print(f"{output}: lifelines {lifelines.__version__}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
