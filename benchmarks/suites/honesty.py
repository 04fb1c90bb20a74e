"""Are our stated intervals and epsilons true?

How often the stated 95 % interval contains the true count, over many publications; what an audit of the output finds of
the claimed epsilon (a lower bound that holds with 99.9 % confidence must not exceed the claim); and whether it notices
a mechanism that was made to draw a tenth too little noise.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

import numpy as np

import pets
from benchmarks.harness import points
from benchmarks.harness.results import Found
from benchmarks.harness.running import Amount
from benchmarks.harness.techniques import NONE, TODAY
from benchmarks.suites.material import DELTA, Study, gaussian, ireland, one_cell, rho_for
from pets.csprng import InsecureRandom
from pets.dp import audit
from pets.noise import half_width
from pets.synthetic import AIM, MST, Independent
from pets.synthetic.attacks import audit_fit

Points = Iterator[points.Point]
COVERED, CLAIMED, FOUND = "coverage of 95 % intervals", "claimed loss", "audited lower bound"


def run(amount: Amount) -> Found:
    """Return the points."""
    found, study = Found(), ireland()
    for epsilon in (0.1, 0.5, 1.0, 2.0, 5.0) if amount.full else (0.5, 2.0):
        found.update(_additive(study, epsilon, amount))
        found.update(_planned(study, epsilon, amount))
        found.update(_responses(epsilon, amount))
        found.update(_shares(epsilon, amount))
        found.update(_audited(epsilon, amount))
    found.update(_hidden(study))
    found.update(_fits(amount))
    found.add(points.exact(NONE, COVERED, 1.0))
    return found


def _covered(name: str, columns: list, truth: np.ndarray, epsilon: float | None, setting: str = "") -> points.Point:
    """Return the share of cells inside, one number for each publication."""
    inside = [np.mean((c["ci_low"] <= truth) & (truth <= c["ci_high"])) for c in columns]
    return points.mean(name, COVERED, inside, epsilon=epsilon, setting=setting, n=truth.size)


def _additive(study: Study, epsilon: float, amount: Amount) -> Points:
    for mechanism in (pets.dp.DiscreteLaplace(epsilon=str(epsilon)), gaussian(epsilon)):
        name, times = type(mechanism).__name__, amount.of(200, 2000)
        columns = [mechanism.release(study.tally, study.query).to_columns() for _ in range(times)]
        yield _covered(name, columns, study.counts, epsilon)
        law = mechanism.laws(study.query)[0]
        q = half_width(law, 0.95)
        yield points.exact(name, f"{COVERED}, by formula", law.cdf(q) - law.cdf(-q - 1), epsilon=epsilon)


def _planned(study: Study, epsilon: float, amount: Amount) -> Points:
    query = pets.Marginals([["site", "sex"], ["site"], []]).bind(study.domain)
    tally = query.tally(study.frame)
    counts = study.counts.reshape(12, 2, 4)
    truth = np.concatenate([counts.sum(axis=2).ravel(), counts.sum(axis=(1, 2)), [counts.sum()]])
    for mechanism in (pets.dp.LaplacePlanner(epsilon=str(epsilon)), pets.dp.ResidualPlanner(rho=rho_for(epsilon))):
        columns = [mechanism.release(tally, query).to_columns() for _ in range(amount.of(200, 2000))]
        yield _covered(type(mechanism).__name__, columns, truth, epsilon, "site x sex, its margins")


def _responses(epsilon: float, amount: Amount) -> Points:
    study = ireland(neighbours="replace_one")
    query = pets.Count(by=["sex", "age_group"]).bind(study.domain)
    tally = query.tally(study.frame)
    truth = study.counts.reshape(12, 8).sum(axis=0)
    mechanism = pets.dp.RandomizedResponse(str(epsilon))
    columns = [mechanism.release(tally, query).columns() for _ in range(amount.of(200, 2000))]
    yield _covered("RandomizedResponse", columns, truth, epsilon)


def _shares(epsilon: float, amount: Amount) -> Points:
    """Return the coverage when ten sites add shares and the interval is that of the distributed error."""
    mechanism, sites, honest, draws = pets.dp.DiscreteLaplace(epsilon=str(epsilon)), 10, 9, amount.of(400, 20_000)
    query = one_cell()
    half = mechanism.distributed_error(query, sites, honest).half_width(0.95)[0]
    source = InsecureRandom(insecure_seed=amount.seed)
    noise = [sum(int(mechanism.noise_share(query, sites, honest, source=source).values[0]) for _ in range(sites))
             for _ in range(draws)]  # fmt: skip
    inside = int(np.sum(np.abs(noise) <= half))
    yield points.share("MaskedSum", COVERED, inside, draws, epsilon=epsilon, setting="noise in shares of 10 sites")


def _audited(epsilon: float, amount: Amount) -> Points:
    draws = amount.of(1_000_000, 100_000_000)
    for name, mechanism, setting in (
        ("DiscreteLaplace", pets.dp.DiscreteLaplace(epsilon=str(epsilon)), "honest"),
        (
            "DiscreteLaplace",
            pets.dp.DiscreteLaplace(epsilon=Fraction(str(epsilon)) * Fraction(10, 9)),
            "planted: a tenth too little noise",
        ),
        ("DiscreteGaussian", gaussian(epsilon), "honest"),
    ):
        claim = None if setting == "honest" else pets.PureDP(str(epsilon))
        seen = audit(mechanism, claim, draws=draws, confidence=1 - 1e-6)
        at = {"epsilon": epsilon, "setting": f"{setting} ({seen.currency})", "n": draws}
        yield points.exact(name, CLAIMED, float(seen.claimed), **at)
        yield points.Point(name, FOUND, seen.lower, seen.lower, seen.lower, "replicates", draws, **at)


def _hidden(study: Study) -> Points:
    """Return the share of cells whose true count is in the interval that the release states: no chance is in it."""
    for name, mechanism in (
        (TODAY, pets.disclosure.SuppressCells(5, complementary="none")),
        ("SuppressCells", pets.disclosure.SuppressCells(5, complementary="fast")),
        ("RandomRounding", pets.disclosure.RandomRounding(5)),
        ("ControlledRounding", pets.disclosure.ControlledRounding(5)),
    ):
        columns = mechanism.release(study.tally, study.query).to_columns()
        inside = (columns["ci_low"] <= study.counts) & (study.counts <= columns["ci_high"])
        yield points.exact(name, COVERED, inside.mean(), n=len(inside), setting="certain, not 95 %")


def _fits(amount: Amount) -> Points:
    """Audit whole fits with a canary: the claimed mu beside what is found, with its one-sided 95 % bounds."""
    for kind in (Independent, MST, AIM) if amount.full else (Independent,):
        seen = audit_fit(kind(epsilon=8, delta=DELTA, rows=400), fits=amount.of(200, 1000))
        at = {"epsilon": 8.0, "setting": "canary, mu of the whole fit", "n": 400}
        yield points.exact(kind.__name__, CLAIMED, seen.mu_claimed, **at)
        low, high = min(seen.mu_low, seen.mu_found), max(seen.mu_high, seen.mu_found)
        yield points.Point(kind.__name__, FOUND, seen.mu_low, low, high, "replicates", seen.fits, **at)
