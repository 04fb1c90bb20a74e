"""What each way of adding up costs, from a recorded run of ``python -m benchmarks.tuning_costs``."""

from __future__ import annotations

import json
import math
from functools import lru_cache
from typing import Any

from pets.tuning.plan import TuningPlan


def costs_of(plan: TuningPlan) -> list[dict[str, Any]]:
    """Return, for each aggregator, the recorded run that is nearest to the plan's sites and cells.

    Times are CPU seconds of one party without the network; how many sites and cells were measured stands beside them.
    """
    record = recorded()
    cells = sum(table.cells for table in plan.tables)
    found = []
    for name in dict.fromkeys(row["aggregator"] for row in record["rows"]):
        rows = [row for row in record["rows"] if row["aggregator"] == name]
        best = min(rows, key=lambda row: _far(row["sites"], plan.sites) + _far(row["cells"], cells))
        found.append(_row(best, record["stamp"], mine=name == plan.aggregator))
    return found


@lru_cache(maxsize=1)
def recorded() -> dict[str, Any]:
    """Return the recorded measurements with their stamp: date, command, versions."""
    from importlib.resources import files

    text = (files("pets.tuning") / "data" / "costs.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def _far(one: float, other: float) -> float:
    return abs(math.log(max(one, 1)) - math.log(max(other, 1)))


def _row(row: dict[str, Any], stamp: dict[str, Any], *, mine: bool) -> dict[str, Any]:
    return {
        "aggregator": row["aggregator"],
        "seconds": row["site_seconds"],
        "collector_seconds": row["collector_seconds"],
        "setup_seconds": row["setup_seconds_per_site"],
        "bytes": row["site_bytes"],
        "rounds": row["rounds"],
        "sites": row["sites"],
        "cells": row["cells"],
        "this_plan": mine,
        "date": stamp["date"],
        "command": stamp["command"],
        "words": f"CPU seconds and bytes of one site, measured with {row['sites']} sites and {row['cells']:,} cells; "
        f"keys are agreed on once a study",
    }
