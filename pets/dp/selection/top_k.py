"""The k best candidates: by peeling with the exponential mechanism, or from one noisy table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from pets.csprng import RandomSource
from pets.dp.additive import drawable
from pets.dp.samplers import LARGEST_SCALE, Law, draw
from pets.dp.selection.best import random_order, weigh, within
from pets.dp.selection.candidates import candidates
from pets.dp.selection.selector import Cost, Outcome, Selector
from pets.errors import InvalidArgument, did_you_mean
from pets.exact import Number
from pets.guarantee import PureDP, ZeroConcentratedDP
from pets.noise import DiscreteGaussianLaw, DiscreteLaplaceLaw, half_width
from pets.query import BoundQuery

Method = Literal["auto", "peeling", "table"]


@dataclass(frozen=True, init=False)
class TopK(Selector):
    """Choose `k` candidates with large scores, in order.

    Parameters
    ----------
    k
        How many; less than there are candidates.
    epsilon
        Pure privacy loss of the whole choice, or
    rho
        its zero-concentrated loss.
    method
        ``'peeling'``: k exponential mechanisms, each among what is left. ``'table'``: noise on every score at once and
        the k largest; its cost depends on L1 (or L2) and not on k. ``'auto'`` (default): whichever has the smaller
        shortfall, decided on public numbers. Where a unit is in few cells of one table, that is ``'table'``; where it
        is in every table of a large set, peeling.

    Raises
    ------
    InvalidArgument
        An argument is out of range.

    Guarantee
    ---------
    Epsilon-DP or rho-zCDP for the privacy unit and relation of the domain. Peeling composes k mechanisms of bounded
    range epsilon / k, or of rho / k each with epsilon² = 8 rho / k: four times less than k pure mechanisms of the same
    epsilon would cost in rho. It has the law of one-shot Gumbel noise. The table is a discrete Laplace (Gaussian)
    mechanism at exact L1 (L2) sensitivity, and taking its largest entries is post-processing.

    References
    ----------
    Durfee, Rogers, *Practical differentially private top-k selection with pay-what-you-get composition*, NeurIPS 2019,
    Lemma 4.2. Cesar, Rogers, *Bounding, concentrating, and truncating*, ALT 2021, Lemma 3.2.
    """

    kind: ClassVar[str] = "top_k"
    k: int
    cost: Cost
    method: Method

    def __init__(
        self, k: int, epsilon: Number | None = None, rho: Number | None = None, method: Method = "auto"
    ) -> None:
        if isinstance(k, bool) or not isinstance(k, int) or not 1 <= k <= 1000:
            raise InvalidArgument("k", "must be a whole number between 1 and 1,000")
        if method not in get_args(Method):
            raise InvalidArgument("method", "is not known", did_you_mean(str(method), get_args(Method)))
        object.__setattr__(self, "k", k)
        object.__setattr__(self, "cost", Cost.of(epsilon, rho))
        object.__setattr__(self, "method", method)

    def guarantee(self, query: BoundQuery) -> PureDP | ZeroConcentratedDP:
        """Return epsilon or rho under the domain's privacy unit."""
        if self.k >= len(candidates(query)):
            raise InvalidArgument("k", "must be smaller than the number of candidates")
        return self.cost.guarantee(query)

    def rate(self, query: BoundQuery) -> Fraction:
        """Return epsilon / spread of each step of peeling."""
        return self.cost.bounded_range(self.k) / candidates(query).spread

    def law(self, query: BoundQuery) -> DiscreteLaplaceLaw | DiscreteGaussianLaw:
        """Return the noise of each score, when all of them get noise."""
        sensitivity = candidates(query).sensitivity
        if self.cost.pure:
            return DiscreteLaplaceLaw(drawable(sensitivity.l1 / self.cost.amount, "epsilon"))
        variance = sensitivity.l2_squared / (2 * self.cost.amount)
        drawable(variance / LARGEST_SCALE, "rho")
        return DiscreteGaussianLaw(variance)

    def chosen_method(self, query: BoundQuery) -> Method:
        """Return how the choice is made, which depends on public numbers only."""
        if self.method != "auto":
            return self.method
        return "peeling" if self._peeled(query, 0.95) < self._tabled(query, 0.95) else "table"

    def choose(self, scores: NDArray[np.int64], query: BoundQuery, source: RandomSource) -> Outcome:
        """Return k candidates, the best first."""
        if self.chosen_method(query) == "peeling":
            return peel(self.rate(query), scores, self.k, source), {}
        law = self.law(query)
        noise = Law.laplace(law.scale) if isinstance(law, DiscreteLaplaceLaw) else Law.gaussian(law.sigma2)
        noisy = scores + draw(noise, scores.size, source)
        order = np.lexsort((random_order(scores.size, source), -noisy))
        return tuple(int(index) for index in order[: self.k]), {}

    def shortfall(self, query: BoundQuery, level: float = 0.95) -> int:
        """Return t such that with probability `level` no choice is more than t below the k-th best score."""
        self.guarantee(query)
        return self._peeled(query, level) if self.chosen_method(query) == "peeling" else self._tabled(query, level)

    def _peeled(self, query: BoundQuery, level: float) -> int:
        """At each step one of the k best is left: the chance of a worse choice is that of one mechanism."""
        others = len(candidates(query)) - 1
        return within(lambda w: self.k * others * w / (1 + others * w), self.rate(query), level)

    def _tabled(self, query: BoundQuery, level: float) -> int:
        return 2 * half_width(self.law(query), 1 - (1 - level) / len(candidates(query)))

    def explain(self, query: BoundQuery, notes: Mapping[str, int]) -> str:
        """Return how good the choice is."""
        return f"In 95 of 100 publications no chosen score is more than {self.shortfall(query)} below the k-th best."

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        settings = {"type": self.kind, "k": self.k} | self.cost.to_dict()
        return settings | ({} if self.method == "auto" else {"method": self.method})


def peel(rate: Fraction, scores: NDArray[np.int64], k: int, source: RandomSource) -> tuple[int, ...]:
    """Return k candidates, each chosen by the exponential mechanism among those that are left."""
    left = np.arange(scores.size)
    found: list[int] = []
    for _ in range(k):
        at = weigh(rate, scores[left], source)
        found.append(int(left[at]))
        left = np.delete(left, at)
    return tuple(found)
