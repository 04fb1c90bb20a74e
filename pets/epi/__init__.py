"""Registry epidemiology from tallies: rates and their intervals, with the noise of the release included."""

from __future__ import annotations

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

__all__ = [
    "EUROPE_2013",
    "SEGI_1960",
    "STANDARDS",
    "US_2000",
    "WHO_2000",
    "Rate",
    "StandardPopulation",
    "age_specific_rates",
    "age_standardised_rate",
    "crude_rate",
    "standard_population",
]
