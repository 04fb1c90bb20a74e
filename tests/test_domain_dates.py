"""Dates: public bounds on a calendar grid, and columns that cannot be before others."""

from __future__ import annotations

import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pets
from pets.domain.dates import PER_YEAR, date_of, read_step, step_of, text_of
from pets.domain.order import earlier
from pets.errors import ConfigError, DataError, InvalidArgument

DAYS = st.dates(dt.date(1800, 1, 1), dt.date(2200, 12, 31))


@given(DAYS, st.sampled_from(list(PER_YEAR)))
def test_periods_are_those_of_pandas(day: dt.date, period: str):
    ours = step_of(day, period)
    assert ours == pd.Period(day, freq={"day": "D", "month": "M", "quarter": "Q", "year": "Y"}[period]).ordinal
    assert date_of(ours, period) <= day < date_of(ours + 1, period)
    assert read_step(text_of(ours, period), period) == ours
    assert (
        read_step(day, period) == read_step(pd.Timestamp(day), period) == read_step(f"{day}T23:59:59", period) == ours
    )


@pytest.mark.parametrize(
    ("value", "period"),
    [("2004-02-30", "day"), ("2004-3-1", "day"), ("2004-03", "day"), ("2004", "month"), ("2004-Q1", "month"),
     ("2004-Q5", "year"), ("2004.5", "year"),
     ("15.03.2004", "day"), ("", "year"), (None, "day"), (pd.NaT, "day"), (20040315, "day"), (2004.5, "year"),
     (True, "year"), (float("nan"), "year")],
)  # fmt: skip
def test_what_is_no_date_as_fine_as_the_resolution_is_none(value: Any, period: str):
    assert read_step(value, period) is None


def test_whole_numbers_are_years():
    assert read_step(2004, "year") == read_step(2004.0, "year") == read_step("2004", "year") == 34


def test_bins_follow_the_calendar_or_edges():
    assert pets.Date("1999-07-01", "2001-12-31", bins="quarter").labels[:3] == ("1999-Q3", "1999-Q4", "2000-Q1")
    assert pets.Date("2000-01-15", "2000-03-02", bins="month").labels == ("2000-01", "2000-02", "2000-03")
    assert pets.Date("2000-01-01", "2001-01-01").labels == ("2000",), "the last bin holds its upper edge"
    assert pets.Date("2000-05-05", "2000-05-05").labels == ("2000",)
    monthly = pets.Date("2000-01-01", "2000-12-31", resolution="month", bins="quarter")
    assert monthly.steps.bins == (360, 363, 366, 369, 371)


ROWS = ["1999-08-01", "2001-12-31", "2000-02-30", None, "1998-01-01", "2001-06-05 10:00"]


@pytest.mark.parametrize(
    ("policy", "counts"), [("drop", [1, 0, 2, 3]), ("category", [1, 0, 2, 3]), ("clamp", [2, 0, 2, 2])]
)
@pytest.mark.parametrize("form", ["texts", "objects", "timestamps"])
def test_tables_by_a_date_count_as_pandas_does(policy: Any, counts: list[int], form: str):
    domain = pets.Domain(dx=pets.Date("1999-07-01", "2001-12-31", invalid=policy))
    days = pd.to_datetime(pd.Series(ROWS), errors="coerce", format="mixed")
    rows = {"texts": pd.Series(ROWS, dtype=object), "objects": days.dt.date, "timestamps": days}[form]
    found = pets.Count(by=["dx"]).bind(domain).tally(pd.DataFrame({"dx": rows})).values
    assert found.tolist() == counts


def test_polars_and_arrow_dates_are_read():
    pl, pa = pytest.importorskip("polars"), pytest.importorskip("pyarrow")
    query = pets.Count(by=["dx"]).bind(pets.Domain(dx=pets.Date("1999-07-01", "2001-12-31")))
    days = [dt.date(1999, 8, 1), dt.date(2001, 1, 1), None]
    for frame in (pl.DataFrame({"dx": days}), pl.LazyFrame({"dx": days}), pa.table({"dx": pa.array(days)})):
        assert query.tally(frame).values.tolist() == [1, 0, 1, 1]


def test_a_wrong_date_is_an_error_that_does_not_quote_it():
    domain = pets.Domain(dx=pets.Date("1999-07-01", "2001-12-31", invalid="error"))
    with pytest.raises(DataError) as caught:
        pets.Count(by=["dx"]).bind(domain).tally(pd.DataFrame({"dx": ["2031-05-17"]}))
    assert "2031" not in str(caught.value)


def test_a_date_is_no_number_to_be_summed():
    with pytest.raises(InvalidArgument):
        pets.Sum("dx").bind(pets.Domain(dx=pets.Date("1999-07-01", "2001-12-31")))


def test_files_hold_dates_and_their_order():
    domain = pets.Domain(
        birth=pets.Date("1980-01-01", "2001-12-31", bins=["1980-01-01", "1990-01-01", "2001-12-31"]),
        dx=pets.Date("1999-07-01", "2001-12-31", resolution="day", bins="month", invalid="category"),
        order=[["birth", "dx"]],
    )
    for again in (pets.Domain.from_toml(domain.to_toml()), pets.Domain.from_json(domain.to_json())):
        assert again == domain and again.signature == domain.signature and hash(again) == hash(domain)
    plain = pets.Domain(domain.attributes)
    assert plain.signature != domain.signature and plain != domain
    assert "order" not in plain.to_dict()
    assert "1980-01-01 to 2001-12-31" in repr(domain) and "birth, dx" in domain._repr_html_()


@pytest.mark.parametrize(
    ("arguments", "argument"),
    [(("2000-01-01", "1999-01-01"), "upper"), (("2000", "2001-01-01"), "lower"), ((2000, "2001-01-01"), "lower"),
     (("2000-01-01", pd.NaT), "upper")],
)  # fmt: skip
def test_bounds_are_checked(arguments: tuple[Any, Any], argument: str):
    with pytest.raises(InvalidArgument) as caught:
        pets.Date(*arguments)
    assert caught.value.argument == argument


@pytest.mark.parametrize(
    ("more", "argument"),
    [({"bins": "week"}, "bins"), ({"bins": "day", "resolution": "month"}, "bins"),
     ({"resolution": "hour"}, "resolution"),
     ({"bins": ["2000-01-01"]}, "bins"),
     ({"bins": ["2000-01-01", "2000-01-01", "2001-12-31"]}, "bins.1"),
     ({"bins": ["2000-02-01", "2001-12-31"]}, "bins.0"), ({"bins": ["2000-01-01", "2001-12-30"]}, "bins.1"),
     ({"bins": 3}, "bins"), ({"invalid": "ignore"}, "invalid")],
)  # fmt: skip
def test_grids_are_checked(more: Any, argument: str):
    with pytest.raises(InvalidArgument) as caught:
        pets.Date("2000-01-01", "2001-12-31", **more)
    assert caught.value.argument == argument


def test_file_errors_name_the_key():
    text = '[attributes.dx]\ntype = "date"\nlower = "2000-13-01"\nupper = "2001-12-31"\n'
    with pytest.raises(ConfigError) as caught:
        pets.Domain.from_toml(text)
    assert caught.value.argument == "attributes.dx.lower"


# Order

DATED = {name: pets.Date("1990-01-01", "2001-12-31", invalid="category") for name in "abcd"}


def test_order_is_transitive():
    assert earlier([("a", "b"), ("b", "c", "d")]) == {
        "a": frozenset(), "b": frozenset("a"), "c": frozenset("ab"), "d": frozenset("abc")
    }  # fmt: skip


def test_what_is_selected_keeps_the_order_through_what_is_not():
    domain = pets.Domain(DATED, order=[["a", "b", "c"]])
    assert earlier(domain.select(["c", "a"]).order) == {"a": frozenset(), "c": frozenset("a")}
    assert domain.select(["d", "a"]).order == ()


@pytest.mark.parametrize(
    ("order", "argument", "word"),
    [
        ([["a", "b"], ["b", "a"]], "order.0", "circle"),
        ([["a"]], "order.0", "two columns"),
        ([["a", "a"]], "order.0", "once"),
        ([["a", "e"]], "order.0.1", "not an attribute"),
        ([["a", "sex"]], "order.0.1", "categorical"),
        ([["a", "age"]], "order.0", "compared"),
        ([["a", "monthly"]], "order.0", "compared"),
        ([["late", "a"]], "order", "before the other"),
        ("ab", "order", "list"),
    ],
)
def test_orders_that_make_no_sense_are_refused(order: Any, argument: str, word: str):
    more = {"sex": ["f", "m"], "age": pets.Integer(0, 9), "late": pets.Date("2005-01-01", "2006-01-01")}
    more["monthly"] = pets.Date("1990-01-01", "2001-12-31", resolution="month")
    with pytest.raises(InvalidArgument, match=word) as caught:
        pets.Domain({**DATED, **more}, order=order)
    assert caught.value.argument == argument


def test_day_numbers_are_those_of_numpy():
    day = np.datetime64("2004-03-15")
    assert step_of(dt.date(2004, 3, 15), "day") == int(day.astype(int))
