"""Mortality of the general population by sex, age and calendar year: what survival is compared with."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pets.epi.survival.counts import Array
from pets.errors import InvalidArgument, did_you_mean

_FILE = "life_table_finland.csv"
_LAST_YEAR = 2200


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class LifeTable:
    """Hazards of death in the general population. It is public.

    Parameters
    ----------
    name
        What it is called in a footnote.
    sexes
        Labels of the sexes, as in the data.
    first_year
        Calendar year of the first column.
    hazards
        Deaths per person-year, shape (sexes, years, ages): calendar years one by one, ages in completed years from 0.
        People older than the last age have its hazard.

    Raises
    ------
    InvalidArgument
        The shape does not fit, or a hazard is negative, missing or above 100.
    """

    name: str
    sexes: tuple[str, ...]
    first_year: int
    hazards: Array

    def __init__(self, name: str, sexes: Sequence[str], first_year: int, hazards: ArrayLike) -> None:
        try:
            table = np.array(hazards, dtype=np.float64)
        except (TypeError, ValueError):
            raise InvalidArgument("hazards", "must be numbers in the shape (sexes, years, ages)") from None
        if isinstance(sexes, str) or not isinstance(sexes, Sequence) or len({str(sex) for sex in sexes}) < len(sexes):
            raise InvalidArgument("sexes", "must be a list of labels, each once", "Write ['male', 'female'].")
        labels = tuple(str(sex) for sex in sexes)
        if isinstance(first_year, bool) or not isinstance(first_year, int | np.integer):
            raise InvalidArgument("first_year", "must be a whole number", "Write 1993.")
        if table.ndim != 3 or table.shape[0] != len(labels) or not table.size:
            raise InvalidArgument("hazards", f"must have the shape ({len(labels)} sexes, years, ages)")
        if not ((table >= 0) & (table <= 100)).all():
            raise InvalidArgument(
                "hazards", "must be deaths per person-year, from 0 to 100", "-log(1 - q) of a table of q."
            )
        table.flags.writeable = False
        for field, value in (("name", name), ("sexes", labels), ("first_year", int(first_year)), ("hazards", table)):
            object.__setattr__(self, field, value)

    def __repr__(self) -> str:
        return f"<LifeTable {self.name!r}: {', '.join(self.sexes)}; years {self.first_year}-{self.last_year}>"

    @property
    def last_year(self) -> int:
        """Last calendar year."""
        return self.first_year + int(self.hazards.shape[1]) - 1

    def until(self, year: int) -> LifeTable:
        """Return the table continued to `year` with the hazards of its last year: an assumption, hence never implicit.

        Raises
        ------
        InvalidArgument
            `year` lies before the table's last year, or far in the future.
        """
        whole = isinstance(year, int | np.integer) and not isinstance(year, bool)
        if not whole or not self.last_year <= year <= _LAST_YEAR:
            raise InvalidArgument("year", f"must be a whole number between {self.last_year} and {_LAST_YEAR}")
        more = np.repeat(self.hazards[:, -1:], year - self.last_year, axis=1)
        return replace(self, hazards=np.concatenate([self.hazards, more], axis=1))

    def sex_codes(self, sex: ArrayLike) -> NDArray[np.intp]:
        """Return the position of each label among :attr:`sexes`.

        Raises
        ------
        InvalidArgument
            A label is none of them.
        """
        labels = np.asarray(sex).astype(str).ravel()
        known, place = np.unique(labels, return_inverse=True)
        for label in known:
            if label not in self.sexes:
                raise InvalidArgument("sex", "holds a label that the life table lacks", did_you_mean(label, self.sexes))
        return np.array([self.sexes.index(label) for label in known], dtype=np.intp)[place]

    def hazard(self, sex: NDArray[np.intp], age: Array, year: Array) -> Array:
        """Return deaths per person-year at exact ages and dates.

        Parameters
        ----------
        sex
            Positions among :attr:`sexes`.
        age
            Exact age in years, at least 0.
        year
            Exact date in years: 2012.5 is the middle of 2012.

        Raises
        ------
        InvalidArgument
            An age is negative, a date lies outside the table, or one of them is no number.
        """
        for name, numbers in (("age", age), ("year", year)):
            if not np.isfinite(numbers).all():
                raise InvalidArgument(name, "must hold numbers only, none missing")
        column = np.floor(year).astype(np.int64) - self.first_year
        if column.size and (column.min() < 0 or column.max() >= self.hazards.shape[1]):
            raise InvalidArgument(
                "year",
                f"lies outside the life table, {self.first_year}-{self.last_year}",
                "Take a longer table, or life_table.until(year).",
            )
        row = np.floor(age).astype(np.int64)
        if row.size and row.min() < 0:
            raise InvalidArgument("age", "must not be negative")
        return np.asarray(self.hazards[sex, column, np.minimum(row, self.hazards.shape[2] - 1)])


@cache
def finland() -> LifeTable:
    """Return the mortality of Finland, 1993-2013, ages 0 to 100, sexes ``'male'`` and ``'female'``.

    References
    ----------
    Statistics Finland, as carried by the R package popEpi (MIT): see pets/epi/data/SOURCES.md.

    Examples
    --------
    >>> finland()
    <LifeTable 'Finland': male, female; years 1993-2013>
    """
    with (files("pets.epi") / "data" / _FILE).open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    years = [name for name in rows[0] if name.isdigit()]
    values = np.array([[float(row[year]) for year in years] for row in rows])
    sexes = tuple(dict.fromkeys(row["sex"] for row in rows))
    return LifeTable("Finland", sexes, int(years[0]), values.reshape(len(sexes), -1, len(years)).transpose(0, 2, 1))
