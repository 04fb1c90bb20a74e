"""Harmonisation: from the models in which registries keep their records to the one analysis table."""

from __future__ import annotations

from pets.epi.harmonise.crosswalk import FIELDS, Crosswalk, Source, shipped_text
from pets.epi.harmonise.generic import harmonise
from pets.epi.harmonise.naaccr import harmonise_naaccr
from pets.epi.harmonise.omop import harmonise_omop
from pets.epi.harmonise.report import Report, Unmapped
from pets.epi.harmonise.table import Harmonised, analysis_domain
from pets.epi.harmonise.toronto import TIERS, Staged, toronto_schema, toronto_tier

__all__ = [
    "FIELDS",
    "TIERS",
    "Crosswalk",
    "Harmonised",
    "Report",
    "Source",
    "Staged",
    "Unmapped",
    "analysis_domain",
    "harmonise",
    "harmonise_naaccr",
    "harmonise_omop",
    "shipped_text",
    "toronto_schema",
    "toronto_tier",
]
