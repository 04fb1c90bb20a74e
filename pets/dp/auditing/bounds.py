"""From counts of outcomes under two neighbouring data sets to a lower bound of the privacy loss between them.

A first sample chooses what to look at, a second, independent one bounds it, so that the choice costs no confidence.

* :func:`epsilon_bound`: one event E, chosen by the Neyman-Pearson lemma (the outcomes of largest likelihood ratio).
  Under (epsilon, delta)-DP ``P(E) <= e^epsilon Q(E) + delta``.
* :func:`divergence_bound`: a score f, the clipped logarithm of the likelihood ratio. Donsker and Varadhan (1975):
  ``E_P[f] - log E_Q[e^f]`` is at most the Kullback-Leibler divergence of P from Q, whatever f is, and equal to it
  for the true ratio. Rho-zCDP bounds that divergence by rho, as do all Rényi divergences of order above 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pets.dp.auditing.confidence import at_least, at_most, mean_error

Counts = NDArray[np.int64]
Pair = tuple[Counts, Counts]

_CAREFUL, _CONFIDENT, _RARE = 2.0, 3.5, 10
"""Standard errors to discount for the choice itself and for the later bound, and draws, so that no rare event wins."""

_CLIPS = (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 8.0)
"""Candidates for the largest score."""


@dataclass(frozen=True, slots=True)
class Found:
    """A lower confidence bound and the figures behind it.

    Attributes
    ----------
    value
        The bound; 0 when nothing can be said.
    first, second
        Means under the one and the other data set: probabilities of the event, or ``E_P[f]`` and ``E_Q[e^f]``.
    draws
        Number of draws of each that the bound rests on.
    """

    value: float
    first: float
    second: float
    draws: int


def epsilon_bound(ordered_on: Pair, chosen_on: Pair, tested_on: Pair, delta: float, alpha: float) -> Found:
    """Return a lower bound of epsilon at `delta` for a pair of output laws, wrong with probability at most `alpha`.

    Parameters
    ----------
    ordered_on, chosen_on, tested_on
        Counts of each outcome under either law, in three independent samples: to sort outcomes by likelihood ratio, to
        choose how many of them make the event, and to bound its probabilities.
    delta
        Mass that may be left out, at least 0.
    alpha
        One minus the confidence.
    """
    more = max(1.0, tested_on[0].sum() / chosen_on[0].sum())
    options = [
        (*_best_event(_orders(*pairs[0]), *pairs[1], delta, more), flip)
        for flip, pairs in enumerate(((ordered_on, chosen_on), (ordered_on[::-1], chosen_on[::-1])))
    ]
    _, event, flip = max(options, key=lambda option: option[0])
    first, second = tested_on[::-1] if flip else tested_on
    hits, misses = int(first[event].sum()), int(second[event].sum())
    draws = min(int(first.sum()), int(second.sum()))
    low, high = at_least(hits, int(first.sum()), alpha / 2), at_most(misses, int(second.sum()), alpha / 2)
    value = math.log((low - delta) / high) if low > delta and high > 0 else 0.0
    return Found(max(value, 0.0), hits / int(first.sum()), misses / int(second.sum()), draws)


def _orders(first: Counts, second: Counts) -> tuple[NDArray[np.intp], ...]:
    """Return orders whose first outcomes may make the event: by falling likelihood ratio, and from either end.

    Where the ratio is monotone, as for one cell with symmetric noise, the ends are right and have no scatter.
    """
    plain = np.arange(len(first))
    return np.argsort(-_log_ratio(first, second), kind="stable"), plain, plain[::-1]


def _best_event(
    orders: tuple[NDArray[np.intp], ...], first: Counts, second: Counts, delta: float, more: float
) -> tuple[float, NDArray[np.intp]]:
    """Return what the most promising event promises, and its outcomes."""
    found = [(_promises(first[order], second[order], delta, more), order) for order in orders]
    promise, order = max(found, key=lambda pair: float(pair[0].max()))
    best = int(np.argmax(promise))
    return float(promise[best]), order[: best + 1]


def _promises(first: Counts, second: Counts, delta: float, more: float) -> NDArray[np.float64]:
    """Return the bound that the first 1, 2, ... outcomes will about give in a sample `more` times as large."""
    n, m = int(first.sum()), int(second.sum())
    p, q = np.cumsum(first) / n, np.cumsum(second) / m
    care = _CAREFUL + _CONFIDENT / math.sqrt(more)
    surely = p - delta - care * np.sqrt(np.maximum(p * (1 - p), 1 / n) / n)
    mostly = q + care * np.sqrt(np.maximum(q * (1 - q), 1 / m) / m) + _RARE / m
    return np.asarray(np.log(np.maximum(surely, 1e-300) / mostly))


def divergence_bound(chosen_on: Pair, tested_on: Pair, alpha: float) -> Found:
    """Return a lower bound of the larger Kullback-Leibler divergence, wrong with probability at most `alpha`.

    Parameters
    ----------
    chosen_on, tested_on
        Counts of each outcome under either law, in two independent samples.
    alpha
        One minus the confidence.
    """
    grow = max(1, int(tested_on[0].sum() // chosen_on[0].sum()))  # what the options would give in the larger sample
    options = []
    for flip in (False, True):
        first, second = chosen_on[::-1] if flip else chosen_on
        ratio = _log_ratio(first, second)
        for clip in _CLIPS:
            promise = _variational(grow * first, grow * second, np.clip(ratio, -clip, clip), alpha).value
            options.append((promise, flip, clip, ratio))
    _, flip, clip, ratio = max(options, key=lambda option: option[0])
    first, second = tested_on[::-1] if flip else tested_on
    return _variational(first, second, np.clip(ratio, -clip, clip), alpha)


def _variational(first: Counts, second: Counts, score: NDArray[np.float64], alpha: float) -> Found:
    # Scaled so that the largest e^f is 1: the shift cancels in the difference and keeps the numbers small.
    score = score - score.max()
    mean, below = mean_error(first, score, alpha / 2)
    weight, above = mean_error(second, np.exp(score), alpha / 2)
    value = mean - below - math.log(weight + above)
    return Found(max(value, 0.0), mean, weight, min(int(first.sum()), int(second.sum())))


def _log_ratio(first: Counts, second: Counts) -> NDArray[np.float64]:
    """Return the logarithm of the likelihood ratio of each outcome, drawn to 0 where few draws were seen."""
    return np.asarray(np.log((first + 0.5) / first.sum()) - np.log((second + 0.5) / second.sum()))


def empirical_epsilon(
    low: NDArray[np.int64], high: NDArray[np.int64], delta: float = 0.0, confidence: float = 1 - 1e-6
) -> float:
    """Return a lower confidence bound on epsilon from draws of two neighbouring outputs.

    Half of the draws choose the event, the other half bound its probabilities, so that the bound holds at `confidence`
    whatever was chosen. For a mechanism as a whole there is :func:`pets.dp.audit`.

    Parameters
    ----------
    low, high
        Independent draws under either data set, integer arrays of shape (n,).
    delta
        Mass that may be left out.
    confidence
        Of the bound.

    Returns
    -------
    float
        The bound; 0 when nothing can be said.
    """
    from pets.dp.auditing.coding import Coder

    parts = [np.split(draws[:, None], [len(draws) // 4, len(draws) // 2]) for draws in (low, high)]
    coder = Coder.of(parts[0][0], parts[1][0])
    ordered, chosen, tested = ((coder.count(parts[0][i]), coder.count(parts[1][i])) for i in range(3))
    return epsilon_bound(ordered, chosen, tested, delta, 1 - confidence).value
