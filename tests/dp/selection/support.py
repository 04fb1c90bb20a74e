"""Exact output laws of the selection code itself: its coins and indices are replaced by all their outcomes.

The base ``BETA`` stands for exp(-epsilon / spread). It is rational, so that all laws are fractions and "the ratio is
at most exp(epsilon)" reads "at most BETA**-spread", without any rounding.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from fractions import Fraction

import numpy as np

import pets
from pets.dp.selection import best, levels, top_k

BETA = Fraction(2, 3)
RELATIONS = ("add_remove", "replace_one")


def count_query(cells: int, rows: int, relation: str, *, drop: bool = False):
    """Return a table of so many cells whose unit owns so many rows; rows of other categories may be dropped."""
    unit = pets.PrivacyUnit(id="who", max_rows=rows, neighbours=relation)
    invalid = "drop" if drop else "error"
    categories = pets.Categorical([f"c{i}" for i in range(cells)], invalid=invalid)
    return pets.Count(by=["cell"]).bind(pets.Domain({"cell": categories}, unit=unit))


def contributions(cells: int, rows: int, *, drop: bool = False) -> list[tuple[int, ...]]:
    """Return all vectors that the rows of one unit can add to the cells (and to no cell, where rows are dropped)."""
    places = [tuple(int(i == j) for i in range(cells)) for j in range(cells)] + [(0,) * cells]
    found = {tuple(map(sum, zip(*choice, strict=True))) for choice in itertools.product(places, repeat=rows)}
    return sorted(found)


def neighbours(values: tuple[int, ...], rows: int, relation: str):
    """Yield every neighbour of a table of counts, by what units can do and not by any sensitivity."""
    added = contributions(len(values), rows)
    for new in added:
        if relation == "add_remove":
            yield tuple(v + n for v, n in zip(values, new, strict=True))
            continue
        for old in added:
            moved = tuple(v + n - o for v, n, o in zip(values, new, old, strict=True))
            if min(moved) >= 0:
                yield moved


class Script:
    """Stands in for `toss` and `uniform` of the code, and keeps the exact weight of what it was told to answer."""

    def __init__(self, unit_rate: Fraction) -> None:
        self.unit_rate = unit_rate

    def weight(self, rate: Fraction, gap: int) -> Fraction:
        power = rate / self.unit_rate * gap
        assert power.denominator == 1, "the test's parameters must give whole powers"
        return BETA ** int(power)


def flip_law(monkeypatch, rate: Fraction, unit_rate: Fraction, scores: tuple[int, ...], flip=None):
    """Return the law of permute-and-flip: all coins, then all uniform choices among those that accepted."""
    script, law = Script(unit_rate), defaultdict(Fraction)
    values = np.array(scores, dtype=np.int64)
    for mask in itertools.product([False, True], repeat=len(scores)):
        weight = Fraction(1)

        def toss(asked, gaps, source, mask=mask):
            nonlocal weight
            for gap, accepted in zip(gaps.tolist(), mask, strict=True):
                chance = script.weight(asked, gap)
                weight *= chance if accepted else 1 - chance
            return np.array(mask) if weight else np.ones(len(mask), dtype=bool)

        picked = 0
        while True:
            below = 1

            def uniform(n, size, source, picked=picked):
                nonlocal below
                below = n
                return np.array([picked])

            monkeypatch.setattr(best, "toss", toss)
            monkeypatch.setattr(best, "uniform", uniform)
            weight = Fraction(1)
            chosen = (flip or best.flip)(rate, values, None)
            if not weight:
                break
            law[chosen] += weight / below
            picked += 1
            if picked == below:
                break
    monkeypatch.undo()
    return dict(law)


def weigh_law(monkeypatch, rate: Fraction, unit_rate: Fraction, scores: tuple[int, ...], measure=None):
    """Return the law of the exponential mechanism: what each proposal is accepted with, normalised."""
    if measure is not None:
        return measured_law(monkeypatch, rate, unit_rate, scores, measure)
    script = Script(unit_rate)
    values = np.array(scores, dtype=np.int64)
    total = len(scores)
    weights = defaultdict(Fraction)
    for proposal in range(total):

        def uniform(n, size, source, proposal=proposal):
            assert n == total
            return np.full(size, proposal)

        def toss(asked, gaps, source, proposal=proposal):
            nonlocal chance
            chance = script.weight(asked, int(gaps[0]))
            return np.ones(len(gaps), dtype=bool)

        chance = Fraction(0)
        monkeypatch.setattr(best, "toss", toss)
        monkeypatch.setattr(best, "uniform", uniform)
        chosen = best.weigh(rate, values, None)
        weights[chosen] += chance
    monkeypatch.undo()
    normal = sum(weights.values())
    return {i: w / normal for i, w in weights.items()}


def measured_law(monkeypatch, rate: Fraction, unit_rate: Fraction, scores: tuple[int, ...], measure):
    """Return the law of the exponential mechanism with a base measure: every proposal with its coin, normalised."""
    weights, values, limit, chance, drawn = defaultdict(Fraction), np.array(scores, dtype=np.int64), 1, Fraction(0), 0

    def below(asked, source):
        nonlocal limit
        limit = asked
        return drawn

    def accepts(x, level, source):
        nonlocal chance
        power = x / unit_rate
        assert power.denominator == 1, "the test's parameters must give whole powers"
        chance = 2**level * BETA ** int(power)
        return True

    monkeypatch.setattr(levels, "LAST", 3)  # so few proposals that all can be tried
    monkeypatch.setattr(levels, "_below", below)
    monkeypatch.setattr(levels, "accepts", accepts)
    while drawn < limit:
        chosen = best.weigh(rate, values, None, np.array(measure))
        weights[chosen] += chance
        drawn += 1
    monkeypatch.undo()
    normal = sum(weights.values())
    return {i: w / normal for i, w in weights.items()}


def peel_law(monkeypatch, rate: Fraction, unit_rate: Fraction, scores: tuple[int, ...], k: int):
    """Return the law of the sequence that peeling gives, through every path of the code."""
    script, law = Script(unit_rate), {}
    for path in itertools.product(range(len(scores)), repeat=k):
        steps, weight = list(path), Fraction(1)

        def weigh(asked, left, source, steps=steps):
            nonlocal weight
            at = steps.pop(0)
            if at >= len(left):
                weight *= 0
                return 0
            chances = [script.weight(asked, int(left.max() - score)) for score in left]
            weight *= chances[at] / sum(chances)
            return at

        monkeypatch.setattr(top_k, "weigh", weigh)
        found = top_k.peel(rate, np.array(scores, dtype=np.int64), k, None)
        if weight:
            assert found not in law
            law[found] = weight
    monkeypatch.undo()
    assert sum(law.values()) == 1
    return law


def worst_ratio(first: dict, second: dict) -> Fraction:
    """Return the largest ratio of the two laws at any outcome, either way round."""
    assert first.keys() == second.keys()
    return max(max(first[o] / second[o], second[o] / first[o]) for o in first)
