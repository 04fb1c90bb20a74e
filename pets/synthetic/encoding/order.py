"""Columns that cannot be before others: how they are coded, what cannot occur, and values in the right order.

Dates that are ordered around one date which never misses, the **origin** (the diagnosis, say), are coded as the time
between the two: follow-up, and age. So the order with the origin holds by construction, and a table of these codes is
one of ages and times, not of calendar years. Where two of them are on the same side of the origin, pairs of codes that
contradict their order are structural zeros, and values within codes are drawn one after the other, each not before
those that it follows. Columns without an origin, and numbers, are treated in the same way on their own scale.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pets.csprng import RandomSource
from pets.domain import Date, Domain, Integer, Numeric
from pets.domain.dates import PER_YEAR
from pets.domain.order import earlier
from pets.errors import InvalidArgument
from pets.synthetic.encoding.survival import Survival
from pets.synthetic.engine.sampling import uniform

Steps = NDArray[np.int64]
Absent = NDArray[np.bool_]

YEARS = (0, 1 / 12, 0.25, 0.5, 0.75, 1, 1.5, 2, 2.5, *range(3, 21), *range(25, 151, 5))
"""Public grid of times between two dates, in years. The same day, month or year has a bin of its own."""


@dataclass(frozen=True)
class Since:
    """A date as time from another one.

    Attributes
    ----------
    origin
        Name of the other date.
    sign
        1 if it is not before the origin, -1 if not after it.
    outside
        Whether the origin is of a row of another table.
    """

    origin: str
    sign: int
    outside: bool = False


@dataclass(frozen=True)
class Anchor:
    """A date of a row of another table, from which a date of this one is counted, and which that cannot be before.

    Attributes
    ----------
    column
        The date of this table.
    origin
        What the other is called here, such as ``'patients.birth'``.
    date
        What is declared about the other. It is never missing.
    """

    column: str
    origin: str
    date: Date


@dataclass(frozen=True)
class Order:
    """All that is declared and derived about the order of columns.

    Attributes
    ----------
    before
        For each ordered column those that it cannot be before.
    since
        For some dates the origin from which they are coded.
    bounds
        For each ordered column its first and last possible value, in steps, given the bounds of all others.
    """

    before: Mapping[str, frozenset[str]]
    since: Mapping[str, Since]
    bounds: Mapping[str, tuple[int, int]]

    @classmethod
    def of(
        cls, domain: Domain, survival: Sequence[Survival], *, around: bool = True, anchors: Sequence[Anchor] = ()
    ) -> Order:
        """Return the order of a domain and of survivals with an origin; if not `around`, all dates by the calendar.

        Of dates that are ordered with each other, one may have an anchor: it is the origin of the others.

        Raises
        ------
        InvalidArgument
            An origin is not ordered with all other dates, may be missing, or the order contradicts itself; or a date
            with an anchor has bounds that end before those of the anchor.
        """
        chains = [(pair.origin, pair.time) for pair in survival if pair.origin is not None]
        if chains:
            domain = Domain(domain.attributes, order=[*domain.order, *chains])
        before = dict(earlier(domain.order))
        origins = {pair.origin for pair in survival if pair.origin is not None}
        anchored = {anchor.column: Since(anchor.origin, 1, outside=True) for anchor in anchors}
        since = _origins(domain, before, origins, set(anchored)) if around else {}
        before |= {name: frozenset() for name in anchored if name not in before}
        found = cls(before, since | anchored, _bounds(domain, before))
        for anchor in anchors:
            if found.bounds[anchor.column][1] < limits(anchor.date)[1]:
                raise InvalidArgument(
                    "after", f"has {anchor.column!r} end before {anchor.origin!r} does, which it cannot be before",
                    "Declare wider bounds for the later date, and for those that follow it, such as the same.",
                )  # fmt: skip
        return found

    def pairs(self) -> list[tuple[str, str]]:
        """Return every two columns of which the second cannot be before the first."""
        return [(first, name) for name, those in self.before.items() for first in sorted(those)]

    def open_pairs(self) -> list[tuple[str, str]]:
        """Return the pairs that do not hold by the coding alone, in the direction of the codes."""
        found = []
        for first, second in self.pairs():
            a, b = self.since.get(first), self.since.get(second)
            if a == b:
                found.append((second, first) if a is not None and a.sign < 0 else (first, second))
        return found


def number_of(attribute: object) -> Integer | Numeric:
    """Return an attribute as a number; dates as whole numbers of periods."""
    if isinstance(attribute, Date):
        return attribute.steps
    assert isinstance(attribute, Integer | Numeric)  # noqa: S101 callers ask numbers only
    return attribute


def limits(attribute: object) -> tuple[int, int]:
    """Return the bounds of a number in multiples of its resolution, of a date in periods."""
    number = number_of(attribute)
    return (number.lower_units, number.upper_units) if isinstance(number, Numeric) else (number.lower, number.upper)


def gaps(date: Date, origin: Date, sign: int) -> Integer:
    """Return the time between a date and its origin as a number with bins, from public bounds only."""
    (low, high), (start, end) = limits(date), limits(origin)
    most = max(high - start if sign > 0 else end - low, 0)
    per_year = PER_YEAR[date.resolution]
    inner = {1, *(round(years * per_year) for years in YEARS)}
    edges = [0, *sorted(edge for edge in inner if 0 < edge < most), most]
    more: dict[str, Any] = {"invalid_label": date.invalid_label} if date.invalid == "category" else {}
    return Integer(0, most, bins=edges if most else None, invalid=date.invalid, **more)


def draw_in_order(
    ranges: Mapping[str, tuple[Steps, Steps, Absent]], pairs: Sequence[tuple[str, str]], source: RandomSource
) -> dict[str, Steps]:
    """Return a whole number for each row and column within its range, so that none is below those it cannot be below.

    One after the other, each uniform on what the earlier ones leave of its range, up to the least upper end of those
    that follow; where no pair is involved that is uniform on the range.

    Parameters
    ----------
    ranges
        Lowest and highest value of each column and row, and where it is missing. For each pair the lowest of the first
        must not exceed the highest of the second.
    pairs
        All pairs, those through others too, of which the second cannot be below the first.
    source
        Of the draws.
    """
    below: dict[str, list[str]] = {name: [a for a, b in pairs if b == name] for name in ranges}
    above: dict[str, list[str]] = {name: [b for a, b in pairs if a == name] for name in ranges}
    found: dict[str, Steps] = {}
    for name in sorted(ranges, key=lambda one: len(below[one])):
        low, high, _ = ranges[name]
        for other in below[name]:
            low = np.where(ranges[other][2], low, np.maximum(low, found[other]))
        for other in above[name]:
            high = np.where(ranges[other][2], high, np.minimum(high, ranges[other][1]))
        width = np.maximum(high - low + 1, 1)  # a missing value has no range to respect
        found[name] = low + np.floor(uniform(low.size, source) * width).astype(np.int64)
    return found


def _origins(
    domain: Domain, before: Mapping[str, frozenset[str]], wanted: set[str], anchored: set[str]
) -> dict[str, Since]:
    found: dict[str, Since] = {}
    for part in _parts(before):
        if not isinstance(domain[part[0]], Date):
            continue
        fit = [name for name in part if domain[name].invalid != "category" and _comparable(name, part, before)]
        chosen = [name for name in part if name in wanted or name in anchored]
        if len(chosen) > 1 or not set(chosen) <= set(fit):
            raise InvalidArgument(
                "after" if anchored & set(chosen) else "survival",
                f"has the origin {chosen[0]!r}, from which not all dates ordered with it can be counted",
                "Take one date that is ordered with all others and never missing, and put it into the domain's order.",
            )  # fmt: skip
        if fit:
            origin = (chosen or sorted(fit, key=lambda name: _width(domain[name])))[0]
            found |= {name: Since(origin, 1 if origin in before[name] else -1) for name in part if name != origin}
    return found


def _parts(before: Mapping[str, frozenset[str]]) -> list[list[str]]:
    """Return the ordered columns in groups that have nothing to do with each other."""
    part = {name: i for i, name in enumerate(before)}
    for name, those in before.items():
        for other in those:
            part = {one: part[name] if number == part[other] else number for one, number in part.items()}
    return [[name for name in before if part[name] == number] for number in dict.fromkeys(part.values())]


def _comparable(name: str, part: Sequence[str], before: Mapping[str, frozenset[str]]) -> bool:
    return all(other == name or other in before[name] or name in before[other] for other in part)


def _width(attribute: object) -> int:
    low, high = limits(attribute)
    return high - low


def _bounds(domain: Domain, before: Mapping[str, frozenset[str]]) -> dict[str, tuple[int, int]]:
    found = {}
    for name, those in before.items():
        later = [other for other in before if name in before[other]]
        low = max(limits(domain[other])[0] for other in (name, *those))
        high = min(limits(domain[other])[1] for other in (name, *later))
        found[name] = low, high
    return found
