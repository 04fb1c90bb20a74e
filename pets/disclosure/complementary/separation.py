"""Which sensitive cells does a pattern, whole or fractional, fail to protect, and what must change?"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from pets.disclosure.complementary.attack import AttackLP
from pets.disclosure.complementary.cuts import Cut, capacity_cut
from pets.disclosure.complementary.problem import Problem
from pets.disclosure.highs import Flags, Floats, Ints

CORE = 1e-3
"""Share of its capacity that every cell gets when a cut is made: of many optimal multipliers this picks those that
are also short outside the present pattern (a core point in the sense of Magnanti and Wong, 1981)."""

VIOLATION = 1e-3
SWAYS = 12


class Movement:
    """How far each target is known to be able to move up and down, from every flow that was seen."""

    def __init__(self, problem: Problem, targets: Ints, whole: bool = False) -> None:
        self._problem, self.targets, self._whole = problem, targets, whole
        self.up, self.down = np.zeros(len(self.targets)), np.zeros(len(self.targets))

    def met(self) -> Flags:
        """Return which targets are known to be protected."""
        at, problem = self.targets, self._problem
        slack = 1e-7 * np.maximum(problem.need[at], 1e-3)
        return np.asarray(
            (self.up >= problem.high[at] - slack)
            & (self.down >= problem.low[at] - slack)
            & (self.up + self.down >= problem.slide[at] - slack)
        )

    def learn(self, place: Ints, flow: Floats, down: Floats, up: Floats) -> None:
        """Take in a flow: whatever it moves, it can also move at the largest scale that fits the box, both ways."""
        if self._whole:
            rounded = np.rint(flow)
            if np.abs(rounded - flow).max(initial=0.0) > 1e-6:
                return
            flow = rounded  # a sum of whole numbers that is almost 0 is 0
        at = place[self.targets]
        moved = np.where(at >= 0, flow[at], 0.0)
        for sign in (1.0, -1.0):
            scale = _scale(sign * flow, down, up)
            scale = np.floor(scale + 1e-9) if self._whole else scale
            if scale > 0.0:
                np.maximum(self.up, scale * sign * moved, out=self.up)
                np.maximum(self.down, -scale * sign * moved, out=self.down)


def _scale(flow: Floats, down: Floats, up: Floats) -> float:
    """Largest factor at which a flow stays in the box."""
    active = np.abs(flow) > 1e-9
    if not active.any():
        return 0.0
    room = np.where(flow > 0, up, down)[active]
    return float((room / np.abs(flow[active])).min())


class Separator:
    """Finds violated inequalities for a problem.

    Parameters
    ----------
    problem
        What must be protected.
    """

    def __init__(self, problem: Problem, alive: Flags) -> None:
        self._problem = problem
        self._alive = alive
        self._full: AttackLP | None = None

    def discard(self, alive: Flags) -> None:
        """Forget cells that are known to be shown in every better pattern."""
        self._alive = alive
        if self._full is not None and alive.sum() < 0.8 * len(self._full.columns):
            self._full = None

    def fractional(self, x: Floats, stop: Callable[[], bool]) -> list[Cut]:
        """Return cuts that a fractional x violates (none does not mean that there are none)."""
        found: list[Cut] = []
        for targets, level in self._levels():
            open_ones = unprotected(self._problem, x, targets, level, stop)
            found += self._cuts(x, open_ones, level, stop)
        return found

    def whole(self, hidden: Flags, stop: Callable[[], bool]) -> tuple[Ints, list[Cut]]:
        """Return the targets that a pattern leaves unprotected, and cuts that it violates, at least one for each."""
        x = hidden.astype(np.float64)
        open_ones = unprotected(self._problem, x, self._problem.targets, np.inf, stop)
        found: list[Cut] = []
        for targets, level in self._levels():
            found += self._cuts(x, np.intersect1d(targets, open_ones), level, stop)
        if len(open_ones) and not found:
            found = self._plain_cuts(x, open_ones)
        return open_ones, found

    def _levels(self) -> Iterator[tuple[Ints, float]]:
        """Targets by size of their demand: capacities beyond it make big cells look better than they are."""
        problem = self._problem
        need = problem.need[problem.targets]
        octave = np.floor(np.log2(np.maximum(need, 1e-12)) + 1e-9)
        for group in np.unique(octave):
            chosen = octave == group
            yield problem.targets[chosen], float(need[chosen].max())

    def _cuts(self, x: Floats, targets: Ints, level: float, stop: Callable[[], bool]) -> list[Cut]:
        if not len(targets):
            return []
        if self._full is None:
            self._full = AttackLP(self._problem, np.flatnonzero(self._alive | self._problem.must))
        attack, problem = self._full, self._problem
        at = attack.columns
        share = np.minimum(1.0, x[at] + CORE)
        attack.limit(np.minimum(problem.down[at], level) * share, np.minimum(problem.up[at], level) * share)
        found: list[Cut] = []
        for target in targets:
            found += [cut for cut in target_cuts(problem, attack, int(target)) if cut.lack(x) > VIOLATION]
            if stop():
                break
        return found

    def _plain_cuts(self, x: Floats, targets: Ints) -> list[Cut]:
        """Cuts without the core point: at a whole x, duality leaves no room for an unprotected target without one."""
        attack = support_attack(self._problem, x, np.inf)
        cuts = (cut for target in targets for cut in target_cuts(self._problem, attack, int(target)))
        return [cut for cut in cuts if cut.lack(x) > 1e-6]


def support_attack(problem: Problem, x: Floats, level: float) -> AttackLP:
    """Return the attacker's program over the cells that x hides, wholly or in part."""
    at = np.flatnonzero(x > 1e-9)
    attack = AttackLP(problem, at)
    attack.limit(np.minimum(problem.down[at], level) * x[at], np.minimum(problem.up[at], level) * x[at])
    return attack


def target_cuts(problem: Problem, attack: AttackLP, target: int) -> Iterator[Cut]:
    """Yield a cut for each level of a target that is not met in the attacker's present box."""
    high, low, slide = problem.high[target], problem.low[target], problem.slide[target]
    slack = 1e-7 * max(high, low, slide)
    ups = downs = np.zeros(0)
    far_up = far_down = 0.0
    if problem.need_up[target] > 0:
        up = attack.reach(target, 1, float(problem.need_up[target]))
        far_up, ups = up.distance, attack.coefficients(target, 1, up.duals)
    if problem.need_down[target] > 0:
        down = attack.reach(target, -1, float(problem.need_down[target]))
        far_down, downs = down.distance, attack.coefficients(target, -1, down.duals)
    checks = ((far_up, ups, high), (far_down, downs, low), (far_up + far_down, None, slide))
    for distance, coefficients, demand in checks:
        if distance < demand - slack:
            cut = capacity_cut(problem, ups + downs if coefficients is None else coefficients, float(demand))
            if cut is not None:
                yield cut


def unprotected(
    problem: Problem, x: Floats, targets: Ints, level: float, stop: Callable[[], bool], *, whole: bool = False
) -> Ints:
    """Return those of `targets` that a pattern x, whole or fractional, does not protect.

    Few programs are needed: one flow moves many targets at once, and what one flow shows holds for all that it
    moves. Only targets that no such flow protects get a program of their own. If `stop` says so, those that were
    not looked at are left out. If `whole`, only flows of whole numbers count, which leaves in some targets that are
    protected.
    """
    attack = support_attack(problem, x, level)
    down, up = attack.box
    known = Movement(problem, targets, whole)
    _sway(problem, attack, known, down, up)
    open_ones = []
    for k in np.flatnonzero(~known.met()):
        if known.met()[k]:
            continue
        target = int(targets[k])
        for direction, need in ((1, problem.need_up[target]), (-1, problem.need_down[target])):
            if need > 0:
                reach = attack.reach(target, direction, float(need))
                known.learn(attack.place, reach.flow, down, up)
        if not known.met()[k]:
            open_ones.append(target)
        if stop():
            break
    return np.array(open_ones, dtype=np.int64)


def _sway(problem: Problem, attack: AttackLP, known: Movement, down: Floats, up: Floats) -> None:
    """Move as many targets as possible at once, now up, now down, in patterns that tell any two of them apart."""
    index = np.arange(len(known.targets))
    at = attack.place[known.targets]
    for turn in range(SWAYS):
        left = ~known.met()
        if left.sum() < 4:
            return
        sign = np.where((index >> max(0, turn // 2 - 1)) & 1, 1.0, -1.0) if turn >= 2 else np.ones(len(index))
        sign = sign if turn % 2 == 0 else -sign
        weights, narrow_down, narrow_up = np.zeros(len(down)), down.copy(), up.copy()
        weights[at[left]] = sign[left]
        narrow_down[at] = np.minimum(down[at], problem.need[known.targets])
        narrow_up[at] = np.minimum(up[at], problem.need[known.targets])
        known.learn(attack.place, attack.sway(weights, narrow_down, narrow_up), down, up)
        if turn >= 3 and (~known.met()).sum() > 0.9 * left.sum():
            return
