"""Compare the artificial rows with those of all registries. Nobody in earnest could: only the example has all files."""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd

import pets
from pets.synthetic import Survival, evaluate


def main(folder: Path) -> None:
    """Print how close the rows are on single columns, pairs, relapse-free survival and hazard ratios."""
    real = pd.concat([pd.read_csv(folder / name / "rows.csv") for name in ("north", "south", "west")])
    rows = pd.read_csv(folder / "server" / "rows" / "synthetic.csv")
    domain = pets.Domain.from_file(folder / "server" / "registry.toml")
    report = evaluate(real, rows, domain, survival=[Survival("time", "status")], strata=["histology"], bootstrap=5)
    scores = (*report["total variation, mean"], *report["Kaplan-Meier"], *report["Cox"])
    lines = [f"{score.metric}, {score.target}: {score.value:.3f}, {score.reading}" for score in scores]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
