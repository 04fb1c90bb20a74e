"""Write the two trials with follow-up that `pets` ships.

Usage: python benchmarks/data/make_trials.py LUNG.csv NWTCO.csv [FOLDER]

LUNG and NWTCO are the data sets `lung` (or `cancer`) and `nwtco` of the R package survival, as the Rdatasets collection
writes them. The output is byte for byte the same for the same input.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path

import pandas as pd

DEFAULT_FOLDER = Path(__file__).parents[2] / "pets" / "datasets" / "data"


def lung(source: pd.DataFrame) -> pd.DataFrame:
    """Return the 228 patients, in the order of the source: codes in words, few columns."""
    return pd.DataFrame(
        {
            "time": source["time"].astype("int64"),
            "status": source["status"].map({1: "censored", 2: "dead"}),
            "sex": source["sex"].map({1: "male", 2: "female"}),
            "age": source["age"].astype("int64"),
            "ecog": source["ph.ecog"].astype("Int64"),
        }
    )


def wilms(source: pd.DataFrame) -> pd.DataFrame:
    """Return the 4,028 children, in the order of the source."""
    return pd.DataFrame(
        {
            "time": source["edrel"].astype("int64"),
            "status": source["rel"].map({0: "censored", 1: "relapse"}),
            "histology": source["histol"].map({1: "favourable", 2: "unfavourable"}),
            "stage": source["stage"].map({1: "I", 2: "II", 3: "III", 4: "IV"}),
            "study": source["study"].map({3: "NWTS-3", 4: "NWTS-4"}),
            "age_months": source["age"].astype("int64"),
        }
    )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Write the trials that pets ships.")
    parser.add_argument("lung", type=Path)
    parser.add_argument("nwtco", type=Path)
    parser.add_argument("folder", type=Path, nargs="?", default=DEFAULT_FOLDER)
    options = parser.parse_args(arguments)
    tables = {
        "ncctg_lung.csv": lung(pd.read_csv(options.lung)),
        "wilms_nwtco.csv": wilms(pd.read_csv(options.nwtco)),
    }
    for name, table in tables.items():
        payload = table.to_csv(index=False, lineterminator="\n").encode()
        (options.folder / name).write_bytes(payload)
        print(f"{name}: {len(table)} rows, {len(payload):,} bytes, sha256 {hashlib.sha256(payload).hexdigest()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
