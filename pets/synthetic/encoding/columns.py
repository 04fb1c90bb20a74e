"""One coded column: how many codes it has, and what a code looks like when it is written out again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pets.csprng import RandomSource
from pets.domain import Attribute, Categorical, Date, Integer, Label, Numeric
from pets.domain.dates import text_of
from pets.synthetic.encoding.order import Since, limits, number_of
from pets.synthetic.engine.sampling import uniform

Codes = NDArray[np.int64]

DEFAULT_BINS = 32
"""Bins of a number for which none are declared."""

SAME = "the same"
"""Label of the code for 'stopped at the same moment as the clock before'."""


@dataclass(frozen=True)
class CodedColumn:
    """An attribute as codes.

    Attributes
    ----------
    name
        Name of the column.
    attribute
        What the domain declares, with bins; for a date that is counted from another, the time between them.
    after
        Names of the earlier clock and its event, if the column is coded as what follows them; see :class:`Survival`.
    since
        The date from which the column is counted, if it is.
    date
        What the domain declares about a date.
    """

    name: str
    attribute: Attribute
    after: tuple[str, str] | None = None
    since: Since | None = None
    date: Date | None = None

    @property
    def missing(self) -> bool:
        """Whether the last code stands for values that are not declared, such as missing ones."""
        return self.attribute.invalid == "category"

    @property
    def size(self) -> int:
        """Number of codes."""
        return len(self.attribute.key_labels) + (self.after is not None)

    @property
    def labels(self) -> tuple[Label, ...]:
        """What each code means."""
        return self.attribute.key_labels if self.after is None else (SAME, *self.attribute.key_labels)

    @property
    def ordered(self) -> bool:
        """Whether neighbouring codes are neighbouring numbers."""
        return not isinstance(self.attribute, Categorical)

    def after_codes(self, gap: NDArray[np.float64], together: NDArray[np.bool_]) -> Codes:
        """Return the codes of a clock that ran `gap` longer than the one before, or stopped `together` with it."""
        edges = np.array([float(e) for e in self._edges()])
        inner = edges[1:-1] - edges[0]
        return np.where(together, 0, 1 + np.searchsorted(inner, np.nan_to_num(gap), side="right")).astype(np.int64)

    def units(self, codes: Codes, source: RandomSource) -> tuple[Codes, NDArray[np.bool_]]:
        """Return whole multiples of the resolution, uniform within each code's bin, and which are missing."""
        low, high, absent = self.ranges(codes)
        return low + np.floor(uniform(codes.size, source) * (high - low + 1)).astype(np.int64), absent

    def ranges(self, codes: Codes) -> tuple[Codes, Codes, NDArray[np.bool_]]:
        """Return lowest and highest multiple of the resolution in each code's bin, and which are missing."""
        low, high = self._bounds()
        at = np.minimum(codes, len(low) - 1)
        return low[at], high[at] - 1, codes >= len(low)

    def gap_units(self, codes: Codes, source: RandomSource) -> tuple[Codes, NDArray[np.bool_]]:
        """Return how much longer than the clock before, in multiples of the resolution, and which are missing."""
        gap, absent = self.units(np.maximum(codes - 1, 0), source)
        return np.where(codes == 0, 0, gap - self._bounds()[0][0]), absent & (codes > 0)

    @property
    def limits(self) -> tuple[int, int]:
        """Bounds in multiples of the resolution."""
        return limits(self.attribute)

    @property
    def inner_edges(self) -> NDArray[np.float64]:
        """Edges between bins."""
        return np.array([float(edge) for edge in self._edges()[1:-1]], dtype=np.float64)

    def _edges(self) -> tuple[Any, ...]:
        number = number_of(self.attribute)
        if number.bins is not None:
            return number.bins
        assert isinstance(number, Integer)  # noqa: S101 a Numeric without bins has been given some
        return tuple(range(number.lower, number.upper + 2))

    def _bounds(self) -> tuple[Codes, Codes]:
        """Return first and one-past-last multiple of the resolution in each bin."""
        number = number_of(self.attribute)
        edges: Any = number.bin_units if isinstance(number, Numeric) else self._edges()
        edges = np.asarray(edges, dtype=np.int64)
        if number.bins is not None:
            edges = np.concatenate([edges[:-1], edges[-1:] + 1])  # the last bin holds its upper edge
        return edges[:-1], edges[1:]


def written(column: CodedColumn, units: Codes, absent: NDArray[np.bool_]) -> Any:
    """Return a pandas column of numbers or dates; its type follows from the declaration and never from the rows."""
    import pandas as pd

    if column.date is not None:
        return _dates(column.date, units, absent)
    attribute = column.attribute
    if isinstance(attribute, Numeric):
        values = units * float(attribute.resolution)
        return pd.array(np.where(absent, np.nan, values), dtype="float64")
    if not column.missing:
        return pd.array(units, dtype="int64")
    return pd.arrays.IntegerArray(units.astype(np.int64), absent.copy())


def _dates(date: Date, steps: Codes, absent: NDArray[np.bool_]) -> Any:
    """Return days as timestamps, and longer periods as texts."""
    import pandas as pd

    if date.resolution == "day":
        days = steps.astype("datetime64[D]")
        days[absent] = np.datetime64("NaT")
        return pd.array(days.astype("datetime64[s]"), dtype="datetime64[s]")
    distinct, places = np.unique(steps, return_inverse=True)
    texts = np.array([text_of(int(step), date.resolution) for step in distinct], dtype=object)[places]
    texts[absent] = None
    return texts


def labelled(column: CodedColumn, codes: Codes) -> Any:
    """Return a pandas column of categories, missing where the code is the last one of a column that may miss."""
    import pandas as pd

    labels = column.attribute.labels
    absent = codes >= len(labels)
    at = np.minimum(codes, len(labels) - 1)
    if isinstance(labels[0], bool):
        return pd.arrays.BooleanArray(np.array(labels, dtype=np.bool_)[at], absent)
    if isinstance(labels[0], int):
        whole = np.array(labels, dtype=np.int64)[at]
        return pd.arrays.IntegerArray(whole, absent) if column.missing else pd.array(whole, dtype="int64")
    texts = np.array(labels, dtype=object)[at]
    texts[absent] = None
    return texts
