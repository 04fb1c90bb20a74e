"""Flows that show that sensitive cells can move, kept as long as the cells that they use are hidden."""

from __future__ import annotations

import numpy as np

from pets.disclosure.complementary.problem import Problem
from pets.disclosure.highs import Floats, Ints


class FlowPool:
    """How far each target moves by the flows found so far.

    A flow that fits the capacities at some scale, forwards or backwards, moves every target on its way. The pool
    remembers by which cells each flow goes, so that it knows what showing a cell would take away.
    """

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._index: Ints = np.full(problem.cells, -1)
        self._index[problem.targets] = np.arange(len(problem.targets))
        self._flows: list[tuple[Ints, Floats]] = []
        self._gone: list[int] = []  # how many cells of each flow are dropped
        self._through: dict[int, list[int]] = {}
        self._moves: list[list[tuple[int, float, float]]] = [[] for _ in problem.targets]
        self._best: list[tuple[float, float]] = [(0.0, 0.0)] * len(problem.targets)

    def add(self, columns: Ints, flow: Floats) -> None:
        """Take in a flow over some columns."""
        at = np.flatnonzero(flow)
        cells = columns[at]
        self._take(cells, flow[at], self._problem.down[cells], self._problem.up[cells])

    def reach(self, target: int) -> tuple[float, float]:
        """Return how far a target is known to move up and down."""
        place = int(self._index[target])
        return self._best[place]

    def met(self, target: int) -> bool:
        """Return whether a target is known to be protected."""
        up, down = self.reach(target)
        problem = self._problem
        high, low, slide = problem.high[target], problem.low[target], problem.slide[target]
        return bool(up >= high - 1e-7 and down >= low - 1e-7 and up + down >= slide - 1e-7)

    def without(self, cell: int) -> list[int]:
        """Drop the flows through a cell; return the targets that are then no longer known to be protected."""
        touched: set[int] = set()
        for number in self._through.get(cell, []):
            self._gone[number] += 1
            touched.update(self._index[self._flows[number][0]].tolist())
        touched.discard(-1)
        self._refresh(touched)
        targets = self._problem.targets
        return [int(targets[k]) for k in sorted(touched) if not self.met(int(targets[k]))]

    def restore(self, cell: int) -> None:
        """Take the flows through a cell back in."""
        touched: set[int] = set()
        for number in self._through.get(cell, []):
            self._gone[number] -= 1
            touched.update(self._index[self._flows[number][0]].tolist())
        touched.discard(-1)
        self._refresh(touched)

    def _refresh(self, indices: set[int]) -> None:
        for k in indices:
            alive = [(up, down) for number, up, down in self._moves[k] if not self._gone[number]]
            self._best[k] = (max((up for up, _ in alive), default=0.0), max((down for _, down in alive), default=0.0))

    def _take(self, cells: Ints, flow: Floats, down: Floats, up: Floats) -> None:
        size = np.abs(flow)
        if not len(size):
            return
        forth = float((np.where(flow > 0, up, down) / size).min())
        back = float((np.where(flow > 0, down, up) / size).min())
        number = len(self._flows)
        self._flows.append((cells, flow))
        self._gone.append(0)
        for cell in cells[self._problem.free[cells]].tolist():
            self._through.setdefault(cell, []).append(number)
        at = self._index[cells]
        for k, z in zip(at[at >= 0].tolist(), flow[at >= 0].tolist(), strict=True):
            far_up, far_down = (z * forth, z * back) if z > 0 else (-z * back, -z * forth)
            self._moves[k].append((number, far_up, far_down))
            self._best[k] = (max(self._best[k][0], far_up), max(self._best[k][1], far_down))
