"""What a measure of fidelity is: it knows the real rows, and scores any other rows by their distance from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from pets.synthetic.fidelity.rows import Rows

Better = Literal["smaller", "larger"]


class NotComputableError(Exception):
    """A measure has no value on these rows; the text says why and holds no value of a row."""


@dataclass(frozen=True)
class Line:
    """One number of a measure.

    Attributes
    ----------
    metric, target
        What is measured, and of what.
    better
        Which direction is better.
    comparable
        Whether a real sample of another size could score the same. No sample of real rows invents anything.
    """

    metric: str
    target: str
    better: Better = "smaller"
    comparable: bool = True


class Metric(Protocol):
    """A measure of some lines."""

    @property
    def lines(self) -> tuple[Line, ...]:
        """What it measures."""
        ...

    @property
    def pool(self) -> NDArray[np.int64] | None:
        """The real rows that resamples may be drawn from, if not all."""
        ...

    def scores(self, rows: Rows) -> Mapping[Line, float]:
        """Return one number for each line.

        Raises
        ------
        NotComputableError
            They have no value on these rows.
        """
        ...
