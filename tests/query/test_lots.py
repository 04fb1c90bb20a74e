"""Which rows of a patient with too many are kept: by lot, the same everywhere, favouring no cell."""

from __future__ import annotations

import datetime as dt
import itertools
import math
from collections import Counter
from decimal import Decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import stats

from pets.domain import Domain, Integer
from pets.privacy_unit import PrivacyUnit
from pets.query import Count, Mean
from pets.query.engine.lots import drawn, lots

# Every lot follows from the names below, so these tests come out alike each time.
NAMES = [f"patient {i}" for i in range(6000)]


@pytest.mark.parametrize(
    ("most", "fitting", "others"), [(1, 2, 0), (1, 5, 3), (2, 4, 0), (3, 5, 2), (3, 1, 4), (2, 0, 4)]
)
def test_each_set_of_rows_is_equally_likely(most: int, fitting: int, others: int):
    words = lots(NAMES, "question", most)
    sizes = (np.full(len(NAMES), n, dtype=np.int64) for n in (fitting, others))
    found = Counter(tuple(sorted(row)) for row in drawn(words, *sizes).tolist())
    of_first = min(fitting, most)
    first = itertools.combinations(range(fitting), of_first)
    second = list(itertools.combinations(range(fitting, fitting + others), most - of_first))
    allowed = [(*one, *other) for one in first for other in second]
    assert set(found) == set(allowed)
    assert stats.chisquare([found[rows] for rows in allowed]).pvalue > 1e-4


def test_a_unit_with_a_million_rows():
    """All rows without an id are one unit: its lot must not take their number in memory."""
    chosen = drawn(lots([None], "question", 3), np.array([10**9]), np.array([0]))
    assert len(set(chosen[0].tolist())) == 3
    assert (chosen < 10**9).all()


def test_the_lot_is_of_the_unit_and_of_the_question():
    words = lots(["p", "q"], "one", 4)
    np.testing.assert_array_equal(lots(["q"], "one", 4), words[1:])
    assert not (words[0] == words[1]).any()
    assert not (lots(["p"], "two", 4) == words[0]).any()
    # a longer lot begins like a shorter one, so raising max_rows changes little else
    np.testing.assert_array_equal(lots(["p"], "one", 2)[0], words[0, :2])


@pytest.mark.parametrize(
    "spellings",
    [
        [7, 7.0, np.int64(7), np.float64(7), Decimal(7), Decimal("7.00")],
        [0, -0.0, False],
        [0.5, np.float64(0.5), Decimal("0.5")],
        [dt.date(2020, 1, 2), dt.datetime(2020, 1, 2), pd.Timestamp("2020-01-02")],  # noqa: DTZ001
        [b"p", bytearray(b"p")],
        ["7"],
        ["none"],
        [None],
        [math.inf],
        [pd.Timestamp("2020-01-02 03:04")],
    ],
    ids=str,
)
def test_one_unit_has_one_lot_in_every_type(spellings: list[object]):
    words = lots(spellings, "question", 1)
    assert len(np.unique(words)) == 1
    assert not (words == lots(["another"], "question", 1)).any()


def test_no_cell_is_favoured():
    """Second cancers after leukaemia, and leukaemias after another cancer: kept by order, none of them would count."""
    groups = [f"g{i}" for i in range(12)]
    frame = pl.DataFrame(
        {"patient": [*NAMES, *NAMES], "group": ["g0"] * len(NAMES) + [groups[1 + i % 11] for i in range(len(NAMES))]}
    )
    values = Count("group").tally(frame, Domain(group=groups, unit=PrivacyUnit("patient"))).values
    assert values.sum() == len(NAMES)
    half = len(NAMES) / 2
    assert abs(values[0] - half) < 5 * math.sqrt(half / 2)
    assert stats.chisquare(values[1:12]).pvalue > 1e-4


def test_a_mean_over_several_rows_is_not_drawn_to_the_least():
    """Kept in the order of the values, the lower of two ages would make the mean 2.97 of 4.5."""
    ages = np.arange(2 * len(NAMES)) * 7919 % 100 // 10
    frame = pd.DataFrame({"patient": np.tile(NAMES, 2), "age": ages})
    domain = Domain(age=Integer(0, 9), unit=PrivacyUnit("patient"))
    found = Mean("age").answer(Mean("age").tally(frame, domain), domain)["value"]
    assert abs(float(np.asarray(found)[0]) - 4.5) < 5 * math.sqrt(8.25 / len(NAMES))


def test_a_question_asked_again_keeps_the_same_rows():
    frame = pl.DataFrame({"patient": NAMES * 2, "k": ["a"] * len(NAMES) + ["b"] * len(NAMES)})
    domain = Domain(k=["a", "b"], unit=PrivacyUnit("patient"))
    first = Count("k").tally(frame, domain)
    again = Count("k").tally(frame.sample(fraction=1.0, shuffle=True, seed=1), domain)
    np.testing.assert_array_equal(first.values, again.values)
