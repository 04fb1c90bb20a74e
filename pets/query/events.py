"""Events and censorings by time since diagnosis: what survival analysis needs, as a table of counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pets.domain import Categorical, Domain
from pets.errors import InvalidArgument
from pets.exact import Number
from pets.query.base import Query, names_argument
from pets.query.binned import bins_argument, rebin
from pets.query.estimate import Columns, Part, key_columns
from pets.query.layout import Block, table_block


@dataclass(frozen=True, init=False)
class EventTable(Query):
    """How many people had each event, or were censored, in each interval of time.

    Every person falls into one cell of (group, time bin, event), so one person costs one count, however
    many bins there are. Kaplan-Meier, Nelson-Aalen, competing risks and the log-rank test are functions of it.

    Parameters
    ----------
    time
        Integer or Numeric attribute: time from diagnosis to event or end of follow-up.
    event
        Categorical attribute whose **first** category means censored, e.g. ``['alive', 'died']`` or
        ``[0, 1]``; the others are events (several are competing risks).
    by
        Attributes that define strata.
    bins
        Edges of the time bins. If they end before the attribute's upper bound, one more bin holds all
        who were followed beyond. Give the attribute ``invalid='clamp'`` when times may exceed the upper
        bound, so that nobody who was followed long is dropped.

    Notes
    -----
    The estimate has a column ``at_risk``: how many were still under observation when the bin began.
    It is a sum of noisy cells, so its noise grows towards early bins. It is ``nan`` where it is not known.
    """

    kind: ClassVar[str] = "event_table"
    time: str
    event: str
    by: tuple[str, ...]
    bins: tuple[Fraction, ...]

    def __init__(
        self, time: str, event: str, by: Sequence[str] | str = (), bins: Sequence[Number] | None = None
    ) -> None:
        for name, value in (("time", time), ("event", event)):
            if not isinstance(value, str) or not value:
                raise InvalidArgument(name, "must be the name of an attribute")
        object.__setattr__(self, "time", time)
        object.__setattr__(self, "event", event)
        object.__setattr__(self, "by", names_argument(by, "by"))
        object.__setattr__(self, "bins", bins_argument(bins))
        if len(set(self.needs())) != len(self.needs()):
            raise InvalidArgument("by", "repeats the time or the event attribute")

    def needs(self) -> tuple[str, ...]:
        """Return strata, time and event."""
        return (*self.by, self.time, self.event)

    def refine(self, domain: Domain) -> Domain:
        """Return the domain with time cut at the query's bins."""
        return rebin(domain, self.time, self.bins)

    def blocks(self, domain: Domain) -> tuple[Block, ...]:
        """Return the table of strata x time x event."""
        event = domain[self.event]
        if not isinstance(event, Categorical) or len(event.categories) < 2:
            raise InvalidArgument(
                "event",
                f"names {self.event!r}, which is not a categorical attribute with at least two categories",
                "Declare its categories with the one that means censored first, e.g. ['alive', 'died'].",
            )
        block = table_block(domain, self.needs())
        if not block.axes[-2].edges:
            raise InvalidArgument("time", f"names {self.time!r}, which has no bins", "Declare bins or give them here.")
        return (block,)

    def estimate(self, measured: Sequence[Part], level: float) -> Columns:
        """Return one line per stratum, time bin and event, with the number at risk as the bin begins."""
        (table,) = measured
        return key_columns(table.block.axes) | table.columns(level) | {"at_risk": _at_risk(table).reshape(-1)}


def _at_risk(table: Part) -> NDArray[Any]:
    """Return, in each cell, how many are counted in this or a later time bin of the same stratum.

    It is ``nan`` where that cannot be known: a cell among them is hidden, or the row is about those whose time
    is unknown.
    """
    counts = table.counts()
    bins = len(table.block.axes[-2].edges) - 1
    followed = counts[..., :bins, :]
    from_here = np.flip(np.cumsum(np.flip(followed.sum(axis=-1), axis=-1), axis=-1), axis=-1)
    unknown = np.zeros(from_here.shape, dtype=np.bool_)
    if table.suppressed is not None:
        hidden = table.suppressed[: table.block.cells].reshape(counts.shape)[..., :bins, :].any(axis=-1)
        unknown = np.flip(np.logical_or.accumulate(np.flip(hidden, axis=-1), axis=-1), axis=-1)
    if bins == counts.shape[-2] and not unknown.any():
        return np.broadcast_to(from_here[..., None], counts.shape)
    at_risk = np.full(counts.shape, np.nan)
    at_risk[..., :bins, :] = np.where(unknown, np.nan, from_here)[..., None]
    return at_risk
