"""Tables with margins: consistent, unbiased, of least variance; groups, runs, yearly totals and non-negative fits."""

from __future__ import annotations

from pets.dp.marginals.answers import Answer, total_of
from pets.dp.marginals.laplace import LaplacePlanner
from pets.dp.marginals.nonnegative import NonNegativeFit, fit_nonnegative
from pets.dp.marginals.plan import Plan
from pets.dp.marginals.residual import ResidualPlanner
from pets.dp.marginals.yearly import YearlyStream, YearlyTable, YearlyTotals

__all__ = [
    "Answer",
    "LaplacePlanner",
    "NonNegativeFit",
    "Plan",
    "ResidualPlanner",
    "YearlyStream",
    "YearlyTable",
    "YearlyTotals",
    "fit_nonnegative",
    "total_of",
]
