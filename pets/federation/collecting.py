"""The collector of a study: it holds a session for each round, and publishes its total with the next one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from pets.config import canonical_json
from pets.errors import NotConnected, ProtocolAbort
from pets.federation.rounds import Runner, Say, checked_answer, quiet, run
from pets.federation.study import Answer, Joint, Question, Study
from pets.federation.study_state import Answered, CollectorState
from pets.federation.transcript import ROUND, StudyTranscript
from pets.identity.primitives import SIGNATURE
from pets.session import Outcome
from pets.session.record import Record
from pets.session.tcp import PURPOSE, Collector, Contract, Finished, Store
from pets.session.tcp.contract import LIMIT
from pets.session.tcp.notice import post

LAST_WORD = 30.0
"""Seconds for the sites to read that the study is over."""


@dataclass(kw_only=True)
class CollectorRounds:
    """Totals out of sessions that this party collects.

    Attributes
    ----------
    study, joint
        What is done.
    store
        The collector's folder, locked.
    address
        Where it listens; port 0 takes a free one, and keeps it for all rounds.
    deadline, wait, purpose
        See :func:`collect_study`.
    say, runner
        Where lines of progress go, and what runs a session.
    """

    study: Study
    joint: Joint
    store: Store
    address: tuple[str, int]
    deadline: float
    wait: float
    purpose: str
    say: Say
    runner: Runner = run
    last: Contract | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.state = CollectorState(self.store.folder, self.study.identity(self.joint, self.store.roster))

    @property
    def secure(self) -> bool:
        """Whether what the sites add as noise is unpredictable: sites in processes of their own draw nothing else."""
        return True

    def answered(self, question: Question) -> Answer:
        """Return the total of a round: the one of before, or that of a session with all sites.

        Raises
        ------
        ProtocolAbort
            A site dropped out in the middle of a round: the study is over.
        NotConnected
            A site did not come to a round: nothing was asked in it, and the study can go on later.
        """
        place = question.round - 1
        if place >= len(self.state.rounds):
            self._hold(question)
        found = self.state.rounds[place]
        self.last = self._contract(question, found.session)
        return checked_answer(question, found.total)

    def transcript(self) -> StudyTranscript:
        """Return the record of all rounds so far."""
        rounds = tuple((one.release, one.record) for one in self.state.rounds)
        return StudyTranscript({**self.joint.facts, "dataset": self.study.dataset}, rounds)

    def dismiss(self) -> frozenset[str]:
        """Tell all others that the study is over, with the last total, and return who has heard it."""
        assert self.last is not None  # noqa: S101 every study asks something
        answers = [one.total for one in self.state.rounds]
        spec = self.last.spec
        over = Contract(spec, {**self.last.plan, "answers": answers, "over": True}, self.deadline)
        others = set(self.study.aggregator.parties(spec)) - {self.store.identity.name}
        heard: frozenset[str] = self.runner(post(self.store, over, self.address, others, LAST_WORD, quiet(self.say)))
        missing = ", ".join(sorted(others - heard))
        if missing:
            self.say(f"not told that the study is over: {missing}. Nothing of it depends on that.")
        return heard

    # ------------------------------------------------------------------------------------ a round

    def _hold(self, question: Question) -> None:
        self._refuse_ended()
        number = self._number()
        contract = self._contract(question, number)
        if len(contract.to_bytes()) > LIMIT - SIGNATURE:
            self._end("its published totals are too long for one message; declare coarser bins")
            self._refuse_ended()
        self.say(f"round {question.round}: {self.joint.in_words(question)}")
        say = self.say if question.round == 1 else quiet(self.say)
        collector = Collector(
            self.store, self.study.aggregator, contract, partial(self._document, question),
            partial(self._keep, number), say, wait=self.wait, everyone=True,
        )  # fmt: skip
        try:
            self.runner(collector.run(*self.address))
        except ProtocolAbort as error:
            self._end(f"in round {question.round}, {error.reason}")
            error.add_note(self._spent(question.round, begun=True))
            raise
        except NotConnected as error:
            error.add_note(self._spent(question.round, begun=False))
            raise
        finally:
            self.address = collector.address or self.address

    def _number(self) -> int:
        """Return the session that is under way, or the next one."""
        last = self.state.rounds[-1].session if self.state.rounds else 0
        unfinished = self.store.unfinished()
        if unfinished is not None and unfinished > last:
            return unfinished
        if unfinished is not None:  # its total was kept just before this process was killed
            self.store.forget(unfinished)
        return max(0 if self.store.study is None else self.store.study.next, last + 1)

    def _contract(self, question: Question, number: int) -> Contract:
        answers = [one.total for one in self.state.rounds[: question.round - 1]]
        return self.study.contract(
            self.joint, question, answers, self.store.roster,
            number=number, deadline=self.deadline, purpose=self.purpose,
        )  # fmt: skip

    def _document(self, question: Question, outcome: Outcome) -> bytes:
        origin = {"sites": list(outcome.survivors), "aggregator": self.study.aggregator.to_dict()}
        content = {
            "format": ROUND, "round": question.round, "asked": dict(question.asked), "provenance": origin,
            "total": outcome.total.tolist(),
        }  # fmt: skip
        return canonical_json(content).encode()

    def _keep(self, number: int, finished: Finished) -> None:
        record = Record.sign(self.store.identity, finished.transcript, PURPOSE, finished.epoch, finished.release)
        record.verify(self.store.roster, finished.release)
        self.state.add(Answered(number, finished.release.decode(), record.to_json()))

    # ------------------------------------------------------------------------------------ the end

    def _end(self, why: str) -> None:
        self.state.stop(why)

    def _refuse_ended(self) -> None:
        if self.state.stopped:
            error = ProtocolAbort("start", f"this study has ended: {self.state.stopped}")
            error.add_note(self._spent(len(self.state.rounds) + 1, begun=True))
            raise error

    def _spent(self, number: int, *, begun: bool) -> str:
        """Say what a study that stopped in a round has cost."""
        if not begun and number == 1:
            return "No site was charged."
        cost = f"The sites that answered were charged {self.study.cost}, the cost of all rounds"
        if not begun:
            return f"{cost}, before the first one. Nothing more is charged: run the same command again, and it goes on."
        return f"{cost}, and it is spent. Another try is another study: give the plan another `repeat`."


def collect_study(
    study: Study,
    sites: Sequence[str],
    store: Store,
    deliver: Callable[[Any, StudyTranscript], None],
    *,
    address: tuple[str, int],
    deadline: float = 60.0,
    wait: float | None = None,
    purpose: str = "",
    say: Say = lambda _: None,
    runner: Runner = run,
) -> Any:
    """Hold all rounds of a study and return what comes out of it. A collector that was killed goes on where it stood.

    Parameters
    ----------
    study
        From the collector's own plan.
    sites
        Who is asked.
    store
        The collector's folder, locked.
    deliver
        Called with what comes out and the record of all rounds, before the sites are told that the study is over.
    address
        Host and port to listen on, in every round.
    deadline
        Seconds for each stage of a round; a party that is later ends the study.
    wait
        Seconds to wait in each round until all have come; by default the deadline.
    purpose
        Why, for people.
    say
        Called with each line of progress.
    runner
        Runs a coroutine to its end.

    Raises
    ------
    NotConnected
        A party did not come to a round. The study can go on later.
    ProtocolAbort
        A round stopped: the study is over, and what was charged is spent.
    InvalidArgument, PairingRefused, JournalError
        It cannot be held.
    """
    joint = study.joint(sites)
    rounds = CollectorRounds(
        study=study, joint=joint, store=store, address=address, deadline=deadline,
        wait=deadline if wait is None else wait, purpose=purpose, say=say, runner=runner,
    )  # fmt: skip
    found = joint.run(rounds)
    deliver(found, rounds.transcript())
    rounds.dismiss()
    return found
