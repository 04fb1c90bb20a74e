"""Partial dates against the calendar of the standard library."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pets.epi.harmonise.dates import UNKNOWN, completed_years, read_dates
from pets.errors import InvalidArgument

EPOCH = dt.date(1970, 1, 1)
DAYS = st.dates(dt.date(1850, 1, 1), dt.date(2150, 12, 31))


def number(year: int, month: int, day: int) -> int:
    return (dt.date(year, month, day) - EPOCH).days


@given(st.lists(DAYS, min_size=1))
def test_whole_dates_in_every_spelling(days):
    expected = [(day - EPOCH).days for day in days]
    spellings = [
        ("ymd", [f"{d:%Y%m%d}" for d in days]),
        ("ymd", [d.isoformat() for d in days]),
        ("ymd", [f"{d.isoformat()} 00:00:00" for d in days]),
        ("ymd", days),
        ("ymd", [dt.datetime(d.year, d.month, d.day, 13, 5, tzinfo=dt.UTC) for d in days]),
        ("dmy", [f"{d.day}/{d.month:02d}/{d.year}" for d in days]),
        ("dmy", [f"{d:%d.%m.%Y}" for d in days]),
        ("mdy", [f"{d.month}/{d.day}/{d.year}" for d in days]),
    ]
    for order, texts in spellings:
        found = read_dates(texts, order)
        assert found.first.tolist() == found.last.tolist() == found.middle.tolist() == expected
        assert not found.unreadable.any() and not found.partial.any()


PARTIAL = {
    "2015": (number(2015, 1, 1), number(2015, 12, 31)),
    "2015    ": (number(2015, 1, 1), number(2015, 12, 31)),
    "20159999": (number(2015, 1, 1), number(2015, 12, 31)),
    "201599": (number(2015, 1, 1), number(2015, 12, 31)),
    "20150299": (number(2015, 2, 1), number(2015, 2, 28)),
    "201602": (number(2016, 2, 1), number(2016, 2, 29)),
    "2016-02": (number(2016, 2, 1), number(2016, 2, 29)),
    "20160200": (number(2016, 2, 1), number(2016, 2, 29)),
}


@pytest.mark.parametrize("text", PARTIAL)
def test_parts_that_are_unknown(text):
    found = read_dates([text])
    assert (found.first[0], found.last[0]) == PARTIAL[text]
    assert found.partial.all() and not found.unreadable.any()
    middle = EPOCH + dt.timedelta(days=int(found.middle[0]))
    assert middle.day in (14, 15, 16) or (middle.month, middle.day) in ((7, 1), (7, 2))


def test_orders_with_parts_unknown():
    assert read_dates(["02/2016", "2016"], "dmy").first.tolist() == [number(2016, 2, 1), number(2016, 1, 1)]
    assert read_dates(["02/2016"], "mdy").last.tolist() == [number(2016, 2, 29)]


@pytest.mark.parametrize("text", ["", None, "  ", "99999999", "9999", "NaT", float("nan"), "nan"])
def test_nothing_known(text):
    found = read_dates([text])
    assert found.first.tolist() == [UNKNOWN] and not found.unreadable.any() and np.isnan(found.years[0])


@pytest.mark.parametrize("text", ["20150230", "20151301", "2015-02-30", "yesterday", "18000101", "15/02/2015", "1"])
def test_no_dates(text):
    found = read_dates([text])
    assert found.unreadable.tolist() == [True] and not found.known.any()


def test_an_unknown_order_is_refused():
    with pytest.raises(InvalidArgument, match="order"):
        read_dates([], "ydm")  # type: ignore[arg-type]


@given(DAYS, DAYS)
def test_completed_years(birth, then):
    expected = then.year - birth.year - ((then.month, then.day) < (birth.month, birth.day))
    days = [np.array([(day - EPOCH).days]) for day in (birth, then)]
    assert completed_years(*days).tolist() == [expected]


def test_dates_narrow_each_other():
    diagnosed = read_dates(["2015", "2015", "2015", "20150801"])
    death = read_dates(["20150310", "2014", "", "201508"])
    nothing = np.full(4, UNKNOWN)
    narrowed = diagnosed.within(nothing, death.last)
    assert narrowed.last.tolist()[0] == number(2015, 3, 10)  # diagnosed before death
    assert narrowed.last.tolist()[1] == number(2015, 12, 31)  # a contradiction stays as it is
    assert narrowed.middle[0] <= number(2015, 3, 10)
    ended = death.within(diagnosed.first, nothing)
    assert ended.first.tolist()[3] == number(2015, 8, 1)
