"""Curves over time, one per stratum, with the band that the noise needs beside the one that sampling needs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from pets.domain import Label
from pets.epi.survival.counts import Array
from pets.epi.survival.limits import Interval
from pets.epi.survival.net_limits import NetInterval
from pets.errors import InvalidArgument, did_you_mean
from pets.query import Columns

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

Kind = Literal["survival", "hazard", "incidence", "net"]
"""What a curve shows: survival, cumulative hazard, cumulative incidence of one cause, or net survival."""


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """One stratum. All arrays have shape (bins,).

    Attributes
    ----------
    labels
        Labels of the stratum; of a cumulative incidence the cause comes last.
    times
        Last time of each bin; the value holds there.
    value
        Fitted estimate: monotone, within its bounds (see :mod:`pets.epi.survival.fit`).
    raw
        The same function of the released counts themselves, signed and unfitted; ``nan`` once nobody seems to
        be at risk.
    low, high
        Pointwise limits that include the noise.
    low_sampling, high_sampling
        Limits as they would be without noise.
    stderr_sampling, stderr_noise
        The two standard errors; their squares add up.
    at_risk
        Number under observation as the bin begins, fitted.
    at_risk_raw
        The same from the released counts: unbiased.
    reliable
        False where the number at risk is within the noise: the curve should not be read there.
    """

    labels: tuple[Label, ...]
    times: Array
    value: Array
    raw: Array
    low: Array
    high: Array
    low_sampling: Array
    high_sampling: Array
    stderr_sampling: Array
    stderr_noise: Array
    at_risk: Array
    at_risk_raw: Array
    reliable: NDArray[np.bool_]

    def __repr__(self) -> str:
        known = int(np.argmin(self.reliable)) if not self.reliable.all() else len(self.times)
        return f"<Curve of {self.name!r}: {len(self.times)} bins, {known} of them reliable>"

    @property
    def name(self) -> str:
        """The labels in words."""
        return ", ".join(str(label) for label in self.labels) or "all"

    def at(self, time: float) -> tuple[float, float, float]:
        """Return estimate and limits at `time`, between the ends of two bins along the straight line.

        Raises
        ------
        InvalidArgument
            `time` lies before the end of the first bin or after that of the last.
        """
        if not self.times[0] <= time <= self.times[-1]:
            raise InvalidArgument("time", f"must lie between {self.times[0]:g} and {self.times[-1]:g}")
        value, low, high = (float(np.interp(time, self.times, y)) for y in (self.value, self.low, self.high))
        return value, low, high


_ARRAYS = (
    ("value", "value"),
    ("ci_low", "low"),
    ("ci_high", "high"),
    ("raw", "raw"),
    ("stderr_sampling", "stderr_sampling"),
    ("stderr_noise", "stderr_noise"),
    ("at_risk", "at_risk"),
    ("at_risk_raw", "at_risk_raw"),
    ("reliable", "reliable"),
)


@dataclass(frozen=True, slots=True, eq=False)
class Curves:
    """The curves of all strata, with what they are.

    Attributes
    ----------
    kind
        What they show.
    by
        Names of the labels of each curve.
    start
        Time before the first bin, where survival is 1 and the others are 0.
    step
        Distance between two possible times, 0 if continuous.
    curves
        One per stratum (and cause).
    level, interval
        Confidence level and kind of the limits.
    noisy
        Whether the counts contain noise.
    """

    kind: Kind
    by: tuple[str, ...]
    start: float
    step: float
    curves: tuple[Curve, ...]
    level: float
    interval: Interval | NetInterval
    noisy: bool

    def __iter__(self) -> Iterator[Curve]:
        return iter(self.curves)

    def __len__(self) -> int:
        return len(self.curves)

    def __getitem__(self, labels: Label | tuple[Label, ...]) -> Curve:
        """Return the curve of a stratum by its label, or its labels in order; by position: ``curves.curves[0]``."""
        wanted = labels if isinstance(labels, tuple) else (labels,)
        for curve in self.curves:
            if curve.labels == wanted or (not curve.labels and labels == curve.name):
                return curve
        if isinstance(labels, int) and not isinstance(labels, bool):
            raise InvalidArgument("labels", "are of no curve here", f"By position: curves.curves[{labels}].")
        name = ", ".join(str(label) for label in wanted)
        raise InvalidArgument("labels", "are of no curve here", did_you_mean(name, [c.name for c in self]))

    def to_columns(self) -> Columns:
        """Return labels, ``time`` and all estimates as columns of equal length."""
        columns: Columns = {}
        for position, name in enumerate(self.by):
            labels = np.array([curve.labels[position] for curve in self], dtype=object)
            columns[name] = np.repeat(labels, len(self.curves[0].times))
        columns["time"] = np.concatenate([curve.times for curve in self])
        for column, attribute in _ARRAYS:
            columns[column] = np.concatenate([getattr(curve, attribute) for curve in self])
        return columns

    def to_frame(self) -> pd.DataFrame:
        """Return :meth:`to_columns` as a pandas data frame."""
        import pandas as pd

        return pd.DataFrame(self.to_columns())

    def plot(self, ax: Axes | None = None, *, at_risk: bool = True, raw: bool = False) -> Axes:
        """Draw the curves; see :func:`pets.epi.survival.view.plot`."""
        from pets.epi.survival.view import plot

        return plot(self, ax=ax, at_risk=at_risk, raw=raw)

    def _repr_html_(self) -> str:
        from pets.epi.survival.view import html

        return html(self)

    def __repr__(self) -> str:
        noise = "noise included" if self.noisy else "no noise"
        shape = f"{len(self)} x {len(self.curves[0].times)} bins"
        return f"<Curves of {self.kind}: {shape}, {100 * self.level:.4g} %, {noise}>"
