"""A registry on a platform: one function from parcel to parcel, and the four steps of which its answer is made.

The steps are apart so that a platform with middleware can show each as one: :meth:`Site.admit` (guards),
:meth:`Site.pay` (ledger), :meth:`Site.tally` (rows), :meth:`Site.add` (secure sum). :meth:`Site.add` takes no tally
that was not admitted and paid for in the same session, so leaving a step out stops the sum and leaks nothing.
"""

from __future__ import annotations

import os
import secrets
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from pets.adapters.agreement import Agreement
from pets.adapters.contract import Contract
from pets.adapters.parcel import Parcel
from pets.config import digest
from pets.domain import Domain
from pets.errors import BudgetExceeded, InvalidArgument, JournalError, PetsError, QueryRefused, SessionReused
from pets.guards import AuditLog, Guard, Policy
from pets.guards.anchor import anchor, check_memory
from pets.guards.audit import Verdict
from pets.ledger import Entry, Ledger
from pets.roles import Distributable
from pets.session import Message, NoKeys, Session, contribution
from pets.session.spec import SERVER
from pets.session.tcp import Store
from pets.session.tcp.store import SessionJournal, session_keys
from pets.tally import Tally

FAULTS = "faults.log"
"""File in a site's folder that says why it failed."""


@dataclass
class Site:
    """One registry.

    Parameters
    ----------
    store
        Its identity, roster and folder for keys and journals.
    domain, policy
        What is declared, and what others may ask.
    ledger
        Its own; it may refuse.
    rows
        Gives the data frame; called once for each answered question, after the charge.
    log
        The audit log.
    dataset
        Name of the data for ledger and log.
    forgotten
        Hash of the newest line of a log that was lost, in the operator's own hand; see :mod:`pets.guards.anchor`.

    Raises
    ------
    InvalidArgument
        The roster holds no collector, or this identity is the collector's.
    """

    store: Store
    domain: Domain
    policy: Policy
    ledger: Ledger
    rows: Callable[[], object]
    log: AuditLog
    dataset: str = "default"
    forgotten: str | None = None
    _holder: int | None = field(default=None, init=False, repr=False)
    _admitted: set[bytes] = field(default_factory=set, init=False, repr=False)
    _paid: dict[bytes, Entry] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        if SERVER not in self.store.roster or self.name == SERVER:
            raise InvalidArgument("store", f"must be a site's, with a roster that holds {SERVER!r}, the collector")

    @property
    def name(self) -> str:
        """What the registry is called."""
        return self.store.identity.name

    @property
    def guard(self) -> Guard:
        """The gate."""
        return Guard(self.policy, self.domain, self.log, self.dataset)

    def answer(self, asked: Parcel) -> Parcel:
        """Return the reply to a parcel; refusals and faults are replies too, and never say why a fault came.

        Parameters
        ----------
        asked
            From the collector, over any platform.
        """
        return self.logged(asked, lambda: self._answered(asked))

    def logged(self, asked: Parcel, work: Callable[[], Parcel]) -> Parcel:
        """Return what `work` returns, alone in this site's folder; a refusal of it is logged and becomes the reply."""
        try:
            with self._alone():
                try:
                    return work()
                except BudgetExceeded:
                    return self._refuse(asked, QueryRefused("budget", "the ledger of this site does not allow it"))
                except PetsError as error:
                    return self._refuse(asked, error)
                except Exception as error:  # noqa: BLE001 what a platform would send on could quote rows
                    return self._refuse(asked, PetsError(f"{type(error).__name__} in the rows or their engine"))
        except JournalError:
            return Parcel.refused(QueryRefused("busy", "another message is being answered; ask again"))

    def contract(self, asked: Parcel) -> Contract:
        """Return the contract of a sum, after checking who signed it and that it is what this site makes of it."""
        contract = Contract.read(asked.head, self.domain, self.store.roster, self.dataset)
        if self.name not in contract.spec.sites:
            raise QueryRefused("contract", "this site is not one of those asked")
        return contract

    def is_new(self, contract: Contract) -> bool:
        """Return whether nothing was said in this session yet.

        Raises
        ------
        QueryRefused
            Its number is used up, or far ahead.
        """
        try:
            self.store.check_number(contract.spec.number)
        except (SessionReused, InvalidArgument):
            raise QueryRefused("number", "this session is over, or its number is far ahead") from None
        return not self.store.begun(contract.spec)

    def admit(self, contract: Contract) -> None:
        """Let the guards decide; by a noisy count, which is charged, if the policy says so."""
        if self.store.study is None:
            raise QueryRefused("keys", "no keys are agreed yet")
        check_memory(self.log, self.ledger, self.dataset, self.forgotten)
        _check_threshold(contract)
        self.guard.admit(contract.question, contract.fewest_sites)
        self.guard.check_by_count(contract.question, self.ledger, self.rows)
        self._admitted.add(contract.spec.id)

    def pay(self, contract: Contract) -> None:
        """Charge the ledger for one share of the noise; each draw is a charge of its own."""
        draw = {"session": contract.spec.id.hex(), "site": self.name, "draw": secrets.token_hex(16)}
        self._paid[contract.spec.id] = self.ledger.charge(
            contract.pipeline.cost, note=f"{contract.question.query.kind} over a platform, {contract.question.cohort}",
            dataset=self.dataset, unit=str(self.domain.unit), request=digest(draw),
        )  # fmt: skip

    def tally(self, contract: Contract) -> Tally:
        """Return the confidential table of the cohort."""
        return contract.pipeline.bound.tally(contract.question.cohort.select(self.rows()))

    def add(self, contract: Contract, asked: Parcel, tally: Tally | None) -> Parcel:
        """Take the next turn in the secure sum and return what is to be sent.

        Parameters
        ----------
        contract, asked
            The session, and the messages that came in it.
        tally
            The site's table, in the first turn only.

        Raises
        ------
        PairingRefused, QueryRefused
            The tally was not admitted and paid for, or the collector holds what this site has not said.
        ProtocolAbort
            The session is over.
        """
        spec, values = contract.spec, np.zeros(contract.spec.size, np.int64)
        if tally is not None:
            charge = self._ticket(contract)
            values = self._with_noise(contract, tally)
            line = self.log.append(
                "answered", dataset=self.dataset, session=spec.id.hex(), question=contract.question.to_dict()
            )
            anchor(self.ledger, charge, line)
        journal = self.store.open(spec.number)
        try:
            keys = session_keys(journal, self.store.study, spec, keyed=True)
            if isinstance(keys, NoKeys):
                raise QueryRefused("keys", "no keys are agreed yet")
            session = Session(contract.pipeline.aggregator, spec, self.name, keys, values,
                              journal=SessionJournal(journal))  # fmt: skip
            held = _count(asked.head.get("have", 0))
            if held > len(session.sent):
                raise QueryRefused("journal", "the collector holds messages that this site has no record of")
            session.step([Message(SERVER, self.name, body) for body in asked.bodies])
        finally:
            journal.close()
        return Parcel("sum", {"audit": self.log.head}, tuple(message.body for message in session.sent)[held:])

    def _ticket(self, contract: Contract) -> Entry:
        """Return the charge for the noise of this session, which is used up by it."""
        charge = self._paid.get(contract.spec.id)
        if contract.spec.id not in self._admitted or charge is None:
            raise QueryRefused("steps", "a table came to the sum without the guards or the ledger before it")
        self._admitted.discard(contract.spec.id)
        del self._paid[contract.spec.id]
        return charge

    def _with_noise(self, contract: Contract, tally: Tally) -> NDArray[np.int64]:
        """Return what enters the sum."""
        spec = contract.spec
        mechanism = cast("Distributable", contract.pipeline.mechanism)
        noise = mechanism.noise_share(contract.pipeline.bound, len(spec.sites), int(spec.noise["honest"]))
        return contribution(spec, self.name, tally, noise)

    def _answered(self, asked: Parcel) -> Parcel:
        if asked.kind != "sum":
            return self.converse(asked)
        contract = self.contract(asked)
        tally = None
        if self.is_new(contract):
            self.admit(contract)
            self.pay(contract)
            tally = self.tally(contract)
        return self.add(contract, asked, tally)

    def converse(self, asked: Parcel) -> Parcel:
        """Return the reply to a parcel that is about keys, or the end of a session, and no question."""
        if asked.kind == "hello":
            return self._hello()
        if asked.kind == "agree":
            return self._agree(asked)
        if asked.kind == "end":
            contract = self.contract(asked)
            self.store.forget(contract.spec.number)
            self.log.append("finished", dataset=self.dataset, session=contract.spec.id.hex())
            return Parcel("end", {"audit": self.log.head})
        raise QueryRefused("form", "this kind of message is not known here")

    def _hello(self) -> Parcel:
        study = self.store.study
        return Parcel("hello", {
            "name": self.name, "roster": self.store.roster.digest.hex(), "epoch": self.store.epoch,
            "study": "" if study is None else study.study.hex(), "next": 0 if study is None else study.next,
        })  # fmt: skip

    def _agree(self, asked: Parcel) -> Parcel:
        agreement, epoch = Agreement(self.store), _count(asked.head.get("epoch"))
        if not asked.bodies:
            return Parcel("agree", bodies=(agreement.start(epoch),))
        bundle = agreement.advance(epoch, asked.bodies[0])
        return self._hello() if bundle is None else Parcel("agree", bodies=(bundle,))

    def _refuse(self, asked: Parcel, error: PetsError) -> Parcel:
        """Log a refusal or a fault. Why a fault came may depend on the rows: it stays in the site's folder."""
        reply = Parcel.refused(error)
        if not isinstance(error, QueryRefused):
            write_fault(self.store.folder / FAULTS, error)
        verdict: Verdict = "refused" if isinstance(error, QueryRefused) else "failed"
        question = asked.head.get("question") if asked.kind == "sum" and reply.head["code"] != "signature" else None
        try:
            self.log.append(
                verdict, code=str(reply.head["code"]), dataset=self.dataset,
                question=question if isinstance(question, dict) else None,
            )  # fmt: skip
        except PetsError as unwritten:  # nothing leaves for a refusal, so a log that is broken cannot make it an answer
            write_fault(self.store.folder / FAULTS, unwritten)
            return Parcel.refused(unwritten)
        return reply

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the locks of folder and log; steps inside steps hold them once, and another thread has to wait.

        The log has a lock of its own, since one log may serve several folders: between a verdict and the line that
        later verdicts go by, nobody else may ask.
        """
        if self._holder == threading.get_ident():
            yield
            return
        with self.store.locked(), self.log.alone():
            self._holder = threading.get_ident()
            try:
                yield
            finally:
                self._holder = None


def _check_threshold(contract: Contract) -> None:
    """Refuse a threshold with which a lying collector needs few sites of its own to single out another.

    They are ``2 x threshold - sites``, see :class:`~pets.mpc.MaskedSum`; and a site that is singled out has its own
    share of the noise for its protection, and not the noise of all.
    """
    threshold = getattr(contract.question.aggregator, "threshold", None)
    if threshold is not None and 3 * threshold < 2 * len(contract.spec.sites):
        raise QueryRefused("aggregator", "the threshold must be two thirds of the sites or more")


def write_fault(path: Path, error: PetsError) -> None:
    """Add a line to a file for the site's own eyes: not to the process's log, which platforms send on."""
    with open(path, "a", encoding="utf-8", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
        file.write(f"{datetime.now(UTC).isoformat(timespec='seconds')} {type(error).__name__}: {error}\n")


def _count(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**62:
        raise QueryRefused("form", "a number in this message is none")
    return value
