"""Errors of totals, standardised rates, ratios and survival, and what asking for them directly would save."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from itertools import product
from typing import Any

import numpy as np

from pets.epi.standards import standard_population
from pets.exact import exact
from pets.noise import DiscreteGaussianLaw, DiscreteLaplaceLaw, NoiseLaw, half_width, sum_of
from pets.noise_sums import PolyaDifferenceLaw, SkellamLaw
from pets.tuning.curves import Z95, Noise
from pets.tuning.plan import Table, TuningPlan
from pets.tuning.totals_asked import Life, Total

GRID: tuple[float, ...] = (0.05, 0.1, 0.2, 0.25, 0.5, 1, 2, 5, 10)
"""Stops of the slider at which slower figures are computed: 1-2-5, and a quarter."""

WARNING = (
    "Adding up k cells multiplies the noise's variance by k. Asked for directly, a total has the noise of one cell."
)


def totals_of(plan: TuningPlan) -> list[dict[str, Any]]:
    """Return each total with its errors over the grid, as the page shows them.

    Half-widths are of 95 % intervals. For sums and margins they are those of the noise alone, exact for the sum of the
    cells' noises; ``direct_half_width`` is that of a single cell of the same table: what a query for the total itself
    would have with the table's share. Rates, ratios and survival include chance, by the delta method.
    """
    return [_described(total, plan) for total in (plan.totals or default_totals(plan))]


def default_totals(plan: TuningPlan) -> tuple[Total, ...]:
    """Return the grand total of each table and, for each axis, the margin of its smallest category."""
    found = []
    for table in plan.tables:
        found.append(Total(f"{table.name}: all", "sum", table.name))
        counts = np.array(table.counts).reshape(table.shape)
        for place, axis in enumerate(table.axes if len(table.axes) > 1 else ()):
            margin = counts.sum(axis=tuple(i for i in range(counts.ndim) if i != place))
            label = axis.labels[int(margin.argmin())]
            found.append(Total(f"{table.name}: {label}", "margin", table.name, {axis.name: [label]}))
    return tuple(found[:24])


def _described(total: Total, plan: TuningPlan) -> dict[str, Any]:
    table = total.of(plan.tables)
    cells = list(cells_of(total, table))
    count = float(sum(table.counts[i] for i in cells))
    share = plan.tables.index(table)
    if total.kind == "survival" and total.life is not None:
        return _survival(total, total.life, plan, share)
    points = []
    for epsilon in GRID:
        noise = plan.noise(share, epsilon)
        points.append({"epsilon": epsilon} | _errors(total, table, cells, noise))
    return {
        "label": total.label,
        "kind": total.kind,
        "table": total.table,
        "cells": len(cells),
        "count": count,
        "value": _value(total, table, cells, count),
        "unit": {"rate": "per million", "ratio": "observed / expected"}.get(total.kind, "cases"),
        "by_epsilon": points,
        "words": f"Adds up {len(cells)} noisy cells: {len(cells)} times the variance of one.",
    }


def cells_of(total: Total, table: Table) -> Iterator[int]:
    """Yield the positions of the cells that are added up."""
    wanted = [set(total.where.get(axis.name, axis.labels)) for axis in table.axes]
    for position, labels in enumerate(product(*(axis.labels for axis in table.axes))):
        if all(label in chosen for label, chosen in zip(labels, wanted, strict=True)):
            yield position


def _errors(total: Total, table: Table, cells: list[int], noise: Noise) -> dict[str, Any]:
    if total.kind == "rate":
        weights = rate_weights(total, table, cells)
        chance = sum(w * w * table.counts[i] for i, w in zip(cells, weights, strict=True))
        added = sum(w * w for w in weights) * noise.variance
        return _with_chance(chance, added)
    if total.kind == "ratio":
        chance = sum(table.counts[i] for i in cells) / total.expected**2
        return _with_chance(chance, len(cells) * noise.variance / total.expected**2)
    return {"half_width": sum_half_width(noise, len(cells)), "direct_half_width": noise.half_width()}


def _with_chance(chance: float, added: float) -> dict[str, Any]:
    return {
        "half_width": Z95 * math.sqrt(chance + added),
        "chance_half_width": Z95 * math.sqrt(chance),
        "direct_half_width": None,
    }


def _value(total: Total, table: Table, cells: list[int], count: float) -> float:
    if total.kind == "rate":
        weights = rate_weights(total, table, cells)
        return sum(w * table.counts[i] for i, w in zip(cells, weights, strict=True))
    return count / total.expected if total.kind == "ratio" else count


def rate_weights(total: Total, table: Table, cells: list[int]) -> list[float]:
    """Return by what each cell's count is multiplied in a standardised rate per million.

    Cells of one age group that differ in a population (sex, region) share its person-years; those that differ in the
    diagnosis have the same people at risk, and so are counted once: person-years are added over the distinct ones.
    """
    place = next(i for i, axis in enumerate(table.axes) if axis.name == total.age)
    ages = table.axes[place].labels
    chosen = [a for a in ages if a in set(total.where.get(total.age, ages))]
    standard = standard_population(total.standard).weights(chosen)
    share = dict(zip(chosen, (float(w / standard.sum()) for w in standard), strict=True))
    labels = list(product(*(axis.labels for axis in table.axes)))
    at_risk: dict[str, float] = dict.fromkeys(chosen, 0.0)
    group = {axis.name: _divides_people(table, i) for i, axis in enumerate(table.axes)}
    seen = set()
    for i in cells:
        key = tuple(part for part, axis in zip(labels[i], table.axes, strict=True) if group[axis.name])
        if key not in seen:
            seen.add(key)
            at_risk[labels[i][place]] += float((table.person_years or ())[i])
    return [
        1e6 * share[labels[i][place]] / at_risk[labels[i][place]] if at_risk[labels[i][place]] else 0.0 for i in cells
    ]


def _divides_people(table: Table, place: int) -> bool:
    """Return whether an axis divides the people at risk: their number differs along it. A diagnosis does not."""
    years = np.array(table.person_years or ()).reshape(table.shape)
    return bool((years != np.take(years, [0], axis=place)).any())


def sum_half_width(noise: Noise, cells: int) -> int:
    """Return the half-width of the 95 % interval of a sum of `cells` independent noises, from its exact law."""
    return _half_width_of_sum(noise, cells)


@lru_cache(maxsize=4096)
def _half_width_of_sum(noise: Noise, cells: int) -> int:
    if not cells:
        return 0
    if noise.kind == "polya":  # a sum of shares is a sum of shares, however many cells they are added in
        return half_width(PolyaDifferenceLaw(1 / exact(noise.parameter, "noise"), noise.shape * cells), 0.95)
    if noise.kind == "skellam":
        return half_width(SkellamLaw(exact(noise.parameter, "noise") * cells), 0.95)
    return half_width(sum_of((law_of(noise), 1, cells)), 0.95)


def law_of(noise: Noise) -> NoiseLaw:
    """Return the library's own law of this noise."""
    parameter = exact(noise.parameter, "noise")
    if noise.kind == "polya":
        return PolyaDifferenceLaw(1 / parameter, noise.shape)
    if noise.kind == "skellam":
        return SkellamLaw(parameter)
    return DiscreteLaplaceLaw(1 / parameter) if noise.kind == "discrete_laplace" else DiscreteGaussianLaw(parameter)


def _survival(total: Total, life: Life, plan: TuningPlan, share: int) -> dict[str, Any]:
    """Return the error of the curve at each time: Greenwood for chance, the delta method for noise."""
    patients = sum(life.events) + sum(life.censored) + life.beyond
    curve, chance, gradient = survival_curve(life)
    points = []
    for epsilon in GRID:
        added = plan.noise(share, epsilon).variance * gradient
        points.append(
            {
                "epsilon": epsilon,
                "half_width": [Z95 * math.sqrt(c + n) for c, n in zip(chance, added, strict=True)],
                "chance_half_width": [Z95 * math.sqrt(c) for c in chance],
                "direct_half_width": None,
            }
        )
    return {
        "label": total.label,
        "kind": "survival",
        "table": total.table,
        "cells": 2 * len(life.times) + 1,
        "count": patients,
        "times": list(life.times),
        "value": [float(s) for s in curve],
        "unit": "share alive",
        "by_epsilon": points,
        "words": "Kaplan-Meier from a table of deaths and ends of follow-up by interval, with the table's share of the "
        "budget to itself.",
    }


def survival_curve(life: Life) -> tuple[Any, Any, Any]:
    """Return survival at the end of each interval, its variance by chance, and its squared gradient over all cells.

    The censored of an interval are at risk for half of it (actuarial). Noise of variance v in every cell then adds v
    times the squared gradient.
    """
    events, censored = np.array(life.events), np.array(life.censored)
    both = np.append(events + censored, life.beyond)
    entering = np.cumsum(both[::-1])[::-1][:-1]
    at_risk = np.maximum(entering - censored / 2, 1e-9)
    hazard = np.minimum(events / at_risk, 1.0)
    curve = np.cumprod(1 - hazard)
    left = np.maximum(1 - hazard, 1e-9)
    chance = curve**2 * np.cumsum(hazard / (left * at_risk))
    bins = len(events)
    # d log S_k = -sum_{i <= k} d h_i / (1 - h_i); h_i falls with everybody who is at risk in i.
    slopes = np.zeros((bins, 2 * bins + 1))
    for i in range(bins):
        by = -hazard[i] / at_risk[i]
        row = np.zeros(2 * bins + 1)
        row[i] = 1 / at_risk[i] + by
        row[bins + i] = by / 2
        row[i + 1 : bins] = by
        row[bins + i + 1 :] = by
        slopes[i:] += -row / left[i]
    return curve, chance, (curve[:, None] ** 2 * slopes**2).sum(axis=1)
