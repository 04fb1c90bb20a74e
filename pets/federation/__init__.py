"""What parties in processes of their own do together: one secure sum, or a study in rounds."""

from __future__ import annotations

from pets.federation.collecting import collect_study
from pets.federation.plans import plan_from_file
from pets.federation.sessions import contract_of, expected_contract, sites_of
from pets.federation.study import Study
from pets.federation.synthetic_study import SyntheticStudy
from pets.federation.taking_part import join_study
from pets.federation.training_study import TrainingStudy
from pets.federation.transcript import StudyTranscript

__all__ = [
    "Study",
    "StudyTranscript",
    "SyntheticStudy",
    "TrainingStudy",
    "collect_study",
    "contract_of",
    "expected_contract",
    "join_study",
    "plan_from_file",
    "sites_of",
]
