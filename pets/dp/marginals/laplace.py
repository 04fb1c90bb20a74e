"""Tables with margins under pure differential privacy: Laplace noise on some tables, least squares over all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pets.dp.additive import known_engine
from pets.dp.engines import NoiseEngine, engine
from pets.dp.marginals.laplace_plan import dropped_scales, laplace_plan, places_of, source_of
from pets.dp.marginals.measure import assemble
from pets.dp.marginals.residual import margins_argument, names_of, numbers_argument
from pets.dp.marginals.workload import Subset
from pets.error_model import ErrorModel
from pets.exact import Number, as_text, positive
from pets.guarantee import PureDP
from pets.noise import DiscreteLaplaceLaw, NoiseLaw, NoNoise
from pets.query import Block, BoundQuery, Estimated
from pets.query.layout import split
from pets.query.least_squares import LeastSquaresDesign, subsets
from pets.release import Release
from pets.tally import Tally

_LARGEST = 2**61


@dataclass(frozen=True, init=False)
class LaplacePlanner:
    """Tables of counts and their margins, consistent and unbiased, under pure differential privacy.

    Measures some of the tables and their margins, each with its own share of epsilon, and puts all tables together by
    generalised least squares: what several of them say about a margin is averaged by its precision. Margins add up
    exactly; the variance of each cell is known in closed form before anything is run.

    Parameters
    ----------
    epsilon
        Privacy loss of the whole release, above 0; read as an exact decimal.
    margins
        Tables beyond those of the query to be accurate in, which :meth:`pets.Release.margin` then gives: ``'none'``,
        ``'all'`` or a list of lists of attribute names.
    weights
        Importance of each table, in the order of the query's tables (then of `margins`); equal when left out.
    engine
        ``'pets'`` or ``'opendp'``.

    Raises
    ------
    InvalidArgument
        A setting has the wrong form.

    Guarantee
    ---------
    Pure epsilon-differential privacy for the privacy unit and neighbouring relation of the query's domain. Each
    measured table is an integer vector of exact L1 sensitivity L with discrete Laplace noise of scale L / epsilon_T;
    the epsilon_T, exact rationals, add up to at most epsilon. All that is published is a function of these tables.

    Notes
    -----
    *Rows that fit no cell.* As in :class:`~pets.dp.marginals.ResidualPlanner`, all tables must count the same rows, and
    the number of rows left out is measured beside one of the tables. Structural zeros are published as 0; sums over
    them differ from the margin by their noise.

    *Which one.* For one table it is :class:`~pets.dp.DiscreteLaplace`. For several tables under zero-concentrated or
    approximate DP the residual planner is more exact.

    References
    ----------
    Dwork, McSherry, Nissim and Smith, *Calibrating noise to sensitivity in private data analysis*, TCC 2006. For the
    estimate: :mod:`pets.query.least_squares`.
    """

    kind: ClassVar[str] = "laplace_planner"
    epsilon: Fraction
    margins: str | tuple[tuple[str, ...], ...]
    weights: tuple[Fraction, ...]
    engine: str

    def __init__(
        self,
        epsilon: Number,
        margins: str | Sequence[Sequence[str]] = "none",
        weights: Sequence[Number] = (),
        engine: str = "pets",
    ) -> None:
        object.__setattr__(self, "epsilon", positive(epsilon, "epsilon"))
        object.__setattr__(self, "margins", margins_argument(margins))
        object.__setattr__(self, "weights", numbers_argument(weights, "weights"))
        object.__setattr__(self, "engine", known_engine(engine))

    def plan(self, query: BoundQuery) -> LeastSquaresDesign:
        """Return what will be measured, with the noise of each table. No row is read.

        Raises
        ------
        PairingRefused
            The query is no table of counts, or its tables count different rows.
        InvalidArgument
            A setting does not fit the query.
        """
        return laplace_plan(query, self.epsilon, self.margins, self.weights)

    def guarantee(self, query: BoundQuery) -> PureDP:
        """Return epsilon under the domain's privacy unit."""
        self.plan(query)
        return PureDP(self.epsilon, unit=query.domain.unit)

    def error(self, query: BoundQuery) -> ErrorModel:
        """Return the exact law of the error of each table's cells."""
        design = self.plan(query)
        return ErrorModel(query, tuple(design.laws(names_of(block))[0][0] for block in query.blocks))

    def release(self, total: Tally, query: BoundQuery) -> Release:
        """Return unbiased, consistent estimates of all tables.

        Raises
        ------
        IncompatibleTallies
            `total` answers another question.
        """
        design = self.plan(query)
        blocks = tuple(split(query.check(total), query.blocks))
        source, places = engine(self.engine), places_of(query)
        noisy, dropped = {}, {}
        for table, scale in design.scales:
            block = source_of(places, table)
            exact = margin(query.blocks[block], blocks[block], [design.names[i] for i in table])
            noisy[table] = _with_noise(exact, scale, source)
        for block, scale in dropped_scales(query, design).items():
            dropped[block] = int(_with_noise(blocks[block][-1:], scale, source)[0]), DiscreteLaplaceLaw(scale)
        residuals = average(design, noisy)
        parts = tuple(
            _part(query, block, design, _table(design, names_of(block), noisy, residuals), dropped)
            for block in query.blocks
        )
        return Release(query, parts, (self.guarantee(query),))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, without what was left out."""
        margins = self.margins if isinstance(self.margins, str) else [list(by) for by in self.margins]
        fields = {"margins": margins, "weights": [as_text(w) for w in self.weights], "engine": self.engine}
        usual = {"margins": "none", "engine": "pets", "weights": []}
        kept = {key: value for key, value in fields.items() if usual.get(key) != value}
        return {"type": self.kind, "epsilon": as_text(self.epsilon)} | kept


def margin(layout: Block, values: NDArray[np.int64], wanted: Sequence[str]) -> NDArray[np.int64]:
    """Return the exact margin of a block over some attributes, its axes in their order."""
    names = names_of(layout)
    summed = values[: layout.cells].reshape(layout.shape)
    summed = summed.sum(axis=tuple(i for i, name in enumerate(names) if name not in wanted), dtype=np.int64)
    left = [name for name in names if name in wanted]
    return np.asarray(summed.transpose([left.index(name) for name in wanted]))


def average(design: LeastSquaresDesign, noisy: Mapping[Subset, NDArray[np.int64]]) -> dict[Subset, NDArray[np.float64]]:
    """Return the least-squares estimate of each residual from noisy tables; see :mod:`pets.query.least_squares`."""
    found: dict[Subset, NDArray[np.float64]] = {}
    for table, values in noisy.items():
        told = _residuals(table, values.astype(np.float64))
        for axes, residual in told.items():
            share = design.shares.get(axes, {}).get(table, 0.0)
            if share:
                found[axes] = found.get(axes, 0.0) + share * residual
    return found


def _residuals(table: Subset, values: NDArray[np.float64]) -> dict[Subset, NDArray[np.float64]]:
    """Return the centred margin over each subset of a table's axes: one axis after the other is summed or centred."""
    found: dict[Subset, NDArray[np.float64]] = {(): values}
    for axis in table:
        after: dict[Subset, NDArray[np.float64]] = {}
        for axes, partial in found.items():  # the next axis stands first; a centred one goes to the end
            summed = partial.sum(axis=0)
            after[axes] = summed
            after[(*axes, axis)] = np.moveaxis(partial - summed / len(partial), 0, -1)
        found = after
    return found


def _with_noise(exact: NDArray[np.int64], scale: Fraction, source: NoiseEngine) -> NDArray[np.int64]:
    noise = source.discrete_laplace(scale, exact.size).reshape(exact.shape)
    # Samplers saturate beyond 2**62: what is used is a function of the unbounded mechanism's output.
    return np.asarray(np.clip(np.clip(exact, -_LARGEST, _LARGEST) + noise, -_LARGEST, _LARGEST))


def _table(
    design: LeastSquaresDesign,
    names: Sequence[str],
    noisy: Mapping[Subset, NDArray[np.int64]],
    residuals: Mapping[Subset, NDArray[np.float64]],
) -> NDArray[np.float64]:
    """Return one estimated table, its axes in the order of `names`."""
    places = [design.names.index(name) for name in names]
    subset = tuple(sorted(places))
    tables = {table for axes in subsets(subset) for table in design.shares[axes]}
    if len(tables) == 1:  # nothing is averaged: the sums of one noisy table are whole numbers
        (only,) = tables
        whole = noisy[only].sum(axis=tuple(k for k, i in enumerate(only) if i not in subset))
        found = np.asarray(whole, dtype=np.float64)
    else:
        found = assemble(subset, residuals, design.trees)
    return found.transpose([subset.index(i) for i in places])


def _part(
    query: BoundQuery,
    block: Block,
    design: LeastSquaresDesign,
    table: NDArray[np.float64],
    dropped: Mapping[int, tuple[int, NoiseLaw]],
) -> Estimated:
    values = np.zeros(block.size)
    values[: block.cells] = table.reshape(-1)
    if block.impossible is not None:
        values[: block.cells][block.impossible] = 0.0
    law: NoiseLaw = NoNoise()
    if block.counts_dropped:
        places = tuple(sorted(design.names.index(name) for name in names_of(block)))
        values[-1], law = dropped[source_of(places_of(query), places)]
    return Estimated(block, values, design, law)
