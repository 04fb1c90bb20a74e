"""Histograms and quantiles over public bins."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from pets.domain import Domain, Integer, Numeric
from pets.errors import InvalidArgument
from pets.exact import Number, exact
from pets.noise import NoiseLaw, half_width, sum_of
from pets.query.base import Query, names_argument
from pets.query.estimate import PUBLISHED, Columns, Part, key_columns
from pets.query.layout import Block, table_block

MAX_DENOMINATOR = 1000
"""Finest probability a quantile may have, as 1/1000: the interval needs an exact small ratio."""


def bins_argument(bins: Sequence[Number] | None) -> tuple[Fraction, ...]:
    """Return bin edges as exact numbers; ``None`` (use the domain's own) becomes the empty tuple."""
    if bins is None:
        return ()
    if isinstance(bins, str) or not isinstance(bins, Sequence | np.ndarray):
        raise InvalidArgument("bins", "must be a list of edges")
    edges = tuple(exact(edge, f"bins.{i}") for i, edge in enumerate(bins))
    if len(edges) < 2 or any(b <= a for a, b in pairwise(edges)):
        raise InvalidArgument("bins", "must be at least two increasing edges")
    return edges


def rebin(domain: Domain, column: str, edges: tuple[Fraction, ...]) -> Domain:
    """Return the domain with `column` cut at `edges`, the last bin reaching up to the public bound.

    Raises
    ------
    InvalidArgument
        The column is categorical, has no bins at all, or the edges leave its public bounds.
    """
    attribute = domain[column]
    if not isinstance(attribute, Integer | Numeric):
        raise InvalidArgument("column", f"names {column!r}, which is not a number", "Declare it as Integer or Numeric.")
    if not edges:
        return domain
    if edges[0] != attribute.lower or edges[-1] > attribute.upper:
        raise InvalidArgument(
            "bins",
            f"must begin at the lower bound of {column!r} and stay within its upper bound",
            f"The declared range is {attribute.lower} to {attribute.upper}.",
        )
    closed = edges if edges[-1] == attribute.upper else (*edges, Fraction(attribute.upper))
    if isinstance(attribute, Integer):
        if any(edge.denominator != 1 for edge in closed):
            raise InvalidArgument("bins", f"must be whole numbers, since {column!r} is an integer")
        return domain.rebin(column, [int(edge) for edge in closed])
    return domain.rebin(column, closed)


@dataclass(frozen=True, init=False)
class _Binned(Query):
    """Common part: one number cut at public edges, and the attributes to group by."""

    column: str
    bins: tuple[Fraction, ...]
    by: tuple[str, ...]

    def __init__(self, column: str, bins: Sequence[Number] | None = None, by: Sequence[str] | str = ()) -> None:
        if not isinstance(column, str) or not column:
            raise InvalidArgument("column", "must be the name of an attribute")
        object.__setattr__(self, "column", column)
        object.__setattr__(self, "bins", bins_argument(bins))
        object.__setattr__(self, "by", names_argument(by, "by"))
        if column in self.by:
            raise InvalidArgument("by", f"repeats {column!r}")

    def needs(self) -> tuple[str, ...]:
        """Return the grouping attributes and the column."""
        return (*self.by, self.column)

    def refine(self, domain: Domain) -> Domain:
        """Return the domain with the column cut at the query's bins."""
        return rebin(domain, self.column, self.bins)

    def blocks(self, domain: Domain) -> tuple[Block, ...]:
        """Return the histogram in each group; the bins are the last axis."""
        block = table_block(domain, self.needs())
        if not block.axes[-1].edges:
            raise InvalidArgument(
                "column", f"names {self.column!r}, which has no bins", "Declare bins or give them here."
            )
        return (block,)


@dataclass(frozen=True, init=False)
class Histogram(_Binned):
    """How many rows fall into each public bin.

    Parameters
    ----------
    column
        An Integer or Numeric attribute.
    bins
        Edges, half-open but for the last bin (as in :func:`numpy.histogram`); the domain's own if left
        out. If they end below the attribute's upper bound, a last bin holds the rest.
    by
        Attributes to group by.
    """

    kind: ClassVar[str] = "histogram"

    def estimate(self, measured: Sequence[Part], level: float) -> Columns:
        """Return one line per group and bin."""
        (table,) = measured
        return key_columns(table.block.axes) | table.columns(level)


@dataclass(frozen=True, init=False)
class Quantiles(_Binned):
    """Quantiles of a number from its noisy histogram.

    The published value is interpolated within the bin where the noisy cumulative count crosses. Its interval is
    made of whole bins: bin j stays unless the noise law rejects, at level ``(1 - level) / 2`` on each side,
    that the cumulative count reaches the quantile in j. It covers the quantile's bin with probability at
    least `level`, for any number of bins (only the two comparisons at the true bin matter).

    Parameters
    ----------
    column
        An Integer or Numeric attribute.
    probabilities
        Strictly between 0 and 1, e.g. ``[0.25, 0.5, 0.75]``.
    bins, by
        As for :class:`Histogram`.
    """

    kind: ClassVar[str] = "quantiles"
    probabilities: tuple[Fraction, ...]

    def __init__(
        self,
        column: str,
        probabilities: Sequence[Number] = (Fraction(1, 2),),
        bins: Sequence[Number] | None = None,
        by: Sequence[str] | str = (),
    ) -> None:
        super().__init__(column, bins, by)
        if isinstance(probabilities, str) or not isinstance(probabilities, Sequence) or not probabilities:
            raise InvalidArgument("probabilities", "must be a list of numbers between 0 and 1")
        wanted = tuple(exact(p, f"probabilities.{i}") for i, p in enumerate(probabilities))
        if any(not 0 < p < 1 or p.denominator > MAX_DENOMINATOR for p in wanted):
            raise InvalidArgument(
                "probabilities", "must lie strictly between 0 and 1, in steps of 1/1000 or simple ratios"
            )
        object.__setattr__(self, "probabilities", wanted)

    def estimate(self, measured: Sequence[Part], level: float) -> Columns:
        """Return one line per group and probability."""
        (table,) = measured
        *groups, binned = table.block.axes
        counts = table.counts().reshape(-1, len(binned))[:, : len(binned.edges) - 1]
        lines = [_quantile(counts, binned.edges, p, table.law, level) for p in self.probabilities]
        keys = {name: np.repeat(column, len(lines)) for name, column in key_columns(groups).items()}
        probability = np.tile([float(p) for p in self.probabilities], len(counts))
        columns = {name: np.stack([line[name] for line in lines], axis=1).reshape(-1) for name in lines[0]}
        return keys | {"probability": probability} | columns


def _quantile(
    counts: NDArray[np.int64], public_edges: tuple[float, ...], p: Fraction, law: NoiseLaw, level: float
) -> Columns:
    """Return value, interval and status of one quantile in each group; counts have shape (groups, bins).

    With p = a/b the quantile lies in the first bin j where ``b (C_j - p N) = (b-a) below - a above`` is not
    negative: an integer combination of the cells, so its noise law is exact.
    """
    edges = np.asarray(public_edges)
    up, down = p.denominator - p.numerator, p.numerator
    bins = counts.shape[1]
    below = np.cumsum(counts, axis=1)
    excess = up * below - down * (below[:, -1:] - below)
    width = np.array([half_width(sum_of((law, up, j + 1), (law, down, bins - j - 1)), level) for j in range(bins)])
    reached = excess >= -width
    not_before = np.concatenate([np.ones((len(counts), 1), dtype=bool), excess[:, :-1] < width[:-1]], axis=1)
    kept = reached & not_before
    kept[~kept.any(axis=1)] = True
    first, last = kept.argmax(axis=1), bins - 1 - kept[:, ::-1].argmax(axis=1)
    at = np.clip((excess < 0).sum(axis=1), first, last)
    rows = np.arange(len(counts))
    inside = np.maximum(counts[rows, at], 1) * p.denominator
    share = np.clip(1 - excess[rows, at] / inside, 0.0, 1.0)
    value = edges[at] + share * (edges[at + 1] - edges[at])
    return {
        "value": value,
        "stderr": np.full(len(counts), np.nan),
        "ci_low": edges[first],
        "ci_high": edges[last + 1],
        "status": np.full(len(counts), PUBLISHED, dtype=object),
    }
