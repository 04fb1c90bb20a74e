"""Sensitivity by brute force: whole data sets and all their neighbours, through the real engine.

A data set is who owns which rows, at each of its sites. Its neighbours differ by one unit: present or not, or with any
other rows. Each (data set, neighbour, query) is a triple; of each, the change of the tally must not exceed what is
declared, and over all triples of a query it must reach it where that is claimed to be exact.

Many data sets go through the engine in one frame: they are cells of one more attribute, so a run of the engine counts
for thousands of triples, and what one data set holds must not show in another.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
import pytest

from pets.domain import Categorical, Domain, Integer, Numeric
from pets.privacy_unit import PrivacyUnit
from pets.query import Count, EventTable, Histogram, Marginals, Mean, Query, Sensitivity, Sum, Variance, engine
from pets.query.layout import split

Row = dict[str, Any]
Content = tuple[int, ...]
"""Which kinds of rows one unit owns, at one site, as places in a case's rows."""

DATASETS = 600


@dataclass(frozen=True)
class Case:
    """A query over a small domain, with kinds of rows that reach each kind of cell and each extreme value."""

    query: Query
    domain: dict[str, Any]
    rows: tuple[Row, ...]
    exact: bool = True


V = {"a": ["x", "y"], "v": Numeric(-3, 2, resolution="0.5")}
CLAMP = {"a": Categorical(["x", "y"], invalid="category"), "v": Integer(-1, 4, bins=[-1, 0, 4], invalid="clamp")}
MIXED = tuple({"a": a, "v": v} for a, v in (("x", -3.0), ("x", 2.0), ("y", -3.0), ("?", 2.0), ("y", None), ("x", 9.0)))
WILD = tuple({"a": a, "v": v} for a, v in (("x", -9.0), ("x", 9.0), (None, 9.0), ("x", None), ("y", float("nan"))))
TWO = {"a": ["x", "y"], "b": ["p", "q"]}
BOTH = tuple({"a": a, "b": b} for a, b in (("x", "p"), ("x", "q"), ("y", "p"), ("y", "q"), ("?", "p"), ("x", None)))
TIME = {"t": Numeric(0, 5, resolution=1, bins=[0, 1, 5]), "e": ["alive", "died"]}
TIMES = tuple(
    {"t": t, "e": e} for t, e in ((0.5, "died"), (4.0, "alive"), (5.0, "died"), (6.0, "died"), (0.0, "alive"))
)

CASES = {
    "count": Case(Count(["d", "a"]), TWO, BOTH),
    "count of two": Case(Count(["d", "a", "b"]), TWO, BOTH),
    "marginals": Case(Marginals([["d"], ["d", "a"], ["b", "d"]]), TWO, BOTH, exact=False),
    "sum": Case(Sum("v", by=["d", "a"]), V, MIXED),
    "sum of all": Case(Sum("v", by=["d"]), V, MIXED),
    "mean": Case(Mean("v", by=["d", "a"]), V, MIXED),
    "variance": Case(Variance("v", by=["d"]), V, MIXED),
    "sum clamped": Case(Sum("v", by=["d", "a"]), CLAMP, WILD),
    "mean clamped": Case(Mean("v", by=["d"]), CLAMP, WILD),
    "histogram": Case(Histogram("v", by=["d", "a"]), CLAMP, WILD),
    "events": Case(EventTable("t", "e", by=["d"]), TIME, TIMES),
}
UNITS = [
    PrivacyUnit("id"),
    PrivacyUnit("id", neighbours="replace_one"),
    PrivacyUnit("id", max_rows=2),
    PrivacyUnit("id", max_rows=2, neighbours="replace_one"),
    PrivacyUnit("id", max_rows=1, max_sites=2),
    PrivacyUnit("id", max_rows=2, max_sites=2, neighbours="replace_one"),
]


def contents(case: Case, unit: PrivacyUnit) -> list[Content]:
    """What one unit may own at a site: up to one row more than is counted, so that the bound is at work."""
    kinds = range(len(case.rows))
    return [own for n in range(unit.max_rows + 2) for own in itertools.combinations_with_replacement(kinds, n)]


Dataset = tuple[tuple[Content, ...], ...]
"""Of each site, of each unit, what it owns."""


def datasets(case: Case, unit: PrivacyUnit, number: int, rng: np.random.Generator) -> Iterator[tuple[Dataset, Dataset]]:
    """Yield pairs of neighbours; the unit that differs is the first one, and others stay the same.

    All pairs of contents in order while there are few, else a random choice, with 0 to 2 further units.
    """
    every = contents(case, unit)
    own = list(itertools.product(every, repeat=unit.max_sites))
    others = [tuple(() for _ in range(unit.max_sites))] if unit.neighbours == "add_remove" else own
    extremes = [(content,) * unit.max_sites for content in every if len(set(content)) <= 1]
    count = len(own) * len(others)
    chosen = range(count) if count <= number else rng.integers(0, count, number)
    pairs = [(own[i // len(others)], others[i % len(others)]) for i in chosen]
    opposite = extremes if unit.neighbours == "replace_one" else others
    hard = list(itertools.product(extremes, opposite))
    pairs[: len(hard)] = hard[: max(number, 1)]
    for one, other in pairs:
        more = [tuple(own[int(rng.integers(len(own)))]) for _ in range(int(rng.integers(3)))]
        yield tuple(zip(one, *more, strict=True)), tuple(zip(other, *more, strict=True))


def tallies(case: Case, unit: PrivacyUnit, held: Sequence[Dataset]) -> list[np.ndarray[Any, Any]]:
    """Return of each block the tally of each data set, shape (data sets, cells): sites tallied apart and added."""
    names = [f"d{i}" for i in range(len(held))]
    bound = case.query.bind(Domain(d=Categorical(names, invalid="error"), **case.domain, unit=unit))
    total = np.zeros(bound.size, dtype=np.int64)
    text = {name for name, values in case.domain.items() if isinstance(values, list | Categorical)}
    kinds = {"id": pl.String, "d": pl.String} | {n: pl.String if n in text else pl.Float64 for n in case.domain}
    for site in range(unit.max_sites):
        rows = [
            {"id": f"{place}-{who}", "d": names[place], **case.rows[kind]}
            for place, dataset in enumerate(held)
            for who, own in enumerate(dataset[site])
            for kind in own
        ]
        total += bound.tally(pl.DataFrame(rows, schema=kinds)).values
    found = []
    for block, part in zip(bound.blocks, split(total, bound.blocks), strict=True):
        at = [axis.name for axis in block.axes].index("d")
        table = part[: block.cells].reshape(block.shape)
        found.append(np.moveaxis(table, at, 0).reshape(len(held), -1))
    return found


def dropped(case: Case, unit: PrivacyUnit, held: Sequence[Dataset]) -> list[np.ndarray[Any, Any]]:
    """Return of each block the rows that fit no cell, in each data set: a whole tally for each, so only for a few."""
    found = []
    for dataset in held:
        bound = case.query.bind(Domain(d=["d0"], **case.domain, unit=unit))
        total = np.zeros(bound.size, dtype=np.int64)
        for site in range(unit.max_sites):
            rows = [
                {"id": str(who), "d": "d0", **case.rows[kind]} for who, own in enumerate(dataset[site]) for kind in own
            ]
            if rows:
                total += bound.tally(pl.DataFrame(rows, infer_schema_length=None)).values
        found.append(total)
    return found


def largest(change: np.ndarray[Any, Any]) -> Sensitivity:
    sizes = np.abs(change)
    return Sensitivity(
        int((sizes > 0).sum(axis=1).max()), int(sizes.sum(axis=1).max()), int((sizes**2).sum(axis=1).max()),
        int(sizes.max()),
    )  # fmt: skip


def check(name: str, unit: PrivacyUnit, number: int, seed: int = 1) -> int:
    """Check so many triples of one query and unit, and return how many there were."""
    case, rng = CASES[name], np.random.default_rng(seed)
    pairs = list(datasets(case, unit, number, rng))
    reached: list[Sensitivity] = []
    declared = case.query.bind(Domain(d=["d0", "d1"], **case.domain, unit=unit)).sensitivities
    for start in range(0, len(pairs), DATASETS):
        part = pairs[start : start + DATASETS]
        one, other = (tallies(case, unit, [pair[side] for pair in part]) for side in (0, 1))
        found = [largest(a - b) for a, b in zip(one, other, strict=True)]
        reached = [_larger(a, b) for a, b in zip(reached, found, strict=True)] if reached else found
    for most, allowed in zip(reached, declared, strict=True):
        for norm in ("l0", "l1", "l2_squared", "linf"):
            assert getattr(most, norm) <= getattr(allowed, norm), f"{name}, {unit}: {norm} exceeded"
        if case.exact and number >= 200:
            assert most.linf == allowed.linf, f"{name}, {unit}: Linf is never reached"
    return len(pairs)


def _larger(a: Sensitivity, b: Sensitivity) -> Sensitivity:
    return Sensitivity(max(a.l0, b.l0), max(a.l1, b.l1), max(a.l2_squared, b.l2_squared), max(a.linf, b.linf))


COMBINATIONS = list(itertools.product(CASES, UNITS))


def test_declared_sensitivity_is_never_exceeded_in_twenty_thousand_triples() -> None:
    assert sum(check(name, unit, 600) for name, unit in COMBINATIONS) >= 20_000


@pytest.mark.slow
def test_declared_sensitivity_is_never_exceeded_in_a_million_triples() -> None:
    total, seed = 0, 100
    while total < 1_000_000:
        total += sum(check(name, unit, 10_000, seed + i) for i, (name, unit) in enumerate(COMBINATIONS))
        seed += len(COMBINATIONS)


@pytest.mark.parametrize("name", ["count", "sum", "mean clamped"])
@pytest.mark.parametrize("unit", UNITS[2:4], ids=str)
def test_the_whole_vector_with_its_dropped_rows(name: str, unit: PrivacyUnit) -> None:
    case = CASES[name]
    pairs = list(datasets(case, unit, 60, np.random.default_rng(3)))
    bound = case.query.bind(Domain(d=["d0"], **case.domain, unit=unit))
    one, other = (dropped(case, unit, [pair[side] for pair in pairs]) for side in (0, 1))
    most = largest(np.array(one) - np.array(other))
    for norm in ("l0", "l1", "l2_squared", "linf"):
        assert getattr(most, norm) <= getattr(bound.sensitivity, norm)


@pytest.mark.parametrize(("name", "unit"), [("count", UNITS[2]), ("sum", UNITS[3]), ("mean", UNITS[5])], ids=str)
def test_a_missing_bound_is_caught(name: str, unit: PrivacyUnit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "rows_beyond_bound", lambda site: None)
    with pytest.raises(AssertionError, match="exceeded"):
        check(name, unit, 600)


@pytest.mark.parametrize("unit", UNITS, ids=str)
def test_a_sensitivity_that_is_too_small_is_caught(unit: PrivacyUnit, monkeypatch: pytest.MonkeyPatch) -> None:
    from pets.query import base, sensitivity

    def small(block: Any, unit: PrivacyUnit) -> Sensitivity:
        true = sensitivity.of_block(block, unit)
        return Sensitivity(true.l0, true.l1 - 1, true.l2_squared - 1, true.linf - 1)

    monkeypatch.setattr(base, "of_block", small)
    with pytest.raises(AssertionError, match="exceeded"):
        check("count", unit, 600)


def test_rows_in_a_structural_zero_are_dropped() -> None:
    """That cell is published without noise, so it must stay empty whatever the rows say."""
    domain = Domain(a=["x", "y"], b=["p", "q"], impossible=[{"a": "x", "b": "q"}])
    rows = pl.DataFrame({"a": ["x", "x", "y"], "b": ["q", "p", "q"]})
    assert Count(["a", "b"]).bind(domain).tally(rows).values.tolist() == [1, 0, 0, 1, 1]
