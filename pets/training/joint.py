"""A training over certain sites, as a program that each party runs by itself, given the published totals."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pets.csprng import RandomSource
from pets.dp import DiscreteGaussian
from pets.errors import PetsError
from pets.pipeline import Pipeline
from pets.query import BoundQuery
from pets.roles import Aggregator
from pets.session import Outcome, Spec, contribution
from pets.session.rounds import following, signature
from pets.tally import Tally
from pets.training.features import Features
from pets.training.logistic import GRID, SHARES, Round, TrainedRegression, rounds

Answer = NDArray[np.int64]


class Totals(Protocol):
    """How a party reaches the total of each round."""

    def answered(self, question: RoundQuestion) -> Answer:
        """Return the total with the noise inside."""
        ...


@dataclass(frozen=True, eq=False)
class RoundQuestion:
    """What the sites are asked in one round.

    Attributes
    ----------
    turn
        The round.
    pipeline
        It as a question with noise at the sites.
    spec
        The contract of its session.
    """

    turn: Round
    pipeline: Pipeline
    spec: Spec

    @property
    def round(self) -> int:
        """Number, from 1."""
        return self.turn.number

    @property
    def asked(self) -> Mapping[str, Any]:
        """The question as plain data: coefficients are whole multiples of a public unit."""
        return _asked(self.turn)

    def table(self, frame: object) -> Answer:
        """Return what a site's rows say. Confidential."""
        return self.pipeline.bound.tally(self.turn.tables.derive(frame, self.turn.beta)).values

    def contribution(self, spec: Spec, name: str, table: Answer, source: RandomSource) -> Answer:
        """Return what a site puts into the sum: its table within the declared bounds, and its share of the noise.

        Raises
        ------
        RangeOverflow
            A number is outside the bounds; no noise was drawn.
        """
        tally = Tally(table, spec.signature)
        contribution(spec, name, tally)
        honest = int(spec.noise["honest"])
        mechanism = self.pipeline.mechanism
        assert isinstance(mechanism, DiscreteGaussian)  # noqa: S101 made so below
        share = mechanism.noise_share(self.pipeline.bound, len(spec.sites), honest, source=source)
        return contribution(spec, name, tally, Tally(share.values, spec.signature))


@dataclass(frozen=True)
class JointTraining:
    """A logistic regression of certain sites, with the noise inside every sum.

    Attributes
    ----------
    features
        The columns.
    rho
        Budget of all rounds.
    ridge
        See :func:`pets.training.train_logistic`.
    aggregator, sites, colluding_sites
        How tables are added up, and by whom.
    repeat
        Another text is another training.
    """

    features: Features
    rho: Fraction
    ridge: float
    aggregator: Aggregator
    sites: tuple[str, ...]
    colluding_sites: int | None = None
    repeat: str = ""

    @cached_property
    def facts(self) -> dict[str, Any]:
        """What names this training, as plain data."""
        features = self.features
        noise = {"noise_at": "sites", "honest": self.honest}
        return {
            "training": {
                "type": "logistic", "outcome": features.outcome, "event": features.event,
                "covariates": list(features.categorical), "linear": list(features.linear),
                "references": {name: str(label) for name, label in features.references.items()},
                "rho": str(self.rho), "ridge": self.ridge,
            },
            "domain": features.domain.signature,
            "repeat": self.repeat,
            "across": {"aggregator": self.aggregator.to_dict(), "sites": list(self.sites)} | noise,
        }  # fmt: skip

    @cached_property
    def honest(self) -> int:
        """The shares of any so many sites keep the whole promise."""
        return int(self.sample_spec().noise["honest"])

    def pipeline(self, turn: Round) -> Pipeline:
        """Return a round as a question with noise at the sites."""
        return self._pipeline(turn, self._colluding)

    def _pipeline(self, turn: Round, colluding: int | None) -> Pipeline:
        return Pipeline(
            turn.tables.query, turn.tables.domain, self.aggregator, DiscreteGaussian(turn.share * self.rho),
            noise_at="sites", colluding_sites=colluding,
        )  # fmt: skip

    @cached_property
    def _colluding(self) -> int | None:
        """Return how many sites may tell; of two, each knows its own share, so the other one's must be enough."""
        if self.colluding_sites is not None or not self.sites:
            return self.colluding_sites
        fewest = self.aggregator.fewest_sites(self._pipeline(self._first(), None).spec(self.sites))
        return max((fewest - 1) // 2, min(fewest - 1, 1))

    def rows(self, name: str, frame: object) -> object:
        """Return a site's rows, after seeing that they can be used. Confidential."""
        first = self._first()
        try:
            first.tables.derive(frame, first.beta)
        except PetsError as error:
            error.add_note(f"This happened at site {name!r}; nothing was charged.")
            raise
        return frame

    def in_words(self, question: Any) -> str:
        """Return what a round asks, for people."""
        what = "residuals by each covariate" if question.asked["kind"] == "score" else "weights by pairs of covariates"
        return f"sums of {what}, {question.spec.size:,} numbers"

    def asks(self) -> str:
        """Return what the rounds ask, for people."""
        return (
            f"in {len(SHARES)} rounds: sums of residuals by each covariate, and twice of weights by each pair, at "
            "coefficients that follow from the noisy totals of the rounds before"
        )

    def accuracy(self) -> list[str]:
        """Return how far off the sums will be; what that means for coefficients, the result says with its intervals."""
        return list(self.pipeline(self._first()).preview(self.sites).error.explain())

    def run(self, totals: Totals) -> TrainedRegression:
        """Go through all rounds and return the regression."""
        talk = rounds(self.features, self.rho, self.ridge)
        turn, earlier = next(talk), ""
        while True:
            pipeline = self.pipeline(turn)
            plain = pipeline.spec(self.sites)
            named = signature(self.facts, _asked(turn), turn.number, earlier)
            total = totals.answered(RoundQuestion(turn, pipeline, replace(plain, signature=named)))
            earlier = following(earlier, total)
            try:
                turn = talk.send(pipeline.publish(Outcome(total, self.sites), plain))
            except StopIteration as end:
                trained: TrainedRegression = end.value
                return trained

    def sample_spec(self) -> Spec:
        """Return the contract of the first round, but for its name."""
        return self.pipeline(self._first()).spec(self.sites)

    def sample_query(self) -> BoundQuery:
        """Return the question of the first round."""
        turn = self._first()
        return turn.tables.query.bind(turn.tables.domain)

    def _first(self) -> Round:
        return next(rounds(self.features, self.rho, self.ridge))


def _asked(turn: Round) -> dict[str, Any]:
    return {"kind": turn.tables.kind, "beta": [round(value * GRID) for value in turn.beta.tolist()], "grid": GRID}
