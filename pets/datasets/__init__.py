"""Small real data sets that ship with `pets`; where each comes from and on what terms is in data/SOURCES.md."""

from __future__ import annotations

from pets.datasets.ci5 import AGE_GROUPS, EUROPE_21, ci5_children
from pets.datasets.rows import one_row_per_case
from pets.datasets.trials import lung, wilms

__all__ = ["AGE_GROUPS", "EUROPE_21", "ci5_children", "lung", "one_row_per_case", "wilms"]
