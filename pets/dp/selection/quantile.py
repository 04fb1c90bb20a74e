"""Quantiles and medians by the exponential mechanism over public bins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from math import lcm
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pets.csprng import RandomSource
from pets.domain import Label
from pets.dp.selection.best import weigh, within
from pets.dp.selection.coins import LARGEST_GAP
from pets.dp.selection.selector import Cost, Outcome, Selected, Selector
from pets.errors import InvalidArgument, PairingRefused
from pets.exact import Number, as_text, exact
from pets.guarantee import PureDP, ZeroConcentratedDP
from pets.query import BoundQuery, Columns, Histogram
from pets.query.binned import MAX_DENOMINATOR
from pets.tally import Tally


def rank_scores(counts: NDArray[np.int64], p: Fraction) -> NDArray[np.int64]:
    """Return for each bin minus its distance, in ranks times the denominator of p, from holding the p-quantile.

    With p = a/b and B_j rows below bin j, C_j up to its end and N in all, bin j holds the quantile when
    ``b B_j - a N <= 0 <= b C_j - a N``; its score is ``-max(0, b B_j - a N, a N - b C_j)``.
    """
    upto = np.cumsum(counts)
    target = p.numerator * int(upto[-1])
    above, below = p.denominator * (upto - counts) - target, target - p.denominator * upto
    scores: NDArray[np.int64] = -np.maximum(0, np.maximum(above, below))
    return scores


@dataclass(frozen=True, init=False)
class ExponentialQuantiles(Selector):
    """Choose for each probability the public bin that holds the quantile, or one near it.

    A bin is weighted by its width, as the exponential mechanism on the whole line would.

    Parameters
    ----------
    probabilities
        Strictly between 0 and 1, in steps of 1/1000 or simple ratios; the median if left out.
    epsilon
        Pure privacy loss of all of them together, or
    rho
        their zero-concentrated loss.

    Raises
    ------
    InvalidArgument
        An argument is out of range.

    Guarantee
    ---------
    Epsilon-DP or rho-zCDP for the privacy unit and relation of the domain; q quantiles share it as q mechanisms of
    bounded range. Scores of p = a/b move by at most max(a, b - a) a row under add/remove, where N changes too, and by
    b a row under replace-one, where it does not. Bins left and right of the quantile move in opposite directions, so
    the spread is twice that; nothing is given back. Widths are public and cancel.

    References
    ----------
    Smith, *Privacy-preserving statistical estimation with optimal convergence rates*, STOC 2011, Algorithm 2.
    McSherry, Talwar, FOCS 2007 (base measure). Cesar, Rogers, ALT 2021, Lemma 3.2.
    """

    kind: ClassVar[str] = "exponential_quantiles"
    probabilities: tuple[Fraction, ...]
    cost: Cost

    def __init__(
        self,
        probabilities: Number | tuple[Number, ...] | list[Number] = Fraction(1, 2),
        epsilon: Number | None = None,
        rho: Number | None = None,
    ) -> None:
        listed = probabilities if isinstance(probabilities, tuple | list) else [probabilities]
        wanted = tuple(exact(p, f"probabilities.{i}") for i, p in enumerate(listed))
        if not 1 <= len(wanted) <= 1000 or any(not 0 < p < 1 or p.denominator > MAX_DENOMINATOR for p in wanted):
            raise InvalidArgument(
                "probabilities", "must lie strictly between 0 and 1, in steps of 1/1000 or simple ratios"
            )
        object.__setattr__(self, "probabilities", wanted)
        object.__setattr__(self, "cost", Cost.of(epsilon, rho))

    def spread(self, query: BoundQuery, p: Fraction) -> int:
        """Return how far one unit can move two scores apart."""
        unit = query.domain.unit
        up, down = p.denominator - p.numerator, p.numerator
        row = max(up, down) if unit.neighbours == "add_remove" else p.denominator
        return 2 * row * unit.max_rows * unit.max_sites

    def rate(self, query: BoundQuery, p: Fraction) -> Fraction:
        """Return epsilon / spread for one of the probabilities."""
        return self.cost.bounded_range(len(self.probabilities)) / self.spread(query, p)

    def guarantee(self, query: BoundQuery) -> PureDP | ZeroConcentratedDP:
        """Return epsilon or rho under the domain's privacy unit."""
        widths(query)
        return self.cost.guarantee(query)

    def scores(self, total: Tally, query: BoundQuery) -> NDArray[np.int64]:
        """Return the confidential counts of the bins."""
        counts = query.check(total)[: len(widths(query))]
        return np.minimum(counts, LARGEST_GAP // (2 * MAX_DENOMINATOR * counts.size))

    def choose(self, scores: NDArray[np.int64], query: BoundQuery, source: RandomSource) -> Outcome:
        """Return one bin for each probability; `scores` are the counts of the bins."""
        measure = widths(query)
        ranked = ((self.rate(query, p), rank_scores(scores, p)) for p in self.probabilities)
        return tuple(weigh(rate, ranks, source, measure) for rate, ranks in ranked), {}

    def shortfall(self, query: BoundQuery, level: float = 0.95) -> int:
        """Return t such that with probability `level` each chosen bin is at most t ranks from holding its quantile."""
        measure = widths(query)
        others = float(measure.sum() / measure.min()) - 1
        chance = 1 - (1 - level) / len(self.probabilities)
        steps = (
            within(lambda w: others * w / (1 + others * w), self.rate(query, p) * p.denominator, chance)
            for p in self.probabilities
        )
        return max(steps) + 1

    def label(self, query: BoundQuery, index: int) -> dict[str, Label]:
        """Return the bin."""
        (block,) = query.blocks
        if not 0 <= index < len(widths(query)):
            raise InvalidArgument("index", "is not the number of a bin")
        return {block.axes[-1].name: block.axes[-1].labels[index]}

    def columns(self, selected: Selected) -> Columns:
        """Return probability, value (the middle of the bin), and the bin's edges as bin_low and bin_high."""
        edges = np.asarray(selected.query.blocks[0].axes[-1].edges)
        at = np.asarray(selected.chosen, dtype=np.int64)
        probability = np.array([float(p) for p in self.probabilities])
        low, high = edges[at], edges[at + 1]
        return {"probability": probability, "value": (low + high) / 2, "bin_low": low, "bin_high": high}

    def explain(self, query: BoundQuery, notes: Mapping[str, int]) -> str:
        """Return how good the choice is."""
        return f"In 95 of 100 publications each chosen bin is at most {self.shortfall(query)} rows from its quantile."

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {"type": self.kind, "probabilities": [as_text(p) for p in self.probabilities]} | self.cost.to_dict()


def widths(query: BoundQuery) -> NDArray[np.int64]:
    """Return the widths of the bins as whole numbers in proportion.

    Raises
    ------
    PairingRefused
        The query is no ungrouped histogram.
    InvalidArgument
        There is only one bin, or the edges have too many digits.
    """
    if not isinstance(query.query, Histogram) or query.query.by or query.blocks[0].impossible is not None:
        raise PairingRefused("quantiles are chosen among the bins of one Histogram without groups.")
    edges = [exact(edge, "bins") for edge in query.blocks[0].axes[-1].edges]
    scale = lcm(*(edge.denominator for edge in edges))
    whole = [int((b - a) * scale) for a, b in pairwise(edges)]
    if len(whole) < 2:
        raise InvalidArgument("bins", "leave nothing to choose", "Declare at least two bins.")
    if sum(whole) > 2**62:
        raise InvalidArgument("bins", "have too many digits", "Use edges with fewer decimals.")
    return np.array(whole, dtype=np.int64)
