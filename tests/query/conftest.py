"""The tally again, row by row in plain Python, and one frame of each engine to compare with it."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

import pytest

from pets.domain import Categorical, Integer, Numeric
from pets.query import Block, BoundQuery
from pets.query.layout import split

Rows = dict[str, list[Any]]


class Refused(Exception):
    """A row is invalid under the policy 'error'."""


def problem_of(attribute: Any, value: Any) -> str:
    """Return what is wrong with a value, '' if it is valid."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return "missing"
    if isinstance(attribute, Categorical):
        return "" if value in attribute.categories else "undeclared"
    if value < attribute.lower:
        return "below"
    if value > attribute.upper:
        return "above"
    return "undeclared" if isinstance(attribute, Integer) and value != math.floor(value) else ""


def cell_of(attribute: Any, value: Any) -> int | None:
    """Return the place of a value along its axis, None if the row is dropped."""
    problem = problem_of(attribute, value)
    labels = len(attribute.key_labels)
    if problem and attribute.invalid == "error":
        raise Refused
    if problem and attribute.invalid == "category":
        return labels - 1
    if problem and attribute.invalid == "clamp":
        return {"below": 0, "above": labels - 1}.get(problem)
    if problem:
        return None
    if isinstance(attribute, Categorical):
        return attribute.categories.index(value)
    if attribute.bins is None:
        return int(value) - attribute.lower
    edges = [float(edge) for edge in attribute.bins]
    return max(i for i, edge in enumerate(edges[:-1]) if value >= edge)


def units_of(attribute: Any, value: Any) -> int | None:
    """Return a number in units of its resolution, None if it counts as none."""
    problem = problem_of(attribute, value)
    if problem and attribute.invalid == "error":
        raise Refused
    if problem in ("missing", "undeclared") or (problem and attribute.invalid != "clamp"):
        return None
    clamped = min(max(float(value), float(attribute.lower)), float(attribute.upper))
    if isinstance(attribute, Integer):
        return int(clamped)
    assert isinstance(attribute, Numeric)
    resolution: Fraction = attribute.resolution
    in_steps = clamped * float(resolution.denominator) / float(resolution.numerator)
    return math.floor(Fraction(in_steps) + Fraction(1, 2))


def hit(bound: BoundQuery, block: Block, row: dict[str, Any]) -> tuple[int | None, int]:
    """Return the flat cell of a block that a row adds to (None: dropped), and what it adds."""
    flat = 0
    places = [cell_of(bound.table_domain[axis.name], row[axis.name]) for axis in block.axes]
    units = None if block.column is None else units_of(bound.table_domain[block.column], row[block.column])
    if None in places or (block.column is not None and units is None):
        return None, 0
    for axis, place in zip(block.axes, places, strict=True):
        flat = flat * len(axis.labels) + place  # type: ignore[operator]
    if block.impossible is not None and block.impossible[flat]:
        return None, 0
    return flat, {"count": 1, "sum": units, "sum_squares": (units or 0) ** 2}[block.measure]  # type: ignore[return-value]


def kept_rows(bound: BoundQuery, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return at most max_rows rows of each unit; rows without an id are one unit."""
    unit = bound.domain.unit
    if unit.id is None:
        return rows
    axes = {axis.name for block in bound.blocks for axis in block.axes}
    summed = {block.column for block in bound.blocks if block.measure != "count"}

    def order(row: dict[str, Any]) -> list[Any]:
        key: list[Any] = [any(hit(bound, block, row)[0] is None for block in bound.blocks)]
        for name in bound.query.needs():
            attribute = bound.table_domain[name]
            if name in axes:
                place = cell_of(attribute, row[name])
                key.append(-1 if place is None else place)
            if name in summed or name not in axes:
                units = units_of(attribute, row[name])
                key += [units is not None, units or 0]
        return key

    owned: dict[Any, list[dict[str, Any]]] = {}
    for row in rows:
        identity = row[unit.id]
        owned.setdefault(None if identity is None or identity != identity else identity, []).append(row)  # noqa: PLR0124
    kept = []
    for name, own in owned.items():
        ranked = sorted(own, key=order)
        fitting = sum(not order(row)[0] for row in ranked)
        chosen = by_lot(name, bound.signature, unit.max_rows, fitting, len(ranked))
        kept += [ranked[place] for place in chosen] if len(ranked) > unit.max_rows else own
    return kept


def by_lot(name: object, signature: str, most: int, fitting: int, rows: int) -> set[int]:
    """Return `most` places of 0 .. rows - 1, of those below `fitting` as many as there are: Floyd, one at a time."""
    text = "none" if name is None else f"text {name}" if isinstance(name, str) else f"number {int(name)}"  # type: ignore[call-overload]
    lot = hashlib.shake_128(f"pets: rows kept of one unit\0{signature}\0{text}".encode()).digest(8 * most)
    words = iter(int.from_bytes(lot[i : i + 8], "little") for i in range(0, 8 * most, 8))
    chosen: set[int] = set()
    of_first = min(fitting, most)
    for start, end, wanted in [(0, fitting, of_first), (fitting, rows, most - of_first)]:
        for last in range(end - min(wanted, end - start), end):
            place = start + next(words) % (last - start + 1)
            chosen.add(last if place in chosen else place)
    return chosen


def slow_tally(bound: BoundQuery, columns: Rows) -> list[int]:
    """Return the flat tally of rows given as columns."""
    rows = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    tables = [[0] * block.size for block in bound.blocks]
    for row in rows:  # under 'error' any invalid row is refused, also one that the bound would leave out
        for block in bound.blocks:
            hit(bound, block, row)
    for row in kept_rows(bound, rows):
        for block, table in zip(bound.blocks, tables, strict=True):
            flat, amount = hit(bound, block, row)
            if flat is not None:
                table[flat] += amount
            elif block.counts_dropped:
                table[-1] += 1
    return [number for table in tables for number in table]


def frames_of(columns: Rows, schema: dict[str, str]) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Yield the name and the maker of a frame for each engine; `schema` maps columns to text, int, float, bool."""
    import pandas as pd
    import polars as pl

    kinds = {"text": pl.String, "int": pl.Int64, "float": pl.Float64, "bool": pl.Boolean}
    frame = pl.DataFrame(columns, schema={name: kinds[kind] for name, kind in schema.items()})
    texts = [name for name, kind in schema.items() if kind == "text"]

    def pandas_objects() -> pd.DataFrame:
        return pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in columns.items()})

    def pandas_nullable() -> pd.DataFrame:
        dtypes = {"text": "string", "int": "Int64", "float": "Float64", "bool": "boolean"}
        made = {name: pd.array(values, dtype=dtypes[schema[name]]) for name, values in columns.items()}
        return pd.DataFrame(made)

    def pandas_plain() -> pd.DataFrame:
        dtypes = {"text": object, "int": float, "float": float, "bool": object}
        return pd.DataFrame({name: pd.Series(v, dtype=dtypes[schema[name]]) for name, v in columns.items()})

    yield "polars", lambda: frame
    yield "polars lazy", frame.lazy
    yield "polars categorical", lambda: frame.with_columns(pl.col(name).cast(pl.Categorical) for name in texts)
    yield "pyarrow", frame.to_arrow
    yield "pandas", pandas_plain
    yield "pandas objects", pandas_objects
    yield "pandas nullable", pandas_nullable
    yield "pandas categorical", lambda: pandas_plain().astype(dict.fromkeys(texts, "category"))


@pytest.fixture(scope="session")
def reference() -> Callable[[BoundQuery, Rows], list[int] | None]:
    """The tally as it must be; None where a row is refused."""

    def expected(bound: BoundQuery, columns: Rows) -> list[int] | None:
        try:
            return slow_tally(bound, columns)
        except Refused:
            return None

    return expected


@pytest.fixture(scope="session")
def engines() -> Callable[[Rows, dict[str, str]], Iterator[tuple[str, Callable[[], Any]]]]:
    return frames_of


@pytest.fixture(scope="session")
def blocks_of() -> Callable[[BoundQuery, Any], list[Any]]:
    return lambda bound, tally: list(split(tally.values, bound.blocks))
