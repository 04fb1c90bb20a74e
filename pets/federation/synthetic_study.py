"""Registries make one synthetic data set together, in rounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from pets.federation.study import Question, Rounds, Study
from pets.guarantee import ApproxDP, ZeroConcentratedDP
from pets.query import BoundQuery, Count
from pets.roles import Aggregator
from pets.session import Spec
from pets.synthetic.across import Arrangement, JointFit
from pets.synthetic.across.sums import Answer, Sums
from pets.synthetic.across.sums import Question as TableQuestion
from pets.synthetic.coarsening import Grouping
from pets.synthetic.encoding import Encoding
from pets.synthetic.fitting import in_groups
from pets.synthetic.model import Model
from pets.synthetic.prediction import predict
from pets.synthetic.synthesizer import Synthesizer

if TYPE_CHECKING:
    from pets.domain import Domain
    from pets.ledger import Ledger

_SIZES = (300, 3_000, 30_000)
"""Numbers of rows for which the accuracy is said, if the plan declares none."""


@dataclass(frozen=True)
class SyntheticStudy(Study):
    """A fit over several sites, as every party has it in its own plan file.

    Parameters
    ----------
    synthesizer
        What is fitted, e.g. ``pets.synthetic.AIM(epsilon=1)``.
    domain
        What is public about the rows.
    aggregator
        How each round's tables are added up; it must hide them.
    ledger
        This party's own, charged for all rounds before the first number leaves. Without one a warning is given.
    dataset
        Name of the data for the ledger.
    repeat
        The same study is held once; another text is another study, charged anew.
    site_bound
        No number that a site sends is larger: makes a secure sum cheaper.
    colluding_sites
        How many sites of a total may tell others the noise they added. ``None``: just under half, and
        of two sites one.

    Raises
    ------
    InvalidArgument
        An argument has the wrong form, or the synthesizer does not fit the domain.

    Guarantee
    ---------
    That of the synthesizer, for one privacy unit, all sites and all rounds together, against whoever sees all that any
    party but the unit's own site receives; see :mod:`pets.synthetic.across.joint_fit`.
    """

    synthesizer: Synthesizer
    domain: Domain
    aggregator: Aggregator
    ledger: Ledger | None = None
    dataset: str = "default"
    repeat: str = ""
    site_bound: int | None = None
    colluding_sites: int | None = None

    def __post_init__(self) -> None:
        self.check_names()
        rows = self.synthesizer.rows or _SIZES[0]
        self.synthesizer.plan(self.encoding, self.synthesizer._left(self.encoding), rows)

    @cached_property
    def encoding(self) -> Encoding:
        """The declared columns."""
        return Encoding.of(self.domain, self.synthesizer.survival)

    @property
    def cost(self) -> ApproxDP | ZeroConcentratedDP:
        """What each ledger is charged, once for all rounds."""
        return self.synthesizer.guarantee(self.domain.unit)

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that rows must have."""
        return self.encoding.names

    def joint(self, sites: Sequence[str]) -> SyntheticJoint:
        """Return the fit of these sites together, after checking that it can be run.

        Parameters
        ----------
        sites
            Names.

        Raises
        ------
        InvalidArgument, PairingRefused, RangeOverflow
            It cannot.
        """
        fit = JointFit.of(
            self.synthesizer, self.domain, self.aggregator, sites,
            colluding_sites=self.colluding_sites, site_bound=self.site_bound, repeat=self.repeat,
        )  # fmt: skip
        return SyntheticJoint(fit)

    def spec(self, sites: Sequence[str]) -> Spec:
        """Return what a session of these sites looks like, whatever it asks.

        Parameters
        ----------
        sites
            Names.
        """
        bounds = self.colluding_sites, self.site_bound
        return Arrangement.of(self.encoding, self.aggregator, tuple(sites), "sites", *bounds).spec("", 1)

    def makes(self) -> str:
        """Say what comes out."""
        return f"artificial rows of {', '.join(self.encoding.names)}, by {type(self.synthesizer).__name__}"

    def sample(self) -> BoundQuery:
        """Return a question like those that are asked."""
        return Count(by=[self.encoding.names[0]]).bind(self.encoding.binned)


@dataclass(frozen=True)
class SyntheticJoint:
    """A fit of certain sites.

    Attributes
    ----------
    fit
        The program.
    """

    fit: JointFit

    @property
    def facts(self) -> Mapping[str, Any]:
        """What names the study, as plain data."""
        return self.fit.facts

    @property
    def sites(self) -> tuple[str, ...]:
        """Who brings rows."""
        return self.fit.arrangement.sites

    @property
    def honest(self) -> int:
        """The shares of any so many sites keep the whole promise."""
        return self.fit.arrangement.honest

    def rows(self, name: str, frame: object) -> Any:
        """Return the codes of a site's rows. Confidential."""
        return self.fit.codes(name, frame)

    def in_words(self, question: Question) -> str:
        """Return what a round asks, for people."""
        asked, size = question.asked, question.spec.size
        if "rows" in asked:
            return "the number of rows"
        if "contrasts" in asked:
            pairs = len({tuple(pair[:2]) for pair in asked["contrasts"]})
            return f"how {pairs:,} pairs of columns depend on each other, in {size:,} numbers"
        names = self.fit.encoding.names
        return f"{' x '.join(names[axis] for axis in asked['table'])}, a table of {size:,} numbers"

    def asks(self) -> str:
        """Return what the rounds ask, for people."""
        said = "in rounds: a table of counts in each, which follows from the noisy totals of the rounds before"
        declared = self.fit.synthesizer.rows
        if declared is None:
            return said
        plan = self.fit.plan(declared)
        most = len(plan.first) + len(plan.clocks) + len(plan.rounds) + bool(plan.contrasts)
        return f"{said}; at most {most} of them"

    def accuracy(self) -> list[str]:
        """Return how far off the measured tables will be; for several numbers of rows if none is declared."""
        declared = self.fit.synthesizer.rows
        sizes = _SIZES if declared is None else (declared,)
        said = [predict(self.fit.plan(rows), rows).explain() for rows in sizes]
        if declared is None:
            said.append("The number of rows is not declared: a fiftieth of the budget buys a noisy one, at first.")
        return said

    def run(self, rounds: Rounds) -> Model:
        """Go through all rounds and return the model."""
        return self.fit.run(RemoteSums(self.fit.arrangement, facts=self.facts, fit=self.fit, rounds=rounds))


@dataclass(eq=False, kw_only=True)
class RemoteSums(Sums):
    """Sums whose sites are elsewhere, or are one among others.

    Attributes
    ----------
    fit
        The program.
    rounds
        How this party reaches totals.
    """

    fit: JointFit
    rounds: Rounds
    groupings: Sequence[Grouping] = field(default=(), init=False)

    @property
    def columns(self) -> int:
        """Number of columns."""
        return len(self.fit.encoding.sizes)

    @property
    def secure(self) -> bool:
        """Whether the noise is unpredictable."""
        return self.rounds.secure

    def regroup(self, groupings: Sequence[Grouping]) -> None:
        """Take groups of codes from now on."""
        self.groupings = groupings

    def answered(self, question: TableQuestion) -> Answer:
        """Return the total of a round."""
        if not question.grouped or not self.groupings:
            return self.rounds.answered(question)
        groupings, count = self.groupings, question.count
        return self.rounds.answered(replace(question, count=lambda codes: count(in_groups(groupings, codes))))
