"""A plan: how much noise each component gets, certified in exact arithmetic to cost no more than promised."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import ceil, prod

import numpy as np
from numpy.typing import NDArray

from pets.dp.additive import drawable
from pets.dp.marginals.allocation import least_maximum, least_sum
from pets.dp.marginals.loss import cells_loss, entering_loss, rows, worst
from pets.dp.marginals.workload import Workload, plan_workload
from pets.errors import PetsError
from pets.exact import isqrt_up
from pets.privacy_unit import PrivacyUnit
from pets.query import BoundQuery
from pets.query.designs import Design, Levels

_BITS = 40
"""Precision of the noise parameters; rounding up costs a relative 2**-40 of the variance."""


@dataclass(frozen=True)
class Plan:
    """What is measured and how exactly.

    Attributes
    ----------
    workload
        The tables.
    design
        Noise of each component.
    dropped
        For each block that components are measured from and that has a cell of dropped rows, the parameter of that
        cell's noise.
    rho
        Exact loss, at most what was asked for.
    """

    workload: Workload
    design: Design
    dropped: tuple[tuple[int, Fraction], ...]
    rho: Fraction

    def table_variances(self) -> tuple[float, ...]:
        """Return the mean variance of each table of the workload, before anything is run.

        With a hierarchy it is the mean over labels and groups, along an ordered axis over all prefixes.
        """
        x = np.array([self.design.variances[levels] for levels, _ in self.workload.components()])
        return tuple((self.workload.table_reads() @ x).tolist())


def make_plan(
    query: BoundQuery,
    rho: Fraction,
    objective: str = "mean",
    margins: str | Sequence[Sequence[str]] = "none",
    weights: Sequence[float] = (),
    hierarchies: Mapping[str, Sequence[str]] | None = None,
    ranges: Sequence[str] = (),
) -> Plan:
    """Return the plan of least error at a loss of `rho`; see :class:`~pets.dp.marginals.ResidualPlanner`."""
    workload = plan_workload(query, margins, weights, hierarchies or {}, ranges)
    unit = query.domain.unit
    components = workload.components()
    losses = np.array([float(_worst(workload, levels, block, unit, query)) for levels, block in components])
    wanted = _allocate(workload, losses, objective)
    base = 1 / (2 * float(rho)) * rows(unit) ** 2
    # The losses of one block's components need not be worst for the same change: the true loss is found exactly,
    # and the noise made smaller by what is left.
    first = _round(workload, wanted * base)
    factor = float(_loss(workload, query, first)[0] / rho)
    sigma2 = _round(workload, wanted * base * factor * (1 + 1e-11))
    exact, dropped = _loss(workload, query, sigma2)
    if exact > rho:
        raise PetsError("the plan's exact loss exceeds what was asked for")
    for s in sigma2:
        drawable(isqrt_up(s), "rho")
    names = tuple(axis.name for axis in workload.axes)
    noise = tuple((levels, s) for (levels, _), s in zip(components, sigma2, strict=True))
    return Plan(workload, Design(names, workload.trees, noise), dropped, exact)


def _used(workload: Workload, query: BoundQuery, block: int) -> list[int]:
    names = [axis.name for axis in workload.axes]
    return [names.index(axis.name) for axis in query.blocks[block].axes]


def _worst(workload: Workload, levels: Levels, block: int, unit: PrivacyUnit, query: BoundQuery) -> Fraction:
    return worst(workload.trees, _used(workload, query, block), levels, unit)


def _allocate(workload: Workload, losses: NDArray[np.float64], objective: str) -> NDArray[np.float64]:
    """Return variances at a unit budget; components that are always zero (an axis of one label) get a unit."""
    tables = workload.table_reads()
    real = (losses > 0) & (tables.max(axis=0) > 0)
    found = np.ones(len(losses))
    weights = np.array(workload.weights)
    if objective == "max":
        found[real] = least_maximum(losses[real], weights[:, None] * tables[:, real])
    else:
        found[real] = least_sum(losses[real], weights @ tables[:, real])
    return found


def _round(workload: Workload, variances: NDArray[np.float64]) -> list[Fraction]:
    """Return the parameters of the scaled noise, rounded up to short binary fractions."""
    rounded = []
    for (levels, _), x in zip(workload.components(), variances.tolist(), strict=True):
        scaled = Fraction(x) * _scale(workload, levels) ** 2
        shift = max(0, _BITS - (scaled.numerator.bit_length() - scaled.denominator.bit_length()))
        rounded.append(Fraction(ceil(scaled * 2**shift), 2**shift))
    return rounded


def _scale(workload: Workload, levels: Levels) -> int:
    return prod(tree.levels[i - 1].scale for tree, i in zip(workload.trees, levels, strict=True) if i)


def _loss(
    workload: Workload, query: BoundQuery, sigma2: Sequence[Fraction]
) -> tuple[Fraction, tuple[tuple[int, Fraction], ...]]:
    """Return the exact loss of all blocks together, and the noise of their cells of dropped rows.

    A row adds either to a block's cells or to its cell of dropped rows. Under add/remove that cell may therefore cost
    as much as all components measured from the block, for nothing.
    """
    unit = query.domain.unit
    parts: dict[int, list[tuple[Levels, Fraction]]] = {}
    for (levels, block), s in zip(workload.components(), sigma2, strict=True):
        parts.setdefault(block, []).append((levels, Fraction(_scale(workload, levels) ** 2) / s))
    total, dropped = Fraction(0), []
    for block, precisions in sorted(parts.items()):
        cells = cells_loss(workload.trees, _used(workload, query, block), precisions, unit)
        if query.blocks[block].counts_dropped:
            entering = entering_loss(workload.trees, precisions, unit)
            spare = cells if unit.neighbours == "add_remove" else max(cells - entering, entering / 4)
            dropped.append((block, Fraction(rows(unit) ** 2, 2) / spare))
            # A row of one cell may be exchanged for a dropped one; alone, either costs less.
            cells = cells if unit.neighbours == "add_remove" else max(cells, entering + spare)
        total += cells
    return total, tuple(dropped)


@lru_cache(maxsize=256)
def cached_plan(query: BoundQuery, rho: Fraction, settings: tuple[object, ...]) -> Plan:
    """Return :func:`make_plan` from hashable settings; a plan depends on public facts only."""
    objective, margins, weights, hierarchies, ranges = settings
    return make_plan(query, rho, objective, margins, weights, dict(hierarchies), ranges)  # type: ignore[call-overload, arg-type]
