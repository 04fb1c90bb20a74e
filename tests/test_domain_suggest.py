"""`Domain.suggest`: what it proposes, and that it stays confidential until a person declares it."""

from __future__ import annotations

import datetime as dt
import re
import tomllib
import warnings
from decimal import Decimal
from fractions import Fraction

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pets.domain import Categorical, Date, Domain, DomainSuggestion, Integer, Numeric, UndeclaredDomainWarning
from pets.domain.suggest import nice_bounds, nice_step
from pets.errors import ConfigError, DataError, InvalidArgument
from pets.privacy_unit import PrivacyUnit

ROWS = 120


def rows() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "patient_id": [f"P{i:05}" for i in range(ROWS)],
            "age": [i % 18 + 1 for i in range(ROWS)],
            "year": [1993 + i % 27 for i in range(ROWS)],
            "sex": [("female", "male", None)[i % 3] for i in range(ROWS)],
            "band": [("0-4", "5-9", "10-14")[i % 3] for i in range(ROWS)],
            "dose": [(i % 47) / 10 for i in range(ROWS)],
            "weight": [3.217 + i * 0.731 for i in range(ROWS)],
            "stage": [(1.0, 2.0, 3.0, None)[i % 4] for i in range(ROWS)],
            "alive": [i % 2 == 0 for i in range(ROWS)],
            "comment": [f"free text {i}" for i in range(ROWS)],
            "seen": [dt.date(2003, 5, 2) + dt.timedelta(days=30 * i) for i in range(ROWS)],
            "at": [dt.time(12, 30)] * ROWS,
        }
    )


def suggest(frame: object, **options) -> DomainSuggestion:
    with pytest.warns(UndeclaredDomainWarning, match="CONFIDENTIAL"):
        return Domain.suggest(frame, **options)


EXPECTED = Domain(
    age=Integer(0, 20),
    year=Integer(1990, 2020),
    sex=["female", "male"],
    band=["0-4", "5-9", "10-14"],
    dose=Numeric(0, 5, resolution="0.1"),
    weight=Numeric(0, 100, resolution="0.001"),
    stage=Integer(1, 3),
    alive=[False, True],
    seen=Date("2000-01-01", "2014-12-31"),
    unit=PrivacyUnit(id="patient_id"),
    declared_by="A. Steward",
)


@pytest.mark.parametrize("engine", ["polars", "lazy", "pandas", "arrow", "duckdb"])
def test_proposals_are_the_same_from_every_engine(engine):
    frame = rows()
    native = {
        "polars": lambda: frame,
        "lazy": frame.lazy,
        "pandas": frame.to_pandas,
        "arrow": frame.to_arrow,
        "duckdb": lambda: duckdb.from_arrow(frame.to_arrow()),
    }[engine]()
    found = suggest(native)
    assert found.declare_public("A. Steward") == EXPECTED
    assert set(found.left_out) == {"comment", "at"}


def test_it_is_no_domain_and_cannot_be_loaded_before_it_is_declared():
    found = suggest(rows())
    assert not isinstance(found, Domain)
    text = found.to_toml()
    assert text.startswith("# ###")
    assert "CONFIDENTIAL" in text
    with pytest.raises(ConfigError) as caught:
        Domain.from_toml(text)
    assert caught.value.argument == "declared_by"
    declared = text.replace('declared_by = ""', 'declared_by = "A. Steward"')
    assert Domain.from_toml(declared) == found.declare_public("A. Steward") == EXPECTED


@pytest.mark.parametrize("by", ["", "  ", None, 3, "a\n", "\ud800"])
def test_a_declaration_needs_a_name(by):
    with pytest.raises(InvalidArgument):
        suggest(rows()).declare_public(by)


def test_every_attribute_has_a_comment_and_every_column_a_place():
    text = suggest(rows()).to_toml()
    for name in EXPECTED:
        assert re.search(rf"^# .+\n\[attributes\.{name}\]$", text, re.MULTILINE)
    assert "# Left out: 'comment': has more than 50 different texts" in text
    assert "# Left out: 'at': is a time" in text
    assert "invalid = 'category'" in text  # advice, since sex has missing values


def test_no_counts_and_no_identifiers():
    """Doubling the rows, or exchanging the identifiers, changes nothing in the text."""
    frame = rows()
    text = suggest(frame).to_toml()
    other = pl.concat([frame, frame]).with_columns(patient_id=pl.lit("Q") + pl.int_range(pl.len()).cast(pl.String))
    assert suggest(other).to_toml() == text
    assert str(ROWS) not in text
    assert "P0" not in text


def test_repr_warns_and_shows_no_value():
    frame = pl.DataFrame({"<b>": ["Zebrasarcoma"], "age": [97]})
    for shown in (repr(suggest(frame)), suggest(frame)._repr_html_()):
        assert "CONFIDENTIAL" in shown
        assert "Zebra" not in shown
        assert "97" not in shown
    assert "<b>" not in suggest(frame)._repr_html_()


def test_identifiers():
    frame = pl.DataFrame({"record_no": [1, 2], "PatientID": [7, 7], "mrn": [5, 6], "id": ["a", "b"], "grade": [1, 2]})
    found = suggest(frame)
    domain = found.declare_public("me")
    assert domain.unit == PrivacyUnit(id="PatientID")
    assert domain.names == ("grade",)
    assert set(found.left_out) == {"record_no", "mrn", "id"}
    assert suggest(frame, id="mrn").declare_public("me").unit.id == "mrn"
    assert suggest(frame.select("grade")).declare_public("me").unit == PrivacyUnit()
    for bad in ("mnr", 3, ["mrn"]):
        with pytest.raises(InvalidArgument) as caught:
            Domain.suggest(frame, id=bad)
        assert caught.value.argument == "id"


def test_max_categories():
    frame = pl.DataFrame({"a": ["x", "y", "z"]})
    assert suggest(frame, max_categories=3).declare_public("me")["a"] == Categorical(["x", "y", "z"])
    assert set(suggest(frame, max_categories=2).left_out) == {"a"}
    for bad in (0, -1, True, 1.5, "3", None, 10**9):
        with pytest.raises(InvalidArgument) as caught:
            Domain.suggest(frame, max_categories=bad)
        assert caught.value.argument == "max_categories"


def test_columns_that_cannot_be_attributes():
    frame = pd.DataFrame(
        {
            "mixed": [1, "a", None],
            "nothing": [None, None, None],
            "nan": [np.nan] * 3,
            "infinite": [np.inf] * 3,
            "blank": ["", "a\n", None],
            "huge": [2**60] * 3,
            "far": [1e-3, 1e300, 0.0],
            "a\nb": ["x"] * 3,
            "e\u0301": ["x"] * 3,
            "\u00e9": ["x"] * 3,
            "when": pd.to_datetime(["2020-01-01"] * 3),
            "long": pd.to_timedelta([1] * 3),
        }
    )
    found = suggest(frame)
    assert found.declare_public("me").names == ("e\u0301", "when")
    assert set(found.left_out) == set(frame.columns) - {"e\u0301", "when"}
    tomllib.loads(found.to_toml())


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (["2004-03-15", "2011-12-01", None, "1999-01-31"], Date("1995-01-01", "2014-12-31")),
        (["2004-03-15 10:30:00", "2004-03-16"], Date("2004-01-01", "2004-12-31")),
        (["2004-03", "2004-04"], Date("2004-01-01", "2004-12-31", resolution="month")),
        (["2004-Q1", "2004-Q4", "2005-02"], Date("2004-01-01", "2005-12-31", resolution="quarter")),
        ([f"19{i:02}-05-05" for i in range(60)] + ["unknown"], Date("1900-01-01", "1959-12-31")),
        (["2004-02-30", "2004-13-01"], Categorical(["2004-02-30", "2004-13-01"])),
        (["2004", "5-9"], Categorical(["5-9", "2004"])),
    ],
)
def test_texts_that_are_dates(values, expected):
    """As CSV files hold them; bounds are whole years beyond those of the rows."""
    found = suggest(pl.DataFrame({"seen": values}))
    assert found.declare_public("me")["seen"] == expected
    assert ("no dates, and are dropped" in found.to_toml()) == ("unknown" in values)
    assert ("Bounds were rounded outward" in found.to_toml()) == isinstance(expected, Date)
    assert "2004-03-15" not in found.to_toml() and "1999-01-31" not in found.to_toml()


def test_a_column_of_dates_without_any_is_left_out():
    frame = pl.DataFrame({"seen": pl.Series([None], dtype=pl.Date), "at": pl.Series([None], dtype=pl.Datetime)})
    assert set(suggest(frame).left_out) == {"seen", "at"}
    frame = pl.DataFrame({"at": pl.Series([dt.date(9999, 1, 1), dt.date(1, 1, 1)]).cast(pl.Datetime)})
    date = suggest(frame).declare_public("me")["at"]
    assert isinstance(date, Date) and (date.lower, date.upper) == (dt.date(1, 1, 1), dt.date(9999, 12, 31))


def test_labels_that_cannot_be_categories():
    frame = pl.DataFrame({"a": ["x", "", "y" * 300, "\u00e9", "e\u0301", "tab\t"]})
    found = suggest(frame)
    assert len(found.declare_public("me")["a"].key_labels) == 2
    assert "Some values cannot be categories" in found.to_toml()


def test_declared_types():
    frame = pl.DataFrame(
        {
            "grade": pl.Series(["low"], dtype=pl.Enum(["low", "high", "mid"])),
            "site": pl.Series(["b"], dtype=pl.Categorical),
            "cost": pl.Series([Decimal("1.25")]),
            "small": pl.Series([7], dtype=pl.UInt8),
        }
    )
    domain = suggest(frame).declare_public("me")
    assert domain["grade"] == Categorical(["low", "high", "mid"])
    assert domain["site"] == Categorical(["b"])
    assert domain["small"].lower <= 7 <= domain["small"].upper
    assert domain["cost"].resolution == Fraction(1, 100)


@pytest.mark.parametrize("frame", [None, 3, "rows.csv", [1], {"a": [1]}, pd.Series([1]), object()])
def test_no_data_frame(frame):
    with pytest.raises(InvalidArgument) as caught:
        Domain.suggest(frame)
    assert caught.value.argument == "frame"


def test_bad_column_names():
    for frame in (pd.DataFrame({1: ["a"]}), pd.DataFrame([[1, 2]], columns=["a", "a"])):
        with pytest.raises(InvalidArgument) as caught:
            Domain.suggest(frame)
        assert caught.value.argument == "frame"


def test_an_engine_error_quotes_no_row():
    broken = duckdb.sql("select cast(x as integer) as age from (values ('Anna Smith')) t(x)")
    with pytest.raises(DataError) as caught:
        Domain.suggest(broken)
    assert caught.value.column == "age"
    assert caught.value.__suppress_context__
    assert "Anna" not in str(caught.value)


def test_empty_frame():
    found = suggest(pl.DataFrame(schema={"age": pl.Int64, "sex": pl.String, "dose": pl.Float64}))
    assert found.declare_public("me").names == ()
    assert set(found.left_out) == {"age", "sex", "dose"}


numbers = st.fractions(min_value=-(10**9), max_value=10**9, max_denominator=1000)


@given(numbers, numbers)
def test_nice_bounds_are_outward_and_round(a, b):
    low, high = min(a, b), max(a, b)
    lower, upper = nice_bounds(low, high)
    assert lower <= low <= high <= upper
    assert upper - lower <= 2 * (high - low) or high == low
    step = nice_step((high - low or abs(low) or Fraction(1)) / 5)
    assert (lower / step).denominator == (upper / step).denominator == 1
    while step < 1:
        step *= 10
    assert str(step.numerator).rstrip("0") in ("1", "2", "5")


@pytest.mark.parametrize(
    ("least", "step"),
    [("1", 1), ("1.01", 2), ("2", 2), ("4", 5), ("5.1", 10), ("0.03", "0.05"), ("1000", 1000), ("0.001", "0.001")],
)
def test_nice_step(least, step):
    assert nice_step(Fraction(least)) == Fraction(step)


frames = st.fixed_dictionaries(
    {
        "i": st.lists(st.none() | st.integers(-(2**63), 2**63 - 1), min_size=4, max_size=4),
        "f": st.lists(st.none() | st.floats(), min_size=4, max_size=4),
        "t": st.lists(
            st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=4), min_size=4, max_size=4
        ),
    }
)


@settings(max_examples=30)
@given(frames)
@example({"i": [None] * 4, "f": [None, None, None, 2.1e-27], "t": [None] * 4})
@example({"i": [2**53, 0, 1, 2], "f": [1.7e308, -1.7e308, 5e-324, 0.0], "t": [None] * 4})
def test_proposals_hold_all_values_and_are_valid(data):
    frame = pl.DataFrame(data, schema={"i": pl.Int64, "f": pl.Float64, "t": pl.String})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndeclaredDomainWarning)
        found = Domain.suggest(frame)
    domain = found.declare_public("me")
    assert {*domain.names, *found.left_out} == {"i", "f", "t"}
    assert Domain.from_toml(found.to_toml().replace('declared_by = ""', 'declared_by = "me"')) == domain
    for name in domain.names:
        attribute = domain[name]
        if not isinstance(attribute, Categorical):
            finite = [Fraction(x) for x in data[name] if x is not None and abs(x) < float("inf")]
            assert all(attribute.lower <= x <= attribute.upper for x in finite)
