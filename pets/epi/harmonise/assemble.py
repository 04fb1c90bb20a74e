"""From records, whatever model they come from, to the rows of the analysis table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pets.epi.harmonise.crosswalk import SEXES, STATUSES, UNITS, Crosswalk
from pets.epi.harmonise.dates import UNKNOWN, PartialDates, completed_years, read_dates
from pets.epi.harmonise.report import Tally
from pets.epi.harmonise.texts import as_texts
from pets.epi.harmonise.toronto import TIERS, toronto_schema, toronto_tier
from pets.epi.iccc import group_of, iccc3, object_array

Records = Mapping[str, Sequence[object]]
"""Field to one value for each tumour; a field that the source does not have is left out."""

COLUMNS: Final = (
    "patient", "tumour", "group", "diagnosis", "age", "sex", "year", "region", "stage", "time", "event",
)  # fmt: skip
"""Columns of the analysis table."""

OLDEST: Final = 120

Texts = list[str]
Numbers = NDArray[np.float64]


class Assembler:
    """Turns batches of records into batches of rows, and keeps account of what had no place.

    Parameters
    ----------
    crosswalk
        What codes mean; its columns are not looked at.
    """

    def __init__(self, crosswalk: Crosswalk) -> None:
        self._crosswalk = crosswalk
        self._groups = iccc3(crosswalk.iccc)
        self.tally = Tally()

    def rows(self, records: Records) -> dict[str, NDArray[Any]]:
        """Return columns of the analysis table but ``tumour``; and ``day``, that of diagnosis, to order tumours by."""
        size = len(records["patient"])
        self.tally.add_records(size)
        given = {name: self._known(name, as_texts(values)) for name, values in records.items()}
        empty = [""] * size
        patients = given["patient"]
        self._note("records without a patient number", [not text for text in patients])
        group, subgroup = self._diagnosis(given, empty)
        status, died = self._status(given, empty)
        birth, diagnosed, ended = self._dates(given, empty, died)
        age = self._age(given.get("age", empty), birth, diagnosed)
        time = self._time(given.get("time", empty), diagnosed, ended)
        return {
            "patient": object_array(text or None for text in patients),
            "group": group,
            "diagnosis": subgroup,
            "age": age,
            "sex": self._meaning("sex", given.get("sex", empty), SEXES),
            "year": self._year(given.get("year", empty), diagnosed),
            "region": self._meaning("region", given.get("region", empty), None),
            "stage": self._stage(given, empty, age),
            "time": time,
            "event": status,
            "day": diagnosed.middle,
        }

    def _known(self, name: str, texts: Texts) -> Texts:
        """Return texts, empty where the source says that it does not know."""
        unknown = self._crosswalk.unknown.get(name, frozenset())
        return [("" if text in unknown else text) for text in texts] if unknown else texts

    def _note(self, sentence: str, where: Iterable[object]) -> None:
        self.tally.add_note(sentence, sum(map(bool, where)))

    def _diagnosis(self, given: Mapping[str, Texts], empty: Texts) -> tuple[NDArray[np.object_], NDArray[np.object_]]:
        """Return main group and subgroup: of the ICD-O-3 codes, or as the source itself has classified."""
        codes = [given.get(name, empty) for name in ("topography", "morphology", "behaviour")]
        found = self._groups.classify(*codes)
        group, subgroup = found.group.copy(), found.subgroup.copy()
        classified = self._meaning(
            "diagnosis", given.get("diagnosis", empty), (*self._groups.subgroups, *self._groups.groups)
        )
        for i, code in enumerate(classified):
            if group[i] is None and code is not None:
                group[i], subgroup[i] = group_of(code), code if code in self._groups.subgroups else None
        coded = [any(row) for row in zip(*codes, strict=True)]
        lost = [i for i, code in enumerate(group) if code is None and coded[i]]
        for reason in dict.fromkeys(found.reason[i] for i in lost):
            texts = (" ".join(column[i] or "-" for column in codes) for i in lost if found.reason[i] == reason)
            self.tally.add_codes("diagnosis", reason, texts)
        silent = zip(coded, given.get("diagnosis", empty), strict=True)
        self._note("records without any code of a diagnosis", (not (code or text) for code, text in silent))
        return group, subgroup

    def _status(self, given: Mapping[str, Texts], empty: Texts) -> tuple[NDArray[np.object_], list[bool]]:
        """Return alive or dead, and who has a date of death."""
        status = self._meaning("vital_status", given.get("vital_status", empty), STATUSES)
        died = [bool(text) for text in given.get("death_date", empty)]
        self._note(
            "alive, but with a date of death: taken as dead",
            (s == "alive" and d for s, d in zip(status, died, strict=True)),
        )
        status[died] = "dead"
        if "vital_status" not in given and "death_date" in given:
            status[[not d for d in died]] = "alive"
        self._note("records without a vital status", (code is None for code in status))
        return status, died

    def _dates(
        self, given: Mapping[str, Texts], empty: Texts, died: Sequence[bool]
    ) -> tuple[PartialDates, PartialDates, PartialDates]:
        """Return birth, diagnosis and end of follow-up, parts that are unknown narrowed by each other."""
        last = [d if dead else t for d, t, dead in zip(
            given.get("death_date", empty), given.get("last_contact_date", empty), died, strict=True
        )]  # fmt: skip
        birth, diagnosed, ended = (
            self._read(name, texts)
            for name, texts in (
                ("birth_date", given.get("birth_date", empty)),
                ("diagnosis_date", given.get("diagnosis_date", empty)),
                ("last_contact_date", last),
            )
        )
        diagnosed = diagnosed.within(birth.first, ended.last)
        return (
            birth.within(np.full(len(last), UNKNOWN), diagnosed.last),
            diagnosed,
            ended.within(diagnosed.first, np.full(len(last), UNKNOWN)),
        )

    def _read(self, name: str, texts: Texts) -> PartialDates:
        found = read_dates(texts, self._crosswalk.order)
        self.tally.add_codes(name, "no date", (texts[i] for i in np.flatnonzero(found.unreadable)))
        self._note(f"{name} known in part: the middle of the days possible is taken", found.partial)
        return found

    def _age(self, texts: Texts, birth: PartialDates, diagnosed: PartialDates) -> Numbers:
        """Return the age that the source states, else the age between the dates."""
        stated = np.floor(self._numbers("age", texts) * UNITS[self._crosswalk.units["age"]] / UNITS["years"] + 1e-9)
        between = completed_years(birth.middle, diagnosed.middle)
        full = birth.known & diagnosed.known & ~birth.partial & ~diagnosed.partial
        self._note(
            "stated age differs by more than a year from the dates: the stated one is taken",
            full & (np.abs(stated - between) > 1),
        )
        age = np.where(np.isnan(stated), between, stated)
        outside = (age < 0) | (age > OLDEST)
        self._note("diagnosis before birth, or an age above 120: taken as unknown", outside)
        return np.where(outside, np.nan, age)

    def _year(self, texts: Texts, diagnosed: PartialDates) -> Numbers:
        stated = read_dates([text[:4] if text[:4].isdecimal() else text for text in texts])
        self.tally.add_codes("year", "no year", (texts[i] for i in np.flatnonzero(stated.unreadable)))
        year = np.where(diagnosed.known, diagnosed.years, stated.years)
        self._note("records without a year of diagnosis", np.isnan(year))
        return year

    def _time(self, texts: Texts, diagnosed: PartialDates, ended: PartialDates) -> Numbers:
        """Return the days from diagnosis to the end of follow-up: stated, or between the dates."""
        stated = np.round(self._numbers("time", texts) * UNITS[self._crosswalk.units["time"]])
        both = diagnosed.known & ended.known
        between = np.where(both, ended.middle - np.where(both, diagnosed.middle, ended.middle), np.nan)
        time = np.where(np.isnan(stated), between, stated)
        self._note("follow-up ends before diagnosis: taken as unknown", time < 0)
        self._note("records without a time of follow-up", np.isnan(time))
        return np.where(time < 0, np.nan, time)

    def _stage(self, given: Mapping[str, Texts], empty: Texts, age: Numbers) -> NDArray[np.object_]:
        """Return the tier: by the crosswalk's own values, or by the Toronto stage group of the tumour's schema."""
        texts = given.get("stage", empty)
        if "stage" in self._crosswalk.values or not any(texts):
            return self._meaning("stage", texts, TIERS)
        codes = [given.get(name, empty) for name in ("topography", "morphology", "behaviour")]
        schemas = toronto_schema(*codes, age=age)
        chosen = [a or b or "" for a, b in zip(given.get("stage_schema", empty), schemas, strict=True)]
        staged = toronto_tier(texts, ["" if code.upper() == "XX" else code for code in chosen])
        for reason in {why for why in staged.reason if why is not None}:
            lost = (f"{s or '-'} {t}" for s, t, why in zip(chosen, texts, staged.reason, strict=True) if why == reason)
            self.tally.add_codes("stage", f"unknown {reason}", lost)
        return staged.tier

    def _meaning(self, name: str, texts: Texts, allowed: Sequence[str] | None) -> NDArray[np.object_]:
        """Return what codes mean; without a list of values, one that is spelt as in the analysis table is itself."""
        values = self._crosswalk.values.get(name)
        if values is None:
            values = {text: text for text in (set(texts) - {""} if allowed is None else allowed)}
        self.tally.add_codes(name, "no meaning", (text for text in texts if text and text not in values))
        return object_array(values.get(text) for text in texts)

    def _numbers(self, name: str, texts: Texts) -> Numbers:
        known = {text: _number(text) for text in set(texts)}
        found = np.array([known[text] for text in texts], dtype=np.float64)
        self.tally.add_codes(name, "no number", (text for text in texts if text and np.isnan(known[text])))
        return found


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        return np.nan
    return number if np.isfinite(number) and number >= 0 else np.nan
