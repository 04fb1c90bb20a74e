"""The run of a plan: measure, group, and round by round choose and measure again."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from pets.synthetic.coarsening import Grouping, grouped, nonnegative
from pets.synthetic.encoding.columns import CodedColumn
from pets.synthetic.encoding.rules import kinds
from pets.synthetic.engine import cells_of, triangulate
from pets.synthetic.engine.factors import Array, Axes
from pets.synthetic.fitting import Fitting
from pets.synthetic.plan import Level, Plan

_HALF_NORMAL = math.sqrt(2 / math.pi)
_REFERENCE, _POWER, _CLOCK = 9000.0, 0.3, 6.0
_BEGIN = 0.05


@dataclass(frozen=True)
class Tuning:
    """Numbers that change accuracy and time, and no promise.

    Attributes
    ----------
    grouping
        Rows of a group, in units of the root of (rows times standard deviation of the noise).
    entropy
        See :func:`pets.synthetic.engine.estimate`.
    iterations, last
        Most evaluations of a fit between rounds, and of the last one.
    at_once
        Tables chosen between two fits.
    cells
        Largest model.
    simulated
        Most rows of the sample that stands for the model when tables are compared.
    """

    grouping: float = 2.0
    entropy: float = 0.05
    iterations: int = 60
    last: int = 200
    at_once: int = 2
    cells: int = 2**19
    simulated: int = 50_000


def measure_first(fitting: Fitting, plan: Plan, tuning: Tuning) -> None:
    """Measure every column, group its codes, and measure times with their events again over the groups."""
    for axes, share in plan.first:
        fitting.measure(axes, share, grouped=False)
    shares = [share for _, share in plan.clocks] + [level.table for level in plan.levels]
    if not shares:
        return
    strength = tuning.grouping * min(max((_REFERENCE / plan.signal) ** _POWER, 0.5), 2.0)
    fitting.regroup(groupings(fitting, fitting.blunted(plan.sigma(max(shares))), strength))
    for axes, share in plan.clocks:
        fitting.measure(axes, share)


def groupings(fitting: Fitting, sigma: float, strength: float) -> tuple[Grouping, ...]:
    """Return groups of codes that noise of standard deviation `sigma` leaves visible.

    A table of g by g groups of equal mass has a relative error of about 0.4 g² sigma / n. Holding that fixed makes the
    rows of a group, n / g, proportional to the root of n sigma.
    """
    encoding = fitting.encoding
    events = {pair.time: encoding.names.index(pair.event) for pair in encoding.survival}
    total = fitting.total
    found = []
    for i, column in enumerate(encoding.columns):
        alike = _kinds(fitting, i, column)
        if column.name in events:
            found.append(_clock_groups(fitting, i, events[column.name], alike, sigma))
            continue
        mass = nonnegative(margin(fitting, i), total)
        least = strength * math.sqrt(total * sigma)
        found.append(grouped(mass, least if column.ordered else least / 2, alike, ordered=column.ordered))
    return tuple(found)


def margin(fitting: Fitting, axis: int) -> Array:
    """Return the noisy counts of one column over all its codes."""
    table = next(t for t in fitting.tables if axis in t.axes and not t.grouped)
    away = tuple(i for i, a in enumerate(table.axes) if a != axis)
    return np.asarray(fitting.believed(table).sum(axis=away), dtype=np.float64)


def _kinds(fitting: Fitting, axis: int, column: CodedColumn) -> np.ndarray:
    """Return which codes may share a group: alike to the rules, of one main group of nested codes, and not missing."""
    alike = kinds(fitting.encoding.zeros, axis, column.size)
    if column.attribute.levels:
        main = min((column.attribute.group(level) for level in column.attribute.levels), key=len)
        nest = np.full(column.size, len(main))
        for number, (_, members) in enumerate(main):
            nest[list(members)] = number
        alike = np.unique(alike * (len(main) + 1) + nest, return_inverse=True)[1].reshape(-1)
    if column.missing:
        alike[-1] = alike.max() + 1
    return alike


def _clock_groups(fitting: Fitting, axis: int, event: int, alike: np.ndarray, sigma: float) -> Grouping:
    """Return groups of times, each with enough events for a curve that falls there, or enough people."""
    table = next(t for t in fitting.tables if set(t.axes) == {axis, event} and not t.grouped)
    counts = fitting.believed(table)
    by_event = counts if table.axes[0] == axis else counts.T
    happened = by_event[:, 1 : len(fitting.encoding.columns[event].attribute.labels)].sum(axis=1)
    people = by_event.sum(axis=1)
    # A curve adds up the noise of all groups before: few events in a group cost little, many groups cost much.
    few, many = _CLOCK * sigma, _CLOCK * math.sqrt(fitting.total * sigma)
    return grouped(np.maximum(happened / few, people / many), 1.0, alike, ordered=True)


def run_rounds(fitting: Fitting, plan: Plan, workload: Mapping[Axes, int], tuning: Tuning) -> None:
    """Choose and measure tables by the rounds of a plan, in the manner of AIM.

    Each round takes, among all tables inside the workload that leave the model small enough, the one in which the
    model is off by most beyond the noise of measuring it. The allowed size grows with the part of the budget that is
    spent.

    References
    ----------
    McKenna, Mullins, Sheldon, Miklau, *AIM: an adaptive and iterative mechanism for differentially private synthetic
    data*, VLDB 2022. Here the rounds and their prices are fixed beforehand, so that their exact losses compose.
    """
    weights = closure(workload)
    fitting.fit(tuning.iterations, tuning.entropy)
    rounds = plan.rounds
    for start in range(0, len(rounds), tuning.at_once):
        now = rounds[start : start + tuning.at_once]
        _round(fitting, plan, weights, now, start / len(rounds), tuning)
        fitting.fit(tuning.iterations, tuning.entropy)


def closure(workload: Mapping[Axes, int]) -> dict[Axes, int]:
    """Return all tables of two or more columns inside the workload's, with weights of 1 to 100 by what they share."""
    found: dict[Axes, int] = {}
    for scope in workload:
        for size in range(min(2, len(scope)), len(scope) + 1):
            found.update(dict.fromkeys(combinations(scope, size), 0))
    for axes in found:
        found[axes] = sum(weight * len(set(axes) & set(scope)) for scope, weight in workload.items())
    most = max(found.values())
    return {axes: max(1, round(100 * weight / most)) for axes, weight in found.items()}


def _round(
    fitting: Fitting, plan: Plan, weights: Mapping[Axes, int], levels: list[Level], spent: float, tuning: Tuning
) -> None:
    rows = int(min(max(fitting.total, 20_000), tuning.simulated))
    known = fitting.simulated(list(weights), rows)
    taken: set[Axes] = set()
    for level in levels:
        options = affordable(fitting, weights, [], tuning.cells * max(spent, _BEGIN))
        options = {axes: weight for axes, weight in options.items() if axes not in taken} or options
        if not options:  # nothing fits into the model: what is not spent is not lost
            return
        sigma = plan.sigma(level.table)
        penalty = {axes: _HALF_NORMAL * sigma * cells_of(fitting.sizes, [axes]) for axes in options}
        chosen = fitting.choose(options, penalty, level.choice, known)
        fitting.measure(chosen, level.table)
        taken.add(chosen)


def affordable(fitting: Fitting, weights: Mapping[Axes, int], more: list[Axes], allowed: float) -> dict[Axes, int]:
    """Return the tables with which the junction tree, and not only its cliques, stays small enough.

    Parameters
    ----------
    fitting
        What has been measured.
    weights
        Tables to choose among, with their weights.
    more
        Tables that will be measured besides.
    allowed
        Most cells; never fewer than the tree has by now.
    """
    scopes = [table.axes for table in fitting.tables] + [zero.axes for zero in fitting.zeros] + more
    scopes += [one.axes for one in (*fitting.known, *fitting.prior)]
    inside = [set(scope) for scope in scopes]
    sizes = fitting.sizes
    allowed = max(allowed, cells_of(sizes, triangulate(sizes, frozenset(scopes))))
    return {
        axes: weight
        for axes, weight in weights.items()
        if any(set(axes) <= scope for scope in inside)
        or cells_of(sizes, triangulate(sizes, frozenset([*scopes, axes]))) <= allowed
    }
