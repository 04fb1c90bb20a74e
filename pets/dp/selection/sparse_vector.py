"""Sparse vector: which scores, in their declared order, are above a public threshold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pets.csprng import RandomSource
from pets.dp.additive import drawable
from pets.dp.samplers import Law, draw
from pets.dp.selection.candidates import candidates
from pets.dp.selection.coins import LARGEST_GAP
from pets.dp.selection.selector import Outcome, Selector
from pets.errors import InvalidArgument
from pets.exact import Number, as_text, exact, positive
from pets.guarantee import PureDP
from pets.noise import DiscreteLaplaceLaw, half_width
from pets.query import BoundQuery

_GRID = 1000


def crossings(scores: NDArray[np.int64], bar: int, noise: NDArray[np.int64], limit: int) -> tuple[tuple[int, ...], int]:
    """Return which of the first scores reach the noisy bar, and how many were looked at before the limit stopped it.

    Nothing after the last positive answer that is allowed is answered, and no score is published.
    """
    above = np.flatnonzero(scores + noise >= bar)
    seen = len(scores) if len(above) < limit else int(above[limit - 1]) + 1
    return tuple(int(i) for i in above[:limit]), seen


@dataclass(frozen=True, init=False)
class AboveThreshold(Selector):
    """Answer for one score after the other whether it reaches a public threshold, until `limit` do.

    Scores come in the order of the table's cells (or of the tables), so that with years as the axis this finds the
    first years with at least so many cases. Scores below the threshold are free; only the `limit` above it are paid
    for.

    Parameters
    ----------
    threshold
        Public whole number, in integer units of the score.
    epsilon
        Pure privacy loss of all answers together, above 0.
    limit
        How many positive answers may be given; then it stops.
    share
        Part of epsilon that the noise of the threshold gets, as an exact number between 0 and 1. Left out: the part
        that makes the variance of the compared noises least, 1 / (1 + (limit spread / linf)^(2/3)) to three decimals.

    Raises
    ------
    InvalidArgument
        An argument is out of range.

    Guarantee
    ---------
    Pure epsilon-DP for the privacy unit and relation of the domain. Threshold noise is drawn once, with scale
    linf / epsilon1; each score gets fresh noise of scale limit spread / epsilon2, epsilon1 + epsilon2 = epsilon. Let
    h be the largest change of a score. Moving the noisy threshold by h keeps every negative answer, at a cost of
    epsilon1; moving the noise of each positive answer by h - d_i <= spread keeps those, at epsilon2 / limit each. The
    spread is ``linf`` for monotone scores (Lyu et al., Theorem 5), else up to ``2 linf``. The noise of the threshold
    must not be used for anything else, the noisy scores must not be published, and the limit must be kept: variants
    without one of these have no guarantee (their Algorithms 3 to 6).

    References
    ----------
    Dwork, Naor, Reingold, Rothblum, Vadhan, *On the complexity of differentially private data release*, STOC 2009.
    Lyu, Su, Li, *Understanding the sparse vector technique for differential privacy*, VLDB 2017, Algorithm 7,
    Theorems 4 and 5.
    """

    kind: ClassVar[str] = "above_threshold"
    threshold: int
    epsilon: Fraction
    limit: int
    share: Fraction | None

    def __init__(self, threshold: int, epsilon: Number, limit: int = 1, share: Number | None = None) -> None:
        if isinstance(threshold, bool) or not isinstance(threshold, int) or abs(threshold) > LARGEST_GAP // 2:
            raise InvalidArgument("threshold", "must be a whole number in units of the score")
        if isinstance(limit, bool) or not isinstance(limit, int) or not 1 <= limit <= 10**6:
            raise InvalidArgument("limit", "must be a whole number between 1 and 1,000,000")
        part = None if share is None else exact(share, "share")
        if part is not None and not 0 < part < 1:
            raise InvalidArgument("share", "must lie strictly between 0 and 1")
        object.__setattr__(self, "threshold", threshold)
        object.__setattr__(self, "epsilon", positive(epsilon, "epsilon"))
        object.__setattr__(self, "limit", limit)
        object.__setattr__(self, "share", part)

    def laws(self, query: BoundQuery) -> tuple[DiscreteLaplaceLaw, DiscreteLaplaceLaw]:
        """Return the law of the threshold's noise and that of each score's."""
        among = candidates(query)
        ratio = self.limit * among.spread / among.linf
        best = Fraction(min(max(round(_GRID / (1 + ratio ** (2 / 3))), 1), _GRID - 1), _GRID)
        share = best if self.share is None else self.share
        bar = among.linf / (share * self.epsilon)
        each = self.limit * among.spread / ((1 - share) * self.epsilon)
        return DiscreteLaplaceLaw(drawable(bar, "epsilon")), DiscreteLaplaceLaw(drawable(each, "epsilon"))

    def guarantee(self, query: BoundQuery) -> PureDP:
        """Return epsilon under the domain's privacy unit."""
        self.laws(query)
        return PureDP(self.epsilon, unit=query.domain.unit)

    def choose(self, scores: NDArray[np.int64], query: BoundQuery, source: RandomSource) -> Outcome:
        """Return the scores that are above, and how many were answered."""
        bar, each = self.laws(query)
        threshold = self.threshold + int(draw(Law.laplace(bar.scale), 1, source)[0])
        noise = draw(Law.laplace(each.scale), scores.size, source)
        above, seen = crossings(scores, threshold, noise, self.limit)
        return above, {"answered": seen}

    def shortfall(self, query: BoundQuery, level: float = 0.95) -> int:
        """Return t such that with probability `level` every answer is right for scores t or more from the threshold."""
        half_width(self.laws(query)[0], level)
        miss = (1 - level) / (len(candidates(query)) + 1)
        return sum(half_width(law, 1 - miss) for law in self.laws(query)) + 1

    def explain(self, query: BoundQuery, notes: Mapping[str, int]) -> str:
        """Return how good the answers are."""
        return (
            f"In 95 of 100 publications every answer is right for scores at least {self.shortfall(query)} away from "
            f"the threshold {self.threshold}; {notes.get('answered', 0)} scores were compared."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        settings = {"type": self.kind, "threshold": self.threshold, "epsilon": as_text(self.epsilon)}
        return settings | {"limit": self.limit} | ({} if self.share is None else {"share": as_text(self.share)})
