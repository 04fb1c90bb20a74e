"""Keys of linked tables: exact whatever the engine, and refused where a reader has lost what tells them apart."""

from __future__ import annotations

from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import pets
from pets.errors import DataError
from pets.synthetic.linked import Child
from pets.synthetic.linked.rows import linked_codes
from pets.synthetic.linked.tree import Tree

BIG = 2**53
DOMAINS = {
    "patients": pets.Domain(sex=["f", "m"], unit=pets.PrivacyUnit(id="patient_id")),
    "tumours": pets.Domain(site=["bone", "brain"]),
}
PATIENTS = {"patient_id": [BIG, BIG + 1, BIG + 2, None], "sex": ["f", "m", "f", "m"]}
TUMOURS = {"patient_id": [BIG + 1, BIG + 1, BIG + 2, None, BIG + 3], "site": ["bone"] * 5}


def whole(columns: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(columns | {"patient_id": pd.array(columns["patient_id"], dtype="Int64")})


def objects(columns: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(columns | {"patient_id": pd.Series(columns["patient_id"], dtype=object)})


@pytest.mark.parametrize("engine", [whole, objects, pl.DataFrame, pa.table])
def test_numbers_that_floats_cannot_tell_apart_stay_apart_beside_missing_ones(engine: Any):
    tree = Tree.of(DOMAINS, [Child("tumours", "patients", most=2)], ())
    codes = linked_codes({"patients": engine(PATIENTS), "tumours": engine(TUMOURS)}, tree, tree.views())
    assert codes["patients"].shape[1] == 3 and codes["tumours"].shape[1] == 3
    assert sorted(codes["patients"][1].tolist()) == [0, 1, 2], "each patient has its own tumours"


@pytest.mark.parametrize("table", ["patients", "tumours"])
def test_decimals_that_have_lost_them_are_refused(table: str):
    """What pandas makes of a column of whole numbers with a gap."""
    frames = {"patients": whole(PATIENTS), "tumours": whole(TUMOURS)}
    frames[table] = pd.DataFrame(PATIENTS if table == "patients" else TUMOURS)
    assert frames[table].patient_id.dtype == "float64"
    tree = Tree.of(DOMAINS, [Child("tumours", "patients", most=2)], ())
    with pytest.raises(DataError, match="tell patients apart") as caught:
        linked_codes(frames, tree, tree.views())
    assert str(BIG) not in str(caught.value)


def test_small_decimals_still_link():
    tree = Tree.of(DOMAINS, [Child("tumours", "patients", most=2)], ())
    patients = pd.DataFrame({"patient_id": [1, 2, 3], "sex": ["f", "m", "f"]})
    tumours = pd.DataFrame({"patient_id": [1, 2, None], "site": ["bone"] * 3})
    codes = linked_codes({"patients": patients, "tumours": tumours}, tree, tree.views())
    assert codes["tumours"].shape[1] == 2
