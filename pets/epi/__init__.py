"""Registry epidemiology from tallies: rates and survival with their intervals, the noise of the release included."""

from __future__ import annotations

from pets.epi.iccc import ICCC3, Classified, iccc3
from pets.epi.rates import Rate, age_specific_rates, age_standardised_rate, crude_rate
from pets.epi.standards import (
    EUROPE_2013,
    SEGI_1960,
    STANDARDS,
    US_2000,
    WHO_2000,
    StandardPopulation,
    standard_population,
)
from pets.epi.survival import (
    Curve,
    Curves,
    Duration,
    EventCounts,
    LogRank,
    cumulative_incidence,
    kaplan_meier,
    log_rank,
    median_survival,
    nelson_aalen,
    restricted_mean,
    survival_quantile,
)

__all__ = [
    "EUROPE_2013",
    "ICCC3",
    "SEGI_1960",
    "STANDARDS",
    "US_2000",
    "WHO_2000",
    "Classified",
    "Curve",
    "Curves",
    "Duration",
    "EventCounts",
    "LogRank",
    "Rate",
    "StandardPopulation",
    "age_specific_rates",
    "age_standardised_rate",
    "crude_rate",
    "cumulative_incidence",
    "iccc3",
    "kaplan_meier",
    "log_rank",
    "median_survival",
    "nelson_aalen",
    "restricted_mean",
    "standard_population",
    "survival_quantile",
]
