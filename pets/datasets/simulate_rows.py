"""One simulated registry: how many patients it has, and who they are.

The cases of each cell (site, sex, age group) are Poisson. So the total is drawn from a Poisson law, and each patient
falls into a cell with a chance in proportion to what is expected there: the same law, drawn a million rows at a time.

Follow-up: the cumulative hazard of death at t years is ``h(stage) * c * G(t)`` with
``G(t) = (1 - exp(-t / 2)) / (1 - exp(-2.5))`` and c so that survival after five years is the tumour's published one.
Most deaths come early and some patients are cured, as in the published curves. Background mortality (at most 3 in 1,000
over five years at these ages) is left out. Follow-up ends on the closing date, or earlier for the one in a hundred a
year who move away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pets.csprng import InsecureRandom
from pets.datasets.simulate_calibration import AGES, HAZARD_OF_STAGE, SEXES, STAGES, Array, cumulative_hazard, tumours

if TYPE_CHECKING:
    import pandas as pd

REGIONS = {"north": 0.4, "east": 0.3, "south": 0.2, "west": 0.1}
EVENTS = ("censored", "dead")
DAYS_OF_YEAR = 365.25
_MOVING_AWAY = 0.01
_PACE = 2.0
_AT_FIVE = 1 - np.exp(-5 / _PACE)
_YEARS_OF_GROUP = 5


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Registry:
    """What one registry is drawn from.

    Attributes
    ----------
    name, number
        What it is called, and its place among the others.
    expected
        Expected cases, shape (tumours, sexes, ages).
    years
        First and last year of diagnosis.
    follow_up
        Years from the end of the last one to the closing date.
    """

    name: str
    number: int
    expected: Array
    years: tuple[int, int]
    follow_up: int


def uniform(source: InsecureRandom, size: int) -> Array:
    """Return numbers between 0 and 1, never 0 or 1 themselves."""
    return ((source.words(size) >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52


def draw(registry: Registry, source: InsecureRandom) -> pd.DataFrame:
    """Return the patients of one registry in random order."""
    import pandas as pd

    known = tumours()
    cells = np.cumsum(registry.expected.ravel())
    size = _poisson(float(cells[-1]), float(uniform(source, 1)[0]))
    cell = np.minimum(np.searchsorted(cells, uniform(source, size) * cells[-1], side="right"), len(cells) - 1)
    tumour, sex, age_group = np.unravel_index(cell, registry.expected.shape)
    age = age_group * _YEARS_OF_GROUP + (uniform(source, size) * _YEARS_OF_GROUP).astype(np.int64)
    stage = _choose(np.cumsum(known.stages, axis=1)[tumour], uniform(source, size))
    region = _choose(np.cumsum(list(REGIONS.values())), uniform(source, size))
    first, last = registry.years
    diagnosed = uniform(source, size) * (last - first + 1)
    dead, days = _followed(tumour, stage, (last - first + 1 + registry.follow_up) - diagnosed, source)

    def texts(labels: tuple[str, ...]) -> pd.Categorical[str]:
        kept = list(dict.fromkeys(labels))
        position = np.array([kept.index(label) for label in labels])
        return _coded(position[tumour], kept)

    return pd.DataFrame(
        {
            "patient_id": registry.number * 10**9 + np.arange(size, dtype=np.int64),
            "registry": _coded(np.zeros(size, dtype=np.int8), [registry.name]),
            "diagnosis": texts(known.name),
            "site": texts(known.site),
            "group": texts(known.group),
            "subgroup": texts(known.subgroup),
            "topography": texts(known.topography),
            "morphology": texts(known.morphology),
            "sex": _coded(sex, SEXES),
            "age": age,
            "age_group": _coded(age_group, AGES),
            "year": first + diagnosed.astype(np.int64),
            "region": _coded(region, list(REGIONS)),
            "stage": _coded(stage, STAGES),
            "time": days,
            "event": _coded(dead.astype(np.int8), EVENTS),
        }
    )


def _coded(codes: NDArray[Any], labels: Sequence[str]) -> pd.Categorical[str]:
    import pandas as pd

    return pd.Categorical.from_codes(codes, pd.Index(list(labels)))


def _followed(
    tumour: NDArray[np.intp], stage: NDArray[np.intp], left: Array, source: InsecureRandom
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Return who died under observation, and the days each was followed; `left` are years to the closing date."""
    scale = cumulative_hazard(tumours())[tumour] * np.array(HAZARD_OF_STAGE)[stage]
    reached = -np.log(uniform(source, len(tumour))) / scale * _AT_FIVE
    death = np.where(reached < 1, -_PACE * np.log1p(-np.minimum(reached, 1 - 1e-12)), np.inf)
    end = np.minimum(left, -np.log(uniform(source, len(tumour))) / _MOVING_AWAY)
    dead = death <= end
    return dead, (np.where(dead, death, end) * DAYS_OF_YEAR).astype(np.int64)


def _choose(cumulative: Array, at: Array) -> NDArray[np.intp]:
    """Return the place of each number among cumulative shares, one row for all or a row for each."""
    last = cumulative.shape[-1] - 1
    return np.asarray(np.minimum((at[:, None] >= cumulative).sum(axis=1), last))


def _poisson(mean: float, at: float) -> int:
    from scipy.stats import poisson

    return int(poisson.ppf(at, mean))
