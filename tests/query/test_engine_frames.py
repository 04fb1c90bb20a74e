"""Types, names and shapes of frames that people bring."""

from __future__ import annotations

import datetime as dt
import itertools
from decimal import Decimal
from fractions import Fraction
from typing import Any

import dask.dataframe as dd
import duckdb
import narwhals as nw
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pets.domain import Categorical, Domain, Integer, Numeric
from pets.privacy_unit import PrivacyUnit
from pets.query import Count, Histogram, Marginals, Mean, Sum
from pets.query.engine.passes import MAX_GROUPS, passes_over
from pets.query.engine.site import open_site

DOMAIN = Domain(a=[1, 2, 3], b=["x", "y"], c=[False, True])
ROWS: dict[str, list[Any]] = {
    "a": [1, 2, 3, None, 5, 1],
    "b": ["x", "y", "z", None, "x", "x"],
    "c": [True, None, False, True, True, True],
}
POLARS = pl.DataFrame(ROWS)
PANDAS = pd.DataFrame(ROWS)
OBJECTS = pd.DataFrame(
    {
        "a": pd.Series([np.int64(1), 2.0, Decimal(3), pd.NA, 5, True], dtype=object),
        "b": ROWS["b"],
        "c": pd.Series([np.bool_(True), float("nan"), 0, 1, 1.0, True], dtype=object),
    }
)

SAME_ROWS: dict[str, Any] = {
    "polars": POLARS,
    "polars categorical": POLARS.with_columns(pl.col("b").cast(pl.Categorical)),
    "polars enum": POLARS.with_columns(pl.col("b").cast(pl.Enum(["z", "y", "x"]))),
    "polars narrow": POLARS.with_columns(pl.col("a").cast(pl.UInt8), pl.col("c").cast(pl.Int8)),
    "polars wide": POLARS.with_columns(pl.col("a").cast(pl.UInt64), pl.col("c").cast(pl.Float64)),
    "polars decimal": POLARS.with_columns(pl.col("a").cast(pl.Decimal(10, 2)), pl.col("c").cast(pl.Float32)),
    "polars nan": POLARS.with_columns(pl.col("a").cast(pl.Float64).fill_null(float("nan"))),
    "pandas": PANDAS,
    "pandas objects": OBJECTS,
    "pandas categorical": PANDAS.astype("category"),
    "pandas ordered": PANDAS.assign(b=pd.Categorical(ROWS["b"], ["w", "z", "y", "x"], ordered=True)),
    "pandas nullable": PANDAS.convert_dtypes(),
    "pandas arrow": PANDAS.convert_dtypes(dtype_backend="pyarrow"),
    "pandas index": PANDAS.set_index(pd.Index([7, 7, 7, 1, 1, 1], name="a_index")),
    "pyarrow": pa.table(ROWS),
    "pyarrow dictionary": pa.table({k: pa.array(v).dictionary_encode() for k, v in ROWS.items()}),
    "pyarrow large": pa.table(ROWS).set_column(1, "b", pa.array(ROWS["b"], pa.large_string())),
    "pyarrow view": pa.table(ROWS).set_column(1, "b", pa.array(ROWS["b"], pa.string_view())),
    "narwhals": nw.from_native(POLARS),
    "narwhals lazy": nw.from_native(POLARS.lazy()),
}


@pytest.mark.parametrize("kind", SAME_ROWS)
def test_types_of_columns(kind: str) -> None:
    tally = Count(["a", "b", "c"]).tally(SAME_ROWS[kind], DOMAIN).values
    assert tally.tolist() == [0, 2] + [0] * 10 + [4]


@pytest.mark.parametrize(
    "cast", ["a::hugeint as a, b, c", "a::decimal(5,1) as a, b, c::tinyint as c", "a, b::t as b, c"]
)
def test_types_of_duckdb(cast: str) -> None:
    with duckdb.connect() as connection:
        connection.execute("create type t as enum ('z', 'y', 'x')")
        rows = POLARS.to_arrow()
        relation = connection.sql(f"select {cast} from rows")
        assert Count(["a", "b", "c"]).tally(relation, DOMAIN).values.tolist() == [0, 2] + [0] * 10 + [4]
        del rows


NUMBERS: list[Any] = [0, 1.5, None, 9.75, 10, -1, 11, 2]
NUMERIC = Domain(x=Numeric(0, 10, resolution="0.5", bins=[0, 2, 10]))
NUMBER_COLUMNS: dict[str, Any] = {
    "polars": pl.DataFrame({"x": NUMBERS}, schema={"x": pl.Float64}),
    "polars float32": pl.DataFrame({"x": NUMBERS}, schema={"x": pl.Float32}),
    "polars decimal": pl.DataFrame({"x": pl.Series(NUMBERS, dtype=pl.Float64).cast(pl.Decimal(10, 2))}),
    "pandas objects": pd.DataFrame({"x": pd.Series(["text", *NUMBERS[1:], 0], dtype=object)}),
    "pandas decimals": pd.DataFrame({"x": [None if x is None else Decimal(x) for x in NUMBERS]}, dtype=object),
    "pandas nan in nullable": pd.DataFrame({"x": pd.Series(NUMBERS, dtype="Float64") * 1}),
    "pyarrow half": pa.table({"x": pa.array([None if x is None else np.float16(x) for x in NUMBERS], pa.float16())}),
}


@pytest.mark.parametrize("kind", NUMBER_COLUMNS)
def test_types_of_numbers(kind: str) -> None:
    check_numbers(kind, NUMBER_COLUMNS[kind])


def test_types_of_numbers_in_duckdb() -> None:
    with duckdb.connect() as connection:
        values = "(0.0), (1.5), (null), (9.75), (10), (-1), (11), (2)"
        check_numbers("duckdb", connection.sql(f"select * from (values {values}) as t(x)"))


def check_numbers(kind: str, frame: Any) -> None:
    dropped = 4 if kind == "pandas objects" else 3  # it has a text more
    assert Histogram("x").tally(frame, NUMERIC).values.tolist() == [2, 3, dropped]
    assert Sum("x").tally(frame, NUMERIC).values.tolist() == [0 + 3 + 20 + 20 + 4, dropped]


def test_integers_beyond_floats_stay_out_of_range() -> None:
    domain = Domain(n=Integer(-(2**53) + 1, 2**53 - 1, bins=[-(2**53) + 1, 0, 2**53 - 1]), k=[1, 2])
    frame = pl.DataFrame({"n": [2**53 - 1, 2**53, 2**62, -(2**63), 2**53 + 1, -1], "k": [2**62] * 6})
    assert Histogram("n").tally(frame, domain).values.tolist() == [1, 1, 4]
    assert Count("k").tally(frame, domain).values.tolist() == [0, 0, 6]
    objects = pd.DataFrame({"n": pd.Series([2**70, -(2**70), 5], dtype=object)})
    assert Histogram("n").tally(objects, domain).values.tolist() == [0, 1, 2]


def test_rounding_to_the_grid_is_exact() -> None:
    almost_half = 0.49999999999999994  # adding a half to it gives 1.0 in floats
    values = [almost_half, 0.5, 1.5, 2.0**31 - 3, 2.0**31 - 1, -0.5, -0.75, -1.5, -(2.0**31) + 3]
    whole = [0, 1, 2, 2**31 - 3, 2**31 - 1, 0, -1, -1, -(2**31) + 3]
    for x, units in zip(values, whole, strict=True):
        domain = Domain(x=Numeric(0 if x > 0 else -(2**31) + 1, 2**31 - 1 if x > 0 else 0, resolution=1))
        for made in (pl.DataFrame({"x": [x]}), pa.table({"x": [x]}), pd.DataFrame({"x": pd.Series([x], dtype=object)})):
            assert Sum("x").tally(made, domain).values.tolist() == [units, 0], x


def test_no_row_exceeds_the_bounds_by_an_error_of_floats() -> None:
    for divisor in (3, 7, 11, 13, 49):
        units = 2**31 - 1 - (2**31 - 1) % divisor
        domain = Domain(x=Numeric(0, Fraction(units, divisor), resolution=Fraction(1, divisor), invalid="clamp"))
        for made in (pl.DataFrame({"x": [1e300]}), pd.DataFrame({"x": pd.Series([1e300], dtype=object)})):
            assert Sum("x").tally(made, domain).values[0] <= units


def test_bins_as_numpy_histogram() -> None:
    rng = np.random.default_rng(3)
    edges = [0.0, 0.1, 0.3, 1.25, 7.0, 10.0]
    values = np.concatenate([rng.uniform(0, 10, 2000), edges, np.nextafter(edges[1:], 0), np.nextafter(edges[:-1], 9)])
    domain = Domain(x=Numeric(0, 10, resolution="0.05", bins=edges))
    expected = np.histogram(values, bins=edges)[0]
    for frame in (pl.DataFrame({"x": values}), pd.DataFrame({"x": values}), pa.table({"x": values})):
        np.testing.assert_array_equal(Histogram("x").tally(frame, domain).values[:-1], expected)


def test_more_bins_than_an_engine_is_asked_to_compare() -> None:
    rng = np.random.default_rng(4)
    values = np.append(rng.uniform(-1, 301, 3000), [0.0, 300.0, np.nan, np.inf])
    domain = Domain(x=Numeric(0, 300, resolution=1, bins=range(301), invalid="clamp"))
    inside = np.clip(values[~np.isnan(values)], 0, 300)
    expected = [*np.histogram(inside, bins=range(301))[0], 1]
    for frame in (pl.DataFrame({"x": values}), pd.DataFrame({"x": values}), duckdb.from_arrow(pa.table({"x": values}))):
        assert Histogram("x").tally(frame, domain).values.tolist() == expected
    units = np.floor(inside + 0.5).astype(int)
    assert Mean("x", by="x").tally(pl.DataFrame({"x": values}), domain).values[301:].sum() == units.sum()


@pytest.mark.parametrize("kind", [pl.Int64, pl.Float64, pl.String])
def test_no_rows(kind: Any) -> None:
    unit = PrivacyUnit("id")
    domain = Domain(k=[1, 2] if kind != pl.String else ["1", "2"], x=Numeric(0, 1, resolution=1), unit=unit)
    empty = pl.DataFrame(schema={"k": kind, "x": pl.Float64, "id": kind})
    frames = [empty, empty.lazy(), empty.to_pandas(), empty.to_arrow(), duckdb.from_arrow(empty.to_arrow())]
    frames += [
        pd.DataFrame({"k": [], "x": [], "id": []}, dtype=object),
        dd.from_pandas(empty.to_pandas(), npartitions=1),
    ]
    for frame, query in itertools.product(frames, [Count(), Count("k"), Mean("x", by="k"), Sum("x")]):
        assert not query.tally(frame, domain).values.any()


@pytest.mark.parametrize("dtype", [pl.Null, pl.String, pl.Int64, pl.Float64, pl.Boolean, pl.Date])
def test_a_column_without_values_is_missing_whatever_its_type(dtype: Any) -> None:
    frame = pl.DataFrame({"a": [None] * 3, "b": [None] * 3, "x": [None] * 3}, schema=dict.fromkeys("abx", dtype))
    domain = Domain(a=[1], b=["x"], x=Numeric(0, 5, resolution=1, bins=[0, 5]))
    for made in (frame, frame.to_arrow(), frame.to_pandas()):
        assert Count(["a", "b"]).tally(made, domain).values.tolist() == [0, 3]
        assert Mean("x").tally(made, domain).values.tolist() == [0, 3, 0]
        assert Histogram("x").tally(made, domain).values.tolist() == [0, 3]


@given(
    st.lists(
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1),
        min_size=3,
        max_size=6,
        unique_by=str.casefold,
    )
)
@settings(max_examples=50)
def test_any_name_of_a_column(names: list[str]) -> None:
    frame = pl.DataFrame({name: [1, 1, 2, i] for i, name in enumerate(names)})
    key, number, identity = names[:3]
    domain = Domain({"key": [1, 2], "number": Integer(0, 9)}, unit=PrivacyUnit("id", max_rows=9))
    plain = frame.rename({key: "key", number: "number", identity: "id"})
    expected = Mean("number", by="key").tally(plain.select("key", "number", "id"), domain).values
    try:
        wild = Domain({key: [1, 2], number: Integer(0, 9)}, unit=PrivacyUnit(identity, max_rows=9))
    except ValueError:  # a domain refuses control characters
        return
    with duckdb.connect() as connection:
        for made in (frame, frame.lazy(), frame.to_pandas(), frame.to_arrow(), connection.from_arrow(frame.to_arrow())):
            np.testing.assert_array_equal(Mean(number, by=key).tally(made, wild).values, expected)


@pytest.mark.parametrize(
    "name", ["*", "^.*$", "k0", "v0", "s0", "unit", "rows", "a.b", 'a"b', "a`b", "select", "", " "]
)
def test_names_that_engines_could_misread(name: str) -> None:
    columns = {"z": ["p"] * 3, name or "empty": ["x", "y", "x"], "k1": [1, 2, 3]}
    domain = Domain({name or "empty": ["x", "y"]})
    frame = pl.DataFrame(columns)
    for made in (frame, frame.lazy(), frame.to_pandas(), frame.to_arrow(), duckdb.from_arrow(frame.to_arrow())):
        assert Count(name or "empty").tally(made, domain).values.tolist() == [2, 1, 0]


def test_a_star_beside_a_quote() -> None:
    table = pl.DataFrame({'a"b': ["p", "p"], "*": ["x", "y"], "**": [1, 2]}).to_arrow()
    with duckdb.connect() as connection:
        domain = Domain({"*": ["x", "y"], 'a"b': ["p"]})
        assert Count(["*", 'a"b']).tally(connection.from_arrow(table), domain).values.tolist() == [1, 1, 0]


def test_frames_are_not_modified() -> None:
    frame = PANDAS.assign(id=[1.0, None, 1, 1, 2, 2], x=[0.5, None, 3, 99, 1, 1])
    before, table = frame.copy(deep=True), pl.from_pandas(frame)
    domain = Domain({"a": [1, 2], "x": Numeric(0, 9, resolution=1)}, unit=PrivacyUnit("id"))
    Mean("x", by="a").tally(frame, domain)
    pd.testing.assert_frame_equal(frame, before)
    kept = table.clone()
    Mean("x", by="a").tally(table, domain)
    assert table.equals(kept, null_equal=True)


IDENTITIES: dict[str, list[Any]] = {
    "text": ["p", "p", None, "q", None],
    "int": [7, 7, None, -8, None],
    "float": [0.5, 0.5, float("nan"), 1.5, None],
    "date": [dt.date(2020, 1, 1)] * 2 + [None, dt.date(2021, 1, 1), None],
    "bool": [True, True, None, False, None],
    "bytes": [b"p", b"p", None, b"q", None],
    "decimal": [Decimal("1.5"), Decimal("1.5"), None, Decimal(2), None],
}


@pytest.mark.parametrize("kind", IDENTITIES)
def test_types_of_ids(kind: str) -> None:
    domain = Domain(k=["x", "y"], unit=PrivacyUnit("id"))
    frame = pl.DataFrame({"id": IDENTITIES[kind], "k": ["x", "x", "y", "y", "y"]}, strict=False)
    frames = [frame, frame.lazy(), frame.to_pandas(), frame.to_arrow(), duckdb.from_arrow(frame.to_arrow())]
    frames.append(pd.DataFrame({"id": pd.Series(IDENTITIES[kind], dtype=object), "k": frame["k"].to_list()}))
    for made in frames:
        # One row of p, one of q, and one of all who have no id.
        assert Count("k").tally(made, domain).values.tolist() == [1, 2, 0]


@pytest.mark.parametrize("kind", IDENTITIES)
def test_engines_keep_the_same_rows_of_ids_of_each_type(kind: str) -> None:
    """Each unit of twenty owns a row of a and one of b; the lot must not see how an engine spells its id."""
    ids: dict[str, list[Any]] = {
        "text": [f"p{i}" for i in range(20)],
        "int": list(range(20)),
        "float": [i / 2 for i in range(20)],
        "date": [dt.date(2020, 1, i) for i in range(1, 21)],
        "bool": [True, False],
        "bytes": [b"p%d" % i for i in range(20)],
        "decimal": [Decimal(i) / 4 for i in range(20)],
    }
    frame = pl.DataFrame({"id": ids[kind] * 2, "k": ["a"] * len(ids[kind]) + ["b"] * len(ids[kind])})
    frames = [frame.lazy(), frame.to_pandas(), frame.to_arrow(), duckdb.from_arrow(frame.to_arrow())]
    frames.append(pd.DataFrame({"id": pd.Series(ids[kind] * 2, dtype=object), "k": frame["k"].to_list()}))
    if kind != "bytes":  # of which Dask makes texts
        frames.append(dd.from_pandas(frame.to_pandas(), npartitions=3))
    for others in ([f"{i}" for i in range(4)], [f"other {i}" for i in range(4)]):  # twenty coins for each question
        domain = Domain(k=["a", "b", *others], unit=PrivacyUnit("id"))
        expected = Count("k").tally(frame, domain).values.tolist()
        assert sum(expected) == len(ids[kind])
        for made in frames:
            assert Count("k").tally(made, domain).values.tolist() == expected


def test_ids_that_floats_cannot_tell_apart() -> None:
    frame = pl.DataFrame({"id": [2**60, 2**60 + 1, 2**60 + 1], "k": ["x"] * 3})
    domain = Domain(k=["x"], unit=PrivacyUnit("id"))
    for made in (frame, frame.to_pandas(), frame.to_arrow(), duckdb.from_arrow(frame.to_arrow())):
        assert Count("k").tally(made, domain).values.tolist() == [2, 0]


def test_kinds_of_missing_ids_are_one_unit() -> None:
    missing = [None, float("nan"), pd.NA, pd.NaT, np.datetime64("NaT")]
    frame = pd.DataFrame({"id": pd.Series([*missing, "p"], dtype=object), "k": ["x"] * 6})
    domain = Domain(k=["x"], unit=PrivacyUnit("id", max_rows=2))
    assert Count("k").tally(frame, domain).values.tolist() == [3, 0]


def test_passes_cover_all_blocks_with_few_groups_each() -> None:
    names = [f"c{i}" for i in range(20)]
    pairs = list(itertools.combinations(names, 2))
    bound = Marginals([[], *pairs, names[:7]]).bind(Domain({name: list(range(9)) for name in names}))
    site = open_site(pl.DataFrame({name: [1] for name in names}).lazy(), bound)
    found = passes_over(bound.blocks, site)
    assert sorted(itertools.chain(*found)) == list(range(len(bound.blocks)))
    assert len(found) < len(pairs) / 3
    for members in found:
        read = {axis.name for i in members for axis in bound.blocks[i].axes}
        assert 10 ** len(read) <= MAX_GROUPS or len(members) == 1 or read == set(names[:7])


@pytest.mark.parametrize("limit", [2**20, 500, 1])
@pytest.mark.parametrize("unit", [PrivacyUnit(), PrivacyUnit("id", max_rows=2)], ids=str)
def test_several_passes(limit: int, unit: PrivacyUnit, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(6)
    names = [f"c{i}" for i in range(12)]
    frame = pl.DataFrame({name: rng.integers(0, 6, 2000).astype(str) for name in names})
    frame = frame.with_columns(id=rng.integers(0, 700, 2000))
    attributes = {name: Categorical(list("01234"), invalid="category") for name in names}
    bound = Marginals(list(itertools.combinations(names, 2))).bind(Domain(attributes, unit=unit))
    once = bound.tally(frame)  # few rows in memory: a single pass
    monkeypatch.setattr("pets.query.engine.passes.MAX_GROUPS", limit)
    assert bound.tally(frame.lazy()) == once
    assert bound.tally(frame) == once
    if unit.id is None:
        table = once.values[:36].reshape(6, 6)
        for c0, c1, rows in frame.group_by("c0", "c1").len().iter_rows():
            assert table[int(c0), int(c1)] == rows


NUL_KINDS: dict[str, Any] = {
    "objects": lambda rows: pd.DataFrame(rows, dtype=object),
    "python texts": lambda rows: pd.DataFrame(rows).astype(pd.StringDtype("python")),
    "arrow texts": lambda rows: pd.DataFrame(rows).astype(pd.StringDtype("pyarrow")),
    "dask": lambda rows: dd.from_pandas(pd.DataFrame(rows, dtype=object), npartitions=2),
    "polars": pl.DataFrame,
    "pyarrow": pa.table,
}


@pytest.mark.parametrize("kind", NUL_KINDS)
def test_a_text_with_a_nul_moves_no_other_row(kind: str) -> None:
    """pandas compares texts up to the first NUL: one row made all others undeclared, if it came first."""
    bound = Count(by=["b"]).bind(Domain(b=["x", "y"]))
    values = ["x\0z", *["x"] * 20, "y\0", "y"]
    frame = NUL_KINDS[kind]({"b": values})
    assert bound.tally(frame).values.tolist() == [20, 1, 2]
    if isinstance(frame, pd.DataFrame):
        assert frame["b"].tolist() == values


@pytest.mark.parametrize("kind", NUL_KINDS)
def test_ids_that_agree_up_to_a_nul_are_bounded_each(kind: str) -> None:
    """Five patients were taken for one, whose rows beyond the bound were found by the id of the first only."""
    bound = Count(by=["b"]).bind(Domain(b=["x", "y"], unit=PrivacyUnit(id="id", max_rows=2)))
    ids = [f"p\0{i}" for i in range(5) for _ in range(30)]
    assert bound.tally(NUL_KINDS[kind]({"id": ids, "b": ["x"] * 150})).values.tolist() == [10, 0, 0]


def test_a_collation_moves_no_other_row() -> None:
    """One row with F made the hundred with f undeclared, and each patient's rows went by whoever came first."""
    connection = duckdb.connect()
    connection.execute("CREATE TABLE t(id VARCHAR COLLATE nocase, b VARCHAR COLLATE nocase)")
    connection.execute("INSERT INTO t VALUES ('P1', 'X')")
    connection.execute("INSERT INTO t SELECT 'p' || i % 50, 'x' FROM range(100) rows(i)")
    table = connection.table("t")
    domain = Domain(b=["x", "y"])
    assert Count(by=["b"]).bind(domain).tally(table).values.tolist() == [100, 0, 1]
    domain = Domain(b=["x", "y"], unit=PrivacyUnit(id="id"))
    assert Count(by=["b"]).bind(domain).tally(table).values.tolist() == [50, 0, 1]
