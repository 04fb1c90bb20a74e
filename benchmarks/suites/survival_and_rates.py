"""Do published rates, ratios and five-year survival keep their coverage?

Simulated registries whose true rates and survival are known: cases are drawn, protected, published and analysed, and
the 95 % interval is compared with the truth. `coverage` is how often it contains it, `width` its mean width beside that
without protection, where only sampling error is left.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

import pets
from benchmarks.harness import points
from benchmarks.harness.results import Found
from benchmarks.harness.running import Amount
from benchmarks.harness.techniques import NONE, TODAY
from benchmarks.suites.material import gaussian, liver, one_cell
from pets.csprng import InsecureRandom
from pets.dp.samplers import Law, draw
from pets.epi import SEGI_1960, age_standardised_rate, standardised_incidence_ratio
from pets.epi.survival import EventCounts, kaplan_meier

Points = Iterator[points.Point]
COVERAGE, WIDTH, ERROR = "coverage", "width beside no protection", "rmse"
RATE, RATIO, SURVIVAL = "age-standardised rate", "standardised incidence ratio", "five-year survival"
CHILDREN = 400
YEARS, SCALE, SHAPE = 10, 14.0, 0.8
"""Follow-up; Weibull survival, about 64 % after five years."""


def run(amount: Amount) -> Found:
    """Return the points."""
    found, epsilons = Found(), (0.1, 0.25, 0.5, 1.0, 2.0, 5.0) if amount.full else (0.25, 0.5, 1.0, 2.0)
    found.update(_rates(epsilons, amount))
    found.update(_survival(epsilons, amount))
    return found


def _rates(epsilons: tuple[float, ...], amount: Amount) -> Points:
    """Protect the liver cancers of 21 registries by sex and age, and analyse the joint table."""
    tables, years = liver()
    sites, repeats = tables.shape[0], amount.of(300, 4000)
    mean, by_age = tables + 0.3, years.reshape(2, 3).sum(axis=0)  # true expectations; no registry's is zero
    weights = np.asarray(SEGI_1960.weights(["0-4", "5-9", "10-14"]), dtype=float)
    generator, source = np.random.default_rng(amount.seed), InsecureRandom(insecure_seed=amount.seed)
    drawn = generator.poisson(mean, (repeats, *mean.shape))
    total = drawn.sum(axis=1)
    true = float(np.average(mean.sum(axis=0).reshape(2, 3).sum(axis=0) / by_age, weights=weights) * 1e6)
    ways: list[tuple[str, float | None, str, np.ndarray, float]] = [
        (NONE, None, "", total, 0.0),
        (TODAY, None, "every registry", np.where(drawn < 5, 0, drawn).sum(axis=1), 0.0),
    ]
    for epsilon in epsilons:
        for mechanism in (pets.dp.DiscreteLaplace(epsilon=str(epsilon)), gaussian(epsilon)):
            law, name = mechanism.laws(one_cell())[0], type(mechanism).__name__
            of = Law.laplace(law.scale) if name == "DiscreteLaplace" else Law.gaussian(law.sigma2)
            ways.append((name, epsilon, "joint table", total + draw(of, total.shape, source), law.variance))
            if name == "DiscreteLaplace":
                local = draw(of, drawn.shape, source).sum(axis=1)
                ways.append((name, epsilon, "every registry", total + local, sites * law.variance))
    plain: dict[str, float] = {}
    for name, epsilon, where, cells, variance in ways:
        rates = [_rate(row, by_age, weights, variance) for row in cells]
        expected = mean.sum(axis=0)
        ratios = [standardised_incidence_ratio(row, expected, noise_variance=variance) for row in cells]
        for what, found, truth in ((RATE, rates, true), (RATIO, ratios, 1.0)):
            at = {"epsilon": epsilon, "setting": f"{what}; {where}" if where else what, "n": int(mean.sum())}
            width = float(np.mean([one.high - one.low for one in found]))
            plain.setdefault(what, width)
            inside = sum(one.low <= truth <= one.high for one in found)
            yield points.share(name, COVERAGE, inside, repeats, **at)
            yield points.mean(name, WIDTH, [(one.high - one.low) / plain[what] for one in found], **at)
            yield points.root_mean(name, ERROR, [(one.value / truth - 1) ** 2 for one in found], **at)


def _rate(cells: np.ndarray, by_age: np.ndarray, weights: np.ndarray, variance: float) -> pets.epi.Rate:
    by = cells.reshape(2, 3).sum(axis=0)
    return age_standardised_rate(by, by_age, weights, noise_variance=np.full(3, 2 * variance))


def _survival(epsilons: tuple[float, ...], amount: Amount) -> Points:
    """Publish the event table of one registry's children, and read five-year survival from it."""
    query = pets.EventTable("time", "status", bins=range(YEARS + 1)).bind(
        pets.Domain(time=pets.Numeric(0, 2 * YEARS, resolution="0.001", invalid="clamp"), status=["censored", "dead"])
    )
    generator, repeats = np.random.default_rng(amount.seed), amount.of(200, 2000)
    truth, tallies = math.exp(-((5 / SCALE) ** SHAPE)), [_cohort(query, generator) for _ in range(repeats)]
    plain = 0.0
    ways: list[tuple[str, float | None]] = [(NONE, None), (TODAY, None)]
    ways += [(name, e) for e in epsilons for name in ("DiscreteLaplace", "DiscreteGaussian")]
    for name, epsilon in ways:
        found = [_five_years(_counts(name, epsilon, query, tally)) for tally in tallies]
        widths = np.array([high - low for _, low, high in found])
        plain = plain or float(widths.mean())
        at = {"epsilon": epsilon, "setting": SURVIVAL, "n": CHILDREN}
        inside = sum(low <= truth <= high for _, low, high in found)
        yield points.share(name, COVERAGE, inside, repeats, **at)
        yield points.mean(name, WIDTH, widths / plain, **at)
        yield points.root_mean(name, ERROR, [(value - truth) ** 2 for value, _, _ in found], **at)


def _cohort(query: pets.query.BoundQuery, generator: np.random.Generator) -> pets.Tally:
    death = SCALE * generator.weibull(SHAPE, CHILDREN)
    left = generator.uniform(3, 14, CHILDREN)
    end = np.minimum(death, left)
    bins = np.minimum(end.astype(int), YEARS)  # the last one holds all who were followed beyond
    values = np.bincount(bins * 2 + (death <= left), minlength=query.size)
    return pets.Tally(values.astype(np.int64), query.signature)


def _counts(name: str, epsilon: float | None, query: pets.query.BoundQuery, tally: pets.Tally) -> EventCounts:
    if name == NONE:
        return EventCounts.exact(query, tally)
    if name == TODAY:  # what a reader does who takes a hidden cell for empty
        return EventCounts.exact(query, pets.Tally(np.where(tally.values < 5, 0, tally.values), query.signature))
    mechanism = (
        pets.dp.DiscreteLaplace(epsilon=str(epsilon)) if name == "DiscreteLaplace" else gaussian(float(epsilon or 1))
    )
    return EventCounts.of(mechanism.release(tally, query))


def _five_years(counts: EventCounts) -> tuple[float, float, float]:
    curve = kaplan_meier(counts).curves[0]
    at = int(np.argmin(np.abs(curve.times - 5)))
    return float(curve.value[at]), float(curve.low[at]), float(curve.high[at])
