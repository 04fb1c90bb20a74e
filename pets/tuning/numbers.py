"""The document that the page draws: every number of it, as plain data."""

from __future__ import annotations

from itertools import product
from typing import Any

from pets.tuning import curves, words
from pets.tuning.account import budget_of
from pets.tuning.plan import Table, TuningPlan
from pets.tuning.staircase import headline, usable_from, usable_shares
from pets.tuning.totals import GRID, WARNING, totals_of

SCHEMA = 1


def numbers(plan: TuningPlan) -> dict[str, Any]:
    """Return everything that the page shows about a plan; equal plans give equal documents.

    Parameters
    ----------
    plan
        What is tuned.

    Returns
    -------
    dict
        Plain data for JSON.
    """
    from pets.tuning.attacks import attacks_of
    from pets.tuning.comparison import mechanisms_of, placements_of
    from pets.tuning.costs import costs_of
    from pets.tuning.knowledge import who_sees
    from pets.tuning.plan_text import plan_lines, to_toml
    from pets.tuning.recommending import recommendation_of

    return {
        "schema": SCHEMA,
        "title": plan.title,
        "language": plan.language,
        "internal": plan.internal,
        "built": plan.built,
        "version": _version(),
        "grid": list(GRID),
        "source": _source(plan),
        "privacy": _privacy(plan),
        "assumed": list(plan.assumed),
        "sites": plan.sites,
        "rule": plan.rule.to_dict() | {"words": plan.rule.words},
        "headline": headline(plan),
        "plain": words.plain_words(plan),
        "tables": [_table(plan, index, table) for index, table in enumerate(plan.tables)],
        "usable": usable_shares(plan),
        "years": {"number": plan.budget.years, "now": max(table.years for table in plan.tables)},
        "totals": totals_of(plan),
        "totals_warning": WARNING,
        "mechanisms": mechanisms_of(plan),
        "noise_placement": placements_of(plan),
        "attack": attacks_of(plan),
        "who_sees": who_sees(plan),
        "cost": costs_of(plan),
        "budget": budget_of(plan),
        "recommendation": recommendation_of(plan),
        "plan_toml": to_toml(plan),
        "plan_lines": plan_lines(plan),
        "decision": {
            "who": plan.decision.who,
            "when": plan.decision.when,
            "thresholds": plan.rule.to_dict(),
            "comment": plan.decision.comment,
        },
    }


def _version() -> str:
    from pets import __version__

    return __version__


def _source(plan: TuningPlan) -> dict[str, Any]:
    from pets.tuning.building import UNNAMED

    source, unnamed = plan.source, f" ({UNNAMED})"
    named = not source.text.endswith(unnamed)
    return {
        "kind": source.kind,
        "text": source.text,
        "named": named,
        "file": "" if named else source.text.removesuffix(unnamed),
        "rows": source.rows,
        "digest": source.digest,
    }


def _privacy(plan: TuningPlan) -> dict[str, Any]:
    privacy, shares = plan.privacy, plan.privacy.rows_per_person
    bounds = range(1, max(len(shares), privacy.unit.max_rows, 3) + 1)
    l1, l2_squared = privacy.sensitivity
    return {
        "unit_words": words.unit_words(plan),
        "noun": privacy.unit.noun,
        "neighbours": privacy.unit.neighbours,
        "delta": float(privacy.delta),
        "epsilon": float(privacy.epsilon),
        "mechanism": privacy.mechanism,
        "contribution": privacy.unit.max_rows,
        "max_sites": privacy.unit.max_sites,
        "contribution_cuts": [
            {"bound": b, "share_cut": words.cut_share(shares, b) if shares else None} for b in bounds
        ],
        "contribution_words": words.contribution_words(plan),
        "per_row": {
            "l1": privacy.l1_per_row * privacy.unit.max_sites,
            "l2_squared": l2_squared // privacy.unit.max_rows**2,
        },
        "adders": plan.adders._asdict() if plan.adders.sites else None,
        "sensitivity": [{"l1": l1, "l2_squared": l2_squared} for _ in plan.tables],
    }


def _table(plan: TuningPlan, index: int, table: Table) -> dict[str, Any]:
    noise = plan.noise(index)
    places = list(product(*(range(len(axis.labels)) for axis in table.axes)))
    return {
        "name": table.name,
        "share": float(table.share),
        "axes": [{"name": axis.name, "labels": list(axis.labels)} for axis in table.axes],
        "years": table.years,
        "smallest_usable": plan.rule.smallest_usable(noise),
        "cells": [
            {
                "at": list(at),
                "label": table.labels[i],
                "count": count,
                "population": None if table.person_years is None else table.person_years[i],
                "years": table.years,
                "usable_from": usable_from(plan, index, count),
                "verdict": plan.rule.verdict(noise, count),
            }
            for i, (at, count) in enumerate(zip(places, table.counts, strict=True))
        ],
    }


def cell_figures(plan: TuningPlan, table: int, cell: int, epsilon: float | None = None) -> dict[str, Any]:
    """Return what noise does to one cell: the row that the page shows for it.

    Parameters
    ----------
    plan
        What is tuned.
    table, cell
        Their positions.
    epsilon
        Privacy loss of all tables; the plan's own if left out.
    """
    noise, count = plan.noise(table, epsilon), plan.tables[table].counts[cell]
    years = plan.tables[table].person_years
    low, high = curves.interval(noise, count)
    return {
        "label": plan.tables[table].labels[cell],
        "count": count,
        "low": low,
        "high": high,
        "half_width": noise.half_width(),
        "seen_as_zero": curves.seen_as_zero(noise, count),
        "phantom": curves.phantom(noise) if curves.whole(count) == 0 else None,
        "relative_noise": curves.relative_noise(noise, count),
        "relative_error": curves.relative_error(noise, count),
        "rate": None if years is None or not years[cell] else curves.rate(noise, count, years[cell]),
        "widening": curves.widening(noise, count),
        "verdict": plan.rule.verdict(noise, count),
    }
