"""Records of the OMOP common data model, version 5.4.

References
----------
OHDSI Oncology working group, conventions for diagnoses: a tumour is a condition with a concept of ICD-O-3; its
modifiers are measurements that point to it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import narwhals.stable.v2 as nw

from pets.epi.harmonise.assemble import Records
from pets.epi.harmonise.crosswalk import Crosswalk
from pets.epi.harmonise.frames import BATCH, Frame, engine_failures
from pets.epi.harmonise.omop_episodes import Episodes, episodes_of, together, wanted
from pets.epi.harmonise.omop_source import CODES, Tables, open_omop
from pets.epi.harmonise.table import Harmonised, assembled
from pets.epi.harmonise.texts import as_texts
from pets.epi.harmonise.toronto import TIERS
from pets.epi.iccc import Version
from pets.errors import ConfigError, InvalidArgument, did_you_mean
from pets.table_file import read_table

OMOP: Final = Crosswalk(
    "OMOP CDM 5.4",
    {
        name: (name,)
        for name in (
            "patient", "topography", "morphology", "diagnosis", "sex", "birth_date", "diagnosis_date", "death_date",
            "last_contact_date", "region", "stage",
        )
    },
    values={
        "sex": {"8507": "male", "8532": "female", "8521": "other"},
        "stage": {tier: tier for tier in TIERS},
    },
    unknown={"sex": frozenset({"0", "8551", "8570"})},
)  # fmt: skip
"""What the fields made here mean."""

_ICDO3 = re.compile(r"(?P<morphology>\d{4}/\d)-(?P<topography>C\d\d(?:\.\d)?)", re.ASCII)
_TRIPLE = tuple[str, str, str]


@dataclass(frozen=True)
class Diagnosis:
    """What a condition code means: ICD-O-3 codes, or a code of ICCC-3."""

    topography: str = ""
    morphology: str = ""
    diagnosis: str = ""


def harmonise_omop(
    source: object,
    *,
    concepts: str | os.PathLike[str] | None = None,
    stages: str | os.PathLike[str] | None = None,
    schema: str = "",
    iccc: Version = "IARC 2017",
) -> Harmonised:
    """Return the tumours in the tables of an OMOP common data model as the analysis table.

    Read are PERSON, CONDITION_OCCURRENCE, DEATH, OBSERVATION_PERIOD, LOCATION, MEASUREMENT, CONCEPT, EPISODE and
    EPISODE_EVENT; only the first two are needed. The engine or server counts codes, and is then asked for the rows of
    tumours only. Conditions with the same ICD-O-3 codes are one tumour, diagnosed when its disease first occurred by
    EPISODE (concept 32528, else the overarching 32533), or when the first of its conditions began.

    Parameters
    ----------
    source
        A folder of ``.csv`` or ``.parquet`` files named as the tables; a ``.duckdb`` file; a DuckDB connection, also
        one to which another database is attached; a connection to a server by the Python database interface (psycopg,
        ADBC); or a mapping from table names to data frames of any engine.
    concepts
        A public ``.csv`` file that says which codes are tumours: ``concept_id`` or ``source_value``, and either
        ``topography`` and ``morphology`` or ``diagnosis`` (ICCC-3). Without it, those are that have an ICD-O-3 code
        such as ``8970/3-C22.0`` as source value, or in CONCEPT.
    stages
        A public ``.csv`` file of concepts of measurements, or of episodes of extent, that are stages: ``concept_id``
        and ``stage``, one of :data:`TIERS`. Measurements count before episodes.
    schema
        Schema of the tables in a database.
    iccc
        Version of ICCC-3: ``'IARC 2017'``, or ``'WHO 2008'`` for older codes.

    Raises
    ------
    InvalidArgument
        The source or a file cannot be read, or lacks a table; or there is no such version.
    DataError
        A table lacks a column.

    Notes
    -----
    Conditions that are not known as tumours are counted in the report by their code, because a tumour may be among them
    whose code no list has.
    """
    given = _concepts(concepts)
    tiers = _tiers(stages)
    with engine_failures():
        tables = open_omop(source, schema)
        known, others = _resolved(tables, given)
        found = tables.tumours(list(known), tiers, wanted(tiers))
        tumours = _tumours(found, known)
        dated = _date_by_episodes(tumours, episodes_of(found, tiers))
        records = list(_batches(found, tumours, tiers))
    merged = sum(tumour.rows for tumour in tumours) - len(tumours)
    notes = [
        ("further conditions of a tumour, which are no further tumours", merged),
        ("diagnosis_date by an episode of another day than the first condition", dated),
    ]
    return _with_others(assembled(records, replace(OMOP, iccc=iccc), notes), others)


@dataclass
class _Tumour:
    person: str
    meaning: Diagnosis
    began: str
    rows: int
    occurrences: list[_TRIPLE]
    episodes: Episodes = field(default_factory=Episodes)


def _resolved(tables: Tables, given: Mapping[str, Diagnosis]) -> tuple[dict[_TRIPLE, Diagnosis], list[tuple[str, int]]]:
    """Return what each triple of codes means, and the codes that mean nothing here with the number of their rows."""
    counted = tables.codes()
    identifiers = {text for triple in counted for text in triple[:2] if text}
    vocabulary = tables.concepts(identifiers)
    known, others = {}, []
    for concept, source_concept, value, rows in counted:
        meaning = next((given[code] for code in (value, source_concept, concept) if code in given), None)
        texts = (value, vocabulary.get(source_concept, ""), vocabulary.get(concept, ""))
        match = next((match for match in map(_ICDO3.fullmatch, texts) if match), None)
        if meaning is None and match is not None:
            meaning = Diagnosis(match["topography"], match["morphology"])
        if meaning is None:
            others.append((f"{concept or '-'} {value or source_concept or '-'}", rows))
        else:
            known[concept, source_concept, value] = meaning
    return known, others


def _tumours(found: Mapping[str, Frame], known: Mapping[_TRIPLE, Diagnosis]) -> list[_Tumour]:
    """Return one tumour for each person and meaning, with the day on which its first condition began."""
    conditions = found["condition_occurrence"]
    grouped = (
        conditions.group_by(["person_id", *CODES])
        .agg(nw.col("condition_start_date").min().alias("began"), nw.len().alias("rows"))
        .collect()
    )
    columns = [as_texts(grouped[name].to_list()) for name in ("person_id", *CODES, "began")]
    made: dict[tuple[str, Diagnosis], _Tumour] = {}
    for person, concept, source_concept, value, began, rows in zip(*columns, grouped["rows"].to_list(), strict=True):
        triple = (concept, source_concept, value)
        if triple in known:
            one = made.setdefault((person, known[triple]), _Tumour(person, known[triple], began, 0, []))
            one.began = min((one.began, began), key=lambda text: text or "9999")
            one.rows += int(rows)
            one.occurrences.append(triple)
    return sorted(made.values(), key=lambda one: (one.person, one.began))


def _date_by_episodes(tumours: list[_Tumour], episodes: Mapping[tuple[str, str, str, str], Episodes]) -> int:
    """Let episodes say when tumours were diagnosed, and return how many days that changed; orders them anew."""
    changed = 0
    for tumour in tumours:
        tumour.episodes = together(episodes.get((tumour.person, *triple)) for triple in tumour.occurrences)
        day = tumour.episodes.diagnosed or tumour.began
        changed += day != tumour.began
        tumour.began = day
    tumours.sort(key=lambda one: (one.person, one.began))
    return changed


def _batches(found: Mapping[str, Frame], tumours: list[_Tumour], tiers: Mapping[str, str]) -> Iterator[Records]:
    persons = _persons(found, {tumour.person for tumour in tumours})
    stages = _stages(found, tiers) if tiers else {}
    alone = {}
    for tumour in tumours:
        alone[tumour.person] = tumour.person not in alone
    for start in range(0, len(tumours), BATCH):
        part = tumours[start : start + BATCH]
        rows = [persons.get(tumour.person, {}) for tumour in part]
        records: dict[str, list[object]] = {
            "patient": [tumour.person for tumour in part],
            "topography": [tumour.meaning.topography for tumour in part],
            "morphology": [tumour.meaning.morphology for tumour in part],
            "diagnosis": [tumour.meaning.diagnosis for tumour in part],
            "diagnosis_date": [tumour.began for tumour in part],
            "stage": [_stage(tumour, stages, alone[tumour.person]) for tumour in part],
        }
        fields = ["sex", "birth_date", "last_contact_date", "region", *(["death_date"] if "death" in found else [])]
        yield records | {name: [row.get(name, "") for row in rows] for name in fields}


def _persons(found: Mapping[str, Frame], wanted: set[str]) -> dict[str, dict[str, str]]:
    """Return sex, birth, death, last contact and region of the persons with a tumour."""
    frame = found["person"].join(found["condition_occurrence"].select("person_id").unique(), on="person_id", how="semi")
    if "location" in found and "location_id" in frame.collect_schema().names():
        frame = frame.join(found["location"].unique(subset=["location_id"], keep="any"), on="location_id", how="left")
    last = {"death": ("death_date", "min"), "observation_period": ("observation_period_end_date", "max")}
    for name, (column, how) in last.items():
        if name in found:
            dated = found[name].group_by("person_id").agg(getattr(nw.col(column), how)().alias(name))
            frame = frame.join(dated, on="person_id", how="left")
    collected: Any = frame.collect()
    columns = {name: as_texts(collected[name].to_list()) for name in collected.columns}
    empty = [""] * len(collected)
    parts = (columns[f"{part}_of_birth"] for part in ("year", "month", "day"))
    births = [f"{y:0>4}{m or '99':0>2}{d or '99':0>2}" if y else "" for y, m, d in zip(*parts, strict=True)]
    named = {
        "sex": columns["gender_concept_id"],
        "birth_date": births,
        "death_date": columns.get("death", empty),
        "last_contact_date": columns.get("observation_period", empty),
        "region": columns.get("state", empty),
    }
    return {
        person: {name: values[i] for name, values in named.items()}
        for i, person in enumerate(columns["person_id"])
        if person in wanted
    }


def _stages(found: Mapping[str, Frame], tiers: Mapping[str, str]) -> dict[tuple[str, _TRIPLE | None], str]:
    """Return the tier of each person and condition code, and of each person for measurements that point nowhere.

    Where several disagree, the last in the order of :data:`TIERS` counts: the widest extent.
    """
    if "measurement" not in found:
        if "episode" in found:
            return {}
        raise InvalidArgument("stages", "are given, but there is no table MEASUREMENT or EPISODE", "Leave them out.")
    frame = found["measurement"].join(
        found["condition_occurrence"].select("condition_occurrence_id", *CODES),
        left_on="measurement_event_id", right_on="condition_occurrence_id", how="left",
    )  # fmt: skip
    collected: Any = frame.select("person_id", "measurement_concept_id", "measurement_event_id", *CODES).collect()
    names = ("person_id", "measurement_concept_id", "measurement_event_id", *CODES)
    columns = [as_texts(collected[name].to_list()) for name in names]
    made: dict[tuple[str, _TRIPLE | None], str] = {}
    for person, concept, event, *triple in zip(*columns, strict=True):
        key = (person, (triple[0], triple[1], triple[2]) if event else None)
        tier = tiers.get(concept, "")
        if tier and TIERS.index(tier) >= TIERS.index(made.get(key, tier)):
            made[key] = tier
    return made


def _stage(tumour: _Tumour, stages: Mapping[tuple[str, _TRIPLE | None], str], alone: bool) -> str:
    for triple in tumour.occurrences:
        if (tumour.person, triple) in stages:
            return stages[tumour.person, triple]
    by_episode = tumour.episodes.stage(tumour.began)
    return by_episode or (stages.get((tumour.person, None), "") if alone else "")


def _with_others(made: Harmonised, others: Iterable[tuple[str, int]]) -> Harmonised:
    """Return the records with conditions that are no known tumours in the report."""
    from pets.epi.harmonise.report import Report, Unmapped

    ordered = sorted(others, key=lambda item: (-item[1], item[0]))
    more = tuple(Unmapped("condition", code, "not known as a tumour", rows) for code, rows in ordered)
    report = made.report
    return Harmonised(made.frame, Report(report.records, (*report.unmapped, *more), report.notes))


def _concepts(path: str | os.PathLike[str] | None) -> dict[str, Diagnosis]:
    found: dict[str, Diagnosis] = {}
    for row in _rows(path, "concepts", ("concept_id", "source_value", "topography", "morphology", "diagnosis")):
        meaning = Diagnosis(row.get("topography", ""), row.get("morphology", ""), row.get("diagnosis", ""))
        codes = [code for code in (row.get("concept_id", ""), row.get("source_value", "")) if code]
        if not codes or not (meaning.diagnosis or (meaning.topography and meaning.morphology)):
            problem = "has a line without a code, or without topography and morphology, or diagnosis"
            raise ConfigError("concepts", problem, "See the documentation of harmonise_omop.")
        found |= dict.fromkeys(codes, meaning)
    return found


def _tiers(path: str | os.PathLike[str] | None) -> dict[str, str]:
    found = {}
    for row in _rows(path, "stages", ("concept_id", "stage")):
        if row.get("stage") not in TIERS or not row.get("concept_id"):
            problem = f"has a line with the stage {row.get('stage', '')!r}"
            raise ConfigError("stages", problem, did_you_mean(row.get("stage", ""), TIERS))
        found[row["concept_id"]] = row["stage"]
    return found


def _rows(path: str | os.PathLike[str] | None, argument: str, allowed: tuple[str, ...]) -> Iterator[dict[str, str]]:
    """Yield the lines of a public table of codes."""
    if path is None:
        return
    try:
        table = read_table(Path(path))
    except InvalidArgument as error:
        raise InvalidArgument(argument, error.problem, error.remedy) from None
    for name in table.columns:
        if name not in allowed:
            raise ConfigError(argument, f"has a column {name!r}", did_you_mean(name, allowed))
    for row in table.fillna("").astype(str).to_dict("records"):
        yield {str(name): value.strip() for name, value in row.items()}
