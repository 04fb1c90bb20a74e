"""Microdata: how identifying single records are, and making them less so.

Measures: k-anonymity, l-diversity, t-closeness, uniques in sample and population, special uniques (SUDA), individual
risk. Remedies: local suppression and global recoding to a target k, keyed pseudonyms with a crosswalk kept apart. A
check of the 18 identifiers of HIPAA Safe Harbor.

Missing key values have an explicit meaning everywhere, see :data:`Missing`. No message, report or repr shows a value of
a cell.
"""

from __future__ import annotations

from pets.disclosure.microdata.assessment import Assessment, assess
from pets.disclosure.microdata.classes import Classes, equivalence_classes
from pets.disclosure.microdata.closeness import t_closeness
from pets.disclosure.microdata.crosswalk import Crosswalk
from pets.disclosure.microdata.diversity import k_anonymity, l_diversity
from pets.disclosure.microdata.frame import Missing
from pets.disclosure.microdata.individual_risk import IndividualRisk, individual_risk
from pets.disclosure.microdata.local_suppression import LocalSuppression, suppress_to_k
from pets.disclosure.microdata.normalisation import Normalisation
from pets.disclosure.microdata.population import PopulationUniques, population_uniques
from pets.disclosure.microdata.pseudonyms import PseudonymKey, Pseudonyms
from pets.disclosure.microdata.recoding import Recoding, recode_to_k
from pets.disclosure.microdata.safe_harbor import ZIP3_CENSUS_2000, SafeHarborCheck, check_safe_harbor
from pets.disclosure.microdata.suda import SpecialUniques, special_uniques

__all__ = [
    "ZIP3_CENSUS_2000",
    "Assessment",
    "Classes",
    "Crosswalk",
    "IndividualRisk",
    "LocalSuppression",
    "Missing",
    "Normalisation",
    "PopulationUniques",
    "PseudonymKey",
    "Pseudonyms",
    "Recoding",
    "SafeHarborCheck",
    "SpecialUniques",
    "assess",
    "check_safe_harbor",
    "equivalence_classes",
    "individual_risk",
    "k_anonymity",
    "l_diversity",
    "population_uniques",
    "recode_to_k",
    "special_uniques",
    "suppress_to_k",
    "t_closeness",
]
