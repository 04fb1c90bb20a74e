"""The analysis table, and the domain that declares what may be in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from pets.domain import Attribute, Categorical, Domain, Integer
from pets.epi.harmonise.assemble import COLUMNS, Assembler, Records
from pets.epi.harmonise.crosswalk import SEXES, STATUSES, Crosswalk
from pets.epi.harmonise.dates import UNKNOWN
from pets.epi.harmonise.report import Report
from pets.epi.harmonise.toronto import TIERS
from pets.epi.iccc import Version, iccc3
from pets.errors import InvalidArgument
from pets.privacy_unit import PrivacyUnit

if TYPE_CHECKING:
    import pandas as pd

AGES: Final = (0, 1, 5, 10, 15, 20)
"""Edges of the age groups: under 1, 1-4, 5-9, 10-14, 15-19."""


@dataclass(frozen=True, eq=False, repr=False)
class Harmonised:
    """Records of a registry as the analysis table, and what was not understood.

    Attributes
    ----------
    frame
        A pandas data frame with a row for each tumour. Its columns: ``patient``; ``tumour``, which tumour of the
        patient it is, in the order of diagnosis; ``group`` and ``diagnosis``, main group and subgroup of ICCC-3;
        ``age`` in completed years; ``sex``; ``year`` of diagnosis; ``region``; ``stage``, the Toronto tier 1; ``time``
        in days from diagnosis to the end of follow-up; ``event``, alive or dead then. What is not known is null.
    report
        Codes without a place and decisions made; for those who keep the data.
    """

    frame: pd.DataFrame
    report: Report

    def __repr__(self) -> str:
        return f"<Harmonised records. {self.report.summary()} See .frame, .report>"


def assembled(batches: Iterable[Records], crosswalk: Crosswalk, notes: Iterable[tuple[str, int]] = ()) -> Harmonised:
    """Return the analysis table of records that come in batches."""
    import pandas as pd

    assembler = Assembler(crosswalk)
    parts = [_part(assembler.rows(records)) for records in batches if len(records["patient"])]
    frame = pd.concat(parts, ignore_index=True) if parts else _part(assembler.rows({"patient": []}))
    for sentence, number in notes:
        assembler.tally.add_note(sentence, number)
    frame["tumour"] = _numbered(frame)
    for name in ("patient", "region"):
        frame[name] = frame[name].astype("category" if name == "region" else object)
    return Harmonised(frame[list(COLUMNS)], assembler.tally.report())


def analysis_domain(
    years: tuple[int, int],
    *,
    regions: Sequence[str] = (),
    ages: Sequence[int] = AGES,
    follow_up: int = 10,
    max_tumours: int = 1,
    version: Version = "IARC 2017",
) -> Domain:
    """Return the public domain of the analysis table.

    Parameters
    ----------
    years
        First and last year of diagnosis of the study.
    regions
        Codes of the regions; without any, ``region`` is no attribute.
    ages
        Edges of the age groups in years; the last is the age at which the study ends: 20 for ages 0-19.
    follow_up
        Years of follow-up; who was followed longer is censored or dead in the last bin.
    max_tumours
        How many tumours of one patient may count.
    version
        Version of ICCC-3 that the crosswalk names.

    Returns
    -------
    Domain
        Attributes ``group``, ``diagnosis``, ``age``, ``sex``, ``year``, ``region``, ``stage``, ``time`` and ``event``;
        the privacy unit is the patient. Codes without a place are a category of their own, so that no tumour is lost
        from the totals; ages and years outside, and tumours without a follow-up, are counted as dropped.

    Raises
    ------
    InvalidArgument
        Years, ages or follow-up are no ranges.

    Examples
    --------
    >>> analysis_domain((2015, 2019))["age"].key_labels
    ('0', '1-4', '5-9', '10-14', '15-19')
    """
    if len(years) != 2 or years[0] > years[1]:
        raise InvalidArgument("years", "must be the first and the last year", "For example (2015, 2019).")
    if len(ages) < 2:
        raise InvalidArgument("ages", "must have two edges at least", "For example (0, 5, 10, 15, 20).")
    if isinstance(follow_up, bool) or not isinstance(follow_up, int) or not 1 <= follow_up <= 100:
        raise InvalidArgument("follow_up", "must be a whole number of years from 1 to 100")
    groups = iccc3(version)
    days = [round(365.25 * year) for year in range(follow_up + 1)]
    attributes: dict[str, Attribute] = {
        "group": Categorical(list(groups.groups), invalid="category"),
        "diagnosis": Categorical(list(groups.subgroups), hierarchy=groups.hierarchy(), invalid="category"),
        "age": Integer(ages[0], ages[-1] - 1, bins=[*ages[:-1], ages[-1] - 1] if ages[-1] - 1 > ages[-2] else None),
        "sex": Categorical(SEXES, invalid="category"),
        "year": Integer(*years),
        "stage": Categorical(TIERS, invalid="category"),
        "time": Integer(0, days[-1], bins=days, invalid="clamp"),
        "event": Categorical(STATUSES),
    }
    if regions:
        attributes["region"] = Categorical(list(regions), invalid="category")
    return Domain(attributes, unit=PrivacyUnit("patient", max_rows=max_tumours), name="analysis table of a registry")


def _part(rows: dict[str, Any]) -> pd.DataFrame:
    """Return a batch as a frame that takes little memory."""
    import pandas as pd

    groups = iccc3()
    categories = {
        "group": tuple(groups.groups), "diagnosis": tuple(groups.subgroups), "sex": SEXES, "stage": TIERS,
        "event": STATUSES,
    }  # fmt: skip
    columns: dict[str, Any] = {"patient": rows["patient"], "region": rows["region"], "day": rows["day"]}
    for name, labels in categories.items():
        columns[name] = pd.Categorical(rows[name], list(labels))
    for name in ("age", "year", "time"):
        columns[name] = pd.array(rows[name], dtype="Float64").astype("Int64")
    return pd.DataFrame(columns)


def _numbered(frame: pd.DataFrame) -> Any:
    """Return which tumour of its patient each is; null for who has no number."""
    days = frame["day"].to_numpy()
    order = np.argsort(np.where(days == UNKNOWN, np.iinfo(np.int64).max, days), kind="stable")
    counted = frame["patient"].iloc[order].groupby(frame["patient"].iloc[order], sort=False).cumcount() + 1
    return counted.reindex(frame.index).where(frame["patient"].notna()).astype("Int64")
