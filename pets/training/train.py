"""Training over several sites: every round is a pipeline of its own, charged before it is asked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from pets.config import digest
from pets.domain import Domain, Label
from pets.dp import DiscreteGaussian
from pets.errors import InvalidArgument, PetsError
from pets.exact import Number, positive
from pets.guarantee import ZeroConcentratedDP
from pets.guarantee.conversion import positive_delta, rho_for
from pets.ledger import Ledger
from pets.pipeline import NoiseAt, Pipeline
from pets.release import Release
from pets.roles import Aggregator
from pets.training.features import features_of
from pets.training.logistic import SHARES, Round, TrainedRegression, rounds

if TYPE_CHECKING:
    import pandas as pd

Progress = Callable[[str, int, int], None]
"""Called before each round with what is asked, its number and how many there are."""


def train_logistic(
    sites: Mapping[str, Any],
    domain: Domain,
    outcome: str,
    covariates: Sequence[str],
    *,
    epsilon: Number | None = None,
    delta: Number | None = None,
    rho: Number | None = None,
    event: Label | None = None,
    linear: Sequence[str] = (),
    reference: Mapping[str, Label] | None = None,
    ridge: float = 0.0,
    aggregator: Aggregator | None = None,
    noise_at: NoiseAt = "curator",
    ledger: Ledger | None = None,
    dataset: str = "default",
    repeat: str = "",
    progress: Progress | None = None,
) -> TrainedRegression:
    """Fit the odds of an outcome to the rows of several sites, of which only noisy sums leave each round.

    For a few covariates a noisy table of all of them, then :func:`pets.epi.logistic_regression`, is more accurate and
    answers further questions for free. From about six covariates on that table is mostly empty cells, and this is the
    better way (``python -m benchmarks.training``).

    Parameters
    ----------
    sites
        Name of each site and its rows, as any supported data frame.
    domain
        Public knowledge: categories, bounds, and the privacy unit. Rows with an unusable value in any column of the
        model are left out; of a unit with more than ``max_rows`` rows that many are kept, by lot.
    outcome
        Attribute with two categories.
    covariates
        Attributes of the model.
    epsilon, delta
        Budget of the whole training; spent as the zero-concentrated DP that it pays for. Or:
    rho
        Budget of the whole training in zero-concentrated DP.
    event
        The category whose odds are modelled; its last one if left out.
    linear
        Covariates that enter as a number.
    reference
        Category that the others of a covariate are compared with; its first one if left out.
    ridge
        Penalty on the squared coefficients of the columns scaled to [-1, 1], the intercept apart.
    aggregator, noise_at, ledger, dataset
        As in :class:`pets.Pipeline`. The ledger is charged round by round, each before it is asked; the first one is
        not asked unless all of them can be paid. A training that was interrupted goes on from the rounds that the
        ledger holds, at no further cost, as long as the sites and all settings are the same: with other sites it is
        another training, charged anew, and other rows need another `dataset`.
    repeat
        The same training is done once and then read from the ledger; give another text to train anew, at full cost.
    progress
        Called before each round.

    Returns
    -------
    TrainedRegression
        The first coefficient is the intercept.

    Raises
    ------
    InvalidArgument
        A name, label or number cannot be used; nothing was charged.
    DataError
        A site's rows cannot be used; nothing was charged for the round.
    RangeOverflow
        A site has too many rows; nothing was charged for the round.
    BudgetExceeded
        The ledger cannot pay for all rounds; nothing was charged.

    Guarantee
    ---------
    rho-zero-concentrated differential privacy for the privacy unit of `domain`, for all rounds together; see
    :mod:`pets.training.logistic`.
    """
    features = features_of(domain, outcome, covariates, event, linear, reference)
    budget = budget_of(epsilon, delta, rho)
    penalty = checked_ridge(ridge)
    identity = digest(
        {
            "domain": domain.signature,
            "outcome": [outcome, features.event],
            "covariates": [features.categorical, features.linear],
            "references": {name: str(label) for name, label in features.references.items()},
            "rho": str(budget),
            "ridge": penalty,
            "repeat": repeat,
        }
    )
    talk = rounds(features, budget, penalty)
    turn = next(talk)
    while True:
        if progress is not None:
            progress(f"{turn.tables.kind}s", turn.number, len(SHARES))
        pipeline = Pipeline(
            turn.tables.query, turn.tables.domain, aggregator, DiscreteGaussian(turn.share * budget), ledger,
            noise_at=noise_at, dataset=dataset,
        )  # fmt: skip
        release = _ask(pipeline, turn, sites, f"training {identity}, round {turn.number}", budget)
        try:
            turn = talk.send(release)
        except StopIteration as end:
            trained: TrainedRegression = end.value
            return trained


def _ask(pipeline: Pipeline, turn: Round, sites: Mapping[str, Any], repeat: str, budget: Fraction) -> Release:
    if not isinstance(sites, Mapping) or not sites:
        raise InvalidArgument("sites", "must map names to data frames", "Give for example {'FR': frame}.")
    spec = pipeline.spec(tuple(sites))
    if pipeline.ledger is not None:
        _require(pipeline, turn, pipeline.request(spec.sites, repeat), budget)
    return pipeline.run({name: _derive(turn, name, frame) for name, frame in sites.items()}, repeat=repeat)


def _derive(turn: Round, name: str, frame: object) -> pd.DataFrame:
    try:
        return turn.tables.derive(frame, turn.beta)
    except PetsError as error:
        error.add_note(f"This happened at site {name!r}; nothing was charged for the round.")
        raise


def _require(pipeline: Pipeline, turn: Round, request: str, budget: Fraction) -> None:
    """Refuse a training that the ledger cannot pay to its end, before anything of it is charged."""
    ledger, unit = pipeline.ledger, pipeline.domain.unit
    account = {"dataset": pipeline.dataset, "unit": str(unit)}
    if ledger is None or ledger.answer(request, **account) is not None:
        return
    first = turn.number - (not ledger.was_charged(request, **account))  # one that was cut short is paid for
    left = sum(SHARES[first:], Fraction(0)) * budget
    if left:
        ledger.require(ZeroConcentratedDP(left, unit=unit), **account)


def budget_of(epsilon: Number | None, delta: Number | None, rho: Number | None) -> Fraction:
    """Return the zero-concentrated loss that a budget pays for."""
    if (epsilon is None) == (rho is None):
        raise InvalidArgument("epsilon", "or rho must be given, and not both", "Give epsilon=1, delta=1e-6.")
    if rho is not None:
        return positive(rho, "rho")
    return rho_for(positive(epsilon, "epsilon"), positive_delta(delta))


def checked_ridge(value: float) -> float:
    """Return the penalty after checking it."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e12:
        raise InvalidArgument("ridge", "must be a number of 0 or more")
    return float(value)
