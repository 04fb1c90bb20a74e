"""How many records that are unique here are unique among all people: estimates from the class sizes.

References
----------
N. Hoshino, "Applying Pitman's sampling formula to microdata disclosure risk assessment", Journal of Official Statistics
    17(4), 2001, 499-520 (the superpopulation model and its likelihood).
J. Pitman, "Exchangeable and partially exchangeable random partitions", Probability Theory and Related Fields 102, 1995
    (the prediction rule, from which the expectations below follow).
L. Zayatz, "Estimation of the number of unique population elements using a sample", ASA Survey Research Methods, 1991.
C. J. Skinner, M. J. Elliot, "A measure of disclosure risk for microdata", JRSS B 64(4), 2002, 855-867.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pets.disclosure.microdata.classes import equivalence_classes
from pets.disclosure.microdata.codes import Codes
from pets.disclosure.microdata.frame import choice, whole_number
from pets.errors import InvalidArgument

Estimator = Literal["pitman", "zayatz"]

_PRECISION: Any = {"xatol": 1e-7, "fatol": 1e-9, "maxiter": 500}
_BOUNDS = ((-20.0, 25.0), (-14.0, 14.0))
"""Of log(theta + alpha) and logit(alpha)."""


@dataclass(frozen=True)
class PopulationUniques:
    """An estimate, not a bound.

    Attributes
    ----------
    method
        ``'pitman'`` or ``'zayatz'``.
    population, sample
        Number of people in the population, and of records.
    sample_uniques
        Records that are unique in the sample.
    population_uniques
        Estimated number of people who are unique in the population.
    both
        Estimated number of the sample uniques that are population uniques.
    match_is_correct
        Skinner and Elliot's theta: the chance that a person drawn from the population who matches exactly one record
        is the one it is about. Needs no model of the population, only that the sample is a random one.
    parameters
        Those of the fitted model.
    """

    method: Estimator
    population: int
    sample: int
    sample_uniques: int
    population_uniques: float
    both: float
    match_is_correct: float
    parameters: tuple[tuple[str, float], ...] = ()

    @property
    def share(self) -> float:
        """Estimated share of sample uniques that are population uniques."""
        return self.both / self.sample_uniques if self.sample_uniques else 0.0


def population_uniques(
    frame: object, keys: Sequence[str] | str, population: int, *, method: Estimator = "pitman"
) -> PopulationUniques:
    """Estimate how many sample uniques are unique in the population.

    Parameters
    ----------
    frame, keys
        As for :func:`~pets.disclosure.microdata.k_anonymity`. Missing values count as values.
    population
        How many people the records were drawn from, at random; at least the number of records. A registry of all
        cases is its own population: all its uniques are population uniques, and no estimate is needed.
    method
        ``'pitman'`` fits Pitman's two-parameter model by maximum likelihood (Hoshino 2001). ``'zayatz'`` assumes that
        the population's classes are distributed like the sample's, and overstates for small sampling fractions.

    Raises
    ------
    InvalidArgument, DataError
        An argument, the frame or a column is not usable.
    """
    sizes = equivalence_classes(frame, keys).sizes
    return uniques_of_sizes(sizes, population, method)


def uniques_of_sizes(sizes: Codes, population: int, method: Estimator = "pitman") -> PopulationUniques:
    """Return the estimate from the class sizes; see :func:`population_uniques`."""
    choice(method, "method", Estimator)
    sample = int(sizes.sum())
    if whole_number(population, "population", 1) < sample:
        raise InvalidArgument(
            "population", "is smaller than the number of records", "Count everybody who was eligible."
        )
    ones, twos = int((sizes == 1).sum()), int((sizes == 2).sum())
    fraction = sample / population
    theta = ones * fraction / (ones * fraction + 2 * twos * (1 - fraction)) if ones else 0.0
    common = (method, population, sample, ones)
    if ones == 0 or population == sample:
        return PopulationUniques(*common, float(ones), float(ones), theta)
    if method == "zayatz":
        both = ones * _zayatz_share(sizes, population)
        return PopulationUniques(*common, both / fraction, both, theta)
    if ones == sample:
        raise InvalidArgument("method", "cannot fit Pitman's model: every record is unique", "Use method='zayatz'.")
    t, a = fit_pitman(sizes)
    return PopulationUniques(
        *common,
        expected_uniques(t, a, population),
        ones * chance_to_stay_unique(t, a, sample, population),
        theta,
        (("theta", t), ("alpha", a)),
    )


def pitman_log_likelihood(sizes: Codes, theta: float, alpha: float) -> float:
    """Return the logarithm of Pitman's sampling formula, without the factors free of its parameters."""
    distinct, often = np.unique(sizes, return_counts=True)
    return _log_likelihood(distinct, often, theta, alpha)


def _log_likelihood(distinct: Codes, often: Codes, theta: float, alpha: float) -> float:
    from scipy.special import gammaln

    n, u = int(distinct @ often), int(often.sum())
    new = (u - 1) * np.log(alpha) + gammaln(theta / alpha + u) - gammaln(theta / alpha + 1)
    joined = (often * (gammaln(distinct - alpha) - gammaln(1 - alpha))).sum()
    return float(new + joined - gammaln(theta + n) + gammaln(theta + 1))


def fit_pitman(sizes: Codes) -> tuple[float, float]:
    """Return the theta and alpha of largest likelihood, with 0 < alpha < 1 and theta > -alpha."""
    from scipy.optimize import minimize

    distinct, often = np.unique(sizes, return_counts=True)

    def loss(at: NDArray[np.float64]) -> float:
        return -_log_likelihood(distinct, often, *_parameters(at))

    # A coarse grid first: the likelihood can be flat, and its top may lie at the edge alpha = 0.
    grid = [
        np.array([x, y])
        for x in np.linspace(-4.0, np.log(4.0 * len(sizes) + 4.0), 12)
        for y in np.linspace(-12.0, 4.0, 12)
    ]
    best = minimize(loss, min(grid, key=loss), method="Nelder-Mead", bounds=_BOUNDS, options=_PRECISION)
    return _parameters(best.x)


def _parameters(at: NDArray[np.float64]) -> tuple[float, float]:
    alpha = float(1 / (1 + np.exp(-at[1])))
    return float(np.exp(at[0])) - alpha, alpha


def expected_uniques(theta: float, alpha: float, people: int) -> float:
    """Return the expected number of classes of size 1 among `people` under Pitman's model, exactly."""
    from scipy.special import gammaln

    rising = gammaln(theta + alpha + people - 1) - gammaln(theta + alpha)
    falling = gammaln(theta + 1) - gammaln(theta + people)
    return float(people * np.exp(rising + falling))


def chance_to_stay_unique(theta: float, alpha: float, sample: int, population: int) -> float:
    """Return the chance that nobody of the rest of the population joins a class of size 1.

    Person i + 1 joins it with chance (1 - alpha) / (theta + i), whatever happened before.
    """
    from scipy.special import gammaln

    stays = gammaln(theta + alpha + population - 1) - gammaln(theta + alpha + sample - 1)
    anywhere = gammaln(theta + population) - gammaln(theta + sample)
    return float(np.exp(stays - anywhere))


def _zayatz_share(sizes: Codes, population: int) -> float:
    """Return P(unique in the population | unique in the sample) by Bayes' rule over the sample's own classes."""
    from scipy.stats import hypergeom

    sample = int(sizes.sum())
    distinct, often = np.unique(sizes, return_counts=True)
    chances = often * np.asarray(hypergeom.pmf(1, population, distinct, sample))
    return float(chances[distinct == 1][0] / chances.sum())
