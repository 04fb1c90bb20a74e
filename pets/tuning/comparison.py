"""Ways of publishing side by side at one setting: error, cells published, false zeros, measured attack."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

from pets.errors import InvalidArgument, PetsError
from pets.exact import exact
from pets.tuning import curves
from pets.tuning.attacks import best_guess
from pets.tuning.outputs import BASE, DEVIATION, VARIANCE, Output, cell_key, noisy, rounding, synthetic
from pets.tuning.placement import SECURE_SUM, Adders, sharing
from pets.tuning.plan import Privacy, Table, TuningPlan
from pets.tuning.suppression import MINIMUM, suppressed
from pets.tuning.totals import GRID

MOST_PER_PERSON = 40
_PLANNED = 5_000
"""Largest plan for which optimal marginals are worked out while a page is built."""


def mechanisms_of(plan: TuningPlan) -> dict[str, Any]:
    """Return the comparison as the page shows it.

    ``error_by_epsilon`` is the root mean square error of a cell over all cells of the plan, by the exact laws;
    ``false_zero`` the mean chance that a cell of 1 to 4 cases is published as none, at the plan's epsilon; ``attack``
    how often the best guesser who knows everybody else is right about one patient, measured.
    """
    rows = [
        _noise_row(plan, "discrete Laplace", "discrete_laplace", _laplace(plan)),
        _noise_row(plan, "discrete Gaussian", "discrete_gaussian", _gaussian(plan)),
        *_optimal(plan),
        _suppression_row(plan),
        _rule_row(plan, f"random rounding to base {BASE}", "rounding", rounding()),
        _rule_row(plan, f"cell key (variance {VARIANCE}, at most {DEVIATION})", "cell_key", cell_key()),
        _synthetic_row(plan),
    ]
    return {"at": list(GRID), "rows": rows} | _crossing(plan)


def placements_of(plan: TuningPlan) -> list[dict[str, Any]]:
    """Return by how much the variance of a joint table grows with the place where noise is added.

    Inside a secure sum each site adds a share, as a pipeline shares it out: those of a minority may be missing or known
    to others. Noise that each site adds alone grows with the number of sites. Of one site there is nothing to compare.
    The plan's own place is in every other figure already.
    """
    sites = plan.sites
    if sites < 2:
        return []
    rows = [("curator", 1.0, 1, "one trusted party sees the exact total and adds the noise once")]
    shared = _shared(plan)
    if shared is not None:
        rows.append(("distributed", sites / shared.honest, shared.honest, _distributed(*shared)))
    alone = f"each of the {sites} sites adds noise to its own table, and nobody trusts anybody's sum"
    rows.append(("local", float(sites), sites, alone))
    mine = "distributed" if plan.noise_at == "sites" else "curator"
    return [
        {
            "name": name,
            "variance_factor": factor,
            "sites": sites,
            "honest": honest,
            "this_plan": name == mine,
            "words": words,
        }
        for name, factor, honest, words in rows
    ]


def _shared(plan: TuningPlan) -> Adders | None:
    """Return how a secure sum would share the noise out: the plan's own, or a masked one; ``None`` for too few."""
    if plan.noise_at == "sites":
        return plan.adders
    for name in (plan.aggregator, SECURE_SUM):
        try:
            return sharing(name, plan.sites)
        except InvalidArgument:
            continue
    return None


def _distributed(sites: int, honest: int) -> str:
    return (
        f"the {sites} sites add shares inside a secure sum, so that any {honest} of them have the full noise together; "
        "nobody holds the exact total"
    )


def crossing(epsilon: float, delta: float) -> int | None:
    """Return from how many cells per person on discrete Gaussian noise has less variance than discrete Laplace noise.

    One person is in `k` cells (tables, years), each with an equal share of one budget of (epsilon, delta).
    ``None`` if it does not pay up to :data:`MOST_PER_PERSON`.
    """
    for cells in range(1, MOST_PER_PERSON + 1):
        one, other = _pair(epsilon, delta, cells)
        if other.variance < one.variance:
            return cells
    return None


def _pair(epsilon: float, delta: float, cells: int) -> tuple[curves.Noise, curves.Noise]:
    return curves.laplace(epsilon, cells), curves.gaussian(curves.rho_for(epsilon, delta), cells)


def _crossing(plan: TuningPlan) -> dict[str, Any]:
    epsilon, delta = float(plan.privacy.epsilon), float(plan.privacy.delta)
    found = crossing(epsilon, delta)
    curve = []
    for cells in range(1, MOST_PER_PERSON + 1):
        one, other = _pair(epsilon, delta, cells)
        curve.append({"cells": cells, "laplace": math.sqrt(one.variance), "gaussian": math.sqrt(other.variance)})
    start = f"at epsilon {epsilon:g} and delta {delta:g}"
    words = (
        f"Gaussian noise does not pay up to {MOST_PER_PERSON} cells per person {start}."
        if found is None
        else f"Gaussian noise pays from {found} cells per person on, {start}; this plan has {_per_person(plan)}."
    )
    by_delta = [{"delta": d, "cells_per_person": crossing(epsilon, d)} for d in (1e-5, 1e-6, 1e-9)]
    return {
        "crossing": {"cells_per_person": found, "words": words, "by_delta": by_delta, "this_plan": _per_person(plan)},
        "cells_per_person_curve": curve,
    }


def _per_person(plan: TuningPlan) -> int:
    return len(plan.tables) * plan.privacy.reach


def _laplace(plan: TuningPlan) -> Privacy:
    from dataclasses import replace

    return replace(plan.privacy, mechanism="discrete_laplace")


def _gaussian(plan: TuningPlan) -> Privacy:
    from dataclasses import replace

    return replace(plan.privacy, mechanism="discrete_gaussian")


def _noise_row(plan: TuningPlan, name: str, kind: str, privacy: Privacy) -> dict[str, Any]:
    points = []
    for epsilon in GRID:
        squares = [
            (table.cells, privacy.noise(epsilon, float(table.share), plan.adders).variance) for table in plan.tables
        ]
        points.append({"epsilon": epsilon, "error": math.sqrt(_mean(squares))})
    epsilon = float(plan.privacy.epsilon)
    outputs = [noisy(privacy.noise(epsilon, float(table.share), plan.adders)) for table in plan.tables]
    promise = f"epsilon = {epsilon:g}" + ("" if kind == "discrete_laplace" else f", delta = {float(privacy.delta):g}")
    return {
        "name": name,
        "kind": kind,
        "promise": promise,
        "error_by_epsilon": points,
        "published_share": 1.0,
        "cases_share": 1.0,
        "false_zero": _false_zero(plan.tables, outputs),
        "attack": best_guess(plan, outputs[0], kind, f"one cell of {plan.tables[0].name}"),
        "note": "every cell is published, empty ones too; values are unbiased",
    }


def _optimal(plan: TuningPlan) -> list[dict[str, Any]]:
    """Return the row of optimal marginals, where the tables can be margins of one table and one person has one row."""
    variances = _planned(plan.tables, plan.privacy)
    if variances is None:
        return []
    delta = float(plan.privacy.delta)
    mean = _mean([(table.cells, v) for table, v in zip(plan.tables, variances, strict=True)])
    points = [{"epsilon": e, "error": math.sqrt(mean / curves.rho_for(e, delta))} for e in GRID]
    epsilon = float(plan.privacy.epsilon)
    rho = curves.rho_for(epsilon, delta)
    outputs = [noisy(curves.Noise("discrete_gaussian", v / rho)) for v in variances]
    return [
        {
            "name": "optimal marginals (ResidualPlanner)",
            "kind": "residual_planner",
            "promise": f"epsilon = {epsilon:g}, delta = {delta:g}",
            "error_by_epsilon": points,
            "published_share": 1.0,
            "cases_share": 1.0,
            "false_zero": _false_zero(plan.tables, outputs),
            "attack": None,
            "note": "all tables together, consistent with each other; it divides the budget itself, and one trusted "
            "party adds its noise. The chance of a false zero is that of Gaussian noise of the same variance; the "
            "attack is bounded as for Gaussian noise",
        }
    ]


@lru_cache(maxsize=64)
def _planned(tables: tuple[Table, ...], privacy: Privacy) -> tuple[float, ...] | None:
    """Return a cell's variance in each table at rho = 1, which falls as 1 / rho; ``None`` where there is no plan."""
    from pets.domain import Categorical, Domain
    from pets.dp import ResidualPlanner
    from pets.query import Marginals

    axes = {axis.name: axis.labels for table in tables for axis in table.axes}
    fits = all(axes[axis.name] == axis.labels for table in tables for axis in table.axes)
    names = [tuple(axis.name for axis in table.axes) for table in tables]
    if (
        not fits
        or not all(names)
        or len(set(map(frozenset, names))) < len(names)
        or sum(t.cells for t in tables) > _PLANNED
    ):
        return None
    try:
        sizes = enumerate(map(len, axes.values()))
        columns = {f"axis {i}": Categorical([str(n) for n in range(size)], invalid="error") for i, size in sizes}
        renamed = dict(zip(axes, columns, strict=True))
        domain = Domain(columns, unit=privacy.unit)
        query = Marginals([[renamed[name] for name in by] for by in names]).bind(domain)
        laws = ResidualPlanner(exact("0.001", "rho")).error(query).laws  # so wide that the lattice does not matter
    except PetsError:
        return None
    return tuple(law.variance / 1000 for law in laws)


def _suppression_row(plan: TuningPlan) -> dict[str, Any]:
    found = suppressed(plan)
    searched = found.further is not None
    further = (
        f"{found.further} further cells, by the fast search, so that the small ones do not follow by subtraction"
        if searched
        else f"and no further ones, which are not searched here for tables of this size (pets suppress does); "
        f"at least {found.recovered_open} of the {found.small} small ones follow by subtraction"
    )
    return {
        "name": f"suppression under {MINIMUM}, {'with complementary cells' if searched else 'small cells only'}",
        "kind": "suppression" if searched else "suppression_alone",
        "promise": "a rule; nothing bounds what exact counts tell",
        "error_by_epsilon": _flat(math.sqrt(found.mean_square)),
        "published_share": 1 - found.hidden / found.cells,
        "cases_share": 1 - found.lost / found.cases if found.cases else 1.0,
        "false_zero": 0.0,
        "attack": {"success": 1.0, "low": 1.0, "high": 1.0, "chance": 0.5, "bound": None, "runs": 0},
        "note": f"{found.hidden} of {found.cells} cells hidden, {further}; the error is that of a reader who takes the "
        "middle of what a hidden cell can be. A guesser who knows everybody else reads a shown count off: exact",
    }


def _rule_row(plan: TuningPlan, name: str, kind: str, output: Output) -> dict[str, Any]:
    squares = [(times, output.mean_square(n)) for table in plan.tables for n, times in _histogram(table).items()]
    return {
        "name": name,
        "kind": kind,
        "promise": "a rule; nothing bounds what many answers tell together",
        "error_by_epsilon": _flat(math.sqrt(_mean(squares))),
        "published_share": 1.0,
        "cases_share": 1.0,
        "false_zero": _false_zero(plan.tables, [output] * len(plan.tables)),
        "attack": best_guess(plan, output, kind, f"one cell of {plan.tables[0].name}"),
        "note": "empty cells stay empty; the same at every epsilon",
    }


def _synthetic_row(plan: TuningPlan) -> dict[str, Any]:
    points = []
    for epsilon in GRID:
        squares = []
        for index, table in enumerate(plan.tables):
            output, seen = synthetic(plan.noise(index, epsilon)), _histogram(table)
            squares += [(times, output.mean_square(n)) for n, times in seen.items()]
        points.append({"epsilon": epsilon, "error": math.sqrt(_mean(squares))})
    outputs = [synthetic(plan.noise(index)) for index in range(len(plan.tables))]
    return {
        "name": "synthetic rows from the noisy tables",
        "kind": "synthetic",
        "promise": f"epsilon = {float(plan.privacy.epsilon):g}: whatever is made of noisy tables costs no more",
        "error_by_epsilon": points,
        "published_share": 1.0,
        "cases_share": 1.0,
        "false_zero": _false_zero(plan.tables, outputs),
        "attack": best_guess(plan, outputs[0], "synthetic", f"one cell of {plan.tables[0].name}"),
        "note": "the best case: rows drawn from these very tables. They add the error of a sample, and clipping at "
        "zero favours rare cells; a model of fewer margins smooths them too (pets.synthetic)",
    }


def _histogram(table: Table) -> dict[int, int]:
    found: dict[int, int] = {}
    for count in table.counts:
        found[curves.whole(count)] = found.get(curves.whole(count), 0) + 1
    return found


def _false_zero(tables: tuple[Table, ...], outputs: list[Output]) -> float | None:
    pairs = []
    for table, output in zip(tables, outputs, strict=True):
        pairs += [(times, output.false_zero(n)) for n, times in _histogram(table).items() if 1 <= n < MINIMUM]
    return _mean(pairs) if pairs else None


def _mean(pairs: list[tuple[int, float]]) -> float:
    return sum(times * value for times, value in pairs) / sum(times for times, _ in pairs)


def _flat(error: float) -> list[dict[str, float]]:
    return [{"epsilon": epsilon, "error": error} for epsilon in GRID]
