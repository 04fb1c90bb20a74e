"""Write the Toronto stage tables that `pets` ships.

Usage: python benchmarks/data/make_toronto.py ARCHIVE.zip [FOLDER]

The input is the pediatric algorithm, version 1.3, of the GitHub project imsweb/staging-client-java (BSD-3-Clause): a
zip of JSON schemas and tables. Written are `toronto_schemas.csv` (which tumours each schema is for) and
`toronto_stages.csv` (every stage group that a schema can give, and the tier 1 category that the guidelines collapse it
to; empty where the stage is not known). The tiers are those of Gupta S, Aitken JF, Bartels U, et al. (2016), Lancet
Oncol 17:e163-72. The column `source` says what each line was checked against:

- `algorithm`: it follows from the tables of the algorithm. All their rows with this stage have metastases and the tier
  says so, or none has and the tier is the other one of two;
- `definition`: the staging system itself calls the stage so (INRGSS: a localised, a locoregional, a distant metastatic
  tumour, MS; Ann Arbor: I to IV);
- `guideline`: the guideline, whose printed table was not at hand when this was written.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "pets" / "epi" / "harmonise" / "data"

THREE = {"1": "localised", "2": "localised", "3": "localised", "4": "metastatic"}
MURPHY = {"1": "limited", "2": "limited", "3": "advanced", "4": "advanced"}
CHANG = {"M0": "localised", "M1": "metastatic", "M2": "metastatic", "M3": "metastatic", "M4": "metastatic"}
WILMS = THREE | {"y1": "localised", "y2": "localised", "y3": "localised"}
TWO = {"L": "localised", "M": "metastatic"}
ANN_ARBOR = {
    number + letter: roman for number, roman in zip("1234", ("I", "II", "III", "IV"), strict=True) for letter in "AB"
}
GERM_CELL = {"1": "localised", "2": "regional", "3": "metastatic"}
TIERS: dict[str, dict[str, str]] = {
    "1a1": {"10": "CNS negative", "20": "CNS positive", "30": "CNS positive"},
    "2a": ANN_ARBOR,
    **dict.fromkeys(("2b2", "2b3", "2b4", "2c"), MURPHY),
    **dict.fromkeys(("3a", "3c1", "3c2", "3c3", "3c4", "3e3"), CHANG),
    **dict.fromkeys(("3b", "8a", "8b", "8c", "8d", "8e"), TWO),
    "4a": {"L1": "localised", "L2": "locoregional", "M": "metastatic", "MS": "MS"},
    "5": {"0": "localised", "1": "localised", "2": "localised", "3": "regional", "4": "metastatic"},
    **dict.fromkeys(("6a1", "6a2", "6a3", "6a4", "6c"), WILMS),
    "7a": {f"{where}{pretext}": tier for where, tier in TWO.items() for pretext in "1234X"},
    **dict.fromkeys(("9a", "9b", "9d", "9e"), THREE),
    "10c1": {number + letter: tier for number, tier in GERM_CELL.items() for letter in ("", "A", "B", "C", "S")},
    "10c2": {"1": "localised", "2": "regional", "3": "regional", "4": "metastatic"},
}


def documents(archive: Path, kind: str) -> Iterator[dict[str, Any]]:
    with zipfile.ZipFile(archive) as box:
        for name in sorted(box.namelist()):
            if name.startswith(f"{kind}/") and name.endswith(".json"):
                yield json.loads(box.read(name))


def endpoints(table: dict[str, Any], key: str) -> list[str]:
    """Return the values that the rows of a table can give to `key`."""
    places = [
        i for i, column in enumerate(table["definition"]) if column["type"] == "ENDPOINT" and column["key"] == key
    ]
    return [row[i].removeprefix("VALUE:") for i in places for row in table["rows"] if row[i].startswith("VALUE:")]


METASTASES = ("ped_mets", "pediatric_m")
ABSENT = {"00", "99", "M0"}
DEFINED = {"4a", "2a"}


def source(schema: str, stage: str, used: list[dict[str, Any]]) -> str:
    """Return what the tier of a stage was checked against."""
    tiers = TIERS.get(schema, {})
    if stage not in tiers:
        return ""
    if schema in DEFINED:
        return "definition"
    given: set[str] = set()
    for table in used:
        keys = [column["key"] for column in table["definition"]]
        column = next((key for key in METASTASES if key in keys), None)
        for row in table["rows"] if column and "toronto_stage_group" in keys else ():
            if row[keys.index("toronto_stage_group")] == f"VALUE:{stage}":
                given.update(codes(row[keys.index(column)]).split(","))
    two = set(tiers.values()) == {"localised", "metastatic"}
    spread = given and not given & {*ABSENT, "*"} and tiers[stage] == "metastatic"
    confined = given and given <= ABSENT and two and tiers[stage] == "localised"
    return "algorithm" if spread or confined else "guideline"


def codes(text: str) -> str:
    return re.sub(r"\s", "", text)


def stages(schema: dict[str, Any], tables: dict[str, dict[str, Any]], code: str) -> Iterator[dict[str, str]]:
    used = [reference["id"] for mapping in schema.get("mappings", []) for reference in mapping.get("tables", [])]
    found = dict.fromkeys(stage for name in used for stage in endpoints(tables[name], "toronto_stage_group"))
    tiers = TIERS.get(code, {})
    for stage in sorted(found):
        if stage not in tiers and not re.fullmatch(r"X|N/A|X[1-4X]", stage):
            raise SystemExit(f"{schema['id']}: no tier for stage {stage}")
        checked = source(code, stage, [tables[name] for name in used])
        yield {"pediatric_id": code, "stage": stage, "tier": tiers.get(stage, ""), "source": checked}


def selections(schema: dict[str, Any], tables: dict[str, dict[str, Any]], code: str) -> Iterator[dict[str, str]]:
    table = tables[schema["schema_selection_table"]]
    keys = [column["key"] for column in table["definition"]]
    for row in table["rows"]:
        given = dict(zip(keys, row, strict=True))
        yield {
            "pediatric_id": code,
            "name": schema["title"].split(":")[0] if code not in ("2a",) else schema["title"],
            "topography": codes(given["site"]),
            "morphology": codes(given["hist"]),
            "behaviour": codes(given.get("behavior", "*")).replace("*", "0-3"),
            "ages": codes(given.get("age_dx", "*")).replace("*", "0-120,999"),
        }


def write(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    """Write both files."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument("folder", type=Path, nargs="?", default=FOLDER)
    given = parser.parse_args()
    tables = {table["id"]: table for table in documents(given.archive, "tables")}
    chosen, tiers = [], []
    for schema in documents(given.archive, "schemas"):
        code = next(output["default"] for output in schema["outputs"] if output["key"] == "pediatric_id")
        if code != "XX":
            chosen += selections(schema, tables, code)
            tiers += stages(schema, tables, code)
    write(given.folder / "toronto_schemas.csv", chosen)
    write(given.folder / "toronto_stages.csv", tiers)


if __name__ == "__main__":
    main()
