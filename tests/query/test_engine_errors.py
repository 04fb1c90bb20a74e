"""What bad frames get: a typed error that names the column and nothing that was read from a row."""

from __future__ import annotations

import traceback
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from pets.domain import Categorical, Domain, Integer, Numeric
from pets.errors import DataError, InvalidArgument, RangeOverflow
from pets.privacy_unit import PrivacyUnit
from pets.query import BoundQuery, Count, Histogram, Mean, Query, Sum, Variance

SECRET = "Jane Doe"
SECRET_NUMBER = 123457


def engines(frame: pl.DataFrame) -> list[Any]:
    return [frame, frame.lazy(), frame.to_pandas(), frame.to_arrow(), duckdb.from_arrow(frame.to_arrow())]


def text_of(error: BaseException) -> str:
    """Everything that a log would show, the chained causes included."""
    return "".join(traceback.format_exception(error))


class TestPolicyError:
    DOMAIN = Domain(
        sex=Categorical(["F", "M"], invalid="error"),
        age=Integer(0, 19, invalid="error"),
        dose=Numeric(0, 10, resolution=1, bins=[0, 5, 10], invalid="error"),
        days=Integer(0, 9999, bins=[0, 365, 9999], invalid="error"),
    )
    VALID = pl.DataFrame({"sex": ["F", "M"], "age": [0, 19], "dose": [0.0, 10.0], "days": [0.0, 9999.0]})

    @pytest.mark.parametrize(
        ("column", "value", "problem"),
        [
            ("sex", SECRET, "a value is not declared"),
            ("sex", None, "a value is missing"),
            ("age", SECRET_NUMBER, "a value is out of range"),
            ("age", None, "a value is missing"),
            ("dose", float(SECRET_NUMBER), "a value is out of range"),
            ("dose", float("-inf"), "a value is out of range"),
            ("dose", float("nan"), "a value is missing"),
            ("days", SECRET_NUMBER + 0.5, "a value is out of range"),
            ("days", 1.5, "a value is not declared"),
        ],
    )
    def test_names_the_column_and_the_kind_only(self, column: str, value: Any, problem: str) -> None:
        queries: list[Query] = [Count(["sex", column] if column != "sex" else ["sex"])]
        if column != "sex":
            queries.append(Mean(column))
        said = set()
        for times in (1, 3):
            bad = self.VALID.with_columns(pl.lit(value, dtype=self.VALID[column].dtype).alias(column))
            for frame in engines(pl.concat([self.VALID, *[bad] * times])):
                for query in queries:
                    with pytest.raises(DataError) as caught:
                        query.tally(frame, self.DOMAIN)
                    assert (caught.value.column, caught.value.problem) == (column, problem)
                    assert SECRET not in text_of(caught.value)
                    assert str(SECRET_NUMBER) not in text_of(caught.value)
                    said.add(str(caught.value))
        assert len(said) == 1  # how many rows, in which engine: the message does not depend on it

    def test_valid_rows_pass(self) -> None:
        for frame in engines(self.VALID):
            assert Count(["sex", "dose"]).tally(frame, self.DOMAIN).values.tolist() == [1, 0, 0, 1]

    def test_a_column_that_is_not_asked_about_may_hold_anything(self) -> None:
        frame = self.VALID.with_columns(age=pl.lit(99))
        assert Count("sex").tally(frame, self.DOMAIN).values.tolist() == [1, 1]


class TestColumns:
    DOMAIN = Domain(diagnosis=["a"], age=Integer(0, 9), unit=PrivacyUnit("patient_id"))
    FRAME = pl.DataFrame({"diagnosis": ["a"], "age": [1], "patient_id": [1]})

    @pytest.mark.parametrize("column", ["diagnosis", "patient_id"])
    def test_missing(self, column: str) -> None:
        for frame in engines(self.FRAME.rename({column: column[:-1].capitalize()})):
            with pytest.raises(DataError, match="missing") as caught:
                Count("diagnosis").tally(frame, self.DOMAIN)
            assert caught.value.column == column
            assert "Did you mean" in caught.value.remedy

    def test_no_columns_at_all(self) -> None:
        with pytest.raises(DataError):
            Count("diagnosis").tally(pl.DataFrame(), self.DOMAIN)

    @pytest.mark.parametrize("column", ["diagnosis", "age", "patient_id"])
    @pytest.mark.parametrize("value", [["a"], {"f": 1}], ids=["list", "struct"])
    def test_nested(self, column: str, value: Any) -> None:
        frame = self.FRAME.with_columns(pl.Series(column, [value]))
        made = [frame, frame.lazy(), frame.to_arrow(), duckdb.from_arrow(frame.to_arrow())]
        made.append(self.FRAME.to_pandas().assign(**{column: pd.Series([value], dtype=object)}))
        for table in made:
            with pytest.raises(DataError) as caught:
                Mean("age", by="diagnosis").tally(table, self.DOMAIN)
            assert caught.value.column in (column, "diagnosis")

    @pytest.mark.parametrize("value", [SECRET, SECRET_NUMBER, True, 1.5, b"bytes"])
    def test_values_of_another_type_follow_the_policy(self, value: Any) -> None:
        """No refusal depends on values: what is not declared is dropped and counted, whatever its type."""
        frame = self.FRAME.with_columns(diagnosis=pl.lit(value))
        for made in engines(frame):
            assert Count("diagnosis").tally(made, self.DOMAIN).values[-1] == len(frame)

    def test_dates_and_texts_are_no_numbers(self) -> None:
        for column in (pl.datetime(2020, 1, 1), pl.lit(SECRET)):
            frame = self.FRAME.with_columns(column.alias("age"))
            for made in engines(frame):
                assert Count("age").tally(made, self.DOMAIN).values[-1] == len(frame)

    def test_a_mixed_column_follows_the_policy(self) -> None:
        frame = pd.DataFrame({"age": pd.Series(["unknown", 3, 4, None], dtype=object)})
        assert Mean("age").tally(frame, Domain(age=Integer(0, 9))).values.tolist() == [2, 2, 7]
        frame = pd.DataFrame({"site": pd.Series([7, "a", "a"], dtype=object)})
        assert Count("site").tally(frame, Domain(site=["a"])).values.tolist() == [2, 1]

    def test_units_beyond_the_bound_are_not_judged_by_themselves(self) -> None:
        # The unit that owns too many rows holds no declared text, the column as a whole does.
        frame = pd.DataFrame({"site": pd.Series([7, 8, "a"], dtype=object), "id": [1, 1, 2]})
        assert Count("site").tally(frame, Domain(site=["a"], unit=PrivacyUnit("id"))).values.tolist() == [1, 1]


def test_more_rows_than_any_site_may_have(monkeypatch: pytest.MonkeyPatch) -> None:
    domain = Domain(a=["x"])
    monkeypatch.setattr("pets.query.base.MAX_ROWS", 3)
    for frame in engines(pl.DataFrame({"a": ["x", "y", "x", None]})):
        with pytest.raises(RangeOverflow):
            Count("a").tally(frame, domain)
    assert Count("a").tally(pl.DataFrame({"a": ["x", "y", "x"]}), domain).values.tolist() == [2, 1]


class TestFrames:
    DOMAIN = Domain(a=[1, 2])

    @pytest.mark.parametrize("frame", [None, 3, "a", [1], {"a": [1]}, np.ones((2, 2)), pl.Series("a", [1]), object])
    def test_no_frame(self, frame: Any) -> None:
        with pytest.raises(InvalidArgument) as caught:
            Count("a").tally(frame, self.DOMAIN)
        assert caught.value.argument == "frame"

    def test_repeated_names(self) -> None:
        table = pa.table([pa.array([1]), pa.array([2])], names=["a", "a"])
        for frame in (table, pd.DataFrame([[1, 2]], columns=["a", "a"])):
            with pytest.raises(InvalidArgument) as caught:
                Count("a").tally(frame, self.DOMAIN)
            assert caught.value.argument == "frame"

    def test_names_that_are_no_texts(self) -> None:
        frame = pd.DataFrame({1: [1], ("a", "b"): [2], "a": [1]})
        assert Count("a").tally(frame, self.DOMAIN).values.tolist() == [1, 0, 0]

    def test_a_failing_engine_does_not_quote_the_rows(self) -> None:
        source = pl.DataFrame({"a": ["1", SECRET]})
        lazy = source.lazy().select(pl.col("a").cast(pl.Int64))
        relation = duckdb.from_arrow(source.to_arrow()).select("a::int as a")
        for frame in (lazy, relation):
            with pytest.raises(DataError) as caught:
                Count("a").tally(frame, self.DOMAIN)
            assert caught.value.column == "a"
            assert SECRET not in text_of(caught.value)

    def test_a_frame_that_cannot_be_read(self, tmp_path: Path) -> None:
        file = tmp_path / "rows.parquet"
        pl.DataFrame({"a": [1]}).write_parquet(file)
        lazy = pl.scan_parquet(file)
        lazy.collect_schema()
        file.unlink()
        with pytest.raises(InvalidArgument) as caught:
            Count("a").tally(lazy, self.DOMAIN)
        assert caught.value.argument == "frame"

    def test_a_failing_schema(self) -> None:
        with pytest.raises(InvalidArgument) as caught:
            Count("a").tally(pl.DataFrame({"b": [1]}).lazy().select(pl.col("a")), self.DOMAIN)
        assert caught.value.argument == "frame"


class TestCapacity:
    """Sums stay within 64 bits, whatever the engine does on overflow."""

    @pytest.mark.parametrize("query", [Sum("x"), Mean("x")])
    def test_bounds_that_could_overflow_are_refused_whatever_the_rows(self, query: Query) -> None:
        with pytest.raises(RangeOverflow):
            query.tally(pl.DataFrame({"x": [1.0]}), Domain(x=Numeric(0, 2**52, resolution=1)))

    def test_the_widest_bounds_are_summed_exactly(self) -> None:
        frame = pl.DataFrame({"x": [-(2**15), 2**15, 5]})
        for made in engines(frame):
            values = Variance("x").tally(made, Domain(x=Integer(-(2**15), 2**15))).values
            assert values.tolist() == [3, 0, 5, 2 * 2**30 + 25]

    def test_a_square_that_does_not_fit_is_refused_for_any_rows(self) -> None:
        domain = Domain(x=Integer(0, 2**52))
        for frame in engines(pl.DataFrame({"x": [2**52]})):
            with pytest.raises(RangeOverflow):
                Variance("x").tally(frame, domain)

    def test_histograms_have_room(self) -> None:
        domain = Domain(x=Numeric(0, 2**52, resolution=1, bins=[0, 1, 2**52]))
        assert Histogram("x").tally(pl.DataFrame({"x": [1.0] * 2000}), domain).values.tolist() == [0, 2000, 0]


@pytest.mark.parametrize("tally", [3, None, "tally", np.zeros(3)])
def test_what_is_no_tally_is_refused(tally: Any) -> None:
    with pytest.raises(InvalidArgument, match="must be a Tally"):
        Count().bind(Domain(a=["x"])).check(tally)


def test_only_a_query_can_be_bound_and_only_to_a_domain() -> None:
    with pytest.raises(InvalidArgument, match="must be a query"):
        BoundQuery("q", Domain(a=["x"]))  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="must be a Domain"):
        Count().bind({"a": ["x"]})  # type: ignore[arg-type]
