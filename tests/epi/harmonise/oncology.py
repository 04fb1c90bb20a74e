"""A small oncology database in OMOP CDM 5.4, and what must come of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

SYNTHEA = Path(__file__).parent / "data" / "omop"
CONDITION = [
    "condition_occurrence_id", "person_id", "condition_concept_id", "condition_start_date",
    "condition_source_value", "condition_source_concept_id",
]  # fmt: skip
ONCOLOGY: dict[str, pd.DataFrame] = {
    "PERSON": pd.DataFrame(
        [
            [1, 8507, 2012, 3, 10, 7], [2, 8532, 2010, 6, None, 7], [3, 8521, 2005, None, None, None],
            [4, 0, 2000, 1, 1, 8], [5, 8507, 2001, 1, 1, None],
        ],
        columns=["person_id", "gender_concept_id", "year_of_birth", "month_of_birth", "day_of_birth", "location_id"],
    ).astype("Int64"),
    "CONDITION_OCCURRENCE": pd.DataFrame(
        [
            [10, 1, 44499999, "2014-03-15", "8970/3-C22.0", 44499999],  # the ICD-O-3 code is the source value
            [11, 1, 44500003, "2013-12-01", "y", None],                 # the same tumour, earlier and by another code
            [12, 1, 44500001, "2015-01-01", "x", 0],                    # another tumour, by the vocabulary
            [13, 2, 0, "2016-02-01", "O'Neil\\'s tumour", 0],           # by the list, with letters that SQL minds
            [14, 2, 372328, "2011-01-01", "65363002", 372328],          # no tumour
            [15, 3, 44500001, "2020-06-30", None, None],
            [16, 4, 44500002, "2019-06-30", "9500/3-C74.9", 0],
            [17, 5, 372328, "2011-01-01", "65363002", 372328],
            [18, 5, 44500002, "2012-01-01", "x", 0],                    # each code is some tumour's, together none's
            [19, 1, 44499999, "2014-05-15", "8970/3-C22.0", 44499999],
        ],
        columns=CONDITION,
    ).astype({name: "Int64" for name in CONDITION if name.endswith("_id")}),
    "DEATH": pd.DataFrame([[1, "2016-01-01"]], columns=["person_id", "death_date"]),
    "OBSERVATION_PERIOD": pd.DataFrame(
        [[1, "2014-12-31"], [1, "2017-12-31"], [2, "2020-02-01"], [3, "2021-06-30"], [4, "2018-01-01"]],
        columns=["person_id", "observation_period_end_date"],
    ),
    "LOCATION": pd.DataFrame([[7, "NY"], [8, "NJ"]], columns=["location_id", "state"]),
    "CONCEPT": pd.DataFrame(
        [
            [44500001, "ICDO3", "9470/3-C71.6"], [44500003, "ICDO3", "8970/3-C22.0"],
            [372328, "SNOMED", "65363002"], [44500001, "SNOMED", "8000/3-C80.9"],
        ],
        columns=["concept_id", "vocabulary_id", "concept_code"],
    ),
    "MEASUREMENT": pd.DataFrame(
        [[1, 777, 10], [1, 778, 12], [2, 777, None], [3, 999, 15], [1, 778, None]],
        columns=["person_id", "measurement_concept_id", "measurement_event_id"],
    ).astype("Int64"),
}  # fmt: skip
LIST = "source_value,diagnosis\nO'Neil\\'s tumour,VIIb\n"
STAGES = "concept_id,stage\n777,localised\n778,metastatic\n"
EXPECTED = {
    "patient": ["1", "1", "2", "3", "4"], "tumour": [1, 2, 1, 1, 1], "group": ["VII", "III", "VII", "III", "IV"],
    "diagnosis": ["VIIa", "IIIc", "VIIb", "IIIc", "IVa"], "age": [1, 2, 5, 14, 19],
    "sex": ["male", "male", "female", "other", None], "year": [2013, 2015, 2016, 2020, 2019],
    "region": ["NY", "NY", "NY", None, "NJ"], "stage": ["localised", "metastatic", "localised", None, None],
    "time": [761, 365, 1461, 365, None], "event": ["dead", "dead", "alive", "alive", "alive"],
}  # fmt: skip


# What an event of an episode can point to.
OF_CONDITION, OF_MEASUREMENT = 1147127, 1147138
EPISODE = pd.DataFrame(
    [
        # the boy's liver tumour: first seen by a registry in February 2014, between two conditions of a hospital
        [100, 1, 32528, "2014-02-20"],
        [101, 1, 32533, "2014-01-01"],     # the overarching one says less than the first occurrence
        [102, 1, 32529, "2015-05-01"],     # a recurrence is no diagnosis
        # his other tumour: an overarching episode, and extents at its beginning and later
        [103, 1, 32533, "2015-01-09"],
        [104, 1, 9001, "2015-01-09"],
        [105, 1, 9002, "2016-01-09"],      # spread a year later: not the stage at diagnosis
        # person 3: spread, and confined, on the day of diagnosis; the widest counts
        [106, 3, 32528, "2020-06-30"], [107, 3, 9001, "2020-06-30"], [108, 3, 9002, "2020-06-30"],
        # person 4: an episode of something else whose event has the number of a condition
        [109, 4, 32528, "2001-01-01"],
        # person 2: an episode without any event
        [110, 2, 32528, "2001-01-01"],
    ],
    columns=["episode_id", "person_id", "episode_concept_id", "episode_start_date"],
)  # fmt: skip
EVENT = pd.DataFrame(
    [
        *([episode, condition, OF_CONDITION] for episode, condition in (
            (100, 10), (100, 19), (101, 11), (102, 10), (103, 12), (104, 12), (105, 12), (106, 15), (107, 15),
            (108, 15),
        )),
        [109, 16, OF_MEASUREMENT],
    ],
    columns=["episode_id", "event_id", "episode_event_field_concept_id"],
)  # fmt: skip
WIDER = STAGES + "9001,locoregional\n9002,metastatic\n"


def listed(frame: pd.DataFrame) -> dict[str, list[Any]]:
    return frame.astype(object).where(frame.notna(), None).to_dict("list")
