"""The residual planner: all margins of a table from one set of measurements, with the least variance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from pets.dp.additive import known_engine
from pets.dp.engines import NoiseEngine, engine
from pets.dp.marginals.measure import assemble, measure
from pets.dp.marginals.plan import Plan, cached_plan
from pets.dp.marginals.workload import Subset
from pets.error_model import ErrorModel
from pets.errors import InvalidArgument
from pets.exact import Number, as_text, positive
from pets.guarantee import ZeroConcentratedDP
from pets.noise import DiscreteGaussianLaw, NoiseLaw, NoNoise
from pets.query import Block, BoundQuery, Estimated
from pets.query.layout import split
from pets.release import Release
from pets.tally import Tally

_MARGINS = "must be 'none', 'all' or a list of lists of attribute names"


@dataclass(frozen=True, init=False)
class ResidualPlanner:
    """Tables of counts and their margins, consistent, unbiased, and of least variance for their budget.

    Measures the *residuals* of each margin (what it says beyond its own margins), each once, with just as much discrete
    Gaussian noise as minimises the error of all requested tables together, and puts every table together from them.
    Margins add up exactly; the variance of each cell is known in closed form before anything is run.

    Parameters
    ----------
    rho
        Privacy loss of the whole release in zero-concentrated DP, above 0; read as an exact decimal.
    objective
        ``'mean'``: least sum over tables of the weighted mean variance of a cell. ``'max'``: least largest one.
    margins
        Tables beyond those of the query to be accurate in, which :meth:`pets.Release.margin` then gives: ``'none'``,
        ``'all'`` or a list of lists of attribute names.
    weights
        Importance of each table, in the order of the query's tables (then of `margins`); equal when left out.
    hierarchies
        For some attributes the levels of their hierarchy (e.g. ``{"diagnosis": ["main"]}``) whose groups shall be
        accurate too; see :func:`~pets.dp.marginals.total_of`.
    ranges
        Ordered attributes (years, ages) of which sums over runs of labels shall be accurate. They are measured along a
        tree, of the branching that suits their length best.
    engine
        ``'pets'`` or ``'opendp'``.

    Raises
    ------
    InvalidArgument
        A setting has the wrong form.

    Guarantee
    ---------
    rho-zero-concentrated differential privacy for the privacy unit and neighbouring relation of the query's domain. The
    residuals are multiplied to be whole numbers, so all noise is on the integers; the sum of the exact losses of the
    components, maximised over the change that one unit can make, is computed in rational arithmetic and is at most rho.
    Derivation: :mod:`pets.dp.marginals.loss`. All that is published is a function of the noisy residuals.

    Notes
    -----
    *What whole numbers cost.* Nothing in privacy: the scale multiplies sensitivity and noise alike. Nothing in
    accuracy: noise orthogonal to the residuals is projected away, as in the continuous mechanism, and the variance of
    the discrete law never exceeds its parameter. In range: a component of a table with n cells needs noise n times as
    wide.

    *Rows that fit no cell.* A row left out of a table is left out of the margins of that table too, and the number of
    rows left out is measured beside it. Several tables are put together only if they all count the same rows: where an
    attribute of some of them leaves out rows (``invalid='drop'``, the default, or ``'clamp'``), or a structural zero
    does, the query is refused. Declare ``invalid='error'`` or ``'category'``, or ask for one table with its margins.
    Structural zeros are published as 0; sums over them differ from the margin by their noise.

    References
    ----------
    Xiao, He, Zhang and Kifer, *An optimal and scalable matrix mechanism for noisy marginals under convex loss
    functions*, NeurIPS 2023, theorems 3 to 5. Canonne, Kamath and Steinke, *The discrete Gaussian for differential
    privacy*, NeurIPS 2020, theorem 4. Bun and Steinke, *Concentrated differential privacy*, TCC 2016, lemma 1.7.
    """

    kind: ClassVar[str] = "residual_planner"
    rho: Fraction
    objective: str
    margins: str | tuple[tuple[str, ...], ...]
    weights: tuple[Fraction, ...]
    hierarchies: tuple[tuple[str, tuple[str, ...]], ...]
    ranges: tuple[str, ...]
    engine: str

    def __init__(
        self,
        rho: Number,
        objective: str = "mean",
        margins: str | Sequence[Sequence[str]] = "none",
        weights: Sequence[Number] = (),
        hierarchies: Mapping[str, Sequence[str]] | None = None,
        ranges: Sequence[str] = (),
        engine: str = "pets",
    ) -> None:
        if objective not in ("mean", "max"):
            raise InvalidArgument("objective", "must be 'mean' or 'max'")
        object.__setattr__(self, "rho", positive(rho, "rho"))
        object.__setattr__(self, "objective", objective)
        object.__setattr__(self, "margins", margins_argument(margins))
        object.__setattr__(self, "weights", numbers_argument(weights, "weights"))
        object.__setattr__(self, "hierarchies", _hierarchies(hierarchies))
        object.__setattr__(self, "ranges", _names(ranges, "ranges"))
        object.__setattr__(self, "engine", known_engine(engine))
        both = [name for name, _ in self.hierarchies if name in self.ranges]
        if both:
            raise InvalidArgument("ranges", f"names {both[0]!r}, which has a hierarchy", "Choose one of the two.")

    def plan(self, query: BoundQuery) -> Plan:
        """Return what will be measured and the predicted variance of each table. No row is read.

        Raises
        ------
        PairingRefused
            The query is no table of counts, or its tables count different rows.
        InvalidArgument
            A setting does not fit the query.
        """
        settings = (self.objective, self.margins, tuple(map(float, self.weights)), self.hierarchies, self.ranges)
        return cached_plan(query, self.rho, settings)

    def guarantee(self, query: BoundQuery) -> ZeroConcentratedDP:
        """Return rho under the domain's privacy unit."""
        self.plan(query)
        return ZeroConcentratedDP(self.rho, unit=query.domain.unit)

    def error(self, query: BoundQuery) -> ErrorModel:
        """Return the exact law of the error of each table's cells (where they differ, the one of largest variance)."""
        design = self.plan(query).design
        return ErrorModel(query, tuple(_widest(design.laws(names_of(block))[0]) for block in query.blocks))

    def release(self, total: Tally, query: BoundQuery) -> Release:
        """Return unbiased, consistent estimates of all tables.

        Raises
        ------
        IncompatibleTallies
            `total` answers another question.
        """
        plan = self.plan(query)
        blocks = tuple(split(query.check(total), query.blocks))
        source = engine(self.engine)
        contrasts = {
            subset: measure(_margin(query, plan, blocks, subset, block), subset, plan.design, source)
            for subset, block in plan.workload.sources
        }
        dropped = {block: _dropped(int(blocks[block][-1]), s, source) for block, s in plan.dropped}
        parts = tuple(_part(query, plan, index, contrasts, dropped) for index in range(len(blocks)))
        return Release(query, parts, (self.guarantee(query),))

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, without what was left out."""
        margins = self.margins if isinstance(self.margins, str) else [list(by) for by in self.margins]
        fields: dict[str, Any] = {
            "objective": self.objective, "margins": margins, "weights": [as_text(w) for w in self.weights],
            "hierarchies": {name: list(levels) for name, levels in self.hierarchies}, "ranges": list(self.ranges),
            "engine": self.engine,
        }  # fmt: skip
        usual = {"objective": "mean", "margins": "none", "engine": "pets"}
        kept = {key: value for key, value in fields.items() if value not in ([], {}) and usual.get(key) != value}
        return {"type": self.kind, "rho": as_text(self.rho)} | kept


def _widest(laws: Sequence[NoiseLaw]) -> NoiseLaw:
    return max(laws, key=lambda law: law.variance)


def names_of(block: Block) -> tuple[str, ...]:
    """Return the attributes of a block, in its order."""
    return tuple(axis.name for axis in block.axes)


def _margin(
    query: BoundQuery, plan: Plan, tables: Sequence[NDArray[np.int64]], subset: Subset, block: int
) -> NDArray[np.int64]:
    """Return the exact margin of a block over the axes of `subset`, in ascending order."""
    layout = query.blocks[block]
    wanted = [plan.workload.axes[i].name for i in subset]
    names = names_of(layout)
    summed = tables[block][: layout.cells].reshape(layout.shape)
    summed = summed.sum(axis=tuple(i for i, name in enumerate(names) if name not in wanted), dtype=np.int64)
    left = [name for name in names if name in wanted]
    return np.asarray(summed.transpose([left.index(name) for name in wanted]))


def _dropped(number: int, sigma2: Fraction, source: NoiseEngine) -> tuple[float, NoiseLaw]:
    return float(number + int(source.discrete_gaussian(sigma2, 1)[0])), DiscreteGaussianLaw(sigma2)


def _part(
    query: BoundQuery, plan: Plan, index: int, contrasts: Any, dropped: Mapping[int, tuple[float, NoiseLaw]]
) -> Estimated:
    block, axes = query.blocks[index], [axis.name for axis in plan.workload.axes]
    places = [axes.index(name) for name in names_of(block)]
    subset = tuple(sorted(places))
    table = assemble(subset, contrasts, plan.design.trees).transpose([subset.index(i) for i in places])
    values = np.zeros(block.size)
    values[: block.cells] = table.reshape(-1)
    if block.impossible is not None:
        values[: block.cells][block.impossible] = 0.0
    law: NoiseLaw = NoNoise()
    if block.counts_dropped:
        values[-1], law = dropped[dict(plan.workload.sources)[subset]]
    return Estimated(block, values, plan.design, law)


def _list(value: object, argument: str) -> Sequence[Any]:
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise InvalidArgument(argument, "must be a list")
    return value


def numbers_argument(value: object, argument: str) -> tuple[Fraction, ...]:
    """Return a list of exact numbers above 0."""
    return tuple(positive(number, argument) for number in _list(value, argument))


def _names(value: object, argument: str) -> tuple[str, ...]:
    names = _list(value, argument)
    if not all(isinstance(name, str) and name for name in names):
        raise InvalidArgument(argument, "must be a list of names")
    return tuple(dict.fromkeys(names))


def margins_argument(value: object) -> str | tuple[tuple[str, ...], ...]:
    """Return the setting `margins` after checking its form."""
    if isinstance(value, str):
        if value not in ("none", "all"):
            raise InvalidArgument("margins", _MARGINS)
        return value
    return tuple(_names(by, "margins") for by in _list(value, "margins"))


def _hierarchies(value: object) -> tuple[tuple[str, tuple[str, ...]], ...]:
    if value is None:
        return ()
    if not isinstance(value, Mapping):
        raise InvalidArgument("hierarchies", "must map attribute names to lists of levels")
    return tuple((str(name), _names(levels, f"hierarchies.{name}")) for name, levels in sorted(value.items()))
