"""The public shape of tallies, and queries as plain data."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

import numpy as np
import polars as pl
import pytest

from pets.domain import Categorical, Domain, Integer, Numeric
from pets.errors import ConfigError, IncompatibleTallies, InvalidArgument, RangeOverflow
from pets.privacy_unit import PrivacyUnit
from pets.query import (
    Axis,
    Block,
    BoundQuery,
    Count,
    EventTable,
    Histogram,
    Marginals,
    Mean,
    Quantiles,
    Query,
    Sum,
    Variance,
    query_from_dict,
)
from pets.query.base import MAX_ROWS
from pets.query.layout import MAX_CELLS, split
from pets.tally import Tally

DOMAIN = Domain(
    sex=["F", "M"],
    site=["Brain", "Ovary", "Testis"],
    age=Integer(0, 9, bins=[0, 5, 9]),
    year=Integer(2000, 2003),
    dose=Numeric(-1, 2, resolution="0.5"),
    impossible=[{"sex": "F", "site": "Testis"}, {"sex": "M", "site": "Ovary"}],
)
QUERIES: list[Query] = [
    Count(),
    Count("sex"),
    Count(["sex", "age"]),
    Marginals([["sex"], ["sex", "site"], []]),
    Sum("dose", by=["sex"]),
    Mean("age"),
    Variance("dose", by="year"),
    Histogram("dose", bins=["-1", "0.5", 2], by="sex"),
    Histogram("age"),
    Quantiles("dose", ["1/3", 0.5], bins=[-1, 0, 2]),
    EventTable("dose", "sex", by="year", bins=[-1, 0]),
]


class TestBlocks:
    def test_cells_in_c_order_then_the_dropped(self) -> None:
        bound = Marginals([["sex", "age"], ["year"]]).bind(DOMAIN)
        assert [(block.name, block.shape, block.size) for block in bound.blocks] == [
            ("sex x age", (2, 2), 5),
            ("year", (4,), 5),
        ]
        frame = pl.DataFrame({"sex": ["M", "M", "F"], "age": [0, 9, 10], "year": [2003, 2003, 1999]})
        assert bound.tally(frame).values.tolist() == [0, 0, 1, 1, 1, 0, 0, 0, 2, 1]

    def test_structural_zeros_carry_no_noise(self) -> None:
        (block,) = Count(["sex", "site"]).bind(DOMAIN).blocks
        assert block.noised == 5
        assert block.free().tolist() == [True, True, False, True, False, True, True]
        assert Count("sex").bind(DOMAIN).blocks[0].free().all()

    def test_labels_and_edges(self) -> None:
        (block,) = Count(["age", "year"]).bind(DOMAIN).blocks
        assert block.axes[0].labels == ("0-4", "5-9")
        assert block.axes[0].edges == (0.0, 5.0, 9.0)
        assert block.axes[1].labels == (2000, 2001, 2002, 2003)
        assert block.axes[1].edges == (2000.0, 2001.0, 2002.0, 2003.0, 2004.0)

    @pytest.mark.parametrize(
        ("invalid", "drops"), [("drop", True), ("clamp", True), ("category", False), ("error", False)]
    )
    def test_a_cell_of_dropped_rows_only_where_rows_can_be_dropped(self, invalid: Any, drops: bool) -> None:
        domain = Domain(age=Integer(0, 3, invalid=invalid))
        assert Count("age").bind(domain).blocks[0].counts_dropped is drops
        assert not Count().bind(domain).blocks[0].counts_dropped
        assert Sum("age").bind(domain).blocks[0].counts_dropped is (invalid != "error")
        assert [block.counts_dropped for block in Mean("age").bind(domain).blocks] == [invalid != "error", False]

    def test_a_structural_zero_drops_rows_too(self) -> None:
        sex = Categorical(["F", "M"], invalid="category")
        site = Categorical(["a", "b"], invalid="error")
        domain = Domain(sex=sex, site=site, impossible=[{"sex": "F", "site": "b"}])
        assert Count(["sex", "site"]).bind(domain).blocks[0].counts_dropped
        assert not Count("sex").bind(domain).blocks[0].counts_dropped

    def test_sums_are_bounded_in_units(self) -> None:
        (total,) = Sum("dose").bind(DOMAIN).blocks
        assert (total.lower, total.upper, total.unit) == (-2, 4, Fraction(1, 2))
        *_, squares = Variance("dose").bind(DOMAIN).blocks
        assert (squares.lower, squares.upper, squares.unit) == (0, 16, Fraction(1, 4))
        *_, squares = Variance("year").bind(DOMAIN).blocks
        assert (squares.lower, squares.upper) == (2000**2, 2003**2)

    def test_bins_of_the_query_reach_the_public_bound(self) -> None:
        (block,) = Histogram("dose", bins=[-1, 0]).bind(DOMAIN).blocks
        assert block.axes[0].edges == (-1.0, 0.0, 2.0)
        frame = pl.DataFrame({"dose": [-1.0, 0.0, 2.0, 2.5]})
        assert Histogram("dose", bins=[-1, 0]).tally(frame, DOMAIN).values.tolist() == [1, 2, 1]

    def test_split(self) -> None:
        blocks = tuple(Block(str(n), (Axis("a", tuple(range(n))),)) for n in (1, 3))
        assert [part.tolist() for part in split(np.arange(6), blocks)] == [[0, 1], [2, 3, 4, 5]]


class TestLimits:
    def test_one_table(self) -> None:
        wide = {f"a{i}": list(range(400)) for i in range(4)}
        with pytest.raises(InvalidArgument, match=f"limit is {MAX_CELLS:,}") as caught:
            Count(list(wide)).bind(Domain(wide))
        assert caught.value.argument == "by"

    def test_all_tables(self) -> None:
        wide = {f"a{i}": list(range(500)) for i in range(3)}
        with pytest.raises(InvalidArgument, match="in all"):
            Marginals([["a0", "a1", "a2"], ["a1", "a2", "a0"][:2], ["a0"]]).bind(
                Domain({**wide, "a2": list(range(MAX_CELLS // 500**2))})
            )

    def test_rows(self) -> None:
        bound = Sum("dose").bind(DOMAIN)
        bound.check_capacity(MAX_ROWS)
        with pytest.raises(RangeOverflow) as caught:
            bound.check_capacity(MAX_ROWS + 1)
        assert str(MAX_ROWS + 1) not in str(caught.value)  # the number of rows is not told

    def test_bounds_that_could_overflow_are_refused_before_any_row_is_read(self) -> None:
        Sum("x").bind(Domain(x=Integer(0, 2**31)))
        with pytest.raises(RangeOverflow, match="tighter bounds"):
            Sum("x").bind(Domain(x=Integer(0, 2**31 + 1)))


class TestRefusals:
    @pytest.mark.parametrize(
        "make",
        [
            lambda: Count(["sex", "sex"]),
            lambda: Count([1]),
            lambda: Count([""]),
            lambda: Count(None),
            lambda: Marginals("sex"),
            lambda: Marginals([]),
            lambda: Marginals([["sex", "age"], ["age", "sex"]]),
            lambda: Marginals(3),
            lambda: Sum(""),
            lambda: Sum(["dose"]),
            lambda: Mean("dose", by=5),
            lambda: Histogram("dose", by="dose"),
            lambda: Histogram("dose", bins=[1]),
            lambda: Histogram("dose", bins=[1, 1]),
            lambda: Histogram("dose", bins="12"),
            lambda: Histogram("dose", bins=[0, float("nan")]),
            lambda: Quantiles("dose", []),
            lambda: Quantiles("dose", "0.5"),
            lambda: Quantiles("dose", [0]),
            lambda: Quantiles("dose", [1]),
            lambda: Quantiles("dose", ["1/1001"]),
            lambda: EventTable("dose", "dose"),
            lambda: EventTable("dose", "sex", by=["sex"]),
            lambda: EventTable(None, "sex"),
        ],
    )
    def test_arguments(self, make: Any) -> None:
        with pytest.raises(InvalidArgument):
            make()

    @pytest.mark.parametrize(
        "query",
        [
            Count("seks"),
            Count("dose"),
            Sum("sex"),
            Mean("nothing"),
            Histogram("dose"),
            Histogram("sex"),
            Histogram("dose", bins=[0, 2]),
            Histogram("dose", bins=[-1, 3]),
            Histogram("dose", bins=[-1, "0.25"]),
            Histogram("age", bins=[0, "0.5"]),
            EventTable("dose", "sex"),
            EventTable("age", "year"),
            Quantiles("dose"),
        ],
    )
    def test_what_the_domain_cannot_give(self, query: Query) -> None:
        with pytest.raises(InvalidArgument):
            query.bind(DOMAIN)

    def test_a_misspelt_name_gets_a_suggestion(self) -> None:
        with pytest.raises(InvalidArgument, match="Did you mean 'site'"):
            Count("sita").bind(DOMAIN)


class TestPlainData:
    @pytest.mark.parametrize("query", QUERIES, ids=repr)
    def test_round_trip(self, query: Query) -> None:
        data = json.loads(json.dumps(query.to_dict()))
        assert query_from_dict(data) == query
        bound = query.bind(DOMAIN)
        again = BoundQuery.from_dicts(data, DOMAIN.to_dict())
        assert again.signature == bound.signature
        assert again.size == bound.size

    def test_signatures_differ(self) -> None:
        signatures = {query.bind(DOMAIN).signature for query in QUERIES}
        signatures |= {query.bind(DOMAIN.with_unit(PrivacyUnit("id"))).signature for query in QUERIES}
        assert len(signatures) == 2 * len(QUERIES)

    @pytest.mark.parametrize(
        "data",
        [{}, {"type": "count", "buy": ["sex"]}, {"type": "cnt"}, {"type": "sum"}, {"type": "count", "by": 3}, [], None],
    )
    def test_bad_data(self, data: Any) -> None:
        with pytest.raises(ConfigError):
            query_from_dict(data)


class TestCheck:
    BOUND = Marginals([["sex", "site"], ["year"]]).bind(DOMAIN)

    def tally(self, **changes: int) -> Tally:
        values = np.zeros(self.BOUND.size, dtype=np.int64)
        for position, value in changes.items():
            values[int(position[1:])] = value
        return Tally(values, self.BOUND.signature)

    def test_a_valid_tally_passes(self) -> None:
        tally = self.tally(i0=3, i6=2, i11=4)
        assert self.BOUND.check(tally) is tally.values

    @pytest.mark.parametrize("position", ["i0", "i6", "i7", "i11"])
    def test_negative_counts(self, position: str) -> None:
        with pytest.raises(InvalidArgument, match="negative"):
            self.BOUND.check(self.tally(**{position: -1}))

    @pytest.mark.parametrize("position", ["i2", "i4"])
    def test_rows_in_a_structural_zero(self, position: str) -> None:
        with pytest.raises(InvalidArgument, match="structural zero"):
            self.BOUND.check(self.tally(**{position: 1}))

    def test_sums_may_be_negative_but_not_the_count_beside_them(self) -> None:
        bound = Sum("dose", by="sex").bind(DOMAIN)
        bound.check(Tally([-5, 3, 0], bound.signature))
        with pytest.raises(InvalidArgument, match="negative"):
            bound.check(Tally([-5, 3, -1], bound.signature))

    def test_another_question(self) -> None:
        with pytest.raises(IncompatibleTallies):
            self.BOUND.check(Tally(np.zeros(self.BOUND.size, dtype=int), "0" * 64))
        with pytest.raises(IncompatibleTallies):
            self.BOUND.check(Tally([1], self.BOUND.signature))
