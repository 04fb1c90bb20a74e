"""The best candidate: exponential mechanism, permute-and-flip, and report noisy max with its lead."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pets.csprng import RandomSource
from pets.dp.additive import drawable
from pets.dp.samplers import Law, draw
from pets.dp.selection.candidates import candidates
from pets.dp.selection.coins import toss, uniform
from pets.dp.selection.levels import weigh_measured
from pets.dp.selection.selector import Cost, Outcome, Selector
from pets.errors import InvalidArgument
from pets.exact import Number, as_text, positive
from pets.guarantee import PureDP, ZeroConcentratedDP
from pets.noise import DiscreteLaplaceLaw, half_width, sum_of
from pets.query import BoundQuery

_FIRST_BATCH, _LARGEST_BATCH = 64, 2**16


def weigh(
    rate: Fraction,
    scores: NDArray[np.int64],
    source: RandomSource,
    measure: NDArray[np.int64] | None = None,
) -> int:
    """Return i with probability exactly proportional to ``measure[i] exp(rate scores[i])``.

    A candidate is proposed uniformly and accepted by its coin; the first that is accepted is returned. How many
    proposals it takes is independent of which it is. It does depend on the scores: on average there are as many as
    there are candidates, at most, and fewer if many scores are near the best; so does the time that it takes. With a
    measure two are enough on average, see :mod:`pets.dp.selection.levels`.
    """
    gaps = scores.max() - scores
    if measure is not None:
        return weigh_measured(rate, gaps, measure, source)
    batch = _FIRST_BATCH
    while True:
        proposed = uniform(len(gaps), batch, source)
        accepted = np.flatnonzero(toss(rate, gaps[proposed], source))
        if accepted.size:
            return int(proposed[accepted[0]])
        batch = min(2 * batch, _LARGEST_BATCH)


def flip(rate: Fraction, scores: NDArray[np.int64], source: RandomSource) -> int:
    """Return the first candidate, in random order, whose coin of bias ``exp(-rate gap)`` accepts.

    The coins do not depend on the order. So all are tossed, and the first in a random order is a uniform choice among
    those that accepted; the best one always does.
    """
    accepted = np.flatnonzero(toss(rate, scores.max() - scores, source))
    return int(accepted[int(uniform(accepted.size, 1, source)[0])])


def lead(noisy: NDArray[np.int64], priority: NDArray[np.int64]) -> tuple[int, int]:
    """Return the winner, and how much less its noisy score could have been for it to win still.

    Ties go to the lower `priority`, a random order drawn beforehand: for fixed noise of the others, the winner wins
    with this lead at exactly one value of its own noise. A lead that took a tie for 0 on either side would lack that.
    """
    winner = int(np.lexsort((priority, -noisy))[0])
    others = np.arange(len(noisy)) != winner
    needed = noisy[others] + (priority[others] < priority[winner])
    return winner, int(noisy[winner] - needed.max())


def within(rival: Callable[[float], float], rate: Fraction, level: float) -> int:
    """Return t such that a gap above t has a chance of at most 1 - level.

    ``rival(exp(-rate t))`` is the chance of a gap of t or more.
    """
    if isinstance(level, bool) or not isinstance(level, int | float) or not 0 < level < 1:
        raise InvalidArgument("level", "must be strictly between 0 and 1", "Give for example level=0.95.")
    allowed = (1 - level) * (1 - 1e-9)
    low, high = -1, 1
    while rival(math.exp(-float(rate * high))) > allowed:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if rival(math.exp(-float(rate * middle))) <= allowed else (middle, high)
    return max(high - 1, 0)


@dataclass(frozen=True, init=False)
class ExponentialMechanism(Selector):
    """Choose a candidate with probability proportional to exp(epsilon score / spread).

    Parameters
    ----------
    epsilon
        Pure privacy loss, above 0, or
    rho
        zero-concentrated privacy loss; then epsilon is the largest with epsilon²/8 <= rho.

    Raises
    ------
    InvalidArgument
        Not exactly one of the two is given, or it is not above 0.

    Guarantee
    ---------
    Let d be the change of all scores between neighbours, under the relation of the domain's privacy unit. The weights
    of two candidates change against each other by at most exp(epsilon (d_i - d_j) / spread) <= exp(epsilon): the
    mechanism has *bounded range* epsilon, hence is epsilon-DP and epsilon²/8-zCDP. The spread is ``linf`` where all
    scores move in one direction (monotone), else up to ``2 linf``.

    References
    ----------
    McSherry, Talwar, *Mechanism design via differential privacy*, FOCS 2007. Durfee, Rogers, *Practical differentially
    private top-k selection with pay-what-you-get composition*, NeurIPS 2019 (bounded range). Cesar, Rogers, *Bounding,
    concentrating, and truncating*, ALT 2021, Lemma 3.2.
    """

    kind: ClassVar[str] = "exponential_mechanism"
    cost: Cost

    def __init__(self, epsilon: Number | None = None, rho: Number | None = None) -> None:
        object.__setattr__(self, "cost", Cost.of(epsilon, rho))

    def rate(self, query: BoundQuery) -> Fraction:
        """Return epsilon / spread."""
        return self.cost.bounded_range(1) / candidates(query).spread

    def guarantee(self, query: BoundQuery) -> PureDP | ZeroConcentratedDP:
        """Return epsilon or rho under the domain's privacy unit."""
        candidates(query)
        return self.cost.guarantee(query)

    def choose(self, scores: NDArray[np.int64], query: BoundQuery, source: RandomSource) -> Outcome:
        """Return one candidate."""
        return (weigh(self.rate(query), scores, source),), {}

    def shortfall(self, query: BoundQuery, level: float = 0.95) -> int:
        """Return how far below the best the score may be; worst when all others are equally far below."""
        others = len(candidates(query)) - 1
        return within(lambda w: others * w / (1 + others * w), self.rate(query), level)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {"type": self.kind} | self.cost.to_dict()


@dataclass(frozen=True, init=False)
class PermuteAndFlip(Selector):
    """Go through the candidates in random order; take the first whose coin of bias exp(-epsilon gap / spread) accepts.

    Never worse in expectation than the exponential mechanism at the same epsilon, up to twice as good, and optimal
    among a wide class. It is report noisy max with exponential noise, drawn exactly.

    Parameters
    ----------
    epsilon
        Pure privacy loss, above 0.

    Guarantee
    ---------
    Pure epsilon-DP for the privacy unit and relation of the domain. As an argmax of scores plus independent exponential
    noise of mean spread / epsilon it does not change if one number is added to all scores; so the change of the scores
    may be taken to lie in [0, spread], where the tail of the noise of the winner grows by at most exp(epsilon). It has
    no bounded range: its zero-concentrated price is that of any epsilon-DP mechanism, epsilon²/2.

    References
    ----------
    McKenna, Sheldon, *Permute-and-flip: a new mechanism for differentially private selection*, NeurIPS 2020, Theorem 1.
    Ding, Kifer, Sayed Ghorban, Steinke, Wang, Xiao, Zhang, *The permute-and-flip mechanism is identical to
    report-noisy-max with exponential noise*, 2021.
    """

    kind: ClassVar[str] = "permute_and_flip"
    epsilon: Fraction

    def __init__(self, epsilon: Number) -> None:
        object.__setattr__(self, "epsilon", positive(epsilon, "epsilon"))

    def rate(self, query: BoundQuery) -> Fraction:
        """Return epsilon / spread."""
        return self.epsilon / candidates(query).spread

    def guarantee(self, query: BoundQuery) -> PureDP:
        """Return epsilon under the domain's privacy unit."""
        candidates(query)
        return PureDP(self.epsilon, unit=query.domain.unit)

    def choose(self, scores: NDArray[np.int64], query: BoundQuery, source: RandomSource) -> Outcome:
        """Return one candidate."""
        return (flip(self.rate(query), scores, source),), {}

    def shortfall(self, query: BoundQuery, level: float = 0.95) -> int:
        """Return how far below the best the score may be; worst when all others are equally far below."""
        others = len(candidates(query)) - 1
        return within(lambda w: _outflipped(others, w), self.rate(query), level)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {"type": self.kind, "epsilon": as_text(self.epsilon)}


def _outflipped(others: int, w: float) -> float:
    """Return E[K / (K + 1)] for K binomial (others, w): the chance that none but a rival is taken."""
    mean = (others + 1) * w
    if mean < 1e-6:  # the first term of the series bounds it from above, without cancellation
        return others * w / 2
    return 1 + math.expm1((others + 1) * math.log1p(-w)) / mean if w < 1 else others / (others + 1)


@dataclass(frozen=True, init=False)
class ReportNoisyMax(Selector):
    """Choose the candidate with the largest noisy score, and publish its lead at no further cost.

    The noise is two-sided discrete Laplace of scale spread / epsilon. The lead says how certain the choice is: see
    :meth:`doubt`. Ties are broken by a random order.

    Parameters
    ----------
    epsilon
        Pure privacy loss of winner and lead together, above 0.

    Guarantee
    ---------
    Pure epsilon-DP for the privacy unit and relation of the domain. Fix the noise of all others: (winner i, lead g)
    happens at exactly one value of the noise of i, and between neighbours that value moves by at most the spread.

    References
    ----------
    Ding, Wang, Zhang, Kifer, *Free gap information from the differentially private sparse vector and noisy max
    mechanisms*, VLDB 2019, Theorem 2.
    """

    kind: ClassVar[str] = "report_noisy_max"
    epsilon: Fraction

    def __init__(self, epsilon: Number) -> None:
        object.__setattr__(self, "epsilon", positive(epsilon, "epsilon"))

    def law(self, query: BoundQuery) -> DiscreteLaplaceLaw:
        """Return the law of each candidate's noise."""
        return DiscreteLaplaceLaw(drawable(candidates(query).spread / self.epsilon, "epsilon"))

    def guarantee(self, query: BoundQuery) -> PureDP:
        """Return epsilon under the domain's privacy unit."""
        self.law(query)
        return PureDP(self.epsilon, unit=query.domain.unit)

    def choose(self, scores: NDArray[np.int64], query: BoundQuery, source: RandomSource) -> Outcome:
        """Return the winner and its lead."""
        noise = draw(Law.laplace(self.law(query).scale), scores.size, source)
        winner, ahead = lead(scores + noise, random_order(scores.size, source))
        return (winner,), {"lead": ahead}

    def shortfall(self, query: BoundQuery, level: float = 0.95) -> int:
        """Return how far below the best the score may be: the noise of each rival against that of the best."""
        others = len(candidates(query)) - 1
        law = self.law(query)
        return half_width(sum_of((law, 1, 2)), level if others == 1 else 1 - 2 * (1 - level) / others)

    def doubt(self, query: BoundQuery, ahead: int) -> float:
        """Return at most how likely a lead of `ahead` or more is for a winner with less than the best score."""
        law = self.law(query)
        return min(1.0, (len(candidates(query)) - 1) * (1 - sum_of((law, 1, 2)).cdf(ahead) + 1e-12))

    def explain(self, query: BoundQuery, notes: Mapping[str, int]) -> str:
        """Return how good the choice is, and how rare such a lead would be for a wrong winner."""
        doubt = self.doubt(query, notes["lead"]) if "lead" in notes else 1.0
        rare = f" A lead of {notes['lead']} or more comes to a worse candidate in at most {100 * doubt:.2g} of 100."
        return super().explain(query, notes) + (rare if doubt < 1 else "")

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {"type": self.kind, "epsilon": as_text(self.epsilon)}


def random_order(size: int, source: RandomSource) -> NDArray[np.int64]:
    """Return a uniform permutation: the ranks of distinct random words."""
    while True:
        words = source.words(size, np.uint64)
        order = np.argsort(words, kind="stable")
        if not np.any(words[order[1:]] == words[order[:-1]]):
            ranks = np.empty(size, dtype=np.int64)
            ranks[order] = np.arange(size)
            return ranks
