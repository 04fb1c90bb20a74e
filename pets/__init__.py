"""Privacy-enhancing technology for registries: ask, tally, aggregate, release.

>>> import pets
>>> domain = pets.Domain(sex=["female", "male"], age_group=["0-4", "5-9", "10-14"])
>>> plan = pets.Pipeline(
...     pets.Count(by=["sex", "age_group"]), domain, mechanism=pets.dp.DiscreteLaplace(epsilon=1)
... )
>>> plan.preview().error.half_width(0.95)  # known before any row is read: each count within 3 of the truth
(3.0,)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from pets import errors
from pets.aggregation import aggregate
from pets.csprng import SecureRandom
from pets.domain import Categorical, Date, Domain, Hierarchy, Integer, Numeric
from pets.error_model import ErrorModel
from pets.guarantee import (
    ApproxDP,
    Guarantee,
    InputPrivacy,
    NoFormalGuarantee,
    PureDP,
    RenyiDP,
    SuppressionRule,
    ZeroConcentratedDP,
)
from pets.ledger import Ledger
from pets.pipeline import Pipeline
from pets.plain import Plain
from pets.preview import Preview
from pets.privacy_unit import PrivacyUnit
from pets.query import Count, EventTable, Histogram, Marginals, Mean, Quantiles, Query, Sum, SumTables, Variance
from pets.release import Provenance, Release, pool
from pets.roles import Aggregator, Distributable, Mechanism
from pets.tally import Tally

if TYPE_CHECKING:
    from pets import datasets, disclosure, dp, epi, he, mpc, synthetic

__version__ = "0.1.0"

_FAMILIES = ("datasets", "disclosure", "dp", "epi", "he", "mpc", "synthetic", "training")
"""Loaded when they are first used: nobody needs all of them, and a command line should answer at once."""

__all__ = [
    "Aggregator",
    "ApproxDP",
    "Categorical",
    "Count",
    "Date",
    "Distributable",
    "Domain",
    "ErrorModel",
    "EventTable",
    "Guarantee",
    "Hierarchy",
    "Histogram",
    "InputPrivacy",
    "Integer",
    "Ledger",
    "Marginals",
    "Mean",
    "Mechanism",
    "NoFormalGuarantee",
    "Numeric",
    "Pipeline",
    "Plain",
    "Preview",
    "PrivacyUnit",
    "Provenance",
    "PureDP",
    "Quantiles",
    "Query",
    "Release",
    "RenyiDP",
    "SecureRandom",
    "Sum",
    "SumTables",
    "SuppressionRule",
    "Tally",
    "Variance",
    "ZeroConcentratedDP",
    "aggregate",
    "datasets",
    "disclosure",
    "dp",
    "epi",
    "errors",
    "he",
    "mpc",
    "pool",
    "synthetic",
]


def __getattr__(name: str) -> Any:
    if name in _FAMILIES:
        return import_module(f"pets.{name}")
    raise AttributeError(f"module 'pets' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
