"""What the general population would have survived, for each stratum of age, sex and year, from public facts alone.

A stratum such as women of 60-69 diagnosed in 2008-2010 is taken as people of each single age and year, at the middle of
that year of life and that calendar year: of years in equal numbers, of ages as the straight lines between the middles
of the age bands of the whole table have it. The shares of the ages come from the released counts, and are smooth
enough to leave their noise aside; all else is public. With ``S[a](t)`` the expected survival of those of kind a, p[a]
their share and ``h[a](t)`` their hazard, those still there are proportional to p[a] S[a]. Hence in the stratum, for
Ederer's methods

    hazard = sum p[a] h[a] S[a] / sum p[a] S[a],

and for Pohar-Perme, where each is weighted by ``1 / S[a]``, the mean weight is ``1 / sum p[a] S[a]`` and the hazard
``sum p[a] h[a]``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import product

import numpy as np

from pets.domain import Label
from pets.epi.survival.counts import Array, EventCounts
from pets.epi.survival.life_table import LifeTable
from pets.errors import InvalidArgument, did_you_mean

_RANGE = re.compile(r"(\d{1,4})(?:\s*[-–]\s*(\d{1,4}))?", re.ASCII)
_PIECES = 12
"""Steps in which the hazards of a bin are added up."""


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Expected:
    """All of shape (strata, bins).

    Attributes
    ----------
    weight
        Mean weight in the middle of each bin (1 for Ederer's methods).
    hazard
        Expected hazard over each bin, in deaths per patient, not per year.
    survival
        Expected survival at the end of each bin.
    """

    weight: Array
    hazard: Array
    survival: Array


def expected(
    counts: EventCounts, table: LifeTable, names: tuple[str, str, str | int], *, weighted: bool, per_year: float
) -> Expected:
    """Return the expected weights, hazards and survival of each stratum.

    Parameters
    ----------
    counts
        Whose strata and bins.
    table
        Mortality of the general population.
    names
        Attributes of age and sex, and that of the year, or the year itself.
    weighted
        Whether patients are weighted as Pohar and Perme do.
    per_year
        Units of time in a year.
    """
    age, sex, year = names
    ages, sexes = _labels(counts, age, "age"), _labels(counts, sex, "sex")
    years = [year] * len(counts.strata) if isinstance(year, int) else _labels(counts, year, "year")
    codes = table.sex_codes(np.array([str(label) for label in sexes]))
    begins = np.maximum(np.concatenate([[counts.start], counts.times[:-1]]), counts.start + counts.step)
    edges = np.concatenate([begins[:1], counts.times]) / per_year
    bands = [whole_numbers(label, "age") for label in ages]
    density = _density(bands, counts)
    rows = [
        _stratum(table, int(code), band, whole_numbers(label, "year"), edges, density, weighted=weighted)
        for code, band, label in zip(codes, bands, years, strict=True)
    ]
    weight, hazard, survival = (np.array(part) for part in zip(*rows, strict=True))
    return Expected(weight, hazard, survival)


def whole_numbers(label: Label, argument: str) -> range:
    """Return the whole numbers that a label such as ``'60-69'`` or ``2008`` stands for.

    Raises
    ------
    InvalidArgument
        It stands for no bounded range.
    """
    found = _RANGE.fullmatch(str(label))
    if found is None:
        raise InvalidArgument(
            argument, f"has the label {label!r}, which is no bounded range of whole numbers",
            "Use an Integer attribute with bins, or labels such as '60-69'.",
        )  # fmt: skip
    first = int(found[1])
    last = int(found[2] or found[1])
    if last < first:
        raise InvalidArgument(argument, f"has the label {label!r}, whose bounds are the wrong way round")
    return range(first, last + 1)


def _labels(counts: EventCounts, name: str, argument: str) -> list[Label]:
    if name not in counts.by:
        raise InvalidArgument(
            argument, f"names {name!r}, by which this table is not stratified",
            did_you_mean(str(name), counts.by) or "Ask for an EventTable by age, sex and year.",
        )  # fmt: skip
    place = counts.by.index(name)
    return [labels[place] for labels in counts.strata]


def _density(bands: list[range], counts: EventCounts) -> Array:
    """Return how many patients there are of each single age, up to a factor, from the first on."""
    sizes = (counts.events.sum(axis=(1, 2)) + counts.censored.sum(axis=1) + counts.beyond).tolist()
    totals: dict[range, float] = dict.fromkeys(sorted(set(bands), key=lambda band: band.start), 0.0)
    for band, size in zip(bands, sizes, strict=True):
        totals[band] += size
    middles = [(band.start + band.stop) / 2 for band in totals]
    # Nobody at all would leave a band without ages; one patient a band does no harm.
    heights = [(max(total, 0.0) + 1) / len(band) for band, total in totals.items()]
    last = max(band.stop for band in totals)
    return np.asarray(np.interp(np.arange(last) + 0.5, middles, heights))


def _stratum(
    table: LifeTable, sex: int, ages: range, years: range, edges: Array, density: Array, *, weighted: bool
) -> tuple[Array, Array, Array]:
    """Return weight, hazard and survival of one stratum in each bin."""
    kinds = np.array(list(product(ages, years)), dtype=np.float64) + 0.5
    share = density[kinds[:, 0].astype(np.int64)]
    share = (share / share.sum())[:, None, None]
    parts = np.linspace(0, 1, _PIECES, endpoint=False) + 0.5 / _PIECES
    length = np.diff(edges)
    middles = edges[:-1, None] + length[:, None] * parts  # (bins, pieces)
    at = middles.ravel()
    codes = np.full((len(kinds), len(at)), sex)
    hazard = table.hazard(codes, kinds[:, :1] + at, kinds[:, 1:] + at).reshape(len(kinds), *middles.shape)
    steps = hazard * (length[:, None] / _PIECES)
    done = np.cumsum(steps.reshape(len(kinds), -1), axis=1).reshape(steps.shape)
    alive = share * np.exp(-(done - steps / 2))
    ends = (share[:, :, 0] * np.exp(-done[:, :, -1])).sum(axis=0)
    if weighted:
        return 1 / alive[:, :, _PIECES // 2].sum(axis=0), (share * steps).sum(axis=(0, 2)), ends
    return np.ones(len(length)), ((steps * alive).sum(axis=0) / alive.sum(axis=0)).sum(axis=1), ends
