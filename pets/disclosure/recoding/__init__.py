"""The recoding planner: collapse stage, age, region or year until nothing is left to suppress, at the least loss."""

from __future__ import annotations

from pets.disclosure.recoding.ladders import pool
from pets.disclosure.recoding.plan import plan_recoding
from pets.disclosure.recoding.result import Choice, RecodingPlan

__all__ = ["Choice", "RecodingPlan", "plan_recoding", "pool"]
