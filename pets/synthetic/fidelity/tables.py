"""Total variation of tables of one to three columns, and what becomes of combinations that few people have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from itertools import combinations
from math import prod

import numpy as np
from numpy.typing import NDArray

from pets.synthetic.fidelity.metric import Better, Line
from pets.synthetic.fidelity.rows import Rows, Schema
from pets.synthetic.tables import count

Axes = tuple[int, ...]

MOST_TABLES = 64
"""Tables of one order: all, or so many spread evenly over the list of all."""

MOST_CELLS = 2**20
BUCKETS = ((1, 4), (5, 15), (16, None))
"""Sizes of real cells that are reported apart."""

_ORDERS = {1: "single columns", 2: "pairs of columns", 3: "triples of columns"}


def workload(schema: Schema, order: int) -> tuple[Axes, ...]:
    """Return the tables of one order that are compared."""
    sizes = schema.encoding.sizes
    fitting = [axes for axes in combinations(range(len(sizes)), order) if prod(sizes[a] for a in axes) <= MOST_CELLS]
    if len(fitting) <= MOST_TABLES:
        return tuple(fitting)
    chosen = np.linspace(0, len(fitting) - 1, MOST_TABLES).round().astype(int)
    return tuple(fitting[i] for i in chosen)


class TableDistance:
    """Mean total variation of the tables of one order, and that of the worst of them.

    The total variation of two tables is half the sum of the absolute differences of their shares: the share of rows
    that would have to change.
    """

    pool: NDArray[np.int64] | None = None

    def __init__(self, real: Rows, order: int) -> None:
        self.order = order
        self.axes = workload(real.schema, order)
        self._sizes = real.schema.encoding.sizes
        self._shares = {axes: count(real.codes, self._sizes, axes) / real.n for axes in self.axes}

    @property
    def lines(self) -> tuple[Line, ...]:
        """Mean and worst."""
        what = f"{_ORDERS[self.order]} ({len(self.axes)} tables)"
        return Line("total variation, mean", what), Line("total variation, worst table", what)

    def scores(self, rows: Rows) -> Mapping[Line, float]:
        """Return both."""
        found = self.each(rows)
        return dict(zip(self.lines, (float(found.mean()), float(found.max())), strict=True))

    def each(self, rows: Rows) -> NDArray[np.float64]:
        """Return the total variation of each table."""
        shares = self._shares.items()
        return np.array([np.abs(count(rows.codes, self._sizes, axes) / rows.n - p).sum() / 2 for axes, p in shares])


class RareCombinations:
    """Are combinations of two or three values still there, by how many people have them; and are others invented?

    *Found* is the share of the real combinations of a bucket that occur among the rows. *Weight* is how many rows have
    them, over how many should. A score over all combinations would be ruled by the common ones.
    """

    pool: NDArray[np.int64] | None = None

    def __init__(self, real: Rows, order: int) -> None:
        self.order = order
        self._sizes = real.schema.encoding.sizes
        self._n = real.n
        self._counts = {axes: count(real.codes, self._sizes, axes) for axes in workload(real.schema, order)}
        self._used = tuple(b for b in BUCKETS if any(_within(c, b).any() for c in self._counts.values()))

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        """Found and weight for each bucket that is not empty, and invented."""
        what = _ORDERS[self.order]
        return (
            *(Line(f"rare combinations, {kind}", f"{what}, {_words(bucket)} real rows", better)
              for bucket in self._used for kind, better in _KINDS),
            Line("combinations that no real row has", what, comparable=False),
        )  # fmt: skip

    def scores(self, rows: Rows) -> Mapping[Line, float]:
        """Return all."""
        return dict(zip(self.lines, self._values(rows), strict=True))

    def _values(self, rows: Rows) -> Iterator[float]:
        drawn = {axes: count(rows.codes, self._sizes, axes) for axes in self._counts}
        for bucket in self._used:
            inside = {axes: _within(real, bucket) for axes, real in self._counts.items()}
            cells = sum(int(mask.sum()) for mask in inside.values())
            yield sum(int((drawn[axes][mask] > 0).sum()) for axes, mask in inside.items()) / cells
            mass = sum(int(drawn[axes][mask].sum()) for axes, mask in inside.items())
            truth = sum(int(self._counts[axes][mask].sum()) for axes, mask in inside.items())
            yield abs(np.log(max(mass * self._n / rows.n, 0.5) / truth))
        some = sum(int((table > 0).sum()) for table in drawn.values())
        yield sum(int(((table > 0) & (self._counts[axes] == 0)).sum()) for axes, table in drawn.items()) / some


_KINDS: tuple[tuple[str, Better], ...] = (("share found", "larger"), ("weight off by a factor, logarithm", "smaller"))


def _within(counts: NDArray[np.int64], bucket: tuple[int, int | None]) -> NDArray[np.bool_]:
    low, high = bucket
    return (counts >= low) & (counts <= (np.inf if high is None else high))


def _words(bucket: tuple[int, int | None]) -> str:
    return f"{bucket[0]}+" if bucket[1] is None else f"{bucket[0]}-{bucket[1]}"
