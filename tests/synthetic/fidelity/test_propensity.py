"""The propensity score: 1 for resamples, 2 for new rows of the same law, more for others."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import pets
from pets.synthetic.fidelity.metric import NotComputableError
from pets.synthetic.fidelity.propensity import Propensity
from pets.synthetic.fidelity.rows import Rows, Schema

DOMAIN = pets.Domain(a=["x", "y"], b=["p", "q", "r"], c=pets.Integer(0, 9))
SCHEMA = Schema.of(DOMAIN, ())


def rows(n: int, seed: int, tie: float = 0.6) -> Rows:
    random = np.random.default_rng(seed)
    c = random.integers(0, 10, n)
    a = np.where(random.random(n) < np.where(c > 4, tie, 1 - tie), "x", "y")
    frame = pd.DataFrame({"a": a, "b": random.choice(["p", "q", "r"], n), "c": c})
    return Rows.of(frame, SCHEMA, "rows")


def ratios(made: list[Rows], real: list[Rows]) -> np.ndarray:
    return np.array([next(iter(Propensity(r).scores(m).values())) for r, m in zip(real, made, strict=True)])


def mean_of(made: list[Rows], real: list[Rows]) -> float:
    return float(ratios(made, real).mean())


def test_resamples_score_one_on_average_and_new_rows_two():
    """With equally many rows of either kind; a ratio is about a chi-square over its degrees of freedom, here 14."""
    real = [rows(2000, i) for i in range(60)]
    again = [one.take(np.random.default_rng(i).integers(0, 2000, 2000)) for i, one in enumerate(real)]
    error = (2 / 14 / 60) ** 0.5
    assert abs(mean_of(again, real) - 1) < 5 * error + 0.05  # the ridge of the regression takes a few per cent off
    assert abs(mean_of([rows(2000, 1000 + i) for i in range(60)], real) - 2) < 2 * (5 * error + 0.05)


def test_other_rows_score_more_and_the_more_the_more_there_are():
    few = ratios([rows(500, 7, tie=0.85)], [rows(500, 8, tie=0.6)])[0]
    many = ratios([rows(5000, 7, tie=0.85)], [rows(5000, 8, tie=0.6)])[0]
    assert 3 < few < many and many > 20


def test_a_tie_between_columns_that_is_lost_is_seen():
    real = rows(4000, 1, tie=0.9)
    loose = rows(4000, 2, tie=0.5)
    assert ratios([loose], [real])[0] > 20
    assert ratios([rows(4000, 3, tie=0.9)], [real])[0] < 6


def test_the_same_rows_score_nothing():
    real = rows(300, 1)
    assert ratios([real], [real])[0] == pytest.approx(0, abs=1e-9)


def test_real_rows_that_are_all_the_same_have_no_score():
    same = Rows.of(pd.DataFrame({"a": ["x"] * 5, "b": ["p"] * 5, "c": [3] * 5}), SCHEMA, "rows")
    with pytest.raises(NotComputableError):
        Propensity(same)
