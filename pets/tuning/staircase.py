"""From which epsilon each cell is usable, and what share of cells and patients is usable at each."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from pets.tuning import curves
from pets.tuning.curves import Noise
from pets.tuning.placement import Adders
from pets.tuning.plan import LARGEST, SMALLEST, Privacy, TuningPlan
from pets.tuning.rule import NO_NOISE, Rule
from pets.tuning.totals import GRID

BUCKETS: tuple[tuple[int, int | None], ...] = ((1, 4), (5, 15), (16, None))
"""Sizes of cells: below the usual masking rule, below the usual reliability rule, above."""

_STEPS = 240
"""Points of the slider between its ends: 2.2 % apart."""


@lru_cache(maxsize=1)
def slider() -> tuple[float, ...]:
    """Return the points at which the staircase is looked at, ascending, with three significant digits."""
    low, high = float(SMALLEST), float(LARGEST)
    found = {float(f"{low * (high / low) ** (i / _STEPS):.3g}") for i in range(_STEPS + 1)}
    return tuple(sorted(found | set(GRID)))


def usable_from(plan: TuningPlan, table: int, count: float) -> float | None:
    """Return the smallest epsilon of the slider from which on a cell of `count` cases is usable, or ``None``."""
    return _usable_from(plan.privacy, plan.adders, plan.rule, float(plan.tables[table].share), float(count))


@lru_cache(maxsize=65536)
def _usable_from(privacy: Privacy, adders: Adders, rule: Rule, share: float, count: float) -> float | None:
    points = slider()

    def noise(step: int) -> Noise:
        return privacy.noise(points[step], share, adders)

    if not rule.accepts(noise(-1), count):
        return None
    low, high = -1, len(points) - 1  # noise falls as epsilon grows, so what is usable stays so
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if rule.accepts(noise(middle), count) else (middle, high)
    return points[high]


def usable_shares(plan: TuningPlan) -> list[dict[str, Any]]:
    """Return, for each size bucket and epsilon of the grid, the share of cells and of patients that is usable."""
    cells = [(t, count) for t, table in enumerate(plan.tables) for count in table.counts]
    found = []
    for low, high in BUCKETS:
        chosen = [(t, n) for t, n in cells if low <= curves.whole(n) and (high is None or curves.whole(n) <= high)]
        starts = [(usable_from(plan, t, n), n) for t, n in chosen]
        patients = sum(n for _, n in chosen)
        points = []
        for epsilon in GRID:
            usable = [n for start, n in starts if start is not None and start <= epsilon + 1e-12]
            points.append(
                {
                    "epsilon": epsilon,
                    "cells": len(usable) / len(chosen) if chosen else None,
                    "patients": sum(usable) / patients if patients else None,
                }
            )
        label = f"{low}-{high}" if high is not None else f"{low}+"
        found.append({"bucket": label, "cells": len(chosen), "patients": patients, "by_epsilon": points})
    return found


def headline(plan: TuningPlan) -> list[dict[str, Any]]:
    """Return what the registry's smallest usable count becomes at each epsilon of the grid, for each table."""
    without = plan.rule.smallest_usable(NO_NOISE)
    return [
        {
            "table": table.name,
            "without_noise": without,
            "by_epsilon": [{"epsilon": e, "count": plan.rule.smallest_usable(plan.noise(index, e))} for e in GRID],
        }
        for index, table in enumerate(plan.tables)
    ]
