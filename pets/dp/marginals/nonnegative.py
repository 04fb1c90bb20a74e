"""Counts that look like counts: a non-negative joint fit, beside the unbiased estimates and labelled as biased.

Setting each negative cell to 0 adds patients who do not exist: 0.425 for each empty cell of discrete Laplace noise at
epsilon 1, so some 2,100 in a table with 5,000 empty cells. The fit here keeps the unbiased total, so what is added to
empty cells is taken from the others; single cells are still biased, and intervals belong to the unbiased values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from pets.dp.arguments import release_argument
from pets.dp.marginals.same_rows import refuse_different_rows
from pets.errors import InvalidArgument, PairingRefused
from pets.query import Columns, Part
from pets.query.estimate import STRUCTURAL_ZERO, in_units
from pets.release import Release, same

MAX_CELLS = 2**21
"""Largest joint table that is fitted."""

FITTED = "fitted, biased"
"""Status of a fitted value."""

_STEPS = 2_000


@dataclass(frozen=True, eq=False)
class NonNegativeFit:
    """A non-negative table that is as near to all released tables as can be, and its margins.

    Attributes
    ----------
    release
        What was fitted: the unbiased values with their intervals.
    tables
        For each table of the release the fitted one, none negative, consistent with all others.
    """

    release: Release
    tables: tuple[NDArray[np.float64], ...]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, NonNegativeFit):
            return NotImplemented
        return self.release == other.release and same(self.tables, other.tables)

    def __hash__(self) -> int:
        return hash((self.release, tuple(table.tobytes() for table in self.tables)))

    def __repr__(self) -> str:
        shapes = ", ".join(" x ".join(str(n) for n in table.shape) or "total" for table in self.tables)
        return f"<NonNegativeFit (biased) beside {self.release!r}: {shapes}>"

    def to_columns(self, level: float = 0.95) -> Columns:
        """Return the release's columns with a column ``fitted`` beside ``value``, and the status of the fit."""
        columns = self.release.to_columns(level)
        status = np.where(columns["status"] == STRUCTURAL_ZERO, STRUCTURAL_ZERO, FITTED).astype(object)
        fitted = np.concatenate([table.reshape(-1) for table in self.tables])
        return columns | {"fitted": fitted, "fitted_status": status}


def fit_nonnegative(release: Release) -> NonNegativeFit:
    """Fit one non-negative table to all tables of counts of a release. Post-processing: it costs no budget.

    Minimises the squared distances from the released tables, each divided by its variance, over all joint tables that
    have no negative cell, respect structural zeros and have the unbiased total (accelerated projected gradient).

    Parameters
    ----------
    release
        Counts or marginals with noise.

    Raises
    ------
    PairingRefused
        A table is not one of counts, or hides cells, or the tables count different rows.
    InvalidArgument
        The joint table has more than :data:`MAX_CELLS` cells.

    References
    ----------
    Beck and Teboulle, *A fast iterative shrinkage-thresholding algorithm*, SIAM J. Imaging Sci. 2009. Li, Miklau, Hay,
    McGregor and Rastogi, *The matrix mechanism*, VLDB J. 2015, section 7 (non-negative least squares).
    """
    parts = release_argument(release).parts
    if any(p.block.measure != "count" or p.block.unit != 1 for p in parts) or any(
        p.suppressed is not None for p in parts
    ):
        raise PairingRefused("only tables of counts without hidden cells can be fitted")
    refuse_different_rows(release.query)
    names = tuple(dict.fromkeys(axis.name for part in parts for axis in part.block.axes))
    sizes = {axis.name: len(axis) for part in parts for axis in part.block.axes}
    shape = tuple(sizes[name] for name in names)
    if prod(shape) > MAX_CELLS:
        raise InvalidArgument("release", f"needs a joint table of more than {MAX_CELLS:,} cells", "Fit fewer tables.")
    targets = [_Target(part, names) for part in parts]
    free = _free(parts, names, shape)
    total = max(0.0, _total(targets))
    fitted = _descend(targets, shape, free, total)
    tables = tuple(_to_block(t, t.margin(fitted)) for t in targets)
    return NonNegativeFit(release, tables)


class _Target:
    """One released table as a target: its axes among `names`, values and weight."""

    def __init__(self, part: Part, names: Sequence[str]) -> None:
        own = [axis.name for axis in part.block.axes]
        self.part = part
        self.order = [own.index(name) for name in names if name in own]
        self.others = tuple(i for i, name in enumerate(names) if name not in own)
        self.values = np.asarray(in_units(part.counts().transpose(self.order), part.block.unit))
        self.weight = 1.0 / max(part.law.variance, 1e-12)

    def margin(self, table: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(table.sum(axis=self.others))

    def spread(self, margin: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.expand_dims(margin, self.others)


def _to_block(target: _Target, table: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(table.transpose(np.argsort(target.order)))


def _free(parts: Sequence[Part], names: Sequence[str], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    free = np.ones(shape, dtype=np.bool_)
    for part in parts:
        if part.block.impossible is not None:
            target = _Target(part, names)
            possible = ~part.block.impossible.reshape(part.block.shape).transpose(target.order)
            free &= np.expand_dims(possible, target.others)
    return free


def _total(targets: Sequence[_Target]) -> float:
    """Return the total from the table whose sum has the least variance if its cells were independent."""
    best = min(targets, key=lambda t: t.values.size / t.weight)
    return float(best.values.sum())


def _descend(
    targets: Sequence[_Target], shape: tuple[int, ...], free: NDArray[np.bool_], total: float
) -> NDArray[np.float64]:
    slope = sum(t.weight * prod(shape) / max(t.values.size, 1) for t in targets)
    now = np.where(free, total / max(int(free.sum()), 1), 0.0)
    ahead, momentum = now, 1.0
    for _ in range(_STEPS):
        gradient = np.zeros(shape)
        for target in targets:
            gradient += target.spread(target.weight * (target.margin(ahead) - target.values))
        new = _on_simplex(ahead - gradient / slope, free, total)
        following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        ahead = new + (momentum - 1) / following * (new - now)
        moved = float(np.abs(new - now).max(initial=0.0))
        now, momentum = new, following
        if moved < 1e-9 * max(1.0, total):
            break
    return now


def _on_simplex(point: NDArray[np.float64], free: NDArray[np.bool_], total: float) -> NDArray[np.float64]:
    """Return the nearest point without negative cells, with zeros outside `free`, and with this total."""
    values = np.sort(point[free])[::-1]
    if not len(values) or total <= 0:
        return np.zeros_like(point)
    over = (np.cumsum(values) - total) / np.arange(1, len(values) + 1)
    shift = over[np.flatnonzero(values > over)[-1]]
    return np.where(free, np.maximum(point - shift, 0.0), 0.0)
