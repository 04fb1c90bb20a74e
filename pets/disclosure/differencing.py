"""Several releases read together: cells they share, bands that overlap, and what one has more than the other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise, product

import numpy as np

from pets.disclosure.attacker import Attacker
from pets.disclosure.auditing import Audit, audit_reading
from pets.disclosure.intervals import Progress
from pets.disclosure.printed import Printed
from pets.disclosure.reading import Flags, Reading
from pets.disclosure.relations import Relations, Row
from pets.disclosure.system import Vector
from pets.errors import InvalidArgument, did_you_mean

Groups = Mapping[str, Mapping[str, Sequence[str]]]
"""For each dimension its groups: the codes that make up each. Groups may overlap."""

Key = tuple[int, tuple[str, ...]]
"""Population of a cell, and its code in every dimension."""

MOST_CELLS = 2_000_000
"""Largest model, cells that no release prints included."""

SMALL = 5
"""Differences under this one are sensitive, unless another minimum is given."""

TOTAL = "Total"


@dataclass(frozen=True, eq=False, repr=False)
class Linked:
    """Several releases as one publication.

    Attributes
    ----------
    reading
        All cells of all releases, those that only link others included.
    printed_hidden
        Cells that some release lists without a number, bool (n,).
    differences
        What a later release has more than an earlier one, in cells that both list, bool (n,). All other cells that are
        neither listed nor such a difference are listed nowhere: they only tie others together.
    """

    reading: Reading
    printed_hidden: Flags
    differences: Flags


def link_releases(
    releases: Sequence[Printed],
    attacker: object = None,
    *,
    groups: Groups | None = None,
    nested: bool = False,
) -> Linked:
    """Return one model of several releases.

    Parameters
    ----------
    releases
        Published tables. A dimension that one of them lacks is at its total there.
    attacker
        As for :func:`~pets.disclosure.auditing.audit`. What marks such as ``<5`` say is known to everybody.
    groups
        Codes that are made up of others, for each dimension; e.g. ``{"age": {"0-14": ["0-9", "10-14"]}}``.
    nested
        ``False``: cells with the same codes are the same persons. ``True``: each release counts all persons of the
        one before it and others (a window of years that grows), so that differences are counts as well.

    Raises
    ------
    InvalidArgument
        Releases contradict each other, or are too large to be read together.
    """
    if not releases:
        raise InvalidArgument("releases", "are none", "Give at least one.")
    model = _Model(releases, dict(groups or {}), nested)
    for number, release in enumerate(releases):
        model.enter(number if nested else 0, release, Attacker.of(attacker))
    if nested:
        for earlier, later in pairwise(range(len(releases))):
            model.subtract(earlier, later)
    whole = Attacker.of(attacker).integral and all(release.whole for release in releases)
    return model.linked(whole)


def audit_releases(
    releases: Sequence[Printed],
    attacker: object = None,
    *,
    groups: Groups | None = None,
    nested: bool = False,
    minimum: int | None = None,
    width: float = 0.0,
    progress: bool | Progress = False,
    time_limit: float | None = None,
) -> Audit:
    """Return what a reader of one or several releases can work out; nobody's true values are needed.

    A leak is a hidden cell whose value follows, or a small count that does although no release lists it: what one
    of two nested releases has more, or what one of two overlapping bands has besides the other.

    Parameters
    ----------
    releases, attacker, groups, nested
        As for :func:`link_releases`.
    minimum
        Counts from this one on are not sensitive. If left out, every hidden cell is, whatever its value, and of
        what no release lists the counts under 5.
    width
        Ranges narrower than this are leaks too, if they reach below `minimum`.
    progress, time_limit
        As for :func:`~pets.disclosure.auditing.audit`.

    Raises
    ------
    InvalidArgument
        Releases contradict each other.
    """
    linked = link_releases(releases, attacker, groups=groups, nested=nested)
    hidden = linked.reading.hidden
    found = audit_reading(
        linked.reading, hidden, Attacker.of(attacker), progress=progress, time_limit=time_limit, width=width
    )
    derived = hidden & ~linked.printed_hidden
    limit = np.where(derived, minimum or SMALL, np.inf if minimum is None else minimum)
    small = tuple(
        # that nobody is in a cell that no release lists tells of nobody
        leak
        for leak in found.leaks
        if leak.low < limit[leak.cell] and (leak.high > 0 or not derived[leak.cell])
    )
    low = dict(zip(found.cells.tolist(), found.low.tolist(), strict=True))
    open_ = tuple(cell for cell in found.undecided if low[cell] < limit[cell])
    watched = linked.printed_hidden | linked.differences
    watched[[*(leak.cell for leak in small), *open_]] = True
    listed = watched[found.cells]
    return replace(
        found, cells=found.cells[listed], low=found.low[listed], high=found.high[listed],
        settled=found.settled[listed], sensitive=found.sensitive[listed], leaks=small, undecided=open_,
        names=tuple(name for name, kept in zip(found.names, listed, strict=True) if kept),
    )  # fmt: skip


class _Model:
    """Cells and rows while they are collected."""

    def __init__(self, releases: Sequence[Printed], groups: dict[str, Mapping[str, Sequence[str]]], nested: bool):
        self.releases = releases
        self.nested = nested
        self.dimensions = tuple(dict.fromkeys(name for release in releases for name in release.dimensions))
        for name in groups:
            if name not in self.dimensions:
                raise InvalidArgument("groups", f"there is no dimension {name!r}", did_you_mean(name, self.dimensions))
        self.totals = {name: self._total(name) for name in self.dimensions}
        self.codes = {name: self._codes(name, groups.get(name, {})) for name in self.dimensions}
        self.sums = {name: list(self._sums(name, groups.get(name, {}))) for name in self.dimensions}
        self.place: dict[Key, int] = {}
        self.names: list[str] = []
        self.low: list[float] = []
        self.high: list[float] = []
        self.kind: list[str] = []
        self.rows: dict[tuple[int, ...], Row] = {}

    def enter(self, population: int, release: Printed, attacker: Attacker) -> None:
        """Add the cells of a release and the sums among them."""
        own = [self.codes[name] if name in release.dimensions else [self.totals[name]] for name in self.dimensions]
        if len(self.names) + int(np.prod([len(codes) for codes in own])) > MOST_CELLS:
            raise InvalidArgument("releases", f"have more than {MOST_CELLS:,} cells together", "Audit fewer at a time.")
        for codes in product(*own):
            self._cell(population, codes)
        low, high = _read(release, attacker)
        columns = dict(zip(release.dimensions, release.codes, strict=True))
        full = [columns.get(name, np.full(len(low), self.totals[name])) for name in self.dimensions]
        for number, codes in enumerate(zip(*(column.tolist() for column in full), strict=True)):
            self._print(self.place[population, codes], bool(release.hidden[number]), low[number], high[number])
        self._add_sums(population, release, own)

    def subtract(self, earlier: int, later: int) -> None:
        """Add what the later release has more, in every cell that both of them have, listed or not."""
        for (population, codes), before in list(self.place.items()):
            after = self.place.get((later, codes))
            if population != earlier or after is None:
                continue
            name = f"{self.names[after]} minus {self.names[before]}"
            listed = "" not in (self.kind[before], self.kind[after])
            more = self._new(name, "difference" if listed else "")
            self.rows[after, before, more] = ([after, before, more], [1, -1, -1], 0.0)

    def linked(self, whole: bool) -> Linked:
        low, high, kind = np.array(self.low), np.array(self.high), np.array(self.kind)
        if np.any(low > high):
            cell = self.names[int(np.flatnonzero(low > high)[0])]
            raise InvalidArgument("releases", f"contradict each other in {cell}", "Do they count the same persons?")
        hidden = kind != "shown"
        rows = Relations.from_rows(self.rows.values())
        reading = Reading(np.where(hidden, 0.0, low), hidden, rows, low, high, whole, self.names.__getitem__)
        return Linked(reading, kind == "hidden", kind == "difference")

    def _total(self, name: str) -> str:
        found = {
            total
            for release in self.releases
            for own, total in zip(release.dimensions, release.totals, strict=True)
            if own == name and total is not None
        }
        if len(found) > 1:
            raise InvalidArgument("releases", f"call the total of {name!r} by different codes", "Use one of them.")
        return found.pop() if found else TOTAL

    def _codes(self, name: str, groups: Mapping[str, Sequence[str]]) -> list[str]:
        printed = [
            code
            for release in self.releases
            for own, codes in zip(release.dimensions, release.codes, strict=True)
            if own == name
            for code in codes.tolist()
        ]
        parts = [code for group, members in groups.items() for code in (group, *members)]
        return list(dict.fromkeys([self.totals[name], *printed, *parts]))

    def _sums(self, name: str, groups: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, list[str]]]:
        """Yield each group with its parts; the total with the codes at the top, or with the finest ones."""
        total = self.totals[name]
        inside = [part for members in groups.values() for part in members]
        rest = [code for code in self.codes[name] if code != total and code not in groups.get(total, ())]
        overlap = len(set(inside)) < len(inside)
        top = [code for code in rest if (code not in groups if overlap else code not in inside)]
        if total not in groups and top:
            yield total, top
        for group, members in groups.items():
            yield group, list(members)

    def _add_sums(self, population: int, release: Printed, own: Sequence[Sequence[str]]) -> None:
        for axis, name in enumerate(self.dimensions):
            if name not in release.dimensions:
                continue
            others = [codes if place != axis else [""] for place, codes in enumerate(own)]
            for line in product(*others):
                for group, parts in self.sums[name]:
                    cells = [
                        self.place[population, (*line[:axis], code, *line[axis + 1 :])] for code in (group, *parts)
                    ]
                    self.rows.setdefault(tuple(cells), (cells, [-1] + [1] * len(parts), 0.0))

    def _cell(self, population: int, codes: tuple[str, ...]) -> None:
        if (population, codes) not in self.place:
            text = " x ".join(codes)
            self.place[population, codes] = self._new(
                f"{self.releases[population].name}: {text}" if self.nested else text, ""
            )

    def _new(self, name: str, kind: str) -> int:
        self.names.append(name)
        self.low.append(0.0)
        self.high.append(np.inf)
        self.kind.append(kind)
        return len(self.names) - 1

    def _print(self, cell: int, hidden: bool, low: float, high: float) -> None:
        """Take what a release says of a cell together with what others have said."""
        self.low[cell] = max(self.low[cell], low)
        self.high[cell] = min(self.high[cell], high)
        if not hidden or self.kind[cell] == "shown":
            self.kind[cell] = "shown"
        else:
            self.kind[cell] = "hidden"


def _read(release: Printed, attacker: Attacker) -> tuple[Vector, Vector]:
    """What the print and the attacker's knowledge say of each cell of a release."""
    low, high = release.low.copy(), release.high.copy()
    if attacker.zeros_known and release.prints_zeros and release.whole:
        low = np.where(release.hidden, np.maximum(low, 1.0), low)
    ranged = release.hidden & np.isfinite(high)
    if attacker.symbols_differ and ranged.any() and release.prints_zeros:
        other = release.hidden & ~ranged
        low = np.where(other, np.maximum(low, high[ranged].max() + 1.0), low)
    return low, high
