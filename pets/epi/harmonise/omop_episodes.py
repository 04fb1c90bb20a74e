"""Episodes of the OMOP oncology extension: when a tumour was diagnosed, and how far it had spread then.

The conditions of a tumour are whatever a hospital wrote down, often long before or after the diagnosis. Where the
oncology extension of CDM 5.4 is kept, EPISODE says which day counts: the first occurrence of the disease, or the
overarching episode; EPISODE_EVENT says of which condition. An episode of extent (confined, metastatic) is a stage if
the list of stages has its concept, and if it does not begin after the diagnosis: later ones are recurrences.

References
----------
OHDSI, OMOP common data model, version 5.4, tables EPISODE and EPISODE_EVENT. OHDSI Oncology working group: a tumour of
a registry has an episode of its first occurrence (32528, until the vocabulary withdrew it) or one of extent with the
number 1, below an overarching episode (32533).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import narwhals.stable.v2 as nw

from pets.epi.harmonise.frames import Frame
from pets.epi.harmonise.omop_source import CODES
from pets.epi.harmonise.texts import as_texts
from pets.epi.harmonise.toronto import TIERS

FIRST_OCCURRENCE: Final = "32528"
OVERARCHING: Final = "32533"
OF_CONDITION: Final = "1147127"
"""Concept of the field CONDITION_OCCURRENCE.condition_occurrence_id, to which an event of an episode may point."""

_NEVER: Final = "9999"


@dataclass
class Episodes:
    """What the episodes of one tumour say.

    Parameters
    ----------
    began
        By concept of an episode the day on which the first of that kind began.
    extents
        Concept and first day of each episode that is a stage.
    """

    began: dict[str, str] = field(default_factory=dict)
    extents: list[tuple[str, str]] = field(default_factory=list)

    def add(self, concept: str, began: str, tiers: Mapping[str, str]) -> None:
        """Take one more episode into account."""
        if not began:
            return
        if concept in (FIRST_OCCURRENCE, OVERARCHING):
            self.began[concept] = min(self.began.get(concept, _NEVER), began)
        if concept in tiers:
            self.extents.append((tiers[concept], began))

    @property
    def diagnosed(self) -> str:
        """The day of diagnosis, empty if no episode tells it."""
        return self.began.get(FIRST_OCCURRENCE) or self.began.get(OVERARCHING, "")

    def stage(self, diagnosed: str) -> str:
        """Return the widest extent that does not begin after the diagnosis."""
        found = [tier for tier, began in self.extents if began <= diagnosed]
        return max(found, key=TIERS.index, default="")


Key = tuple[str, str, str, str]
"""A person, and the three codes of a condition."""


def wanted(tiers: Collection[str]) -> set[str]:
    """Return the concepts of episodes that are read."""
    return {FIRST_OCCURRENCE, OVERARCHING, *tiers}


def episodes_of(found: Mapping[str, Frame], tiers: Mapping[str, str]) -> dict[Key, Episodes]:
    """Return the episodes of each person's conditions; empty without the two tables.

    Parameters
    ----------
    found
        The tables of tumours.
    tiers
        Tier by concept.
    """
    if "episode" not in found or "episode_event" not in found:
        return {}
    # Events of other fields have the same numbers and mean something else.
    events = _of_conditions(found["episode_event"])
    frame = (
        found["episode"]
        .join(events, on="episode_id", how="inner")
        .join(
            found["condition_occurrence"].select("condition_occurrence_id", *CODES),
            left_on="event_id", right_on="condition_occurrence_id", how="inner",
        )
    )  # fmt: skip
    collected: Any = frame.select("person_id", "episode_concept_id", "episode_start_date", *CODES).collect()
    names = ("person_id", *CODES, "episode_concept_id", "episode_start_date")
    columns = [as_texts(collected[name].to_list()) for name in names]
    made: dict[Key, Episodes] = {}
    for person, concept, source, value, kind, began in zip(*columns, strict=True):
        made.setdefault((person, concept, source, value), Episodes()).add(kind, began, tiers)
    return made


def together(parts: Iterable[Episodes | None]) -> Episodes:
    """Return the episodes of a tumour that has several conditions."""
    made = Episodes()
    for part in parts:
        if part is not None:
            for concept, began in part.began.items():
                made.began[concept] = min(made.began.get(concept, _NEVER), began)
            made.extents += part.extents
    return made


def _of_conditions(events: Frame) -> Frame:
    kind = events.collect_schema()["episode_event_field_concept_id"]
    values: list[Any] = [] if kind == nw.String else [int(OF_CONDITION)]
    values += [] if kind.is_numeric() else [OF_CONDITION]  # rows of a driver may be of any type
    return events.filter(nw.col("episode_event_field_concept_id").is_in(values)).select("episode_id", "event_id")
