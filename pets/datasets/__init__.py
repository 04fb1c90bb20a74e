"""Small real data sets that ship with `pets`, and simulated registries; origin and terms are in data/SOURCES.md."""

from __future__ import annotations

from pets.datasets.ci5 import AGE_GROUPS, EUROPE_21, ci5_children
from pets.datasets.rows import one_row_per_case
from pets.datasets.simulate import SimulatedRegistries, simulate_registries
from pets.datasets.trials import lung, wilms

__all__ = [
    "AGE_GROUPS",
    "EUROPE_21",
    "SimulatedRegistries",
    "ci5_children",
    "lung",
    "one_row_per_case",
    "simulate_registries",
    "wilms",
]
