"""Events and censorings by time bin, exact or noisy, as every estimator of survival reads them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pets.domain import Categorical, Integer, Label, Numeric
from pets.errors import InvalidArgument, PairingRefused, did_you_mean
from pets.noise import NoNoise
from pets.query import BoundQuery, EventTable, Measured
from pets.release import Release
from pets.tally import Tally

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class EventCounts:
    """Counts by stratum, time bin and event, with the variance of the noise in each.

    Made by :meth:`of` from a release of :class:`pets.EventTable`. Counts are as released: signed, unrounded.

    Attributes
    ----------
    strata
        Labels of each stratum, one tuple per stratum; ``((),)`` when there are none.
    by
        Attributes that the labels belong to.
    causes
        Labels of the events, without the one that means censored.
    start
        Time at which everybody is alive: survival is 1 there.
    times
        Last time of each bin, shape (bins,).
    step
        Distance between two possible times: 1 for whole numbers, 0 for a continuous time.
    lost
        Share of a bin's censored that miss one of its events on average, shape (bins,). See Notes.
    events, events_variance
        Shape (strata, bins, causes).
    censored, censored_variance
        Shape (strata, bins).
    beyond, beyond_variance
        Followed beyond the last bin, shape (strata,).

    Notes
    -----
    Someone censored in a bin was under observation for part of it. If times are spread evenly over the m possible
    times of the bin, and a death counts before a censoring of the same day, as in Kaplan-Meier, the censoring comes
    first with probability ``(1 - 1/m) / 2``. So bins of a single day give the Kaplan-Meier curve itself, and coarse
    ones the actuarial estimate, whose grouping error is several times smaller than that of a curve which keeps the
    censored at risk to the end of the bin.
    """

    strata: tuple[tuple[Label, ...], ...]
    by: tuple[str, ...]
    causes: tuple[Label, ...]
    start: float
    times: Array
    step: float
    lost: Array
    events: Array
    events_variance: Array
    censored: Array
    censored_variance: Array
    beyond: Array
    beyond_variance: Array

    @classmethod
    def of(cls, source: Release | EventCounts) -> EventCounts:
        """Read a release; counts that were read already come back as they are.

        Raises
        ------
        InvalidArgument
            `source` is no release of an event table.
        PairingRefused
            A cell is hidden, so that numbers at risk are not known; the errors of the cells are not independent; or the
            release was selected among several runs.
        """
        if isinstance(source, EventCounts):
            return source
        if isinstance(source, Tally):
            raise InvalidArgument(
                "source", "is a confidential tally",
                "Release it with a mechanism first; the data holder may look at EventCounts.exact(query, tally).",
            )  # fmt: skip
        if not isinstance(source, Release) or not isinstance(source.query.query, EventTable):
            found = type(source.query.query if isinstance(source, Release) else source).__name__
            raise InvalidArgument(
                "source", f"must be the release of an EventTable, not of {found}", "Ask for pets.EventTable(...)."
            )
        if source.best_of is not None:
            raise PairingRefused("this release is the best of several runs, so its counts are not unbiased.")
        part = source.parts[0]
        if not isinstance(part, Measured):
            raise PairingRefused(
                "the cells of this release were estimated together, so their errors are not independent. Publish the "
                "event table with noise in each cell, e.g. pets.dp.DiscreteLaplace."
            )
        return _read(source.query, source.query.query, part)

    @classmethod
    def exact(cls, query: BoundQuery, tally: Tally) -> EventCounts:
        """Read an exact tally: for the data holder's own eyes.

        Raises
        ------
        InvalidArgument
            `query` is no event table.
        IncompatibleTallies
            The tally answers another question.
        """
        if not isinstance(query.query, EventTable):
            raise InvalidArgument("query", "must be an EventTable bound to its domain")
        return _read(query, query.query, Measured(query.blocks[0], query.check(tally), NoNoise()))

    def __repr__(self) -> str:
        # Never a count: these may be the exact ones.
        shape = f"{len(self.strata)} strata x {len(self.times)} bins x {len(self.causes)} events"
        return f"<EventCounts: {shape}, {'noisy' if self.noisy else 'without noise'}>"

    @property
    def noisy(self) -> bool:
        """Whether any count contains noise."""
        return bool(self.events_variance.any() or self.censored_variance.any() or self.beyond_variance.any())

    @property
    def widths(self) -> Array:
        """Time that each bin covers, shape (bins,)."""
        return np.diff(np.concatenate([[self.start], self.times]))

    def pooled(self) -> EventCounts:
        """Return all strata added up to one; their noises add up too."""
        names = ("events", "events_variance", "censored", "censored_variance", "beyond", "beyond_variance")
        summed: dict[str, Any] = {name: getattr(self, name).sum(axis=0, keepdims=True) for name in names}
        return replace(self, strata=((),), by=(), **summed)

    def single(self, event: Label | None = None) -> EventCounts:
        """Return the counts with one kind of event: any of them, or `event` with all others as censorings.

        Raises
        ------
        InvalidArgument
            There is no such event.
        """
        if event is None:
            chosen = np.ones(len(self.causes), dtype=bool)
        else:
            chosen = np.array([cause == event and type(cause) is type(event) for cause in self.causes])
            if not chosen.any():
                hint = did_you_mean(str(event), (str(cause) for cause in self.causes))
                raise InvalidArgument("event", f"names {event!r}, which is no event of this table", hint)
        return replace(
            self,
            causes=("event",) if event is None else (event,),
            events=self.events[:, :, chosen].sum(axis=2, keepdims=True),
            events_variance=self.events_variance[:, :, chosen].sum(axis=2, keepdims=True),
            censored=self.censored + self.events[:, :, ~chosen].sum(axis=2),
            censored_variance=self.censored_variance + self.events_variance[:, :, ~chosen].sum(axis=2),
        )


def _read(query: BoundQuery, table: EventTable, part: Measured) -> EventCounts:
    if part.suppressed is not None and part.suppressed.any():
        raise PairingRefused(
            "this release hides cells, so numbers at risk are not known from it. Publish the event table with noise "
            "(pets.dp), or with a rule that hides nothing here."
        )
    time, event = query.table_domain[table.time], query.table_domain[table.event]
    *groups, time_axis, _ = part.block.axes
    bins = len(time_axis.edges) - 1
    if not isinstance(time, Integer | Numeric):  # the query has refused it already
        raise InvalidArgument("time", "must be a number")
    # Bins that end before the attribute does leave a last one for those who were followed beyond.
    inside = bins - bool(table.bins and table.bins[-1] < time.upper)
    labels = len(event.categories) if isinstance(event, Categorical) else len(part.block.axes[-1])
    # A last label may stand for unknown times or events: nobody there is known to have been at risk.
    counts = part.counts().astype(np.float64)[..., :bins, :labels].reshape(-1, bins, labels)
    variance = _variance(part)[..., :bins, :labels].reshape(-1, bins, labels)
    times, step, start = _times(time, time_axis.edges[: inside + 1], closed=inside == bins)
    spread = np.diff(np.concatenate([[start], times]))
    return EventCounts(
        strata=tuple(product(*(axis.labels for axis in groups))),
        by=tuple(axis.name for axis in groups),
        causes=tuple(part.block.axes[-1].labels[1:labels]),
        start=start,
        times=times,
        step=step,
        lost=(1 - step / spread) / 2,
        events=counts[:, :inside, 1:],
        events_variance=variance[:, :inside, 1:],
        censored=counts[:, :inside, 0],
        censored_variance=variance[:, :inside, 0],
        beyond=counts[:, inside:].sum(axis=(1, 2)),
        beyond_variance=variance[:, inside:].sum(axis=(1, 2)),
    )


def _variance(part: Measured) -> Array:
    block = part.block
    return np.where(block.free()[: block.cells], part.law.variance, 0.0).reshape(block.shape)


def _times(time: Integer | Numeric, edges: tuple[float, ...], *, closed: bool) -> tuple[Array, float, float]:
    """Return the last time of each bin, the step between possible times, and the time before the first.

    A bin of whole numbers ends one before its upper edge, but the one that holds the attribute's bound ends there.
    """
    times = np.array(edges[1:], dtype=np.float64)
    if isinstance(time, Numeric):
        return times, 0.0, float(edges[0])
    times -= 1
    if closed:
        times[-1] = time.upper
    return times, 1.0, float(edges[0]) - 1
