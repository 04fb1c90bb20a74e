"""Repeat the experiment: release after release of two neighbouring tallies, reduced to counts of outcomes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pets.dp.auditing.bounds import Pair
from pets.dp.auditing.coding import Coder, Lanes
from pets.dp.auditing.neighbours import Experiment
from pets.errors import InvalidArgument
from pets.release import Release
from pets.roles import Mechanism
from pets.tally import Tally

_HIDDEN = -(2**61) - 1
"""Stands for a cell that was not published: an outcome like any other."""

_SLICE = 2**18
"""Draws that are coded at a time."""


@dataclass(frozen=True)
class Sample:
    """Counts of outcomes under either data set: to sort outcomes by, to choose an event on, and to test it on."""

    ordered_on: Pair
    chosen_on: Pair
    tested_on: Pair


def sample(mechanism: Mechanism, experiment: Experiment, draws: int) -> Sample:
    """Return counts of `draws` outcomes of each data set.

    A twentieth of them (of few draws a fifth) is to sort by, and another to choose on. A hundredth (500 to 50,000)
    comes before, to fix what counts as one outcome.
    """
    pilot = min(max(draws // 100, 500), 50_000)
    coder = Coder.of(*(_some(mechanism, experiment, tally, pilot) for tally in (experiment.first, experiment.second)))
    few = max(draws // 20, min(draws // 5, 5_000))
    return Sample(
        *(
            (
                _counts(coder, mechanism, experiment, experiment.first, part),
                _counts(coder, mechanism, experiment, experiment.second, part),
            )
            for part in (few, few, draws - 2 * few)
        )
    )


def _counts(coder: Coder, mechanism: Mechanism, experiment: Experiment, tally: Tally, draws: int) -> NDArray[np.int64]:
    total = np.zeros(coder.codes, dtype=np.int64)
    for lanes in _batches(mechanism, experiment, tally, draws):
        total += coder.count(lanes)
    return total


def _some(mechanism: Mechanism, experiment: Experiment, tally: Tally, draws: int) -> Lanes:
    return np.concatenate(list(_batches(mechanism, experiment, tally, draws)))


def _batches(mechanism: Mechanism, experiment: Experiment, tally: Tally, draws: int) -> Iterator[Lanes]:
    """Yield exactly `draws` outcomes of independent releases of one tally."""
    lanes = len(experiment.cells)
    # The cells of lanes lie side by side from the start of the tally, so that a view serves; else they are picked.
    in_order = np.array_equal(experiment.cells.ravel(), np.arange(experiment.cells.size))
    held: list[Lanes] = []
    for start in range(0, draws, lanes):
        values = _published(mechanism.release(tally, experiment.query))
        picked = values[: experiment.cells.size].reshape(lanes, -1) if in_order else values[experiment.cells]
        held.append(picked[: draws - start])
        if lanes * len(held) >= _SLICE or start + lanes >= draws:
            yield np.concatenate(held) if len(held) > 1 else held[0]
            held = []


def _published(release: Release) -> NDArray[np.int64]:
    if not isinstance(release, Release):
        raise InvalidArgument("mechanism", "must give a pets.Release", "See pets.Mechanism.release.")
    parts = [
        _whole(part.values) if part.suppressed is None else np.where(part.suppressed, _HIDDEN, _whole(part.values))
        for part in release.parts
    ]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _whole(values: NDArray[Any]) -> NDArray[np.int64]:
    """Return integers; of estimates with fractions these are cut off, which is post-processing."""
    return values if values.dtype == np.int64 else np.floor(values).astype(np.int64)
