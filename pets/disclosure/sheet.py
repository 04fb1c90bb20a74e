"""Cells of one or more linked tables before any rule has judged them, and what becomes of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pets.disclosure.contributions import Contributions
from pets.disclosure.relations import Relations
from pets.disclosure.rules import MinimumFrequency, Rule, judge
from pets.disclosure.selection import cells_with
from pets.disclosure.table import Table
from pets.errors import InvalidArgument, did_you_mean

Cost = Literal["value", "cells", "records"]
"""What hiding a cell costs: its value, 1, or its number of records."""


class Fate(IntEnum):
    """What becomes of a cell. Where two linked tables differ, the higher one holds."""

    LATENT = 0
    """Printed nowhere, but tied to cells that are: it takes part in every sum and is not protected itself."""
    KNOWN = 1
    """Not printed here, but taken to be known to everybody unless a rule calls it sensitive."""
    DERIVED = 2
    """Printed nowhere, but a reader could work it out (the difference of two printed cells): protected like them."""
    PRINTED = 3
    """To be printed, or hidden if need be."""
    HIDDEN = 4
    """Hidden in an earlier release, so it stays hidden."""
    SHOWN = 5
    """Shown in an earlier release, so everybody knows it."""


@dataclass(frozen=True, eq=False, repr=False)
class Sheet:
    """Cells with their codes, what contributes to each, the sums that tie them, and the fate of each.

    Made by :func:`~pets.disclosure.build.sheet_of_rows`, :func:`~pets.disclosure.build.sheet_of_counts` and their
    kin, and combined by :func:`~pets.disclosure.linking.link`.

    Attributes
    ----------
    dimensions, totals
        Names of the dimensions, and the code of each one's total.
    codes
        For each dimension the code of every cell, shape (n,).
    relations
        What adds up to what.
    contributions
        Value and contributors of each cell.
    fate
        A :class:`Fate` for each cell, int8 (n,).
    structural
        Cells that everybody knows to be impossible, hence 0, bool (n,).
    integral
        Whether the values are counts.
    """

    dimensions: tuple[str, ...]
    totals: tuple[str, ...]
    codes: tuple[NDArray[np.str_], ...]
    relations: Relations
    contributions: Contributions
    fate: NDArray[np.int8]
    structural: NDArray[np.bool_]
    integral: bool

    @property
    def cells(self) -> int:
        """Number of cells."""
        return len(self.fate)

    def __repr__(self) -> str:
        return f"Sheet({' x '.join(self.dimensions)}: {self.cells} cells, {self.relations.count} relations)"

    def where(self, codes: Mapping[str, str | Sequence[str]]) -> NDArray[np.bool_]:
        """Return which cells have one of these codes in each of the dimensions named, bool (n,).

        Raises
        ------
        InvalidArgument
            There is no such dimension or code.
        """
        return cells_with(self.dimensions, self.codes, codes)

    def with_fate(self, cells: ArrayLike, fate: Fate) -> Sheet:
        """Return the sheet with another fate for some cells, given as a mask or as numbers."""
        chosen = np.asarray(cells)
        if chosen.dtype == np.bool_ and chosen.shape != (self.cells,):
            raise InvalidArgument("cells", f"must be True or False for each of the {self.cells} cells")
        if chosen.dtype != np.bool_ and not np.isin(chosen, np.arange(self.cells)).all():
            raise InvalidArgument("cells", f"must be numbers from 0 to {self.cells - 1}")
        found = self.fate.copy()
        found[chosen] = fate
        return replace(self, fate=found)

    def impossible(self, codes: Mapping[str, str | Sequence[str]]) -> Sheet:
        """Return the sheet with structural zeros: cells in which nobody can ever be, as everybody knows.

        For example retinoblastoma at ages 10 to 14, if the registry's rules exclude it.

        Raises
        ------
        InvalidArgument
            Somebody is in such a cell, or there is no such dimension or code.
        """
        found = self.structural | self.where(codes)
        if self.contributions.values[found].any():
            raise InvalidArgument("codes", "name a cell that is not empty", "It is possible, then.")
        rows, before = self.relations, -1
        groups = np.full(rows.count, -1)
        groups[rows.rows[rows.signs == -1]] = rows.indices[rows.signs == -1]
        while found.sum() > before:  # a margin of impossible cells only is impossible
            before = int(found.sum())
            possible = np.bincount(rows.rows, weights=(rows.signs == 1) & ~found[rows.indices], minlength=rows.count)
            found[groups[(possible == 0) & (groups >= 0)]] = True
        return replace(self, structural=found)

    def without_printing(self, codes: Mapping[str, str | Sequence[str]]) -> Sheet:
        """Return the sheet with cells that are not printed but could be worked out, so that they are protected.

        For example the one year by which a window of years grew: the difference of two published tables.
        """
        return self.with_fate(self.where(codes), Fate.DERIVED)

    def published(self, tables: Sequence[Sequence[str]], *, joint: bool = False) -> Sheet:
        """Return the sheet of some of its margins only, e.g. site x region and site x age of site x region x age.

        Parameters
        ----------
        tables
            For each published table its dimensions; its own margins are published with it.
        joint
            Keep the cells that no table prints as :attr:`Fate.LATENT`. The attacker then also knows that the
            tables are margins of one table of counts, which tells more than each of them; costs time.
        """
        for name in {name for by in tables for name in by} - set(self.dimensions):
            raise InvalidArgument(
                "tables", f"names {name!r}, which is no dimension", did_you_mean(name, self.dimensions)
            )
        inside = [column != total for column, total in zip(self.codes, self.totals, strict=True)]
        kept = np.zeros(self.cells, dtype=np.bool_)
        for by in tables:
            others = [used for name, used in zip(self.dimensions, inside, strict=True) if name not in by]
            kept |= ~np.logical_or.reduce(others) if others else True
        return self.with_fate(~kept, Fate.LATENT) if joint else self.only(kept)

    def only(self, kept: NDArray[np.bool_]) -> Sheet:
        """Return the sheet without some cells; sums that need one of them are left out."""
        place = np.cumsum(kept) - 1
        rows = self.relations
        whole = np.logical_and.reduceat(kept[rows.indices], rows.indptr[:-1]) if rows.count else np.zeros(0, np.bool_)
        entries = np.repeat(whole, np.diff(rows.indptr))
        starts = np.concatenate([[0], np.cumsum(np.diff(rows.indptr)[whole])])
        fewer = Relations(starts, place[rows.indices[entries]], rows.signs[entries], rows.constants[whole])
        cells = np.flatnonzero(kept)
        return replace(
            self,
            codes=tuple(column[cells] for column in self.codes),
            relations=fewer,
            contributions=self.contributions.take(cells),
            fate=self.fate[cells],
            structural=self.structural[cells],
        )

    def released(self, suppressed: ArrayLike) -> Sheet:
        """Return the sheet of a release that is out already, with the cells that it hid, bool (n,)."""
        hidden = np.asarray(suppressed)
        if hidden.shape != (self.cells,) or hidden.dtype != np.bool_:
            raise InvalidArgument("suppressed", f"must be True or False for each of the {self.cells} cells")
        return replace(self, fate=np.where(hidden, Fate.HIDDEN, Fate.SHOWN).astype(np.int8))

    def at(self, dimension: str, code: str, total: str) -> Sheet:
        """Return the sheet as a part of one with one dimension more, e.g. ``at('years', '2018-21', 'all')``."""
        if dimension in self.dimensions:
            raise InvalidArgument("dimension", f"{dimension!r} is there already")
        if code == total:
            raise InvalidArgument("code", "is the total of the larger one", "Then link the two as they are.")
        column = np.full(self.cells, code)
        names, totals = (*self.dimensions, dimension), (*self.totals, total)
        return replace(self, dimensions=names, totals=totals, codes=(*self.codes, column))

    def table(self, *rules: Rule, cost: Cost = "value") -> Table:
        """Return the table that an attacker will see, with what `rules` call sensitive.

        Parameters
        ----------
        rules
            :class:`MinimumFrequency`, :class:`Dominance` and their kin; a cell is sensitive if any says so.
        cost
            What hiding a cell costs.

        Raises
        ------
        InvalidArgument
            No rule was given, or the cells are no table.
        """
        if not rules:
            raise InvalidArgument("rules", "are none", "Give at least one, e.g. MinimumFrequency(5).")
        if not all(isinstance(rule, Rule) for rule in rules):
            raise InvalidArgument("rules", "must be rules", "For example: MinimumFrequency(5), Dominance(1, 75).")
        if cost not in ("value", "cells", "records"):
            raise InvalidArgument("cost", "must be 'value', 'cells' or 'records'")
        verdict = judge(rules, self.contributions)
        possible = ~self.structural
        protected = np.isin(self.fate, (Fate.DERIVED, Fate.PRINTED, Fate.HIDDEN))
        primary = verdict.sensitive & possible & protected
        frequency = [rule for rule in rules if isinstance(rule, MinimumFrequency)]
        zeros_printed = all(rule.zeros == "publish" for rule in frequency)
        empty = self._shown_as_empty(zeros_printed) & ~primary
        known = (self.fate == Fate.KNOWN) & ~verdict.sensitive
        frozen = empty | known | (self.fate == Fate.SHOWN)
        unprinted = np.isin(self.fate, (Fate.LATENT, Fate.KNOWN, Fate.DERIVED, Fate.HIDDEN))
        told = self._told_by(frequency) if len(frequency) == len(rules) == 1 else None
        lower, upper = self._bounds(zeros_printed, told, verdict.sensitive)
        return Table(
            self.contributions.values,
            self.relations,
            primary=primary,
            frozen=frozen,
            forced=unprinted & ~frozen & ~primary,
            cost=np.where(unprinted | frozen, 0.0, self._cost(cost)),
            lower=lower,
            upper=upper,
            lower_protection=np.where(primary, verdict.below, 0.0),
            upper_protection=np.where(primary, verdict.above, 0.0),
            sliding_protection=np.where(primary, verdict.width, 0.0),
            integral=self.integral,
            contributors=self.contributions.contributors,
            dimensions=self.dimensions,
            codes=self.codes,
            primary_range=told,
            printed=np.isin(self.fate, (Fate.PRINTED, Fate.HIDDEN, Fate.SHOWN)),
        )

    def _shown_as_empty(self, zeros_printed: bool) -> NDArray[np.bool_]:
        """Return the cells in which everybody reads a 0."""
        if not zeros_printed:
            return self.structural
        readable = np.isin(self.fate, (Fate.KNOWN, Fate.PRINTED, Fate.SHOWN))
        empty = self.contributions.records == 0
        return np.asarray(self.structural | (readable & empty), dtype=np.bool_)

    def _bounds(
        self, zeros_printed: bool, told: tuple[int, int] | None, sensitive: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return what everybody knows each cell to be at least and at most.

        A margin that is not known although margins are known must be one that the rule calls sensitive.
        """
        lower, upper = self._least(zeros_printed), np.where(self.structural, 0.0, np.inf)
        if told is not None:
            missing = (self.fate == Fate.KNOWN) & sensitive & ~self.structural
            lower[missing], upper[missing] = told
        return lower, upper

    def _least(self, zeros_printed: bool) -> NDArray[np.float64]:
        """Return what everybody knows each cell to be at least.

        Where zeros are printed, a hidden count of a printed table is 1 or more. An attacker draws that conclusion
        for all hidden cells alike; where some cells may be empty, being printed nowhere or hidden by an earlier
        release that did hide zeros, it has to be said here of the others.
        """
        empty = self.contributions.records == 0
        unseen = np.isin(self.fate, (Fate.LATENT, Fate.DERIVED)) & empty
        earlier = (self.fate == Fate.HIDDEN) & empty
        if not (self.integral and zeros_printed and (unseen.any() or earlier.any())):
            return np.zeros(self.cells)
        seen = np.isin(self.fate, (Fate.KNOWN, Fate.PRINTED, Fate.SHOWN))
        seen |= (self.fate == Fate.HIDDEN) & (not earlier.any())
        return np.where(seen & (self.contributions.values >= 1), 1.0, 0.0)

    def _cost(self, cost: Cost) -> NDArray[np.float64]:
        if cost == "cells":
            return np.ones(self.cells)
        found = self.contributions.values if cost == "value" else self.contributions.records.astype(np.float64)
        return np.maximum(found, 1.0) if self.integral or cost == "records" else found

    def _told_by(self, frequency: Sequence[MinimumFrequency]) -> tuple[int, int] | None:
        """Return what the rule tells of a hidden value: nothing if contributors are counted and not the value."""
        counted = np.array_equal(self.contributions.contributors, self.contributions.values)
        return frequency[0].range if counted else None
