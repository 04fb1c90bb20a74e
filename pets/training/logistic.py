r"""Logistic regression with many covariates, by noisy Newton-like rounds over the secure sum.

A table over all covariates has too many cells when there are many of them. Here each round asks for one table per
covariate (the score), and twice for one table per pair (the information): d and d(d+1)/2 small tables.

The rounds
----------
1. *Second moments*: at coefficients 0 all weights are 1/4, so the information is X'X / 4.
2. *Approach*: three scores, each followed by a step with the second moments as the curvature. The first one gives the
   overall odds, on which the curvature is rescaled.
3. *Information* at the point reached. Along directions in which the noise outweighs it the approach is undone: it led
   to where its own noise pointed, and the later rounds could not lead back.
4. *Averaging*: six scores, each at the average of the one-step estimates so far. Their noise averages out, so all of
   the budget of this part counts, and what is left of the approach shrinks with every round.

Guarantee
---------
Each round is rho_t-zero-concentrated DP for the whole record of one privacy unit, whatever the coefficients are at
which it is asked; so the adaptive sequence is (sum of rho_t)-zCDP (Bun and Steinke 2016, lemma 2.3), and everything
computed from it is post-processing. Nothing is amplified by sampling, and no round is free.

References
----------
Chaudhuri, Monteleoni, Sarwate, *Differentially private empirical risk minimization*, JMLR 2011. Bassily, Smith,
Thakurta, *Private empirical risk minimization*, FOCS 2014. Ganesh, Haghifam, Steinke, Thakurta, *Faster differentially
private convex optimization via second-order methods*, NeurIPS 2023. Bun, Steinke, *Concentrated differential privacy*,
TCC 2016.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

from pets.epi.regression.result import Regression, sandwich
from pets.guarantee import ZeroConcentratedDP
from pets.release import Release
from pets.training.features import Features
from pets.training.moments import Information, Score, information_of, score_of
from pets.training.tables import RoundTables

Array = NDArray[np.float64]

_MOMENTS, _APPROACH, _INFORMATION, _AVERAGING = (
    Fraction(10, 100), (Fraction(4, 100), Fraction(4, 100), Fraction(6, 100)), Fraction(16, 100),
    (Fraction(10, 100),) * 6,
)  # fmt: skip

SHARES: Final = (_MOMENTS, *_APPROACH, _INFORMATION, *_AVERAGING)
"""Part of the budget of each round, in order."""

_PRIOR_VARIANCE = 2.5**2
"""Of a coefficient of a scaled column of which nothing was learnt (Gelman, Jakulin, Pittau, Su 2008)."""

GRID: Final = 2**20
"""Coefficients at which is asked are whole multiples of 1 / GRID, so that parties who each work them out agree."""

_LONGEST_STEP = 4.0
"""Coefficients of scaled columns move by no more than this in one round."""


@dataclass(frozen=True)
class Round:
    """What the sites are asked next.

    Attributes
    ----------
    number
        From 1.
    tables
        The question.
    beta
        Coefficients of the scaled columns at which it is asked: published, like everything between rounds.
    share
        Part of the budget.
    """

    number: int
    tables: RoundTables
    beta: Array
    share: Fraction


@dataclass(frozen=True, eq=False, repr=False)
class TrainedRegression(Regression):
    """A regression that was trained in rounds.

    Attributes
    ----------
    guarantee
        What all rounds together promise about one privacy unit.
    last_step
        How far the last round moved each coefficient, in standard errors, shape (p,). Beyond 1 the rounds have not
        converged, and the intervals are too short.
    weak
        Number of directions in which the noise outweighed the information. Coefficients are drawn to 0 along them, and
        the intercept to the overall odds.
    """

    guarantee: ZeroConcentratedDP
    last_step: Array
    weak: int

    def explain(self) -> str:
        """Return what the ratios are, and what to mind."""
        said = super().explain()
        if self.weak:
            said += (
                f" In {self.weak} directions the noise outweighed the information: coefficients are drawn to 0 there. "
                "Spend more, merge categories, or leave covariates out."
            )
        if np.abs(self.last_step).max() > 1:
            said += " The rounds have not converged: the intervals are too short. Spend more."
        return said


def rounds(features: Features, rho: Fraction, ridge: float) -> Generator[Round, Release, TrainedRegression]:
    """Yield what is asked of the sites, and be sent each time the release that answers it.

    It reads no rows and knows no transport, so any driver may run it.
    """
    size = len(features.kept)
    penalty = np.array([0.0, *[ridge] * (size - 1)])
    weights, scores = RoundTables(features, "weight"), RoundTables(features, "score")
    shares = iter(enumerate(SHARES, start=1))

    def ask(tables: RoundTables, beta: Array) -> Round:
        number, share = next(shares)
        return Round(number, tables, beta, share)

    beta = np.zeros(size)
    moments = information_of((yield ask(weights, beta)), weights)
    score = score_of((yield ask(scores, beta)), scores)
    curvature, odds, beta = _first_step(moments, score, penalty)
    for _ in _APPROACH[1:]:
        beta = _on_grid(beta)
        score = score_of((yield ask(scores, beta)), scores)
        beta = beta + _step(curvature, score, beta, penalty)
    beta = _on_grid(beta)
    information = information_of((yield ask(weights, beta)), weights)
    # Where nothing is learnt the approach went as its noise did, and no later round would bring it back.
    beta = beta - information.weak @ (information.weak.T @ (beta - odds))
    estimates: list[Array] = []
    noise = np.zeros((size, size))
    for _ in _AVERAGING:
        beta = _on_grid(beta)
        score = score_of((yield ask(scores, beta)), scores)
        estimates.append(beta + _step(information.matrix, score, beta, penalty))
        noise += score.noise
        before, beta = beta, np.mean(estimates, axis=0)
    return _result(features, information, (before, beta), noise / len(_AVERAGING) ** 2, ridge, rho)


def _first_step(moments: Information, score: Score, penalty: Array) -> tuple[Array, Array, Array]:
    """Return the curvature at the overall odds, these, and the step from there by the second moments and the score.

    At 0 the score is X'(y - 1/2), so X'(y - m) is known at the overall mean m too.
    """
    rows = max(4 * moments.rows, 1.0)
    mean = float(np.clip(0.5 + score.vector[0] / rows, 1 / (rows + 2), 1 - 1 / (rows + 2)))
    curvature = 4 * mean * (1 - mean) * moments.matrix
    centred = score.vector + (0.5 - mean) * 4 * moments.matrix[:, 0]
    beta = np.zeros(len(penalty))
    beta[0] = np.log(mean / (1 - mean))
    return curvature, beta, beta + _step(curvature, Score(centred, score.noise), beta, penalty)


def _on_grid(beta: Array) -> Array:
    return np.asarray(np.rint(beta * GRID) / GRID)


def _step(curvature: Array, score: Score, beta: Array, penalty: Array) -> Array:
    step = np.linalg.solve(curvature + np.diag(penalty), score.vector - penalty * beta)
    return np.asarray(step * min(1.0, _LONGEST_STEP / max(float(np.abs(step).max()), 1e-300)))


def _result(
    features: Features, information: Information, path: tuple[Array, Array], noise: Array, ridge: float, rho: Fraction
) -> TrainedRegression:
    before, beta = path
    unit = features.domain.unit
    slope = information.matrix + np.diag([0.0, *[ridge] * (len(beta) - 1)])
    covariance, _ = sandwich(slope, unit.max_rows * unit.max_sites * information.matrix, noise)
    of_noise, _ = sandwich(slope, np.zeros_like(noise), noise)
    back = features.unscaled
    covariance += _PRIOR_VARIANCE * information.weak @ information.weak.T
    covariance, of_noise = back @ covariance @ back.T, back @ of_noise @ back.T
    spread = np.sqrt(np.diag(covariance))
    return TrainedRegression(
        "logistic", features.names, back @ beta, covariance, np.diag(of_noise) / np.diag(covariance),
        features.references, ridge, ZeroConcentratedDP(rho, unit=unit), np.abs(back @ (beta - before)) / spread,
        information.weak.shape[1],
    )  # fmt: skip
