"""Which output protection costs least for the same protection?

One real table, 12 cancers by sex and age of 934 children in Ireland, published by every mechanism. The error of a cell
of 1, about 5 and about 20 cases, by formula where there is one and else over the cells of that size; how much is
published at all; and for mechanisms that choose, what the choice loses. A reader takes the middle of the interval that
a hidden cell leaves.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from fractions import Fraction

import numpy as np

import pets
from benchmarks.harness import points
from benchmarks.harness.results import Found
from benchmarks.harness.running import Amount
from benchmarks.harness.techniques import NONE, SAMPLING, TODAY
from benchmarks.suites.material import CELLS, DELTA, EPSILONS, Study, gaussian, ireland, rho_for
from benchmarks.suites.who_adds_noise import response
from pets.csprng import InsecureRandom
from pets.disclosure.cell_key import make_ptable
from pets.disclosure.recoding import plan_recoding
from pets.noise import NoiseLaw

Points = Iterator[points.Point]
Array = np.ndarray


def run(amount: Amount) -> Found:
    """Return the points."""
    study, found = ireland(), Found()
    for epsilon in EPSILONS:
        found.update(_additive(study, epsilon))
        found.update(_planned(study, epsilon))
        found.update(_responses(study, epsilon))
        found.update(_thresholded(study, epsilon))
        found.update(_choices(study, epsilon, amount))
    found.update(_suppressed(study))
    found.update(_rounded(study))
    found.update(_cell_keys(study))
    found.update(_recoded(study))
    for size in CELLS:
        found.add(points.exact(NONE, "rmse", 0, cell=size), points.exact(SAMPLING, "rmse", math.sqrt(size), cell=size))
    found.add(points.exact(NONE, "share of cases published", 1), points.exact(NONE, "share of cells published", 1))
    found.notes.append(f"{len(study.counts)} cells, {int(study.counts.sum())} children")
    return found


def _of_law(name: str, law: NoiseLaw, epsilon: float) -> Points:
    for size in CELLS:
        yield points.exact(name, "rmse", law.variance**0.5, epsilon=epsilon, cell=size)
        yield points.exact(name, "false zero", law.cdf(-size), epsilon=epsilon, cell=size)
    yield points.exact(name, "share of cases published", 1, epsilon=epsilon)
    yield points.exact(name, "share of cells published", 1, epsilon=epsilon)


def _additive(study: Study, epsilon: float) -> Points:
    for mechanism in (pets.dp.DiscreteLaplace(epsilon=str(epsilon)), gaussian(epsilon)):
        yield from _of_law(type(mechanism).__name__, mechanism.laws(study.query)[0], epsilon)


def _planned(study: Study, epsilon: float) -> Points:
    """Return the error of a cell when its margins are published too, from the same budget."""
    query = pets.Marginals([["site", "sex", "age_group"], ["site"], []]).bind(study.domain)
    for mechanism in (pets.dp.LaplacePlanner(epsilon=str(epsilon)), pets.dp.ResidualPlanner(rho=rho_for(epsilon))):
        largest = max(range(len(query.blocks)), key=lambda i: query.blocks[i].cells)
        yield from _of_law(type(mechanism).__name__, mechanism.error(query).laws[largest], epsilon)


def _responses(study: Study, epsilon: float) -> Points:
    persons, categories = int(study.counts.sum()), len(study.counts)
    for size in CELLS:
        value = math.sqrt(response(epsilon, persons, categories, size))
        yield points.exact("RandomizedResponse", "rmse", value, epsilon=epsilon, cell=size)
    yield points.exact("RandomizedResponse", "share of cases published", 1, epsilon=epsilon)


def _thresholded(study: Study, epsilon: float) -> Points:
    """Return the error when the categories themselves are confidential; what is not shown is read as none."""
    mechanism, unit = pets.dp.ThresholdedCounts(str(epsilon), DELTA), pets.PrivacyUnit()
    law, least = mechanism.law(unit, 1), mechanism.threshold(unit, 1)
    shown = {count: 1 - law.cdf(least - count - 1) for count in {int(c) for c in study.counts} | set(CELLS)}
    reach = max(60, 4 * least)
    for size in CELLS:
        kept = sum(k * k * law.pmf(k) for k in range(least - size, reach + abs(least - size)))
        square = kept + (1 - shown[size]) * size * size
        yield points.exact("ThresholdedCounts", "rmse", math.sqrt(square), epsilon=epsilon, cell=size)
        yield points.exact("ThresholdedCounts", "false zero", 1 - shown[size], epsilon=epsilon, cell=size)
    cases = sum(int(c) * shown[int(c)] for c in study.counts) / study.counts.sum()
    yield points.exact("ThresholdedCounts", "share of cases published", cases, epsilon=epsilon)
    cells = float(np.mean([shown[int(c)] if c else 0 for c in study.counts]))
    yield points.exact("ThresholdedCounts", "share of cells published", cells, epsilon=epsilon)


def _choices(study: Study, epsilon: float, amount: Amount) -> Points:
    """Return how often a choice is worse than the best one: among the eight rarer cancers, and for the median age."""
    rarer = list(study.domain["site"].labels)[4:]
    sites = pets.Count(by=["site"]).bind(pets.Domain(site=rarer))
    ages = pets.Histogram("age", bins=[0, 5, 10, 15, 19]).bind(pets.Domain(age=pets.Integer(0, 19)))
    by_site = study.counts.reshape(12, -1).sum(axis=1)[4:]
    by_age = study.counts.reshape(-1, 4).sum(axis=0)
    e, repeats = str(epsilon), amount.of(200, 5000)
    source = InsecureRandom(insecure_seed=amount.seed)

    def point(name: str, worse: int, setting: str) -> points.Point:
        return points.share(name, "chance of a worse choice", worse, repeats, epsilon=epsilon, setting=setting)

    for selector, k in (
        (pets.dp.ExponentialMechanism(e), 1), (pets.dp.PermuteAndFlip(e), 1), (pets.dp.ReportNoisyMax(e), 1),
        (pets.dp.TopK(3, e), 3),
    ):  # fmt: skip
        best = np.sort(by_site)[-k:].sum()
        chosen = [by_site[list(selector.choose(by_site, sites, source)[0])].sum() for _ in range(repeats)]
        yield point(type(selector).__name__, int(np.sum(np.array(chosen) < best)), f"best {k} of 8 cancers")
    above, bar = pets.dp.AboveThreshold(40, e, limit=4), by_site >= 40
    worse = sum(set(above.choose(by_site, sites, source)[0]) != set(np.flatnonzero(bar)[:4]) for _ in range(repeats))
    yield point("AboveThreshold", worse, "which cancers have 40 cases")
    median = pets.dp.ExponentialQuantiles("0.5", epsilon=e)
    right = int(np.searchsorted(np.cumsum(by_age), by_age.sum() / 2))
    worse = sum(median.choose(by_age, ages, source)[0][0] != right for _ in range(repeats))
    yield point("ExponentialQuantiles", worse, "age group of the median")


def _suppressed(study: Study) -> Points:
    for name, mechanism in (
        (TODAY, pets.disclosure.SuppressCells(5, complementary="none")),
        ("SuppressCells", pets.disclosure.SuppressCells(5, time_limit=20)),
    ):
        columns = mechanism.release(study.tally, study.query).to_columns()
        hidden = columns["status"] == "suppressed"
        middle = (columns["ci_low"] + columns["ci_high"]) / 2
        read = np.where(hidden, np.where(np.isfinite(middle), middle, 0), np.nan_to_num(columns["value"].astype(float)))
        yield from _on_table(name, study, read)
        yield points.exact(name, "share of cases published", study.counts[~hidden].sum() / study.counts.sum())
        yield points.exact(name, "share of cells published", (~hidden).mean())


def _on_table(name: str, study: Study, read: Array) -> Points:
    """Return the errors of a table that chance does not enter, over the cells of each size."""
    for size in CELLS:
        cells = study.bucket(size)
        error, n = read[cells] - study.counts[cells], int(cells.sum())
        yield points.exact(name, "rmse", math.sqrt(np.mean(error**2)), cell=size, n=n)
        yield points.exact(name, "false zero", np.mean(read[cells] <= 0), cell=size, n=n)


def _rounded(study: Study) -> Points:
    random = pets.disclosure.RandomRounding(5).error(study.query)
    for size in CELLS:
        counts = [int(c) for c in study.counts[study.bucket(size)]]
        mean_square = np.mean([random.stderr(count)[0] ** 2 for count in counts])
        yield points.exact("RandomRounding", "rmse", math.sqrt(mean_square), cell=size, n=len(counts))
        zeros = np.mean([random.probability_false_zero(count)[0] for count in counts])
        yield points.exact("RandomRounding", "false zero", zeros, cell=size, n=len(counts))
    controlled = pets.disclosure.ControlledRounding(5, objective="nearest")
    rounded = controlled.release(study.tally, study.query).to_columns()["value"]
    yield from _on_table("ControlledRounding", study, rounded)
    for name in ("RandomRounding", "ControlledRounding"):
        yield points.exact(name, "share of cases published", 1)
        yield points.exact(name, "share of cells published", 1)


def _cell_keys(study: Study) -> Points:
    table = make_ptable(2, 5)
    for size in CELLS:
        counts = [int(c) for c in study.counts[study.bucket(size)]]
        laws = [table.law(count) for count in counts]
        mean_square = np.mean([float(sum(Fraction(d) ** 2 * p for d, p in law.items())) for law in laws])
        yield points.exact("CellKey", "rmse", math.sqrt(mean_square), cell=size, n=len(counts), setting="V 2, D 5")
        zeros = np.mean([float(law.get(-count, 0)) for law, count in zip(laws, counts, strict=True)])
        yield points.exact("CellKey", "false zero", zeros, cell=size, n=len(counts), setting="V 2, D 5")
    yield points.exact("CellKey", "share of cases published", 1)
    yield points.exact("CellKey", "share of cells published", 1)


def _recoded(study: Study) -> Points:
    """Return the error of a reader who spreads each pooled count evenly over the cells that it pools."""
    sites = list(study.domain["site"].labels)
    levels = {
        "site": {"six groups": {f"{a} or {b}": [a, b] for a, b in zip(sites[::2], sites[1::2], strict=True)},
                 "three groups": {f"group {i // 4}": sites[i : i + 4] for i in range(0, 12, 4)}},
        "age_group": {"ten years": {"0-9": ["0-4", "5-9"], "10-19": ["10-14", "15-19"]}},
    }  # fmt: skip
    plan = plan_recoding(study.frame, ["site", "sex", "age_group"], levels=levels, minimum=5, domain=study.domain)
    mapping, axes = plan.mapping(), [list(study.domain[name].labels) for name in ("site", "sex", "age_group")]
    keys = [tuple(mapping[n][v] if n in mapping else v for n, v in zip(("site", "sex", "age_group"), cell, strict=True))
            for cell in _product(axes)]  # fmt: skip
    pooled: dict[tuple[str, ...], list[int]] = {}
    for key, count in zip(keys, study.counts.tolist(), strict=True):
        pooled.setdefault(key, []).append(count)
    read = np.array([np.mean(pooled[key]) for key in keys])
    yield from _on_table("Recoding", study, read)
    yield points.exact("Recoding", "share of cases published", 1)
    yield points.exact("Recoding", "share of cells published", len(pooled) / len(keys), setting=str(plan.levels))


def _product(axes: list[list[str]]) -> Iterator[tuple[str, ...]]:
    from itertools import product

    return product(*axes)
