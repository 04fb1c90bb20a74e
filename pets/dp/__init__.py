"""Differential privacy: exact integer noise, mechanisms, and what they promise."""

from __future__ import annotations

from pets.dp import accounting, samplers
from pets.dp.additive import AdditiveNoise
from pets.dp.auditing import Audit, audit
from pets.dp.choice import choose, plan
from pets.dp.engines import NoiseEngine
from pets.dp.gaussian import DiscreteGaussian
from pets.dp.key_sets import KeyCounts, KeyRelease, ThresholdedCounts
from pets.dp.laplace import DiscreteLaplace
from pets.dp.marginals import LaplacePlanner, ResidualPlanner, YearlyTotals, fit_nonnegative, total_of
from pets.dp.randomized_response import RandomizedResponse, Responses
from pets.dp.selection import (
    AboveThreshold,
    Candidate,
    ExponentialMechanism,
    ExponentialQuantiles,
    PermuteAndFlip,
    PrivateTuning,
    ReportNoisyMax,
    Selected,
    Selector,
    TopK,
    select,
)

__all__ = [
    "AboveThreshold",
    "AdditiveNoise",
    "Audit",
    "Candidate",
    "DiscreteGaussian",
    "DiscreteLaplace",
    "ExponentialMechanism",
    "ExponentialQuantiles",
    "KeyCounts",
    "KeyRelease",
    "LaplacePlanner",
    "NoiseEngine",
    "PermuteAndFlip",
    "PrivateTuning",
    "RandomizedResponse",
    "ReportNoisyMax",
    "ResidualPlanner",
    "Responses",
    "Selected",
    "Selector",
    "ThresholdedCounts",
    "TopK",
    "YearlyTotals",
    "accounting",
    "audit",
    "choose",
    "fit_nonnegative",
    "plan",
    "samplers",
    "select",
    "total_of",
]
