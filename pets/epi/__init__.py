"""Registry epidemiology from tallies: rates and survival with their intervals, the noise of the release included."""

from __future__ import annotations

from pets.epi.iccc import ICCC3, Classified, iccc3
from pets.epi.rates import Rate, age_specific_rates, age_standardised_rate, crude_rate
from pets.epi.ratios import IncidenceRatio, standardised_incidence_ratio
from pets.epi.regression import Regression, hazard_ratios, logistic_regression, poisson_regression
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
    LifeTable,
    LogRank,
    cumulative_incidence,
    finland_life_table,
    kaplan_meier,
    log_rank,
    median_survival,
    nelson_aalen,
    net_survival,
    net_survival_of_rows,
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
    "IncidenceRatio",
    "LifeTable",
    "LogRank",
    "Rate",
    "Regression",
    "StandardPopulation",
    "age_specific_rates",
    "age_standardised_rate",
    "crude_rate",
    "cumulative_incidence",
    "finland_life_table",
    "hazard_ratios",
    "iccc3",
    "kaplan_meier",
    "log_rank",
    "logistic_regression",
    "median_survival",
    "nelson_aalen",
    "net_survival",
    "net_survival_of_rows",
    "poisson_regression",
    "restricted_mean",
    "standard_population",
    "standardised_incidence_ratio",
    "survival_quantile",
]
