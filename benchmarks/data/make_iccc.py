"""Write the ICCC-3 tables that `pets` ships.

Usage: python benchmarks/data/make_iccc.py IARC_2017.csv WHO_2008.csv [FOLDER]

The inputs are the two site recode tables of SEER's ICCC pages, as the GitHub project imsweb/algorithms (BSD-3-Clause)
carries them: iccc-data-third-edition-iarc-2017.csv and iccc-data-who-2008.csv. The output has one row for each rule,
with the subgroup spelt as in ICCC-3 (VIIb), and is byte for byte the same for the same input.
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

ROMAN = ("I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX", "X", "XI", "XII")
COLUMNS = ("subgroup", "group_name", "subgroup_name", "topography", "morphology", "behaviour")
FOLDER = Path(__file__).parents[2] / "pets" / "epi" / "data"


def spelt(code: str) -> str:
    """Return ``'VIIb'`` for ``'072'``: two digits for the group, one for the subgroup, 0 where there is none."""
    group, letter = ROMAN[int(code[:2]) - 1], int(code[2])
    return group + (chr(ord("a") + letter - 1) if letter else "")


def codes(text: str) -> str:
    """Return a list of codes and ranges without blanks; one of them ends in a comma too many."""
    return text.replace(" ", "").rstrip(",")


def rules(path: Path) -> list[dict[str, str]]:
    """Return the rules of one table, each with the names of the group and subgroup that it stands under."""
    found, group, names = [], "", {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = [
            {key.strip(): (value or "").strip() for key, value in row.items()}
            for row in csv.DictReader(file, skipinitialspace=True)
        ]
    for row in rows:
        code, depth = row["Group code"], row["Indentation"]
        if code == "999":
            continue
        group = row["Group Name"] if depth == "0" else group
        heads = row["Group content"].split(",") if row["Group content"] else [code]
        if depth == "1" or (depth == "0" and code):
            names |= dict.fromkeys(heads, row["Group Name"])
        if row["Sites IN"]:
            found.append(
                {
                    "subgroup": spelt(code),
                    "group_name": group.capitalize().replace("Cns", "CNS"),
                    "subgroup_name": names[code],
                    "topography": codes(row["Sites IN"]),
                    "morphology": codes(row["Hist IN"]),
                    "behaviour": codes(row["Behavior IN"]),
                }
            )
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("iarc_2017", type=Path)
    parser.add_argument("who_2008", type=Path)
    parser.add_argument("folder", type=Path, nargs="?", default=FOLDER)
    given = parser.parse_args()
    for source, name in ((given.iarc_2017, "iccc3_iarc_2017.csv"), (given.who_2008, "iccc3_who_2008.csv")):
        with (given.folder / name).open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rules(source))


if __name__ == "__main__":
    main()
