"""MST: a tree of pairs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import ClassVar

import numpy as np

from pets.synthetic.budget import Budget
from pets.synthetic.encoding import Encoding
from pets.synthetic.engine.factors import Axes, aligned
from pets.synthetic.fitting import Fitting
from pets.synthetic.plan import Plan, Shares, checked_workload, clock_tables, make_plan, strata_tables
from pets.synthetic.run import Tuning, affordable, closure, measure_first
from pets.synthetic.synthesizer import Synthesizer

_SHARES = Shares(first=0.2, clocks=0.2, strata=0.3, choices=0.05, tables=0.25)
_ALONE = Shares(first=0.3, clocks=0.0, strata=0.0, choices=0.15, tables=0.55)
_TUNING = Tuning(grouping=1.0)


@dataclass(frozen=True, init=False)
class MST(Synthesizer):
    """A tree of pairs of columns: those which depend on each other most. Arguments as for :class:`Synthesizer`.

    One pair at a time is chosen, by an exact exponential mechanism, among those that link parts of the tree that are
    not yet linked; then all are measured at once. A time and its event are linked from the start. Quick, and better
    than AIM where n times epsilon is small; more budget does not make it better once the pairs are known.

    References
    ----------
    McKenna, Miklau, Sheldon, *Winning the NIST contest: a scalable and general approach to differentially private
    synthetic data*, JPC 2021.

    Examples
    --------
    >>> import pets
    >>> domain = pets.Domain(sex=["female", "male"], stage=["I", "II", "III", "IV"])
    >>> MST(epsilon=1, rows=500).predicted_error(domain).rounds[0] < 10
    True
    """

    kind: ClassVar[str] = "mst"

    def plan(self, encoding: Encoding, budget: Budget, rows: int) -> Plan:
        """Return first tables, and a round for each link."""
        checked_workload(encoding, self.workload)
        links = len(set(linked(encoding).values())) - 1
        shares = _SHARES if encoding.survival else _ALONE
        return make_plan(encoding, budget, shares, (links,) if links > 0 else (), 1.0, rows)

    def run(self, fitting: Fitting, plan: Plan) -> None:
        """Measure the columns, choose the links, measure them."""
        measure_first(fitting, plan, _TUNING)
        if plan.levels:
            self._link(fitting, plan)
        fitting.fit(_TUNING.last, _TUNING.entropy)

    def _link(self, fitting: Fitting, plan: Plan) -> None:
        level = plan.levels[0]
        fitting.fit(_TUNING.iterations, _TUNING.entropy)
        assert fitting.model is not None  # noqa: S101
        single = {i: fitting.model.marginal((i,)) * fitting.total for i in range(len(fitting.sizes))}
        expected: dict[Axes, np.ndarray] = {
            pair: _product(single, pair) / fitting.total for pair in combinations(single, 2)
        }
        weights = self._weights(fitting)
        part = linked(fitting.encoding)
        penalty: dict[Axes, float] = {
            pair: math.sqrt(2 / math.pi) * plan.sigma(level.table) * table.size for pair, table in expected.items()
        }
        chosen: list[Axes] = []
        refused: set[Axes] = set()
        for _ in range(level.times):
            apart: dict[Axes, int] = {
                pair: weights[pair] for pair in expected if part[pair[0]] != part[pair[1]] and pair not in refused
            }
            if not apart:
                break
            pair = fitting.choose(apart, penalty, level.choice, expected)
            if not affordable(fitting, {pair: 1}, chosen, _TUNING.cells):
                refused.add(pair)  # rules tie these columns to so many others that the model would be too large
                continue
            chosen.append(pair)
            part = {i: part[pair[0]] if p == part[pair[1]] else p for i, p in part.items()}
        for pair in chosen:
            fitting.measure(pair, level.table)

    def _weights(self, fitting: Fitting) -> Mapping[Axes, int]:
        """Return the weights of pairs in the workload; pairs outside it keep a little, since the tree needs links."""
        known = closure(checked_workload(fitting.encoding, self.workload))
        return {pair: known.get(pair, 1) for pair in combinations(range(len(fitting.sizes)), 2)}


def _product(single: Mapping[int, np.ndarray], pair: Axes) -> np.ndarray:
    return aligned(single[pair[0]], (pair[0],), pair) * aligned(single[pair[1]], (pair[1],), pair)


def linked(encoding: Encoding) -> dict[int, int]:
    """Return for each column the part of the tree that it is in before any choice: times, events and their strata."""
    part = {i: i for i in range(len(encoding.sizes))}
    for pair in (*clock_tables(encoding), *strata_tables(encoding)):
        part = {i: part[pair[0]] if p == part[pair[1]] else p for i, p in part.items()}
    return part
