"""The simplest driver: all parties in this process, through their real messages.

For laptops and tests: here the sites trust the process.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pets.errors import InvalidArgument, ProtocolAbort, did_you_mean
from pets.session.engine import Message, Session, Step
from pets.session.journal import Journal
from pets.session.keys import Keys, NoKeys
from pets.session.party import Outcome
from pets.session.spec import SERVER, Spec, contribution
from pets.session.transcript import Transcript
from pets.tally import Tally

if TYPE_CHECKING:
    from pets.roles import Aggregator

Tamper = Callable[[Message], "list[Message]"]


@dataclass
class Run:
    """What happened: the outcome, and what it cost each party.

    Parameters
    ----------
    outcome
        Total, survivors and suppressed cells.
    bytes_sent
        Bytes that each party sent, headers included.
    cpu_seconds
        CPU time of each party in this session, study set-up not included.
    transcripts
        The record of each party.
    """

    outcome: Outcome
    bytes_sent: dict[str, int]
    cpu_seconds: dict[str, float]
    transcripts: dict[str, Transcript] = field(repr=False)


class InProcess:
    """Carries the messages of all parties of one session.

    Parameters
    ----------
    aggregator, spec
        The protocol and the contract.
    values
        What each site puts in.
    keys
        Session keys of each party; may be left out for a protocol without keys.
    drop
        For a site, the stage from which on it is silent.
    tamper
        Called with each message; returns what is delivered in its stead. For tests of attacks.
    journals
        A journal for some of the parties.
    """

    def __init__(
        self,
        aggregator: Aggregator,
        spec: Spec,
        values: Mapping[str, NDArray[np.int64]],
        keys: Mapping[str, Keys] | None = None,
        *,
        drop: Mapping[str, str] | None = None,
        tamper: Tamper | None = None,
        journals: Mapping[str, Journal] | None = None,
    ) -> None:
        self.parties, self.stages = aggregator.parties(spec), aggregator.stages
        self.drop = _checked_drops(drop or {}, self.parties, aggregator.stages)
        self.tamper = tamper
        self.dropped: set[str] = set()
        self.cpu: defaultdict[str, float] = defaultdict(float)
        self.bytes: defaultdict[str, int] = defaultdict(int)
        self.sessions: dict[str, Session] = {}
        self.waiting: dict[str, frozenset[str]] = {}
        self.outcome: Outcome | None = None
        for name in self.parties:
            key = NoKeys() if keys is None else keys[name]
            started = time.process_time()
            self.sessions[name] = Session(
                aggregator, spec, name, key, values.get(name), journal=(journals or {}).get(name)
            )
            self.cpu[name] += time.process_time() - started

    def run(self) -> Run:
        """Deliver messages until the collector knows the total.

        Raises
        ------
        ProtocolAbort
            Some party stopped, or nothing moves any more.
        """
        inboxes: dict[str, list[Message]] = {name: [] for name in self.parties}
        while self.outcome is None:
            arriving: defaultdict[str, list[Message]] = defaultdict(list)
            for name, inbox in inboxes.items():
                session = self.sessions[name]
                self._deliver(self._timed(name, lambda s=session, i=inbox: s.step(i)), name, arriving)  # type: ignore[misc]
            if not arriving and self.outcome is None:
                self._time_out(arriving)
            inboxes = dict(arriving)
        transcripts = {name: session.transcript() for name, session in self.sessions.items()}
        return Run(self.outcome, dict(self.bytes), dict(self.cpu), transcripts)

    def _timed(self, name: str, work: Callable[[], Step]) -> Step:
        if name in self.dropped:
            return Step()
        started = time.process_time()
        step = work()
        self.cpu[name] += time.process_time() - started
        self.waiting[name] = step.waiting_for
        if step.result is not None:
            self.outcome = step.result
        return step

    def _deliver(self, step: Step, name: str, arriving: defaultdict[str, list[Message]]) -> None:
        silent_from = self.drop.get(name)
        if silent_from and self.stages.index(self.sessions[name].stage) >= self.stages.index(silent_from):
            self.dropped.add(name)
        if name in self.dropped:
            return
        for message in step.outbox:
            self.bytes[name] += len(message.body)
            for delivered in (message,) if self.tamper is None else self.tamper(message):
                if delivered.recipient not in self.dropped:
                    arriving[delivered.recipient].append(delivered)

    def _time_out(self, arriving: defaultdict[str, list[Message]]) -> None:
        """Nothing moves: who waits only for those who are gone gives up first, then the collector."""
        late = [name for name in self.parties if name not in self.dropped and self.waiting.get(name)]
        late.sort(key=lambda name: (not self.waiting[name] <= self.dropped, name != SERVER))
        for name in late[:1]:
            self._deliver(self._timed(name, self.sessions[name].timeout), name, arriving)
        if not late:
            raise ProtocolAbort("end", "all messages were delivered and there is no total")


def _checked_drops(drop: Mapping[str, str], parties: tuple[str, ...], stages: tuple[str, ...]) -> Mapping[str, str]:
    for name, stage in drop.items():
        if name not in parties:
            raise InvalidArgument("drop", f"names {name!r}, which takes no part", did_you_mean(name, parties))
        if stage not in stages:
            raise InvalidArgument("drop", f"has no stage {stage!r}", did_you_mean(stage, stages))
    return drop


def run_in_process(
    aggregator: Aggregator,
    spec: Spec,
    tallies: Mapping[str, Tally],
    *,
    keys: Mapping[str, Keys] | None = None,
    noise: Mapping[str, Tally] | None = None,
    drop: Mapping[str, str] | None = None,
) -> Run:
    """Run all parties in this process and return the outcome with its costs.

    Parameters
    ----------
    aggregator, spec
        The protocol and the contract.
    tallies, noise
        Tally of each site, and its share of the noise.
    keys
        Session keys of each party. When left out, fresh identities agree on keys first, as a study would.
    drop
        For a site, the stage from which on it is silent.

    Raises
    ------
    ProtocolAbort, RangeOverflow, IncompatibleTallies
        There is no total.
    """
    values = {name: contribution(spec, name, tallies[name], (noise or {}).get(name)) for name in spec.sites}
    return InProcess(aggregator, spec, values, keys or session_keys(aggregator, spec), drop=drop).run()


def session_keys(aggregator: Aggregator, spec: Spec) -> dict[str, Keys] | None:
    """Return keys for all parties: fresh identities agree on them with the messages of a real study."""
    if not aggregator.keyed:
        return None
    from pets.identity import agree_in_process

    study = agree_in_process(aggregator.parties(spec))
    return {name: part.session(spec.number, spec.id) for name, part in study.items()}
