"""Everybody but the collector of a study: each party works out by itself what it is asked, and answers that only."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pets.config import digest
from pets.csprng import RandomSource, secure_random
from pets.errors import (
    ContractDiffers,
    InvalidArgument,
    JournalError,
    NotConnected,
    ProtocolAbort,
    SessionReused,
    UnrecordedReleaseWarning,
)
from pets.federation.rounds import Runner, Say, answers_in, checked_answer, quiet, run
from pets.federation.study import Answer, Joint, Question, Study
from pets.federation.study_state import SiteState
from pets.guarantee import ApproxDP, ZeroConcentratedDP
from pets.session import contribution
from pets.session.tcp import Contract, Member, Store, ask
from pets.tally import Tally

if TYPE_CHECKING:
    from pets.ledger import Ledger

SILENCE = 15.0
"""Seconds without an answer of the collector between two rounds before that is worth a line."""

PAUSE = 0.1
"""Seconds between two looks at whether the collector is through with a round."""

Agree = Callable[[Joint, Contract, bool], object]
"""Called once, before this party joins its first session, with the study, the contract and whether it agreed before:
asks whoever decides, and returns the rows (None where this party has none). What it raises ends the study here."""


@dataclass(kw_only=True)
class MemberRounds:
    """Totals out of sessions in which this party takes part, each of which the collector publishes with the next one.

    Attributes
    ----------
    study, joint
        What is done, from this party's own plan.
    store
        Its folder, locked.
    address, patience
        Where the collector listens, and for how many seconds its silence is borne.
    agree
        See :data:`Agree`.
    say, runner
        Where lines of progress go, and what talks to the collector.
    source
        Where this party's share of the noise comes from.
    contract
        What the collector said when it was last asked, if that has not been looked at yet.
    """

    study: Study
    joint: Joint
    store: Store
    address: tuple[str, int]
    patience: float
    agree: Agree
    say: Say
    runner: Runner = run
    source: RandomSource = field(default_factory=secure_random)
    contract: Contract | None = None

    def __post_init__(self) -> None:
        self.me = self.store.identity.name
        self.state = SiteState(self.store.folder, self.study.identity(self.joint, self.store.roster))
        self._rows: Any = None
        self._joined, self._done = False, 0

    @property
    def secure(self) -> bool:
        """Whether the noise is unpredictable."""
        return self.source.secure

    def answered(self, question: Question) -> Answer:
        """Return the published total of a round, after taking part in it if it has not been published.

        Raises
        ------
        ContractDiffers
            The collector asks something else, or says otherwise than before what was answered; nothing was sent.
        BudgetExceeded
            This site's ledger cannot pay; nothing was sent.
        JournalError
            The round was answered in another session; nothing was sent.
        ProtocolAbort, NotConnected
            The study ended, or the collector is silent.
        """
        until = time.monotonic() + self.patience
        while True:
            contract = self._asked(until)
            answers = answers_in(contract.plan)
            self.state.learn(answers)
            if len(answers) >= question.round:
                self.contract = contract
                return checked_answer(question, answers[question.round - 1])
            if self._done < question.round:
                self._refuse_another(contract, question, answers)
                self._take_part(contract, question)
                if self._done == question.round:
                    until = time.monotonic() + self.patience
                    continue
            # The collector is not through with the round yet, or was about to ask something else.
            if time.monotonic() > until:
                raise NotConnected("the collector does not go on with the study, of which all is answered here.")
            time.sleep(PAUSE)

    def _asked(self, until: float) -> Contract:
        """Return the collector's contract now, or the one that was just read."""
        if self.contract is not None:
            ready, self.contract = self.contract, None
            return ready
        found: Contract
        try:  # between two rounds the collector computes what comes next, and nobody listens
            found = self.runner(ask(self.address, self.store, min(SILENCE, self.patience), lambda _: None))
        except NotConnected:
            found = self.runner(ask(self.address, self.store, max(until - time.monotonic(), 1.0), self.say))
        return found

    def _refuse_another(self, contract: Contract, question: Question, answers: list[list[int]]) -> None:
        spec = contract.spec
        expected = self.study.contract(
            self.joint, question, answers, self.store.roster,
            number=spec.number, deadline=contract.deadline, purpose=spec.purpose,
        )  # fmt: skip
        differences = contract.differences(expected)
        if differences:
            raise ContractDiffers(differences)
        self.state.require(question.round, spec.id.hex())

    # ------------------------------------------------------------------------------------ a round

    def _take_part(self, contract: Contract, question: Question) -> None:
        self._agree_once(contract)
        contribute = None
        if self.me in contract.spec.sites:
            table = question.table(self._rows)
            contribution(contract.spec, self.me, Tally(table, contract.spec.signature))  # refused before it is paid
            contribute = lambda: self._contributed(contract, question, table)  # noqa: E731
        else:
            self.state.begin(question.round, contract.spec.id.hex())
        self.say(f"round {question.round}: {self.joint.in_words(question)}")
        say = self.say if question.round == 1 else quiet(self.say)
        aggregator = self.study.aggregator
        member = Member(self.store, aggregator, contract, contribute, self.address, self.patience, say)
        try:
            self.runner(member.run())
        except ContractDiffers:
            return  # the collector has gone on, or was started again: what it asks now is looked at anew
        except SessionReused:
            if question.round > len(self.state.begun):
                raise
            # This party had ended the session before it was killed.
        except (ProtocolAbort, NotConnected) as error:
            if self.state.begun:
                error.add_note(self._spent())
            raise
        self._done = question.round

    def _agree_once(self, contract: Contract) -> None:
        """Ask, read the rows and see that the ledger can pay, before the collector may count on this party."""
        if self._joined:
            return
        rows = self.agree(self.joint, contract, bool(self.state.begun))
        if self.me in contract.spec.sites:
            if rows is None:
                raise InvalidArgument("rows", f"are needed: {self.me!r} is a site of this study")
            self._rows = self.joint.rows(self.me, rows)
            self._require_paid()
        self._joined = True

    def _contributed(self, contract: Contract, question: Question, table: Answer) -> Answer:
        """Write down that the round is answered, charge the whole fit if it is the first, draw, and return the sum."""
        self.state.begin(question.round, contract.spec.id.hex())
        if self.study.ledger is not None:
            note = f"a study in rounds of {len(self.joint.sites)} sites: {self.study.makes()}"
            dataset, unit = self.study.dataset, str(self.study.domain.unit)
            self.study.ledger.charge(self.study.cost, note=note, request=self._request, dataset=dataset, unit=unit)
            self._answer_once(self.study.ledger, question.round)
        return question.contribution(contract.spec, self.me, table, self.source)

    def _answer_once(self, ledger: Ledger, number: int) -> None:
        """Have the ledger keep the name of this round, which a folder that was restored from an older copy has not."""
        nothing = ApproxDP(0, 0) if isinstance(self.study.cost, ApproxDP) else ZeroConcentratedDP(0)
        request = digest({"study": self._request, "round": number})
        paid = ledger.charge(
            nothing, note=f"round {number}, paid with the study", request=request,
            dataset=self.study.dataset, unit=str(self.study.domain.unit),
        )  # fmt: skip
        name = self.state.names[number - 1]
        if ledger.store_answer(paid, name) != name:
            raise JournalError(
                f"round {number} was answered here before: the folder of --state is an older copy. A second answer "
                "could give this party's table away, so nothing was sent: the study cannot go on. Start it anew, with "
                "another `repeat` in everybody's plan."
            )

    def _require_paid(self) -> None:
        ledger = self.study.ledger
        if ledger is None:
            text = "this study is not recorded in a ledger, so its cost can be forgotten. Add [ledger] to the plan."
            warnings.warn(text, UnrecordedReleaseWarning, stacklevel=2)
        elif not ledger.was_charged(self._request, **self._account):
            ledger.require(self.study.cost, **self._account)

    @property
    def _request(self) -> str:
        """A name for the charge that no other file of rounds can have: where that is lost, nothing is paid any more."""
        return digest({**self.joint.facts, "site": self.me, "draw": self.state.token})

    @property
    def _account(self) -> dict[str, str]:
        return {"dataset": self.study.dataset, "unit": str(self.study.domain.unit)}

    def _spent(self) -> str:
        return (
            f"{self.study.cost}, the cost of all rounds, is charged here and stays so; the same study may go on, "
            "started again, for nothing more. The collector's log says whether it can."
        )


def join_study(
    study: Study,
    store: Store,
    agree: Agree,
    *,
    address: tuple[str, int],
    patience: float = 3600.0,
    say: Say = lambda _: None,
    runner: Runner = run,
) -> Any:
    """Take part in all rounds of a study, and return what follows from what was published.

    A party that was killed goes on where it stood. Nothing is charged twice, and no round is answered twice.

    Parameters
    ----------
    study
        From this party's own plan.
    store
        Its folder, locked.
    agree
        See :data:`Agree`.
    address
        Host and port of the collector.
    patience
        Seconds of silence of the collector after which this party gives up.
    say
        Called with each line of progress.
    runner
        Runs a coroutine to its end.

    Raises
    ------
    ContractDiffers
        The collector asks something else than this party's own plan and the published totals make of it.
    BudgetExceeded
        The ledger cannot pay; nothing was sent.
    InvalidArgument, DataError, PairingRefused, RangeOverflow
        The plan or the rows cannot be used; nothing was sent.
    JournalError
        A round was answered in another session; nothing was sent.
    ProtocolAbort, NotConnected
        The study ended, or the collector is silent.
    """
    say(f"asking the collector at {address[0]}:{address[1]} for the contract")
    contract = runner(ask(address, store, patience, say))
    joint = study.joint(contract.spec.sites)
    rounds = MemberRounds(
        study=study, joint=joint, store=store, address=address, patience=patience, agree=agree, say=say, runner=runner,
        contract=contract,
    )  # fmt: skip
    return joint.run(rounds)
