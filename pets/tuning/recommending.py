"""The smallest epsilon, or the best split of a budget, that meets stated targets; or which axis to coarsen instead."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from pets.errors import InvalidArgument, did_you_mean
from pets.exact import as_text, show
from pets.tuning import curves
from pets.tuning.account import years_possible
from pets.tuning.collapse import Collapse, collapses
from pets.tuning.curves import Noise
from pets.tuning.plan import Table, TuningPlan
from pets.tuning.rule import NO_NOISE
from pets.tuning.targets import Targets
from pets.tuning.totals import cells_of, sum_half_width
from pets.tuning.totals_asked import Total

_LOW, _STEPS = 1e-6, 900
"""Budgets of one table that are looked at, 1.8 % apart."""


@dataclass(frozen=True)
class Recommendation:
    """What meets the targets.

    Attributes
    ----------
    epsilon
        Smallest epsilon with the plan's own shares; ``None`` if none up to the limit does.
    split
        Best shares of the budget, by table.
    split_epsilon
        Smallest epsilon with these shares; that of the plan's own shares where no other split is better.
    instead
        Where no epsilon meets the targets: the coarser tables that would, each in words, and the epsilon for all.
    years
        How many such releases the account pays for.
    words
        All of it in one paragraph.
    """

    epsilon: Fraction | None
    split: Mapping[str, Fraction]
    split_epsilon: Fraction | None
    instead: tuple[Mapping[str, Any], ...]
    years: int
    words: str


def recommend(plan: TuningPlan, targets: Targets | None = None) -> Recommendation:
    """Return the smallest epsilon, and the best split of a budget over the tables, that meet the targets.

    A table's errors depend on its own part of the budget only, so the least budget of each table, added up, is the
    least in all: its parts are the best split. Nothing is read but the planning counts, and nothing is spent.

    Parameters
    ----------
    plan
        What is tuned.
    targets
        What must be met; by default nine tenths of the cells that the registry's rule accepts without noise.

    Raises
    ------
    InvalidArgument
        A target names no total of the plan.
    """
    wanted = targets or Targets()
    for label in wanted.totals_within:
        known = [t.label for t in plan.totals if t.kind in ("sum", "margin")]
        if label not in known:
            raise InvalidArgument("totals_within", "names no sum or margin of the plan", did_you_mean(label, known))
    if wanted.releases is not None:
        allowed = per_release(plan, wanted.releases)
        if allowed <= 0:
            text = f"Wanted: {wanted.words}. The account has {show(plan.budget.left)} left, which pays for nothing."
            return Recommendation(None, {}, None, (), 0, text)
        wanted = replace(wanted, up_to=min(Fraction(wanted.up_to), allowed))
    if _is_void(plan, wanted):
        text = f"Wanted: {wanted.words}. No case is planned in any cell, so no epsilon can be recommended by that."
        return Recommendation(None, {}, None, (), 0, text)
    epsilon = _smallest(plan, wanted)
    shares = _split([_least(plan, table, wanted) for table in plan.tables])
    best = None if shares is None else _smallest(_with_shares(plan, shares), wanted)
    if epsilon is None and best is None:
        return _instead(plan, wanted)
    if shares is None or best is None or (epsilon is not None and best >= epsilon):
        shares, best = [table.share for table in plan.tables], epsilon
    named = {table.name: share for table, share in zip(plan.tables, shares, strict=True)}
    years = years_possible(plan.budget, best or Fraction(0)) if best else 0
    return Recommendation(epsilon, named, best, (), years, _words(plan, wanted, epsilon, best, named, years))


def _is_void(plan: TuningPlan, targets: Targets) -> bool:
    """Return whether targets ask for shares of nothing, which any epsilon meets and none should be taken for."""
    planned = any(curves.whole(n) > 0 for table in plan.tables for n in table.counts)
    return not planned and targets.cell_within is None and not targets.totals_within


def per_release(plan: TuningPlan, releases: int) -> Fraction:
    """Return the largest epsilon that each of several equal releases may cost on what the account has left.

    Parameters
    ----------
    plan
        What is tuned, with its account.
    releases
        How many.
    """
    left, delta = plan.budget.left, float(plan.privacy.delta)
    if plan.privacy.mechanism == "discrete_laplace" or left <= 0:
        return left / releases
    rho = curves.rho_for(float(left), delta) / releases
    low, high = 0.0, float(left)
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if curves.rho_for(middle, delta) <= rho else (low, middle)
    return Fraction(low)


def _with_shares(plan: TuningPlan, shares: Sequence[Fraction]) -> TuningPlan:
    pairs = zip(plan.tables, shares, strict=True)
    return replace(plan, tables=tuple(replace(table, share=share) for table, share in pairs))


def recommendation_of(plan: TuningPlan) -> dict[str, Any]:
    """Return the recommendation for the usual targets, as the page shows it."""
    found = recommend(plan)
    split = [
        {"table": name, "share": float(share), "share_text": as_text(share)} for name, share in found.split.items()
    ]
    return {
        "words": found.words,
        "targets": Targets().words,
        "target_cells": Targets().cells,
        "left": float(plan.budget.left),
        "epsilon": None if found.epsilon is None else float(found.epsilon),
        "void": _is_void(plan, Targets()),
        "split": split,
        "split_better": found.split_epsilon is not None and found.split_epsilon != found.epsilon,
        "split_epsilon": None if found.split_epsilon is None else float(found.split_epsilon),
        "years": found.years,
        "instead": [dict(step) for step in found.instead] or None,
    }


def meets(plan: TuningPlan, table: Table, noise: Noise, targets: Targets) -> bool:
    """Return whether a table with this noise meets the targets."""
    if targets.cell_within is not None and noise.half_width() > targets.cell_within:
        return False
    for total in plan.totals:
        if total.label in targets.totals_within and total.table == table.name:
            cells = len(list(cells_of(total, table)))
            if sum_half_width(noise, cells) > targets.totals_within[total.label]:
                return False
    return _shares_met(plan, table, noise, targets)


def _shares_met(plan: TuningPlan, table: Table, noise: Noise, targets: Targets) -> bool:
    if targets.cells is None and targets.patients is None:
        return True
    counts = sorted(n for n in table.counts if curves.whole(n) > 0)
    base = counts[_first(plan, NO_NOISE, counts) :] if targets.of == "without_noise" else counts
    if not base:
        return not counts  # no case at all is no reason to refuse; no acceptable cell is
    usable = base[_first(plan, noise, base) :]
    enough = targets.cells is None or len(usable) >= targets.cells * len(base) - 1e-9
    return enough and (targets.patients is None or sum(usable) >= targets.patients * sum(base) - 1e-9)


def _first(plan: TuningPlan, noise: Noise, counts: list[float]) -> int:
    """Return the position of the first accepted count: a larger one is accepted where a smaller one is."""
    low, high = -1, len(counts)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if plan.rule.accepts(noise, counts[middle]) else (middle, high)
    return high


def _least(plan: TuningPlan, table: Table, targets: Targets) -> float | None:
    """Return the least budget of a table alone that meets the targets within the limit."""
    limit = float(targets.up_to)
    if plan.privacy.mechanism == "discrete_gaussian":
        limit = curves.rho_for(limit, float(plan.privacy.delta))

    def enough(budget: float) -> bool:
        return meets(plan, table, plan.privacy.noise_of(budget, plan.adders), targets)

    if not enough(limit):
        return None
    low, high = 0, _STEPS
    ratio = (limit / _LOW) ** (1 / _STEPS)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(_LOW * ratio**middle) else (middle, high)
    return min(limit, float(_LOW * ratio**high))


def _smallest(plan: TuningPlan, targets: Targets) -> Fraction | None:
    """Return the smallest epsilon of two significant digits that meets the targets with the plan's shares."""
    points = [e for e in _two_digits() if e <= Fraction(targets.up_to)]

    def enough(epsilon: Fraction) -> bool:
        return all(meets(plan, table, plan.noise(i, float(epsilon)), targets) for i, table in enumerate(plan.tables))

    if not points or not enough(points[-1]):
        return None
    low, high = -1, len(points) - 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(points[middle]) else (middle, high)
    return points[high]


def _two_digits() -> list[Fraction]:
    """Return 0.05, 0.051, ..., 0.1, 0.11, ..., 10: what a person would type."""
    found = [Fraction(n, 1000) for n in range(50, 100)] + [Fraction(n, 100) for n in range(10, 100)]
    return [*found, *(Fraction(n, 10) for n in range(10, 101))]


def _split(budgets: Sequence[float | None]) -> list[Fraction] | None:
    """Return shares in thousandths that add up to 1, in the proportion of the budgets.

    ``None`` if some table cannot meet its targets, or has none, so that there is nothing to divide by.
    """
    known = [budget for budget in budgets if budget is not None and budget > 2 * _LOW]
    if len(known) < len(budgets):
        return None
    total = math.fsum(known)
    exactly = [1000 * budget / total for budget in known]
    parts = [max(1, math.floor(part)) for part in exactly]
    order = sorted(range(len(parts)), key=lambda i: parts[i] - exactly[i])
    for i in order[: max(0, 1000 - sum(parts))]:
        parts[i] += 1
    while sum(parts) > 1000:
        parts[parts.index(max(parts))] -= 1
    return [Fraction(part, 1000) for part in parts]


def _words(
    plan: TuningPlan,
    targets: Targets,
    epsilon: Fraction | None,
    best: Fraction | None,
    split: Mapping[str, Fraction],
    years: int,
) -> str:
    limit = show(Fraction(targets.up_to))
    text = f"Wanted: {targets.words}. "
    if epsilon is None:
        text += f"No epsilon up to {limit} meets this with the plan's shares. "
    else:
        text += f"The smallest epsilon that meets this is {show(epsilon)}. "
    if best is not None and best != epsilon:
        parts = ", ".join(f"{name} {100 * float(share):g} %" for name, share in split.items())
        text += f"Split differently ({parts}), {show(best)} is enough. "
    left = show(plan.budget.left)
    if years:
        return text + f"The {left} that is left pays for {years} such release{'s' * (years > 1)}."
    return text + f"The {left} that is left does not pay for that: coarsen the tables, or publish fewer."


def _instead(plan: TuningPlan, targets: Targets) -> Recommendation:
    """Return which tables to coarsen where no epsilon is enough."""
    limit, changed, steps = Fraction(targets.up_to), plan, []
    failing = [t for i, t in enumerate(plan.tables) if not meets(plan, t, plan.noise(i, float(limit)), targets)]
    text = f"Wanted: {targets.words}. No epsilon up to {show(limit)} meets this for {_listed(failing)}. "
    for table in failing:
        found = coarser(changed, targets, table)
        if found is None:
            text += f"Nor does merging or leaving out axes of {table.name!r}: ask for more years, or for less."
            text += _directly(plan, targets)
            return Recommendation(None, {}, None, (), 0, text)
        step, changed = found
        steps.append(step)
    epsilon = _smallest(changed, targets)
    if epsilon is None:  # each alone would do, at the limit all of them must
        return Recommendation(None, {}, None, (), 0, text + "Publish fewer tables.")
    done = "; ".join(
        f"in {step['table']!r}, {step['words']} ({step['cells']} cells of {step['before']})" for step in steps
    )
    text += f"Instead, {done}: then {show(epsilon)} is enough."
    instead = tuple(step | {"epsilon": float(epsilon)} for step in steps)
    return Recommendation(None, {}, None, instead, years_possible(plan.budget, epsilon), text)


def _directly(plan: TuningPlan, targets: Targets) -> str:
    """Return what each wanted total would need as a query of its own: the noise of one cell in place of a sum's."""
    text = ""
    for label, width in targets.totals_within.items():
        table = next(total.of(plan.tables) for total in plan.totals if total.label == label)
        alone = replace(table, axes=(), counts=(sum(table.counts),), person_years=None, share=Fraction(1))
        wanted = Targets(cells=None, cell_within=width)
        epsilon = _smallest(replace(plan, tables=(alone,), totals=()), wanted)
        if epsilon is not None:
            text += f" Asked for directly, as a query of its own, {label!r} within {width:g} costs {show(epsilon)}."
    return text


def _listed(tables: Sequence[Table]) -> str:
    return ", ".join(repr(table.name) for table in tables)


def coarser(plan: TuningPlan, targets: Targets, table: Table) -> tuple[dict[str, Any], TuningPlan] | None:
    """Return the collapse that keeps most cells among those that meet the targets, and the plan with it.

    One axis is tried first; if none is enough, two steps, of at most ten collapses each.
    """
    noise = plan.privacy.noise(float(Fraction(targets.up_to)), float(table.share), plan.adders)
    single = [[collapse] for collapse in collapses(table)]
    found = _most_cells(plan, targets, table, single, noise)
    if found is None:
        few = [steps[0] for steps in single][:: max(1, len(single) // 10)]
        double = [[one, two] for one in few for two in list(collapses(one.table))[:10]]
        found = _most_cells(plan, targets, table, double, noise)
    if found is None:
        return None
    steps, changed = found
    last = steps[-1].table
    step = {
        "table": table.name,
        "axis": ", ".join(dict.fromkeys(step.axis for step in steps)),
        "words": " and ".join(step.words for step in steps),
        "changes": [step.change for step in steps],
        "cells": last.cells,
        "before": table.cells,
        "axes": [{"name": axis.name, "labels": list(axis.labels)} for axis in last.axes],
    }
    return step, changed


def _most_cells(
    plan: TuningPlan, targets: Targets, table: Table, candidates: Iterable[list[Collapse]], noise: Noise
) -> tuple[list[Collapse], TuningPlan] | None:
    best: tuple[list[Collapse], TuningPlan] | None = None
    for steps in candidates:
        last = steps[-1].table
        if best is not None and last.cells <= best[0][-1].table.cells:
            continue
        axes = {step.axis for step in steps}
        kept = tuple(t for t in plan.totals if t.kind in ("sum", "margin") and _survives(t, table, axes))
        if not set(targets.totals_within) <= {total.label for total in kept}:
            continue
        tables = tuple(last if other.name == table.name else other for other in plan.tables)
        changed = replace(plan, tables=tables, totals=kept)
        if meets(changed, last, noise, targets):
            best = (steps, changed)
    return best


def _survives(total: Total, table: Table, axes: set[str]) -> bool:
    """Return whether a total can still be computed when axes of a table have become coarser."""
    return total.table != table.name or not axes & set(total.where)
