"""Write the calibration of the registry simulator.

    python benchmarks/data/make_simulator.py CASES POPULATION

CASES and POPULATION are the two tables of the CI5 XII summary database as make_ci5.py reads them. From them comes
`simulator_registries.csv`: the person-years of each registry at ages 0-14, and how many cases it has against those
expected at the pooled rates of its profile; and `simulator_rates.csv`, the pooled cases and person-years by site, sex
and age. `simulator_diagnoses.csv` is written from the table below, which states what each tumour is and where its
figures come from.
"""

from __future__ import annotations

import argparse
import csv
from itertools import product
from pathlib import Path

import pandas as pd

from pets.datasets import EUROPE_21
from pets.epi import iccc3

HERE = Path(__file__).parents[2] / "pets" / "datasets" / "data"
NOT_STATES = (
    "Puerto Rico", "San Francisco", "Los Angeles", "Atlanta", "New Orleans", "Detroit", "Seattle", "SEER", "NPCR",
)  # fmt: skip

# site | diagnosis | topography | morphology | weight at 0-4, 5-9, 10-14, 15-19 (rates per million where published; only
# their proportions within a site matter) | boys per girl, against the other tumours of the site | 5-year survival in %
# | its source ('-': assumed) | shares of localised, regional and distant stage ('-': not staged)
NORDIC, USA, NPCR, SEER = "Nordic 2000-13", "USA 1994-2000", "USA NPCR 2001-19", "SEER"
TABLE = """
Lymphoid leukaemia | Acute lymphoblastic leukaemia, B-cell | C42.1 | 9836/3 | 60 29 18 13 | 1 | 90 | NORDIC | -
Lymphoid leukaemia | Acute lymphoblastic leukaemia, T-cell | C42.1 | 9837/3 | 4 5 4 3 | 2 | 90 | NORDIC | -
Myeloid leukaemia | Acute myeloid leukaemia | C42.1 | 9861/3 | 13 4.6 7.4 9.5 | 1 | 74 | NORDIC | -
Myeloid leukaemia | Chronic myeloid leukaemia | C42.1 | 9875/3 | 0.5 0.6 1.2 2.8 | 1 | 92 | - | -
Myeloproliferative | Myeloproliferative disease | C42.1 | 9960/3 | 1 1 1 1 | 1 | 85 | - | -
Hodgkin | Hodgkin lymphoma | C77.9 | 9650/3 | 1 1 1 1 | 1 | 97 | NORDIC | 20 55 25
Non-Hodgkin | Langerhans cell histiocytosis | C41.9 | 9751/3 | 11 3.5 2.2 1.2 | 1 | 95 | - | 70 10 20
Non-Hodgkin | Large B-cell lymphoma | C77.9 | 9680/3 | 1.2 2.3 5.5 10.5 | 1 | 90 | NORDIC | 25 35 40
Non-Hodgkin | Lymphoblastic lymphoma | C77.9 | 9727/3 | 0.8 1.5 2.5 3 | 2 | 90 | NORDIC | 10 35 55
Non-Hodgkin | Burkitt lymphoma | C77.9 | 9687/3 | 1.8 4.5 3 2 | 4 | 90 | NORDIC | 20 30 50
Non-Hodgkin | Lymphoma, unspecified | C77.9 | 9590/3 | 0.3 0.5 0.5 0.8 | 1 | 88 | - | 25 35 40
Brain | Ependymoma | C71.7 | 9391/3 | 4.2 2.2 1.5 1.8 | 1.2 | 65.4 | USA | 85 5 10
Brain | Choroid plexus carcinoma | C71.5 | 9390/3 | 0.9 0.12 0.1 0.05 | 1.6 | 58.5 | SEER | 70 10 20
Brain | Astrocytoma | C71.6 | 9400/3 | 18.3 19 18.4 14.6 | 1 | 84 | NORDIC | 92 4 4
Brain | Medulloblastoma | C71.6 | 9470/3 | 8.5 8 3.2 2.1 | 1.5 | 64 | NORDIC | 65 5 30
Brain | Atypical teratoid rhabdoid tumour | C71.7 | 9508/3 | 2.6 0.2 0.1 0.1 | 1 | 64 | NORDIC | 65 5 30
Brain | Other glioma | C71.9 | 9380/3 | 6 8 5 3.5 | 1 | 67 | NORDIC | 90 5 5
Brain | Meningioma, malignant | C70.9 | 9530/3 | 0.4 0.4 0.6 0.8 | 1 | 95 | NORDIC | 95 3 2
Brain | Brain tumour, unspecified | C71.9 | 8000/3 | 1 0.8 0.8 0.8 | 1 | 75 | - | 85 5 10
Eye | Retinoblastoma | C69.2 | 9510/3 | 99 75 15 5 | 1 | 94.9 | USA | 80 17 3
Eye | Melanoma of the eye | C69.3 | 8720/3 | 1 25 85 95 | 1 | 85 | - | 85 10 5
Adrenal | Neuroblastoma of the adrenal gland | C74.9 | 9500/3 | 97 92 60 30 | 1 | 61.7 | USA | 25 20 55
Adrenal | Adrenocortical carcinoma | C74.0 | 8370/3 | 3 8 40 70 | 0.5 | 55 | - | 50 20 30
Kidney | Nephroblastoma | C64.9 | 8960/3 | 98.5 93 60 12 | 0.9 | 85.6 | USA | 45 32 23
Kidney | Renal cell carcinoma | C64.9 | 8312/3 | 0.5 5 38 85 | 1 | 84 | - | 50 25 25
Kidney | Kidney tumour, unspecified | C64.9 | 8000/3 | 1 2 2 3 | 1 | 80 | - | 45 30 25
Liver | Hepatoblastoma | C22.0 | 8970/3 | 81 40 11 3 | 1 | 76.9 | NPCR | 48 30 22
Liver | Hepatocellular carcinoma | C22.0 | 8170/3 | 1.2 28 65 80 | 1.4 | 46.4 | NPCR | 28 39 33
Liver | Liver tumour, unspecified | C22.0 | 8000/3 | 17.8 32 24 17 | 1 | 70 | - | 45 30 25
Bone | Osteosarcoma | C40.2 | 9180/3 | 0.3 2.5 8.5 8.4 | 1.1 | 73 | NORDIC | 42 38 20
Bone | Chondrosarcoma | C40.0 | 9220/3 | 0.05 0.2 0.8 1.4 | 1 | 85 | - | 70 22 8
Bone | Ewing sarcoma of bone | C41.4 | 9260/3 | 0.6 2 4 4.4 | 1.3 | 65.4 | USA | 35 35 30
Bone | Bone tumour, other specified | C41.2 | 9370/3 | 0.3 0.3 0.4 0.4 | 1 | 75 | - | 55 35 10
Bone | Bone tumour, unspecified | C41.9 | 8800/3 | 0.4 0.2 0.3 0.3 | 1 | 75 | - | 50 30 20
Soft tissue | Rhabdomyosarcoma | C49.9 | 8910/3 | 4.5 3 2.6 2.4 | 1.2 | 64 | USA | 35 30 35
Soft tissue | Infantile fibrosarcoma | C49.9 | 8814/3 | 1.2 0.3 0.5 0.6 | 1 | 88 | - | 75 18 7
Soft tissue | Synovial sarcoma | C49.2 | 9040/3 | 0.6 1.2 2.6 4 | 1 | 75 | - | 60 25 15
Soft tissue | Soft tissue sarcoma, unspecified | C49.9 | 8800/3 | 1 0.6 0.9 1.2 | 1 | 68 | - | 50 25 25
Soft tissue | Neuroblastoma of peripheral nerves | C47.9 | 9500/3 | 7.2 0.7 0.2 0.1 | 1 | 61.7 | USA | 40 25 35
Thyroid | Papillary carcinoma of the thyroid | C73.9 | 8260/3 | 80 85 88 92 | 1 | 99 | - | 55 38 7
Thyroid | Medullary carcinoma of the thyroid | C73.9 | 8345/3 | 20 15 12 8 | 1 | 94 | - | 60 30 10
Other endocrine | Germinoma of the pineal gland | C75.3 | 9064/3 | 25 60 85 85 | 4 | 90 | - | 75 10 15
Other endocrine | Pineoblastoma | C75.3 | 9362/3 | 75 40 15 15 | 1 | 64 | NORDIC | 65 5 30
Gonads | Germ cell tumour of the testis | C62.9 | 9071/3 | 100 80 90 98 | M | 97 | - | 75 13 12
Gonads | Sertoli cell tumour of the testis | C62.9 | 8640/3 | 1 10 4 1 | M | 95 | - | 90 5 5
Gonads | Germ cell tumour of the ovary | C56.9 | 9080/3 | 80 85 78 60 | F | 93 | - | 65 20 15
Gonads | Carcinoma of the ovary | C56.9 | 8440/3 | 20 15 22 40 | F | 88 | - | 70 12 18
Digestive | Carcinoid of the appendix | C18.1 | 8240/3 | 10 70 80 55 | 0.8 | 98 | - | 88 9 3
Digestive | Colorectal carcinoma | C18.9 | 8140/3 | 5 10 12 30 | 1 | 60 | - | 30 35 35
Digestive | Burkitt lymphoma of the bowel | C17.9 | 9687/3 | 5 5 2 3 | 3 | 90 | - | 40 35 25
Digestive | Pancreatoblastoma | C25.9 | 8971/3 | 20 10 4 1 | 1 | 65 | - | 45 25 30
Other | Neuroblastoma of the retroperitoneum | C48.0 | 9500/3 | 6 0.7 0.2 0.1 | 1 | 61.7 | USA | 30 25 45
Other | Leukaemia, unspecified | C42.1 | 9801/3 | 3 1.2 1 1.2 | 1 | 65 | - | -
Other | Myelodysplastic syndrome | C42.1 | 9989/3 | 1.8 0.8 0.8 0.9 | 1 | 70 | - | -
Other | Rhabdomyosarcoma of the urinary tract | C67.9 | 8910/3 | 2.4 0.6 0.2 0.3 | 1.3 | 64 | USA | 50 30 20
Other | Sacrococcygeal germ cell tumour | C76.3 | 9071/3 | 2.2 0.1 0.1 0.1 | 0.4 | 85 | - | 60 15 25
Other | Mediastinal germ cell tumour | C38.3 | 9085/3 | 0.2 0.1 0.3 0.9 | 4 | 75 | - | 50 20 30
Other | Nasopharyngeal carcinoma | C11.9 | 8082/3 | 0.01 0.1 0.8 1 | 2 | 82 | - | 10 60 30
Other | Melanoma of skin | C44.9 | 8720/3 | 0.8 1.4 3 9 | 0.7 | 94 | - | 75 20 5
Other | Salivary gland carcinoma | C07.9 | 8430/3 | 0.05 0.6 1.3 1.8 | 0.8 | 95 | - | 75 22 3
Other | Carcinoma, other | C80.9 | 8010/3 | 0.4 0.5 1.2 3.5 | 1 | 75 | - | 50 25 25
Other | Pleuropulmonary blastoma | C34.9 | 8973/3 | 0.4 0.03 0.015 0.007 | 1 | 70 | - | 55 25 20
Other | Tumour, unspecified | C80.9 | 8000/3 | 1.2 0.5 0.6 1 | 1 | 70 | - | 40 30 30
"""
SITES: dict[str, tuple[int, ...]] = {
    "Lymphoid leukaemia": (56,), "Myeloid leukaemia": (57,), "Myeloproliferative": (59,), "Hodgkin": (52,),
    "Non-Hodgkin": (53,), "Brain": (48,), "Eye": (47,), "Adrenal": (50,), "Kidney": (42,), "Liver": (16,),
    "Bone": (23,), "Soft tissue": (28,), "Thyroid": (49,), "Other endocrine": (51,), "Gonads": (35, 40),
    "Digestive": (11, 12, 13, 14, 15, 17, 18),
}  # fmt: skip
SITES["Other"] = tuple(code for code in range(1, 62) if code not in sum(SITES.values(), ()))
SEXES = ("male", "female")
AGES = ("0-4", "5-9", "10-14", "15-19")


def diagnoses() -> list[dict[str, object]]:
    sources = {"NORDIC": NORDIC, "USA": USA, "NPCR": NPCR, "SEER": SEER, "-": ""}
    rows = []
    for line in TABLE.strip().splitlines():
        site, name, topography, morphology, weights, ratio, alive, source, stages = (p.strip() for p in line.split("|"))
        boys = {"M": (1.0, 0.0), "F": (0.0, 1.0)}.get(ratio)
        if boys is None:
            boys = (2 * float(ratio) / (1 + float(ratio)), 2 / (1 + float(ratio)))
        row: dict[str, object] = {"site": site, "diagnosis": name, "topography": topography, "morphology": morphology}
        for sex, factor in zip(SEXES, boys, strict=True):
            for age, weight in zip(AGES, weights.split(), strict=True):
                row[f"{sex} {age}"] = round(float(weight) * factor, 6)
        shares = ("", "", "") if stages == "-" else stages.split()
        row |= dict(zip(("localised", "regional", "distant"), shares, strict=True))
        rows.append(row | {"survival_5_years": alive, "survival_source": sources[source]})
    found = iccc3().classify([r["topography"] for r in rows], [r["morphology"] for r in rows])
    for row, subgroup, reason in zip(rows, found.subgroup, found.reason, strict=True):
        if reason is not None:
            raise SystemExit(f"{row['diagnosis']}: {reason}")
        row["subgroup"] = subgroup
    return rows


def profiles(population: pd.DataFrame) -> dict[str, list[str]]:
    names = list(population.id_label.unique())
    usa = [name for name in names if name.startswith("USA, ") and not any(part in name for part in NOT_STATES)]
    return {"usa": usa, "europe": list(EUROPE_21), "world": [name for name in names if not name.startswith("USA")]}


def registries(cases: pd.DataFrame, population: pd.DataFrame) -> list[dict[str, object]]:
    young = population[population.age_group != "15-19"]
    labels = population[["id_code", "id_label"]].drop_duplicates()
    all_sites = cases[(cases.cancer_code < 62) & (cases.age_group != "15-19")].merge(labels, on="id_code")
    keys = ["id_label", "sex", "age_group"]
    cells = young.groupby(keys).py.sum().to_frame().join(all_sites.groupby(keys).cases.sum()).fillna(0).reset_index()
    rows = []
    for profile, names in profiles(population).items():
        mine = cells[cells.id_label.isin(names)].copy()
        pooled = mine.groupby(["sex", "age_group"])[["cases", "py"]].sum()
        rate = (pooled.cases / pooled.py).rename("rate")
        mine = mine.join(rate, on=["sex", "age_group"])
        mine["expected"] = mine.rate * mine.py
        totals = mine.groupby("id_label")[["cases", "py", "expected"]].sum().sort_values("py")
        for values in totals.itertuples():
            level = float(values.cases) / float(values.expected)
            rows.append({"profile": profile, "person_years": int(values.py), "level": round(level, 3)})
    return rows


def rates(cases: pd.DataFrame, population: pd.DataFrame) -> list[dict[str, object]]:
    site = {code: name for name, codes in SITES.items() for code in codes}
    labels = population[["id_code", "id_label"]].drop_duplicates()
    known = cases[cases.cancer_code < 62].merge(labels, on="id_code")
    known = known.assign(site=known.cancer_code.map(site))
    rows = []
    for profile, names in profiles(population).items():
        # The rates of "usa" are those of the whole country, which has a line of its own.
        chosen = ["USA"] if profile == "usa" else names
        cells = known[known.id_label.isin(chosen)].groupby(["site", "sex", "age_group"]).cases.sum()
        years = population[population.id_label.isin(chosen)].groupby(["sex", "age_group"]).py.sum()
        for name, sex, age in product(SITES, SEXES, AGES):
            row: dict[str, object] = {"profile": profile, "site": name, "sex": sex, "age_group": age}
            count = int(cells.get((name, sex, age), 0))
            rows.append(row | {"cases": count, "person_years": int(years[sex, age])})
    return rows


def write(path: Path, rows: list[dict[str, object]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", type=Path)
    parser.add_argument("population", type=Path)
    given = parser.parse_args()
    cases, population = pd.read_csv(given.cases), pd.read_csv(given.population)
    write(HERE / "simulator_diagnoses.csv", diagnoses())
    write(HERE / "simulator_registries.csv", registries(cases, population))
    write(HERE / "simulator_rates.csv", rates(cases, population))


if __name__ == "__main__":
    main()
