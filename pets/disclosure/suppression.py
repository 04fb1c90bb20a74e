"""Cell suppression in a pipeline: hide what a rule calls small, and what would give it away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from pets.disclosure.attacker import Attacker
from pets.disclosure.build import Margins
from pets.disclosure.published import Published, published
from pets.disclosure.rules import MinimumFrequency
from pets.disclosure.table import Table
from pets.error_model import ErrorModel
from pets.errors import InvalidArgument, PairingRefused
from pets.guarantee import SuppressionRule
from pets.noise import NoNoise
from pets.query import BoundQuery, Count, EventTable, Histogram, Marginals, Measured
from pets.query.layout import split
from pets.release import Release
from pets.tally import Tally

Flags = NDArray[np.bool_]
Reach = tuple[NDArray[np.float64], NDArray[np.float64]]
Zeros = Literal["publish", "suppress"]
Complementary = Literal["optimal", "fast", "none"]

COUNT_TABLES = (Count, Marginals, Histogram, EventTable)
"""Queries whose estimates are the counts themselves, so that hiding one is meaningful."""


@dataclass(frozen=True, slots=True)
class SuppressCells:
    """Publish exact counts, but hide those below a minimum, and further cells so that none of these follows.

    Parameters
    ----------
    minimum
        Smallest count that is shown, at least 2.
    zeros
        ``'publish'`` shows empty cells as 0 (the usual practice), ``'suppress'`` hides them too.
    complementary
        How the further cells are chosen: ``'optimal'`` for the smallest loss of cases within the time limit,
        ``'fast'`` for large tables, ``'none'`` to leave the small ones open to subtraction.
    margins
        What is assumed of totals and groups that the query does not ask for: ``'printed'``, that they may be printed
        elsewhere as long as those that the release lists are held back; ``'known'``, that everybody knows those of
        `minimum` and more; ``'none'``, that nobody will ever know any.
    time_limit
        Seconds after which the best pattern so far is taken. It is always one that withstands the attack.

    Raises
    ------
    InvalidArgument
        A parameter is out of range.

    Guarantee
    ---------
    A rule, not differential privacy: published counts are exact. With complementary cells, no hidden small count can be
    worked out from the printed cells, the zeros among them, the margins and the rule: an interval of at least
    three counts is left, unless the rule itself leaves less. All tables of the query are read together, as margins of
    one table. Nothing is said about other releases over the same patients (:func:`pets.disclosure.audit_releases`),
    nor about who rules out tables for which another pattern would have been cheaper.

    References
    ----------
    Fischetti and Salazar, "Solving the cell suppression problem on tabular data with linear constraints", Management
    Science 47(7), 2001.
    """

    kind: ClassVar[str] = "suppress_cells"
    minimum: int = 5
    zeros: Zeros = "publish"
    complementary: Complementary = "optimal"
    margins: Margins = "printed"
    time_limit: float = 60.0

    def __post_init__(self) -> None:
        if isinstance(self.minimum, bool) or not isinstance(self.minimum, int) or not 2 <= self.minimum <= 10**9:
            raise InvalidArgument("minimum", "must be a whole number of at least 2", "5 hides counts from 1 to 4.")
        for name, choices in (("zeros", Zeros), ("complementary", Complementary), ("margins", Margins)):
            if getattr(self, name) not in get_args(choices):
                raise InvalidArgument(name, f"must be one of {', '.join(map(repr, get_args(choices)))}")
        seconds = self.time_limit
        if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < 1e6:
            raise InvalidArgument("time_limit", "must be a positive number of seconds")

    def guarantee(self, query: BoundQuery) -> SuppressionRule:
        """Return the rule."""
        _refuse_unless_counts(query)
        return self._rule(())

    def error(self, query: BoundQuery) -> ErrorModel:
        """Return that shown counts are exact, and which are hidden."""
        _refuse_unless_counts(query)
        laws = tuple(NoNoise() for _ in query.blocks)
        return ErrorModel(query, laws, hides=self.hidden_range, complementary=self.complementary != "none")

    @property
    def hidden_range(self) -> tuple[int, int]:
        """Inclusive range of counts that are hidden: what the rule itself tells of a hidden cell."""
        return (1 if self.zeros == "publish" else 0), self.minimum - 1

    def release(self, total: Tally, query: BoundQuery) -> Release:
        """Return the table without its hidden cells; their counts are overwritten, not only masked.

        Raises
        ------
        PairingRefused
            The query is no table of counts.
        IncompatibleTallies
            `total` answers another question.
        InvalidArgument
            No pattern withstands the attack: the margins are known, and one of them is a small cell's alone.
        """
        _refuse_unless_counts(query)
        tables = tuple(split(query.check(total), query.blocks))
        small = tuple(self._small(values) & block.free() for values, block in zip(tables, query.blocks, strict=True))
        rule, hidden = self._rule(()), list(small)
        reach: list[Reach | None] = [None] * len(small)
        if self.complementary != "none" and any(each.any() for each in small):
            rule, hidden, reach = self._complete(query, tables)
        parts = [
            Measured(block, np.where(mask, 0, values), NoNoise(), mask, self.hidden_range, between)
            for block, values, mask, between in zip(query.blocks, tables, hidden, reach, strict=True)
        ]
        return Release(query, tuple(parts), (rule,))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        names = ("minimum", "zeros", "complementary", "margins", "time_limit")
        return {"type": self.kind} | {name: getattr(self, name) for name in names}

    def _small(self, values: NDArray[np.int64]) -> Flags:
        low, high = self.hidden_range
        return (values >= low) & (values <= high)

    def _rule(self, withheld: tuple[str, ...]) -> SuppressionRule:
        return SuppressionRule(self.minimum, self.zeros, self.complementary != "none", withheld)

    def _complete(
        self, query: BoundQuery, tables: Sequence[NDArray[np.int64]]
    ) -> tuple[SuppressionRule, list[Flags], list[Reach | None]]:
        """Return the rule with the totals it holds back, what is hidden in each table, and what a reader can tell."""
        from pets.disclosure.auditing import audit
        from pets.disclosure.complementary import suppress

        model = published(query.blocks, tables, query.domain, self.margins)
        table = model.sheet.table(MinimumFrequency(self.minimum, self.zeros))
        attacker = Attacker(zeros_known=self.zeros == "publish")
        method: Literal["optimal", "fast"] = "fast" if self.complementary == "fast" else "optimal"
        try:
            pattern = suppress(table, attacker, time_limit=self.time_limit, method=method).suppressed
        except InvalidArgument:  # its text names the cell, which the rule forbids
            raise InvalidArgument(
                "margins", "leave no pattern that withstands subtraction",
                "Use coarser categories, or hold totals back: margins='printed'.",
            ) from None  # fmt: skip
        found = audit(table, pattern, attacker)
        low, high = np.zeros(table.cells), np.zeros(table.cells)
        low[found.cells], high[found.cells] = found.low, found.high
        hidden: list[Flags] = []
        reach: list[Reach | None] = []
        for place, block in zip(model.places, query.blocks, strict=True):
            hidden.append(pattern[place] & block.free())
            reach.append((low[place], high[place]))
        return self._rule(_withheld(model, table, pattern)), hidden, reach


def _withheld(model: Published, table: Table, pattern: Flags) -> tuple[str, ...]:
    """Return whom the totals count that nobody may print."""
    cells = np.flatnonzero(pattern & model.unprinted() & ~table.forced)
    return tuple(model.persons(int(cell)) for cell in cells)


def _refuse_unless_counts(query: BoundQuery) -> None:
    if not isinstance(query.query, COUNT_TABLES):
        names = ", ".join(kind.__name__ for kind in COUNT_TABLES)
        raise PairingRefused(f"cells of {type(query.query).__name__} are not counts; suppression works on {names}.")
