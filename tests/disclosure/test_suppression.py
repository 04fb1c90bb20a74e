"""Primary suppression on its own table and on the real counts."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import pets
from pets.errors import InvalidArgument


def release(counts: dict[str, int], **rule: object) -> pd.DataFrame:
    domain = pets.Domain(cell=list(counts))
    rows = pd.DataFrame({"cell": [cell for cell, n in counts.items() for _ in range(n)]}, dtype=object)
    mechanism = pets.disclosure.SuppressCells(**rule)  # type: ignore[arg-type]
    return (
        pets.Pipeline(pets.Count(by=["cell"]), domain, mechanism=mechanism)
        .run({"A": rows})
        .to_frame()
        .set_index("cell")
    )


COUNTS = {"none": 0, "one": 1, "four": 4, "five": 5, "many": 70}


def test_exactly_the_counts_from_one_to_four_are_hidden():
    frame = release(COUNTS, minimum=5)
    assert frame["status"].to_dict() == {
        "none": "published", "one": "suppressed", "four": "suppressed", "five": "published", "many": "published",
    }  # fmt: skip
    assert np.isnan(frame.loc["four", "value"])
    assert frame.loc["four", ["ci_low", "ci_high"]].tolist() == [1, 4]
    assert frame.loc["five", ["value", "ci_low", "ci_high", "stderr"]].tolist() == [5, 5, 5, 0]


def test_zeros_can_be_hidden_too():
    frame = release(COUNTS, minimum=5, zeros="suppress")
    assert frame.loc["none", "status"] == "suppressed"
    assert frame.loc["one", ["ci_low", "ci_high"]].tolist() == [0, 4]


@pytest.mark.parametrize("minimum", [1, 0, -3, 2.5, "5", True, None])
def test_a_minimum_that_hides_nothing_is_refused(minimum):
    with pytest.raises(InvalidArgument) as caught:
        pets.disclosure.SuppressCells(minimum=minimum)
    assert caught.value.argument == "minimum"


def test_the_number_of_dropped_rows_obeys_the_rule():
    domain = pets.Domain(cell=["a"])
    rows = pd.DataFrame({"cell": ["a"] * 9 + ["?"] * 3})
    plan = pets.Pipeline(pets.Count(by=["cell"]), domain, mechanism=pets.disclosure.SuppressCells(minimum=5))
    assert plan.run({"A": rows}).dropped() is None
    assert plan.run({"A": pd.concat([rows, rows])}).dropped() == (6, 6, 6)


def test_the_guarantee_says_that_margins_can_undo_it():
    plan = pets.Pipeline(pets.Count(by=["cell"]), pets.Domain(cell=["a"]), mechanism=pets.disclosure.SuppressCells())
    text = plan.preview().guarantee.explain()
    assert "subtract" in text or "margin" in text
