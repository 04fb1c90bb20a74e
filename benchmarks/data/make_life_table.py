"""Write the Finnish life table that `pets` ships, and the cohort that its net survival is tested on.

    python benchmarks/data/make_life_table.py POPMORT SIRE

POPMORT (sex, year, agegroup, haz) and SIRE (sex, bi_date, dg_date, ex_date, status; days since 1970) are the data sets
`popmort` and `sire` of the R package popEpi (MIT), as CSV, gzipped or not.
"""

from __future__ import annotations

import argparse
import gzip
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).parents[2]
FIRST, LAST = 1993, 2013


def life_table(source: pd.DataFrame) -> str:
    """Return one line for each sex and age, one column for each year, hazards in six significant digits."""
    kept = source[source.year.between(FIRST, LAST)]
    wide = kept.pivot_table(index=["sex", "agegroup"], columns="year", values="haz").reset_index()
    wide = wide.rename(columns={"agegroup": "age"}).assign(sex=wide.sex.map({0: "male", 1: "female"}))
    wide = wide.sort_values(["sex", "age"], ascending=[False, True])
    return str(wide.to_csv(index=False, float_format="%.6g", lineterminator="\n"))


def cohort(source: pd.DataFrame) -> str:
    """Return the patients with some follow-up: dates in days since 1970."""
    kept = source[source.dg_date < source.ex_date]
    return str(kept[["bi_date", "dg_date", "ex_date", "status"]].to_csv(index=False, lineterminator="\n"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("popmort", type=Path)
    parser.add_argument("sire", type=Path)
    given = parser.parse_args()
    (ROOT / "pets" / "epi" / "data" / "life_table_finland.csv").write_text(life_table(pd.read_csv(given.popmort)))
    packed = gzip.compress(cohort(pd.read_csv(given.sire)).encode(), mtime=0)
    (ROOT / "tests" / "epi" / "survival" / "sire.csv.gz").write_bytes(packed)


if __name__ == "__main__":
    main()
