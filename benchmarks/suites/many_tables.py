"""How far does a budget go over tables and years?

Standard errors from the exact laws: one patient in k tables, and yearly tables over ten years, with noise split evenly,
with Gaussian noise, with margins planned together, and with running totals planned over all years. All at the same
epsilon, with delta 1e-6 where the technique needs one.
"""

from __future__ import annotations

import math
from fractions import Fraction
from itertools import combinations

import pets
from benchmarks.harness import points
from benchmarks.harness.results import Found
from benchmarks.harness.running import Amount
from benchmarks.harness.techniques import NONE, SAMPLING
from benchmarks.suites.material import EPSILONS, gaussian, ireland, one_cell, rho_for

TOUCHED = (*range(1, 21), 30, 50, 100)
YEARS = (1, 2, 3, 5, 10, 20)


def run(_: Amount) -> Found:
    """Return the points."""
    found = Found()
    for epsilon in EPSILONS:
        found.update(_touched(epsilon))
        found.update(_margins(epsilon))
        found.update(_years(epsilon))
    found.add(points.exact(NONE, "standard error of a cell", 0))
    found.update(points.exact(SAMPLING, "standard error of a cell", math.sqrt(n), cell=n) for n in (1, 5, 20))
    return found


def _touched(epsilon: float) -> list[points.Point]:
    """Return the error when one patient is in k cells at once."""
    made = []
    for cells in TOUCHED:
        query = one_cell(cells)
        laplace = pets.dp.DiscreteLaplace(epsilon=str(epsilon)).laws(query)[0].variance
        # k rows of one patient in k different cells: k times the squared L2 distance, not k squared
        normal = gaussian(epsilon).law(pets.query.Sensitivity(cells, cells, cells, 1), Fraction(1)).variance
        for name, variance in (("DiscreteLaplace", laplace), ("DiscreteGaussian", normal)):
            at = {"epsilon": epsilon, "n": cells, "setting": "cells of one patient"}
            made.append(points.exact(name, "standard error of a cell", math.sqrt(variance), **at))
    return made


def _margins(epsilon: float) -> list[points.Point]:
    """Return the mean error of all margins of the study table, as planned together and as split evenly."""
    names = ["site", "sex", "age_group"]
    sets = [list(c) for k in range(4) for c in combinations(names, k)]
    query = pets.Marginals(sets).bind(ireland().domain)
    planners = (pets.dp.LaplacePlanner(epsilon=str(epsilon)), pets.dp.ResidualPlanner(rho=rho_for(epsilon)))
    even = (pets.dp.DiscreteLaplace(epsilon=str(epsilon)), gaussian(epsilon))
    made = []
    for setting, mechanisms in (("margins planned", planners), ("margins, budget split evenly", even)):
        for mechanism in mechanisms:
            errors = mechanism.error(query).stderr()
            name, at = type(mechanism).__name__, {"epsilon": epsilon, "n": len(sets), "setting": setting}
            made.append(points.exact(name, "mean standard error over tables", sum(errors) / len(errors), **at))
            made.append(points.exact(name, "standard error of the total", errors[0], **at))
    return made


def _years(epsilon: float) -> list[points.Point]:
    """Return the error of the running total after the last of several years; each case is new in one of them."""
    made = []
    laplace = pets.dp.DiscreteLaplace(epsilon=str(epsilon)).laws(one_cell())[0].variance
    normal = gaussian(epsilon).laws(one_cell())[0].variance
    for years in YEARS:
        at = {"epsilon": epsilon, "n": years, "setting": "years, each case new in one of them"}
        planned = pets.dp.YearlyTotals(rho=rho_for(epsilon), years=years).law(one_cell(), years).variance
        for name, variance in (
            ("DiscreteLaplace", years * laplace), ("DiscreteGaussian", years * normal), ("YearlyTotals", planned),
        ):  # fmt: skip
            made.append(points.exact(name, "standard error of a running total", math.sqrt(variance), **at))
    return made
