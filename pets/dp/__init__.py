"""Differential privacy: exact integer noise, mechanisms, and what they promise."""

from __future__ import annotations

from pets.dp import accounting, samplers
from pets.dp.additive import AdditiveNoise
from pets.dp.choice import choose, plan
from pets.dp.engines import NoiseEngine
from pets.dp.gaussian import DiscreteGaussian
from pets.dp.laplace import DiscreteLaplace
from pets.dp.marginals import ResidualPlanner, YearlyTotals, fit_nonnegative, total_of

__all__ = [
    "AdditiveNoise",
    "DiscreteGaussian",
    "DiscreteLaplace",
    "NoiseEngine",
    "ResidualPlanner",
    "YearlyTotals",
    "accounting",
    "choose",
    "fit_nonnegative",
    "plan",
    "samplers",
    "total_of",
]
