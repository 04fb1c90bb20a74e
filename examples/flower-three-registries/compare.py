"""The answers beside those of the pooled rows, which in earnest nobody has.

python compare.py answers.json pooled.csv registry.toml
"""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd

import pets
from pets.adapters.questions import question, result

answers, pooled, registry = (Path(name) for name in sys.argv[1:])
domain, rows = pets.Domain.from_file(registry), pd.read_csv(pooled)


def exact(asked: dict) -> dict:
    """Return the same answer from the pooled rows; at epsilon 300 the noise is nought."""
    bound = question(asked | {"epsilon": 300}, domain).query.bind(domain)
    return result(asked, pets.dp.DiscreteLaplace(epsilon=300).release(bound.tally(rows), bound))


crosstab, survival, model = json.loads(answers.read_text(encoding="utf-8"))
lines = []
truth = exact({"ask": "crosstab", "by": ["histology", "stage"]})
lines.append("cases                     federated   stderr   pooled")
for got, true in zip(crosstab["result"], truth["result"], strict=True):
    lines.append(
        f"{got['histology']:<13} stage {got['stage']:<4} {got['value']:>11} {got['stderr']:>8.2f} {true['value']:>8}"
    )
truth = exact({"ask": "survival", "time": "days", "event": "status", "by": ["histology"]})
lines.append("\nfree of relapse at 2 and 5 years   federated (95 % CI)     pooled")
for got, true in zip(survival["result"], truth["result"], strict=True):
    for days in (730, 1826):
        at = min(range(len(got["times"])), key=lambda i: abs(got["times"][i] - days))
        lines.append(f"{got['stratum'][0]:<13} {days / 365.25:>4.1f} years            {got['value'][at]:.3f} "
              f"({got['low'][at]:.3f}-{got['high'][at]:.3f})   {true['value'][at]:.3f}")  # fmt: skip
truth = exact({"ask": "model", "outcome": "status", "on": ["histology", "stage"]})
lines.append("\nlog odds of relapse          federated   stderr   pooled")
for got, true in zip(model["result"], truth["result"], strict=True):
    lines.append(f"{got['term']:<28} {got['coefficient']:>8.3f} {got['stderr']:>8.3f} {true['coefficient']:>8.3f}")
errors = [got["coefficient"] - true["coefficient"] for got, true in zip(model["result"], truth["result"], strict=True)]
lines.append(f"\nRMSE of the coefficients: {np.sqrt(np.mean(np.square(errors))):.3f}")
lines.append("seconds per question: " + ", ".join(str(answer["seconds"]) for answer in (crosstab, survival, model)))
lines.append(f"refused: {[answer['refused'] for answer in (crosstab, survival, model)]}")
sys.stdout.write("\n".join(lines) + "\n")
