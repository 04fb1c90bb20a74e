"""Building tables from records: how long it takes, and whether the rules agree with tau-ARGUS.

    python benchmarks/disclosure_build.py [--quick] [--tauargus PATH]

``--tauargus`` is the command of the package `pytauargus` in an environment of its own. Our files describe the same
records to it (.asc, .rda, .hrc), it applies its rules, and what it calls sensitive is compared with what we do.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
import time
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd

from pets.disclosure.build import sheet_of_rows
from pets.disclosure.dimension import Dimension
from pets.disclosure.rules import Dominance, MinimumFrequency, PercentRule, Rule
from pets.disclosure.tau_argus import Metadata, Variable, read_outcome, write_hrc, write_rda

GROUPS = {"IA": "I", "IB": "I", "V1": "V", "V2": "V", "V3": "V"}
RULES: dict[str, Rule] = {
    "NK(1,75)": Dominance(1, 75),
    "NK(2,85)": Dominance(2, 85),
    "P(10,1)": PercentRule(10),
    "P(20,2)": PercentRule(20, 2),
    "FREQ(4,30)": MinimumFrequency(4),
}
NOT_OF_RECORDS = {"NK": "NK(0,0)|NK(0,0)|", "P": "P(0,0)|P(0,0)|", "FREQ": "FREQ(0,0)|"}
"""What stands before a rule that is about holdings."""


def records(n: int, seed: int) -> pd.DataFrame:
    """Return n records of a registry with a clinic each."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "site": rng.integers(0, 47, n).astype(str),
            "age": rng.integers(0, 4, n).astype(str),
            "district": rng.integers(0, 16, n).astype(str),
            "sex": rng.integers(0, 2, n).astype(str),
            "year": rng.integers(2018, 2023, n).astype(str),
            "clinic": rng.integers(0, 300, n),
            "dose": rng.lognormal(3, 1, n),
        }
    )


def margins_by_pandas(frame: pd.DataFrame, by: list[str]) -> int:
    """Return the number of cells of all margins, one group-by for each; groups of codes left out."""
    return sum(
        len(frame.groupby([name for name, used in zip(by, chosen, strict=True) if used], observed=True).size())
        for chosen in product((True, False), repeat=len(by))
        if any(chosen)
    )


def timings(n: int) -> None:
    frame = records(n, 1)
    site = {str(i): f"g{i % 12}" for i in range(47)}
    district = {str(i): f"r{i % 4}" for i in range(16)}
    by = ["site", "age", "district", "sex", "year"]
    for label, columns, options in (
        ("5 columns, 2 hierarchies, all margins", by, {}),
        ("3 columns, sums, 300 clinics ranked in each cell", by[:3], {"value": "dose", "holding": "clinic"}),
    ):
        began = time.perf_counter()
        sheet = sheet_of_rows(frame, columns, hierarchies={"site": site, "district": district}, **options)
        table = sheet.table(MinimumFrequency(5), *([Dominance(1, 75)] if options else []))
        print(f"pets    {n:>9,} records  {table.cells:>7,} cells  {time.perf_counter() - began:6.2f} s  {label}")
    began = time.perf_counter()
    cells = margins_by_pandas(frame, by)
    print(f"pandas  {n:>9,} records  {cells:>7,} cells  {time.perf_counter() - began:6.2f} s  no groups or relations")


def agreement(command: Path, tables: int) -> None:
    cells = sensitive = 0
    different: list[str] = []
    for seed in range(tables):
        rng = np.random.default_rng(seed)
        frame = pd.DataFrame(
            {
                "site": rng.choice(list(GROUPS), 150),
                "region": rng.choice(list("NSEW"), 150),
                "value": np.round(rng.lognormal(3, 1.3, 150), 2),
                "weight": rng.choice([1.0, 1.5, 2.0, 3.0], 150),
                "firm": np.sort(rng.integers(1, 60, 150)),
            }
        )
        with tempfile.TemporaryDirectory() as folder:
            for label, ours, theirs in compared(frame, Path(folder), command):
                cells, sensitive = cells + len(ours), sensitive + int(ours.sum())
                different += [f"{label} (table {seed})"] * int((ours != theirs).sum())
    print(f"rules   {cells:,} cells judged by both, {sensitive} sensitive, {len(different)} judged differently")
    for label in sorted(set(different)):
        print(f"        {label}: {different.count(label)}")


def compared(frame: pd.DataFrame, folder: Path, command: Path) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    write_hrc(Dimension.from_parents("site", GROUPS), folder / "site.hrc")
    text = "".join(f"{r.site} {r.region} {r.value:10.2f} {r.weight:5.1f} {r.firm:4d}\n" for r in frame.itertuples())
    (folder / "m.asc").write_text(text)
    variables = (
        Variable("site", "category", start=1, width=2, hierarchy_file=str(folder / "site.hrc")),
        Variable("region", "category", start=4, width=1),
        Variable("value", "response", start=6, width=10, decimals=2),
    )
    extra = {"weight": Variable("weight", "weight", start=17, width=5, decimals=1)}
    extra["firm"] = Variable("firm", "holding", start=23, width=4)
    for used, (name, rule) in product(("", "weight", "firm"), RULES.items()):
        if used == "weight" and name.startswith("FREQ"):
            continue  # tau-ARGUS then compares the sum of weights, we the contributors in the sample
        write_rda(Metadata((*variables, *([extra[used]] if used else []))), folder / "m.rda")
        kind = name.partition("(")[0]
        said = f"{NOT_OF_RECORDS[kind] if used == 'firm' else ''}{name}{'|WGT(1)' if used == 'weight' else ''}"
        (folder / "m.arb").write_text(
            f'<OPENMICRODATA> "{folder}/m.asc"\n<OPENMETADATA> "{folder}/m.rda"\n'
            f'<SPECIFYTABLE> "site""region"|"value"||\n<SAFETYRULE> {said}\n<READMICRODATA>\n'
            f'<WRITETABLE> (1,2,AS+,"{folder}/out.csv")\n'
        )
        subprocess.run([command, "run", "m.arb"], check=True, capture_output=True, cwd=folder)
        options = {"weight": "weight"} if used == "weight" else {"holding": "firm"} if used == "firm" else {}
        sheet = sheet_of_rows(frame, ["site", "region"], hierarchies={"site": GROUPS}, value="value", **options)
        theirs = read_outcome(folder / "out.csv", sheet.table(rule))
        yield said, rule.judge(sheet.contributions).sensitive, theirs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the records, two tables")
    parser.add_argument("--tauargus", type=Path, help="the command of pytauargus")
    asked = parser.parse_args()
    timings(100_000 if asked.quick else 1_000_000)
    if asked.tauargus is not None:
        agreement(asked.tauargus, 2 if asked.quick else 10)


if __name__ == "__main__":
    main()
