"""Survival and time to event from event tables: curves, means, medians and tests that include the noise.

The path from a table of counts to an estimate: :mod:`~pets.epi.survival.counts` reads what was released,
:mod:`~pets.epi.survival.fit` makes it a table that people could have, :mod:`~pets.epi.survival.functionals` turns its
hazards into estimates, :mod:`~pets.epi.survival.delta` finds their variance, by sampling and by noise.
"""

from __future__ import annotations

from pets.epi.survival.counts import EventCounts
from pets.epi.survival.curves import Curve, Curves
from pets.epi.survival.estimators import cumulative_incidence, kaplan_meier, nelson_aalen
from pets.epi.survival.life_table import LifeTable
from pets.epi.survival.life_table import finland as finland_life_table
from pets.epi.survival.logrank import LogRank, log_rank
from pets.epi.survival.net import net_survival
from pets.epi.survival.net_rows import net_survival_of_rows
from pets.epi.survival.summaries import Duration, median_survival, restricted_mean, survival_quantile

__all__ = [
    "Curve",
    "Curves",
    "Duration",
    "EventCounts",
    "LifeTable",
    "LogRank",
    "cumulative_incidence",
    "finland_life_table",
    "kaplan_meier",
    "log_rank",
    "median_survival",
    "nelson_aalen",
    "net_survival",
    "net_survival_of_rows",
    "restricted_mean",
    "survival_quantile",
]
