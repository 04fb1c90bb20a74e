"""Write the rows of three registries: published counts of *Cancer Incidence in Five Continents*, one row a case.

The counts are real, the patients are numbers. The counts may be used freely, with citation, but not commercially.
"""

from __future__ import annotations

import sys
from pathlib import Path

from pets.datasets import ci5_children

REGISTRIES = {"DK": "Denmark", "NO": "Norway", "SE": "Sweden"}


def main(folder: Path) -> None:
    """Write DK.csv, NO.csv and SE.csv into `folder`."""
    counts = ci5_children()
    counts = counts[(counts.site == "Liver") & (counts.age_group != "15-19")]
    for name, registry in REGISTRIES.items():
        own = counts[counts.registry == registry]
        rows = own.loc[own.index.repeat(own.cases), ["sex", "age_group"]].reset_index(drop=True)
        rows.insert(0, "patient_id", [f"{name}-{number}" for number in range(len(rows))])
        rows.to_csv(folder / f"{name}.csv", index=False)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
