"""Registries train one regression together, in rounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING

from pets.domain import Label
from pets.errors import PairingRefused
from pets.exact import Number
from pets.federation.study import Study
from pets.guarantee import InputPrivacy, ZeroConcentratedDP
from pets.query import BoundQuery
from pets.roles import Aggregator
from pets.session import Spec
from pets.training.features import Features, features_of
from pets.training.joint import JointTraining
from pets.training.train import budget_of, checked_ridge

if TYPE_CHECKING:
    from pets.domain import Domain
    from pets.ledger import Ledger


@dataclass(frozen=True)
class TrainingStudy(Study):
    """A logistic regression over several sites, as every party has it in its own plan file.

    Parameters
    ----------
    domain, outcome, covariates, epsilon, delta, rho, event, linear, reference, ridge
        See :func:`pets.training.train_logistic`.
    aggregator
        How each round's tables are added up; it must hide them.
    ledger
        This party's own, charged for all rounds before the first number leaves. Without one a warning is given.
    dataset
        Name of the data for the ledger.
    repeat
        The same study is held once; another text is another study, charged anew.
    colluding_sites
        How many sites of a total may tell others the noise they added. ``None``: just under half, and
        of two sites one.

    Raises
    ------
    InvalidArgument
        An argument has the wrong form, or does not fit the domain.

    Guarantee
    ---------
    rho-zero-concentrated differential privacy for one privacy unit, all sites and all rounds together: round t is
    rho_t-zCDP whatever the coefficients are at which it is asked, and those follow from the totals before; see
    :mod:`pets.training.logistic`.
    """

    domain: Domain
    outcome: str
    covariates: Sequence[str]
    aggregator: Aggregator
    epsilon: Number | None = None
    delta: Number | None = None
    rho: Number | None = None
    event: Label | None = None
    linear: Sequence[str] = ()
    reference: Mapping[str, Label] = field(default_factory=dict)
    ridge: float = 0.0
    ledger: Ledger | None = None
    dataset: str = "default"
    repeat: str = ""
    colluding_sites: int | None = None

    def __post_init__(self) -> None:
        self.check_names()
        checked_ridge(self.ridge)
        _ = self.features, self.budget

    @cached_property
    def features(self) -> Features:
        """The columns of the model."""
        return features_of(self.domain, self.outcome, self.covariates, self.event, self.linear, self.reference)

    @cached_property
    def budget(self) -> Fraction:
        """The loss of all rounds, in zero-concentrated DP."""
        return budget_of(self.epsilon, self.delta, self.rho)

    @property
    def cost(self) -> ZeroConcentratedDP:
        """What each ledger is charged, once for all rounds."""
        return ZeroConcentratedDP(self.budget, unit=self.domain.unit)

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that rows must have."""
        return (self.outcome, *self.features.categorical, *self.features.linear)

    def joint(self, sites: Sequence[str]) -> JointTraining:
        """Return the training of these sites together, after checking that it can be run.

        Parameters
        ----------
        sites
            Names.

        Raises
        ------
        InvalidArgument, PairingRefused, RangeOverflow
            It cannot.
        """
        if not isinstance(self.aggregator.guarantee(self.sample()), InputPrivacy):
            raise PairingRefused(
                f"{type(self.aggregator).__name__} shows each site's tables with a share of the noise only. "
                "Use a secure sum such as pets.mpc.MaskedSum."
            )
        found = self._joint(sites)
        _ = found.honest, found.accuracy()
        return found

    def spec(self, sites: Sequence[str]) -> Spec:
        """Return what a session of these sites looks like, whatever it asks.

        Parameters
        ----------
        sites
            Names.
        """
        return self._joint(sites).sample_spec()

    def makes(self) -> str:
        """Say what comes out."""
        covariates = ", ".join([*self.features.categorical, *self.features.linear])
        return f"a logistic regression of {self.outcome} on {covariates}"

    def sample(self) -> BoundQuery:
        """Return a question like those that are asked."""
        return self._joint(()).sample_query()

    def _joint(self, sites: Sequence[str]) -> JointTraining:
        return JointTraining(
            self.features, self.budget, float(self.ridge), self.aggregator, tuple(sites), self.colluding_sites,
            self.repeat,
        )  # fmt: skip
