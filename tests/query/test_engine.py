"""Every engine gives the tally that the slow reference gives."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import duckdb
import numpy as np
import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from pets.domain import Categorical, Domain, Integer, Numeric
from pets.errors import DataError, InvalidArgument
from pets.privacy_unit import PrivacyUnit
from pets.query import BoundQuery, Count, EventTable, Histogram, Marginals, Mean, Query, Sum, Variance

# A decomposed and a composed accent, a quote, a name that SQL or a regex would read otherwise, a right-to-left text.
TEXTS = ["é", "e\u0301", "it's", 'a "b"', "*", "^.*$", "NULL", " ", "שלום", "🎗", "k0"]
NAMES = {"text": '^s.e x" --$', "flag": "k0", "age": "unit", "dose": "rows", "days": "v1", "pid": "p.id"}
KINDS = {"text": "text", "flag": "bool", "age": "int", "dose": "float", "days": "float", "pid": "int"}
SCHEMA = {NAMES[name]: kind for name, kind in KINDS.items()}

POLICIES = ["drop", "category", "clamp", "error"]
EDGES = [0.0, 2.5, 5.0, 10.0, 0.25, 0.35, 9.95, 1e-9, -1e-9, 10.000001, float("inf"), float("-inf"), float("nan")]


@st.composite
def domains(draw: st.DrawFn) -> Domain:
    of_numbers = st.sampled_from(POLICIES[:3] if draw(st.integers(0, 4)) else POLICIES)
    of_texts = st.sampled_from(["drop", "category"])
    texts = draw(st.lists(st.sampled_from(TEXTS[1:]), min_size=1, max_size=5, unique=True))
    resolution = draw(st.sampled_from(["0.1", "0.5", "0.05", "1/6"]))
    attributes = {
        NAMES["text"]: Categorical(texts, invalid=draw(of_texts)),
        NAMES["flag"]: Categorical(draw(st.sampled_from([[False, True], [0, 1], [1]])), invalid=draw(of_texts)),
        NAMES["age"]: Integer(0, 9, bins=draw(st.sampled_from([None, [0, 5, 9]])), invalid=draw(of_numbers)),
        NAMES["dose"]: Numeric(0, 10, resolution=resolution, bins=[0, 2.5, 5, 10], invalid=draw(of_numbers)),
        NAMES["days"]: Integer(-500, 500, bins=[-500, -3, 0, 365, 500], invalid=draw(of_numbers)),
    }
    impossible = draw(st.sampled_from([[], [{NAMES["text"]: texts[0], NAMES["flag"]: 1}]]))
    if attributes[NAMES["flag"]].kind != "integer" or len(attributes[NAMES["flag"]].key_labels) < 2:  # type: ignore[union-attr]
        impossible = []
    unit = draw(
        st.sampled_from([PrivacyUnit(), PrivacyUnit(NAMES["pid"], max_rows=1), PrivacyUnit(NAMES["pid"], max_rows=3)])
    )
    return Domain(attributes, unit=unit, impossible=impossible)


NUMBERS = st.one_of(
    st.none(),
    st.sampled_from(EDGES),
    st.floats(-1, 11),
    st.integers(-600, 600).map(float),
    st.integers(0, 9).map(float),
)
COLUMNS = {
    "text": st.one_of(st.none(), st.sampled_from(TEXTS), st.text(st.characters(codec="utf-8"), max_size=3)),
    "flag": st.sampled_from([None, False, True, True]),
    "age": st.one_of(st.none(), st.integers(-2, 11), st.integers(-(2**53), 2**53)),
    "dose": NUMBERS,
    "days": NUMBERS,
    "pid": st.one_of(st.none(), st.integers(0, 4), st.integers(-(2**50), 2**50)),
}


@st.composite
def tables(draw: st.DrawFn) -> dict[str, list[Any]]:
    size = draw(st.sampled_from([0, 1, 3, 12]))
    return {NAMES[k]: draw(st.lists(v, min_size=size, max_size=size)) for k, v in COLUMNS.items()}


def queries() -> st.SearchStrategy[Query]:
    name = NAMES
    keys = st.lists(
        st.sampled_from([name[k] for k in ("text", "flag", "age", "dose", "days")]), max_size=3, unique=True
    )
    number = st.sampled_from([name["age"], name["dose"], name["days"]])
    return st.one_of(
        st.builds(Count, keys),
        st.builds(lambda a, b: Marginals([a, b] if set(a) != set(b) else [a]), keys, keys),
        st.builds(Sum, number, by=keys),
        st.builds(Mean, number, by=keys),
        st.builds(Variance, number, by=keys),
        st.builds(lambda c, by: Histogram(c, by=[k for k in by if k != c]), st.just(name["dose"]), keys),
        st.just(EventTable(name["dose"], name["text"], bins=[0, 1, 2.5])),
    )


def bind(query: Query, domain: Domain) -> BoundQuery:
    try:
        return query.bind(domain)
    except InvalidArgument:  # such as events of one category
        return reject()


def check(frame: Any, bound: BoundQuery, expected: list[int] | None) -> None:
    """Compare one frame with the reference; None stands for a refusal."""
    if expected is None:
        with pytest.raises(DataError):
            bound.tally(frame)
        return
    tally = bound.tally(frame)
    np.testing.assert_array_equal(tally.values, expected)
    bound.check(tally)


IN_MEMORY = [
    "polars",
    "polars lazy",
    "polars categorical",
    "pyarrow",
    "pandas",
    "pandas objects",
    "pandas nullable",
    "pandas categorical",
]


@pytest.mark.parametrize("engine", IN_MEMORY)
@given(query=queries(), domain=domains(), columns=tables())
@settings(max_examples=20)
def test_frames_in_memory(
    engine: str, query: Query, domain: Domain, columns: Any, reference: Any, engines: Any
) -> None:
    bound = bind(query, domain)
    check(dict(engines(columns, SCHEMA))[engine](), bound, reference(bound, columns))


@given(query=queries(), domain=domains(), columns=tables())
@settings(max_examples=20)
def test_duckdb(query: Query, domain: Domain, columns: Any, reference: Any, engines: Any) -> None:
    table = dict(engines(columns, SCHEMA))["pyarrow"]()
    bound = bind(query, domain)
    with duckdb.connect() as connection:
        check(connection.from_arrow(table), bound, reference(bound, columns))


@given(query=queries(), domain=domains(), columns=tables())
@settings(max_examples=5)
def test_dask(query: Query, domain: Domain, columns: Any, reference: Any, engines: Any) -> None:
    dask = pytest.importorskip("dask.dataframe")
    frame = dask.from_pandas(dict(engines(columns, SCHEMA))["pandas nullable"](), npartitions=2)
    bound = bind(query, domain)
    check(frame, bound, reference(bound, columns))


def many_rows(rows: int) -> dict[str, list[Any]]:
    rng = np.random.default_rng(20)

    def pick(values: list[Any]) -> list[Any]:
        return [values[i] for i in rng.integers(0, len(values), rows)]

    return {
        NAMES["text"]: pick([*TEXTS, None, "?"]),
        NAMES["flag"]: pick([False, True, None]),
        NAMES["age"]: pick([*range(-1, 11), None]),
        NAMES["dose"]: pick([*EDGES, *np.linspace(-1, 11, 100).tolist(), None]),
        NAMES["days"]: pick([*EDGES, *np.arange(-510.0, 510.0, 7).tolist(), 0.5, None]),
        NAMES["pid"]: pick([*range(rows // 3), None]),
    }


FIXED: list[Query] = [
    Count([NAMES["text"], NAMES["flag"]]),
    Marginals([[], [NAMES["age"]], [NAMES["dose"], NAMES["flag"]]]),
    Mean(NAMES["dose"], by=NAMES["age"]),
    Variance(NAMES["days"], by=NAMES["text"]),
    Histogram(NAMES["days"]),
]


def fixed_domain(unit: PrivacyUnit) -> Domain:
    attributes: dict[str, Any] = {
        NAMES["text"]: Categorical(TEXTS[1:], invalid="category"),
        NAMES["flag"]: [0, 1],
        NAMES["age"]: Integer(0, 9, invalid="clamp"),
        NAMES["dose"]: Numeric(0, 10, resolution="0.1", bins=[0, 2.5, 5, 10]),
        NAMES["days"]: Integer(-500, 500, bins=[-500, -3, 0, 365, 500], invalid="clamp"),
    }
    return Domain(attributes, unit=unit, impossible=[{NAMES["text"]: "NULL", NAMES["flag"]: 1}])


UNITS = [PrivacyUnit(), PrivacyUnit(NAMES["pid"], max_rows=2)]


@pytest.mark.parametrize("unit", UNITS, ids=str)
def test_many_rows_in_every_engine(unit: PrivacyUnit, reference: Any, engines: Any) -> None:
    columns = many_rows(1500)
    for query in FIXED:
        bound = query.bind(fixed_domain(unit))
        expected = reference(bound, columns)
        for _, frame in engines(columns, SCHEMA):
            check(frame(), bound, expected)


@pytest.fixture(scope="module")
def spark() -> Iterator[Any]:
    sql = pytest.importorskip("pyspark.sql")
    if shutil.which("java") is None:
        pytest.skip("PySpark needs Java")
    settings = {"spark.ui.enabled": "false", "spark.sql.shuffle.partitions": "2"}
    session = sql.SparkSession.builder.master("local[1]").config(map=settings).getOrCreate()
    yield session
    session.stop()


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("unit", UNITS, ids=str)
def test_spark(spark: Any, unit: PrivacyUnit, reference: Any) -> None:
    columns = many_rows(300)
    types = {"text": "string", "bool": "boolean", "int": "bigint", "float": "double"}
    schema = ", ".join(f"`{name}` {types[kind]}" for name, kind in SCHEMA.items())
    frame = spark.createDataFrame(list(zip(*(columns[name] for name in SCHEMA), strict=True)), schema)
    for query in FIXED:
        bound = query.bind(fixed_domain(unit))
        check(frame, bound, reference(bound, columns))
