"""A tuning plan as a TOML file, and back: equal plans give equal texts, so that a page can be rebuilt byte for byte.

The file holds settings and the public planning counts, which are the page's own input; no path and no confidential
count. An internal plan leaves its counts out: to build its page again, the planning file must be given again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

from pets.errors import ConfigError
from pets.exact import as_text, exact
from pets.tuning.plan import Table, TuningPlan
from pets.tuning.totals_asked import Total

KIND = "tuning"

HEAD = (
    "# A tuning plan of pets: which promise, which tables, which rule. `pets tune THIS_FILE` builds its page again.\n"
    "# The planning counts in it are public; it holds no confidential number and no path.\n"
)
HEAD_INTERNAL = (
    "# A tuning plan of pets. The planning counts were confidential and are not in it:\n"
    "# `pets tune THIS_FILE --planning FILE --confidential --internal` builds its page again.\n"
)


def to_toml(plan: TuningPlan) -> str:
    """Return the plan as a TOML document; see :func:`pets.tuning.from_dict`."""
    import tomli_w

    head = HEAD_INTERNAL if plan.source.kind == "confidential" else HEAD
    return head + tomli_w.dumps(to_dict(plan))


def to_dict(plan: TuningPlan) -> dict[str, Any]:
    """Return the plan as plain data."""
    counts = plan.source.kind != "confidential"
    return {
        "schema": 1,
        "kind": KIND,
        "title": plan.title,
        "language": plan.language,
        "built": plan.built,
        "internal": plan.internal,
        "sites": plan.sites,
        "aggregator": plan.aggregator,
        "noise_at": plan.noise_at,
        **({} if plan.honest is None else {"honest": plan.honest}),
        **({"assumed": ", ".join(plan.assumed)} if plan.assumed else {}),
        "privacy": _privacy(plan),
        "rule": plan.rule.to_dict(),
        "budget": _budget(plan),
        "source": {k: getattr(plan.source, k) for k in ("kind", "text", "rows", "digest")},
        "decision": {k: getattr(plan.decision, k) for k in ("who", "when", "comment")},
        "tables": [_table(table, counts=counts) for table in plan.tables],
        "totals": [_total(total) for total in plan.totals],
    }


def plan_lines(plan: TuningPlan) -> dict[str, str]:
    """Return the lines of :func:`to_toml` that the page may replace when a setting is changed.

    Each line is the first of the document with that text; ``share_0``, ``share_1``, ... are those of the tables, in
    their order.
    """
    privacy = plan.privacy
    lines = {
        "epsilon": f'epsilon = "{as_text(privacy.epsilon)}"',
        "contribution": f"contribution = {privacy.unit.max_rows}",
        "mechanism": f'mechanism = "{privacy.mechanism}"',
        "measure": f'measure = "{plan.rule.measure}"',
        "max_relative_error": f"max_relative_error = {plan.rule.max_relative_error}",
        "max_false_zero": f"max_false_zero = {plan.rule.max_false_zero}",
        "minimum_count": f"minimum_count = {plan.rule.minimum_count}",
        "language": f'language = "{plan.language}"',
    }
    lines |= {"assumed": f'assumed = "{", ".join(plan.assumed)}"'} if plan.assumed else {}
    return lines | {f"share_{i}": f'share = "{as_text(t.share)}"' for i, t in enumerate(plan.tables)}


def _privacy(plan: TuningPlan) -> dict[str, Any]:
    privacy, unit = plan.privacy, plan.privacy.unit
    found: dict[str, Any] = {
        "epsilon": as_text(privacy.epsilon),
        "mechanism": privacy.mechanism,
        "delta": as_text(privacy.delta),
        "contribution": unit.max_rows,
        "max_sites": unit.max_sites,
        "neighbours": unit.neighbours,
    }
    found |= {} if unit.id is None else {"unit_id": unit.id}
    return found | ({"rows_per_person": list(privacy.rows_per_person)} if privacy.rows_per_person else {})


def _budget(plan: TuningPlan) -> dict[str, Any]:
    budget = plan.budget
    spent = [{"date": s.date, "label": s.label, "loss": as_text(s.epsilon)} for s in budget.spent]
    found: dict[str, Any] = {"total": as_text(budget.total), "years": budget.years, "spent": spent}
    return found | ({"assumed": True} if budget.assumed else {})


def _table(table: Table, *, counts: bool) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": table.name,
        "share": as_text(table.share),
        "years": table.years,
        "axes": [{"name": axis.name, "labels": list(axis.labels)} for axis in table.axes],
    }
    if counts:
        found["counts"] = list(table.counts)
        if table.person_years is not None:
            found["person_years"] = list(table.person_years)
    return found


def _total(total: Total) -> dict[str, Any]:
    found: dict[str, Any] = {"label": total.label, "kind": total.kind, "table": total.table}
    if total.where:
        found["where"] = {axis: list(labels) for axis, labels in total.where.items()}
    if total.kind == "rate":
        found |= {"age": total.age, "standard": total.standard}
    if total.kind == "ratio":
        found["expected"] = total.expected
    if total.life is not None:
        life = total.life
        found["life"] = {
            "times": list(life.times),
            "events": list(life.events),
            "censored": list(life.censored),
            "beyond": life.beyond,
        }
    return found


def split_evenly(tables: tuple[Table, ...]) -> tuple[Table, ...]:
    """Return the tables with equal shares of the budget."""
    return tuple(replace(table, share=Fraction(1, len(tables))) for table in tables)


def is_tuning(data: Mapping[str, Any]) -> bool:
    """Return whether a document is a tuning plan, and not a pipeline's plan."""
    return data.get("kind") == KIND


def share_of(value: object, path: str, tables: int) -> Fraction:
    """Return a share, an equal one where it is left out."""
    if value is None:
        return Fraction(1, tables)
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise ConfigError(path, "must be a text such as '1/2' or '0.25'")
    return exact(value, path)
