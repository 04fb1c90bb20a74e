"""Write the subset of Cancer Incidence in Five Continents XII that `pets` ships.

Usage: python benchmarks/data/make_ci5.py CASES.csv.gz POPULATION.csv.gz [OUTPUT.csv]

CASES has the columns id_code, cancer_code, cancer_label, sex, age_group, cases (absent cells are zero), and
POPULATION id_code, id_label, country_code, period, sex, age_group, py: ages 0-19 of the CI5 XII summary
database, as the R package Rcan carries it. The output is byte for byte the same for the same input: one row for
each registry, sex and age group, one column for each site.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from pathlib import Path

import pandas as pd

from pets.datasets import AGE_GROUPS, EUROPE_21

# Beyond Europe: registries of whole countries. "USA" contains the states, SEER and NPCR, which are left out.
REGISTRIES = (*EUROPE_21, "Japan", "New Zealand", "Republic of Korea", "USA")
SEXES = ("male", "female")
LAST_SITE = 61  # 62 and 63 are totals

# UN M49 numeric code, as in the source, to ISO 3166-1 alpha-3
ISO_ALPHA3 = {
    40: "AUT", 56: "BEL", 191: "HRV", 196: "CYP", 203: "CZE", 208: "DNK", 233: "EST", 246: "FIN", 352: "ISL",
    372: "IRL", 392: "JPN", 410: "KOR", 428: "LVA", 440: "LTU", 470: "MLT", 528: "NLD", 554: "NZL", 578: "NOR",
    705: "SVN", 752: "SWE", 826: "GBR", 840: "USA",
}  # fmt: skip

DEFAULT_OUTPUT = Path(__file__).parents[2] / "pets" / "datasets" / "data" / "ci5xii_children.csv"


def subset(cases: pd.DataFrame, population: pd.DataFrame) -> pd.DataFrame:
    """Return the shipped table: keys, person-years, then one column of counts per site."""
    keys = pd.MultiIndex.from_product([REGISTRIES, SEXES, AGE_GROUPS], names=["registry", "sex", "age_group"])
    population = population.rename(columns={"id_label": "registry", "py": "person_years"})
    chosen = population[population.registry.isin(REGISTRIES)]
    cells = chosen.set_index(["registry", "sex", "age_group"]).reindex(keys)
    if cells.person_years.isna().any() or len(chosen) != len(keys):
        raise SystemExit("the population file lacks or repeats a registry, sex or age group that should be shipped")
    cells["country"] = cells.country_code.map(ISO_ALPHA3)
    cells["person_years"] = cells.person_years.astype("int64")

    single = cases[cases.cancer_code <= LAST_SITE]
    sites = single.drop_duplicates("cancer_code").sort_values("cancer_code").cancer_label
    if len(sites) != LAST_SITE or sites.duplicated().any():
        raise SystemExit(f"the cases file should name {LAST_SITE} different sites and names {sites.nunique()}")
    codes = chosen[["id_code", "registry"]].drop_duplicates()
    counts = single.merge(codes, on="id_code", validate="many_to_one").pivot(
        index=["registry", "sex", "age_group"], columns="cancer_label", values="cases"
    )
    counts = counts.reindex(index=keys, columns=list(sites)).fillna(0).astype("int64")
    table = cells[["country", "person_years"]].join(counts).reset_index()
    return table[["registry", "country", "sex", "age_group", "person_years", *sites]]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Write the subset of CI5 XII that pets ships.")
    parser.add_argument("cases", type=Path)
    parser.add_argument("population", type=Path)
    parser.add_argument("output", type=Path, nargs="?", default=DEFAULT_OUTPUT)
    options = parser.parse_args(arguments)
    table = subset(pd.read_csv(options.cases), pd.read_csv(options.population))
    payload = table.to_csv(index=False, lineterminator="\n").encode()
    options.output.write_bytes(payload)
    print(f"{options.output}: {len(table)} rows, {len(payload):,} bytes, sha256 {hashlib.sha256(payload).hexdigest()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
