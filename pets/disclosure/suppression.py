"""Primary suppression: hide the cells that a rule calls small."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from pets.error_model import ErrorModel
from pets.errors import InvalidArgument, PairingRefused
from pets.guarantee import SuppressionRule
from pets.noise import NoNoise
from pets.query import BoundQuery, Count, EventTable, Histogram, Marginals, Measured
from pets.query.layout import split
from pets.release import Release
from pets.tally import Tally

Zeros = Literal["publish", "suppress"]

COUNT_TABLES = (Count, Marginals, Histogram, EventTable)
"""Queries whose estimates are the counts themselves, so that hiding one is meaningful."""


@dataclass(frozen=True, slots=True)
class SuppressCells:
    """Publish exact counts, but hide those below a minimum.

    Parameters
    ----------
    minimum
        Smallest count that is shown, at least 2.
    zeros
        ``'publish'`` shows empty cells as 0 (the usual practice), ``'suppress'`` hides them too.

    Raises
    ------
    InvalidArgument
        A parameter is out of range.

    Guarantee
    ---------
    A rule, not differential privacy: published counts are exact. Hidden cells can often be recovered by
    subtracting from margins or from other releases, because no complementary cells are hidden yet.
    """

    kind: ClassVar[str] = "suppress_cells"
    minimum: int = 5
    zeros: Zeros = "publish"

    def __post_init__(self) -> None:
        if isinstance(self.minimum, bool) or not isinstance(self.minimum, int) or not 2 <= self.minimum <= 10**9:
            raise InvalidArgument("minimum", "must be a whole number of at least 2", "5 hides counts from 1 to 4.")
        if self.zeros not in ("publish", "suppress"):
            raise InvalidArgument("zeros", "must be 'publish' or 'suppress'")

    def guarantee(self, query: BoundQuery) -> SuppressionRule:
        """Return the rule."""
        _refuse_unless_counts(query)
        return SuppressionRule(self.minimum, self.zeros)

    def error(self, query: BoundQuery) -> ErrorModel:
        """Return that shown counts are exact, and which are hidden."""
        _refuse_unless_counts(query)
        return ErrorModel(query, tuple(NoNoise() for _ in query.blocks), hides=self.hidden_range)

    @property
    def hidden_range(self) -> tuple[int, int]:
        """Inclusive range of counts that are hidden: what the rule itself tells of a hidden cell."""
        return (1 if self.zeros == "publish" else 0), self.minimum - 1

    def release(self, total: Tally, query: BoundQuery) -> Release:
        """Return the table without its small cells; hidden counts are overwritten, not only masked.

        Raises
        ------
        PairingRefused
            The query is no table of counts.
        IncompatibleTallies
            `total` answers another question.
        """
        _refuse_unless_counts(query)
        parts = []
        for block, values in zip(query.blocks, split(query.check(total), query.blocks), strict=True):
            low, high = self.hidden_range
            hidden = (values >= low) & (values <= high) & block.free()
            shown = np.where(hidden, 0, values)
            parts.append(Measured(block, shown, NoNoise(), suppressed=hidden, hidden_range=self.hidden_range))
        return Release(query, tuple(parts), (self.guarantee(query),))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {"type": self.kind, "minimum": self.minimum, "zeros": self.zeros}


def _refuse_unless_counts(query: BoundQuery) -> None:
    if not isinstance(query.query, COUNT_TABLES):
        names = ", ".join(kind.__name__ for kind in COUNT_TABLES)
        raise PairingRefused(f"cells of {type(query.query).__name__} are not counts; suppression works on {names}.")
