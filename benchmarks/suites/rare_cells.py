"""From which epsilon does a rare cell stay usable?

Closed forms of the noise laws, and beside them simulated draws of one question: how often are n true cases published as
none? A cell is usable by the registries' own rule for 16 cases: a relative standard error of at most 25 %, Poisson
variation and noise together.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

import pets
from benchmarks.harness import points
from benchmarks.harness.results import Found
from benchmarks.harness.running import Amount
from benchmarks.harness.techniques import NONE, SAMPLING, TODAY
from benchmarks.suites.material import EPSILONS, gaussian, one_cell
from pets.csprng import InsecureRandom
from pets.dp.samplers import Law, draw
from pets.noise import half_width, probability_not_positive

COUNTS = (1, 2, 3, 4, 5, 8, 10, 12, 16, 18, 20, 22, 32, 50, 66, 100, 1000)
RULE = 0.25
FINE = tuple(round(10 ** (step / 30), 4) for step in range(-30, 31))
"""Epsilons from 0.1 to 10 between which the smallest usable count has its steps."""


def run(amount: Amount) -> Found:
    """Return the points."""
    found = Found()
    for epsilon in EPSILONS:
        for mechanism in (pets.dp.DiscreteLaplace(epsilon=str(epsilon)), gaussian(epsilon)):
            name = type(mechanism).__name__
            law = mechanism.laws(one_cell())[0]
            found.update(_of_law(name, law, epsilon))
    for epsilon in set(FINE) - set(EPSILONS):
        for mechanism in (pets.dp.DiscreteLaplace(epsilon=str(epsilon)), gaussian(epsilon)):
            least = smallest_usable(mechanism.laws(one_cell())[0].variance)
            found.add(points.exact(type(mechanism).__name__, "smallest usable count", least, epsilon=epsilon))
    found.update(_baselines())
    found.update(_drawn(amount))
    return found


def _of_law(name: str, law: pets.noise.NoiseLaw, epsilon: float) -> list[points.Point]:
    made = [
        points.exact(name, "smallest usable count", smallest_usable(law.variance), epsilon=epsilon),
        points.exact(name, "half width of 95 %", half_width(law, 0.95), epsilon=epsilon),
        points.exact(name, "phantom case", 1 - law.cdf(0), epsilon=epsilon, cell=0),
    ]
    for count in COUNTS:
        at = {"epsilon": epsilon, "cell": count}
        made += [
            points.exact(name, "rmse", law.variance**0.5, **at),
            points.exact(name, "false zero", probability_not_positive(law, count), **at),
            points.exact(name, "relative error", relative_error(count, law.variance), **at),
            points.exact(name, "widening", math.sqrt(1 + law.variance / count), **at),
        ]
    return made


def relative_error(count: int, variance: float) -> float:
    """Return the relative standard error of a Poisson count with noise of this variance."""
    return math.sqrt(count + variance) / count


def smallest_usable(variance: float) -> int:
    """Return the smallest count whose relative standard error meets the rule: n^2 rule^2 = n + variance."""
    n = math.ceil((1 + math.sqrt(1 + 4 * RULE**2 * variance)) / (2 * RULE**2) - 1e-9)
    return next(count for count in range(max(1, n - 1), n + 2) if relative_error(count, variance) <= RULE + 1e-12)


def _baselines() -> list[points.Point]:
    made = [points.exact(name, "smallest usable count", smallest_usable(0)) for name in (NONE, SAMPLING, TODAY)]
    for count in COUNTS:
        hidden = count < 5
        made += [
            points.exact(NONE, "false zero", 0, cell=count),
            points.exact(NONE, "rmse", 0, cell=count),
            points.exact(SAMPLING, "false zero", math.exp(-count), cell=count, setting="another year has no case"),
            points.exact(SAMPLING, "rmse", math.sqrt(count), cell=count),
            points.exact(SAMPLING, "relative error", relative_error(count, 0), cell=count),
            points.exact(TODAY, "false zero", float(hidden), cell=count, setting="a hidden cell read as none"),
            points.exact(TODAY, "rmse", abs(count - 2.5) if hidden else 0, cell=count, setting="hidden read as 2.5"),
        ]
    return made


def _drawn(amount: Amount) -> list[points.Point]:
    """Publish many times: the share of false zeros by draws of the sampler, not by formula."""
    draws, made = amount.of(20_000, 1_000_000), []
    source = InsecureRandom(insecure_seed=amount.seed)
    for epsilon in EPSILONS:
        noise = draw(Law.laplace(1 / Fraction(str(epsilon))), draws, source)
        for count in (1, 2, 3, 5, 8, 12):
            zeros = int(np.count_nonzero(count + noise <= 0))
            made.append(points.share("DiscreteLaplace", "false zero, drawn", zeros, draws, epsilon=epsilon, cell=count))
    return made
