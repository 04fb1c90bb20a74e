"""Sensitivities against enumeration: every content of a unit over a small domain, through the real engine."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
import polars as pl
import pytest

from pets.domain import Categorical, Domain, Integer, Numeric
from pets.privacy_unit import PrivacyUnit
from pets.query import (
    Block,
    BoundQuery,
    Count,
    EventTable,
    Histogram,
    Marginals,
    Mean,
    Quantiles,
    Query,
    Sensitivity,
    Sum,
    Variance,
    engine,
)
from pets.query.layout import split
from pets.query.sensitivity import of_block

NEIGHBOURS = ["add_remove", "replace_one"]


@dataclass(frozen=True)
class Case:
    """A query over a small domain, and rows that reach every kind of cell and every extreme value."""

    query: Query
    domain: Domain
    rows: tuple[dict[str, Any], ...]

    def bind(self, max_rows: int, neighbours: Any, max_sites: int = 1) -> BoundQuery:
        unit = PrivacyUnit("id", max_rows=max_rows, neighbours=neighbours, max_sites=max_sites)
        return self.query.bind(self.domain.with_unit(unit))


def rows(**values: list[Any]) -> tuple[dict[str, Any], ...]:
    return tuple(dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True))


SIGNED = Domain(a=["x", "y"], v=Numeric(-3, 2, resolution="0.5"))
POSITIVE = Domain(a=["x", "y"], v=Integer(2, 5))
NEGATIVE = Domain(a=["x", "y"], v=Integer(-7, -4))
SMALL = Domain(a=["x", "y"], v=Integer(0, 1))
CLAMPED = Domain(a=Categorical(["x"], invalid="category"), v=Integer(-1, 4, bins=[-1, 0, 4], invalid="clamp"))
V = rows(a=["x", "x", "y", "?", "x"], v=[-3.0, 2.0, -3.0, 0.0, None])
W = rows(a=["x", "x", "y", "?", "x"], v=[2, 5, 5, 5, 6])
WILD = rows(a=["x", "x", "?", "x", "?"], v=[-9.0, 9.0, 9.0, None, -9.0])

CASES: dict[str, Case] = {
    "total": Case(Count(), Domain(a=["x"]), rows(a=["x", "?"])),
    "count": Case(Count("a"), Domain(a=["x", "y", "z"]), rows(a=["x", "y", "z", None])),
    "count of one cell": Case(Count("a"), Domain(a=["x"]), rows(a=["x", None])),
    "count without drops": Case(Count("a"), Domain(a=Categorical(["x"], invalid="category")), rows(a=["x", None])),
    "structural zero": Case(
        Count(["a", "b"]),
        Domain(a=["x", "y"], b=[1, 2], impossible=[{"a": "x", "b": 2}]),
        rows(a=["x", "x", "y", "y"], b=[1, 2, 1, 2]),
    ),
    "marginals": Case(
        Marginals([[], ["a"], ["b", "a"]]),
        Domain(a=["x", "y"], b=[1, 2]),
        rows(a=["x", "x", "y", "y", "?"], b=[1, 2, 2, 1, 1]),
    ),
    "sum of signed": Case(Sum("v"), SIGNED, V),
    "sum of signed by": Case(Sum("v", by="a"), SIGNED, V),
    "sum of positive": Case(Sum("v"), POSITIVE, W),
    "sum of positive by": Case(Sum("v", by="a"), POSITIVE, W),
    "sum of negative": Case(Sum("v", by="a"), NEGATIVE, rows(a=["x", "x", "y", "?"], v=[-7, -4, -7, -4])),
    "sum of small": Case(Sum("v", by="a"), SMALL, rows(a=["x", "x", "y", "?"], v=[0, 1, 1, 1])),
    "sum clamped": Case(Sum("v", by="a"), CLAMPED, WILD),
    "mean": Case(Mean("v", by="a"), SIGNED, V),
    "mean of all": Case(Mean("v"), POSITIVE, (*W[1:3], W[4])),
    "variance": Case(Variance("v", by="a"), SIGNED, V),
    "variance of positive": Case(Variance("v"), POSITIVE, (*W[:2], W[4])),
    "histogram": Case(Histogram("v", by="a"), CLAMPED, WILD),
    "quantiles": Case(Quantiles("v", bins=[2, 3]), POSITIVE, rows(v=[2, 4, None])),
    "events": Case(
        EventTable("t", "e", bins=[0, 1, 3]),
        Domain(t=Numeric(0, 5, resolution=1), e=["alive", "died"]),
        rows(t=[0.5, 2.0, 5.0, 6.0, 0.0, 1.0], e=["died", "alive", "died", "died", "alive", "died"]),
    ),
}  # fmt: skip


def contents(case: Case, most: int) -> list[tuple[dict[str, Any], ...]]:
    """Every multiset of up to `most` rows."""
    return [own for n in range(most + 1) for own in itertools.combinations_with_replacement(case.rows, n)]


def tally_of(bound: BoundQuery, *units: tuple[dict[str, Any], ...]) -> np.ndarray[Any, np.dtype[np.int64]]:
    table = [{"id": i, **row} for i, own in enumerate(units) for row in own]
    schema = {"id": pl.Int64} | {
        name: pl.String if isinstance(attribute, Categorical) and attribute.kind == "text" else pl.Float64
        for name, attribute in bound.domain.attributes.items()
    }
    wanted = {name: kind for name, kind in schema.items() if name == "id" or any(name in row for row in table)}
    columns = {name: [None if row.get(name) is None else row[name] for row in table] for name in wanted}
    frame = pl.DataFrame(columns, schema=wanted) if table else pl.DataFrame(schema=schema)
    return bound.tally(frame).values


@cache
def of_all_units(name: str, max_rows: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The tally of each possible content of one unit, one row more than allowed included."""
    bound = CASES[name].bind(max_rows, "add_remove")  # the relation does not enter the tally
    found = [tally_of(bound, own) for own in contents(CASES[name], max_rows + 1)]
    return np.unique(np.array(found), axis=0)


def differences(tallies: np.ndarray[Any, Any], neighbours: str) -> np.ndarray[Any, Any]:
    """All changes of the tally between neighbours: a unit's own tally, or that of one unit for another's."""
    if neighbours == "add_remove":
        return tallies
    return (tallies[:, None, :] - tallies[None, :, :]).reshape(-1, tallies.shape[1])


def worst(changes: np.ndarray[Any, Any]) -> Sensitivity:
    sizes = np.abs(changes)
    return Sensitivity(
        l0=int((sizes > 0).sum(axis=1).max()),
        l1=int(sizes.sum(axis=1).max()),
        l2_squared=int((sizes**2).sum(axis=1).max()),
        linf=int(sizes.max()),
    )


def check(bound: BoundQuery, tallies: np.ndarray[Any, Any]) -> None:
    changes = differences(tallies, bound.domain.unit.neighbours)
    for block, declared, part in zip(bound.blocks, bound.sensitivities, split(changes.T, bound.blocks), strict=True):
        found = worst(part.T)
        assert (found.l1, found.l2_squared, found.linf) == (declared.l1, declared.l2_squared, declared.linf), block.name
        assert found.l0 == declared.l0, block.name
    found, declared = worst(changes), bound.sensitivity
    assert found.l0 <= declared.l0
    assert found.l1 <= declared.l1
    assert found.l2_squared <= declared.l2_squared
    assert found.linf == declared.linf
    if bound.domain.unit.neighbours == "add_remove":
        assert found.l1 == declared.l1


@pytest.mark.parametrize("neighbours", NEIGHBOURS)
@pytest.mark.parametrize("max_rows", [1, 2, 3])
@pytest.mark.parametrize("name", CASES)
def test_declared_is_the_worst_over_all_units(name: str, max_rows: int, neighbours: str) -> None:
    bound = CASES[name].bind(max_rows, neighbours)
    check(bound, of_all_units(name, max_rows))


@pytest.mark.parametrize("neighbours", NEIGHBOURS)
@pytest.mark.parametrize("name", ["count", "sum of signed by", "mean"])
def test_a_unit_at_several_sites(name: str, neighbours: str) -> None:
    bound = CASES[name].bind(1, neighbours, max_sites=2)
    at_one = of_all_units(name, 1)
    at_both = (at_one[:, None, :] + at_one[None, :, :]).reshape(-1, at_one.shape[1])
    check(bound, at_both)


@pytest.mark.parametrize("name", ["count", "structural zero", "marginals", "sum of signed by", "mean", "histogram"])
def test_the_tally_is_the_sum_over_units(name: str) -> None:
    """What one unit owns changes nothing in what is kept of another: the enumeration above may go unit by unit."""
    case = CASES[name]
    bound = case.bind(1, "add_remove")
    few = Case(case.query, case.domain, case.rows[-3:])
    each = [(own, tally_of(bound, own), tally_of(bound, (), own)) for own in contents(few, 2)]
    for (one, of_one, _), (other, _, of_other) in itertools.combinations_with_replacement(each, 2):
        np.testing.assert_array_equal(tally_of(bound, one, other), of_one + of_other)


@pytest.mark.parametrize("name", ["count", "sum of positive", "mean", "events"])
def test_each_row_a_unit_of_its_own(name: str) -> None:
    case = CASES[name]
    for neighbours in NEIGHBOURS:
        bound = case.query.bind(case.domain.with_unit(PrivacyUnit(neighbours=neighbours)))  # type: ignore[arg-type]
        alone = np.array([tally_of(bound, (row,)) for row in case.rows])
        tallies = alone if neighbours == "replace_one" else np.vstack([alone, 0 * alone[:1]])
        found = worst(differences(tallies, neighbours))
        assert found.l1 <= bound.sensitivity.l1
        assert found.linf <= bound.sensitivity.linf
        assert found.l2_squared <= bound.sensitivity.l2_squared


@pytest.mark.parametrize("name", ["count", "sum of positive", "mean"])
def test_a_missing_bound_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "rows_beyond_bound", lambda site: None)
    bound = CASES[name].bind(2, "add_remove")
    with pytest.raises(AssertionError):
        check(bound, of_all_units.__wrapped__(name, 2))


def worst_of_single_rows(block: Block, unit: PrivacyUnit) -> tuple[int, int, int, int]:
    """Enumerate by cell and extreme value, with no query and no engine."""
    moves = [
        (cell, value) for cell in np.flatnonzero(block.free()[: block.cells]) for value in {block.lower, block.upper}
    ]
    moves += [(block.cells, 1)] * block.counts_dropped
    owned = unit.max_rows * unit.max_sites
    tallies = []
    for n in range(owned + 1):
        for own in itertools.combinations_with_replacement(moves, n):
            total = np.zeros(block.size, dtype=np.int64)
            for cell, value in own:
                total[cell] += value
            tallies.append(total)
    found = worst(differences(np.unique(np.array(tallies), axis=0), unit.neighbours))
    return found.l0, found.l1, found.l2_squared, found.linf


@pytest.mark.parametrize("neighbours", NEIGHBOURS)
@pytest.mark.parametrize("rows_owned", [1, 2, 3])
@pytest.mark.parametrize("bounds", [(1, 1), (0, 1), (0, 0), (-1, 0), (-3, 2), (2, 5), (-5, -2), (0, 7)], ids=str)
@pytest.mark.parametrize("cells", [1, 2, 3])
@pytest.mark.parametrize("counts_dropped", [False, True])
def test_formula_over_bounds(
    neighbours: Any, rows_owned: int, bounds: tuple[int, int], cells: int, counts_dropped: bool
) -> None:
    from pets.query import Axis

    lower, upper = bounds
    axis = Axis("a", tuple(range(cells)))
    block = Block("b", (axis,), "sum", "v", lower, upper, Fraction(1), counts_dropped)
    unit = PrivacyUnit("id", max_rows=rows_owned, neighbours=neighbours)
    declared = of_block(block, unit)
    l0, l1, l2_squared, linf = worst_of_single_rows(block, unit)
    assert (declared.l1, declared.l2_squared, declared.linf) == (l1, l2_squared, linf)
    assert declared.l0 == l0


def test_norms_are_printed() -> None:
    shown = str(CASES["mean"].bind(2, "add_remove").sensitivity)
    assert shown == "L0 = 4, L1 = 14, L2 = 12.1655, Linf = 12"
