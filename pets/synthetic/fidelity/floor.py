"""What real rows score themselves: the floor below which nothing can be seen, and how much real data does as well."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pets.csprng import RandomSource
from pets.synthetic.engine.sampling import uniform
from pets.synthetic.fidelity.metric import Line, Metric, NotComputableError
from pets.synthetic.fidelity.rows import Rows

FRACTIONS = (1.0, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01)
"""Sizes of resamples, as shares of the real rows."""

_FEWEST_ROWS = 10
_REPEATS = 4


@dataclass(frozen=True)
class Floor:
    """What resamples of the real rows score.

    Attributes
    ----------
    mean, low, high
        Of resamples as large as the real table: mean, and 5 % and 95 % quantile; NaN if they cannot be scored.
    curve
        Size of resamples as a share of the real rows, and their mean score; infinitely bad where most have none.
    """

    mean: float
    low: float
    high: float
    curve: tuple[tuple[float, float], ...]

    def as_good_as(self, value: float, line: Line) -> float:
        """Return the share of the real rows that would score like `value`: 1 if it is no worse than the floor.

        Interpolated in the logarithm of the share on the running worst of the curve; 0 if even the smallest resamples
        are better.
        """
        if not math.isfinite(value):
            return 0.0
        sign = 1.0 if line.better == "smaller" else -1.0
        shares = np.log([share for share, _ in self.curve])
        losses = np.maximum.accumulate([sign * score for _, score in self.curve])
        loss = sign * value
        if loss <= losses[0]:
            return 1.0
        if loss > losses[-1]:
            return 0.0
        above = int(np.argmax(losses >= loss))
        low, high = losses[above - 1], losses[above]
        along = (loss - low) / (high - low) if math.isfinite(high) else 0.0
        return float(np.exp(shares[above - 1] + along * (shares[above] - shares[above - 1])))


def floors(
    metric: Metric, real: Rows, repeats: int, source: RandomSource, tick: Callable[[], None]
) -> dict[Line, Floor]:
    """Return the floor of each line of a measure."""
    scores: dict[Line, list[tuple[float, list[float]]]] = {line: [] for line in metric.lines}
    for fraction in FRACTIONS:
        if fraction < 1 and fraction * real.n < _FEWEST_ROWS:
            break
        found = [
            _resampled(metric, real, fraction, source, tick) for _ in range(repeats if fraction == 1 else _REPEATS)
        ]
        for line, kept in scores.items():
            kept.append((fraction, [one.get(line, math.nan) for one in found]))
    return {line: _floor(line, kept) for line, kept in scores.items()}


def resample(n: int, size: int, source: RandomSource) -> NDArray[np.int64]:
    """Return `size` of the numbers below `n`, with repeats."""
    return np.floor(uniform(size, source) * n).astype(np.int64)


def _resampled(
    metric: Metric, real: Rows, fraction: float, source: RandomSource, tick: Callable[[], None]
) -> dict[Line, float]:
    pool = np.arange(real.n) if metric.pool is None else metric.pool
    index = pool[resample(len(pool), max(_FEWEST_ROWS, round(fraction * real.n)), source)]
    tick()
    try:
        return dict(metric.scores(real.take(index)))
    except NotComputableError:
        return {}


def _floor(line: Line, kept: list[tuple[float, list[float]]]) -> Floor:
    worst = math.inf if line.better == "smaller" else -math.inf
    curve = [(fraction, _mean(values, worst)) for fraction, values in kept]
    first = [value for value in kept[0][1] if not math.isnan(value)]
    low, high = np.quantile(first, [0.05, 0.95]) if first else (math.nan, math.nan)
    return Floor(float(np.mean(first)) if first else math.nan, float(low), float(high), tuple(curve))


def _mean(values: list[float], worst: float) -> float:
    fine = [value for value in values if not math.isnan(value)]
    return float(np.mean(fine)) if 2 * len(fine) > len(values) else worst
