"""The shipped trials: known answers, and the script that makes the files."""

from __future__ import annotations

import runpy
from importlib.resources import files
from pathlib import Path

import pandas as pd

from pets.datasets import lung, wilms

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "data" / "make_trials.py"


def test_lung() -> None:
    table = lung()
    assert len(table) == 228 and table.patient_id.is_unique
    assert table.status.value_counts().to_dict() == {"dead": 165, "censored": 63}
    assert table.sex.value_counts().to_dict() == {"male": 138, "female": 90}
    assert (table.time.min(), table.time.max(), table.ecog.isna().sum()) == (5, 1022, 1)


def test_wilms() -> None:
    table = wilms()
    assert len(table) == 4028 and table.patient_id.is_unique
    assert table.status.value_counts().to_dict() == {"censored": 3457, "relapse": 571}
    assert table.histology.value_counts().to_dict() == {"favourable": 3569, "unfavourable": 459}
    assert (table.time.min(), table.time.max()) == (4, 6209)


def test_each_file_has_its_terms() -> None:
    sources = (files("pets.datasets") / "data" / "SOURCES.md").read_text(encoding="utf-8")
    for file in (files("pets.datasets") / "data").iterdir():
        assert file.name == "SOURCES.md" or f"## {file.name}" in sources


def test_the_script_writes_codes_in_words() -> None:
    script = runpy.run_path(str(SCRIPT))
    source = pd.DataFrame({"time": [3], "status": [2], "age": [50], "sex": [2], "ph.ecog": [1.0]})
    assert script["lung"](source).iloc[0].tolist() == [3, "dead", "female", 50, 1]
    source = pd.DataFrame({"histol": [2], "stage": [4], "study": [3], "rel": [1], "edrel": [9], "age": [7]})
    assert script["wilms"](source).iloc[0].tolist() == [9, "relapse", "unfavourable", "IV", "NWTS-3", 7]
