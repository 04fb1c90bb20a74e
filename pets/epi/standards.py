"""Standard populations: the age structures to which rates are standardised so that they can be compared.

The weights are published facts; each population names its source. The age bands are those published, and a
wider age group gets the sum of its bands.

References
----------
Ahmad OB, Boschi-Pinto C, Lopez AD, Murray CJL, Lozano R, Inoue M (2001). Age standardization of rates: a new
WHO standard. GPE Discussion Paper Series 31. Geneva: World Health Organization.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from pets.errors import InvalidArgument, did_you_mean

_FIVE_YEARS = tuple(range(0, 90, 5))
_SEER_19 = (0, 1, *range(5, 90, 5))
_OPEN_END = 10**6
_AGE_GROUP = re.compile(r"(\d{1,3})(?:-(\d{1,3})|(\+))?", re.ASCII)


@dataclass(frozen=True, slots=True)
class StandardPopulation:
    """An age structure that everybody standardises to.

    Parameters
    ----------
    name
        What a table's footnote calls it.
    lower
        First age in years of each band, ascending from 0; the last band has no upper end.
    sizes
        Persons in each band, positive.
    source
        The publication to cite.
    """

    name: str
    lower: tuple[int, ...]
    sizes: tuple[float, ...]
    source: str

    def __post_init__(self) -> None:
        if not self.lower or self.lower[0] != 0 or list(self.lower) != sorted(set(self.lower)):
            raise InvalidArgument("lower", "must hold ages that ascend from 0")
        if len(self.sizes) != len(self.lower) or not all(0 < size < float("inf") for size in self.sizes):
            raise InvalidArgument("sizes", "must hold one positive number for each band")

    @property
    def age_groups(self) -> tuple[str, ...]:
        """The published bands: ``'0-4'``, ``'5-9'``, ..., ``'85+'``; a single year of age is ``'0'``."""
        closed = (
            str(first) if after == first + 1 else f"{first}-{after - 1}"
            for first, after in zip(self.lower, self.lower[1:], strict=False)
        )
        return (*closed, f"{self.lower[-1]}+")

    def weights(self, age_groups: Iterable[str]) -> npt.NDArray[np.float64]:
        """Return the persons of this population in each of `age_groups`.

        Parameters
        ----------
        age_groups
            Ages in completed years: ``'0-4'``, ``'0-14'``, ``'0'``, ``'85+'``. Each must begin and end where a
            published band does.

        Returns
        -------
        numpy.ndarray of shape (groups,)
            Not divided by their sum: rates take them as they are.

        Raises
        ------
        InvalidArgument
            An age group cannot be read or cuts through a band, or none was given.

        Examples
        --------
        >>> SEGI_1960.weights(["0-4", "5-9", "10-14"])
        array([12000., 10000.,  9000.])
        """
        if isinstance(age_groups, str) or not isinstance(age_groups, Iterable):
            raise InvalidArgument("age_groups", "must be a list of age groups", "Write ['0-4', '5-9'].")
        totals = dict(zip((*self.lower, _OPEN_END), accumulate(self.sizes, initial=0.0), strict=True))
        found = [self._between(group, totals) for group in age_groups]
        if not found:
            raise InvalidArgument("age_groups", "must name at least one age group")
        return np.array(found, dtype=np.float64)

    def _between(self, group: str, totals: Mapping[int, float]) -> float:
        first, after = _ages(group)
        if first not in totals or after not in totals:
            raise InvalidArgument("age_groups", f"{group!r} does not follow the bands of {self.name}", self._remedy())
        return totals[after] - totals[first]

    def _remedy(self) -> str:
        return f"Use {', '.join(repr(band) for band in self.age_groups)}, or joined neighbours."


def _ages(group: object) -> tuple[int, int]:
    """Return the first age of a group and the first age after it."""
    match = _AGE_GROUP.fullmatch(group) if isinstance(group, str) else None
    if match is None:
        raise InvalidArgument("age_groups", f"{group!r} is no age group", "Write '0-4', '0' or '85+'.")
    first = int(match[1])
    after = _OPEN_END if match[3] else int(match[2] or first) + 1
    if after <= first:
        raise InvalidArgument("age_groups", f"{group!r} ends before it begins", "Write '0-4', '0' or '85+'.")
    return first, after


SEGI_1960 = StandardPopulation(
    "World (Segi 1960)",
    _SEER_19,
    (2400, 9600, 10000, 9000, 9000, 8000, 8000, 6000, 6000, 6000, 6000, 5000, 4000, 4000, 3000, 2000, 1000, 500, 500),
    "Segi M (1960), Cancer mortality for selected sites in 24 countries, Sendai: Tohoku University; modified by "
    "Doll R, Payne P, Waterhouse J (1966), Cancer Incidence in Five Continents: a technical report, Berlin: Springer",
)
"""World standard of *Cancer Incidence in Five Continents* and of the childhood volumes (infants apart)."""

WHO_2000 = StandardPopulation(
    "World (WHO 2000-2025)",
    _FIVE_YEARS,
    (
        *(8856.9, 8687.0, 8597.0, 8467.0, 8217.1, 7927.2, 7607.3, 7147.5, 6587.7),
        *(6037.9, 5368.1, 4548.4, 3718.7, 2959.0, 2209.2, 1519.5, 909.7, 634.8),
    ),
    "Ahmad OB et al. (2001), Age standardization of rates: a new WHO standard, GPE Discussion Paper 31, Geneva: WHO",
)
"""World average population expected for 2000-2025."""

EUROPE_2013 = StandardPopulation(
    "Europe 2013",
    _FIVE_YEARS,
    (5000, 5500, 5500, 5500, 6000, 6000, 6500, 7000, 7000, 7000, 7000, 6500, 6000, 5500, 5000, 4000, 2500, 2500),
    "Eurostat (2013), Revision of the European Standard Population, Luxembourg: Publications Office of the "
    "European Union",
)
"""European Standard Population of 2013."""

US_2000 = StandardPopulation(
    "US 2000",
    _SEER_19,
    (
        *(13818, 55317, 72533, 73032, 72169, 66478, 64529, 71044, 80762, 81851),
        *(72118, 62716, 48454, 38793, 34264, 31773, 26999, 17842, 15508),
    ),
    "Day JC (1996), Population projections of the United States by age, sex, race, and Hispanic origin: 1995 to "
    "2050, Current Population Reports P25-1130, Washington: US Census Bureau (19 age groups of SEER)",
)
"""United States population of 2000, per million, as SEER uses it (infants apart)."""

STANDARDS: Mapping[str, StandardPopulation] = MappingProxyType(
    {"segi_1960": SEGI_1960, "who_2000": WHO_2000, "europe_2013": EUROPE_2013, "us_2000": US_2000}
)
"""The shipped populations by the name that a configuration file uses."""


def standard_population(name: str) -> StandardPopulation:
    """Return a shipped standard population by its name in :data:`STANDARDS`.

    Raises
    ------
    InvalidArgument
        No population has this name.
    """
    population = STANDARDS.get(str(name))
    if population is None:
        raise InvalidArgument("name", f"{str(name)!r} is no standard population", did_you_mean(str(name), STANDARDS))
    return population
