"""Curator, distributed or local noise?

The error of the liver cancers of 21 registries, by sex and age, for each place where noise can be added and each way to
add the tables up; from the exact laws. Whom one has to trust stands in the setting. `n` is the number of sites.
"""

from __future__ import annotations

import math
from fractions import Fraction

import pets
from benchmarks.harness import points
from benchmarks.harness.results import Found
from benchmarks.harness.running import Amount
from benchmarks.harness.techniques import NONE, SAMPLING, TODAY
from benchmarks.suites.material import EPSILONS, gaussian, liver, one_cell

SECURE = (
    pets.mpc.MaskedSum, pets.mpc.AdditiveSharing, pets.mpc.ShamirSharing, pets.he.BFV, pets.he.ThresholdBFV,
)  # fmt: skip
"""Aggregators that add noise shares up exactly; all have the same error at the same number of honest sites."""


def run(_: Amount) -> Found:
    """Return the points."""
    found = Found()
    tables, _ = liver()
    sites, total = tables.shape[0], int(tables.sum())
    for epsilon in EPSILONS:
        laplace = pets.dp.DiscreteLaplace(epsilon=str(epsilon))
        at = {"epsilon": epsilon, "n": sites}
        found.update(_both("DiscreteLaplace", "curator: trust whoever adds up", _variance(laplace), at))
        found.update(_both("DiscreteGaussian", "curator: trust whoever adds up", _variance(gaussian(epsilon)), at))
        for aggregator in SECURE:
            for honest, words in ((sites - 1, "all but one site honest"), (sites // 2 + 1, "just over half honest")):
                variance = _distributed(laplace, sites, honest)
                found.update(_both(aggregator.__name__, f"distributed: {words}", variance, at))
        # each opens or approximates something, so that noise is added by whoever may see the total
        for name in ("VerifyBeforeOpen", "CKKS"):
            found.update(_both(name, "curator behind a secure sum", _variance(laplace), at))
        found.update(_both("DiscreteLaplace", "every registry: trust nobody else", sites * _variance(laplace), at))
        found.update(
            _both("RandomizedResponse", "every patient: trust nobody", response(epsilon, total, 6, total // 6), at)
        )
    hidden = int(tables[(tables > 0) & (tables < 5)].sum())
    found.add(
        points.exact(NONE, "share of the total lost", 0, n=sites),
        points.exact(TODAY, "share of the total lost", hidden / total, n=sites, setting="every registry"),
        points.exact(SAMPLING, "standard error of the total", math.sqrt(total), n=sites),
        points.exact(SAMPLING, "standard error of a cell", math.sqrt(total / 6), n=sites),
    )
    return found


def _both(name: str, setting: str, variance: float, at: dict[str, object]) -> list[points.Point]:
    """Return the error of one of six cells and of their sum."""
    made = [points.exact(name, "standard error of a cell", math.sqrt(variance), setting=setting, **at)]
    if name != "RandomizedResponse":  # the number of responses is public
        made.append(points.exact(name, "standard error of the total", math.sqrt(6 * variance), setting=setting, **at))
    return made


def _variance(mechanism: pets.dp.AdditiveNoise) -> float:
    return float(mechanism.laws(one_cell())[0].variance)


def _distributed(mechanism: pets.dp.DiscreteLaplace, sites: int, honest: int) -> float:
    return float(mechanism.distributed_error(one_cell(), sites, honest).stderr()[0] ** 2)


def response(epsilon: float, persons: int, categories: int, count: int) -> float:
    """Return the variance of the unbiased estimate of one category's count from randomised responses.

    With p the chance of the true and q of any other category, (responses - persons q) / (p - q) is unbiased.
    """
    keep = math.exp(float(Fraction(str(epsilon))))
    p, q = keep / (keep + categories - 1), 1 / (keep + categories - 1)
    return (count * p * (1 - p) + (persons - count) * q * (1 - q)) / (p - q) ** 2
