"""The rows of a file are read cell by cell: what one row holds changes no other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import pets
from pets.declared_rows import check_types, read_rows
from pets.domain import Domain
from pets.errors import DataError
from pets.guards import Cohort

DOMAIN = Domain.from_dict({
    "schema": 1,
    "unit": {"id": "patient", "max_rows": 1},
    "attributes": {
        "stage": {"type": "categorical", "categories": ["1", "2", "3"]},
        "code": {"type": "categorical", "categories": ["007", "010"]},
        "region": {"type": "categorical", "categories": ["NA", "EU"]},
        "grade": {"type": "categorical", "categories": [1, 2]},
        "alive": {"type": "categorical", "categories": [True, False]},
        "months": {"type": "integer", "lower": 0, "upper": 60, "bins": [0, 12, 60], "invalid": "clamp"},
        "seen": {"type": "date", "lower": "2000-01-01", "upper": "2003-12-31"},
    },
})  # fmt: skip
HEADING = "patient,stage,code,region,grade,alive,months,seen\n"
LINES = "".join(
    f"{i},{1 + i % 3},{('007', '010')[i % 2]},{('NA', 'EU')[i % 2]},"
    f"{1 + i % 2},{i % 2 == 0},{10 * (i % 3)},200{i % 4}-05-01\n"
    for i in range(12)
)
STRAY = {
    "nothing": "", "texts": "99,odd,odd,odd,odd,odd,odd,odd\n", "empty fields": "99,,,,,,,\n",
    "numbers": "99,1.5,7,-1,1e400,1,0x10,1\n", "a huge number": f"99,1,007,NA,{10**30},1,{10**30},2\n",
}  # fmt: skip


def tables(path: Path, text: str) -> dict[str, tuple[list[int], list[int]]]:
    """For each attribute the table, and the sizes of the cohorts of each category."""
    path.write_text(HEADING + text, encoding="utf-8")
    frame = read_rows(path, DOMAIN)
    found = {}
    for name in DOMAIN.names:
        labels = getattr(DOMAIN[name], "categories", ())
        cohorts = [len(Cohort.of({name: [label]}, DOMAIN).select(frame)) for label in labels]
        found[name] = (pets.Count(by=[name]).bind(DOMAIN).tally(frame).values.tolist(), cohorts)
    return found


def test_every_declared_type_is_read(tmp_path: Path) -> None:
    found = tables(tmp_path / "rows.csv", LINES)
    assert found["stage"] == ([4, 4, 4, 0], [4, 4, 4])
    for name in ("code", "region", "grade", "alive"):
        assert found[name] == ([6, 6, 0], [6, 6]), name
    assert found["months"][0] == [8, 4, 0]
    assert found["seen"][0] == [3, 3, 3, 3, 0]


@pytest.mark.parametrize("stray", STRAY)
def test_one_row_more_moves_each_table_by_one_patient(tmp_path: Path, stray: str) -> None:
    """A reader that guesses types turns 0 patients of stage "1" into 4 here, and 12 of grades 1 and 2 into none."""
    before, after = tables(tmp_path / "a.csv", LINES), tables(tmp_path / "b.csv", LINES + STRAY[stray])
    for name in DOMAIN.names:
        for old, new in zip(before[name], after[name], strict=True):
            assert sum(abs(x - y) for x, y in zip(old, new, strict=True)) <= 1, name


@pytest.mark.parametrize(
    ("name", "values"),
    [("stage", [1, 2]), ("stage", [1, "2"]), ("months", ["1", "x"]), ("months", [1, "x"]), ("alive", ["True", "x"])],
)
def test_a_type_that_a_platform_has_guessed_is_found(name: str, values: list[Any]) -> None:
    with pytest.raises(DataError, match=f"'{name}'"):
        check_types(pd.DataFrame({name: values}), DOMAIN)


def test_typed_frames_pass() -> None:
    seen = pd.Series(["2000-01-01", None], dtype="datetime64[ns]")
    frame = pd.DataFrame({
        "seen": seen, "stage": ["1", None], "region": pd.Categorical(["NA", "EU"]), "grade": [1.0, None],
        "alive": [True, None], "months": pd.array([1, None], dtype="Int64"), "other": [1, "x"],
    })  # fmt: skip
    assert check_types(frame, DOMAIN) == list(frame)
