"""The gate of a site: policy first, then cohort and overlap, and each verdict in the log.

Refusals and the rows
---------------------
A refusal is an answer. If it depended on the rows, asking until one is refused would measure them, at no cost. So
every verdict here is a function of public facts: the question, the policy, the planning counts, the questions answered
before, and what is left in the ledger (which depends on charges alone, and they on questions). By induction over the
questions, the whole sequence of verdicts is the same for every data set; :func:`Guard.admit` does not even take rows.

With ``[cohort_check] by = "noisy"`` one verdict does depend on the rows: through a count with discrete Laplace noise
that the ledger is charged for first, whatever comes of it. It is then one more differentially private release, and the
sequence of verdicts and answers is private by adaptive composition, at the sum of what the ledger shows.

Not offered: to answer a question about a small cohort as if nobody were in it. It looks indistinguishable, but
the tally then jumps from nothing to the minimum as one patient comes in, so noise for one patient no longer hides
one: the sensitivity is the minimum, not 1.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pets.domain import Domain
from pets.dp import DiscreteLaplace
from pets.errors import IncompatibleGuarantees, QueryRefused
from pets.guarantee import Composition, DPGuarantee
from pets.guards.audit import AuditLog
from pets.guards.cohort import Cohort
from pets.guards.differencing import check_together
from pets.guards.policy import Policy
from pets.guards.question import Question
from pets.ledger import Ledger
from pets.query import Count, Measured


@dataclass(frozen=True)
class Guard:
    """Decides whether a question may be answered from here.

    Parameters
    ----------
    policy
        The rules.
    domain
        What is declared.
    log
        Where verdicts are, hence the cohorts that were answered.
    dataset
        The data that questions are about; another name begins another history.
    """

    policy: Policy
    domain: Domain
    log: AuditLog
    dataset: str = "default"

    def admit(self, question: Question, fewest_sites: int) -> None:
        """Return if the question may be answered; decided by public facts alone.

        Parameters
        ----------
        question
            What is asked.
        fewest_sites
            Fewest sites that its total can be over.

        Raises
        ------
        QueryRefused
            It may not. The code says which rule: ``'columns'``, ``'filters'``, ``'query'``, ``'mechanism'``,
            ``'cells'``, ``'cost'``, ``'sites'``, ``'cohort'``, ``'overlap'`` or ``'history'``.
        LedgerTampered
            The log does not hold together.
        """
        self._check_form(question)
        self._check_cost(question)
        if fewest_sites < self.policy.fewest_sites:
            raise QueryRefused("sites", f"a total must be over {self.policy.fewest_sites} sites or more")
        self._check_cohort(question.cohort)

    def check_by_count(self, question: Question, ledger: Ledger, rows: Callable[[], object]) -> None:
        """Refuse a cohort whose noisy count is below the minimum, if the policy says so; charged either way.

        Parameters
        ----------
        question
            An admitted question.
        ledger
            The site's own.
        rows
            Gives the site's data frame; called after the charge.

        Raises
        ------
        QueryRefused
            The noisy count is too small; with the code ``'cohort'``.
        BudgetExceeded
            The ledger refused; no row was read.

        Guarantee
        ---------
        The verdict is post-processing of one discrete Laplace release with the policy's epsilon, recorded in `ledger`.
        """
        if self.policy.check_epsilon is None:
            return
        mechanism, bound = DiscreteLaplace(epsilon=self.policy.check_epsilon), Count().bind(self.domain)
        ledger.charge(
            mechanism.guarantee(bound), note="size of a cohort", dataset=self.dataset, unit=str(self.domain.unit)
        )
        release = mechanism.release(bound.tally(question.cohort.select(rows())), bound)
        part = release.parts[0]
        noisy = int(part.values[0]) if isinstance(part, Measured) else 0
        if noisy < self.policy.minimum_cohort:
            raise QueryRefused("cohort", "a count of this cohort with noise, which was paid for, is too small")

    def answered(self) -> tuple[Cohort, ...]:
        """Return the distinct cohorts of this data set that were answered, in order.

        Raises
        ------
        QueryRefused
            One was chosen by what is not declared now; with the code ``'history'``.
        LedgerTampered
            The log does not hold together.
        """
        try:
            found = [
                Cohort.of((entry.question or {}).get("where", {}), self.domain)
                for entry in self.log.entries()
                if entry.verdict == "answered" and entry.dataset == self.dataset
            ]
        except QueryRefused:
            raise QueryRefused("history", "an earlier cohort is not one of the domain any more") from None
        return tuple(dict.fromkeys(found))

    def _check_form(self, question: Question) -> None:
        policy = self.policy
        for name in question.query.needs():
            if name not in policy.columns:
                raise QueryRefused("columns", f"{name!r} may not be asked about here")
        for name in question.cohort.attributes:
            if name not in policy.filters:
                raise QueryRefused("filters", f"{name!r} may not choose a cohort here")
        if question.query.kind not in policy.queries:
            raise QueryRefused("query", f"{question.query.kind!r} may not be asked here")
        kind = str(question.mechanism.to_dict().get("type"))
        if kind not in policy.mechanisms:
            raise QueryRefused("mechanism", f"{kind!r} is not accepted here")
        if question.query.bind(self.domain).size > policy.most_cells:
            raise QueryRefused("cells", f"an answer may have {policy.most_cells:,} cells at most")

    def _check_cost(self, question: Question) -> None:
        cost = question.mechanism.guarantee(question.query.bind(self.domain))
        if not isinstance(cost, DPGuarantee):
            raise QueryRefused("mechanism", "only noise with a differential-privacy guarantee is accepted here")
        most = self.policy.most_per_question
        if most is not None and not _fits(cost, most):
            raise QueryRefused("cost", f"one question may cost {most} at most")

    def _check_cohort(self, cohort: Cohort) -> None:
        policy, plan = self.policy, self.policy.planning
        new = plan.mask(cohort)
        if plan.of(new) < policy.minimum_cohort:
            raise QueryRefused("cohort", f"fewer than {policy.minimum_cohort} patients are expected in this cohort")
        earlier = self.answered()
        if cohort in earlier:
            return
        if len(earlier) >= policy.most_cohorts:
            raise QueryRefused("history", f"{policy.most_cohorts} cohorts were answered, and only these may be again")
        masks, expected = [plan.mask(old) for old in earlier], plan.expected.reshape(-1)
        check_together([*masks, new], expected, policy.minimum_difference)


def _fits(cost: DPGuarantee, most: DPGuarantee) -> bool:
    """Return whether one charge respects a limit; one that the limit cannot count does not."""
    try:
        return Composition().add(cost).fits(most)
    except IncompatibleGuarantees:
        return False
