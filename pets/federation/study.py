"""A study in rounds: what all parties know before any row is read, and the program that each of them runs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

import pets
from pets.config import digest
from pets.csprng import RandomSource
from pets.errors import InvalidArgument, did_you_mean
from pets.guarantee import ApproxDP, InputPrivacy, ZeroConcentratedDP, beyond_one_unit
from pets.identity import Roster
from pets.query import BoundQuery
from pets.roles import TOTAL, Aggregator
from pets.session import SERVER, Spec
from pets.session.tcp import Contract

if TYPE_CHECKING:
    from pets.domain import Domain
    from pets.ledger import Ledger

Answer = NDArray[np.int64]


class Question(Protocol):
    """What all sites are asked at once. Nothing in it depends on rows, but through totals that are public."""

    @property
    def round(self) -> int:
        """Number, from 1."""
        ...

    @property
    def asked(self) -> Mapping[str, Any]:
        """The question as plain data."""
        ...

    @property
    def spec(self) -> Spec:
        """The contract of the session that answers it; its signature names the study, the question and all answers."""
        ...

    def table(self, codes: Any) -> Answer:
        """Return what a site's rows say. Confidential."""
        ...

    def contribution(self, spec: Spec, name: str, table: Answer, source: RandomSource) -> Answer:
        """Return what a site puts in: its table within the declared bounds, and its share of the noise."""
        ...


class Rounds(Protocol):
    """How a party reaches the total of each round: by collecting it, or by taking part and being told."""

    def answered(self, question: Question) -> Answer:
        """Return the total with the noise inside."""
        ...

    @property
    def secure(self) -> bool:
        """Whether the noise is unpredictable."""
        ...


class Joint(Protocol):
    """A study of certain sites."""

    @property
    def facts(self) -> Mapping[str, Any]:
        """What names it, as plain data; part of every contract."""
        ...

    @property
    def sites(self) -> tuple[str, ...]:
        """Who brings rows."""
        ...

    @property
    def honest(self) -> int:
        """The shares of any so many sites keep the whole promise."""
        ...

    def rows(self, name: str, frame: object) -> Any:
        """Return a site's rows in the form in which questions count them, or refuse them. Confidential."""
        ...

    def in_words(self, question: Question) -> str:
        """Return what a round asks, for people."""
        ...

    def asks(self) -> str:
        """Return what the rounds ask, for people."""
        ...

    def accuracy(self) -> list[str]:
        """Return how far off the result will be, in sentences."""
        ...

    def run(self, rounds: Rounds) -> Any:
        """Go through all rounds and return what comes out. Deterministic, given the totals."""
        ...


class Study(ABC):
    """What every party of a study has in its own plan file.

    Attributes
    ----------
    domain
        What is public about the rows.
    aggregator
        How each round's tables are added up; it must hide them.
    ledger
        This party's own, charged for all rounds before the first number leaves.
    dataset
        Name of the data for the ledger.
    repeat
        The same study is held once; another text is another study, charged anew.
    """

    domain: Domain
    aggregator: Aggregator
    ledger: Ledger | None
    dataset: str
    repeat: str

    @property
    @abstractmethod
    def cost(self) -> ApproxDP | ZeroConcentratedDP:
        """What each ledger is charged, once for all rounds."""

    @property
    @abstractmethod
    def columns(self) -> tuple[str, ...]:
        """Columns that rows must have."""

    @abstractmethod
    def joint(self, sites: Sequence[str]) -> Joint:
        """Return the study of these sites, after checking that it can be held."""

    @abstractmethod
    def spec(self, sites: Sequence[str]) -> Spec:
        """Return what a session of these sites looks like, whatever it asks."""

    @abstractmethod
    def makes(self) -> str:
        """Say what comes out."""

    @abstractmethod
    def sample(self) -> BoundQuery:
        """Return a question like those that are asked, by which the aggregator can say what it promises."""

    def check_names(self) -> None:
        """Refuse a data set or a repeat that is no text."""
        for name in ("dataset", "repeat"):
            if not isinstance(getattr(self, name), str) or (name == "dataset" and not self.dataset):
                raise InvalidArgument(name, "must be a text, and the name of a data set not empty")

    def identity(self, joint: Joint, roster: Roster) -> str:
        """Return the digest of all that makes this study this one: its state on disk goes by it."""
        return digest({**joint.facts, "dataset": self.dataset, "roster": roster.digest.hex()})

    def contract(
        self,
        joint: Joint,
        question: Question,
        answers: Sequence[Sequence[int]],
        roster: Roster,
        *,
        number: int,
        deadline: float,
        purpose: str = "",
    ) -> Contract:
        """Return what all parties must agree on before a round.

        Parameters
        ----------
        joint
            See :meth:`joint`.
        question
            What is asked in this round.
        answers
            Totals of all earlier rounds: public, and what a party needs to work out the question by itself.
        roster
            The parties.
        number, deadline, purpose
            The collector's choice.

        Raises
        ------
        InvalidArgument
            A party is not in the roster.
        """
        for name in self.aggregator.parties(question.spec):
            if name not in roster:
                raise InvalidArgument("--roster", f"holds no {name!r}, who takes part", did_you_mean(name, roster))
        spec = replace(question.spec, number=number, roster=roster.digest.hex(), purpose=purpose)
        plan = {
            **joint.facts, "dataset": self.dataset, "version": pets.__version__, "round": question.round,
            "asked": dict(question.asked), "answers": [list(answer) for answer in answers], "over": False,
        }  # fmt: skip
        return Contract(spec, plan, deadline)

    def who_learns(self, joint: Joint) -> dict[str, str]:
        """Return who sees what, and who computes besides the sites."""
        spec = self.spec(joint.sites)
        said = {
            TOTAL: "each round's total with the noise inside, never the exact one",
            "the total is over those who stay": "the study ends without them",
        }
        table = self.aggregator.who_learns(self.sample())
        for words, instead in said.items():
            table = {who: what.replace(words, instead) for who, what in table.items()}
        table["everybody"] = "the noisy totals of all rounds, and all that is computed from them"
        others = [name for name in self.aggregator.parties(spec) if name not in (*spec.sites, SERVER)]
        computing = {"who computes besides the sites": ", ".join(others)} if others else {}
        return computing | {"who is in each total": f"all {len(spec.sites)} sites, or the study ends"} | table

    def promises(self) -> list[tuple[str, str]]:
        """Return what is promised, each with its explanation."""
        inside = self.aggregator.guarantee(self.sample())
        found = [(str(self.cost), self.cost.explain())]
        return found + ([(str(inside), inside.explain())] if isinstance(inside, InputPrivacy) else [])

    def accuracy(self, joint: Joint) -> list[str]:
        """Return how far off the result will be, in sentences."""
        shares = f"Each of the {len(joint.sites)} sites adds its share of the noise; "
        return [*joint.accuracy(), f"{shares}the shares of any {joint.honest} are enough for the promise."]

    def payment(self) -> str:
        """Say what a site charges to its own ledger."""
        if self.ledger is None:
            return f"nothing, because the plan names no ledger; the loss is {self.cost}"
        left = self.ledger.remaining(self.dataset, str(self.domain.unit))
        return f"{self.cost}, once for all rounds; {left} is left for data set {self.dataset!r}"

    def preview(self, sites: Sequence[str] = ()) -> StudyPreview:
        """Say what would be promised, how accurate it would be and who would see what. No row is read.

        Parameters
        ----------
        sites
            Names; left out, three.
        """
        return StudyPreview(self, self.joint(tuple(sites) or ("site 1", "site 2", "site 3")))


@dataclass(frozen=True)
class StudyPreview:
    """What a study would do, said before any row is read.

    Attributes
    ----------
    study, joint
        Of which sites.
    """

    study: Study
    joint: Joint

    def sections(self) -> Mapping[str, list[tuple[str, str]]]:
        """Return the preview as titled lines: (term, explanation)."""
        study, unit = self.study, self.study.domain.unit
        left = "no ledger: nothing will be recorded"
        if study.ledger is not None:
            left = f"{study.ledger.remaining(study.dataset, str(unit))} left"
        return {
            "Study": [("makes", study.makes()), ("asks", self.joint.asks()), ("protects", str(unit))],
            "Promise": study.promises(),
            "For more than one": beyond_one_unit(study.cost),
            "Accuracy": [("", sentence) for sentence in study.accuracy(self.joint)],
            "Who learns what": list(study.who_learns(self.joint).items()),
            "Budget": [("cost", f"{study.cost}, once for all rounds"), ("ledger", left)],
        }
