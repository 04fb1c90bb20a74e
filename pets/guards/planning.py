"""How many patients of each kind a site is expected to have: public knowledge, so that decisions need no rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pets.domain import Categorical, Domain, Label
from pets.errors import ConfigError, InvalidArgument, QueryRefused
from pets.guards.cohort import Cohort
from pets.table_file import read_table

EXPECTED = "expected"
"""The column of counts."""

MAX_CELLS = 200_000


@dataclass(frozen=True, eq=False)
class Planning:
    """Expected patients in each combination of the attributes by which cohorts may be chosen.

    From published rates times population, an earlier report, or a model: never from the rows that are protected.

    Parameters
    ----------
    axes
        Each attribute with its categories; a last ``None`` stands for a missing value, which no filter can choose.
    expected
        Float array with one axis for each attribute.
    """

    axes: Mapping[str, tuple[Label | None, ...]]
    expected: NDArray[np.float64]

    @classmethod
    def whole(cls, expected: float) -> Planning:
        """Return the plan of a site at which no filters are allowed."""
        return cls({}, np.array(float(expected)))

    @classmethod
    def from_csv(cls, path: str | Path, domain: Domain, complete: Sequence[str] = ()) -> Planning:
        """Return the plan in a table with a column for each attribute and one called ``expected``.

        Parameters
        ----------
        path
            The file. Combinations that it does not list are expected to hold nobody; an empty field stands for a
            missing value.
        domain
            What is declared.
        complete
            Attributes that are never missing in the rows of this site, by the word of the data holder.

        Raises
        ------
        ConfigError
            The table cannot be read, names what is not declared, or has too many combinations.
        """
        try:
            table = read_table(Path(path))
        except InvalidArgument as error:
            raise ConfigError("planning", error.problem, error.remedy) from None
        names = [str(name) for name in table.columns if name != EXPECTED]
        lines = table.astype(object).where(table.notna(), "").astype(str).to_dict("records")
        axes = {name: _axis(name, domain, complete) for name in names}
        shape = tuple(len(axis) for axis in axes.values())
        if math.prod(shape) > MAX_CELLS:
            raise ConfigError("planning", f"has more than {MAX_CELLS:,} combinations", "Filter by fewer attributes.")
        expected = np.full(shape, np.nan)
        places = [{_text(label): place for place, label in enumerate(axis)} for axis in axes.values()]
        for number, line in enumerate(lines, start=2):
            cell = _cell(line, names, places, number)
            if not np.isnan(expected[cell]):
                raise ConfigError("planning", f"has the combination of line {number} twice", "Add up what is one.")
            expected[cell] = _count(line.get(EXPECTED), number)
        return cls(axes, np.nan_to_num(expected, nan=0.0))

    def mask(self, cohort: Cohort) -> NDArray[np.bool_]:
        """Return which combinations are in the cohort, as a flat array.

        Raises
        ------
        QueryRefused
            The cohort was chosen by an attribute that this plan does not have; with the code ``'history'``.
        """
        wanted = dict(cohort.where)
        for name in wanted:
            if name not in self.axes:
                # An earlier answer under another policy: without the attribute it would look like a larger cohort.
                raise QueryRefused("history", f"{name!r} chose an earlier cohort, and no expected counts are by it now")
        found = np.ones((), dtype=np.bool_)
        for name, axis in self.axes.items():
            chosen = [name not in wanted or label in wanted[name] for label in axis]
            found = found[..., None] & np.array(chosen)
        return found.reshape(-1)

    def of(self, mask: NDArray[np.bool_]) -> float:
        """Return how many patients are expected in these combinations."""
        return float(self.expected.reshape(-1)[mask].sum())


def _axis(name: str, domain: Domain, complete: Sequence[str]) -> tuple[Label | None, ...]:
    if name not in domain or not isinstance(domain[name], Categorical):
        raise ConfigError("planning", f"has a column {name[:80]!r} that is no categorical attribute of the domain")
    labels = domain[name].labels
    return labels if name in complete else (*labels, None)


def _text(label: Label | None) -> str:
    return "" if label is None else str(label)


def _cell(
    line: Mapping[str, str | None], names: Sequence[str], places: Sequence[Mapping[str, int]], number: int
) -> tuple[int, ...]:
    cell = []
    for name, known in zip(names, places, strict=True):
        text = line.get(name) or ""
        if text not in known:
            raise ConfigError("planning", f"names no declared category of {name!r} in line {number}")
        cell.append(known[text])
    return tuple(cell)


def _count(text: str | None, number: int) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = -1.0
    if not 0 <= value < 1e12:
        raise ConfigError("planning", f"needs a number of 0 or more as {EXPECTED!r} in line {number}")
    return value
